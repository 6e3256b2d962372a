//! The `{"$…": …}` forms for what JSON lacks. A form is an object with exactly one key, which is one of the names here; a
//! map of the sender that looks like one is written as [`MAP`], so that no line has two readings. docs/format.md has the
//! same list.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Value;

/// Bytes, in base64 with padding.
pub const BIN: &str = "$bin";
/// A time, nanoseconds since 1970 in decimal, as a string.
pub const TIME: &str = "$time";
/// An extension type: `[type, "base64"]`.
pub const EXT: &str = "$ext";
/// A float of 64 bits that is not a number of JSON: `"NaN"`, `"inf"`, `"-inf"`, or 16 hex digits of another NaN.
pub const F64: &str = "$f64";
/// A float of 32 bits: a number, or a string as in [`F64`] (8 hex digits).
pub const F32: &str = "$f32";
/// A map as a list of pairs: one with a key that is not text, or one that would read as a form.
pub const MAP: &str = "$map";

/// The bits of the NaN that is written by name.
pub const NAN_64: u64 = 0x7ff8_0000_0000_0000;
/// The same for 32 bits.
pub const NAN_32: u64 = 0x7fc0_0000;

/// The text of a float that is not finite.
pub(super) fn special(is_nan: bool, positive: bool, bits: u64, plain_nan: u64) -> String {
    match (is_nan, positive) {
        (true, _) if bits == plain_nan => "NaN".to_owned(),
        (true, _) if plain_nan == NAN_64 => format!("{bits:016x}"),
        (true, _) => format!("{bits:08x}"),
        (false, true) => "inf".to_owned(),
        (false, false) => "-inf".to_owned(),
    }
}

/// Whether `key` is the name of a form: a map that has it as its only key must be written as pairs, as must one with a
/// key that is not text.
pub fn is_name(key: &[u8]) -> bool {
    [BIN, TIME, EXT, F64, F32, MAP].iter().any(|name| name.as_bytes() == key)
}

/// Whether the map must be written as pairs.
pub(super) fn needs_pairs(entries: &[(Value, Value)]) -> bool {
    match entries {
        [(Value::Str(key), _)] => is_name(key.as_bytes()),
        _ => entries.iter().any(|(key, _)| !matches!(key, Value::Str(_))),
    }
}

/// The value that the one-key object `{name: content}` stands for; the content comes back where it is no form.
pub(super) fn read(name: &str, content: Value) -> Result<Value, Value> {
    match (name, content) {
        (BIN, Value::Str(text)) => STANDARD.decode(&text).map(Value::Bin).map_err(|_| Value::Str(text)),
        (TIME, Value::Str(text)) => match text.parse() {
            Ok(nanos) => Ok(Value::Time(nanos)),
            Err(_) => Err(Value::Str(text)),
        },
        (F64, Value::Str(text)) => match read_special(&text, 16) {
            Some(Special::Bits(bits)) => Ok(Value::Float(f64::from_bits(bits))),
            Some(Special::Infinite(sign)) => Ok(Value::Float(sign * f64::INFINITY)),
            None => Err(Value::Str(text)),
        },
        (F32, Value::Str(text)) => match read_special(&text, 8) {
            Some(Special::Bits(bits)) => Ok(Value::Float32(f32::from_bits(bits as u32))),
            Some(Special::Infinite(sign)) => Ok(Value::Float32(sign as f32 * f32::INFINITY)),
            None => Err(Value::Str(text)),
        },
        (F32, Value::Float(number)) => Ok(Value::Float32(number as f32)),
        (EXT, Value::List(list)) => read_ext(list),
        (MAP, Value::List(list)) => read_pairs(list),
        (_, content) => Err(content),
    }
}

enum Special {
    Bits(u64),
    Infinite(f64),
}

/// What [`special`] wrote; `digits` is the length of other NaNs.
fn read_special(text: &str, digits: usize) -> Option<Special> {
    match text {
        "NaN" => Some(Special::Bits(if digits == 16 { NAN_64 } else { NAN_32 })),
        "inf" => Some(Special::Infinite(1.0)),
        "-inf" => Some(Special::Infinite(-1.0)),
        _ if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(text, 16).ok().map(Special::Bits)
        }
        _ => None,
    }
}

fn read_ext(list: Vec<Value>) -> Result<Value, Value> {
    if let [Value::Int(kind), Value::Str(text)] = list.as_slice()
        && let (Ok(kind), Ok(bytes)) = (i8::try_from(*kind), STANDARD.decode(text))
    {
        return Ok(Value::Ext(kind, bytes));
    }
    Err(Value::List(list))
}

fn read_pairs(list: Vec<Value>) -> Result<Value, Value> {
    if !list.iter().all(|pair| matches!(pair, Value::List(pair) if pair.len() == 2)) {
        return Err(Value::List(list));
    }
    let pair = |pair: Value| match pair {
        Value::List(pair) => <[Value; 2]>::try_from(pair).ok().map(|[key, value]| (key, value)),
        _ => None,
    };
    Ok(Value::Map(list.into_iter().filter_map(pair).collect()))
}
