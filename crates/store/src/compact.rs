//! Compaction: many small segments become few large ones, written once more with the strong codec. Reads groups as
//! batches, merges them by time and cuts new groups. Knows nothing of scans: they hold the old files until they end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{Batch, Nanos, Predicate, RowRef, Tenant, TimeRange};

use crate::catalogue::Change;
use crate::engine::{Engine, lock};
use crate::flush::{Output, age_from, by_address};
use crate::handle::Handle;
use crate::segment::{Effort, GROUP_BYTES, GROUP_ROWS, GroupMeta, Segment};
use crate::{Full, Held, StoreError};

/// So many segments of a kind are worth a merge.
const ENOUGH: usize = 8;
/// Raw bytes of groups that a merge may hold decoded at a time.
const OPEN_BYTES: u64 = 64 << 20;
/// Memory for a raw byte of a decoded group: itself, and its rows, slots and the group that is made of it.
const DECODED: u64 = 2;
/// What a source has in a decoded group beside its lines, bytes: a batch of its own.
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

    /// Bytes of groups that a merge may hold decoded at a time.
    fn open_bytes(&self) -> u64 {
        OPEN_BYTES.min(self.shares.compaction.most() / DECODED)
    }

    /// Memory for a merge, bytes; never more than compaction may ever have.
    fn needed(&self, inputs: &[Arc<Handle>]) -> Result<u64, StoreError> {
        let spans = spans(inputs)?;
        let stored: u64 = inputs.iter().map(|handle| handle.entry.stored_bytes).sum();
        Ok((most_open(&spans) * DECODED + stored).min(self.shares.compaction.most()))
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
                let later = rest.split_off(fitting(&rest, self.open_bytes())?);
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
            if candidates.len() >= ENOUGH || !strong && bytes >= segment_bytes {
                let mut chosen = candidates;
                let fits = fitting(&chosen, self.open_bytes()).unwrap_or(1);
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
        let mut merge = Merge::new(inputs)?;
        let too_old = |row: &RowRef<'_>| age_from(row) < horizon;
        match self.rewrite(tenant, &mut merge, Effort::Strong, &too_old, done) {
            Ok(added) => {
                let removed = merge.numbers();
                drop(merge);
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
                output.get_or_insert_with(|| Output::anew(tenant, effort)).add(&mut rows);
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

/// First and last time of the groups of these segments, and their bytes once they are decoded (of which there are [`DECODED`] copies).
fn spans(list: &[Arc<Handle>]) -> Result<Vec<(Nanos, Nanos, u64)>, StoreError> {
    let mut spans = Vec::new();
    for handle in list {
        let Some(segment) = handle.segment()? else { continue };
        let bytes = |group: &GroupMeta| group.raw_bytes + group.runs.len() as u64 * OF_SOURCE;
        spans.extend(segment.meta().groups.iter().map(|g| (g.first_time, g.last_time, bytes(g))));
    }
    Ok(spans)
}

/// The most bytes of groups whose times have a moment in common.
fn most_open(spans: &[(Nanos, Nanos, u64)]) -> u64 {
    let mut edges: Vec<(Nanos, bool, u64)> = Vec::with_capacity(spans.len() * 2);
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

    fn head(&self) -> Option<Nanos> {
        let (batch, row) = self.order.get(self.taken)?;
        Some(self.group.batches[*batch as usize].rows[*row as usize].time)
    }

    fn take(&mut self) -> Option<Picked> {
        let (batch, row) = *self.order.get(self.taken)?;
        self.taken += 1;
        Some(Picked { group: self.group.clone(), batch, row })
    }
}

/// The rows of several segments by time; a group is decoded when its first row may be the next.
struct Merge {
    /// What is merged.
    inputs: Vec<(Arc<Handle>, Arc<Segment>)>,
    /// Groups not yet decoded, last ones first: (first time, input, group).
    pending: Vec<(Nanos, usize, usize)>,
    cursors: Vec<Option<Cursor>>,
    heads: BinaryHeap<Reverse<(Nanos, usize)>>,
    /// A row that did not fit the group before.
    left_over: Option<Picked>,
    /// Rows that were to go.
    left_out: u64,
    /// Whose group is being read, to name the one at fault.
    reading: Option<Arc<Handle>>,
}

impl Merge {
    fn new(handles: &[Arc<Handle>]) -> Result<Merge, StoreError> {
        let mut inputs = Vec::new();
        for handle in handles {
            if let Some(segment) = handle.segment()? {
                inputs.push((handle.clone(), segment));
            }
        }
        let mut pending = Vec::new();
        for (input, (_, segment)) in inputs.iter().enumerate() {
            for (index, group) in segment.meta().groups.iter().enumerate() {
                pending.push((group.first_time, input, index));
            }
        }
        pending.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Merge {
            inputs,
            pending,
            cursors: Vec::new(),
            heads: BinaryHeap::new(),
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
        while let Some((first_time, input, group)) = self.pending.last().copied() {
            if self.heads.peek().is_some_and(|Reverse((time, _))| *time < first_time) {
                break;
            }
            self.pending.pop();
            let (handle, segment) = &self.inputs[input];
            self.reading = Some(handle.clone());
            let cursor = Cursor::new(segment.group(group)?.batches()?);
            self.reading = None;
            if let Some(time) = cursor.head() {
                let slot = self.cursors.iter().position(Option::is_none).unwrap_or(self.cursors.len());
                if slot == self.cursors.len() {
                    self.cursors.push(None);
                }
                self.cursors[slot] = Some(cursor);
                self.heads.push(Reverse((time, slot)));
            }
        }
        let Some(Reverse((_, slot))) = self.heads.pop() else { return Ok(None) };
        let Some(cursor) = &mut self.cursors[slot] else { return Ok(None) };
        let picked = cursor.take();
        match cursor.head() {
            Some(time) => self.heads.push(Reverse((time, slot))),
            None => self.cursors[slot] = None,
        }
        Ok(picked)
    }
}
