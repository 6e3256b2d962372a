//! An open row group: which columns each row has values in, and rows put together again. Columns are read when they are
//! asked for. Knows nothing of predicates or of Arrow.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sawlog_model::{
    Address, Batch, Context, FieldValue, Fields, Kind, Marks, NameId, Names, Nanos, Record, Row, Slot, Tenant,
};

use super::cache::{Part, PartKey};
use super::column::Column;
use super::cursor::{Cursor, Damage};
use super::decode::{LedBy, Sources, Stream};
use super::fields::Role;
use super::reader::{self, Body};
use super::skeleton::{Item, Skeleton};
use super::{GroupMeta, fields, follow, ints, stream, tag};
use crate::StoreError;

/// An open row group.
pub struct Group {
    pub(super) body: Arc<Body>,
    pub(super) number: usize,
    heads: Bytes,
    /// Where in `heads` the head of each column of the group stands.
    column_heads: HashMap<u32, std::ops::Range<usize>>,
    /// Index into `shapes` of each row.
    pub(super) codes: Vec<u32>,
    /// The skeletons that rows of the group have.
    pub(super) shapes: Vec<Shape>,
    /// Context of each row; empty where all have the first.
    contexts: Vec<u32>,
    one_context: u32,
    /// Where in `heads` times, times of arrival and offsets begin.
    row_heads: [usize; 3],
    times: OnceLock<Arc<Vec<Nanos>>>,
    received: OnceLock<Arc<Vec<Nanos>>>,
    offsets: OnceLock<Arc<Vec<u64>>>,
    columns: Vec<OnceLock<Values>>,
}

/// A skeleton as the rows of one group use it.
pub(super) struct Shape {
    pub(super) skeleton: Skeleton,
    /// For each slot the column, which of the row's values in it, and whether it is printed.
    pub(super) slots: Vec<ShapeSlot>,
}

#[derive(Clone, Copy)]
pub(super) struct ShapeSlot {
    pub(super) column: u32,
    pub(super) which: u32,
    pub(super) printed: bool,
}

/// A column, and which of its values are those of a row.
pub(super) struct Values {
    pub(super) column: Arc<Column>,
    /// First value of each row; empty where each row has one.
    starts: Vec<u32>,
}

impl Values {
    /// The number of the first value of the row.
    pub(super) fn start(&self, row: usize) -> usize {
        if self.starts.is_empty() { row } else { self.starts[row] as usize }
    }
}

/// How offsets follow from each other.
struct OffsetRules {
    by_length: Vec<bool>,
    /// Rows whose offset is not what the rule says, and by how much.
    exceptions: Vec<(usize, u64)>,
}

/// A row put together: buffers are kept between rows.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) raw: Vec<u8>,
    /// Bytes of unprinted slots.
    extra: Vec<u8>,
    slots: Vec<TakenSlot>,
}

struct TakenSlot {
    name: Arc<str>,
    kind: Kind,
    layout: u8,
    printed: bool,
    start: usize,
    len: usize,
}

impl Taken {
    fn clear(&mut self) {
        self.raw.clear();
        self.extra.clear();
        self.slots.clear();
    }

    fn slot_bytes(&self, slot: &TakenSlot) -> &[u8] {
        let from = if slot.printed { &self.raw } else { &self.extra };
        &from[slot.start..slot.start + slot.len]
    }

    /// Calls `visit` with each slot's name, value and whether it is printed.
    pub(super) fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        for slot in &self.slots {
            visit(&slot.name, FieldValue::read(slot.kind, self.slot_bytes(slot).into()), slot.printed);
        }
    }
}

/// A row as predicates see it.
pub(super) struct RowView<'a> {
    pub(super) taken: &'a Taken,
    pub(super) time: Nanos,
    pub(super) received: Nanos,
    pub(super) address: Address,
    pub(super) tenant: Tenant,
    pub(super) marks: Marks,
    pub(super) context: &'a Context,
}

impl Fields for RowView<'_> {
    fn raw(&self) -> &[u8] {
        &self.taken.raw
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
        self.context
    }

    fn each_slot(&self, visit: &mut dyn FnMut(&str, FieldValue<'_>, bool)) {
        self.taken.each_slot(visit);
    }
}

