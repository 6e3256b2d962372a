//! Rows that are not in a segment yet, by tenant, with what must be committed together with them: positions of their
//! sources and of the journal. Knows nothing of segments or of the disk; its owner locks it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sawlog_model::{Batch, KnownSource, Nanos, Position, SourceId, Tenant};

use crate::Origin;
use crate::catalogue::{Change, JournalMark, State, StoredSource};
use crate::memory::Held;

#[cfg(test)]
mod tests;
mod trim;

use trim::{Mark, Trimmed, trim};

/// A batch in memory.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The rows.
    pub batch: Arc<Batch>,
    /// First time.
    pub first_time: Nanos,
    /// Last time.
    pub last_time: Nanos,
    /// Where the source stands after them, if they are a file's.
    position: Option<Position>,
    /// Which of the journal's batches it is, if the journal numbers it.
    mark: Option<JournalMark>,
}

impl Entry {
    fn new(batch: Arc<Batch>, position: Option<Position>, mark: Option<JournalMark>) -> Arc<Entry> {
        let first_time = batch.rows.iter().map(|row| row.time).min().unwrap_or(Nanos::MAX);
        let last_time = batch.rows.iter().map(|row| row.time).max().unwrap_or(Nanos::MIN);
        Arc::new(Entry { batch, first_time, last_time, position, mark })
    }
}

/// The rows of one tenant.
#[derive(Default)]
struct Table {
    /// In the order they came.
    entries: Vec<Arc<Entry>>,
    /// Bytes of memory, roughly.
    weight: usize,
    /// Journal frames (second) that hold rows of the entries up to an index (first).
    frames: Vec<(usize, u64)>,
    /// The lowest of them.
    oldest_frame: Option<u64>,
}

impl Table {
    /// Notes that the frame at `at` must be kept until what is here now is stored.
    fn hold(&mut self, at: u64) {
        match self.frames.last_mut() {
            // Entries are stored from the front, so of frames held by one entry only the lowest counts.
            Some((index, have)) if *index + 1 == self.entries.len() => *have = (*have).min(at),
            _ => self.frames.push((self.entries.len() - 1, at)),
        }
        self.oldest_frame = Some(self.oldest_frame.map_or(at, |oldest| oldest.min(at)));
    }

    /// The lowest frame that holds rows beside the first `entries`.
    fn oldest_frame_after(&self, entries: usize) -> Option<u64> {
        self.frames.iter().filter(|(index, _)| *index >= entries).map(|(_, at)| *at).min()
    }

    /// Drops the first `count` entries; returns what they weighed.
    fn drop_first(&mut self, count: usize) -> usize {
        let weight = self.entries.drain(..count).map(|entry| entry.batch.weight()).sum();
        self.oldest_frame = self.oldest_frame_after(count);
        self.frames.retain_mut(|(index, _)| {
            let stays = *index >= count;
            *index = index.saturating_sub(count);
            stays
        });
        self.weight -= weight;
        weight
    }
}

/// Entries of a tenant that are being written to segments.
pub(crate) struct Frozen {
    /// Whose.
    pub tenant: Tenant,
    /// The oldest entries, in the order they came.
    pub entries: Vec<Arc<Entry>>,
}

/// All memtables.
pub(crate) struct Memtable {
    tables: HashMap<Tenant, Table>,
    /// What they weigh.
    held: Held,
    /// How far each source is stored or in memory.
    sources: HashMap<SourceId, Mark>,
    /// What the catalogue said at the start: the journal is read again from some way before.
    stored: HashMap<Tenant, JournalMark>,
    stored_cursor: u64,
    /// The last of the journal's batches that came, by tenant.
    seen: HashMap<Tenant, JournalMark>,
    /// End of the last frame seen.
    end: u64,
}

impl Frozen {
    /// Bytes of memory, roughly.
    pub fn weight(&self) -> usize {
        self.entries.iter().map(|entry| entry.batch.weight()).sum()
    }
}

impl Memtable {
    /// An empty one over what the catalogue holds; what its rows weigh is `held`.
    pub fn new(state: &State, held: Held) -> Self {
        Memtable {
            tables: HashMap::new(),
            held,
            sources: state.sources.iter().map(|(id, source)| (*id, source.mark)).collect(),
            stored: state.marks.clone(),
            stored_cursor: state.cursor,
            seen: HashMap::new(),
            end: state.cursor,
        }
    }

