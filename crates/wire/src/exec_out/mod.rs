//! Rows to a program, as Fluentd's `exec` hands them on: whole chunks, each as a file whose path is the program's last argument.
//! Knows nothing of where rows come from.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Opt, OptKind, Options, Output, Protocol, opt, options};
use sawlog_sys::process::{self, Ended};

use crate::shared::chunks::{BUFFER, ChunkedOutput, Sink, Times, Whole};
use crate::shared::formatter::{self, Formatter};
use crate::shared::placeholders::{Keys, Placeholders};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "exec",
    summary: "Gives rows to a program, a file at a time.",
    options: options![&OWN, &BUFFER, formatter::OPTIONS],
    output: Some(make),
    private: |_| true,
    fluent: &[FluentForm { role: Role::Match, names: &["exec"], read: from_fluent }],
    ..Protocol::EMPTY
};

const OWN: [Opt; 2] = [
    opt("command", OptKind::Text, "", "A line of the shell; the path of the file is put behind it."),
    opt("command_timeout", OptKind::Duration, "270s", "After so long it is ended, and tried again."),
];

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![("command", vec![reader.required("command").to_owned()])];
    let time = reader.time("command_timeout").map(sawlog_pipeline::config::duration_text);
    options.extend(time.map(|time| ("command_timeout", vec![time])));
    if reader.element().children.iter().all(|child| child.name != "buffer") {
        // Without a <buffer> chunks have no keys, and go out by their age.
        options.push(("buffer.keys", Vec::new()));
    }
    options.extend(formatter::from_fluent_with(reader, "string", Some("UTC")));
    options
}

/// Runs a program for each chunk.
struct Run {
    command: Placeholders,
    timeout: Duration,
}

/// A word of the shell, whatever is in it.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "'\\''"))
}

impl Sink for Run {
    fn deliver(&self, chunk: &Whole<'_>, keys: &Keys) -> Result<(), String> {
        let command = self.command.expand(keys, chunk.key, chunk.id.trim_start_matches('b'), word);
        let line = format!("{command} {}", word(&chunk.path.to_string_lossy()));
        match process::run(&line, self.timeout) {
            Ok(Ended::Well) => Ok(()),
            Ok(Ended::Badly(Some(status))) => Err(format!("`{command}` ended with status {status}")),
            Ok(Ended::Badly(None)) => Err(format!("`{command}` was ended by a signal")),
            Ok(Ended::TooLate) => Err(format!("`{command}` took longer than {:?}", self.timeout)),
            Err(error) => Err(format!("`{command}`: {error}")),
        }
    }
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let wrong = |message: String| ConfigError(format!("`command`: {message}"));
    if options.text("command").trim().is_empty() {
        return Err(wrong("it is missing".to_owned()));
    }
    let times = Times::new(options)?;
    let command = Placeholders::parse(options.text("command")).map_err(wrong)?;
    let dir = match options.text("buffer.path") {
        "" => PathBuf::from("."),
        given => PathBuf::from(given.trim_end_matches(['*', '.', '/'])),
    };
    let clean =
        |letter: char| if letter.is_alphanumeric() || matches!(letter, '-' | '_') { letter } else { '_' };
    let dir = dir.join(format!(".sawlog-{}", env.name.chars().map(clean).collect::<String>()));
    let dir = env.sys.fs.resolve(Path::new(".")).map_or_else(|_| dir.clone(), |here| here.join(&dir));
    let settings = times.settings(options, dir, &[&command], None)?;
    let formatter = Formatter::new(options, "tsv", env.limits)?;
    let sink = Run { command, timeout: options.duration("command_timeout") };
    Ok(Box::new(ChunkedOutput::start(env, settings, Box::new(sink), formatter)?))
}
