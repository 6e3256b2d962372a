//! Retention by age and by size: a segment goes when its youngest row is too old, or when it is the oldest one of more
//! bytes than may stay. Knows nothing of rows; compaction leaves out the single ones that are too old, and scans hide them
//! before either.

use std::collections::HashMap;

use sawlog_model::{Nanos, Predicate, Tenant, TimeRange};

use crate::StoreError;
use crate::catalogue::{Change, SegmentEntry};
use crate::engine::{Engine, lock};

/// The wall clock may go ahead of the monotonic one by so much before nothing is deleted on its word.
const CLOCK_SLACK: Nanos = 3_600 * sawlog_model::time::SECOND;

impl Engine {
    /// Rows older than this may be deleted. A clock that jumped ahead while the store was open deletes nothing.
    pub fn deletion_horizon(&self) -> Nanos {
        let (wall, monotonic) = self.started;
        let passed = self.sys.clock.monotonic().saturating_sub(monotonic).as_nanos() as Nanos;
        let jumped = self.sys.clock.now().saturating_sub(wall.saturating_add(passed)) > CLOCK_SLACK;
        if jumped { Nanos::MIN } else { self.horizon() }
    }

    /// Drops segments all of whose rows are too old, and the oldest of those that are too many; returns whether there were
    /// any.
    pub fn expire(&self) -> Result<bool, StoreError> {
        let horizon = self.deletion_horizon();
        let (most, most_of_tenant) = (self.options.most_bytes, self.options.most_tenant_bytes);
        let own = lock(&self.tenant_sizes).clone();
        if horizon == Nanos::MIN && most == 0 && most_of_tenant == 0 && own.is_empty() {
            return Ok(false);
        }
        let _one_at_a_time = lock(&self.merging);
        let mut stay: Vec<SegmentEntry> = lock(&self.live)
            .segments
            .values()
            .flat_map(|list| list.iter())
            .map(|handle| handle.entry)
            .collect();
        stay.sort_unstable_by_key(|entry| (entry.newest, entry.number));
        let mut removed = take_out(&mut stay, |entry| entry.newest < horizon);
        if most_of_tenant > 0 || !own.is_empty() {
            let mut sizes: HashMap<Tenant, u64> = HashMap::new();
            stay.iter().for_each(|entry| *sizes.entry(entry.tenant).or_default() += entry.stored_bytes);
            removed.extend(take_out(&mut stay, |entry| {
                let most = own.get(&entry.tenant).copied().unwrap_or(most_of_tenant);
                most > 0 && sizes.get_mut(&entry.tenant).is_some_and(|size| is_over(size, most, entry))
            }));
        }
        if most > 0 {
            let mut size = stay.iter().map(|entry| entry.stored_bytes).sum();
            removed.extend(take_out(&mut stay, |entry| is_over(&mut size, most, entry)));
        }
        if removed.is_empty() {
            return Ok(false);
        }
        self.commit(Change { removed, ..Change::default() }, Vec::new(), |_| ())?;
        Ok(true)
    }
}

impl Engine {
    /// The time before which rows that the predicate keeps must go, so that the others take at most so many bytes.
    pub fn cut_to_fit(
        &self,
        tenant: Tenant,
        predicate: &Predicate,
        most: u64,
    ) -> Result<Option<Nanos>, StoreError> {
        let mut groups = Vec::new();
        for handle in self.handles(tenant) {
            let Some(segment) = handle.segment()? else { continue };
            let entry = &handle.entry;
            for (index, group) in segment.meta().groups.iter().enumerate() {
                let rows = segment.count(index, predicate, TimeRange::ALL)?;
                if rows > 0 {
                    groups
                        .push((group.last_time, entry.stored_bytes as f64 / entry.rows as f64 * rows as f64));
                }
            }
        }
        groups.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
        let mut sum = 0.0;
        let mut over = groups.into_iter().enumerate().filter(|(place, (_, bytes))| {
            sum += bytes;
            *place > 0 && sum > most as f64
        });
        Ok(over.next().map(|(_, (last, _))| last.saturating_add(1)))
    }
}

/// Whether `size` is above what may stay; the segment then no longer counts.
fn is_over(size: &mut u64, most: u64, entry: &SegmentEntry) -> bool {
    let over = *size > most;
    if over {
        *size -= entry.stored_bytes;
    }
    over
}

/// Numbers of the segments that go, oldest first; the others stay in the list.
fn take_out(stay: &mut Vec<SegmentEntry>, mut goes: impl FnMut(&SegmentEntry) -> bool) -> Vec<u64> {
    let mut gone = Vec::new();
    stay.retain(|entry| {
        let goes = goes(entry);
        gone.extend(goes.then_some(entry.number));
        !goes
    });
    gone
}
