//! Messages read as lines of a format: one row for each, whatever line breaks are in it. Knows nothing of where they come
//! from.

use sawlog_model::{Limits, Marks, NameId, Names, Nanos, Slot};

use super::cut::Piece;
use crate::format::{More, Parser, Settings};
use std::sync::Arc;

/// How often the reference for times without a year moves on.
const REFER_EVERY: Nanos = 3_600_000_000_000;

/// Reads messages by one format.
pub struct Lines {
    parser: Parser,
    referred: Nanos,
}

/// What a message says; spans count from its first byte.
pub struct Read {
    /// Named parts.
    pub slots: Vec<Slot>,
    /// Its time, where it has one of its own.
    pub time: Option<Nanos>,
    /// Facts.
    pub marks: Marks,
}

impl Lines {
    /// A reader by these settings.
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Lines { referred: settings.reference, parser: Parser::new(settings, limits) }
    }

    /// Reads a message that came at `received`. Parts of a long one behind the first are text that nobody reads.
    pub fn read(&mut self, piece: &Piece, received: Nanos) -> Read {
        if received >= self.referred + REFER_EVERY {
            self.parser.refer(received);
            self.referred = received;
        }
        let goes_on = if piece.goes_on { Marks::CONTINUES } else { Marks(0) };
        if piece.inside {
            return Read { slots: Vec::new(), time: None, marks: goes_on };
        }
        let parsed = self.parser.parse(&piece.bytes, 0, More::No);
        // A message is one event, also where a line break in it would begin another one in a file.
        let Some(row) = parsed.rows.first() else {
            return Read { slots: Vec::new(), time: None, marks: goes_on };
        };
        let mut slots = parsed.slots;
        slots.truncate(row.slots_end as usize);
        let time = Some(row.time).filter(|_| !row.marks.has(Marks::NO_TIME));
        Read { slots, time, marks: Marks(row.marks.0 & !Marks::NO_TIME.0).with(goes_on) }
    }

    /// The id of a name, for fields that are added.
    pub fn name(&mut self, name: &str) -> NameId {
        self.parser.name(name)
    }

    /// The name of a slot.
    pub fn name_of(&self, slot: &Slot) -> Arc<str> {
        self.parser.names().name(slot.name).clone()
    }

    /// Names of all slots; grows only.
    pub fn names(&self) -> Arc<Names> {
        self.parser.names()
    }
}