/// What a cell holds, made where it is empty.
fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, StoreError>) -> Result<&T, StoreError> {
    match cell.get() {
        Some(have) => Ok(have),
        None => {
            let made = make()?;
            Ok(cell.get_or_init(|| made))
        }
    }
}

impl Group {
    pub(super) fn open(body: Arc<Body>, number: usize) -> Result<Group, StoreError> {
        let group = number as u32 + 1;
        let heads = body.stream(stream::HEADS, group)?;
        let bodies = [body.stream(stream::SHAPES, group)?, body.stream(stream::CONTEXTS, group)?];
        let skeletons = body.skeletons()?;
        Group::read(body.clone(), number, heads, &bodies, &skeletons).map_err(|damage| body.damaged(damage))
    }

    fn read(
        body: Arc<Body>,
        number: usize,
        heads: Bytes,
        [shapes, contexts]: &[Bytes; 2],
        skeletons: &[Skeleton],
    ) -> Result<Group, Damage> {
        let meta = body.meta.groups.get(number).ok_or(Damage::Bytes("a row group is missing"))?;
        let rows = meta.rows as usize;
        let mut head = Cursor::new(&heads);
        let at = |head: &Cursor<'_>| heads.len() - head.remaining();
        let ids = ints::decode(rows, &mut head, &mut Cursor::new(shapes))?;
        let times = at(&head);
        ints::size(rows, &mut head)?;
        let received = at(&head);
        ints::size(rows, &mut head)?;
        let contexts = ints::decode(rows, &mut head, &mut Cursor::new(contexts))?;
        if contexts.iter().any(|context| *context < 0 || *context as usize >= body.contexts.len()) {
            return Err(Damage::Bytes("a row has a context that is not there"));
        }
        let row_heads = [times, received, at(&head)];
        OffsetRules::skip(meta, &mut head)?;
        let mut column_heads = HashMap::new();
        while head.remaining() > 0 {
            let column = head.u32()?;
            let len = head.bytes()?.len();
            let end = at(&head);
            column_heads.insert(column, end - len..end);
        }
        let (codes, shapes) = local_shapes(&ids, skeletons)?;
        let one_context = contexts.first().copied().unwrap_or(0) as u32;
        let all_one = contexts.iter().all(|context| *context as u32 == one_context);
        let contexts =
            if all_one { Vec::new() } else { contexts.iter().map(|context| *context as u32).collect() };
        let columns = body.fields.iter().map(|_| OnceLock::new()).collect();
        Ok(Group {
            body,
            number,
            column_heads,
            heads,
            codes,
            shapes,
            contexts,
            one_context,
            row_heads,
            times: OnceLock::new(),
            received: OnceLock::new(),
            offsets: OnceLock::new(),
            columns,
        })
    }

    /// Integers of the rows, whose head stands at `head`.
    fn row_integers(&self, head: usize, stream: u32) -> Result<Arc<Vec<i64>>, StoreError> {
        let body = self.body.stream(stream, self.number as u32 + 1)?;
        let values =
            ints::decode(self.rows(), &mut Cursor::new(&self.heads[head..]), &mut Cursor::new(&body));
        values.map(Arc::new).map_err(|damage| self.body.damaged(damage))
    }

    /// The head of a column, where any row has a value in it.
    pub(super) fn head(&self, column: u32) -> Option<&[u8]> {
        Some(&self.heads[self.column_heads.get(&column)?.clone()])
    }

    /// What the footer says of it.
    pub(super) fn meta(&self) -> &GroupMeta {
        &self.body.meta.groups[self.number]
    }

    /// How many rows it has.
    pub(super) fn rows(&self) -> usize {
        self.codes.len()
    }

