//! An output: how many rows there were of each tag, in a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use sawlog_model::Batch;
use sawlog_pipeline::{ConfigError, Env, Opt, OptKind, Options, Output, OutputError, Protocol};
use sawlog_wire::shared::held::{AtOnce, HandOn};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "tally",
    summary: "Writes how many rows there were of each tag to a file.",
    options: &[Opt { name: "path", kind: OptKind::Text, default: "", help: "The file." }],
    output: Some(make),
    ..Protocol::EMPTY
};

struct Tally {
    path: PathBuf,
    counts: Mutex<BTreeMap<String, usize>>,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let path = options.text("path");
    if path.is_empty() {
        return Err(ConfigError("`path` is missing: the file to write".to_owned()));
    }
    Ok(Box::new(AtOnce::new(&env.name, Tally { path: path.into(), counts: Mutex::default() })))
}

impl HandOn for Tally {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        // A batch without rows only moves positions.
        if !batch.rows.is_empty() {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut next = counts.clone();
            let tag = batch.context.get("_tag").unwrap_or_default();
            *next.entry(tag.to_owned()).or_default() += batch.rows.len();
            let text: String = next.iter().map(|(tag, count)| format!("{tag} {count}\n")).collect();
            // "Later": the rows come again until they are taken.
            std::fs::write(&self.path, text).map_err(|error| OutputError::Later(error.to_string()))?;
            *counts = next;
        }
        Ok(())
    }
}
