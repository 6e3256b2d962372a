//! A scripted run through every crash point and every failing call: what was acknowledged is there, once, in order,
//! byte for byte; what was not is absent or whole.

use std::collections::BTreeMap;
use std::path::Path;

use sawlog_sys::sim::{self, Fault, Tail, World};

use crate::{Frame, FrameKind, Journal, JournalError, Lane, Lsn, Options};

const DIR: &str = "/data/journal";
const OPTIONS: Options = Options { file_bytes: 4096, total_bytes: 1 << 20 };

/// A frame that was handed in; equal to what must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    kind: FrameKind,
    lane: Lane,
    payload: Vec<u8>,
}

impl Given {
    /// The frame of a step: none is like another, and many span sectors.
    fn of(step: u64) -> Self {
        let size = [0, 1, 17, 480, 513, 1500, 40, 3000][step as usize % 8] + step % 5;
        let mark = step.to_le_bytes();
        Given {
            kind: if step % 5 == 3 { FrameKind::Cursor } else { FrameKind::Data },
            lane: match step % 3 {
                0 => Lane::default(),
                _ => Lane { producer: u128::from(step) << 70, incarnation: 1, sequence: step },
            },
            payload: (0..size).map(|at| mark[at as usize % 8] ^ (at / 8) as u8).collect(),
        }
    }

    fn from(frame: &Frame) -> Self {
        Given { kind: frame.kind, lane: frame.lane, payload: frame.payload.to_vec() }
    }
}

/// What a run has learned of its journal.
#[derive(Clone, Default)]
struct Log {
    acknowledged: BTreeMap<Lsn, Given>,
    /// Handed in and not acknowledged. A position may have been given several times.
    refused: Vec<(Lsn, Given)>,
    /// Below it nothing is owed.
    trimmed: Lsn,
    /// A directory may have forgotten that a file was trimmed, so files that came after it may be gone before it.
    may_have_holes: bool,
}

enum Step {
    Append(u64),
    Trim,
    Reopen,
}

fn script() -> impl Iterator<Item = Step> {
    (0..36).flat_map(|step| {
        let then = match step {
            14 | 21 | 30 => Some(Step::Trim),
            8 | 22 | 23 => Some(Step::Reopen),
            _ => None,
        };
        [Some(Step::Append(step)), then].into_iter().flatten()
    })
}

fn open(world: &World) -> Result<Journal, JournalError> {
    Journal::open(&world.sys(), Path::new(DIR), OPTIONS).map(|(journal, _)| journal)
}

/// Whether the machine crashed; any other error is one of a call that was told to fail.
fn crashed(error: &JournalError) -> bool {
    match error {
        JournalError::Io { source, .. } => sim::is_crash(source),
        JournalError::Full(_) => panic!("the journal is not full"),
    }
}

impl Log {
    fn append(&mut self, journal: &Journal, step: u64) -> Result<(), JournalError> {
        let given = Given::of(step);
        let mut at = Lsn(0);
        let result = journal.append_shared(given.kind, given.lane, |lsn, into| {
            at = lsn;
            let (own, others) = given.payload.split_at(given.payload.len() / 3);
            into.bytes().extend_from_slice(own);
            into.share(bytes::Bytes::copy_from_slice(others));
        });
        match result {
            Ok(lsn) => {
                assert_eq!(lsn, at);
                assert!(self.acknowledged.insert(lsn, given).is_none(), "{lsn:?} was given twice");
                Ok(())
            }
            Err(error) => {
                self.refused.push((at, given));
                Err(error)
            }
        }
    }

    /// Trims so that the last five acknowledged frames stay.
    fn trim(&mut self, journal: &Journal) -> Result<(), JournalError> {
        let at = *self.acknowledged.keys().rev().nth(4).expect("there are five");
        self.trimmed = at;
        journal.trim(at)
    }

