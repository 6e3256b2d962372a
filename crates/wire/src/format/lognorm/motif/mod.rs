//! The types of fields: where one ends that begins at a place of a line, and what its value is. One table of their names. Knows
//! nothing of rules.

mod checkpoint;
mod entries;
mod expression;
mod nested;
mod net;
mod pairs;
mod string;
mod text;
mod time;
mod until;

use std::ops::Range;

use sawlog_model::value::parse_json;
use sawlog_model::{Limits, Value};

use super::choices::Firsts;
use super::graph::Builder;
use super::rule::Field;
use expression::Expression;
use pairs::Pairs;
use string::StringType;
use time::Stamp;
use until::Until;

pub(super) use entries::Entries;
pub(super) use nested::{DEFAULT, Nested, Suffixes, TAIL, Tokens, read_as};
pub(super) use text::json_end;

/// Where a field ends that begins at a place; `None` where there is none.
type End = fn(&[u8], usize) -> Option<usize>;

/// A set of bytes.
type Bytes256 = Box<[bool; 256]>;

/// How the value of a type without parameters is had.
#[derive(Clone, Copy)]
enum Worth {
    /// It is the text.
    Text,
    /// The text without its quotes.
    Unquoted,
    /// A function gives it.
    Made(fn(&[u8], Range<usize>) -> Value),
}

/// A type without parameters.
pub(super) struct Plain {
    name: &'static str,
    priority: i64,
    end: End,
    worth: Worth,
}

/// What takes the rest of a line, which version 1 tries last.
pub(super) const V1_REST: &str = "rest";

/// What version 1 adds to the record itself, whatever it is called.
pub(super) const V1_IPTABLES: &str = "iptables";

/// Something that is repeated.
#[derive(Debug)]
pub(super) struct Repeat {
    pub parser: u32,
    pub condition: u32,
    pub permits_mismatch: bool,
}

/// What a field is like.
pub(super) enum Motif {
    Literal(Vec<u8>),
    /// A type that the rule base defines.
    Type(u32),
    Repeat(Box<Repeat>),
    Plain(&'static Plain),
    /// A number: its largest value, and whether its value is a number.
    Number {
        most: i64,
        counts: bool,
    },
    Hex {
        most: u64,
        counts: bool,
    },
    Float {
        counts: bool,
    },
    Stamp(Stamp),
    StringTo(Box<memchr::memmem::Finder<'static>>),
    /// Up to one of these bytes, which must come.
    CharTo(Until),
    /// The same where they need not.
    CharSep(Until),
    Pairs(Pairs),
    Checkpoint {
        terminator: Option<u8>,
    },
    Str(Box<StringType>),
    /// Made of other fields; version 1.
    Nested(Box<Nested>),
    Regex(Box<Expression>),
}

impl std::fmt::Debug for Motif {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Motif::Literal(text) => write!(to, "{:?}", String::from_utf8_lossy(text)),
            Motif::Plain(plain) => to.write_str(plain.name),
            _ => to.write_str("field"),
        }
    }
}

/// What a field is worth.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Worthy {
    /// A part of the line.
    Part(Range<usize>),
    /// Something else.
    Made(Value),
}

const fn plain(name: &'static str, priority: i64, end: End) -> Plain {
    Plain { name, priority, end, worth: Worth::Text }
}

const fn made(name: &'static str, priority: i64, end: End, value: fn(&[u8], Range<usize>) -> Value) -> Plain {
    Plain { name, priority, end, worth: Worth::Made(value) }
}

/// The types without parameters.
const PLAIN: &[Plain] = &[
    plain("kernel-timestamp", 16, time::kernel),
    plain("whitespace", 4, text::whitespace),
    plain("ipv4", 4, net::ipv4),
    plain("ipv6", 4, net::ipv6),
    plain("word", 32, text::word),
    plain("alpha", 32, text::alpha),
    plain(V1_REST, 255, text::rest),
    Plain { name: "op-quoted-string", priority: 64, end: text::perhaps_quoted, worth: Worth::Unquoted },
    plain("quoted-string", 64, text::quoted),
    plain("date-iso", 8, time::iso),
    plain("time-24hr", 8, time::of_day),
    plain("time-12hr", 8, time::of_half_day),
    plain("duration", 16, time::duration),
    made("cisco-interface-spec", 4, net::cisco, net::cisco_value),
    made("json", 4, text::json, text::json_value),
    made("cee-syslog", 4, text::cee, text::cee_value),
    plain("mac48", 16, net::mac48),
    made("cef", 4, pairs::cef, pairs::cef_value),
    made("v2-iptables", 4, pairs::iptables, pairs::iptables_value),
];

