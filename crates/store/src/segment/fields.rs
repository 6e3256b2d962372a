//! The columns of a segment: a name, a kind and for times a layout; and those that hold text without a name. Knows
//! nothing of their values.

use sawlog_model::Kind;

use super::cursor::{Cursor, Damage, put_bytes, put_varint};
use super::interner::Interner;

/// Most named columns; rows with further names are kept whole.
const MOST: usize = 2_000;

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Values of a field.
    Field(Kind),
    /// Text of lines that is no field.
    Line,
    /// Whole rows.
    Raw,
    /// Slots of whole rows.
    Rest,
    /// Parts of values of a column of text of this kind: in no skeleton, and no field.
    Part(Kind),
}

impl Role {
    fn code(self) -> u8 {
        match self {
            Role::Field(kind) => kind as u8,
            Role::Line => 16,
            Role::Raw => 17,
            Role::Rest => 18,
            Role::Part(Kind::JsonText) => 20,
            Role::Part(_) => 19,
        }
    }

    fn read(code: u8) -> Result<Role, Damage> {
        Ok(match code {
            16 => Role::Line,
            17 => Role::Raw,
            18 => Role::Rest,
            19 => Role::Part(Kind::Text),
            20 => Role::Part(Kind::JsonText),
            kind => Role::Field(
                Kind::from_u8(kind).ok_or(Damage::Bytes("a column has a kind that is not known"))?,
            ),
        })
    }

    /// How its bytes are read.
    pub(super) fn kind(self) -> Kind {
        match self {
            Role::Field(kind) | Role::Part(kind) => kind,
            Role::Line | Role::Raw | Role::Rest => Kind::Text,
        }
    }
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Field {
    pub(super) name: std::sync::Arc<str>,
    pub(super) role: Role,
    pub(super) layout: u8,
}

/// The columns of a segment while it is written.
#[derive(Default)]
pub(super) struct FieldTable {
    keys: Interner,
    key: Vec<u8>,
    fields: Vec<Field>,
}

impl FieldTable {
    pub(super) fn list(&self) -> &[Field] {
        &self.fields
    }

    /// Whether there is such a column.
    pub(super) fn knows(&self, name: &str, role: Role, layout: u8) -> bool {
        let mut key = vec![role.code(), layout];
        key.extend_from_slice(name.as_bytes());
        self.keys.find(&key).is_some()
    }

    /// The number of a column, added where it is new; `None` where there are too many.
    pub(super) fn intern(&mut self, name: &str, role: Role, layout: u8) -> Option<u32> {
        self.key.clear();
        self.key.extend_from_slice(&[role.code(), layout]);
        self.key.extend_from_slice(name.as_bytes());
        if self.fields.len() >= MOST && matches!(role, Role::Field(_)) {
            return self.keys.find(&self.key);
        }
        let (id, new) = self.keys.intern(&self.key);
        if new {
            self.fields.push(Field { name: name.into(), role, layout });
        }
        Some(id)
    }

    /// The number of a new column for parts of the values of a column.
    pub(super) fn add_part(&mut self, of: u32, kind: Kind) -> u32 {
        let role = Role::Part(kind);
        let name = self.fields.get(of as usize).map_or_else(|| "".into(), |field| field.name.clone());
        // No other column has such a key: names are text.
        self.key.clear();
        self.key.extend_from_slice(&[role.code(), 0xff]);
        self.key.extend_from_slice(&(self.fields.len() as u32).to_le_bytes());
        self.fields.push(Field { name, role, layout: 0 });
        self.keys.intern(&self.key).0
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.fields.len() as u64);
        for field in &self.fields {
            put_bytes(out, field.name.as_bytes());
            out.extend_from_slice(&[field.role.code(), field.layout]);
        }
    }
}

/// The column whose dictionary a column uses: text has one for each name, whatever its form.
pub(super) fn dictionary(fields: &[Field], column: u32) -> u32 {
    let is_text = |field: &Field| matches!(field.role, Role::Field(Kind::Text | Kind::JsonText));
    let own = &fields[column as usize];
    if !is_text(own) {
        return column;
    }
    let first = fields.iter().position(|field| is_text(field) && field.name == own.name);
    first.map_or(column, |first| first as u32)
}

/// Reads the columns.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Vec<Field>, Damage> {
    (0..cursor.count()?)
        .map(|_| {
            let name = cursor.text()?.into();
            Ok(Field { name, role: Role::read(cursor.byte()?)?, layout: cursor.byte()? })
        })
        .collect()
}
