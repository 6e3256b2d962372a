//! Events that came as maps to rows: the line of each is its rendering. Knows nothing of protocols.

use std::sync::Arc;

use sawlog_model::value::{Slots, render_slots};
use sawlog_model::{Limits, Marks, NameId, Names, Nanos, Slot, Value};

use super::gather::{Gather, NewRow, Place};

/// Writes events.
pub struct Events {
    names: Arc<Names>,
    limits: Limits,
    line: Vec<u8>,
    slots: Vec<Slot>,
}

impl Events {
    /// A writer without names yet.
    pub fn new(limits: Limits) -> Self {
        Events { names: Arc::default(), limits, line: Vec::new(), slots: Vec::new() }
    }

    /// The id of a name, for fields that are added.
    pub fn name(&mut self, name: &str) -> NameId {
        self.names.find(name).unwrap_or_else(|| Arc::make_mut(&mut self.names).intern(name))
    }

    /// Adds an event that came at `received`, with fields that are not part of its line.
    pub fn push(
        &mut self,
        event: &Value,
        time: Option<Nanos>,
        received: Nanos,
        place: &Place,
        added: &[(NameId, &str)],
        gather: &mut Gather,
    ) {
        self.line.clear();
        self.slots.clear();
        let slots = Slots::new("", &self.limits, &mut self.names, &mut self.slots);
        render_slots(event, slots, &mut self.line);
        self.line.push(b'\n');
        let marks = Marks::MAP.with(Marks::JSON);
        let row = NewRow { raw: &self.line, slots: &self.slots, time, received, marks, added };
        gather.push(place, row);
        gather.names = self.names.clone();
    }
}
