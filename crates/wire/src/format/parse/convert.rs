//! Types of fields as Fluentd's option `types` converts them, and which texts stand for null. What a conversion makes that
//! does not stand in the line goes behind the lines. Knows nothing of formats.

use std::borrow::Cow;

use regex_automata::meta::Regex;
use sawlog_model::value::{Value, escape, parse_json, unescape};
use sawlog_model::{Kind, Limits, Slot};

use super::time::{How, TimeReader};
use crate::format::line::{Out, is_number};
use crate::format::zone::Clock;
use crate::shared::ruby_regex;

/// What a field is to be.
#[derive(Clone, Debug)]
pub(super) enum Type {
    Text,
    Integer,
    Float,
    Bool,
    /// A time in this form and zone.
    Time(How, Option<String>),
    /// A list, cut at this text.
    Array(String),
}

/// What is done with fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversions {
    pub types: Vec<(String, Type)>,
    pub null: Option<Regex>,
    pub null_empty: bool,
}

impl Conversions {
    pub fn is_empty(&self) -> bool {
        self.types.is_empty() && self.null.is_none() && !self.null_empty
    }

    /// Whether the text stands for null.
    pub fn is_null(&self, text: &[u8]) -> bool {
        (self.null_empty && text.is_empty()) || self.null.as_ref().is_some_and(|null| null.is_match(text))
    }
}

/// Reads `field:type` or `field:type:option`, each by itself or several with commas between; what has no such form belongs
/// to the one before it. A JSON object does as well.
///
/// # Errors
/// In words.
pub(super) fn types(texts: &[String]) -> Result<Vec<(String, Type)>, String> {
    if let [text] = texts
        && text.trim_start().starts_with('{')
    {
        return match parse_json(text.as_bytes(), &Limits::default()) {
            Ok(Value::Map(entries)) => entries
                .iter()
                .map(|(name, of)| match (name.as_str(), of.as_str()) {
                    (Some(name), Some(of)) => Ok((name.to_owned(), kind(of)?)),
                    _ => Err(format!("`{text}`: names and types are texts")),
                })
                .collect(),
            _ => Err(format!("`{text}` is no JSON object")),
        };
    }
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in texts.iter().flat_map(|text| text.split(',')) {
        match part
            .split_once(':')
            .filter(|(_, of)| KINDS.contains(&of.split(':').next().unwrap_or_default().trim()))
        {
            Some((name, of)) => pairs.push((name.trim().to_owned(), of.trim().to_owned())),
            None => match pairs.last_mut() {
                Some((_, of)) if of.contains(':') => *of = format!("{of},{part}"),
                _ if part.trim().is_empty() => {}
                _ => return Err(format!("`{part}`: write name:type; types are {}", KINDS.join(", "))),
            },
        }
    }
    pairs.into_iter().map(|(name, of)| Ok((name, kind(&of)?))).collect()
}

const KINDS: [&str; 6] = ["string", "integer", "float", "bool", "time", "array"];

fn kind(text: &str) -> Result<Type, String> {
    let (name, option) = text.split_once(':').map_or((text, None), |(name, option)| (name, Some(option)));
    Ok(match name.trim() {
        "string" => Type::Text,
        "integer" => Type::Integer,
        "float" => Type::Float,
        "bool" => Type::Bool,
        "array" => Type::Array(option.filter(|text| !text.is_empty()).unwrap_or(",").to_owned()),
        "time" => {
            let option = option.unwrap_or_default();
            let zones = option.match_indices(':').map(|(at, _)| (&option[..at], &option[at + 1..]));
            let zoned = zones.into_iter().find(|(zone, _)| Clock::new(Some(zone), 0).is_ok());
            let (zone, format) =
                zoned.map_or((None, option), |(zone, format)| (Some(zone.to_owned()), format));
            let how = match format {
                "" | "string" => How::Text,
                "unixtime" => How::Unixtime,
                "float" => How::Float,
                format => How::Format(super::strptime::Format::new(format)?),
            };
            Type::Time(how, zone)
        }
        other => return Err(format!("`{other}` is no type; there are {}", KINDS.join(", "))),
    })
}

/// Reads the expression of texts that stand for null.
///
/// # Errors
/// In words.
pub(super) fn null(pattern: &str) -> Result<Option<Regex>, String> {
    if pattern.is_empty() { Ok(None) } else { ruby_regex::compile(pattern).map(Some) }
}

/// A type with what reading it needs.
pub(super) enum Ready {
    Text,
    Integer,
    Float,
    Bool,
    Time(Box<TimeReader>),
    Array(Vec<u8>),
}