    /// Runs the script; a call that fails is tried again `retries` times, a crash ends the run.
    fn run(&mut self, world: &World, retries: usize) -> Result<(), JournalError> {
        let mut journal = persist(retries, || open(world))?;
        for step in script() {
            match step {
                Step::Append(step) => persist(retries, || self.append(&journal, step))?,
                Step::Trim => persist(retries, || self.trim(&journal))?,
                Step::Reopen => {
                    drop(journal);
                    journal = persist(retries, || open(world))?;
                }
            }
        }
        Ok(())
    }

    /// Checks what the journal holds.
    fn check(&self, journal: &Journal) {
        let mut last = Lsn(0);
        let mut found = BTreeMap::new();
        for frame in journal.read(Lsn(0)) {
            let frame = frame.expect("reads");
            assert!(frame.lsn >= last, "frames overlap");
            last = frame.next;
            let (lsn, given) = (frame.lsn, Given::from(&frame));
            let ours = self.acknowledged.get(&lsn) == Some(&given)
                || self.refused.iter().any(|(at, refused)| *at == lsn && *refused == given);
            assert!(ours, "nobody appended what is at {lsn:?}");
            found.insert(lsn, given);
        }
        assert!(journal.end() >= last);
        // Trimming takes files off the beginning and nothing else.
        let oldest = self.acknowledged.keys().find(|lsn| found.contains_key(lsn)).copied();
        let owed =
            if self.may_have_holes { self.trimmed } else { self.trimmed.min(oldest.unwrap_or(self.trimmed)) };
        for (lsn, given) in self.acknowledged.range(owed..) {
            assert_eq!(found.get(lsn), Some(given), "{lsn:?} was acknowledged");
        }
    }

    /// Checks what a world holds after its start, that it can be added to, and that this holds too.
    fn check_world(&mut self, world: &World) {
        let journal = open(world).expect("opens");
        self.check(&journal);
        for step in 100..103 {
            self.append(&journal, step).expect("appends");
        }
        self.check(&journal);
        self.check(&open(&world.restart(Tail::Lost)).expect("opens"));
        for _ in 0..3 {
            self.acknowledged.pop_last();
        }
    }
}

fn persist<T>(
    retries: usize,
    mut attempt: impl FnMut() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    for _ in 0..retries {
        match attempt() {
            Err(error) if !crashed(&error) => {}
            result => return result,
        }
    }
    attempt()
}

fn frames(journal: &Journal) -> Vec<Frame> {
    journal.read(Lsn(0)).map(|frame| frame.expect("reads")).collect()
}

/// Calls of a run without faults.
fn calls() -> u64 {
    let world = World::new(0);
    let mut log = Log::default();
    log.run(&world, 0).expect("runs");
    assert_eq!(log.acknowledged.len(), 36);
    log.check(&open(&world.restart(Tail::Lost)).expect("opens"));
    world.ops()
}

#[test]
fn every_crash_point_keeps_what_was_acknowledged() {
    for op in 1..=calls() {
        let (world, mut log) = (World::new(op), Log::default());
        world.crash_at(op);
        let error = log.run(&world, 0).expect_err("crashes");
        assert!(crashed(&error), "{error}");
        let killed = world.kill();
        let shown = frames(&open(&killed).expect("opens"));
        log.check_world(&killed);
        // What a start has shown stays, though nobody was told that it was durable.
        let killed = world.kill();
        drop(open(&killed).expect("opens"));
        assert_eq!(frames(&open(&killed.restart(Tail::Lost)).expect("opens")), shown);
        for tail in Tail::ALL {
            log.check_world(&world.restart(tail));
        }
    }
}

