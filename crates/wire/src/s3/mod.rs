//! Rows to objects of S3 or a store that speaks like it, as Fluentd's `s3` writes them: see README.md. Knows nothing of where
//! rows come from.

mod bucket;
mod name;
mod options;
mod sign;
mod sink;
#[cfg(test)]
mod tests;

use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, Protocol};

use self::bucket::Bucket;
use self::sink::S3Sink;
use crate::shared::chunks::pack::Pack;
use crate::shared::chunks::{self, ChunkedOutput, Times};
use crate::shared::formatter::Formatter;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "s3",
    summary: "Writes rows to objects of S3, each row in exactly one.",
    options: options::OPTIONS,
    output: Some(make),
    fluent: &[FluentForm { role: Role::Match, names: &["s3"], read: options::from_fluent }],
    ..Protocol::EMPTY
};

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let (pack, extension, content_type) = match options.text("store_as") {
        "" | "gzip" => (Pack::Gzip, "gz", "application/x-gzip"),
        "zstd" => (Pack::Zstd, "zst", "application/x-zst"),
        "text" | "txt" => (Pack::Text, "txt", "text/plain"),
        "json" => (Pack::Text, "json", "application/json"),
        other => {
            return Err(ConfigError(format!("`store_as = {other}`: there are gzip, zstd, text and json")));
        }
    };
    let times = Times::new(options)?;
    let span = times.time.as_ref().map(|(span, _)| *span);
    let name = name::Name::new(options, span, extension).map_err(ConfigError)?;
    let bucket = Bucket::new(options, env).map_err(ConfigError)?;
    let settings = times.settings(options, chunks::directory(options, env), &[name.text()], None)?;
    let formatter = Formatter::new(options, "out_file", env.limits)?;
    let sink = S3Sink::new(options, env, bucket, name, (pack, content_type)).map_err(ConfigError)?;
    Ok(Box::new(ChunkedOutput::start(env, settings, Box::new(sink), formatter)?))
}
