//! Rows to files of HDFS over WebHDFS, as Fluentd's `webhdfs` writes them: see README.md. Knows nothing of where rows come from.

mod files;
mod options;
mod sink;
#[cfg(test)]
mod tests;

use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, Protocol};

use self::files::Files;
use self::sink::HdfsSink;
use crate::shared::chunks::{self, ChunkedOutput, Times};
use crate::shared::formatter::Formatter;
use crate::shared::placeholders::Placeholders;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "webhdfs",
    summary: "Writes rows to files of HDFS, each row in exactly one.",
    options: options::OPTIONS,
    output: Some(make),
    fluent: &[FluentForm { role: Role::Match, names: &["webhdfs"], read: options::from_fluent }],
    ..Protocol::EMPTY
};

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let wrong = |message: String| ConfigError(format!("`path`: {message}"));
    let host = sawlog_sys::host_name();
    let mut text = options.text("path").replace("${hostname}", &host).replace("%{hostname}", &host);
    for random in ["${uuid}", "${uuid:random}", "%{uuid}", "%{uuid_flush}", "${uuid_flush}"] {
        text = text.replace(random, "${chunk_id}");
    }
    let path = Placeholders::parse(&text).map_err(wrong)?;
    if !path.fixed_prefix().starts_with('/') {
        return Err(wrong("it begins with /".to_owned()));
    }
    if text.contains("//") {
        return Err(wrong("a part of it is empty".to_owned()));
    }
    let append = options.flag("append");
    if !append && !text.contains("${chunk_id}") {
        return Err(wrong(
            "without `append` each chunk needs a name of its own: write ${chunk_id} in it".to_owned(),
        ));
    }
    let times = Times::new(options)?;
    if times.time.is_none() && path.has_time() {
        return Err(wrong("letters of a time need `time` among the keys of chunks".to_owned()));
    }
    let files = Files::new(options, env).map_err(ConfigError)?;
    let settings = times.settings(options, chunks::directory(options, env), &[&path], None)?;
    let formatter = Formatter::new(options, "out_file", env.limits)?;
    let sink = HdfsSink::new(options.text("compress"), path, append, files, &env.sys).map_err(ConfigError)?;
    Ok(Box::new(ChunkedOutput::start(env, settings, Box::new(sink), formatter)?))
}
