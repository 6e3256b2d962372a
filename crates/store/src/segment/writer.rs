//! Makes a segment: takes rows apart into skeletons and values, a row group at a time, and writes streams, index and
//! footer. Knows nothing of where the bytes go.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sawlog_model::{Batch, Context, Kind, Marks, Nanos, RowRef, Slot, Tenant, strip_terminator, token};

use super::chunk::{Chunks, StreamKey};
use super::cursor::{put_bytes, put_varint};
use super::encode::{self, Bodies, Shared};
use super::fields::{FieldTable, Role};
use super::interner::Interner;
use super::skeleton::{Outline, Skeleton};
use super::{Effort, Encoded, GroupMeta, SegmentMeta, SourceRange, SourceRun, footer, index, ints, stream};
use crate::FieldCount;

/// Most skeletons; further rows are kept whole.
const MOST_SKELETONS: usize = 65_536;
/// A gap between slots of a text line that is longer, or has a digit, is a value and not part of the skeleton.
const LONGEST_GAP: usize = 40;

/// Makes a segment, one row group after the other.
pub struct SegmentWriter {
    tenant: Tenant,
    effort: Effort,
    chunks: Chunks,
    fields: FieldTable,
    shared: Vec<Shared>,
    skeletons: Interner,
    skeleton_columns: Vec<Vec<u32>>,
    skeleton_rows: Vec<u64>,
    contexts: Vec<Arc<Context>>,
    context_rows: Vec<u64>,
    context_ids: HashMap<Arc<Context>, u32>,
    sources: Vec<SourceRange>,
    groups: Vec<GroupMeta>,
    tokens: Vec<Vec<u32>>,
    time_shapes: BTreeSet<Vec<u8>>,
    /// Rows of each field that is in rows kept whole.
    loose_fields: HashMap<Arc<str>, u64>,
}

/// Values of one row group, by column.
#[derive(Default)]
struct Values<'a> {
    columns: Vec<Vec<&'a [u8]>>,
    times: Vec<Vec<Nanos>>,
    /// Slots of rows that are kept whole.
    rest: Vec<Vec<u8>>,
    /// What has its words indexed beside those of the columns: unprinted values of rows kept whole, and see
    /// [`note_words`].
    loose: Vec<(Kind, &'a [u8])>,
}

impl<'a> Values<'a> {
    fn push(&mut self, column: u32, value: &'a [u8]) {
        let column = column as usize;
        if column >= self.columns.len() {
            self.columns.resize_with(column + 1, Vec::new);
            self.times.resize_with(column + 1, Vec::new);
        }
        self.columns[column].push(value);
    }
}

/// Columns of the names of the batch that the last row was of.
#[derive(Default)]
struct NameCache {
    batch: usize,
    columns: HashMap<(u32, u8, u8), Option<u32>>,
}

impl SegmentWriter {
    /// A writer for rows of one tenant.
    pub fn new(tenant: Tenant, effort: Effort) -> Self {
        SegmentWriter {
            tenant,
            effort,
            chunks: Chunks::new(effort, &footer::head()),
            fields: FieldTable::default(),
            shared: Vec::new(),
            skeletons: Interner::default(),
            skeleton_columns: Vec::new(),
            skeleton_rows: Vec::new(),
            contexts: Vec::new(),
            context_rows: Vec::new(),
            context_ids: HashMap::new(),
            sources: Vec::new(),
            groups: Vec::new(),
            tokens: Vec::new(),
            time_shapes: BTreeSet::new(),
            loose_fields: HashMap::new(),
        }
    }

