//! Makes a segment: takes rows apart into skeletons and values, a row group at a time, and writes streams, index and
//! footer to a file. Knows nothing of its name.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use sawlog_model::{Context, Kind, RowRef, SourceId, Tenant};
use sawlog_sys::File;

use super::chunk::{Chunks, StreamKey};
use super::cursor::{put_bytes, put_varint};
use super::dissect::{Dissector, Values};
use super::encode::{self, Bodies, Input, Shared};
use super::fields::{self, Role};
use super::interner::Interner;
use super::leaders::Leaders;
use super::out::Out;
use super::parts::Frames;
use super::{
    Effort, Finished, GroupMeta, SegmentMeta, SourceRange, SourceRun, counts, footer, index, ints, offsets,
    parts, printing, stream, tokens,
};
use crate::FieldCount;

/// Makes a segment, one row group after the other.
pub struct SegmentWriter {
    tenant: Tenant,
    effort: Effort,
    chunks: Chunks,
    dissector: Dissector,
    frames: Frames,
    shared: Vec<Shared>,
    /// Dictionaries, each of all text columns of one name.
    dictionaries: Vec<Interner>,
    contexts: Vec<Arc<Context>>,
    context_rows: Vec<u64>,
    context_ids: HashMap<Arc<Context>, u32>,
    sources: Vec<SourceRange>,
    /// Where each of them stands, by id and epoch.
    source_places: HashMap<(SourceId, u32), u32>,
    groups: Vec<GroupMeta>,
    /// Tokens of each group: of what it shares, and of text.
    tokens: [Vec<Vec<u32>>; 2],
    /// Integers of each group that are not indexed, least and largest.
    ranges: Vec<Option<(u64, u64)>>,
    time_shapes: BTreeSet<Vec<u8>>,
    /// Columns with values that are addresses as a whole.
    addressed: BTreeSet<u32>,
}

impl SegmentWriter {
    /// A writer for rows of one tenant to an empty file.
    pub fn new(tenant: Tenant, effort: Effort, file: Box<dyn File>) -> Self {
        SegmentWriter {
            tenant,
            effort,
            chunks: Chunks::new(effort, Out::new(file)),
            dissector: Dissector::default(),
            frames: Frames::default(),
            shared: Vec::new(),
            dictionaries: Vec::new(),
            contexts: Vec::new(),
            context_rows: Vec::new(),
            context_ids: HashMap::new(),
            sources: Vec::new(),
            source_places: HashMap::new(),
            groups: Vec::new(),
            tokens: Default::default(),
            ranges: Vec::new(),
            time_shapes: BTreeSet::new(),
            addressed: BTreeSet::new(),
        }
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
        let shapes = self.dissector.group(rows, &mut values);
        let meta = self.describe(rows);
        let times = by_row(rows, |row| row.row().time);
        let mut frames = std::mem::take(&mut self.frames);
        let framed = frames.cut(&mut self.dissector.fields, &mut values, &times, meta.raw_bytes);
        frames.lend(&framed, &mut values);
        let families = parts::families(&framed);
        let columns = self.dissector.fields.list().len();
        self.shared.resize_with(columns, || Shared::new(self.effort));
        self.dictionaries.resize_with(columns, Interner::default);
        self.put_integers(group, stream::SHAPES, &shapes, &mut heads);
        self.put_integers(group, stream::TIMES, &times, &mut heads);
        self.put_integers(group, stream::RECEIVED, &by_row(rows, |row| row.row().received), &mut heads);
        let contexts = self.context_codes(rows);
        self.put_integers(group, stream::CONTEXTS, &contexts, &mut heads);
        self.put_offsets(group, rows, &meta.runs, &mut heads);
        let mut counts = Vec::new();
        let counted = counts::count(&shapes, counts::ROWS_PER_CODE);
        if !counted.is_empty() {
            counts::put(counts::SKELETONS, &counted, &mut counts);
        }
        let mut tokens = tokens::Tokens::default();
        let rest: Vec<&[u8]> = values.rest.iter().map(Vec::as_slice).collect();
        let mut leaders = Leaders::new(rows.len());
        for (number, (list, rows)) in values.columns.iter().zip(&values.rows).enumerate() {
            let role = self.dissector.fields.list()[number].role;
            let list = if role == Role::Rest { &rest } else { list };
            if let Some(framed) = framed.get(&(number as u32)) {
                let mut bodies = Bodies::default();
                framed.put(&mut bodies);
                self.put_bodies(group, number as u32, &bodies, &mut heads);
            }
            if !list.is_empty() {
                // A whole JSON line has words in written and in decoded form.
                let kind = if role == Role::Raw { Kind::Json } else { role.kind() };
                let number = number as u32;
                let family = families.get(&number).copied().unwrap_or(0);
                let input = Input { number, kind, values: list, rows, times: &times, nested: false, family };
                tokens.begin_column();
                let counted = self.put_column(group, &input, &mut leaders, &mut heads, &mut tokens);
                if tokens.end_column() {
                    self.addressed.insert(number);
                }
                if (counts::LONG..=times.len()).contains(&counted.len()) {
                    let (key, mut alone) = (stream::of_column(number, stream::COUNTED), Vec::new());
                    counts::put_alone(&counted, &mut alone);
                    self.chunks.put(key, StreamKey { stream: key, group }, &alone);
                } else if !counted.is_empty() {
                    counts::put(number + 1, &counted, &mut counts);
                }
            }
        }
        self.dissector.add_literals(&shapes, &mut tokens);
        for (kind, value) in &values.loose {
            tokens.of_kind(*kind).add_text(value);
        }
        values.dotted.iter().for_each(|line| tokens.add_addresses(line));
        self.chunks.put(stream::HEADS, StreamKey { stream: stream::HEADS, group }, &heads);
        self.chunks.put(stream::COUNTS, StreamKey { stream: stream::COUNTS, group }, &counts);
        self.time_shapes.extend(tokens.shapes().map(<[u8]>::to_vec));
        self.ranges.push(tokens.range());
        let [shared, text] = tokens.sorted();
        self.tokens[0].push(shared);
        self.tokens[1].push(text);
        self.groups.push(meta);
        self.frames = frames;
    }

