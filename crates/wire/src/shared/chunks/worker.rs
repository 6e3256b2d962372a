//! The thread of an output's chunks: it closes them when their time has come, fsyncs and records what was taken, and gives whole
//! ones to the sink. Knows nothing of how rows come into them.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sawlog_model::Nanos;

use super::state::{Durable, Kept};
use super::*;

impl Shared {
    /// When a chunk is to be closed, in monotonic time.
    fn closes_at(&self, key: &Key, chunk: &Chunk, now: Duration, clock: Nanos) -> Option<Duration> {
        let by_age = self.settings.age.map(|age| chunk.since + age);
        let span = self.settings.keys.time.as_ref().map_or(0, |(span, _)| *span);
        let by_time = key.slice.map(|slice| {
            let left = slice.saturating_add(span).saturating_add(self.settings.wait).saturating_sub(clock);
            now + Duration::from_nanos(u64::try_from(left).unwrap_or(0))
        });
        by_age.into_iter().chain(by_time).min()
    }

    /// When there is something to do; `None`: when somebody says so.
    fn wakes_at(&self, state: &State, now: Duration) -> Option<Duration> {
        let clock = self.sys.clock.now();
        let record = match (state.written, state.moved) {
            _ if state.broken.is_some() => None,
            (0, false) => None,
            // The rest of the frame comes at once, or is on its way.
            _ if state.in_frame => Some(now + Duration::from_millis(50)),
            (0, true) => Some(state.recorded_at + RECORD_POSITIONS_EVERY),
            (RECORD_BYTES.., _) => Some(now),
            _ => Some(state.recorded_at + RECORD_EVERY.min(self.settings.age.unwrap_or(RECORD_EVERY))),
        };
        let closes =
            state.open.iter().filter_map(|(key, chunk)| self.closes_at(key, chunk, now, clock)).min();
        // A clock that was set meanwhile is noticed after a minute.
        let closes = closes.map(|at| at.min(now + Duration::from_secs(60)));
        let closes = closes.filter(|_| state.broken.is_none());
        let retry = state.failing.as_ref().map(|refusing| refusing.again);
        let soon = if state.in_frame { now + Duration::from_millis(50) } else { now };
        let deliver = (!state.closed.is_empty() && state.broken.is_none()).then_some(retry.unwrap_or(soon));
        record.into_iter().chain(closes).chain(deliver).min()
    }

