//! Many threads at once: who is told that a frame is durable finds it on the disk, and they share the waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sawlog_sys::sim::{Fault, Tail, World};
use sawlog_sys::task::{self, Thread};
use sawlog_sys::{Entry, File, Fs, Lock, Metadata, Open, Sys};

use crate::format::{FILE_HEADER, file_path, first_of};
use crate::{FrameKind, Journal, JournalError, Lane, Lsn, Options};

/// What is known of a file: bytes written, bytes synced, whether its name was.
#[derive(Clone, Copy, Default)]
struct Progress {
    written: u64,
    synced: u64,
    named: bool,
}

/// The real files, with an account of what is durable, and a disk that takes its time.
struct Watched {
    real: Arc<dyn Fs>,
    files: Arc<Mutex<BTreeMap<PathBuf, Progress>>>,
    syncs: Arc<AtomicU64>,
}

struct WatchedFile {
    real: Box<dyn File>,
    path: PathBuf,
    files: Arc<Mutex<BTreeMap<PathBuf, Progress>>>,
    syncs: Arc<AtomicU64>,
}

impl WatchedFile {
    fn progress<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        change(self.files.lock().unwrap().entry(self.path.clone()).or_default())
    }
}

impl File for WatchedFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.real.read_at(into, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.real.write_at(bytes, offset)?;
        self.progress(|progress| {
            assert_eq!(progress.written, offset, "bytes are only added");
            progress.written += bytes.len() as u64;
        });
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let written = self.progress(|progress| progress.written);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        task::sleep(Duration::from_millis(1));
        self.real.sync()?;
        self.progress(|progress| progress.synced = written);
        Ok(())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!("the journal cuts nothing")
    }
    fn metadata(&self) -> io::Result<Metadata> {
        self.real.metadata()
    }
}

impl Fs for Watched {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let real = self.real.open(path, how)?;
        let (files, syncs) = (Arc::clone(&self.files), Arc::clone(&self.syncs));
        Ok(Box::new(WatchedFile { real, path: path.to_owned(), files, syncs }))
    }
    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.real.metadata(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.real.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.real.create_dir_all(dir)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.real.rename(from, to)
    }
    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.real.unlink(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.real.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let before: BTreeSet<PathBuf> = self.files.lock().unwrap().keys().cloned().collect();
        self.real.sync_dir(dir)?;
        let mut files = self.files.lock().unwrap();
        files
            .iter_mut()
            .filter(|(path, _)| before.contains(*path))
            .for_each(|(_, progress)| progress.named = true);
        Ok(())
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        self.real.lock(path)
    }
    fn free(&self, path: &Path) -> io::Result<u64> {
        self.real.free(path)
    }
}

fn threads<T: Send + 'static>(count: u64, work: impl Fn(u64) -> T + Clone + Send + 'static) -> Vec<T> {
    let start = |thread: u64| {
        let work = work.clone();
        task::spawn("appender", move || work(thread)).expect("starts")
    };
    let running: Vec<Thread<T>> = (0..count).map(start).collect();
    running.into_iter().map(|thread| thread.join().expect("does not panic")).collect()
}

/// A payload that only that append has.
fn payload(thread: u64, index: u64) -> Vec<u8> {
    let mut payload = vec![thread as u8; (index * 37 % 300) as usize];
    payload.extend_from_slice(&thread.to_le_bytes());
    payload.extend_from_slice(&index.to_le_bytes());
    payload
}

fn append(journal: &Journal, bytes: &[u8]) -> Result<Lsn, JournalError> {
    journal.append(FrameKind::Data, Lane::default(), |_, into| into.extend_from_slice(bytes))
}

#[test]
fn a_frame_is_durable_when_its_append_returns_and_syncs_are_shared() {
    const THREADS: u64 = 16;
    const APPENDS: u64 = 500;
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().to_owned();
    let real = Sys::real();
    let (files, syncs): (Arc<Mutex<BTreeMap<PathBuf, Progress>>>, _) = (Arc::default(), Arc::default());
    let watched = Watched { real: real.fs, files: Arc::clone(&files), syncs: Arc::clone(&syncs) };
    let sys = Sys { fs: Arc::new(watched), ..Sys::real() };
    let options = Options { file_bytes: 200_000, ..Options::default() };
    let (journal, _) = Journal::open(&sys, &dir, options).expect("opens");

    let appending = journal.clone();
    let given = threads(THREADS, move |thread| {
        (0..APPENDS)
            .map(|index| {
                let bytes = payload(thread, index);
                let lsn = append(&appending, &bytes).expect("appends");
                let files = files.lock().unwrap();
                let in_journal = |path: &&PathBuf| first_of(path).is_some_and(|first| first <= lsn);
                let path = files.keys().rfind(in_journal).expect("a file has it");
                let offset = lsn.0 - first_of(path).expect("is of the journal").0 + FILE_HEADER as u64;
                assert!(files[path].named && files[path].synced >= offset + bytes.len() as u64);
                (lsn, bytes)
            })
            .collect::<Vec<_>>()
    });
    let given: BTreeMap<Lsn, Vec<u8>> = given.into_iter().flatten().collect();
    let found: BTreeMap<Lsn, Vec<u8>> = journal
        .read(Lsn(0))
        .map(|frame| frame.map(|frame| (frame.lsn, frame.payload.to_vec())).expect("reads"))
        .collect();
    assert_eq!(given.len() as u64, THREADS * APPENDS);
    assert!(given == found);
    let syncs = syncs.load(Ordering::Relaxed);
    assert!(syncs * 4 < THREADS * APPENDS, "{syncs} syncs");
}

