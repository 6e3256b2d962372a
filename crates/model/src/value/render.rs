//! A value as the line that stands for it, and the slots in that line. [`Line`] writes a line piece by piece, so that a
//! decoder needs no [`Value`] in between. Knows nothing of the protocol that the value came by, nor of positions.

use std::io::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Value, form};
use crate::{Kind, Limits, NameId, Names, Slot};

/// Appends the line of `value`, without a terminator: compact JSON, keys in arrival order, [`form`]s for what JSON lacks.
/// [`super::parse`] gives the same value back. Recursive: values come from decoders, which bound their depth.
pub fn render(value: &Value, out: &mut Vec<u8>) {
    put(value, &mut Line::new(out));
}

/// As [`render`], and appends the slots as [`Line::with_slots`] does.
pub fn render_slots(value: &Value, slots: Slots<'_>, out: &mut Vec<u8>) {
    put(value, &mut Line::with_slots(slots, out));
}

fn put(value: &Value, line: &mut Line<'_>) {
    match value {
        Value::Nil => line.nil(),
        Value::Bool(value) => line.bool(*value),
        Value::Int(number) => line.int(*number),
        Value::UInt(number) => line.uint(*number),
        Value::Float(number) => line.float(*number),
        Value::Float32(number) => line.float32(*number),
        Value::Str(text) => line.str(text),
        Value::Bin(bytes) => line.bin(bytes),
        Value::Time(nanos) => line.time(*nanos),
        Value::Ext(kind, bytes) => line.ext(*kind, bytes),
        Value::List(list) => {
            let whole = line.open_list();
            for (index, value) in list.iter().enumerate() {
                line.item(index);
                put(value, line);
            }
            line.close_list(whole);
        }
        Value::Map(entries) => put_map(entries, line),
    }
}

fn put_map(entries: &[(Value, Value)], line: &mut Line<'_>) {
    if form::needs_pairs(entries) {
        let whole = line.open_pairs();
        for (index, (key, value)) in entries.iter().enumerate() {
            line.open_pair(index);
            put(key, line);
            line.item(1);
            put(value, line);
            line.close_pair();
        }
        return line.close_pairs(whole);
    }
    let map = line.open_map();
    for (index, (key, value)) in entries.iter().enumerate() {
        let Value::Str(key) = key else { unreachable!("a map with another key is written as pairs") };
        let name = line.key(index, key);
        put(value, line);
        line.end_value(name);
    }
    line.close_map(map, entries.is_empty());
}

/// Where the slots of lines go, and their bounds.
pub struct Slots<'a> {
    names: &'a mut Arc<Names>,
    list: &'a mut Vec<Slot>,
    most: usize,
    names_limit: usize,
    /// The name that was new after the last slot's: mostly a record has the fields of the one before, in its order.
    next: u32,
    path: String,
}

impl<'a> Slots<'a> {
    /// Slots go to the end of `list`, at most `limits.fields` of them, with names from `names`, to which at most
    /// `limits.names` are added. Every name is a dotted path, below `prefix` where that is not empty.
    pub fn new(prefix: &str, limits: &Limits, names: &'a mut Arc<Names>, list: &'a mut Vec<Slot>) -> Self {
        let most = list.len().saturating_add(limits.fields);
        Slots { names, list, most, names_limit: limits.names, next: 0, path: prefix.to_owned() }
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        if self.list.len() >= self.most {
            return;
        }
        let likely = NameId(self.next);
        let name = match self.names.get(likely).filter(|name| ***name == *self.path) {
            Some(_) => likely,
            None => match self.names.find(&self.path) {
                Some(name) => name,
                None if self.names.len() >= self.names_limit => return,
                None => Arc::make_mut(self.names).intern(&self.path),
            },
        };
        self.next = name.0 + 1;
        self.list.push(Slot { start: start as u32, len: (end - start) as u32, name, kind, layout: 0 });
    }
}

/// Writes one line at the end of a buffer, piece by piece. Who calls it keeps the pieces in order; it does not check.
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    slots: Option<Slots<'a>>,
    /// Lists and pairs that are open: what is in them is part of one slot.
    inside: usize,
    /// Maps that are open outside of those: a value outside of all maps is no field.
    maps: usize,
}