    /// Times of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn times(&self) -> Result<Arc<Vec<Nanos>>, StoreError> {
        once(&self.times, || self.row_integers(self.row_heads[0], stream::TIMES)).cloned()
    }

    /// When the rows came.
    pub(super) fn received(&self) -> Result<Arc<Vec<Nanos>>, StoreError> {
        once(&self.received, || self.row_integers(self.row_heads[1], stream::RECEIVED)).cloned()
    }

    /// The number of a row's context.
    pub(super) fn context_id(&self, row: usize) -> u32 {
        self.contexts.get(row).copied().unwrap_or(self.one_context)
    }

    pub(super) fn context(&self, row: usize) -> &Arc<Context> {
        &self.body.contexts[self.context_id(row) as usize]
    }

    /// Numbers of the contexts that its rows have.
    pub(super) fn context_ids(&self) -> Vec<u32> {
        let mut ids = if self.contexts.is_empty() { vec![self.one_context] } else { self.contexts.clone() };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// A column, with the places of the rows' values.
    pub(super) fn values(&self, column: u32) -> Result<&Values, StoreError> {
        once(&self.columns[column as usize], || {
            let (starts, count) = self.starts(column);
            Ok(Values { column: self.load(column, &starts, count)?, starts })
        })
    }

    /// The first value of each row (none where each row has just one), and how many values there are.
    fn starts(&self, column: u32) -> (Vec<u32>, usize) {
        let per_shape: Vec<u32> = self.shapes.iter().map(|shape| shape.count(column) as u32).collect();
        if per_shape.iter().all(|count| *count == 1) {
            return (Vec::new(), self.rows());
        }
        let mut next = 0;
        let starts = self
            .codes
            .iter()
            .map(|code| {
                let start = next;
                next += per_shape[*code as usize];
                start
            })
            .collect();
        (starts, next as usize)
    }

    fn load(&self, column: u32, starts: &[u32], count: usize) -> Result<Arc<Column>, StoreError> {
        let body = &self.body;
        let group = self.number as u32 + 1;
        let key = PartKey { segment: body.id, sort: reader::COLUMN, first: group, second: column };
        if let Some(Part::Column(column)) = body.cache.get(key) {
            return Ok(column);
        }
        let damaged = |damage| body.damaged(damage);
        let head =
            self.column_heads.get(&column).ok_or_else(|| damaged(Damage::Bytes("a column is missing")))?;
        let mut cursor = Cursor::new(&self.heads[head.clone()]);
        let leader = cursor.u32().map_err(damaged)?;
        let tag = cursor.clone().byte().map_err(damaged)?;
        let times = match tag {
            tag::PRINTED | tag::STAMPS => {
                let times = self.times()?;
                self.rows_of_values(column, starts, count).map(|row| times[row]).collect()
            }
            _ => Vec::new(),
        };
        let stream = |part| Stream::new(Body::fetch(body, stream::of_column(column, part), group));
        let shared = |wanted, column, part| {
            // Elements of lists have a form of their own behind that of the lists.
            let used = tag == wanted || tag == tag::LISTS;
            if used { body.strings(stream::of_column(column, part)) } else { Ok(None) }
        };
        let sources = Sources {
            head: self.heads.slice(head.end - cursor.remaining()..head.end),
            numbers: stream(stream::NUMBERS),
            text: stream(stream::TEXT),
            templates: stream(stream::TEMPLATES),
            dictionary: shared(tag::SHARED, fields::dictionary(&body.fields, column), stream::DICTIONARY)?,
            table: shared(tag::TEMPLATES, column, stream::TABLE)?,
            times,
            leader: self.led_by(leader, column, tag == tag::EQUAL, starts, count)?,
        };
        let read = Arc::new(Column::read(count, sources).map_err(damaged)?);
        body.cache.put(key, Part::Column(read.clone()), read.weight());
        Ok(read)
    }

    /// Who leads a column, by the number in its head.
    fn led_by(
        &self,
        leader: u32,
        column: u32,
        equal: bool,
        starts: &[u32],
        count: usize,
    ) -> Result<LedBy, StoreError> {
        let damaged = |reason| self.body.damaged(Damage::Bytes(reason));
        match leader {
            0 => return Ok(LedBy::Nobody),
            1 => return Ok(LedBy::Before),
            // Columns are led by earlier ones only, so that this comes to an end.
            _ if leader - 2 >= column => return Err(damaged("a column is led by a later one")),
            _ => {}
        }
        let values = self.values(leader - 2)?;
        if equal {
            return Ok(LedBy::Base(values.column.clone()));
        }
        let codes = values.column.codes().ok_or_else(|| damaged("a column is led by one without codes"))?;
        let (numbers, different) = follow::number(codes.iter().copied());
        let end = |row: usize| match row + 1 {
            next if next < self.rows() => values.start(next),
            _ => numbers.len(),
        };
        let of_row = |row: usize| {
            let start = values.start(row);
            if start < end(row) { numbers[start] } else { different as u32 }
        };
        let beside = self.rows_of_values(column, starts, count).map(of_row).collect();
        Ok(LedBy::Codes(beside, different + 1))
    }

    /// The row of each value of a column.
    fn rows_of_values(&self, column: u32, starts: &[u32], count: usize) -> impl Iterator<Item = usize> {
        let per_shape: Vec<usize> =
            self.shapes.iter().map(|shape| if starts.is_empty() { 1 } else { shape.count(column) }).collect();
        let rows = self.codes.iter().enumerate();
        rows.flat_map(move |(row, code)| std::iter::repeat_n(row, per_shape[*code as usize])).take(count)
    }

    /// Appends a value.
    pub(super) fn append(&self, values: &Values, index: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        values.column.append(index, out).map_err(|damage| self.body.damaged(damage))
    }

    /// Puts a row's line together, at the end of `out`.
    pub(super) fn render(&self, row: usize, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let shape = &self.shapes[self.codes[row] as usize];
        let mut slots = shape.slots.iter();
        for item in &shape.skeleton.items {
            match item {
                Item::Literal(text) => out.extend_from_slice(text),
                Item::Slot { .. } => {
                    let Some(slot) = slots.next() else { break };
                    if slot.printed {
                        let values = self.values(slot.column)?;
                        self.append(values, values.start(row) + slot.which as usize, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts a row together, with its slots.
    pub(super) fn take(&self, row: usize, into: &mut Taken) -> Result<(), StoreError> {
        into.clear();
        let shape = &self.shapes[self.codes[row] as usize];
        if shape.skeleton.whole {
            return self.take_whole(row, shape, into);
        }
        let mut slots = shape.slots.iter();
        for item in &shape.skeleton.items {
            let Item::Slot { column, printed } = item else {
                if let Item::Literal(text) = item {
                    into.raw.extend_from_slice(text);
                }
                continue;
            };
            let Some(slot) = slots.next() else { break };
            let values = self.values(*column)?;
            let to = if *printed { &mut into.raw } else { &mut into.extra };
            let start = to.len();
            self.append(values, values.start(row) + slot.which as usize, to)?;
            let len = to.len() - start;
            let field = &self.body.fields[*column as usize];
            if let Role::Field(kind) = field.role {
                let (name, layout) = (field.name.clone(), field.layout);
                into.slots.push(TakenSlot { name, kind, layout, printed: *printed, start, len });
            }
        }
        Ok(())
    }

    fn take_whole(&self, row: usize, shape: &Shape, into: &mut Taken) -> Result<(), StoreError> {
        let mut rest = Vec::new();
        for slot in &shape.slots {
            let values = self.values(slot.column)?;
            let out = if slot.printed { &mut into.raw } else { &mut rest };
            self.append(values, values.start(row) + slot.which as usize, out)?;
        }
        into.read_rest(&rest).map_err(|damage| self.body.damaged(damage))
    }

    /// Offsets of all rows.
    ///
    /// # Errors
    /// As the disk says.
    pub fn offsets(&self) -> Result<Arc<Vec<u64>>, StoreError> {
        once(&self.offsets, || {
            let mut offsets = Vec::with_capacity(self.rows());
            let body = self.body.stream(stream::OFFSETS, self.number as u32 + 1)?;
            let mut head = Cursor::new(&self.heads[self.row_heads[2]..]);
            let rules = OffsetRules::read(self.meta(), &mut head, &mut Cursor::new(&body));
            let rules = rules.map_err(|damage| self.body.damaged(damage))?;
            let mut exceptions = rules.exceptions.iter().peekable();
            let mut line = Vec::new();
            for (run, by_length) in self.meta().runs.iter().zip(&rules.by_length) {
                let mut next = run.first;
                for row in run.start as usize..(run.start + run.rows) as usize {
                    if let Some((_, difference)) = exceptions.next_if(|(at, _)| *at == row) {
                        next = next.wrapping_add(*difference);
                    }
                    offsets.push(next);
                    let length = if *by_length {
                        line.clear();
                        self.render(row, &mut line)?;
                        line.len() as u64
                    } else {
                        1
                    };
                    next = next.wrapping_add(length);
                }
            }
            Ok(Arc::new(offsets))
        })
        .cloned()
    }

    /// The address of a row; without its offset where that is not wanted.
    pub(super) fn address(&self, row: usize, with_offset: bool) -> Result<Address, StoreError> {
        let runs = &self.meta().runs;
        let at = runs.partition_point(|run| run.start as usize <= row).saturating_sub(1);
        let range = &self.body.meta.sources[runs[at].source as usize];
        let offset = if with_offset { self.offsets()?[row] } else { 0 };
        Ok(Address { source: range.source, epoch: range.epoch, offset })
    }

    /// A row that was put together, as predicates see it.
    pub(super) fn view<'a>(
        &'a self,
        row: usize,
        taken: &'a Taken,
        with_offset: bool,
    ) -> Result<RowView<'a>, StoreError> {
        Ok(RowView {
            taken,
            time: self.times()?[row],
            received: self.received()?[row],
            address: self.address(row, with_offset)?,
            tenant: self.body.meta.tenant,
            marks: self.shapes[self.codes[row] as usize].skeleton.marks,
            context: self.context(row),
        })
    }

    /// One row.
    ///
    /// # Errors
    /// As the disk says.
    pub fn record(&self, row: u32) -> Result<Record, StoreError> {
        let row = row as usize;
        let mut taken = Taken::default();
        self.take(row, &mut taken)?;
        let view = self.view(row, &taken, true)?;
        let fields = taken
            .slots
            .iter()
            .map(|slot| {
                let value = FieldValue::read(slot.kind, taken.slot_bytes(slot).into()).into_owned();
                (slot.name.clone(), value, slot.printed)
            })
            .collect();
        Ok(Record {
            raw: taken.raw.clone(),
            time: view.time,
            received: view.received,
            address: view.address,
            tenant: view.tenant,
            marks: view.marks,
            context: self.context(row).clone(),
            fields,
        })
    }

    /// All rows as batches, one per source, epoch and context in the order of rows: what compaction writes again.
    ///
    /// # Errors
    /// As the disk says.
    pub fn batches(&self) -> Result<Vec<Batch>, StoreError> {
        let mut batches = Vec::new();
        for run in &self.meta().runs {
            let end = (run.start + run.rows) as usize;
            let mut row = run.start as usize;
            while row < end {
                let context = self.context_id(row);
                let last = (row..end).find(|row| self.context_id(*row) != context).unwrap_or(end);
                batches.push(self.batch(run.source as usize, row..last)?);
                row = last;
            }
        }
        Ok(batches)
    }

    fn batch(&self, source: usize, rows: std::ops::Range<usize>) -> Result<Batch, StoreError> {
        let (times, received, offsets) = (self.times()?, self.received()?, self.offsets()?);
        let mut batch = Batch {
            tenant: self.body.meta.tenant,
            source: self.body.sources[source].clone(),
            epoch: self.body.meta.sources[source].epoch,
            context: self.context(rows.start).clone(),
            ..Batch::default()
        };
        let mut names = Names::default();
        let mut taken = Taken::default();
        let (mut buffer, mut extra) = (Vec::new(), Vec::new());
        let mut unprinted: Vec<usize> = Vec::new();
        for row in rows {
            self.take(row, &mut taken)?;
            let start = buffer.len();
            for slot in &taken.slots {
                let from = if slot.printed {
                    start + slot.start
                } else {
                    unprinted.push(batch.slots.len());
                    extra.len() + slot.start
                };
                let name: NameId = names.intern(&slot.name);
                let (start, len) = (from as u32, slot.len as u32);
                batch.slots.push(Slot { start, len, name, kind: slot.kind, layout: slot.layout });
            }
            buffer.extend_from_slice(&taken.raw);
            extra.extend_from_slice(&taken.extra);
            batch.rows.push(Row {
                start: start as u32,
                len: taken.raw.len() as u32,
                offset: offsets[row],
                time: times[row],
                received: received[row],
                slots_end: batch.slots.len() as u32,
                marks: self.shapes[self.codes[row] as usize].skeleton.marks,
            });
        }
        // A byte lies between, so that an empty unprinted slot does not touch the last row.
        buffer.push(0);
        for slot in unprinted {
            batch.slots[slot].start += buffer.len() as u32;
        }
        buffer.extend_from_slice(&extra);
        batch.buffer = buffer.into();
        batch.names = Arc::new(names);
        Ok(batch)
    }
}

impl Taken {
    /// Reads the slots of a row that is kept whole.
    fn read_rest(&mut self, rest: &[u8]) -> Result<(), Damage> {
        let mut cursor = Cursor::new(rest);
        while cursor.remaining() > 0 {
            let name = cursor.text()?.into();
            let kind =
                Kind::from_u8(cursor.byte()?).ok_or(Damage::Bytes("a slot has a kind that is not known"))?;
            let layout = cursor.byte()?;
            let printed = cursor.byte()? != 0;
            let (start, len) = if printed {
                let (start, len) = (cursor.u32()? as usize, cursor.u32()? as usize);
                if start + len > self.raw.len() {
                    return Err(Damage::Bytes("a slot reaches over the end of its row"));
                }
                (start, len)
            } else {
                let bytes = cursor.bytes()?;
                self.extra.extend_from_slice(bytes);
                (self.extra.len() - bytes.len(), bytes.len())
            };
            self.slots.push(TakenSlot { name, kind, layout, printed, start, len });
        }
        Ok(())
    }
}

impl OffsetRules {
    /// Passes over them.
    fn skip(meta: &GroupMeta, head: &mut Cursor<'_>) -> Result<(), Damage> {
        head.take(meta.runs.len())?;
        let count = head.varint()? as usize;
        ints::size(count, head)?;
        ints::size(count, head)?;
        Ok(())
    }

    fn read(meta: &GroupMeta, head: &mut Cursor<'_>, body: &mut Cursor<'_>) -> Result<OffsetRules, Damage> {
        let by_length =
            meta.runs.iter().map(|_| Ok(head.byte()? != 0)).collect::<Result<Vec<_>, Damage>>()?;
        let count = head.varint()? as usize;
        if count > meta.rows as usize {
            return Err(Damage::Bytes("more offsets than rows"));
        }
        let at = ints::decode(count, head, body)?;
        let differences = ints::decode(count, head, body)?;
        let mut row = 0usize;
        let exceptions = at
            .into_iter()
            .zip(differences)
            .map(|(step, difference)| {
                row = row.wrapping_add(step as usize);
                (row, difference as u64)
            })
            .collect();
        Ok(OffsetRules { by_length, exceptions })
    }
}

/// The skeletons of the rows, numbered for this group alone.
fn local_shapes(ids: &[i64], skeletons: &[Skeleton]) -> Result<(Vec<u32>, Vec<Shape>), Damage> {
    let mut local: HashMap<i64, u32> = HashMap::new();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut last = (-1, 0);
    let mut codes = Vec::with_capacity(ids.len());
    for id in ids {
        if *id != last.0 {
            let code = match local.get(id) {
                Some(code) => *code,
                None => {
                    let skeleton = usize::try_from(*id).ok().and_then(|id| skeletons.get(id));
                    shapes.push(Shape::new(
                        skeleton.ok_or(Damage::Bytes("a row has a skeleton that is not there"))?,
                    ));
                    local.insert(*id, shapes.len() as u32 - 1);
                    shapes.len() as u32 - 1
                }
            };
            last = (*id, code);
        }
        codes.push(last.1);
    }
    Ok((codes, shapes))
}

impl Shape {
    /// How many values its rows have in a column.
    fn count(&self, column: u32) -> usize {
        self.slots.iter().filter(|slot| slot.column == column).count()
    }

    fn new(skeleton: &Skeleton) -> Shape {
        let mut seen: HashMap<u32, u32> = HashMap::new();
        let slots = skeleton
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Slot { column, printed } => {
                    let which = seen.entry(*column).or_insert(0);
                    *which += 1;
                    Some(ShapeSlot { column: *column, which: *which - 1, printed: *printed })
                }
                Item::Literal(_) => None,
            })
            .collect();
        Shape { skeleton: skeleton.clone(), slots }
    }
}
