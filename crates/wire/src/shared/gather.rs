//! Rows of many messages, put together to one batch for each source and context, in the order in which these came. Knows
//! nothing of protocols or formats.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Batch, Bringer, Context, Kind, Marks, NameId, Names, Nanos, Row, Slot, Source, Tenant};

/// Spans have 32 bits; a batch stays well below that.
const BATCH_MOST: usize = 64 << 20;

/// Where a row belongs: shared by all rows of a kind, so that it is told by its address.
#[derive(Clone, Debug)]
pub struct Place {
    /// The source.
    pub source: Arc<Source>,
    /// What holds for all its rows.
    pub context: Arc<Context>,
}

/// A row to be added: its bytes, and slots that count from the first of them.
#[derive(Clone, Copy, Debug)]
pub struct NewRow<'a> {
    /// Its bytes, terminator included.
    pub raw: &'a [u8],
    /// Values that do not stand in it as they are: bytes that slots behind its end count into.
    pub made: &'a [u8],
    /// Its slots; names are those of the names given with it.
    pub slots: &'a [Slot],
    /// Its time; `None` where it has none of its own.
    pub time: Option<Nanos>,
    /// When it came.
    pub received: Nanos,
    /// Facts; that it has no time is added here.
    pub marks: Marks,
    /// Fields that are not part of its line.
    pub added: &'a [(NameId, &'a str)],
}

/// Batches under construction. Slots of all of them take their names from one list.
#[derive(Debug, Default)]
pub struct Gather {
    /// Names of the slots, as whoever reads the messages has them: a list that only grows, also when batches are taken.
    pub names: Arc<Names>,
    open: Vec<Open>,
    by_place: HashMap<(usize, usize), usize>,
    weight: usize,
}

#[derive(Debug)]
struct Open {
    place: Place,
    /// Whose, where that is not the tenant of all.
    bringer: Option<Bringer>,
    buffer: Vec<u8>,
    rows: Vec<Row>,
    slots: Vec<Slot>,
}

impl Gather {
    /// Bytes of memory that the rows take.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.open.iter().map(|open| open.rows.len()).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a row.
    pub fn push(&mut self, place: &Place, row: NewRow<'_>) {
        self.push_for(None, place, row);
    }

    /// Adds a row that says itself whose it is; of the tenant of all where it does not. The source at the place is that tenant's, and
    /// the place no other's.
    pub fn push_for(&mut self, bringer: Option<&Bringer>, place: &Place, row: NewRow<'_>) {
        let key = (Arc::as_ptr(&place.source) as usize, Arc::as_ptr(&place.context) as usize);
        let full = |open: &Open| open.buffer.len() + row.raw.len() > BATCH_MOST;
        let index = match self.by_place.get(&key) {
            Some(index) if !full(&self.open[*index]) => *index,
            _ => {
                let (buffer, rows, slots) = Default::default();
                let (place, bringer) = (place.clone(), bringer.cloned());
                self.open.push(Open { place, bringer, buffer, rows, slots });
                self.by_place.insert(key, self.open.len() - 1);
                self.open.len() - 1
            }
        };
        let open = &mut self.open[index];
        let before = open.weight();
        open.push(row);
        self.weight += self.open[index].weight() - before;
    }

    /// The batches, for this tenant but where a row said otherwise; names stay.
    pub fn take(&mut self, tenant: Tenant) -> Vec<Batch> {
        self.by_place.clear();
        self.weight = 0;
        let names = &self.names;
        let batch = |open: Open| Batch {
            tenant: open.bringer.as_ref().map_or(tenant, |bringer| bringer.tenant),
            source: open.place.source,
            epoch: 0,
            context: open.place.context,
            buffer: open.buffer.into(),
            names: names.clone(),
            rows: open.rows,
            slots: open.slots,
            token: open.bringer.and_then(|bringer| bringer.token),
        };
        std::mem::take(&mut self.open).into_iter().map(batch).collect()
    }
}

impl Open {
    fn weight(&self) -> usize {
        self.buffer.len()
            + self.rows.len() * std::mem::size_of::<Row>()
            + self.slots.len() * std::mem::size_of::<Slot>()
    }

    fn push(&mut self, row: NewRow<'_>) {
        let start = self.buffer.len() as u32;
        self.buffer.extend_from_slice(row.raw);
        self.buffer.extend_from_slice(row.made);
        self.slots.extend(row.slots.iter().map(|slot| Slot { start: slot.start + start, ..*slot }));
        for (name, value) in row.added {
            let start = self.buffer.len() as u32;
            self.buffer.extend_from_slice(value.as_bytes());
            self.slots.push(Slot {
                start,
                len: value.len() as u32,
                name: *name,
                kind: Kind::Text,
                layout: 0,
            });
        }
        let marks = if row.time.is_some() { row.marks } else { row.marks.with(Marks::NO_TIME) };
        self.rows.push(Row {
            start,
            len: row.raw.len() as u32,
            offset: self.rows.len() as u64,
            time: row.time.unwrap_or(row.received),
            received: row.received,
            slots_end: self.slots.len() as u32,
            marks,
        });
    }
}

#[cfg(test)]
mod tests {
    use sawlog_model::Fields;

    use super::*;

    #[test]
    fn rows_stand_in_the_batch_of_their_place() {
        let place =
            |tag: &str| Place { source: Arc::default(), context: Arc::new(Context::new([("_tag", tag)])) };
        let (a, b) = (place("a"), place("b"));
        let mut gather = Gather::default();
        let [name, from] = ["k", "from"].map(|name| Arc::make_mut(&mut gather.names).intern(name));
        let slots = [Slot { start: 1, len: 2, name, kind: Kind::Number, layout: 0 }];
        let row = NewRow {
            raw: b"x17\n",
            made: &[],
            slots: &slots,
            time: Some(5),
            received: 9,
            marks: Marks(0),
            added: &[],
        };
        gather.push(&a, row);
        gather.push(&b, NewRow { time: None, added: &[(from, "h")], ..row });
        gather.push(&a, NewRow { raw: b"y18", ..row });
        assert!(gather.weight() > 11 && !gather.is_empty());
        let batches = gather.take(Tenant(4));
        assert_eq!((batches.len(), gather.weight(), gather.is_empty()), (2, 0, true));
        let text = |batch: &Batch, row: usize, name: &str| {
            batch
                .row(row)
                .field(name)
                .map(|value| String::from_utf8_lossy(value.text().unwrap()).into_owned())
        };
        assert_eq!(
            (batches[0].row(1).raw(), text(&batches[0], 1, "k").as_deref()),
            (&b"y18"[..], Some("18"))
        );
        assert_eq!((batches[0].row(0).time(), batches[0].tenant), (5, Tenant(4)));
        assert_eq!((batches[1].row(0).time(), batches[1].row(0).marks()), (9, Marks::NO_TIME));
        assert_eq!(text(&batches[1], 0, "from").as_deref(), Some("h"));
        assert_eq!(batches[1].row(0).raw(), b"x17\n");
    }
}
