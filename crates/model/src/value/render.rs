//! A value as the line that stands for it, and the slots in that line. Knows nothing of the protocol that the value came
//! by, nor of positions.

use std::io::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Value;
use super::form;
use crate::{Kind, Limits, Names, Slot};

/// Appends the line of `value`, without a terminator: compact JSON, keys in arrival order, [`form`]s for what JSON lacks.
/// [`super::parse`] gives the same value back.
pub fn render(value: &Value, out: &mut Vec<u8>) {
    Renderer { out, slots: None }.value(value, false);
}

/// As [`render`], and appends a slot for every field of the map, named by its dotted path; lists are one slot. Spans
/// count from the first byte of `out`, which must stay under 4 GiB. A path that begins with `prefix` is made where one is
/// given (not empty). Fields over `limits.fields`, and new names over `limits.names`, are left without a slot.
pub fn render_slots(
    value: &Value,
    prefix: &str,
    limits: &Limits,
    names: &mut Arc<Names>,
    slots: &mut Vec<Slot>,
    out: &mut Vec<u8>,
) {
    let most = slots.len().saturating_add(limits.fields);
    let slots = Slots { names, list: slots, most, names_limit: limits.names, path: prefix.to_owned() };
    Renderer { out, slots: Some(slots) }.value(value, true);
}

struct Slots<'a> {
    names: &'a mut Arc<Names>,
    list: &'a mut Vec<Slot>,
    most: usize,
    names_limit: usize,
    path: String,
}

impl Slots<'_> {
    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        if self.list.len() >= self.most || self.path.is_empty() {
            return;
        }
        let name = match self.names.find(&self.path) {
            Some(name) => name,
            None if self.names.len() >= self.names_limit => return,
            None => Arc::make_mut(self.names).intern(&self.path),
        };
        self.list.push(Slot { start: start as u32, len: (end - start) as u32, name, kind, layout: 0 });
    }
}

struct Renderer<'a> {
    out: &'a mut Vec<u8>,
    slots: Option<Slots<'a>>,
}

impl Renderer<'_> {
    /// `field`: whether the value is a field of its own, and not part of one.
    fn value(&mut self, value: &Value, field: bool) {
        match value {
            Value::Nil => self.word(b"null", Kind::Null, field),
            Value::Bool(true) => self.word(b"true", Kind::Bool, field),
            Value::Bool(false) => self.word(b"false", Kind::Bool, field),
            Value::Int(number) => self.number(format_args!("{number}"), field),
            Value::UInt(number) => self.number(format_args!("{number}"), field),
            Value::Float(number) if number.is_finite() => self.number(format_args!("{number:?}"), field),
            Value::Float(number) => {
                let text = form::special(f64::is_nan(*number), *number > 0.0, number.to_bits(), form::NAN_64);
                self.form(form::F64, text.as_bytes(), Kind::JsonText, field);
            }
            Value::Float32(number) => self.float32(*number, field),
            Value::Str(text) => self.text(text, field),
            Value::Bin(bytes) => {
                self.form(form::BIN, STANDARD.encode(bytes).as_bytes(), Kind::JsonText, field);
            }
            Value::Time(nanos) => self.form(form::TIME, nanos.to_string().as_bytes(), Kind::Number, field),
            Value::Ext(kind, bytes) => self.whole(field, |this| {
                this.raw(format!("{{\"{}\":[{kind},\"{}\"]}}", form::EXT, STANDARD.encode(bytes)).as_bytes());
            }),
            Value::List(list) => self.whole(field, |this| this.list(list)),
            Value::Map(entries) if form::needs_pairs(entries) => {
                self.whole(field, |this| this.pairs(entries))
            }
            Value::Map(entries) if entries.is_empty() => self.word(b"{}", Kind::Json, field),
            Value::Map(entries) => self.map(entries, field),
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn slot(&mut self, start: usize, end: usize, kind: Kind, field: bool) {
        if let Some(slots) = self.slots.as_mut().filter(|_| field) {
            slots.push(start, end, kind);
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind, field: bool) {
        let start = self.out.len();
        self.raw(word);
        self.slot(start, self.out.len(), kind, field);
    }

    fn number(&mut self, number: std::fmt::Arguments<'_>, field: bool) {
        let start = self.out.len();
        // Writing to a Vec cannot fail.
        let _ = self.out.write_fmt(number);
        self.slot(start, self.out.len(), Kind::Number, field);
    }

    /// Something that is one slot whatever is in it.
    fn whole(&mut self, field: bool, inside: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        inside(self);
        self.slot(start, self.out.len(), Kind::Json, field);
    }

    fn text(&mut self, text: &str, field: bool) {
        self.out.push(b'"');
        let start = self.out.len();
        escape(text, self.out);
        self.slot(start, self.out.len(), Kind::JsonText, field);
        self.out.push(b'"');
    }

    /// `{"$name":"text"}`; the slot is the text.
    fn form(&mut self, name: &str, text: &[u8], kind: Kind, field: bool) {
        self.raw(format!("{{\"{name}\":\"").as_bytes());
        self.word(text, kind, field);
        self.raw(b"\"}");
    }

    fn float32(&mut self, number: f32, field: bool) {
        if !number.is_finite() {
            let bits = u64::from(number.to_bits());
            let text = form::special(number.is_nan(), number > 0.0, bits, form::NAN_32);
            return self.form(form::F32, text.as_bytes(), Kind::JsonText, field);
        }
        self.raw(format!("{{\"{}\":", form::F32).as_bytes());
        // The line is read as 64 bits and cut to 32: where that would round twice and miss, all digits are written.
        let short = format!("{number:?}");
        let exact = short.parse::<f64>().is_ok_and(|wide| (wide as f32).to_bits() == number.to_bits());
        if exact {
            self.word(short.as_bytes(), Kind::Number, field);
        } else {
            self.number(format_args!("{:?}", f64::from(number)), field);
        }
        self.out.push(b'}');
    }

    fn list(&mut self, list: &[Value]) {
        self.out.push(b'[');
        for (index, value) in list.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(value, false);
        }
        self.out.push(b']');
    }

    fn pairs(&mut self, entries: &[(Value, Value)]) {
        self.raw(format!("{{\"{}\":[", form::MAP).as_bytes());
        for (index, (key, value)) in entries.iter().enumerate() {
            self.raw(if index > 0 { b",[" } else { b"[" });
            self.value(key, false);
            self.out.push(b',');
            self.value(value, false);
            self.out.push(b']');
        }
        self.raw(b"]}");
    }

    fn map(&mut self, entries: &[(Value, Value)], field: bool) {
        self.out.push(b'{');
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let Value::Str(key) = key else { continue };
            self.text(key, false);
            self.out.push(b':');
            let before = self.slots.as_mut().filter(|_| field).map(|slots| {
                let before = slots.path.len();
                if before > 0 {
                    slots.path.push('.');
                }
                slots.path.push_str(key);
                before
            });
            self.value(value, field);
            if let (Some(slots), Some(before)) = (self.slots.as_mut(), before) {
                slots.path.truncate(before);
            }
        }
        self.out.push(b'}');
    }
}

/// Appends `text` with the escapes that a JSON string needs, and no others.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
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
    out.extend_from_slice(&bytes[done..]);
}
