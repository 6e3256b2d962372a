//! The simulated twin of the machine: files, clock and randomness from one seed. Its disk forgets what was not synced,
//! fails where a test says so and crashes at any call. Knows nothing of sockets, threads and watchers.
//!
//! A test counts the calls of a run without faults ([`World::ops`]), then repeats the run once for each of them with a
//! crash there ([`World::crash_at`]), and looks at the worlds that may come after it ([`World::restart`] for a loss of
//! power, [`World::kill`] where only the process ended):
//!
//! ```
//! use sawlog_sys::{Open, sim::{Tail, World}};
//! let world = World::new(7);
//! let file = world.sys().fs.open("/a".as_ref(), Open::New).unwrap();
//! file.write_at(b"unsynced", 0).unwrap();
//! assert!(world.restart(Tail::Lost).sys().fs.open("/a".as_ref(), Open::Read).is_err());
//! ```

mod damage;
mod dice;
mod disk;
mod files;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use disk::{Disk, Id};
use files::SimFs;

pub use damage::withstand;
pub use dice::Dice;

use crate::{Clock, Random, Sys};

/// What becomes of unsynced changes in a crash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Tail {
    /// None is there.
    Lost,
    /// All are there.
    Kept,
    /// Some sectors, lengths and names are there, others not, whatever their order was.
    Subset,
    /// All are there, but the last write ends at some byte.
    Torn,
    /// All are there, but the bytes are others.
    Garbage,
}

impl Tail {
    /// Every tail state.
    pub const ALL: [Tail; 5] = [Tail::Lost, Tail::Kept, Tail::Subset, Tail::Torn, Tail::Garbage];
}

/// How a call fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The device fails (EIO).
    Io,
    /// The disk is full (ENOSPC).
    NoSpace,
}

impl Fault {
    fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Fault::Io => 5,
            Fault::NoSpace => 28,
        })
    }
}

/// The machine has crashed; see [`is_crash`].
#[derive(Debug, thiserror::Error)]
#[error("the simulated machine has crashed")]
struct Crash;

/// Whether the error says that the simulated machine has crashed.
pub fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Crash>())
}

/// A simulated machine. Clones are the same one.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

struct State {
    disk: Disk,
    dice: Dice,
    ops: u64,
    crash_at: Option<u64>,
    crashed: bool,
    faults: Vec<(RangeInclusive<u64>, Fault)>,
    /// Bytes that files may have together.
    space: Option<u64>,
    locked: BTreeSet<Id>,
    now: i64,
    monotonic: Duration,
}

/// What a call shall do.
enum Fate {
    Do,
    /// Take effect, unsynced, and then crash.
    Crash,
    Fail(Fault),
}

impl World {
    /// A machine with an empty disk, on 2026-01-01 in UTC. All that is random comes from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::with(Disk::default(), Dice(seed), 1_767_225_600_000_000_000)
    }

    fn with(disk: Disk, dice: Dice, now: i64) -> Self {
        World(Arc::new(Mutex::new(State {
            disk,
            dice,
            ops: 0,
            crash_at: None,
            crashed: false,
            faults: Vec::new(),
            space: None,
            locked: BTreeSet::new(),
            now,
            monotonic: Duration::ZERO,
        })))
    }

    /// This machine as the outside of what is tested.
    pub fn sys(&self) -> Sys {
        Sys {
            fs: Arc::new(SimFs(self.clone())),
            clock: Arc::new(SimClock(self.clone())),
            random: Arc::new(SimRandom(self.clone())),
        }
    }

    /// Calls to files and the file system so far, those that failed too.
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// Crashes at the call of that number (the first is 1). If it changes something and is not a sync, the change is
    /// made, unsynced. It and all later calls fail with an error for which [`is_crash`] is true.
    pub fn crash_at(&self, op: u64) {
        self.state().crash_at = Some(op);
    }

    /// Whether the crash has come.
    pub fn crashed(&self) -> bool {
        self.state().crashed
    }

    /// Lets the calls of those numbers fail. A write leaves a part of itself; a sync drops what was not synced, which
    /// may go on to be seen until the machine stops; all else has no effect.
    pub fn fail(&self, ops: RangeInclusive<u64>, fault: Fault) {
        self.state().faults.push((ops, fault));
    }

    /// Takes all faults back.
    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// Bytes that all files may have together; `None`: any number. A write that goes over fails in the middle.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.state().space = bytes;
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let mut state = self.state();
        state.monotonic += time;
        state.now += time.as_nanos() as i64;
    }

    /// Sets the clock of the day, nanoseconds since 1970 in UTC; monotonic time goes on as it was.
    pub fn set_now(&self, now: i64) {
        self.state().now = now;
    }

    /// Stops this machine (if it did not crash before) and gives one that starts from its disk. May be asked several
    /// times, for several tails.
    pub fn restart(&self, tail: Tail) -> World {
        let mut state = self.state();
        state.crashed = true;
        let mut dice = state.dice.fork(tail as u64);
        let disk = state.disk.after_crash(tail, &mut dice);
        Self::with(disk, dice, state.now)
    }

    /// Ends only the process, where [`World::crash_at`] ended it or else now, and gives the machine to the next one: all
    /// that was written is seen, and what was not synced still is not durable.
    pub fn kill(&self) -> World {
        let mut state = self.state();
        state.crashed = true;
        let after = Self::with(state.disk.clone(), state.dice.fork(Tail::ALL.len() as u64), state.now);
        after.state().space = state.space;
        after.state().monotonic = state.monotonic;
        after
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call and says what it shall do.
    fn enter(&mut self) -> io::Result<Fate> {
        self.ops += 1;
        if self.crashed {
            return Err(crash());
        }
        if self.crash_at.is_some_and(|op| self.ops >= op) {
            self.crashed = true;
            return Ok(Fate::Crash);
        }
        let fault = self.faults.iter().find(|(ops, _)| ops.contains(&self.ops));
        Ok(fault.map_or(Fate::Do, |(_, fault)| Fate::Fail(*fault)))
    }

    /// Counts a call that changes nothing.
    fn enter_read(&mut self) -> io::Result<()> {
        match self.enter()? {
            Fate::Do => Ok(()),
            Fate::Crash => Err(crash()),
            Fate::Fail(fault) => Err(fault.error()),
        }
    }

    /// Counts a call that changes the disk by `change`, unsynced.
    fn change<T>(&mut self, change: impl FnOnce(&mut Disk, i64) -> io::Result<T>) -> io::Result<T> {
        match self.enter()? {
            Fate::Do => change(&mut self.disk, self.now),
            Fate::Crash => {
                // Whether it could be made nobody learns any more.
                let _ = change(&mut self.disk, self.now);
                Err(crash())
            }
            Fate::Fail(fault) => Err(fault.error()),
        }
    }
}

fn crash() -> io::Error {
    io::Error::other(Crash)
}

struct SimClock(World);

impl Clock for SimClock {
    fn now(&self) -> i64 {
        self.0.state().now
    }

    fn monotonic(&self) -> Duration {
        self.0.state().monotonic
    }
}

struct SimRandom(World);

impl Random for SimRandom {
    fn fill(&self, into: &mut [u8]) {
        self.0.state().dice.fill(into);
    }
}
