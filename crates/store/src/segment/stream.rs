//! Numbers of the streams of a segment. Knows nothing of their insides.

use super::fields::Field;

/// Parts that a column has, at most. The low bits of a stream's number say what is in it.
pub(super) const PARTS: u32 = 4;

/// Parts of a column, per group: planes of integers.
pub(super) const NUMBERS: u32 = 0;
/// Text.
pub(super) const TEXT: u32 = 1;
/// Numbers of templates.
pub(super) const TEMPLATES: u32 = 2;

/// Streams of columns that came later have numbers from here on.
const LATER: u32 = 1 << 31;
/// Planes of integers that say where texts among variables of templates end, or which they are: who looks for a word needs no others.
pub(super) const LENGTHS: u32 = LATER;
/// Text of which all is digits, letters from a to f and signs of addresses, where few words are looked for.
pub(super) const DIGITS: u32 = LATER + 1;
/// How often each code comes, where the list is long.
pub(super) const COUNTED: u32 = LATER + 2;

/// The sort of lists of counts. They would stand beside the index otherwise, which is read by questions that need no counts.
pub(super) const LISTS: u32 = PARTS;

/// Which sort of bytes a stream holds: small ones of one sort share a chunk.
pub(super) fn sort(stream: u32) -> u32 {
    let part = stream % PARTS;
    if stream >= LATER && part == COUNTED % PARTS { LISTS } else { part }
}

/// Parts of a column, once per segment: its dictionary.
pub(super) const DICTIONARY: u32 = 1;
/// Its templates.
pub(super) const TABLE: u32 = 3;

/// Per group: which skeleton each row has.
pub(super) const SHAPES: u32 = 0;
/// Per group: `_time` of the rows.
pub(super) const TIMES: u32 = 4;
/// Per group: `_received` of the rows.
pub(super) const RECEIVED: u32 = 8;
/// Per group: offsets that do not follow from the row before.
pub(super) const OFFSETS: u32 = 12;
/// Per group: which context each row has.
pub(super) const CONTEXTS: u32 = 16;
/// Per group: heads of all its columns.
pub(super) const HEADS: u32 = 3;

/// Per group: how often each skeleton and each code comes.
pub(super) const COUNTS: u32 = 11;

/// Once per segment: skeletons.
pub(super) const SKELETONS: u32 = 7;
/// Once per segment: pages of the index of what dictionaries, templates and skeletons say.
pub(super) const INDEX: u32 = 2;
/// Once per segment: pages of the index of text.
pub(super) const TEXT_INDEX: u32 = 6;

/// What people call a stream.
pub(super) fn name(stream: u32, global: bool, fields: &[Field]) -> String {
    let rows = ["shapes", "times", "received", "offsets", "contexts"];
    match (stream, global) {
        (HEADS, false) => "heads".to_owned(),
        (SKELETONS, true) => "skeletons".to_owned(),
        (INDEX, true) => "index".to_owned(),
        (TEXT_INDEX, true) => "index of text".to_owned(),
        (COUNTS, false) => "counts".to_owned(),
        (0..COLUMNS, _) => rows.get((stream / PARTS) as usize).copied().unwrap_or("?").to_owned(),
        (_, global) => {
            let (column, part) = ((stream % LATER - COLUMNS) / PARTS, (stream - COLUMNS) % PARTS);
            let part = match (part, global) {
                (NUMBERS, _) if stream >= LATER => "lengths",
                (TEXT, _) if stream >= LATER => "digits",
                (TEMPLATES, _) if stream >= LATER => "counts",
                (NUMBERS, _) => "numbers",
                (TEXT, false) => "text",
                (TEMPLATES, false) => "templates",
                (DICTIONARY, true) => "dictionary",
                _ => "table",
            };
            let field = fields.get(column as usize);
            field.map_or("?".to_owned(), |field| format!("{} {:?} {part}", field.name, field.role))
        }
    }
}

/// First number of a column.
const COLUMNS: u32 = 20;

/// The number of a part of a column, of which there are fewer than 2^29.
pub(super) fn of_column(column: u32, part: u32) -> u32 {
    COLUMNS + column * PARTS + part
}