    /// The thread.
    pub(super) fn run(&self) {
        loop {
            let mut state = lock(&self.state);
            loop {
                let now = self.sys.clock.monotonic();
                if state.stopping {
                    break;
                }
                state = match self.wakes_at(&state, now) {
                    Some(at) if at <= now => break,
                    Some(at) => {
                        self.wake.wait_timeout(state, at - now).unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                };
            }
            let stopping = state.stopping;
            drop(state);
            let failed = self.round().is_err();
            if stopping {
                return;
            }
            if failed {
                // What failed is tried again, but not at once.
                let state = lock(&self.state);
                drop(self.wake.wait_timeout_while(state, RETRY.0, |state| !state.stopping));
            }
        }
    }

    /// Closes what is to be closed, records what was taken and hands on what is whole.
    pub(super) fn round(&self) -> Result<(), String> {
        let mut durable = lock(&self.durable);
        if let Some((next, unsynced)) = self.snapshot() {
            let recorded = self.store(&next, &unsynced);
            let mut state = lock(&self.state);
            if let Err(error) = recorded {
                state.moved = true;
                return Err(error);
            }
            state.recorded_cursor = next.cursor;
            state.recorded = Arc::new(next.known.clone());
            *durable = next;
        }
        self.hand_on(&mut durable)
    }

    /// What is to be recorded, with the chunks whose bytes must be on stable storage before; `None` where that is nothing, or
    /// a frame is in the middle.
    fn snapshot(&self) -> Option<(Durable, Unsynced)> {
        let (now, clock) = (self.sys.clock.monotonic(), self.sys.clock.now());
        let mut state = lock(&self.state);
        if state.in_frame || state.broken.is_some() {
            return None;
        }
        let due = |(key, chunk): (&Key, &Chunk)| {
            let at = self.closes_at(key, chunk, now, clock);
            at.is_some_and(|at| at <= now).then(|| key.clone())
        };
        let due: Vec<Key> = state.open.iter().filter_map(due).collect();
        due.iter().for_each(|key| state.close(key));
        if !state.moved && state.written == 0 && due.is_empty() {
            return None;
        }
        let State { open, closed, .. } = &mut *state;
        closed.sort_by_key(|(_, chunk)| number(&chunk.id));
        let kept = |key: &Key, chunk: &Chunk, closed| Kept {
            id: chunk.id.clone(),
            key: key.clone(),
            len: chunk.len,
            closed,
        };
        let mut chunks: Vec<Kept> = closed.iter().map(|(key, chunk)| kept(key, chunk, true)).collect();
        chunks.extend(open.iter().map(|(key, chunk)| kept(key, chunk, false)));
        let mut files = Vec::new();
        for chunk in open.values_mut().chain(closed.iter_mut().map(|(_, chunk)| chunk)) {
            if std::mem::take(&mut chunk.unsynced) {
                files.push((chunk.id.clone(), chunk.file.clone()));
            }
        }
        closed.iter_mut().for_each(|(_, chunk)| chunk.file = None);
        (state.moved, state.written, state.recorded_at) = (false, 0, now);
        let unsynced = Unsynced { made: std::mem::take(&mut state.made), files };
        Some((Durable { cursor: state.cursor, known: state.known.clone(), chunks }, unsynced))
    }

    /// Makes bytes, names and the record of them durable, in this order.
    fn store(&self, next: &Durable, unsynced: &Unsynced) -> Result<(), String> {
        let dir = &self.settings.dir;
        let synced = || -> io::Result<()> {
            for (id, file) in &unsynced.files {
                match file {
                    Some(file) => file.sync()?,
                    None => self.sys.fs.open(&dir.join(id), Open::Write)?.sync()?,
                }
            }
            if unsynced.made { self.sys.fs.sync_dir(dir) } else { Ok(()) }
        };
        if let Err(error) = synced() {
            // What was not synced may be gone although it can still be read: only a new start knows what there is.
            let why = format!(
                "{}: an fsync failed ({error}); start again, nothing acknowledged is lost",
                dir.display()
            );
            lock(&self.state).broken = Some(why.clone());
            return Err(why);
        }
        next.write(&self.sys, dir).map_err(|error| format!("{}: {error}", dir.display()))
    }

    /// Gives whole chunks that are recorded as such to the sink, and records that it has them.
    fn hand_on(&self, durable: &mut Durable) -> Result<(), String> {
        let now = self.sys.clock.monotonic();
        if lock(&self.state).failing.as_ref().is_some_and(|refusing| refusing.again > now) {
            return Ok(());
        }
        let mut delivered = Vec::new();
        let mut failed = None;
        for kept in durable.chunks.iter().filter(|kept| kept.closed) {
            let path = self.settings.dir.join(&kept.id);
            let whole = Whole { id: &kept.id, key: &kept.key, path, len: kept.len };
            match self.deliver(&whole) {
                Ok(()) => delivered.push(kept.id.clone()),
                Err(why) => {
                    failed = Some(why);
                    break;
                }
            }
        }
        let result = self.forget(durable, &delivered).and(failed.clone().map_or(Ok(()), Err));
        let mut state = lock(&self.state);
        let before = state.failing.take();
        state.failing = failed.map(|reason| {
            let wait = before.as_ref().map_or(RETRY.0, |before| (before.wait * 2).min(RETRY.1));
            let (tries, since) =
                before.map_or((0, now), |before| (before.failing.tries, before.failing.since));
            Refusing { failing: Failing { tries: tries + 1, since, reason }, again: now + wait, wait }
        });
        result
    }

    fn deliver(&self, whole: &Whole<'_>) -> Result<(), String> {
        let failed = |error: io::Error| format!("{}: {error}", whole.path.display());
        let there = match self.sys.fs.metadata(&whole.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            there => there.map_err(failed)?,
        };
        if whole.len == 0 {
            return Ok(());
        }
        if there.links < 2 && there.len != whole.len {
            // Something was begun behind its end and failed.
            let file = self.sys.fs.open(&whole.path, Open::Write).map_err(failed)?;
            file.set_len(whole.len).and_then(|()| file.sync()).map_err(failed)?;
        }
        self.sink.deliver(whole, &self.settings.keys)
    }

    /// Records that the sink has these chunks, and removes their files.
    fn forget(&self, durable: &mut Durable, delivered: &[String]) -> Result<(), String> {
        if delivered.is_empty() {
            return Ok(());
        }
        let dir = &self.settings.dir;
        let mut next = durable.clone();
        next.chunks.retain(|kept| !delivered.contains(&kept.id));
        next.write(&self.sys, dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        *durable = next;
        lock(&self.state).closed.retain(|(_, chunk)| !delivered.contains(&chunk.id));
        let entries = self.sys.fs.list(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        for entry in entries {
            let stem =
                entry.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if delivered.contains(&stem) {
                // What is left here is removed at the next start.
                let _ = self.sys.fs.unlink(&entry.path);
            }
        }
        Ok(())
    }
}