    /// Bytes of memory, roughly.
    pub fn weight(&self) -> usize {
        self.held.bytes() as usize
    }

    /// Bytes of memory of one tenant's, roughly.
    pub fn weight_of(&self, tenant: Tenant) -> usize {
        self.tables.get(&tenant).map_or(0, |table| table.weight)
    }

    /// Takes rows, or those of them that are not stored or here already.
    pub fn append(&mut self, batch: Arc<Batch>, origin: Origin) {
        match origin {
            Origin::Replayable(position) => self.append_positioned(batch, position, None),
            Origin::Journal { at, next, position: Some(position) } => {
                self.end = self.end.max(next);
                self.append_positioned(batch, position, Some(at));
            }
            Origin::Journal { at, next, position: None } => {
                self.end = self.end.max(next);
                self.append_numbered(batch, at);
            }
        }
    }

    /// Rows of a file: their addresses say what is new.
    fn append_positioned(&mut self, batch: Arc<Batch>, position: Position, frame: Option<u64>) {
        let mark = self.sources.get(&batch.source.id).copied().unwrap_or_default();
        let tenant = batch.tenant;
        let rest = match trim(&batch, position.mark(), mark) {
            Trimmed::Whole => batch,
            Trimmed::Part(part) => Arc::new(part),
            Trimmed::Nothing => Arc::new(Batch { rows: Vec::new(), slots: Vec::new(), ..(*batch).clone() }),
        };
        let moves = position.mark() > mark;
        if moves {
            self.sources.insert(rest.source.id, position.mark());
        }
        // The rows that were dropped may be in memory only: the frame is then the second copy of them and must stay.
        if moves || !rest.rows.is_empty() {
            self.push(tenant, Entry::new(rest, moves.then_some(position), None));
        }
        if let (Some(at), Some(table)) = (frame, self.tables.get_mut(&tenant)) {
            table.hold(at);
        }
    }

    /// Rows that only the journal holds: they are told apart by frame, and in a frame by the order of their batches.
    fn append_numbered(&mut self, batch: Arc<Batch>, at: u64) {
        let tenant = batch.tenant;
        let seen = self.seen.entry(tenant).or_default();
        let batches = if seen.at == at { seen.batches + 1 } else { 1 };
        let mark = JournalMark { at, batches };
        *seen = (*seen).max(mark);
        let is_stored =
            at < self.stored_cursor || self.stored.get(&tenant).is_some_and(|stored| mark <= *stored);
        // One without rows (none of them are for this store) counts, so that a replay numbers alike, and holds nothing.
        if !is_stored && !batch.rows.is_empty() {
            self.push(tenant, Entry::new(batch, None, Some(mark)));
            self.tables.entry(tenant).or_default().hold(at);
        }
    }

    fn push(&mut self, tenant: Tenant, entry: Arc<Entry>) {
        let weight = entry.batch.weight();
        let table = self.tables.entry(tenant).or_default();
        table.entries.push(entry);
        table.weight += weight;
        // Whoever appends has looked whether there is room, or has nowhere else to put it.
        self.held.resize(self.held.bytes() + weight as u64);
    }

    /// Notes that the frame at `at`, the next one at `next`, holds rows of `tenant` that came before.
    pub fn journaled(&mut self, tenant: Tenant, at: u64, next: u64) {
        self.end = self.end.max(next);
        if let Some(table) = self.tables.get_mut(&tenant) {
            table.hold(at);
        }
    }

    /// Journal position below which nothing is here only; `without`, by tenant, counts as stored.
    pub fn cursor(&self, without: &[Frozen]) -> u64 {
        let held = self.tables.iter().filter_map(|(tenant, table)| {
            match without.binary_search_by_key(tenant, |frozen| frozen.tenant) {
                Ok(at) => table.oldest_frame_after(without[at].entries.len()),
                Err(_) => table.oldest_frame,
            }
        });
        held.min().unwrap_or(self.end).min(self.end)
    }