/// The same where version 1 differs.
const PLAIN_V1: &[Plain] = &[
    Plain { name: "quoted-string", priority: 64, end: text::quoted, worth: Worth::Unquoted },
    made("cisco-interface-spec", 4, net::cisco, net::cisco_value_v1),
    made(V1_IPTABLES, 4, pairs::iptables_v1, pairs::iptables_v1_value),
];

/// Names of the types that have parameters.
const OTHERS: &[&str] = &[
    "literal",
    "repeat",
    "alternative",
    "number",
    "float",
    "hexnumber",
    "date-rfc3164",
    "date-rfc5424",
    "string-to",
    "char-to",
    "char-sep",
    "string",
    "name-value-list",
    "checkpoint-lea",
];

/// Whether a field of version 1 is made of others, whose text is told apart before backslashes are read.
pub(super) fn is_nested(kind: &str) -> bool {
    kind == "regex" || nested::NAMES.contains(&kind)
}

/// Makes motifs of fields.
pub(super) struct Table;

impl Table {
    /// The motif of a field, and the priority of its type.
    pub fn make(field: &Field, builder: &mut Builder, version: u8) -> Result<(Motif, i64), String> {
        let first = if version == 1 { PLAIN_V1 } else { &[] };
        if let Some(plain) = first.iter().chain(PLAIN).find(|plain| plain.name == field.kind) {
            return Ok((Motif::Plain(plain), plain.priority));
        }
        let knows = |names: &[&str]| {
            let known = |name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
            match field.parameters.iter().find(|(name, _)| !known(name)) {
                Some((name, _)) => Err(format!("`{}` has no parameter `{name}`", field.kind)),
                None => Ok(()),
            }
        };
        Ok(match field.kind.as_str() {
            "literal" => (Motif::Literal(text_of(field, "text")?), 4),
            "repeat" if version == 2 => (repeat(field, builder)?, 4),
            "number" => {
                knows(&["maxval", "format", "extradata"])?;
                (Motif::Number { most: number_of(field, "maxval")?, counts: counts(field)? }, 16)
            }
            "hexnumber" => {
                knows(&["maxval", "format", "extradata"])?;
                let most = u64::try_from(number_of(field, "maxval")?).unwrap_or(0);
                (Motif::Hex { most, counts: counts(field)? }, 16)
            }
            "float" => {
                knows(&["format", "extradata"])?;
                (Motif::Float { counts: counts(field)? }, 16)
            }
            "date-rfc3164" | "date-rfc5424" => {
                knows(&["format", "extradata"])?;
                (Motif::Stamp(Stamp::new(&field.kind, field.parameter("format").and_then(Value::as_str))?), 8)
            }
            "string-to" => {
                let text = text_of(field, "extradata")?;
                (Motif::StringTo(Box::new(memchr::memmem::Finder::new(&text).into_owned())), 32)
            }
            "char-to" => (Motif::CharTo(until(field, version)?), 32),
            "char-sep" => (Motif::CharSep(until(field, version)?), 32),
            "string" if version == 2 => (Motif::Str(Box::new(StringType::new(field)?)), 32),
            "name-value-list" => (Motif::Pairs(Pairs::new(field)?), 8),
            "checkpoint-lea" => (Motif::Checkpoint { terminator: checkpoint::terminator(field)? }, 4),
            "regex" if version == 1 => (Motif::Regex(Box::new(Expression::new(field)?)), 32),
            kind if version == 1 && is_nested(kind) => {
                (Motif::Nested(Box::new(nested::make(field, builder)?)), 32)
            }
            other => {
                if version == 2 && is_nested(other) {
                    return Err(format!("the type `{other}` is one of version 1 only"));
                }
                let names = PLAIN.iter().map(|plain| plain.name).chain(OTHERS.iter().copied());
                let near = sawlog_pipeline::config::suggestion(other, names);
                return Err(format!("there is no type `{other}`{near}"));
            }
        })
    }
}

