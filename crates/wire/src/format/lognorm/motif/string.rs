//! Text with configured quotes, escapes and letters.

use std::ops::Range;

use sawlog_model::Value;

use super::super::rule::Field;
use super::{Bytes256, Worthy, byte_of, set};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Quotes {
    Auto,
    None,
    Required,
}

/// How such a text is written.
#[derive(Debug)]
pub(in super::super) struct StringType {
    quotes: Quotes,
    doubles: bool,
    backslashes: bool,
    lazy: bool,
    begin: u8,
    end: u8,
    permitted: Option<Bytes256>,
}

/// What was scanned.
struct Scanned {
    quoted: bool,
    escaped: bool,
    end: usize,
}

impl StringType {
    pub fn new(field: &Field) -> Result<StringType, String> {
        let known = [
            "quoting.mode",
            "quoting.escape.mode",
            "quoting.char.begin",
            "quoting.char.end",
            "matching.permitted",
            "matching.mode",
            "extradata",
        ];
        let knows = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        if let Some((name, _)) = field.parameters.iter().find(|(name, _)| !knows(name)) {
            return Err(format!("`string` has no parameter `{name}`"));
        }
        let text = |name: &str| field.parameter(name).and_then(Value::as_str).map(str::to_ascii_lowercase);
        let quotes = match text("quoting.mode").as_deref() {
            None | Some("auto") => Quotes::Auto,
            Some("none") => Quotes::None,
            Some("required") => Quotes::Required,
            Some(other) => return Err(format!("`quoting.mode` is none, required or auto, not {other}")),
        };
        let (doubles, backslashes) = match text("quoting.escape.mode").as_deref() {
            None | Some("both") => (true, true),
            Some("none") => (false, false),
            Some("double") => (true, false),
            Some("backslash") => (false, true),
            Some(other) => {
                return Err(format!("`quoting.escape.mode` is none, double, backslash or both, not {other}"));
            }
        };
        let lazy = match text("matching.mode").as_deref() {
            None | Some("strict") => false,
            Some("lazy") => true,
            Some(other) => return Err(format!("`matching.mode` is strict or lazy, not {other}")),
        };
        let escapes = quotes != Quotes::None;
        Ok(StringType {
            quotes,
            doubles: doubles && escapes,
            backslashes: backslashes && escapes,
            lazy,
            begin: byte_of(field, "quoting.char.begin")?.unwrap_or(b'"'),
            end: byte_of(field, "quoting.char.end")?.unwrap_or(b'"'),
            permitted: field.parameter("matching.permitted").map(permitted).transpose()?,
        })
    }

    fn scan(&self, line: &[u8], at: usize) -> Option<Scanned> {
        let has_quote = *line.get(at)? == self.begin;
        let quoted = has_quote && self.quotes != Quotes::None;
        if self.quotes == Quotes::Required && !has_quote {
            return None;
        }
        let (mut end, mut escaped, mut closed) = (at + usize::from(quoted), false, false);
        while end < line.len() {
            if quoted && line[end] == self.end {
                if !(self.doubles && line.get(end + 1) == Some(&self.end)) {
                    closed = true;
                    break;
                }
                escaped = true;
                end += 1;
            }
            if line[end] == b'\\' && end + 1 < line.len() && self.backslashes {
                escaped = true;
                end += 1;
            }
            let permits = self.permitted.as_ref().is_none_or(|set| set[usize::from(line[end])]);
            if (!quoted && line[end] == b' ') || !permits {
                break;
            }
            end += 1;
        }
        if (quoted && !closed) || end == at {
            return None;
        }
        end += usize::from(closed);
        let stands_alone = line.get(end).is_none_or(|byte| *byte == b' ');
        (self.lazy || stands_alone).then_some(Scanned { quoted, escaped, end })
    }

    pub fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        self.scan(line, at).map(|scanned| scanned.end)
    }

    pub fn worth(&self, line: &[u8], range: Range<usize>) -> Worthy {
        let Some(scanned) = self.scan(line, range.start) else { return Worthy::Part(range) };
        let inside = if scanned.quoted { range.start + 1..range.end - 1 } else { range };
        if !scanned.escaped {
            return Worthy::Part(inside);
        }
        let text = &line[inside];
        let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
        while at < text.len() {
            let doubled = self.doubles && text[at] == self.end && text.get(at + 1) == Some(&self.end);
            if (doubled || (self.backslashes && text[at] == b'\\')) && at + 1 < text.len() {
                at += 1;
            }
            out.push(text[at]);
            at += 1;
        }
        Worthy::Made(Value::Str(String::from_utf8_lossy(&out).into_owned()))
    }
}

/// Letters as they are, or classes of them.
fn permitted(value: &Value) -> Result<Bytes256, String> {
    let mut letters: Vec<u8> = Vec::new();
    match value {
        Value::Str(text) => letters.extend_from_slice(text.as_bytes()),
        Value::List(parts) => {
            for part in parts {
                let Value::Map(entries) = part else { return Err(wrong()) };
                for (key, value) in entries {
                    let (Some(key), Some(value)) = (key.as_str(), value.as_str()) else {
                        return Err(wrong());
                    };
                    if key.eq_ignore_ascii_case("chars") {
                        letters.extend_from_slice(value.as_bytes());
                    } else if key.eq_ignore_ascii_case("class") {
                        let is: fn(&u8) -> bool = match value.to_ascii_lowercase().as_str() {
                            "digit" => u8::is_ascii_digit,
                            "hexdigit" => u8::is_ascii_hexdigit,
                            "alpha" => u8::is_ascii_alphabetic,
                            "alnum" => u8::is_ascii_alphanumeric,
                            other => return Err(format!("there is no class `{other}` of letters")),
                        };
                        letters.extend((0..=u8::MAX).filter(is));
                    } else {
                        return Err(wrong());
                    }
                }
            }
        }
        _ => return Err(wrong()),
    }
    Ok(set(&letters))
}

fn wrong() -> String {
    "`matching.permitted` is a text of letters, or a list of {\"class\": …} and {\"chars\": …}".to_owned()
}