/// An open list, map or pairs: where it began.
#[must_use]
pub struct Whole(usize);

/// An open value of a key: the length of the path before it.
#[must_use]
pub struct Key(usize);

impl<'a> Line<'a> {
    /// A line without slots.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Line { out, slots: None, inside: 0, maps: 0 }
    }

    /// A line with a slot for every field of its map; a list is one slot. Spans count from the first byte of `out`, which
    /// must stay under 4 GiB.
    #[inline]
    pub fn with_slots(slots: Slots<'a>, out: &'a mut Vec<u8>) -> Self {
        Line { out, slots: Some(slots), inside: 0, maps: 0 }
    }

    /// nil
    pub fn nil(&mut self) {
        self.word(b"null", Kind::Null);
    }

    /// bool
    pub fn bool(&mut self, value: bool) {
        self.word(if value { b"true" } else { b"false" }, Kind::Bool);
    }

    /// A whole number.
    pub fn int(&mut self, number: i64) {
        self.number(format_args!("{number}"));
    }

    /// A whole number above `i64::MAX`.
    pub fn uint(&mut self, number: u64) {
        self.number(format_args!("{number}"));
    }

    /// A float of 64 bits.
    pub fn float(&mut self, number: f64) {
        if number.is_finite() {
            return self.number(format_args!("{number:?}"));
        }
        let text = form::special(number.is_nan(), number > 0.0, number.to_bits(), form::NAN_64);
        self.form(form::F64, text.as_bytes(), Kind::JsonText);
    }

    /// A float of 32 bits.
    pub fn float32(&mut self, number: f32) {
        if !number.is_finite() {
            let bits = u64::from(number.to_bits());
            let text = form::special(number.is_nan(), number > 0.0, bits, form::NAN_32);
            return self.form(form::F32, text.as_bytes(), Kind::JsonText);
        }
        self.raw(format!("{{\"{}\":", form::F32).as_bytes());
        // The line is read as 64 bits and cut to 32: where that would round twice and miss, all digits are written.
        let short = format!("{number:?}");
        let exact = short.parse::<f64>().is_ok_and(|wide| (wide as f32).to_bits() == number.to_bits());
        if exact {
            self.word(short.as_bytes(), Kind::Number);
        } else {
            self.number(format_args!("{:?}", f64::from(number)));
        }
        self.out.push(b'}');
    }

    /// Text.
    #[inline]
    pub fn str(&mut self, text: &str) {
        self.out.push(b'"');
        let start = self.out.len();
        escape(text, self.out);
        self.slot(start, Kind::JsonText);
        self.out.push(b'"');
    }

    /// Bytes.
    pub fn bin(&mut self, bytes: &[u8]) {
        self.form(form::BIN, STANDARD.encode(bytes).as_bytes(), Kind::JsonText);
    }

    /// A time in nanoseconds.
    pub fn time(&mut self, nanos: i64) {
        self.form(form::TIME, nanos.to_string().as_bytes(), Kind::Number);
    }

    /// An extension type.
    pub fn ext(&mut self, kind: i8, bytes: &[u8]) {
        let text = format!("{{\"{}\":[{kind},\"{}\"]}}", form::EXT, STANDARD.encode(bytes));
        self.word(text.as_bytes(), Kind::Json);
    }

    /// Begins a list.
    pub fn open_list(&mut self) -> Whole {
        let whole = self.open_whole();
        self.out.push(b'[');
        whole
    }

    /// Before the item at `index` of a list.
    #[inline]
    pub fn item(&mut self, index: usize) {
        if index > 0 {
            self.out.push(b',');
        }
    }

    /// Ends a list.
    pub fn close_list(&mut self, whole: Whole) {
        self.out.push(b']');
        self.close_whole(&whole);
    }

    /// Begins a map that must be written as pairs (a key is not text, or the only one [is a form's](super::is_form_name)).
    pub fn open_pairs(&mut self) -> Whole {
        let whole = self.open_whole();
        self.raw(format!("{{\"{}\":[", form::MAP).as_bytes());
        whole
    }

    /// Before the key of the pair at `index`; [`Line::item`] goes between key and value.
    pub fn open_pair(&mut self, index: usize) {
        self.item(index);
        self.out.push(b'[');
    }

    /// After the value of a pair.
    pub fn close_pair(&mut self) {
        self.out.push(b']');
    }

    /// Ends the pairs.
    pub fn close_pairs(&mut self, whole: Whole) {
        self.raw(b"]}");
        self.close_whole(&whole);
    }

    /// Begins a map whose keys are all text.
    #[inline]
    pub fn open_map(&mut self) -> Whole {
        self.maps += 1;
        self.out.push(b'{');
        Whole(self.out.len() - 1)
    }

    /// The key at `index` of a map; its value comes next.
    #[inline]
    pub fn key(&mut self, index: usize, key: &str) -> Key {
        self.item(index);
        self.out.push(b'"');
        escape(key, self.out);
        self.raw(b"\":");
        let inside = self.inside > 0;
        let Some(slots) = self.slots.as_mut().filter(|_| !inside) else { return Key(0) };
        let before = slots.path.len();
        if before > 0 || self.maps > 1 {
            slots.path.push('.');
        }
        slots.path.push_str(key);
        Key(before)
    }

    /// After the value of a key.
    #[inline]
    pub fn end_value(&mut self, key: Key) {
        if let Some(slots) = self.slots.as_mut().filter(|_| self.inside == 0) {
            slots.path.truncate(key.0);
        }
    }

    /// Ends a map; an empty one is a value of its own.
    #[inline]
    pub fn close_map(&mut self, whole: Whole, empty: bool) {
        self.out.push(b'}');
        self.maps -= 1;
        if empty {
            self.slot(whole.0, Kind::Json);
        }
    }

    #[inline]
    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A slot from `start` up to here, where this is a field.
    #[inline]
    fn slot(&mut self, start: usize, kind: Kind) {
        let end = self.out.len();
        if self.inside == 0
            && self.maps > 0
            && let Some(slots) = self.slots.as_mut()
        {
            slots.push(start, end, kind);
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) {
        let start = self.out.len();
        self.raw(word);
        self.slot(start, kind);
    }

    fn number(&mut self, number: std::fmt::Arguments<'_>) {
        let start = self.out.len();
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(number);
        self.slot(start, Kind::Number);
    }

    /// `{"$name":"text"}`; the slot is the text.
    fn form(&mut self, name: &str, text: &[u8], kind: Kind) {
        self.raw(format!("{{\"{name}\":\"").as_bytes());
        self.word(text, kind);
        self.raw(b"\"}");
    }

    /// Begins something that is one slot whatever is in it.
    fn open_whole(&mut self) -> Whole {
        self.inside += 1;
        Whole(self.out.len())
    }

    fn close_whole(&mut self, whole: &Whole) {
        self.inside -= 1;
        self.slot(whole.0, Kind::Json);
    }
}

