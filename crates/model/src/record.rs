//! One row by itself: the view that tests of a predicate read ([`Fields`]), and the owned form ([`Record`]) in which a
//! store or an export hands out single rows. Knows nothing of batches' spans or of columns.

use std::borrow::Cow;

use crate::{Address, Context, Kind, Marks, Nanos, Tenant};

/// The value of a field, as its bytes in decoded form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FieldValue<'a> {
    /// Text, escapes resolved; need not be UTF-8.
    Text(Cow<'a, [u8]>),
    /// A number as written.
    Number(Cow<'a, [u8]>),
    /// `true` or `false`.
    Bool(bool),
    /// JSON null.
    Null,
    /// A JSON list or map, as written.
    Json(Cow<'a, [u8]>),
}

impl<'a> FieldValue<'a> {
    /// Reads the bytes of a slot.
    pub fn read(kind: Kind, bytes: Cow<'a, [u8]>) -> Self {
        match kind {
            // A count since 1970 stays a number for tests and exports, though `_time` was read from it.
            Kind::Time if is_count(&bytes) => FieldValue::Number(bytes),
            Kind::Text | Kind::Time => FieldValue::Text(bytes),
            Kind::JsonText => FieldValue::Text(crate::value::unescape(bytes)),
            Kind::Number => FieldValue::Number(bytes),
            Kind::Bool => FieldValue::Bool(bytes.as_ref() == b"true"),
            Kind::Null => FieldValue::Null,
            Kind::Json => FieldValue::Json(bytes),
        }
    }

    /// The value as the text that tests compare; `None` for null.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            FieldValue::Text(bytes) | FieldValue::Number(bytes) | FieldValue::Json(bytes) => Some(bytes),
            FieldValue::Bool(true) => Some(b"true"),
            FieldValue::Bool(false) => Some(b"false"),
            FieldValue::Null => None,
        }
    }

    /// The same, owning its bytes.
    pub fn into_owned(self) -> FieldValue<'static> {
        match self {
            FieldValue::Text(bytes) => FieldValue::Text(Cow::Owned(bytes.into_owned())),
            FieldValue::Number(bytes) => FieldValue::Number(Cow::Owned(bytes.into_owned())),
            FieldValue::Json(bytes) => FieldValue::Json(Cow::Owned(bytes.into_owned())),
            FieldValue::Bool(value) => FieldValue::Bool(value),
            FieldValue::Null => FieldValue::Null,
        }
    }
}

/// What can be asked of a row, whoever holds it.
pub trait Fields {
    /// The row's bytes, terminators included.
    fn raw(&self) -> &[u8];
    /// The event's time.
    fn time(&self) -> Nanos;
    /// When sawlog got it.
    fn received(&self) -> Nanos;
    /// Its address.
    fn address(&self) -> Address;
    /// Its tenant.
    fn tenant(&self) -> Tenant;
    /// Facts about it.
    fn marks(&self) -> Marks;
    /// What holds for it and its neighbours.
    fn context(&self) -> &Context;
    /// Calls `visit` with name, value and whether it is part of the line, for every slot in order. Where a name comes
    /// twice, the last is the field's value.
    fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool));

    /// The row's bytes without the last terminator: what people call the line.
    fn line(&self) -> &[u8] {
        strip_terminator(self.raw())
    }

    /// The value of a field, by its dotted name. Names with `_` in front are sawlog's own; where the line has a field of
    /// that very name, the line's wins. `None` where it is absent.
    fn field(&self, name: &str) -> Option<FieldValue<'static>> {
        let mut found = None;
        self.each_slot(&mut |have, value, _| {
            if have == name {
                found = Some(value.into_owned());
            }
        });
        found.or_else(|| self.own_field(name))
    }

    /// The value of one of sawlog's own fields, or of the context.
    fn own_field(&self, name: &str) -> Option<FieldValue<'static>> {
        let text = |bytes: Vec<u8>| Some(FieldValue::Text(Cow::Owned(bytes)));
        let number = |value: u64| Some(FieldValue::Number(Cow::Owned(value.to_string().into_bytes())));
        if let Some(value) = self.context().get(name) {
            return text(value.as_bytes().to_vec());
        }
        match name {
            "_line" => text(self.line().to_vec()),
            "_time" => text(crate::time::rfc3339(self.time()).into_bytes()),
            "_received" => text(crate::time::rfc3339(self.received()).into_bytes()),
            "_source" => text(self.address().source.to_string().into_bytes()),
            "_epoch" => number(u64::from(self.address().epoch)),
            "_offset" => number(self.address().offset),
            "_tenant" => number(u64::from(self.tenant().0)),
            _ => None,
        }
    }
}

/// Whether a time is written as digits with at most one dot, as a number is.
fn is_count(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && bytes.iter().filter(|byte| **byte == b'.').count() <= 1
}

/// `raw` without its last CRLF or LF.
pub fn strip_terminator(raw: &[u8]) -> &[u8] {
    let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

/// A row that owns its bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Record {
    /// The line's bytes, terminators included.
    pub raw: Vec<u8>,
    /// Time of the event.
    pub time: Nanos,
    /// When sawlog got it.
    pub received: Nanos,
    /// Where it stands.
    pub address: Address,
    /// Whose it is.
    pub tenant: Tenant,
    /// Facts.
    pub marks: Marks,
    /// What holds for it and its neighbours.
    pub context: std::sync::Arc<Context>,
    /// Slots in order: name, value, whether it is part of the line.
    pub fields: Vec<(std::sync::Arc<str>, FieldValue<'static>, bool)>,
}

impl Fields for Record {
    fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn time(&self) -> Nanos {
        self.time
    }

    fn received(&self) -> Nanos {
        self.received
    }

    fn address(&self) -> Address {
        self.address
    }

    fn tenant(&self) -> Tenant {
        self.tenant
    }

    fn marks(&self) -> Marks {
        self.marks
    }

    fn context(&self) -> &Context {
        &self.context
    }

    fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        for (name, value, printed) in &self.fields {
            visit(name, value.clone(), *printed);
        }
    }
}
