//! Fluentd's configuration files: from their text, in the syntax of v1 or of v0.10 (ik's, too), to elements, and from those to
//! a configuration of ours. Knows nothing of what the options of a protocol mean: each protocol says that itself.

mod block;
mod buffer;
mod cursor;
mod include;
mod later;
mod overlap;
mod ruby;
#[cfg(test)]
mod tests;
mod translate;
mod value;

use std::path::Path;
use std::sync::Arc;

use sawlog_sys::Fs;

pub(super) use block::read_text;

use super::{Compat, Config, Element, Finding, Known};

/// What embedded expressions may ask for.
#[derive(Clone)]
pub struct Surroundings {
    /// This machine's name.
    pub host: String,
    /// A variable of the environment.
    pub variable: fn(&str) -> Option<String>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Surroundings { host: sawlog_sys::host_name(), variable: |name| std::env::var(name).ok() }
    }
}

/// Reads a file and what it includes: an element without a name that holds all others, and what is wrong.
pub fn elements(
    fs: &dyn Fs,
    path: &Path,
    text: &str,
    compat: Compat,
    around: &Surroundings,
) -> (Element, Vec<Finding>) {
    let mut reader = block::Reader::new(fs, compat, around);
    let mut root = Element { file: Arc::new(path.to_owned()), line: 1, ..Element::default() };
    reader.file(text, &mut root);
    (root, reader.findings)
}

/// Reads a file and what it includes to a configuration. It can be used where all that is told are notes.
pub fn read(
    fs: &dyn Fs,
    path: &Path,
    text: &str,
    known: Known<'_>,
    compat: Compat,
    around: &Surroundings,
) -> (Config, Vec<Finding>) {
    let (root, mut findings) = elements(fs, path, text, compat, around);
    let (config, told) = translate::translate(&root, known, compat);
    findings.extend(told);
    (config, findings)
}