/// Appends `text` with the escapes that a JSON string needs, and no others.
#[inline]
pub fn escape(text: &str, out: &mut Vec<u8>) {
    escape_bytes(text.as_bytes(), out);
}

/// The same for bytes that are known to be text, or are to stay what they are.
#[inline]
pub fn escape_bytes(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { return };
        rest = after;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
}

/// How many bytes stand before the first that a JSON string must escape. Whole blocks are looked at without a branch, which
/// the compiler makes vector instructions of.
fn plain_len(bytes: &[u8]) -> usize {
    let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    let blocks = bytes.chunks_exact(32);
    let plain = blocks.take_while(|block| !block.iter().fold(false, |any, byte| any | special(byte)));
    let mut at = plain.count() * 32;
    while let Some(word) = bytes[at..].first_chunk() {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    // The last bytes once more with those before them, of which none is special.
    if let Some(word) = bytes.last_chunk() {
        let found = specials(u64::from_le_bytes(*word));
        return if found == 0 { bytes.len() } else { bytes.len() - 8 + found.trailing_zeros() as usize / 8 };
    }
    at + bytes[at..].iter().position(special).unwrap_or(bytes.len() - at)
}

/// The highest bit of each of eight bytes that must be escaped; above the lowest of them others may have it, too.
fn specials(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word;
    let same = |byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
    (below(word, 0x20) | same(b'"') | same(b'\\')) & HIGHS
}
