//! Sizes, counts and field names, from metadata where that knows. Knows nothing of predicates.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sawlog_model::{Kind, Nanos, SourceId, Tenant, TimeRange};

use crate::engine::{Engine, lock};
use crate::handle::Handle;
use crate::memtable::Entry;
use crate::{FieldCount, Stats, StoreError};

fn add_segment(stats: &mut Stats, handle: &Handle) {
    let entry = &handle.entry;
    stats.segments += 1;
    stats.records += entry.rows;
    stats.raw_bytes += entry.raw_bytes;
    stats.stored_bytes += entry.stored_bytes;
    stats.first_time = stats.first_time.min(entry.first_time);
    stats.last_time = stats.last_time.max(entry.last_time);
}

fn add_entry(stats: &mut Stats, entry: &Entry) {
    stats.records += entry.batch.rows.len() as u64;
    stats.raw_bytes += entry.batch.raw_len();
    stats.first_time = stats.first_time.min(entry.first_time);
    stats.last_time = stats.last_time.max(entry.last_time);
}

impl Engine {
    /// Sizes of everything, or of what one tenant has: then without manifests, which are of all.
    pub fn stats(&self, of: Option<Tenant>) -> Stats {
        let mut stats = Stats { first_time: Nanos::MAX, last_time: Nanos::MIN, ..Stats::default() };
        {
            let live = lock(&self.live);
            // One tenant's without looking at the others: whoever asks may ask for each of very many.
            let mut add = |tenant: Tenant, list: &[Arc<Handle>]| {
                list.iter().for_each(|handle| add_segment(&mut stats, handle));
                live.memtable.entries_of(tenant).for_each(|entry| add_entry(&mut stats, entry));
            };
            match of {
                Some(tenant) => add(tenant, live.segments.get(&tenant).map_or(&[], |list| list)),
                None => {
                    live.segments
                        .values()
                        .flat_map(|list| list.iter())
                        .for_each(|h| add_segment(&mut stats, h));
                    live.memtable.all_entries().for_each(|entry| add_entry(&mut stats, entry));
                }
            }
            stats.memtable_bytes = match of {
                None => live.memtable.weight() as u64,
                Some(tenant) => live.memtable.weight_of(tenant) as u64,
            };
        }
        if of.is_none() {
            (stats.flushed, stats.rewritten) = *lock(&self.written);
            stats.open_segments = self.shelf.open_segments() as u64;
            stats.read = self.shelf.cache.read();
            stats.stored_bytes += lock(&self.catalogue).stored_bytes();
        }
        if stats.records == 0 {
            (stats.first_time, stats.last_time) = (0, 0);
        }
        stats
    }

    /// How many rows a range has; `None` where a file would have to be read and cannot be.
    pub fn count(&self, tenant: Tenant, mut range: TimeRange) -> Option<u64> {
        range.start = range.start.max(self.horizon());
        self.refresh().ok()?;
        let (segments, entries) = {
            let live = lock(&self.live);
            (live.segments.get(&tenant).cloned().unwrap_or_default(), live.memtable.entries(tenant))
        };
        let in_memory = |entry: &std::sync::Arc<crate::memtable::Entry>| match range
            .covers(entry.first_time, entry.last_time)
        {
            true => entry.batch.rows.len(),
            false => entry.batch.rows.iter().filter(|row| range.contains(row.time)).count(),
        };
        let mut rows: u64 = entries.iter().map(|entry| in_memory(entry) as u64).sum();
        for handle in segments.iter().filter(|handle| !handle.is_damaged()) {
            let entry = &handle.entry;
            if range.covers(entry.first_time, entry.last_time) {
                rows += entry.rows;
            } else if range.overlaps(entry.first_time, entry.last_time) {
                let segment = handle.segment().ok()??;
                for (index, group) in segment.meta().groups.iter().enumerate() {
                    if range.covers(group.first_time, group.last_time) {
                        rows += u64::from(group.rows);
                    } else if range.overlaps(group.first_time, group.last_time) {
                        let times = segment.group(index).and_then(|group| group.times()).ok()?;
                        rows += times.iter().filter(|time| range.contains(**time)).count() as u64;
                    }
                }
            }
        }
        Some(rows)
    }

    /// The sources of a tenant's rows.
    pub fn sources_of(&self, tenant: Tenant) -> Result<HashSet<SourceId>, StoreError> {
        let (segments, entries) = {
            let live = lock(&self.live);
            (live.segments.get(&tenant).cloned().unwrap_or_default(), live.memtable.entries(tenant))
        };
        let mut sources: HashSet<SourceId> = entries.iter().map(|entry| entry.batch.source.id).collect();
        for handle in segments.iter() {
            let Some(segment) = handle.segment()? else { continue };
            sources.extend(segment.meta().sources.iter().map(|range| range.source));
        }
        Ok(sources)
    }

    /// The fields of a range with counts, most frequent first.
    pub fn fields(&self, tenant: Tenant, mut range: TimeRange) -> Result<Vec<FieldCount>, StoreError> {
        range.start = range.start.max(self.horizon());
        self.refresh()?;
        let (segments, entries) = {
            let live = lock(&self.live);
            (live.segments.get(&tenant).cloned().unwrap_or_default(), live.memtable.entries(tenant))
        };
        let mut counts: HashMap<String, u64> = HashMap::new();
        for handle in segments.iter() {
            if !range.overlaps(handle.entry.first_time, handle.entry.last_time) {
                continue;
            }
            let Some(segment) = handle.segment()? else { continue };
            for field in &segment.meta().fields {
                *counts.entry(field.name.clone()).or_default() += field.rows;
            }
        }
        for entry in entries.iter().filter(|entry| range.overlaps(entry.first_time, entry.last_time)) {
            let rows = entry.batch.rows.len() as u64;
            for (name, _) in entry.batch.context.iter() {
                *counts.entry(name.to_owned()).or_default() += rows;
            }
            // By the batch's own numbers first: names are looked up once a batch, not once a slot.
            let mut ids: HashMap<u32, u64> = HashMap::new();
            let mut of_row = HashSet::new();
            for row in entry.batch.iter() {
                of_row.clear();
                // JSON null is no value.
                of_row.extend(row.slots().iter().filter(|s| s.kind != Kind::Null).map(|slot| slot.name.0));
                of_row.iter().for_each(|id| *ids.entry(*id).or_default() += 1);
            }
            for (id, rows) in ids {
                let name = entry.batch.names.name(sawlog_model::NameId(id));
                *counts.entry(name.to_string()).or_default() += rows;
            }
        }
        let mut fields: Vec<FieldCount> =
            counts.into_iter().map(|(name, rows)| FieldCount { name, rows }).collect();
        fields.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
        Ok(fields)
    }
}