    /// Tenants by weight, heaviest first, whose weights add up to `bytes`.
    pub fn heaviest(&self, bytes: usize) -> Vec<Tenant> {
        let mut tenants: Vec<(usize, Tenant)> =
            self.tables.iter().map(|(t, table)| (table.weight, *t)).collect();
        tenants.sort_unstable_by(|a, b| b.cmp(a));
        let mut sum = 0;
        tenants
            .into_iter()
            .take_while(|(weight, _)| {
                let wanted = sum < bytes;
                sum += weight;
                wanted
            })
            .map(|(_, tenant)| tenant)
            .collect()
    }

    /// Tenants that hold journal frames below `position`.
    pub fn holding_frames_below(&self, position: u64) -> Vec<Tenant> {
        let holds = |table: &Table| table.oldest_frame.is_some_and(|at| at < position);
        self.tables.iter().filter(|(_, table)| holds(table)).map(|(tenant, _)| *tenant).collect()
    }

    /// All tenants with rows or positions here.
    pub fn tenants(&self) -> Vec<Tenant> {
        self.tables.keys().copied().collect()
    }

    /// What of these tenants is to be written now, in their order. Tenants that share a source with one of them come along: a source's
    /// position must not be stored before rows that lie below it.
    pub fn freeze(&self, tenants: &[Tenant]) -> Vec<Frozen> {
        let mut chosen: HashSet<Tenant> = tenants.iter().copied().collect();
        loop {
            let positioned = |tenant: &Tenant| {
                self.tables
                    .get(tenant)
                    .into_iter()
                    .flat_map(|table| &table.entries)
                    .filter(|entry| entry.mark.is_none())
                    .map(|entry| entry.batch.source.id)
            };
            let sources: HashSet<SourceId> = chosen.iter().flat_map(positioned).collect();
            let before = chosen.len();
            for tenant in self.tables.keys().filter(|_| !sources.is_empty()) {
                if !chosen.contains(tenant) && positioned(tenant).any(|source| sources.contains(&source)) {
                    chosen.insert(*tenant);
                }
            }
            if chosen.len() == before {
                break;
            }
        }
        let mut frozen: Vec<Frozen> = chosen
            .into_iter()
            .filter_map(|tenant| {
                let entries = self.tables.get(&tenant)?.entries.clone();
                (!entries.is_empty()).then_some(Frozen { tenant, entries })
            })
            .collect();
        frozen.sort_by_key(|frozen| frozen.tenant);
        frozen
    }

    /// Drops what is in segments now.
    pub fn stored(&mut self, frozen: &[Frozen]) {
        for Frozen { tenant, entries } in frozen {
            let Some(table) = self.tables.get_mut(tenant) else { continue };
            let stored = table.drop_first(entries.len()) as u64;
            self.held.resize(self.held.bytes().saturating_sub(stored));
            if table.entries.is_empty() {
                self.tables.remove(tenant);
            }
        }
    }

    /// The rows of a tenant.
    pub fn entries(&self, tenant: Tenant) -> Vec<Arc<Entry>> {
        self.entries_of(tenant).cloned().collect()
    }

    /// The same, only to be looked at.
    pub fn entries_of(&self, tenant: Tenant) -> impl Iterator<Item = &Arc<Entry>> {
        self.tables.get(&tenant).into_iter().flat_map(|table| &table.entries)
    }

    /// All rows.
    pub fn all_entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.tables.values().flat_map(|table| &table.entries)
    }
}

/// What is to be committed together with the rows of `frozen`: positions and marks.
pub(crate) fn change_of(frozen: &[Frozen]) -> Change {
    let mut positions: BTreeMap<SourceId, (&Entry, &Position)> = BTreeMap::new();
    let mut change = Change::default();
    for Frozen { tenant, entries } in frozen {
        for entry in entries {
            let Some(position) = &entry.position else { continue };
            let id = entry.batch.source.id;
            match positions.get(&id) {
                Some((_, have)) if have.mark() > position.mark() => {}
                _ => {
                    positions.insert(id, (entry, position));
                }
            }
        }
        if let Some(mark) = entries.iter().filter_map(|entry| entry.mark).max() {
            change.marks.push((*tenant, mark));
        }
    }
    let known = |(entry, position): (&Entry, &Position)| {
        StoredSource::new(&KnownSource { source: (*entry.batch.source).clone(), position: position.clone() })
    };
    change.positions = positions.into_values().map(known).collect();
    change
}
