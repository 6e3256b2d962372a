//! From a configuration to running parts, for every binary alike. Knows nothing of which protocols there are: it is given
//! their list.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::{Journal, JournalError, Recovered};
use sawlog_model::Limits;
use sawlog_sys::{Sys, task};

use crate::config::{self, Config, Section, Setting};
use crate::{DeadLetters, Env, Filter, Graph, OptKind, Output, Parts, Protocol};

mod changes;
mod inputs;
#[cfg(test)]
mod tests;
mod trial;
mod wired;

pub use trial::{From, Passed, Trial};
pub use wired::{Kit, Wired, no_builtin};

/// Settings that every binary has; each may have more.
pub const SETTINGS: &[Setting] = &[
    ("data", OptKind::Text, "directory of the data"),
    ("journal.limit", OptKind::Bytes, "most bytes of the journal; above it senders wait"),
    (
        "dead.limit",
        OptKind::Bytes,
        "most bytes of dead letters; above it an output that has more of them waits; 0 keeps none",
    ),
    ("status", OptKind::Address, "where a page of the state and /metrics are shown beside everything else"),
    ("limits.event", OptKind::Bytes, "longest event"),
    ("limits.message", OptKind::Bytes, "longest message of a protocol, decompressed"),
];

/// The protocol of that name for a role; input and output of a name may be of two.
///
/// # Errors
/// Where there is none; reading a configuration has told so before, with the nearest name.
fn protocol(
    protocols: &[&'static Protocol],
    name: &str,
    offers: fn(&Protocol) -> bool,
) -> Result<&'static Protocol, String> {
    protocols
        .iter()
        .copied()
        .find(|protocol| protocol.name == name && offers(protocol))
        .ok_or_else(|| format!("there is no `{name}`"))
}

/// An output that the binary makes itself (the store of a node): what it has for a section, if anything.
pub type Builtin = Arc<dyn Fn(&Section, &Env) -> Option<Result<Arc<dyn Output>, String>> + Send + Sync>;

/// Makes filters and outputs of a configuration and builds its graph. `builtin` is asked for each output before `protocols`.
///
/// # Errors
/// In words, naming the part and its line.
pub fn graph(
    config: &Config,
    protocols: &[&'static Protocol],
    env: &Env,
    builtin: &Builtin,
) -> Result<Graph, String> {
    Graph::build(&config.steps, &mut Maker { protocols, env, builtin })
}

struct Maker<'a> {
    protocols: &'a [&'static Protocol],
    env: &'a Env,
    builtin: &'a Builtin,
}

impl Parts for Maker<'_> {
    fn filter(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Filter>, String> {
        let kind = &section.kind;
        let make = protocol(self.protocols, kind, |protocol| protocol.filter.is_some())?
            .filter
            .ok_or_else(|| format!("`{kind}` is no filter"))?;
        Ok(make(&section.options, &self.env.named(name)).map_err(|error| error.to_string())?.into())
    }

    fn output(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Output>, String> {
        let (kind, env) = (&section.kind, self.env.named(name));
        if let Some(made) = (self.builtin)(section, &env) {
            return made;
        }
        let make = protocol(self.protocols, kind, |protocol| protocol.output.is_some())?
            .output
            .ok_or_else(|| format!("`{kind}` is no output"))?;
        Ok(make(&section.options, &env).map_err(|error| error.to_string())?.into())
    }

    fn is_private(&self, section: &Section) -> bool {
        let found = protocol(self.protocols, &section.kind, |protocol| protocol.output.is_some());
        found.is_ok_and(|protocol| (protocol.private)(&section.options))
    }
}

/// A section made on the command line.
///
/// # Errors
/// In words, where an option is unknown or has the wrong kind of value.
pub fn section(protocol: &Protocol, given: &[(&str, Vec<String>)]) -> Result<Section, String> {
    let options = config::options(protocol, given)?;
    Ok(Section { kind: protocol.name.to_owned(), options, ..Section::default() })
}

/// The journal's sizes, as configured.
fn journal_options(config: &Config) -> sawlog_journal::Options {
    let mut options = sawlog_journal::Options::default();
    if let Some(bytes) = config.bytes("journal.limit") {
        options.total_bytes = bytes;
    }
    options
}

/// Bytes of dead letters, where nothing is configured.
const DEAD_LIMIT: u64 = 256 << 20;

/// So long, and so far apart, a directory that another process holds is asked for.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_STEP: Duration = Duration::from_millis(20);

/// Opens what a process that was killed holds until the system has taken its memory back, and a command for as long as it takes.
///
/// # Errors
/// As `open`, at last.
pub fn patiently<T>(sys: &Sys, mut open: impl FnMut() -> Result<T, JournalError>) -> Result<T, JournalError> {
    let until = sys.clock.monotonic() + PATIENCE;
    loop {
        match open() {
            Err(error) if error.is_held() && sys.clock.monotonic() < until => task::sleep(PATIENCE_STEP),
            opened => return opened,
        }
    }
}

/// The node's journal in `dir`, as configured.
///
/// # Errors
/// As [`Journal::open`].
pub fn journal(sys: &Sys, dir: &Path, config: &Config) -> Result<(Journal, Recovered), JournalError> {
    patiently(sys, || Journal::open(sys, dir, journal_options(config)))
}

/// The dead letters in `dir`, as configured; `None` where none are kept.
///
/// # Errors
/// As [`DeadLetters::open`].
pub fn dead_letters(sys: &Sys, dir: &Path, config: &Config) -> Result<Option<DeadLetters>, JournalError> {
    match config.bytes("dead.limit").unwrap_or(DEAD_LIMIT) {
        0 => Ok(None),
        limit => patiently(sys, || DeadLetters::open(sys, dir, limit)).map(Some),
    }
}

/// Bounds of decoders, as configured.
pub fn limits(config: &Config) -> Limits {
    let mut limits = Limits::default();
    if let Some(bytes) = config.bytes("limits.event") {
        limits.event = bytes as usize;
    }
    if let Some(bytes) = config.bytes("limits.message") {
        limits.message = bytes as usize;
    }
    limits
}