fn repeat(field: &Field, builder: &mut Builder) -> Result<Motif, String> {
    let known = ["parser", "while", "option.permitMismatchInParser"];
    if let Some((name, _)) = field.parameters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(format!("`repeat` has no parameter `{name}`"));
    }
    let (Some(parser), Some(condition)) = (field.parameter("parser"), field.parameter("while")) else {
        return Err("`repeat` needs `parser` and `while`".to_owned());
    };
    if let Value::List(fields) = parser
        && fields.len() > 1
        && fields.iter().any(|field| field.get("name").and_then(Value::as_str) == Some("."))
    {
        return Err("in `repeat` only a single field may be called `.`".to_owned());
    }
    let permits_mismatch =
        matches!(field.parameter("option.permitMismatchInParser"), Some(Value::Bool(true)));
    let (parser, condition) = (builder.alone(parser, 2)?, builder.alone(condition, 2)?);
    Ok(Motif::Repeat(Box::new(Repeat { parser, condition, permits_mismatch })))
}

/// The text of a parameter that must be there.
fn text_of(field: &Field, name: &str) -> Result<Vec<u8>, String> {
    let text = match field.parameter(name) {
        Some(Value::Str(text)) => text.as_bytes().to_vec(),
        Some(Value::Bin(bytes)) => bytes.clone(),
        _ => Vec::new(),
    };
    if text.is_empty() {
        return Err(format!("`{}` needs `{name}`, a text", field.kind));
    }
    Ok(text)
}

/// The bytes that end a field; version 1 looks at the first of them only.
fn until(field: &Field, version: u8) -> Result<Until, String> {
    let bytes = text_of(field, "extradata")?;
    Ok(Until::new(if version == 1 { &bytes[..1] } else { &bytes }))
}

/// A number among the parameters; 0 where there is none.
fn number_of(field: &Field, name: &str) -> Result<i64, String> {
    match field.parameter(name) {
        None => Ok(0),
        Some(Value::Int(number)) => Ok(*number),
        Some(Value::Str(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().unwrap_or(0)),
        Some(_) => Err(format!("`{name}` of `{}` is a whole number", field.kind)),
    }
}

/// Whether the value is to be a number.
fn counts(field: &Field) -> Result<bool, String> {
    match field.parameter("format").map(Value::as_str) {
        None | Some(Some("string")) => Ok(false),
        Some(Some("number")) => Ok(true),
        Some(_) => Err(format!("`format` of `{}` is number or string", field.kind)),
    }
}

/// One byte among the parameters.
fn byte_of(field: &Field, name: &str) -> Result<Option<u8>, String> {
    match field.parameter(name) {
        None => Ok(None),
        Some(Value::Str(text)) if text.len() == 1 => Ok(Some(text.as_bytes()[0])),
        Some(_) => Err(format!("`{name}` of `{}` is one character", field.kind)),
    }
}

fn set(bytes: &[u8]) -> Bytes256 {
    let mut set = Box::new([false; 256]);
    bytes.iter().for_each(|byte| set[usize::from(*byte)] = true);
    set
}

/// The blanks of the C library.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn text_value(line: &[u8], range: Range<usize>) -> Value {
    Value::Str(lossy(&line[range]))
}

fn entry(name: &str, line: &[u8], range: Range<usize>) -> (Value, Value) {
    (Value::Str(name.to_owned()), text_value(line, range))
}

/// Entries as an object.
fn object(entries: Entries<String, Value>) -> Value {
    Value::Map(entries.into_list().into_iter().map(|(name, value)| (Value::Str(name), value)).collect())
}

/// Where a text ends that begins here. Texts between fields are short, mostly of one byte.
#[inline]
pub(super) fn literal(text: &[u8], line: &[u8], at: usize) -> Option<usize> {
    let fits = match text {
        [one] => line.get(at) == Some(one),
        [one, two] => line.get(at) == Some(one) && line.get(at + 1) == Some(two),
        text => line[at..].starts_with(text),
    };
    fits.then(|| at + text.len())
}

impl Motif {
    /// Whether its value is its text as it stands.
    pub fn is_text(&self) -> bool {
        match self {
            Motif::Literal(_) | Motif::StringTo(_) | Motif::CharTo(_) | Motif::CharSep(_) => true,
            Motif::Plain(plain) => matches!(plain.worth, Worth::Text),
            Motif::Number { counts, .. } | Motif::Hex { counts, .. } | Motif::Float { counts } => !counts,
            Motif::Stamp(stamp) => stamp.is_text(),
            _ => false,
        }
    }

    /// Whether it is the type of that name.
    pub fn is_plain(&self, name: &str) -> bool {
        matches!(self, Motif::Plain(plain) if plain.name == name)
    }

