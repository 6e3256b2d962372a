//! An output: how many rows there were of each tag, in a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::{Batch, KnownSource, SourceId, Tenant};
use sawlog_pipeline::{ConfigError, Env, Lsn, Opt, OptKind, Options, Origin, Output, OutputError, Protocol};
use sawlog_wire::shared::held::Held;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "tally",
    summary: "Writes how many rows there were of each tag to a file.",
    options: &[Opt { name: "path", kind: OptKind::Text, default: "", help: "The file." }],
    output: Some(make),
    ..Protocol::EMPTY
};

struct Tally {
    name: Arc<str>,
    path: PathBuf,
    counts: Mutex<BTreeMap<String, usize>>,
    held: Held,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let path = options.text("path");
    if path.is_empty() {
        return Err(ConfigError("`path` is missing: the file to write".to_owned()));
    }
    Ok(Box::new(Tally {
        name: env.name.clone(),
        path: path.into(),
        counts: Mutex::default(),
        held: Held::default(),
    }))
}

impl Output for Tally {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        // A batch without rows only moves positions.
        if !batch.rows.is_empty() {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let tag = batch.context.get("_tag").unwrap_or_default();
            *counts.entry(tag.to_owned()).or_default() += batch.rows.len();
            let text: String = counts.iter().map(|(tag, count)| format!("{tag} {count}\n")).collect();
            // "Later": the rows come again until they are taken.
            std::fs::write(&self.path, text).map_err(|error| OutputError::Later(error.to_string()))?;
        }
        self.held.passed(&batch, origin);
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, next: Lsn) {
        self.held.reached(next);
    }

    fn cursor(&self) -> Lsn {
        self.held.cursor()
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.held.known()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.held.committed(source)
    }

    fn keeps_positions(&self) -> bool {
        false
    }

    fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}
