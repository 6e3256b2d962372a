//! Compaction: many small segments become few large ones, written once more with the strong codec. Reads groups as
//! batches, merges them by time and cuts new groups. Knows nothing of scans: they hold the old files until they end.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{Address, Batch, Nanos, Predicate, RowRef, SourceId, Tenant, TimeRange};
use sawlog_sys::task;

use crate::catalogue::Change;
use crate::engine::{Engine, lock};
use crate::flush::{Output, Rows, age_from, by_address};
use crate::handle::Handle;
use crate::segment::{Cache, Effort, GROUP_BYTES, GROUP_ROWS, GroupMeta, Segment, SourceRange, SourceRun};
use crate::{Full, Held, StoreError};

#[cfg(test)]
mod tests;

/// So many segments of a kind are worth a merge.
const ENOUGH: usize = 8;
/// So many, where what eight of them make would soon be merged once more: most bytes are to be written twice at most. Of tenants with very
/// little that costs nothing, and their segments are many enough.
const MANY: usize = 3 * ENOUGH;
/// Bytes of groups that a merge may hold decoded at a time: one beside what comes in, and one that somebody waits for. The more it
/// holds, the fewer segments are left, and the fewer bytes.
const OPEN_BESIDE: u64 = 24 << 20;
const OPEN_ALONE: u64 = 72 << 20;
/// Blocks of its inputs that a merge keeps, bytes.
const BLOCKS: usize = 12 << 20;
/// Bytes for what a merge writes: columns before they are packed, dictionaries, words of the index.
const WRITING: u64 = 40 << 20;
/// What a row and a slot take beside their bytes in a decoded group and in the one that is made of it, and what a source has there: a
/// batch of its own; bytes.
const OF_ROW: u64 = 80;
const OF_SLOT: u64 = 16;
const OF_SOURCE: u64 = 512;
/// A merge takes no further segment above so many sources of those before: each stands in the footer of what is made, with its name.
const MOST_SOURCES: usize = 128 << 10;
/// After a merge that failed (a full disk, say) none is tried for so long: it would fail again after as much work.
const PAUSE: Duration = Duration::from_secs(60);

