//! The ini files of Flosculus and Beaver: their syntax to elements, and from those to a configuration of ours. Knows nothing of
//! how files are followed and rows sent.

mod beaver;
mod flosculus;
#[cfg(test)]
mod tests;
mod transport;

use std::path::Path;
use std::sync::Arc;

pub(super) use beaver::read as read_beaver;
pub(super) use flosculus::read as read_flosculus;

use super::{Element, Finding, Known, Pair, Section, check_value, fill_defaults, find_opt};
use crate::Options;

/// How the two differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comments {
    /// At the beginning of a line only: expressions may hold a `;`.
    Lines,
    /// Also behind ` ;`.
    Inline,
}

/// Sections in order; each is an element whose name is `[section]`. Lines before the first section, and such that say nothing,
/// are told.
fn elements(path: &Path, text: &str, comments: Comments, findings: &mut Vec<Finding>) -> Vec<Element> {
    let file = Arc::new(path.to_owned());
    let mut sections: Vec<Element> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index + 1;
        let mut wrong = |message: &str| {
            findings.push(Finding {
                file: file.clone(),
                line: number,
                message: message.to_owned(),
                note: false,
            });
        };
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            let Some(end) = trimmed.rfind(']') else {
                wrong("a section is written as [name]");
                continue;
            };
            let name = trimmed[..=end].to_owned();
            sections.push(Element { name, file: file.clone(), line: number, ..Element::default() });
            continue;
        }
        let Some(section) = sections.last_mut() else {
            wrong("this stands in no [section]");
            continue;
        };
        let inline = if comments == Comments::Inline { trimmed.find(" ;") } else { None };
        let trimmed = trimmed[..inline.unwrap_or(trimmed.len())].trim_end();
        if line.starts_with([' ', '\t']) && !section.pairs.is_empty() {
            // A line that is set in goes on with the value of the one before.
            if let Some(pair) = section.pairs.last_mut() {
                pair.value.push('\n');
                pair.value.push_str(trimmed);
            }
            continue;
        }
        let Some(at) = trimmed.find(['=', ':']) else {
            wrong("write this as `key = value`");
            continue;
        };
        let value = trimmed[at + 1..].trim();
        let value = if value == "\"\"" { "" } else { value }.to_owned();
        let key = trimmed[..at].trim().to_lowercase();
        section.pairs.push(Pair { key, value, file: file.clone(), line: number });
    }
    sections
}

/// What stands in the brackets of a section's name.
fn name(element: &Element) -> &str {
    element.name.trim_start_matches('[').strip_suffix(']').unwrap_or(&element.name)
}

fn told(at: &Element, message: String, note: bool) -> Finding {
    Finding { file: at.file.clone(), line: at.line, message, note }
}

/// A section of ours, or in words why there is none.
fn section(
    known: Known<'_>,
    kind: &str,
    given: Vec<(&str, Vec<String>)>,
    line: usize,
) -> Result<Section, String> {
    let protocols = known.protocols.iter().copied();
    // Input and output of a name may be of two protocols: the one that has the options is meant.
    let has = |name: &str| {
        protocols.clone().filter(|protocol| protocol.name == kind).find(|p| find_opt(p, name).is_ok())
    };
    let first = given.first().map_or("", |(name, _)| name);
    let protocol = has(first).or_else(|| protocols.clone().find(|protocol| protocol.name == kind));
    let protocol = protocol
        .ok_or_else(|| format!("this program has no `{kind}`; `sawlog run -c FILE` has all there are"))?;
    let mut options = Options::default();
    for (name, values) in given {
        let opt = find_opt(protocol, name)?;
        values
            .iter()
            .try_for_each(|value| check_value(opt, value))
            .map_err(|message| format!("`{name}`: {message}"))?;
        options.0.insert(name.to_owned(), values);
    }
    fill_defaults(protocol, &mut options);
    Ok(Section { kind: kind.to_owned(), options, line, ..Section::default() })
}

/// Whether `path` is a file that `fs` has.
fn is_file(fs: &dyn sawlog_sys::Fs, path: &Path) -> bool {
    fs.metadata(path).is_ok_and(|known| known.is_file)
}
