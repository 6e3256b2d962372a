//! An output whose rows are gathered in chunks, and the options of that. Knows nothing of what a chunk becomes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use sawlog_model::{Batch, KnownSource, Nanos, SourceId, Tenant};
use sawlog_pipeline::{
    ConfigError, Env, Failing, Lsn, Opt, OptKind, Options, Origin, Output, OutputError, opt,
};

use super::{Chunks, Settings, Sink};
use crate::shared::formatter::Formatter;
use crate::shared::placeholders::{Keys, Placeholders};
use crate::shared::record::{Accessor, tag};
use crate::shared::strftime;

/// Options of `<buffer>`, as far as they say how rows are gathered.
pub const BUFFER: [Opt; 9] = buffer("256MiB");

/// The same with another length of chunks.
pub const fn buffer(limit: &'static str) -> [Opt; 9] {
    [
        opt("buffer.keys", OptKind::List, "time", "What tells chunks apart: `time`, `tag`, names of fields."),
        opt("buffer.timekey", OptKind::Duration, "1d", "With `time`: length of the span that is one chunk."),
        opt(
            "buffer.timekey_wait",
            OptKind::Duration,
            "10m",
            "How long after its span a chunk waits for late rows.",
        ),
        opt("buffer.timekey_use_utc", OptKind::Bool, "false", "Spans, and times in names, are of UTC."),
        opt("buffer.timekey_zone", OptKind::Text, "", "Or of this zone; else of the machine's own."),
        opt(
            "buffer.flush_mode",
            OptKind::Text,
            "default",
            "When chunks are whole: `lazy`, after their span; `interval`; `immediate`. By default `lazy` with `time`.",
        ),
        opt(
            "buffer.flush_interval",
            OptKind::Duration,
            "60s",
            "Age at which a chunk is whole, with `interval`.",
        ),
        opt("buffer.chunk_limit_size", OptKind::Bytes, limit, "A chunk is whole before it is longer."),
        opt(
            "buffer.path",
            OptKind::Text,
            "",
            "Directory for chunks; else one beside what they become, or among the node's data.",
        ),
    ]
}

/// The directory of an output's chunks below that of the node's data, or where the options say.
pub fn directory(options: &Options, env: &Env) -> PathBuf {
    let clean =
        |letter: char| if letter.is_alphanumeric() || matches!(letter, '-' | '_') { letter } else { '_' };
    let name: String = env.name.chars().map(clean).collect();
    match options.text("buffer.path") {
        "" => env.dir.join("chunks").join(name),
        given => Path::new(given.trim_end_matches(['*', '.', '/'])).join(format!(".sawlog-{name}")),
    }
}

/// Letters of strftime that tell spans of this length, in nanoseconds, apart.
pub fn letters(span: Nanos) -> &'static str {
    match span / sawlog_model::SECOND {
        ..60 => "%Y%m%d%H%M%S",
        60..3_600 => "%Y%m%d%H%M",
        3_600..86_400 => "%Y%m%d%H",
        _ => "%Y%m%d",
    }
}

/// The times in the options.
pub struct Times {
    /// Span and zone, where chunks are told apart by time.
    pub time: Option<(Nanos, TimeZone)>,
    pub(super) wait: Nanos,
    age: Option<Duration>,
}

impl Times {
    /// As the options say.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn new(options: &Options) -> Result<Times, ConfigError> {
        let nanos = |name: &str| i64::try_from(options.duration(name).as_nanos()).unwrap_or(i64::MAX);
        let name =
            if options.flag("buffer.timekey_use_utc") { "UTC" } else { options.text("buffer.timekey_zone") };
        let zone = strftime::zone(name).map_err(ConfigError)?;
        let span = nanos("buffer.timekey");
        let by_time = options.list("buffer.keys").iter().any(|key| key == "time");
        if by_time && span == 0 {
            return Err(ConfigError("`timekey` must be more than 0".to_owned()));
        }
        let interval = Some(options.duration("buffer.flush_interval"));
        let age = match options.text("buffer.flush_mode") {
            "" | "default" if by_time => None,
            "lazy" if by_time => None,
            "lazy" => {
                return Err(ConfigError(
                    "`flush_mode lazy` needs `time` among the keys of chunks".to_owned(),
                ));
            }
            "" | "default" | "interval" => interval,
            "immediate" => Some(Duration::ZERO),
            other => {
                let message = format!("`flush_mode {other}`: there are lazy, interval and immediate");
                return Err(ConfigError(message));
            }
        };
        Ok(Times { time: by_time.then_some((span, zone)), wait: nanos("buffer.timekey_wait"), age })
    }

    /// How rows are gathered so that each of `texts` can be made for a chunk.
    ///
    /// # Errors
    /// [`ConfigError`] where a key is none.
    pub fn settings(
        self,
        options: &Options,
        dir: PathBuf,
        texts: &[&Placeholders],
        mode: Option<u32>,
    ) -> Result<Settings, ConfigError> {
        let named = options.list("buffer.keys").iter().map(String::as_str);
        let mut names: Vec<&str> = named.filter(|key| !matches!(*key, "time" | "tag" | "[]")).collect();
        names.extend(texts.iter().flat_map(|text| text.fields()));
        let mut fields: Vec<(String, Accessor)> = Vec::new();
        for name in names {
            if fields.iter().all(|(have, _)| have != name) {
                fields.push((name.to_owned(), Accessor::parse(name).map_err(ConfigError)?));
            }
        }
        let tag = options.list("buffer.keys").iter().any(|key| key == "tag")
            || texts.iter().any(|text| text.has_tag());
        let limit = options.bytes("buffer.chunk_limit_size").max(1) as u64;
        let keys = Keys { time: self.time, tag, fields };
        Ok(Settings { dir, keys, wait: self.wait, age: self.age, limit, mode })
    }
}

/// The output.
pub struct ChunkedOutput {
    name: String,
    chunks: Chunks,
    formatter: Formatter,
}

impl ChunkedOutput {
    /// Gathers rows, as the formatter writes them, for a sink.
    ///
    /// # Errors
    /// [`ConfigError`] where the directory cannot be used.
    pub fn start(
        env: &Env,
        settings: Settings,
        sink: Box<dyn Sink>,
        formatter: Formatter,
    ) -> Result<ChunkedOutput, ConfigError> {
        let chunks = Chunks::start(&env.sys, settings, sink, env.limits).map_err(ConfigError)?;
        Ok(ChunkedOutput { name: env.name.to_string(), chunks, formatter })
    }
}

impl Output for ChunkedOutput {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        let tag = tag(&batch);
        self.chunks.take(&batch, origin, |row, out| self.formatter.write(row, &tag, out))
    }

    fn journaled(&self, _tenant: Tenant, at: Lsn, next: Lsn) {
        self.chunks.journaled(at, next);
    }

    fn cursor(&self) -> Lsn {
        self.chunks.recorded()
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.chunks.known().values().cloned().collect()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.chunks.known().get(&source).map(|known| known.position.mark())
    }

    fn failing(&self) -> Option<Failing> {
        self.chunks.failing()
    }

    fn flush(&self) -> Result<(), OutputError> {
        self.chunks.record().map_err(OutputError::Later)
    }
}
