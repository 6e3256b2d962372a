//! Templates of indices: their files, read when the output is made. Knows nothing of when they are put.

use std::path::Path;

use sawlog_model::Limits;
use sawlog_model::value::parse_json;
use sawlog_pipeline::{ConfigError, Options};
use sawlog_sys::Sys;

use crate::shared::http_client::percent;

/// Longest file of a template, bytes.
const FILE_MOST: u64 = 4 << 20;

/// A template that is to be there.
pub(super) struct Template {
    pub name: String,
    pub path: String,
    pub body: Vec<u8>,
    pub overwrite: bool,
}

/// Splits `NAME: VALUE`.
fn pair(text: &str) -> Result<(&str, &str), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("`{text}`: write it as NAME: VALUE"))?;
    Ok((name.trim(), value.trim()))
}

/// Reads all that the options name.
pub(super) fn read(options: &Options, sys: &Sys) -> Result<Vec<Template>, ConfigError> {
    let mut wanted = Vec::new();
    match (options.text("template_name"), options.text("template_file")) {
        ("", "") => {}
        ("", _) | (_, "") => {
            return Err(ConfigError("`template_name` and `template_file` are given together".to_owned()));
        }
        given => wanted.push(given),
    }
    let wrong = |name: &'static str| move |message: String| ConfigError(format!("`{name}`: {message}"));
    for text in options.list("templates") {
        wanted.push(pair(text).map_err(wrong("templates"))?);
    }
    let mut replaced = Vec::new();
    for text in options.list("customize_template") {
        replaced.push(pair(text).map_err(wrong("customize_template"))?);
    }
    let kind = if options.flag("use_legacy_template") { "_template" } else { "_index_template" };
    let overwrite = options.flag("template_overwrite");
    let one = |(name, file): (&str, &str)| {
        let body = load(sys, file, &replaced)
            .map_err(|message| ConfigError(format!("the template {name}: {file}: {message}")))?;
        let path = format!("/{kind}/{}", percent(name));
        Ok(Template { name: name.to_owned(), path, body, overwrite })
    };
    wanted.into_iter().map(one).collect()
}

fn load(sys: &Sys, file: &str, replaced: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let path = Path::new(file);
    let size = sys.fs.metadata(path).map_err(|error| error.to_string())?.len;
    if size > FILE_MOST {
        return Err(format!("it has more than {FILE_MOST} bytes"));
    }
    let bytes = sys.fs.read(path).map_err(|error| error.to_string())?;
    let mut text = String::from_utf8(bytes.to_vec()).map_err(|_| "it is not UTF-8".to_owned())?;
    for (word, by) in replaced {
        text = text.replace(word, by);
    }
    parse_json(text.as_bytes(), &Limits::default()).map_err(|error| format!("it is no JSON: {error}"))?;
    Ok(text.into_bytes())
}