    /// Where it ends that begins here; not for those that are graphs of their own.
    #[inline]
    pub fn end(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Motif::Literal(text) => literal(text, line, at),
            Motif::Plain(plain) => (plain.end)(line, at),
            Motif::Stamp(stamp) => stamp.end(line, at),
            Motif::CharTo(until) => until.find(line, at).filter(|end| *end > at),
            Motif::CharSep(until) => Some(until.find(line, at).unwrap_or(line.len())),
            Motif::Number { most: 0, .. } => text::digits(line, at),
            _ => self.end_of_more(line, at),
        }
    }

    /// The same of those that are rare, apart so that the others are quick to begin.
    #[inline(never)]
    fn end_of_more(&self, line: &[u8], at: usize) -> Option<usize> {
        match self {
            Motif::Number { most, .. } => text::number(line, at, *most),
            Motif::Hex { most, .. } => text::hex(line, at, *most),
            Motif::Float { .. } => text::float(line, at),
            Motif::StringTo(finder) => {
                // At least one byte stands before it.
                let rest = line.get(at + 1..)?;
                finder.find(rest).map(|len| at + 1 + len)
            }
            Motif::Pairs(pairs) => pairs.end(line, at),
            Motif::Checkpoint { terminator } => checkpoint::end(line, at, *terminator),
            Motif::Str(string) => string.end(line, at),
            Motif::Regex(expression) => expression.end(line, at),
            _ => None,
        }
    }

    /// What it can begin with.
    pub fn firsts(&self) -> Firsts {
        let digit = |byte: u8| byte.is_ascii_digit();
        match self {
            Motif::Literal(text) => Firsts::only(|byte| text.first() == Some(&byte)),
            Motif::Number { .. } => Firsts::only(digit),
            Motif::Hex { .. } => Firsts::only(|byte| byte == b'0'),
            Motif::Float { .. } => Firsts::only(|byte| digit(byte) || matches!(byte, b'-' | b'.')),
            Motif::Stamp(stamp) => Firsts::only(|byte| stamp.begins_with(byte)),
            Motif::CharTo(until) => Firsts::only(|byte| !until.has(byte)),
            Motif::Plain(plain) => match plain.name {
                "ipv4" | "date-iso" | "time-24hr" | "time-12hr" | "duration" => Firsts::only(digit),
                "word" | "op-quoted-string" => Firsts::only(|byte| byte != b' '),
                "alpha" => Firsts::only(|byte| byte.is_ascii_alphabetic()),
                "whitespace" => Firsts::only(is_blank),
                "quoted-string" => Firsts::only(|byte| byte == b'"'),
                "kernel-timestamp" => Firsts::only(|byte| byte == b'['),
                "mac48" => Firsts::only(|byte| byte.is_ascii_hexdigit()),
                "ipv6" => Firsts::only(|byte| byte.is_ascii_hexdigit() || byte == b':'),
                "json" => Firsts::only(|byte| byte == b'{'),
                _ => Firsts::any(),
            },
            _ => Firsts::any(),
        }
    }

    /// The value of what was found.
    pub fn worth(&self, line: &[u8], range: Range<usize>) -> Worthy {
        let part = &line[range.clone()];
        match self {
            Motif::Plain(Plain { worth: Worth::Unquoted, .. }) if part.first() == Some(&b'"') => {
                Worthy::Part(range.start + 1..range.end - 1)
            }
            Motif::Plain(Plain { worth: Worth::Made(make), .. }) => Worthy::Made(make(line, range)),
            Motif::Number { counts: true, .. } => Worthy::Made(text::whole(part, 10)),
            Motif::Hex { counts: true, .. } => Worthy::Made(text::whole(&part[2..], 16)),
            Motif::Float { counts: true } => Worthy::Made(text::fraction(part)),
            Motif::Stamp(stamp) => stamp.worth(line, range),
            Motif::Pairs(pairs) => Worthy::Made(pairs.value(line, range)),
            Motif::Checkpoint { terminator } => Worthy::Made(checkpoint::value(line, range, *terminator)),
            Motif::Str(string) => string.worth(line, range),
            Motif::Regex(expression) => Worthy::Part(expression.value(line, range.start)),
            _ => Worthy::Part(range),
        }
    }
}

/// The value of a text that is JSON.
fn json(text: &[u8]) -> Value {
    parse_json(text, &Limits::default()).unwrap_or(Value::Nil)
}
