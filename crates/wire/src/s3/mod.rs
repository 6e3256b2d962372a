//! Rows to objects of S3 or a store that speaks like it, as Fluentd's `s3` writes them: see README.md. Knows nothing of where
//! rows come from.

mod name;
mod options;
mod sink;
#[cfg(test)]
mod tests;

use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, Protocol, speaks_tls};

use self::sink::S3Sink;
use crate::shared::chunks::pack::Pack;
use crate::shared::chunks::{self, ChunkedOutput, Times};
use crate::shared::formatter::Formatter;
use crate::shared::s3::{Bucket, Credentials, Place};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "s3",
    summary: "Writes rows to objects of S3, each row in exactly one.",
    options: options::OPTIONS,
    output: Some(make),
    // Without an endpoint it is Amazon's, over TLS.
    private: |options| options.text("s3_endpoint").is_empty() || speaks_tls(options),
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
    let bucket = bucket(options, env).map_err(ConfigError)?;
    let settings = times.settings(options, chunks::directory(options, env), &[name.text()], None)?;
    let formatter = Formatter::new(options, "out_file", env.limits)?;
    let sink = S3Sink::new(options, env, bucket, name, (pack, content_type)).map_err(ConfigError)?;
    Ok(Box::new(ChunkedOutput::start(env, settings, Box::new(sink), formatter)?))
}

fn bucket(options: &Options, env: &Env) -> Result<Bucket, String> {
    let place = Place {
        name: options.text("s3_bucket"),
        region: options.text("s3_region"),
        endpoint: options.text("s3_endpoint"),
        in_path: options.flag("force_path_style"),
        credentials: credentials(options),
        connect_timeout: options.duration("connect_timeout"),
        request_timeout: options.duration("request_timeout"),
        tls: options,
    };
    Bucket::new(place, &env.runtime, &env.stop, &env.sys)
}

/// What is given; else what the environment says, whose token belongs to its key.
fn credentials(options: &Options) -> Credentials {
    let of_environment = Credentials::read(|name| std::env::var(name).ok());
    let or = |option: &str, other: String| match options.text(option) {
        "" => other,
        given => given.to_owned(),
    };
    let token = if options.text("aws_key_id").is_empty() { of_environment.token } else { String::new() };
    Credentials {
        key_id: or("aws_key_id", of_environment.key_id),
        secret: or("aws_sec_key", of_environment.secret),
        token: or("aws_session_token", token),
    }
}