    /// Bytes written so far, roughly: what is not compressed yet is estimated.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether no row group was added.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Adds a row group: at most [`super::GROUP_ROWS`] rows and [`super::GROUP_BYTES`], sorted by (source, epoch, offset).
    /// Groups come in the order of time.
    pub fn add_group(&mut self, rows: &[RowRef<'_>]) {
        if rows.is_empty() {
            return;
        }
        let group = self.groups.len() as u32 + 1;
        let mut heads = Vec::new();
        let mut values = Values::default();
        let shapes = self.take_apart(rows, &mut values);
        let meta = self.describe(rows);
        self.put_integers(group, stream::SHAPES, &shapes, &mut heads);
        self.put_integers(group, stream::TIMES, &by_row(rows, |row| row.row().time), &mut heads);
        self.put_integers(group, stream::RECEIVED, &by_row(rows, |row| row.row().received), &mut heads);
        let contexts = self.context_codes(rows);
        self.put_integers(group, stream::CONTEXTS, &contexts, &mut heads);
        self.put_offsets(group, rows, &meta.runs, &mut heads);
        let mut tokens = index::Tokens::default();
        for column in 0..values.columns.len() as u32 {
            self.put_column(group, column, &values, &mut heads, &mut tokens);
        }
        self.add_literals(&shapes, &mut tokens);
        for (kind, value) in &values.loose {
            tokens.of_kind(*kind).add(value);
        }
        self.chunks.put(stream::HEADS, StreamKey { stream: stream::HEADS, group }, &heads);
        self.time_shapes.extend(tokens.shapes().map(<[u8]>::to_vec));
        self.tokens.push(tokens.sorted());
        self.groups.push(meta);
    }

    /// Ends the file.
    pub fn finish(mut self) -> Encoded {
        let global = |stream| StreamKey { stream, group: 0 };
        let mut skeletons = Vec::new();
        encode::put_strings(self.skeletons.iter(), &mut skeletons);
        self.chunks.put(stream::SKELETONS, global(stream::SKELETONS), &skeletons);
        for (column, shared) in self.shared.iter().enumerate() {
            for (part, strings) in
                [(stream::DICTIONARY, &shared.dictionary), (stream::TABLE, &shared.templates)]
            {
                if strings.len() > 0 {
                    let key = stream::of_column(column as u32, part);
                    let mut bytes = Vec::new();
                    encode::put_strings(strings.iter(), &mut bytes);
                    self.chunks.put(key, global(key), &bytes);
                }
            }
        }
        let mut index = Vec::new();
        let pages = index::write(&self.tokens, &mut index);
        self.chunks.put(stream::INDEX, global(stream::INDEX), &pages);
        let meta = self.meta();
        let mut body = Vec::new();
        footer::put_meta(&meta, &mut body);
        self.fields.write(&mut body);
        put_varint(&mut body, self.contexts.len() as u64);
        for context in &self.contexts {
            put_varint(&mut body, context.iter().len() as u64);
            for (name, value) in context.iter() {
                put_bytes(&mut body, name.as_bytes());
                put_bytes(&mut body, value.as_bytes());
            }
        }
        put_varint(&mut body, self.time_shapes.len() as u64);
        self.time_shapes.iter().for_each(|shape| put_bytes(&mut body, shape));
        body.extend_from_slice(&index);
        let mut bytes = self.chunks.finish(&mut body);
        footer::seal(&body, &mut bytes);
        Encoded { bytes, meta }
    }

    fn meta(&self) -> SegmentMeta {
        SegmentMeta {
            tenant: self.tenant,
            rows: self.groups.iter().map(|group| u64::from(group.rows)).sum(),
            raw_bytes: self.groups.iter().map(|group| group.raw_bytes).sum(),
            first_time: self.groups.iter().map(|group| group.first_time).min().unwrap_or(0),
            last_time: self.groups.iter().map(|group| group.last_time).max().unwrap_or(0),
            strong: self.effort == Effort::Strong,
            sources: self.sources.clone(),
            groups: self.groups.clone(),
            fields: self.field_counts(),
        }
    }

    /// In how many rows each field is, null not counted.
    fn field_counts(&self) -> Vec<FieldCount> {
        let mut counts = self.loose_fields.clone();
        let mut names: Vec<Arc<str>> = Vec::new();
        for (columns, rows) in self.skeleton_columns.iter().zip(&self.skeleton_rows) {
            names.clear();
            for column in columns {
                let field = &self.fields.list()[*column as usize];
                if matches!(field.role, Role::Field(kind) if kind != Kind::Null)
                    && !names.contains(&field.name)
                {
                    names.push(field.name.clone());
                }
            }
            for name in &names {
                *counts.entry(name.clone()).or_default() += rows;
            }
        }
        for (context, rows) in self.contexts.iter().zip(&self.context_rows) {
            for (name, _) in context.iter() {
                *counts.entry(name.into()).or_default() += rows;
            }
        }
        let mut list: Vec<FieldCount> =
            counts.into_iter().map(|(name, rows)| FieldCount { name: name.to_string(), rows }).collect();
        list.sort_by(|a, b| a.name.cmp(&b.name));
        list
    }

    /// Finds the skeleton of each row and hands its values to their columns.
    fn take_apart<'a>(&mut self, rows: &[RowRef<'a>], values: &mut Values<'a>) -> Vec<i64> {
        let mut outline = Outline::default();
        let mut found: Vec<(u32, &'a [u8])> = Vec::new();
        let mut names = NameCache::default();
        let mut shapes = Vec::with_capacity(rows.len());
        for row in rows {
            found.clear();
            let fits = self.outline(*row, &mut names, &mut outline, &mut found);
            let known = if !fits {
                None
            } else if self.skeletons.len() >= MOST_SKELETONS {
                self.skeletons.find(&outline.bytes)
            } else {
                Some(self.skeletons.intern(&outline.bytes).0)
            };
            let shape = known.unwrap_or_else(|| self.keep_whole(*row, &mut outline, &mut found, values));
            self.count_shape(shape);
            note_words(*row, outline.is_glued(), values);
            for (column, value) in &found {
                values.push(*column, value);
                if matches!(self.fields.list()[*column as usize].role, Role::Field(Kind::Time)) {
                    values.times[*column as usize].push(row.row().time);
                }
            }
            shapes.push(i64::from(shape));
        }
        shapes
    }

