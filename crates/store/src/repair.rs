//! Looks whether every byte of a store can be read, and takes what cannot out of it. Knows nothing of how bytes came to be
//! damaged.

use std::path::PathBuf;
use std::sync::Arc;

use sawlog_model::RowRef;

use crate::catalogue::{Change, SegmentEntry};
use crate::engine::{Engine, lock};
use crate::flush::Rows;
use crate::handle::Handle;
use crate::segment::{Effort, Segment};
use crate::{Fault, Repaired, SegmentInfo, StoreError};

impl Engine {
    /// The segments that count.
    pub fn segments(&self) -> Vec<SegmentInfo> {
        let live = lock(&self.live);
        let mut all: Vec<SegmentInfo> = live
            .segments
            .values()
            .flat_map(|list| list.iter())
            .map(|handle| self.info(&handle.entry))
            .collect();
        all.sort_unstable_by_key(|info| (info.tenant, info.first_time, info.number));
        all
    }

    /// What the bytes of a segment are spent on, largest first.
    pub fn sizes(&self, number: u64) -> Result<Vec<(String, f64)>, StoreError> {
        let handle = self.every_handle().into_iter().find(|handle| handle.entry.number == number);
        match handle {
            Some(handle) => Ok(self.open_anew(&handle)?.sizes()),
            None => Ok(Vec::new()),
        }
    }

    fn info(&self, entry: &SegmentEntry) -> SegmentInfo {
        SegmentInfo {
            number: entry.number,
            tenant: entry.tenant,
            path: self.shelf.path(entry.tenant, entry.number),
            strong: entry.strong,
            rows: entry.rows,
            raw_bytes: entry.raw_bytes,
            stored_bytes: entry.stored_bytes,
            first_time: entry.first_time,
            last_time: entry.last_time,
        }
    }

    fn every_handle(&self) -> Vec<Arc<Handle>> {
        lock(&self.live).segments.values().flat_map(|list| list.iter()).cloned().collect()
    }

    fn open_anew(&self, handle: &Handle) -> Result<Arc<Segment>, StoreError> {
        handle.open_beside(&self.shelf.cache)
    }

    /// Reads every segment to its last byte and puts every row together; gives those that cannot be read so. `progress`
    /// gets (raw bytes done, raw bytes in all).
    pub fn verify(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Fault>, StoreError> {
        let handles = self.every_handle();
        let all = handles.iter().map(|handle| handle.entry.raw_bytes).sum();
        let (mut faults, mut done) = (Vec::new(), 0);
        for handle in &handles {
            match self.open_anew(handle).and_then(|segment| segment.verify()) {
                Ok(()) => {}
                Err(error) if error.is_damage() => {
                    faults.push(Fault { segment: self.info(&handle.entry), error })
                }
                Err(error) => return Err(error),
            }
            done += handle.entry.raw_bytes;
            progress(done, all);
        }
        Ok(faults)
    }

    /// Takes damaged segments out: the rows of their groups that can be read are written anew, the file goes to the
    /// directory `quarantine`, and one commit makes it count.
    pub fn repair(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Vec<Repaired>, StoreError> {
        if self.options.read_only {
            return Err(StoreError::ReadOnly);
        }
        let _one_at_a_time = lock(&self.merging);
        let faults = self.verify(progress)?;
        let (mut repaired, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for Fault { segment, error } in faults {
            let saved = match self.salvage(&segment).and_then(|saved| Ok((saved, self.set_aside(&segment)?)))
            {
                Ok((saved, aside)) => {
                    let rows: u64 = saved.iter().map(|handle| handle.entry.rows).sum();
                    removed.push(segment.number);
                    repaired.push(Repaired {
                        lost: segment.rows.saturating_sub(rows),
                        segment,
                        error,
                        aside,
                    });
                    saved
                }
                Err(error) => {
                    self.discard(added);
                    return Err(error);
                }
            };
            added.extend(saved);
        }
        if !removed.is_empty() {
            self.commit(Change { removed, ..Change::default() }, added, |_| ())?;
        }
        Ok(repaired)
    }

    /// New segments of the rows that can still be read.
    fn salvage(&self, of: &SegmentInfo) -> Result<Vec<Arc<Handle>>, StoreError> {
        let handle = self.every_handle().into_iter().find(|handle| handle.entry.number == of.number);
        let Some(Ok(segment)) = handle.map(|handle| self.open_anew(&handle)) else { return Ok(Vec::new()) };
        let effort = if of.strong { Effort::Strong } else { Effort::Cheap };
        let mut output = self.begin_segment(of.tenant, effort, Rows::Anew)?;
        for group in 0..segment.meta().groups.len() {
            let Ok(batches) = segment.group(group).and_then(|group| group.batches()) else { continue };
            let mut rows: Vec<RowRef<'_>> = batches.iter().flat_map(|batch| batch.iter()).collect();
            output.add(&mut rows);
        }
        if output.rows == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![self.write_segment(output)?])
    }

    /// A second name for the file, in the quarantine; `None` where there is no file.
    fn set_aside(&self, segment: &SegmentInfo) -> Result<Option<PathBuf>, StoreError> {
        let fs = &self.sys.fs;
        let aside = self.shelf.dir.join("quarantine").join(format!("t{}", segment.tenant));
        fs.create_dir_all(&aside).map_err(|error| StoreError::io(&aside, error))?;
        let to = aside.join(segment.path.file_name().unwrap_or_default());
        match fs.link(&segment.path, &to) {
            Ok(()) => Ok(Some(to)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Some(to)),
            Err(error) => Err(StoreError::io(&to, error)),
        }
    }
}