impl Ready {
    pub fn new(of: &Type, zone: Option<&str>, reference: i64) -> Ready {
        match of {
            Type::Text => Ready::Text,
            Type::Integer => Ready::Integer,
            Type::Float => Ready::Float,
            Type::Bool => Ready::Bool,
            Type::Array(cut) => Ready::Array(cut.as_bytes().to_vec()),
            Type::Time(how, own) => {
                let clock = Clock::new(own.as_deref().or(zone), reference);
                let clock = clock.unwrap_or_else(|()| Clock::utc(reference));
                Ready::Time(Box::new(TimeReader::new(how.clone(), clock)))
            }
        }
    }

    /// Makes a value of this type of a slot, whose bytes are `text`; null stays null.
    pub fn convert(&mut self, slot: &mut Slot, text: &[u8], out: &mut Out<'_>) {
        let text = match slot.kind {
            Kind::Null => return,
            Kind::JsonText => unescape(Cow::Borrowed(text)),
            _ => Cow::Borrowed(text),
        };
        match self {
            Ready::Text => {
                if slot.kind != Kind::JsonText {
                    slot.kind = Kind::Text;
                }
            }
            Ready::Integer => integer(slot, &text, out),
            Ready::Float => float(slot, &text, out),
            Ready::Bool => {
                let yes = [&b"true"[..], b"yes", b"1"].iter().any(|word| text.eq_ignore_ascii_case(word));
                let word: &[u8] = if yes { b"true" } else { b"false" };
                if *text == *word && slot.kind != Kind::JsonText {
                    slot.kind = Kind::Bool;
                } else {
                    make(slot, Kind::Bool, word, out);
                }
            }
            Ready::Time(reader) => match reader.read(&text) {
                Some((time, _)) => {
                    make(slot, Kind::Json, format!("{{\"$time\":\"{time}\"}}").as_bytes(), out)
                }
                None => slot.kind = Kind::Null,
            },
            Ready::Array(cut) => {
                let list = list(&text, cut);
                make(slot, Kind::Json, &list, out);
            }
        }
    }
}

/// Puts a value behind the lines.
pub(super) fn make(slot: &mut Slot, kind: Kind, bytes: &[u8], out: &mut Out<'_>) {
    (slot.kind, slot.layout) = (kind, 0);
    (slot.start, slot.len) = ((out.base + out.made.len()) as u32, bytes.len() as u32);
    out.made.extend_from_slice(bytes);
}

/// The number that a text begins with, without fraction; 0 where there is none.
fn integer(slot: &mut Slot, text: &[u8], out: &mut Out<'_>) {
    let mut from = text.len() - text.trim_ascii_start().len();
    from += usize::from(text.get(from) == Some(&b'+'));
    let sign = usize::from(text.get(from) == Some(&b'-'));
    let digits = text[from + sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = from + sign + digits;
    let number = &text[from..end];
    if is_number(number) && number != b"-0" && slot.kind != Kind::JsonText && text.get(end) != Some(&b'_') {
        slot.kind = Kind::Number;
        (slot.start, slot.len) = (slot.start + from as u32, number.len() as u32);
        return;
    }
    let mut written: Vec<u8> = Vec::new();
    for byte in &text[(from + sign).min(text.len())..] {
        match byte {
            b'0'..=b'9' => written.push(*byte),
            b'_' if !written.is_empty() => {}
            _ => break,
        }
    }
    let zeros = written.iter().take_while(|byte| **byte == b'0').count();
    written.drain(..zeros);
    if written.is_empty() {
        written.push(b'0');
    } else if sign == 1 {
        written.insert(0, b'-');
    }
    make(slot, Kind::Number, &written, out);
}

/// The number that a text begins with, which has a fraction; 0.0 where there is none.
fn float(slot: &mut Slot, text: &[u8], out: &mut Out<'_>) {
    if is_number(text)
        && text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        && slot.kind != Kind::JsonText
    {
        slot.kind = Kind::Number;
        return;
    }
    let text = text.trim_ascii_start();
    let number = (0..=text.len().min(40))
        .rev()
        .filter(|len| text[..*len].last().is_some_and(|byte| byte.is_ascii_digit()))
        .filter_map(|len| std::str::from_utf8(&text[..len]).ok()?.parse::<f64>().ok())
        .find(|number| number.is_finite());
    make(slot, Kind::Number, format!("{:?}", number.unwrap_or(0.0)).as_bytes(), out);
}

/// A JSON list of the parts of a text; empty ones at the end are left out.
fn list(text: &[u8], cut: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, cut) {
        parts.push(&rest[..at]);
        rest = &rest[at + cut.len()..];
    }
    parts.push(rest);
    let filled = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    let mut list = vec![b'['];
    for (number, part) in parts[..filled].iter().enumerate() {
        if number > 0 {
            list.push(b',');
        }
        list.push(b'"');
        escape(&String::from_utf8_lossy(part), &mut list);
        list.push(b'"');
    }
    list.push(b']');
    list
}