/// Calls back with raw bytes done and raw bytes in all.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Engine {
    /// Merges what is worth it now, one tenant after the other, until so much time has passed; returns whether it did.
    pub fn compact_for(&self, time: Duration) -> Result<bool, StoreError> {
        let mut not_before = lock(&self.merging);
        let now = self.sys.clock.monotonic();
        if now < *not_before {
            return Ok(false);
        }
        let mut compacted = false;
        for tenant in self.tenants() {
            loop {
                let chosen = self.worth_merging(&self.mergeable(tenant));
                if chosen.is_empty() {
                    break;
                }
                // What came in is written first: rows and what a merge holds would else be in memory together.
                if lock(&self.live).memtable.weight() > self.options.memtable_bytes / 2 {
                    return Ok(compacted);
                }
                // Questions come first: what they leave too little for is merged when they are done.
                let Ok(held) = self.shares.compaction.take(self.needed(&chosen)?) else {
                    return Ok(compacted);
                };
                self.merge(tenant, &chosen, &mut |_| ()).inspect_err(|_| *not_before = now + PAUSE)?;
                drop(held);
                compacted = true;
                if self.sys.clock.monotonic() >= now + time {
                    return Ok(true);
                }
            }
        }
        Ok(compacted)
    }

    /// Bytes of groups that a merge may hold decoded at a time, at most `most`.
    fn open_bytes(&self, most: u64) -> u64 {
        most.min(self.shares.compaction.most() / 2)
    }

    /// Memory for a merge, bytes; never more than compaction may ever have.
    fn needed(&self, inputs: &[Arc<Handle>]) -> Result<u64, StoreError> {
        Ok((most_open(&spans(inputs)?) + BLOCKS as u64 + WRITING).min(self.shares.compaction.most()))
    }

    /// Holds the memory for a merge that somebody waits for: as long as questions give some back, he waits.
    fn hold_for(&self, inputs: &[Arc<Handle>]) -> Result<Held, StoreError> {
        let full = |full: Full| StoreError::Memory(full.to_string());
        self.shares.compaction.take_within(self.needed(inputs)?, PAUSE).map_err(full)
    }

    /// Merges everything that is not large and strong already.
    pub fn compact_all(&self, progress: Progress<'_>) -> Result<(), StoreError> {
        if self.options.read_only {
            return Err(StoreError::ReadOnly);
        }
        let _one_at_a_time = lock(&self.merging);
        let work: Vec<(Tenant, Vec<Arc<Handle>>)> = self
            .tenants()
            .into_iter()
            .map(|tenant| (tenant, unfinished(&self.mergeable(tenant), self.options.segment_bytes)))
            .collect();
        let total = work.iter().flat_map(|(_, list)| list).map(|handle| handle.entry.raw_bytes).sum();
        let mut done = 0;
        progress(0, total);
        for (tenant, mut rest) in work {
            while !rest.is_empty() {
                let later = rest.split_off(fitting(&rest, self.open_bytes(OPEN_ALONE))?);
                let merged: u64 = rest.iter().map(|handle| handle.entry.raw_bytes).sum();
                // A single strong segment would come out as it went in.
                if rest.len() > 1 || !rest[0].entry.strong {
                    let held = self.hold_for(&rest)?;
                    self.merge(tenant, &rest, &mut |bytes| progress((done + bytes).min(total), total))?;
                    drop(held);
                }
                done += merged;
                progress(done, total);
                rest = later;
            }
        }
        Ok(())
    }

    /// The segments to merge while others wait: enough cheap ones, or else enough strong ones that stayed small.
    fn worth_merging(&self, list: &[Arc<Handle>]) -> Vec<Arc<Handle>> {
        let segment_bytes = self.options.segment_bytes;
        for strong in [false, true] {
            let small = segment_bytes / ENOUGH as u64;
            let candidates: Vec<Arc<Handle>> = list
                .iter()
                .filter(|handle| handle.entry.strong == strong && (!strong || handle.entry.raw_bytes < small))
                .cloned()
                .collect();
            let bytes: u64 = candidates.iter().map(|handle| handle.entry.raw_bytes).sum();
            let enough = match strong {
                false if bytes < small && bytes > small / ENOUGH as u64 => MANY,
                _ => ENOUGH,
            };
            if candidates.len() >= enough || !strong && bytes >= segment_bytes {
                let mut chosen = candidates;
                let fits = fitting(&chosen, self.open_bytes(OPEN_BESIDE)).unwrap_or(1);
                chosen.truncate(fits);
                if chosen.len() > 1 || !strong {
                    return chosen;
                }
            }
        }
        Vec::new()
    }

    pub fn tenants(&self) -> Vec<Tenant> {
        lock(&self.live).segments.keys().copied().collect()
    }

    pub fn handles(&self, tenant: Tenant) -> Vec<Arc<Handle>> {
        lock(&self.live).segments.get(&tenant).map(|list| list.to_vec()).unwrap_or_default()
    }

    /// A tenant's segments in the order of time, without damaged ones.
    fn mergeable(&self, tenant: Tenant) -> Vec<Arc<Handle>> {
        let mut list = self.handles(tenant);
        list.retain(|handle| !handle.is_damaged());
        list.sort_by_key(|handle| (handle.entry.first_time, handle.entry.number));
        list
    }

    /// Writes the rows of `inputs` anew and commits the new segments in place of them.
    fn merge(
        &self,
        tenant: Tenant,
        inputs: &[Arc<Handle>],
        done: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let horizon = self.deletion_horizon();
        // What flushes gave up lies in pieces that a merge cannot use, and what a merge gives up is of no use to rows.
        task::give_memory_back();
        let mut merge = Merge::new(inputs)?;
        let too_old = |row: &RowRef<'_>| age_from(row) < horizon;
        match self.rewrite(tenant, &mut merge, Effort::Strong, &too_old, done) {
            Ok(added) => {
                let removed = merge.numbers();
                drop(merge);
                task::give_memory_back();
                self.commit(Change { removed, ..Change::default() }, added, |_| ())
            }
            Err(error) => self.blame(&merge.reading, error),
        }
    }

    /// Writes the rows of `merge` for which `goes` does not hold to new segments, which no commit names yet.
    fn rewrite(
        &self,
        tenant: Tenant,
        merge: &mut Merge,
        effort: Effort,
        goes: &dyn Fn(&RowRef<'_>) -> bool,
        done: &mut dyn FnMut(u64),
    ) -> Result<Vec<Arc<Handle>>, StoreError> {
        let total: u64 = merge.inputs.iter().map(|(handle, _)| handle.entry.raw_bytes).sum();
        let outputs = total.div_ceil(self.options.segment_bytes.max(1)).max(1);
        let target = total.div_ceil(outputs);
        let mut added: Vec<Arc<Handle>> = Vec::new();
        let mut output: Option<Output> = None;
        let mut written = 0;
        let mut next = || -> Result<bool, StoreError> {
            let picked = merge.next_group(goes)?;
            if let Some(picked) = &picked {
                let mut rows: Vec<RowRef<'_>> = picked.iter().map(Picked::row).collect();
                let now = match &mut output {
                    Some(output) => output,
                    none => none.insert(self.begin_segment(tenant, effort, Rows::Anew)?),
                };
                now.add(&mut rows);
                // What groups give up lies between what flushes hold, in pieces that neither can use.
                drop(rows);
                task::give_memory_back();
            }
            let raw_bytes = output.as_ref().map_or(0, |output| output.raw_bytes);
            done(written + raw_bytes);
            if raw_bytes >= target || picked.is_none() {
                added.extend(output.take().map(|output| self.write_segment(output)).transpose()?);
                written += raw_bytes;
            }
            Ok(picked.is_some())
        };
        let result = loop {
            match next() {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let rows: u64 = added.iter().map(|handle| handle.entry.rows).sum();
        let expected: u64 = merge.inputs.iter().map(|(handle, _)| handle.entry.rows).sum();
        let result = result.and_then(|()| match rows + merge.left_out == expected {
            true => Ok(()),
            // Nothing was committed, the inputs stay as they are.
            false => Err(StoreError::damaged(
                &merge.inputs[0].0.path(),
                format!("writing anew gave {rows} rows of {expected}; the segments were left as they are"),
            )),
        });
        match result {
            Ok(()) => Ok(added),
            Err(error) => {
                self.discard(added);
                Err(error)
            }
        }
    }

    /// Removes the rows of a tenant that the predicate keeps and whose time is in the range, with their bytes: what is in
    /// memory is flushed, segments that hold such rows are written anew without them, and one commit makes it count.
    /// Returns how many rows went.
    pub fn delete(&self, tenant: Tenant, range: TimeRange, predicate: &Predicate) -> Result<u64, StoreError> {
        self.flush(|_| vec![tenant])?;
        let _one_at_a_time = lock(&self.merging);
        let goes = |row: &RowRef<'_>| range.contains(row.row().time) && predicate.keeps(row);
        let (mut removed, mut added, mut gone) = (Vec::new(), Vec::new(), 0);
        for handle in self.handles(tenant) {
            if !holds_any(&handle, range, predicate)? {
                continue;
            }
            let effort = if handle.entry.strong { Effort::Strong } else { Effort::Cheap };
            let input = [handle];
            let mut merge = Merge::new(&input)?;
            let written = self
                .hold_for(&input)
                .and_then(|_held| self.rewrite(tenant, &mut merge, effort, &goes, &mut |_| ()));
            match written {
                Ok(segments) => added.extend(segments),
                Err(error) => {
                    self.discard(added);
                    return Err(error);
                }
            }
            gone += merge.left_out;
            removed.extend(merge.numbers());
        }
        if !removed.is_empty() {
            self.commit(Change { removed, ..Change::default() }, added, |_| ())?;
        }
        Ok(gone)
    }

    /// A segment that cannot be read is set aside and merged no more; the others are merged the next time.
    fn blame(&self, reading: &Option<Arc<Handle>>, error: StoreError) -> Result<(), StoreError> {
        match reading {
            Some(handle) => handle.quarantine(error),
            None => Err(error),
        }
    }
}

/// Whether a segment has rows that the predicate keeps and whose time is in the range.
fn holds_any(handle: &Arc<Handle>, range: TimeRange, predicate: &Predicate) -> Result<bool, StoreError> {
    if !range.overlaps(handle.entry.first_time, handle.entry.last_time) {
        return Ok(false);
    }
    let damaged = || StoreError::damaged(&handle.path(), "it may hold such rows; repair the store first");
    let segment = handle.segment()?.ok_or_else(damaged)?;
    for (index, group) in segment.meta().groups.iter().enumerate() {
        if range.overlaps(group.first_time, group.last_time) && segment.count(index, predicate, range)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Segments that are small or were written cheaply.
fn unfinished(list: &[Arc<Handle>], segment_bytes: u64) -> Vec<Arc<Handle>> {
    list.iter()
        .filter(|handle| !handle.entry.strong || handle.entry.raw_bytes < segment_bytes / 2)
        .cloned()
        .collect()
}

/// How many of these segments, from the front, can be merged with at most `open_bytes` of groups decoded at a time and not too many sources: at
/// least one.
fn fitting(list: &[Arc<Handle>], open_bytes: u64) -> Result<usize, StoreError> {
    let (mut all, mut sources) = (Vec::new(), 0);
    for (index, handle) in list.iter().enumerate() {
        all.extend(spans(std::slice::from_ref(handle))?);
        sources += handle.segment()?.map_or(0, |segment| segment.meta().sources.len());
        if index > 0 && (most_open(&all) > open_bytes || sources > MOST_SOURCES) {
            return Ok(index);
        }
    }
    Ok(list.len())
}

/// A place in the total order of rows.
type Key = (Nanos, Address);

/// Least and largest key that rows of a group may have.
fn bounds(segment: &Segment, group: &GroupMeta) -> (Key, Key) {
    let address = |run: &SourceRun, offset| {
        let SourceRange { source, epoch, .. } = segment.meta().sources[run.source as usize];
        Address { source, epoch, offset }
    };
    // Runs stand in the order of addresses.
    let least = group.runs.first().map(|run| address(run, run.first));
    let most = group.runs.last().map(|run| address(run, run.last));
    let none = Address { source: SourceId(0), epoch: 0, offset: 0 };
    ((group.first_time, least.unwrap_or(none)), (group.last_time, most.unwrap_or(none)))
}

/// Where the groups of these segments begin and end, and their bytes once they are decoded, about.
fn spans(list: &[Arc<Handle>]) -> Result<Vec<(Key, Key, u64)>, StoreError> {
    let mut spans = Vec::new();
    for handle in list {
        let Some(segment) = handle.segment()? else { continue };
        let meta = segment.meta();
        let slots: u64 = meta.fields.iter().map(|field| field.rows).sum();
        let of_row = OF_ROW + slots * OF_SLOT / meta.rows.max(1);
        spans.extend(meta.groups.iter().map(|group| {
            let of_rows = u64::from(group.rows) * of_row + group.runs.len() as u64 * OF_SOURCE;
            let (first, last) = bounds(&segment, group);
            (first, last, group.raw_bytes + of_rows)
        }));
    }
    Ok(spans)
}

/// The most bytes of groups that have a place in common.
fn most_open(spans: &[(Key, Key, u64)]) -> u64 {
    let mut edges: Vec<(Key, bool, u64)> = Vec::with_capacity(spans.len() * 2);
    for (first, last, bytes) in spans {
        edges.push((*first, false, *bytes));
        edges.push((*last, true, *bytes));
    }
    edges.sort_unstable();
    let (mut open, mut most) = (0, 0);
    for (_, closes, bytes) in edges {
        match closes {
            true => open -= bytes,
            false => open += bytes,
        }
        most = most.max(open);
    }
    most
}

/// A decoded group.
struct Decoded {
    batches: Vec<Batch>,
}

/// A row of a decoded group, which it keeps in memory.
struct Picked {
    group: Arc<Decoded>,
    batch: u32,
    row: u32,
}

impl Picked {
    fn row(&self) -> RowRef<'_> {
        self.group.batches[self.batch as usize].row(self.row as usize)
    }
}

/// Rows of a decoded group in the order of time, and how many have been taken.
struct Cursor {
    group: Arc<Decoded>,
    order: Vec<(u32, u32)>,
    taken: usize,
}

impl Cursor {
    fn new(batches: Vec<Batch>) -> Cursor {
        let mut order = Vec::new();
        for (index, batch) in batches.iter().enumerate() {
            order.extend((0..batch.rows.len() as u32).map(|row| (index as u32, row)));
        }
        let at = |(batch, row): &(u32, u32)| batches[*batch as usize].row(*row as usize);
        order.sort_by(|a, b| {
            let (a, b) = (at(a), at(b));
            a.row().time.cmp(&b.row().time).then_with(|| by_address(&a, &b))
        });
        Cursor { group: Arc::new(Decoded { batches }), order, taken: 0 }
    }

    /// The place of the next row.
    fn head(&self) -> Option<Key> {
        let (batch, row) = self.order.get(self.taken)?;
        let row = self.group.batches[*batch as usize].row(*row as usize);
        Some((row.row().time, row.address()))
    }

    fn take(&mut self) -> Option<Picked> {
        let (batch, row) = *self.order.get(self.taken)?;
        self.taken += 1;
        Some(Picked { group: self.group.clone(), batch, row })
    }
}

/// A cursor that waits, by the place of its next row.
struct Waiting {
    head: Key,
    cursor: Cursor,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.head.cmp(&other.head)
    }
}

/// The rows of several segments in their total order; a group is decoded when its first row may be the next.
struct Merge {
    /// What is merged.
    inputs: Vec<(Arc<Handle>, Arc<Segment>)>,
    /// Groups not yet decoded, last ones first: (least key, input, group).
    pending: Vec<(Key, usize, usize)>,
    /// Whose rows are the next, and up to where they surely are.
    current: Option<Cursor>,
    until: Option<Key>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// A row that did not fit the group before.
    left_over: Option<Picked>,
    /// Rows that were to go.
    left_out: u64,
    /// Whose group is being read, to name the one at fault.
    reading: Option<Arc<Handle>>,
}

impl Merge {
    fn new(handles: &[Arc<Handle>]) -> Result<Merge, StoreError> {
        // What questions asked for stays in their cache.
        let cache = Arc::new(Cache::for_one_question(BLOCKS));
        let mut inputs = Vec::new();
        for handle in handles {
            match handle.open_beside(&cache) {
                Ok(segment) => inputs.push((handle.clone(), segment)),
                Err(error) => handle.quarantine(error)?,
            }
        }
        let mut pending = Vec::new();
        for (input, (_, segment)) in inputs.iter().enumerate() {
            for (index, group) in segment.meta().groups.iter().enumerate() {
                pending.push((bounds(segment, group).0, input, index));
            }
        }
        pending.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Merge {
            inputs,
            pending,
            current: None,
            until: None,
            waiting: BinaryHeap::new(),
            left_over: None,
            left_out: 0,
            reading: None,
        })
    }

    /// Numbers of the segments that are merged.
    fn numbers(&self) -> Vec<u64> {
        self.inputs.iter().map(|(handle, _)| handle.entry.number).collect()
    }

    /// The rows of the next group to write, without those for which `goes` holds; `None` at the end.
    fn next_group(&mut self, goes: &dyn Fn(&RowRef<'_>) -> bool) -> Result<Option<Vec<Picked>>, StoreError> {
        let mut rows: Vec<Picked> = Vec::new();
        let mut bytes = 0;
        while rows.len() < GROUP_ROWS {
            let Some(picked) = self.next_row()? else { break };
            let row = picked.row();
            if goes(&row) {
                self.left_out += 1;
                continue;
            }
            bytes += u64::from(row.row().len);
            if bytes > GROUP_BYTES && !rows.is_empty() {
                self.left_over = Some(picked);
                break;
            }
            rows.push(picked);
        }
        Ok((!rows.is_empty()).then_some(rows))
    }

    fn next_row(&mut self) -> Result<Option<Picked>, StoreError> {
        if let Some(row) = self.left_over.take() {
            return Ok(Some(row));
        }
        let head = self.current.as_ref().and_then(Cursor::head);
        let goes_on = head.is_some_and(|head| self.until.is_none_or(|until| head <= until));
        if !goes_on {
            self.change()?;
        }
        Ok(self.current.as_mut().and_then(Cursor::take))
    }

    /// Goes on with the cursor whose next row is before those of all others.
    fn change(&mut self) -> Result<(), StoreError> {
        if let Some(cursor) = self.current.take() {
            self.wait(cursor);
        }
        while let Some((least, input, group)) = self.pending.last().copied() {
            if self.waiting.peek().is_some_and(|Reverse(waiting)| waiting.head < least) {
                break;
            }
            self.pending.pop();
            let (handle, segment) = &self.inputs[input];
            self.reading = Some(handle.clone());
            let cursor = Cursor::new(segment.group(group)?.batches()?);
            self.reading = None;
            self.wait(cursor);
        }
        self.current = self.waiting.pop().map(|Reverse(waiting)| waiting.cursor);
        let waiting = self.waiting.peek().map(|Reverse(waiting)| waiting.head);
        let pending = self.pending.last().map(|(least, ..)| *least);
        self.until = waiting.into_iter().chain(pending).min();
        Ok(())
    }

    fn wait(&mut self, cursor: Cursor) {
        if let Some(head) = cursor.head() {
            self.waiting.push(Reverse(Waiting { head, cursor }));
        }
    }
}