    /// Adds the literal words of text lines to those of the group.
    fn add_literals(&self, shapes: &[i64], tokens: &mut index::Tokens) {
        let mut shapes = shapes.to_vec();
        shapes.sort_unstable();
        shapes.dedup();
        let tokens = tokens.of_kind(Kind::Text);
        for shape in shapes {
            let bytes = bytes::Bytes::copy_from_slice(self.skeletons.get(shape as u32));
            let Ok(skeleton) = Skeleton::read(&bytes, usize::MAX) else { continue };
            if !skeleton.is_by_value() {
                skeleton.literals().for_each(|literal| tokens.add(literal));
            }
        }
    }

    fn count_shape(&mut self, shape: u32) {
        let shape = shape as usize;
        if shape >= self.skeleton_columns.len() {
            let bytes = bytes::Bytes::copy_from_slice(self.skeletons.get(shape as u32));
            let columns = Skeleton::read(&bytes, usize::MAX).map(|skeleton| skeleton.columns().collect());
            self.skeleton_columns.push(columns.unwrap_or_default());
            self.skeleton_rows.push(0);
        }
        self.skeleton_rows[shape] += 1;
    }

    /// Writes the row's skeleton to `outline` and its values to `found`; `false` where it has to be kept whole.
    fn outline<'a>(
        &mut self,
        row: RowRef<'a>,
        names: &mut NameCache,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
    ) -> bool {
        let raw = row.raw();
        let (start, marks) = (row.row().start, row.row().marks);
        let literal_gaps = marks.has(Marks::JSON) || marks.has(Marks::MAP);
        outline.begin(marks);
        let mut at = 0usize;
        for slot in row.slots() {
            let Some(column) = self.column_of(row.batch, slot, names) else { return false };
            if !row.is_printed(slot) {
                outline.slot(column, false);
                found.push((column, row.slot(slot)));
                continue;
            }
            let (from, to) = ((slot.start - start) as usize, (slot.start - start + slot.len) as usize);
            if from < at {
                return false;
            }
            self.gap(&raw[at..from], literal_gaps, outline, found);
            if is_glued(raw, from) || is_glued(raw, to) {
                outline.glued();
            }
            outline.slot(column, true);
            found.push((column, &raw[from..to]));
            at = to;
        }
        let line = strip_terminator(raw).len().max(at);
        self.gap(&raw[at..line], literal_gaps, outline, found);
        outline.literal(&raw[line..]);
        true
    }

    /// Text between slots.
    fn gap<'a>(
        &mut self,
        text: &'a [u8],
        literal: bool,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
    ) {
        if literal || (text.len() <= LONGEST_GAP && !text.iter().any(u8::is_ascii_digit)) {
            outline.literal(text);
        } else if let Some(column) = self.intern_column("", Role::Line, 0) {
            outline.slot(column, true);
            found.push((column, text));
        }
    }

    fn column_of(&mut self, batch: &Batch, slot: &Slot, names: &mut NameCache) -> Option<u32> {
        let batch_key = std::ptr::from_ref(batch) as usize;
        if names.batch != batch_key {
            names.batch = batch_key;
            names.columns.clear();
        }
        let layout = if slot.kind == Kind::Time { slot.layout } else { 0 };
        let key = (slot.name.0, slot.kind as u8, layout);
        if let Some(column) = names.columns.get(&key) {
            return *column;
        }
        let column = self.intern_column(batch.names.name(slot.name), Role::Field(slot.kind), layout);
        names.columns.insert(key, column);
        column
    }

    fn intern_column(&mut self, name: &str, role: Role, layout: u8) -> Option<u32> {
        let column = self.fields.intern(name, role, layout)?;
        if column as usize >= self.shared.len() {
            self.shared.resize_with(column as usize + 1, Shared::default);
        }
        Some(column)
    }

    /// Keeps a row as its raw bytes and a list of its slots.
    fn keep_whole<'a>(
        &mut self,
        row: RowRef<'a>,
        outline: &mut Outline,
        found: &mut Vec<(u32, &'a [u8])>,
        values: &mut Values<'a>,
    ) -> u32 {
        found.clear();
        outline.begin(row.row().marks);
        outline.whole();
        let raw = self.intern_column("", Role::Raw, 0).unwrap_or_default();
        let rest = self.intern_column("", Role::Rest, 0).unwrap_or_default();
        outline.slot(raw, true);
        outline.slot(rest, false);
        found.push((raw, row.raw()));
        let mut slots = Vec::new();
        let mut named = Vec::new();
        for slot in row.slots() {
            put_bytes(&mut slots, row.batch.names.name(slot.name).as_bytes());
            slots.extend_from_slice(&[slot.kind as u8, slot.layout, u8::from(row.is_printed(slot))]);
            if row.is_printed(slot) {
                put_varint(&mut slots, u64::from(slot.start - row.row().start));
                put_varint(&mut slots, u64::from(slot.len));
            } else {
                put_bytes(&mut slots, row.slot(slot));
                values.loose.push((slot.kind, row.slot(slot)));
            }
            let name = row.batch.names.name(slot.name);
            if slot.kind != Kind::Null && !named.contains(&name) {
                named.push(name);
                *self.loose_fields.entry(name.clone()).or_default() += 1;
            }
        }
        values.rest.push(slots);
        self.skeletons.intern(&outline.bytes).0
    }

    fn put_column(
        &mut self,
        group: u32,
        column: u32,
        values: &Values<'_>,
        heads: &mut Vec<u8>,
        tokens: &mut index::Tokens,
    ) {
        let field = self.fields.list()[column as usize].clone();
        let rest: Vec<&[u8]>;
        let list = if field.role == Role::Rest {
            rest = values.rest.iter().map(Vec::as_slice).collect();
            &rest
        } else {
            &values.columns[column as usize]
        };
        if list.is_empty() {
            return;
        }
        let mut bodies = Bodies::default();
        let shared = &mut self.shared[column as usize];
        match field.role {
            Role::Field(Kind::Time) => {
                encode::encode_times(field.layout, list, &values.times[column as usize], &mut bodies);
                tokens.add_times(list);
            }
            Role::Rest => encode::encode(Kind::Text, list, shared, &mut bodies, &mut index::Tokens::none()),
            Role::Raw => {
                // A whole JSON line has words in written and in decoded form.
                encode::encode(Kind::Json, list, shared, &mut bodies, tokens);
            }
            role => encode::encode(role.kind(), list, shared, &mut bodies, tokens),
        }
        put_varint(heads, u64::from(column));
        put_bytes(heads, &bodies.head);
        let parts = [
            (stream::NUMBERS, &bodies.numbers),
            (stream::TEXT, &bodies.text),
            (stream::TEMPLATES, &bodies.templates),
        ];
        for (part, bytes) in parts {
            let key = stream::of_column(column, part);
            self.chunks.put(key, StreamKey { stream: key, group }, bytes);
        }
    }

    fn put_integers(&mut self, group: u32, stream: u32, values: &[i64], heads: &mut Vec<u8>) {
        let mut body = Vec::new();
        ints::encode(values, heads, &mut body);
        self.chunks.put(stream, StreamKey { stream, group }, &body);
    }

    /// Writes the offsets that differ from what the row before says: its offset plus its length, or plus one.
    fn put_offsets(&mut self, group: u32, rows: &[RowRef<'_>], runs: &[SourceRun], heads: &mut Vec<u8>) {
        let offset = |index: usize| rows[index].row().offset;
        let (mut at, mut differences) = (Vec::new(), Vec::new());
        let mut last = 0;
        for run in runs {
            let inner = run.start as usize + 1..(run.start + run.rows) as usize;
            let steps =
                inner.clone().filter(|index| offset(*index) == offset(index - 1).wrapping_add(1)).count();
            let by_length = steps * 2 < inner.len();
            heads.push(u8::from(by_length));
            for index in inner {
                let length = if by_length { u64::from(rows[index - 1].row().len) } else { 1 };
                let difference = offset(index).wrapping_sub(offset(index - 1).wrapping_add(length));
                if difference != 0 {
                    at.push((index - last) as i64);
                    differences.push(difference as i64);
                    last = index;
                }
            }
        }
        put_varint(heads, at.len() as u64);
        let mut body = Vec::new();
        ints::encode(&at, heads, &mut body);
        ints::encode(&differences, heads, &mut body);
        self.chunks.put(stream::OFFSETS, StreamKey { stream: stream::OFFSETS, group }, &body);
    }

    /// The number of each row's context.
    fn context_codes(&mut self, rows: &[RowRef<'_>]) -> Vec<i64> {
        let mut last: Option<(&Arc<Context>, u32)> = None;
        rows.iter()
            .map(|row| {
                let context = &row.batch.context;
                let id = match last {
                    Some((have, id)) if Arc::ptr_eq(have, context) => id,
                    _ => self.context_id(context),
                };
                last = Some((context, id));
                self.context_rows[id as usize] += 1;
                i64::from(id)
            })
            .collect()
    }

    fn context_id(&mut self, context: &Arc<Context>) -> u32 {
        if let Some(id) = self.context_ids.get(context) {
            return *id;
        }
        let id = self.contexts.len() as u32;
        self.contexts.push(context.clone());
        self.context_rows.push(0);
        self.context_ids.insert(context.clone(), id);
        id
    }

    /// What the footer says of the group; adds its sources.
    fn describe(&mut self, rows: &[RowRef<'_>]) -> GroupMeta {
        let times = || rows.iter().map(|row| row.row().time);
        let mut runs: Vec<SourceRun> = Vec::new();
        let same = |a: &RowRef<'_>, b: &RowRef<'_>| {
            (a.batch.source.id, a.batch.epoch) == (b.batch.source.id, b.batch.epoch)
        };
        let mut start = 0;
        for run in rows.chunk_by(same) {
            let (first, last) = (run[0].row().offset, run[run.len() - 1].row().offset);
            let source = self.source_of(run, first, last);
            runs.push(SourceRun { source, start, rows: run.len() as u32, first, last });
            start += run.len() as u32;
        }
        GroupMeta {
            rows: rows.len() as u32,
            raw_bytes: rows.iter().map(|row| u64::from(row.row().len)).sum(),
            first_time: times().min().unwrap_or(0),
            last_time: times().max().unwrap_or(0),
            runs,
        }
    }

    fn source_of(&mut self, run: &[RowRef<'_>], first: u64, last: u64) -> u32 {
        let batch = run[0].batch;
        let known = self
            .sources
            .iter_mut()
            .enumerate()
            .find(|(_, range)| range.source == batch.source.id && range.epoch == batch.epoch);
        if let Some((at, range)) = known {
            range.first = range.first.min(first);
            range.last = range.last.max(last);
            range.rows += run.len() as u64;
            return at as u32;
        }
        self.sources.push(SourceRange {
            source: batch.source.id,
            name: batch.source.facts.name.clone(),
            epoch: batch.epoch,
            first,
            last,
            rows: run.len() as u64,
        });
        self.sources.len() as u32 - 1
    }
}

/// Has words of a text line indexed that those of its values do not give: of values that are escaped, as they are
/// written; and all of them where tokens run over the edges of slots.
fn note_words<'a>(row: RowRef<'a>, glued: bool, values: &mut Values<'a>) {
    let marks = row.row().marks;
    if marks.has(Marks::JSON) || marks.has(Marks::MAP) {
        return;
    }
    if glued {
        values.loose.push((Kind::Text, row.raw()));
        return;
    }
    for slot in row.slots().iter().filter(|slot| slot.kind == Kind::JsonText && row.is_printed(slot)) {
        if memchr::memchr(b'\\', row.slot(slot)).is_some() {
            values.loose.push((Kind::Text, row.slot(slot)));
        }
    }
}

fn by_row(rows: &[RowRef<'_>], what: impl Fn(&RowRef<'_>) -> i64) -> Vec<i64> {
    rows.iter().map(what).collect()
}

/// Whether a token runs over this place.
fn is_glued(raw: &[u8], at: usize) -> bool {
    at > 0 && at < raw.len() && token::is_token_byte(raw[at - 1]) && token::is_token_byte(raw[at])
}