#[test]
fn a_crash_among_many_threads_keeps_what_was_acknowledged() {
    for op in (5..120).step_by(3) {
        let world = World::new(op);
        world.crash_at(op);
        let dir = Path::new("/journal");
        let options = Options { file_bytes: 3000, ..Options::default() };
        let Ok((journal, _)) = Journal::open(&world.sys(), dir, options) else { continue };
        let given = threads(6, move |thread| {
            let append = |index| {
                let bytes = payload(thread, index);
                append(&journal, &bytes).map(|lsn| (lsn, bytes))
            };
            (0..).map(append).map_while(Result::ok).collect::<Vec<_>>()
        });
        for tail in Tail::ALL {
            let (journal, _) = Journal::open(&world.restart(tail).sys(), dir, options).expect("opens");
            let found: BTreeMap<Lsn, Vec<u8>> = journal
                .read(Lsn(0))
                .map(|frame| frame.map(|frame| (frame.lsn, frame.payload.to_vec())).expect("reads"))
                .collect();
            for (lsn, bytes) in given.iter().flatten() {
                assert_eq!(found.get(lsn), Some(bytes), "crash at {op}, {tail:?}");
            }
            let different: BTreeSet<&Vec<u8>> = found.values().collect();
            assert_eq!(different.len(), found.len(), "a frame is there twice");
        }
    }
}

#[test]
fn a_disk_that_fails_now_and_then_loses_and_doubles_nothing_for_many_threads_and_a_reader() {
    const THREADS: u64 = 6;
    const APPENDS: u64 = 60;
    for seed in 0..12 {
        let world = World::new(seed);
        let dir = Path::new("/journal");
        let options = Options { file_bytes: 3000, ..Options::default() };
        let (journal, _) = Journal::open(&world.sys(), dir, options).expect("opens");
        for at in (10 + seed..5000).step_by(7 + seed as usize) {
            world.fail(at..=at + seed % 4, if seed % 2 == 0 { Fault::Io } else { Fault::NoSpace });
        }
        let done = task::Stop::default();
        let (reading, finished) = (journal.clone(), done.clone());
        let reader = task::spawn("reader", move || {
            let (mut at, mut payloads) = (Lsn(0), Vec::new());
            loop {
                let last = finished.requested();
                // An iterator that failed to read would go on with the next file: begin anew instead.
                for frame in reading.read(at).map_while(Result::ok) {
                    assert!(frame.lsn >= at);
                    at = frame.next;
                    payloads.push(frame.payload.to_vec());
                }
                if last && at == reading.end() {
                    return payloads;
                }
            }
        });
        let appending = journal.clone();
        let given = threads(THREADS, move |thread| {
            let persist = |index| {
                let bytes = payload(thread, index);
                while append(&appending, &bytes).is_err() {}
                bytes
            };
            (0..APPENDS).map(persist).collect::<Vec<_>>()
        });
        world.mend();
        done.request();
        let mut found = reader.expect("starts").join().expect("does not panic");
        let mut given: Vec<Vec<u8>> = given.into_iter().flatten().collect();
        found.sort();
        given.sort();
        assert!(found == given, "seed {seed}: {} read, {} given", found.len(), given.len());
    }
}

#[test]
fn an_idle_journal_writes_at_once_with_one_write_and_one_sync() {
    let world = World::new(1);
    let (journal, _) = Journal::open(&world.sys(), Path::new("/journal"), Options::default()).expect("opens");
    append(&journal, b"begins the file").expect("appends");
    let before = world.ops();
    append(&journal, b"next").expect("appends");
    assert_eq!(world.ops() - before, 2);
}

#[test]
fn a_payload_whose_making_panics_leaves_nothing() {
    let world = World::new(1);
    let (journal, _) = Journal::open(&world.sys(), Path::new("/journal"), Options::default()).expect("opens");
    let panicking = journal.clone();
    let thread = task::spawn("panics", move || {
        panicking.append(FrameKind::Data, Lane::default(), |_, into| {
            into.push(1);
            panic!("on purpose");
        })
    });
    assert!(thread.expect("starts").join().is_none());
    let lsn = append(&journal, b"good").expect("appends");
    assert_eq!(lsn, Lsn(1));
    assert_eq!(journal.read(Lsn(0)).count(), 1);
    assert!(world.sys().fs.metadata(&file_path(Path::new("/journal"), lsn)).is_ok());
}
