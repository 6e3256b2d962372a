//! Rows to files whose names are made of time, tag and fields: see README.md. Knows nothing of where rows come from.

mod options;
pub mod secondary;
mod sink;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, Protocol};

use crate::shared::chunks::{self, ChunkedOutput, Times};
use crate::shared::formatter::{self, Formatter};
use crate::shared::placeholders::Placeholders;
use crate::shared::strftime::has_letters;
use sink::{Compress, FileSink};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "file",
    summary: "Writes rows to files, each row in exactly one.",
    options: options::OPTIONS,
    output: Some(make),
    private: |_| true,
    fluent: &[FluentForm { role: Role::Match, names: &["file"], read: from_fluent }],
    ..Protocol::EMPTY
};

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![("path", vec![reader.required("path").to_owned()])];
    for key in ["path_suffix", "symlink_path", "compress", "file_permission", "dir_permission"] {
        options.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    // What it was called in ik and in old versions.
    options.extend(reader.text("permission").map(|text| ("file_permission", vec![text.to_owned()])));
    for key in ["append", "add_path_suffix", "symlink_path_use_relative"] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    // The caller knows this one, too: it makes the span of it.
    let slices = reader.element().get("time_slice_format");
    options.extend(slices.map(|text| ("time_slice_format", vec![text.to_owned()])));
    if reader.element().children.iter().any(|child| child.name == "buffer" && child.argument.trim() == "[]") {
        options.push(("buffer.keys", Vec::new()));
    }
    reader.without_effect(&["recompress"], "chunks are compressed once, when they are whole");
    options.extend(formatter::from_fluent(reader));
    options
}

/// The path with all its parts: letters for its span, a number, its end.
fn template(options: &Options, span: Option<i64>, compress: Compress) -> Result<String, ConfigError> {
    let path = options.text("path");
    if path.is_empty() || path.ends_with('/') {
        return Err(ConfigError("`path` must end in the name of a file".to_owned()));
    }
    let number = if options.flag("append") { "" } else { NUMBER };
    let own_suffix = options.flag("add_path_suffix");
    let suffix = if own_suffix { options.text("path_suffix") } else { "" };
    let letters = match (options.text("time_slice_format"), span) {
        (_, None) => "",
        ("", Some(span)) => chunks::letters(span),
        (format, Some(_)) => format,
    };
    let end = compress.suffix();
    if path.contains('*') {
        if span.is_none() {
            return Err(ConfigError("`path` with `*` needs `time` among the keys of chunks".to_owned()));
        }
        return Ok(path.replace('*', &format!("{letters}{number}")) + end);
    }
    // A path that has letters of its own has them all.
    let pairs = || letters.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
    if span.is_none() || pairs().all(|pair| path.contains(&pair)) {
        return Ok(format!("{path}{number}{suffix}{end}"));
    }
    if options.text("time_slice_format").is_empty() && pairs().any(|pair| path.contains(&pair)) {
        let message = format!("`path`: files of this span need all of {letters} in their names");
        return Err(ConfigError(message));
    }
    Ok(format!("{path}.{letters}{number}{suffix}{end}"))
}

/// Stands for the number of a file in a template; cannot be in a path.
const NUMBER: &str = "\0";

/// The directory that all files of a template are in, whatever the rows say.
fn directory(template: &Placeholders) -> PathBuf {
    let fixed = template.fixed_prefix();
    match fixed.rfind('/') {
        Some(0) => PathBuf::from("/"),
        Some(end) => PathBuf::from(&fixed[..end]),
        None => PathBuf::from("."),
    }
}

fn mode(options: &Options, name: &str) -> Result<Option<u32>, ConfigError> {
    match options.text(name) {
        "" => Ok(None),
        text => match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o7777 => Ok(Some(mode)),
            _ => Err(ConfigError(format!("`{name} = {text}` is no permission, such as 0640"))),
        },
    }
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let compress = Compress::named(options.text("compress")).map_err(ConfigError)?;
    let times = Times::new(options)?;
    let span = times.time.as_ref().map(|(span, _)| *span);
    let wrong = |message: String| ConfigError(format!("`path`: {message}"));
    let path = Placeholders::parse(&template(options, span, compress)?).map_err(wrong)?;
    if span.is_none() && has_letters(options.text("path")) {
        return Err(ConfigError(
            "`path` has letters of a time, but `time` is not among the keys of chunks".to_owned(),
        ));
    }
    let link = Placeholders::parse(options.text("symlink_path")).map_err(wrong)?;
    let file_mode = mode(options, "file_permission")?;
    let dir = match options.text("buffer.path") {
        "" => directory(&path).join(chunks_name(&env.name)),
        _ => chunks::directory(options, env),
    };
    let settings = times.settings(options, dir, &[&path, &link], file_mode)?;
    let formatter = Formatter::new(options, "out_file", env.limits)?;
    let sink = FileSink::new(&env.sys, path, compress, options.flag("append"))
        .with_modes(mode(options, "dir_permission")?, file_mode)
        .with_link(link, options.flag("symlink_path_use_relative"));
    Ok(Box::new(ChunkedOutput::start(env, settings, Box::new(sink), formatter)?))
}

/// The directory of an output's chunks; hidden, so that patterns for its files do not find it.
fn chunks_name(output: &str) -> String {
    let clean =
        |letter: char| if letter.is_alphanumeric() || matches!(letter, '-' | '_') { letter } else { '_' };
    format!(".sawlog-{}", output.chars().map(clean).collect::<String>())
}