#[test]
fn every_crash_point_of_the_recovery_after_a_crash_keeps_it_too() {
    for (index, op) in (1..=calls()).enumerate().step_by(3) {
        let (world, mut log) = (World::new(op), Log::default());
        world.crash_at(op);
        log.run(&world, 0).expect_err("crashes");
        let tail = Tail::ALL[index % 5];
        for again in 1.. {
            let world = world.restart(tail);
            world.crash_at(again);
            let mut log = log.clone();
            let done = open(&world).and_then(|journal| log.append(&journal, 200));
            for tail in Tail::ALL {
                log.check_world(&world.restart(tail));
            }
            if done.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn a_failing_call_of_the_start_after_a_kill_loses_nothing() {
    for op in 1..=calls() {
        let (world, mut log) = (World::new(op), Log::default());
        world.crash_at(op);
        log.run(&world, 0).expect_err("crashes");
        log.may_have_holes = true;
        for failing in 1.. {
            let world = world.kill();
            world.fail(failing..=failing, Fault::Io);
            let mut log = log.clone();
            let journal = persist(20, || open(&world)).expect("opens");
            persist(20, || log.append(&journal, 200)).expect("appends");
            if world.ops() < failing {
                break;
            }
            for tail in Tail::ALL {
                log.check_world(&world.restart(tail));
            }
        }
    }
}

#[test]
fn every_failing_call_leaves_what_was_acknowledged_and_the_journal_goes_on() {
    for fault in [Fault::Io, Fault::NoSpace] {
        for op in 1..=calls() {
            for length in [0, 1, 5] {
                let (world, mut log) = (World::new(op), Log { may_have_holes: true, ..Log::default() });
                world.fail(op..=op + length, fault);
                log.run(&world, 20).expect("goes on by itself");
                assert_eq!(log.acknowledged.len(), 36);
                world.mend();
                log.check(&open(&world).expect("opens"));
                for tail in Tail::ALL {
                    log.check_world(&world.restart(tail));
                }
            }
        }
    }
}

#[test]
fn a_crash_after_a_failing_call_keeps_what_was_acknowledged() {
    let calls = calls();
    for op in (1..=calls).step_by(2) {
        for later in [1, 2, 3, 4, 6, 9] {
            let (world, mut log) = (World::new(op), Log { may_have_holes: true, ..Log::default() });
            world.fail(op..=op, Fault::Io);
            world.crash_at(op + later);
            // The last calls may be done before the crash comes.
            let _ = log.run(&world, 20);
            for tail in Tail::ALL {
                log.check_world(&world.restart(tail));
            }
        }
    }
}

#[test]
fn a_full_disk_stops_appends_until_there_is_space() {
    for space in (0..12_000).step_by(97) {
        let (world, mut log) = (World::new(space), Log::default());
        world.set_space(Some(space));
        let journal = open(&world).expect("opens");
        let mut failed = 0;
        for step in 0..20 {
            while let Err(error) = log.append(&journal, step) {
                let JournalError::Io { source, .. } = error else { panic!("is not full") };
                assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
                log.check(&journal);
                failed += 1;
                if failed % 3 == 0 {
                    let more = 900 + failed * 300;
                    world.set_space(Some(space + more));
                }
            }
        }
        log.check(&journal);
        drop(journal);
        world.set_space(None);
        for tail in Tail::ALL {
            log.check_world(&world.restart(tail));
        }
    }
}

#[test]
fn positions_never_begin_again_when_all_was_trimmed_and_a_new_file_fails() {
    for seed in 0..40 {
        for op in 1..12 {
            let world = World::new(seed);
            let journal = open(&world).expect("opens");
            let mut log = Log::default();
            log.append(&journal, 7).expect("appends");
            let end = journal.end();
            drop(journal);
            // A new file is begun and not finished.
            let journal = open(&world).expect("opens");
            world.crash_at(world.ops() + 3);
            log.append(&journal, 6).expect_err("crashes");
            // Then all is trimmed, and beginning a file crashes again.
            let world = world.restart(Tail::Garbage);
            let journal = open(&world).expect("opens");
            assert_eq!(journal.end(), end);
            journal.trim(end).expect("trims");
            world.crash_at(world.ops() + op);
            let _ = log.append(&journal, 8);
            let (after, _) =
                Journal::open(&world.restart(Tail::Subset).sys(), Path::new(DIR), OPTIONS).expect("opens");
            assert!(after.end() >= end, "seed {seed}, call {op}");
        }
    }
}
