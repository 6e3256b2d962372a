//! Names of objects: made of the path, the span of time and what rows have in common, with a number in them. Knows nothing of
//! objects.

use sawlog_model::Nanos;
use sawlog_pipeline::Options;

use crate::shared::chunks::letters;
use crate::shared::placeholders::{Key, Keys, Placeholders, part_of_path};
use crate::shared::strftime::has_letters;

/// Stands for the number in a template; cannot be in one.
const NUMBER: &str = "\0";
/// Longest name that servers take, bytes.
const NAME_MOST: usize = 1024;

/// How objects are named.
pub(super) struct Name {
    text: Placeholders,
    /// Digits of the number, with zeros before it.
    digits: usize,
    numbered: bool,
}

impl Name {
    pub fn new(options: &Options, span: Option<Nanos>, extension: &str) -> Result<Name, String> {
        let slice = match (options.text("time_slice_format"), span) {
            (_, None) => "",
            ("", Some(span)) => letters(span),
            (format, Some(_)) => format,
        };
        let host = sawlog_sys::host_name();
        let mut text = options.text("s3_object_key_format").to_owned();
        // The path may have places in it; what else stands for something is put in before.
        for (place, by) in [
            ("%{time_slice}", slice),
            ("%{index}", NUMBER),
            ("%{file_extension}", extension),
            ("%{hostname}", host.as_str()),
            ("%{uuid_flush}", "${chunk_id}"),
            ("%{hex_random}", "${chunk_id}"),
            ("%{path}", options.text("path")),
        ] {
            text = text.replace(place, by);
        }
        if let Some(at) = text.find("%{") {
            let end = text[at..].find('}').map_or(text.len(), |end| at + end + 1);
            return Err(format!("`s3_object_key_format`: `{}` stands for nothing", &text[at..end]));
        }
        if span.is_none() && has_letters(&text) {
            return Err("letters of a time need `time` among the keys of chunks".to_owned());
        }
        let index = options.text("index_format");
        let digits = index.strip_prefix('%').and_then(|rest| rest.strip_suffix('d'));
        let digits = digits.and_then(|digits| if digits.is_empty() { Some(0) } else { digits.parse().ok() });
        let digits = digits.filter(|digits| *digits <= 20);
        let digits = digits.ok_or_else(|| format!("`index_format = {index}`: write it as %d or %04d"))?;
        let numbered = text.contains(NUMBER);
        let text = text.trim_start_matches('/');
        let text =
            Placeholders::parse(text).map_err(|message| format!("`s3_object_key_format`: {message}"))?;
        Ok(Name { text, digits, numbered })
    }

    /// The text that chunks are told apart by.
    pub fn text(&self) -> &Placeholders {
        &self.text
    }

    /// Whether there is a number in it, so that one that is taken is followed by others.
    pub fn is_numbered(&self) -> bool {
        self.numbered
    }

    /// The name for a chunk, its number left open.
    pub fn template(&self, keys: &Keys, key: &Key, id: &str) -> String {
        self.text.expand(keys, key, id, part_of_path)
    }

    /// One name.
    pub fn numbered(&self, template: &str, number: u64) -> Result<String, String> {
        let name = template.replace(NUMBER, &format!("{number:00$}", self.digits));
        if name.len() > NAME_MOST || name.is_empty() {
            return Err(format!("`{name}` can be no name of an object"));
        }
        Ok(name)
    }
}