    /// Ends the file and makes it durable.
    ///
    /// # Errors
    /// As the disk says, now or before.
    pub fn finish(mut self) -> io::Result<Finished> {
        let global = |stream| StreamKey { stream, group: 0 };
        let mut skeletons = Vec::new();
        encode::put_strings(self.dissector.skeletons.iter(), &mut skeletons);
        self.chunks.put(stream::SKELETONS, global(stream::SKELETONS), &skeletons);
        for (column, (shared, dictionary)) in self.shared.iter().zip(&self.dictionaries).enumerate() {
            for (part, strings) in [(stream::DICTIONARY, dictionary), (stream::TABLE, &shared.templates)] {
                if strings.len() > 0 {
                    let key = stream::of_column(column as u32, part);
                    let mut bytes = Vec::new();
                    encode::put_strings(strings.iter(), &mut bytes);
                    self.chunks.put(key, global(key), &bytes);
                }
            }
        }
        let mut index = Vec::new();
        for (tokens, pages) in self.tokens.iter().zip([stream::INDEX, stream::TEXT_INDEX]) {
            let bytes = index::write(tokens, &mut index);
            self.chunks.put(pages, global(pages), &bytes);
        }
        let meta = self.meta();
        let mut body = Vec::new();
        footer::put_meta(&meta, &mut body);
        self.dissector.fields.write(&mut body);
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
        for range in &self.ranges {
            // The least above the largest: there are none.
            let (least, most) = range.unwrap_or((1, 0));
            put_varint(&mut body, least);
            put_varint(&mut body, most);
        }
        put_varint(&mut body, self.addressed.len() as u64);
        self.addressed.iter().for_each(|column| put_varint(&mut body, u64::from(*column)));
        body.extend_from_slice(&index);
        Ok(Finished { bytes: self.chunks.finish(body)?, meta })
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

    /// In how many rows each field is, those of contexts among them.
    fn field_counts(&self) -> Vec<FieldCount> {
        let mut counts = self.dissector.field_counts();
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

    /// Writes a column; gives how often each code comes, where that is kept.
    fn put_column<'a>(
        &mut self,
        group: u32,
        input: &Input<'a>,
        leaders: &mut Leaders<'a>,
        heads: &mut Vec<u8>,
        tokens: &mut tokens::Tokens,
    ) -> Vec<(u32, u32)> {
        let column = input.number;
        let (role, layout) = (
            self.dissector.fields.list()[column as usize].role,
            self.dissector.fields.list()[column as usize].layout,
        );
        let mut bodies = Bodies::default();
        let shared = &mut self.shared[column as usize];
        let dictionary =
            &mut self.dictionaries[fields::dictionary(self.dissector.fields.list(), column) as usize];
        match role {
            Role::Field(Kind::Time) => printing::encode_times(layout, input, &mut bodies, tokens),
            Role::Rest => {
                encode::encode(input, dictionary, shared, leaders, &mut bodies, &mut tokens::Tokens::none())
            }
            _ => encode::encode(input, dictionary, shared, leaders, &mut bodies, tokens),
        }
        self.put_bodies(group, column, &bodies, heads);
        bodies.counts
    }

    fn put_bodies(&mut self, group: u32, column: u32, bodies: &Bodies, heads: &mut Vec<u8>) {
        put_varint(heads, u64::from(column));
        put_bytes(heads, &bodies.head);
        let parts = [
            (stream::NUMBERS, &bodies.numbers),
            (stream::TEXT, &bodies.text),
            (stream::TEMPLATES, &bodies.templates),
            (stream::LENGTHS, &bodies.lengths),
            (stream::DIGITS, &bodies.digits),
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

    /// Writes the offsets that differ from what the row before says: its offset plus its length, or plus one; and where
    /// the length says, now and then how far offsets have come.
    fn put_offsets(&mut self, group: u32, rows: &[RowRef<'_>], runs: &[SourceRun], heads: &mut Vec<u8>) {
        let offset = |index: usize| rows[index].row().offset;
        let (mut at, mut differences, mut covered) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = 0;
        for run in runs {
            let inner = run.start as usize + 1..(run.start + run.rows) as usize;
            let steps =
                inner.clone().filter(|index| offset(*index) == offset(index - 1).wrapping_add(1)).count();
            let by_length = steps * 2 < inner.len();
            heads.push(u8::from(by_length));
            if by_length {
                let step = |anchor| offset(anchor).wrapping_sub(offset(anchor - offsets::STRETCH)) as i64;
                covered.extend(offsets::anchors(run).map(step));
            }
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
        ints::encode(&covered, heads, &mut body);
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
        let key = (batch.source.id, batch.epoch);
        if let Some(at) = self.source_places.get(&key).copied() {
            let range = &mut self.sources[at as usize];
            range.first = range.first.min(first);
            range.last = range.last.max(last);
            range.rows += run.len() as u64;
            return at;
        }
        self.source_places.insert(key, self.sources.len() as u32);
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

fn by_row(rows: &[RowRef<'_>], what: impl Fn(&RowRef<'_>) -> i64) -> Vec<i64> {
    rows.iter().map(what).collect()
}
