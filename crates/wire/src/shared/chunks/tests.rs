//! When chunks are closed, what is recorded, and what is done where a sink or the disk does not go along.

use std::sync::atomic::{AtomicBool, Ordering};

use sawlog_model::{Position, Source};
use sawlog_sys::sim::{Fault, World};

use super::*;
use crate::shared::strftime::zone;
use crate::testing::{lines, rows};

/// Chunks that a sink took: key and text.
type Taken = Arc<Mutex<Vec<(Key, String)>>>;

#[derive(Default)]
struct Keep {
    taken: Taken,
    refuses: Arc<AtomicBool>,
}

/// A sink that keeps what it gets.
struct KeepIn(World, Keep);

impl Sink for KeepIn {
    fn deliver(&self, chunk: &Whole<'_>, _keys: &Keys) -> Result<(), String> {
        if self.1.refuses.load(Ordering::Relaxed) {
            return Err("not now".to_owned());
        }
        let bytes = self.0.sys().fs.read(&chunk.path).map_err(|error| error.to_string())?;
        assert_eq!(bytes.len() as u64, chunk.len);
        lock(&self.1.taken).push((chunk.key.clone(), String::from_utf8(bytes).unwrap()));
        Ok(())
    }
}

struct Rig {
    world: World,
    chunks: Chunks,
    taken: Taken,
    refuses: Arc<AtomicBool>,
}

const MINUTE: Nanos = 60 * SECOND;

fn settings(time: Option<Nanos>, age: Option<Duration>) -> Settings {
    let time = time.map(|span| (span, zone("UTC").unwrap()));
    let keys = Keys { time, tag: true, fields: Vec::new() };
    Settings { dir: "/c".into(), keys, wait: 10 * SECOND, age, limit: 100, mode: None }
}

fn rig_on(world: World, settings: Settings) -> Rig {
    let keep = Keep::default();
    let (taken, refuses) = (keep.taken.clone(), keep.refuses.clone());
    let sink = Box::new(KeepIn(world.clone(), keep));
    let chunks = Chunks::open(&world.sys(), settings, sink, Limits::default()).unwrap();
    Rig { world, chunks, taken, refuses }
}

fn rig(settings: Settings) -> Rig {
    rig_on(World::new(1), settings)
}

impl Rig {
    fn put(&self, batch: &Batch, at: u64, next: u64) -> Result<(), OutputError> {
        let origin = Origin::Journal { at: Lsn(at), next: Lsn(next), position: None };
        self.chunks.take(batch, origin, |row, out| out.extend_from_slice(row.raw()))
    }

    fn pass(&self, seconds: u64) {
        self.world.advance(Duration::from_secs(seconds));
        self.chunks.record().unwrap();
    }

    fn texts(&self) -> Vec<String> {
        let mut texts: Vec<_> = lock(&self.taken).iter().map(|(_, text)| text.clone()).collect();
        texts.sort();
        texts
    }
}

#[test]
fn a_chunk_is_closed_at_its_age_and_rows_are_apart_by_tag() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    rig.put(&lines("b", &["2"]), 10, 20).unwrap();
    rig.pass(30);
    rig.put(&lines("a", &["3"]), 20, 30).unwrap();
    rig.pass(29);
    assert_eq!(rig.texts(), [] as [&str; 0]);
    rig.pass(1);
    assert_eq!(rig.texts(), ["1\n3\n", "2\n"]);
    assert_eq!(rig.world.sys().fs.list(Path::new("/c")).unwrap().len(), 2, "lock and state are left");
}

#[test]
fn a_chunk_of_a_span_waits_for_late_rows() {
    let rig = rig(settings(Some(MINUTE), None));
    let now = rig.world.sys().clock.now();
    let mut batch = lines("a", &["late", "now"]);
    (batch.rows[0].time, batch.rows[1].time) = (now - MINUTE, now);
    rig.put(&batch, 0, 10).unwrap();
    rig.pass(9);
    assert_eq!(rig.texts(), [] as [&str; 0]);
    rig.pass(1);
    assert_eq!(rig.texts(), ["late\n"], "ten seconds after its minute");
    rig.pass(60);
    assert_eq!(rig.texts(), ["late\n", "now\n"]);
    let slices: Vec<_> = lock(&rig.taken).iter().map(|(key, _)| key.slice).collect();
    assert_eq!(slices, [Some(now - MINUTE), Some(now)]);
}

#[test]
fn a_chunk_is_closed_before_it_is_too_long() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    let line = "x".repeat(59);
    (0..3).for_each(|at| rig.put(&lines("a", &[&line]), at, at + 1).unwrap());
    rig.pass(0);
    assert_eq!(rig.texts().len(), 2);
}

#[test]
fn a_frame_is_recorded_whole_or_not_at_all() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    rig.pass(0);
    rig.put(&lines("a", &["2"]), 10, 10).unwrap();
    rig.pass(0);
    assert_eq!(rig.chunks.recorded(), Lsn(10));
    let rig = rig_on(rig.world.kill(), settings(None, Some(Duration::from_secs(60))));
    assert_eq!(rig.chunks.recorded(), Lsn(10));
    rig.put(&lines("a", &["2"]), 10, 10).unwrap();
    rig.put(&lines("a", &["3"]), 10, 20).unwrap();
    rig.pass(60);
    assert_eq!((rig.texts(), rig.chunks.recorded()), (vec!["1\n2\n3\n".to_owned()], Lsn(20)));
}

#[test]
fn positions_of_files_and_of_late_journaling_are_recorded() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    let source = Arc::new(Source { id: SourceId(7), ..Source::default() });
    let batch = Batch { source, ..lines("a", &["1"]) };
    let position = Position { epoch: 1, offset: 2, ..Position::default() };
    let origin = Origin::Replayable(position.clone());
    rig.chunks.take(&batch, origin, |row, out| out.extend_from_slice(row.raw())).unwrap();
    assert!(rig.chunks.known().is_empty());
    rig.pass(0);
    assert_eq!(rig.chunks.known()[&SourceId(7)].position, position);
    rig.chunks.journaled(Lsn(5), Lsn(9));
    rig.pass(0);
    assert_eq!(rig.chunks.recorded(), Lsn(9));
}

#[test]
fn what_the_sink_does_not_take_is_given_again_and_at_last_nothing_more_is_taken() {
    let rig = rig(settings(None, Some(Duration::ZERO)));
    rig.refuses.store(true, Ordering::Relaxed);
    for at in 0..CLOSED_MOST as u64 {
        rig.put(&lines("a", &["1"]), at, at + 1).unwrap();
        // What fails is asked for again after a wait that grows.
        let _ = rig.chunks.record();
    }
    assert_eq!(rig.put(&lines("a", &["2"]), 99, 100).unwrap_err().to_string(), "not now");
    let failing = rig.chunks.failing().expect("it fails");
    assert_eq!((failing.tries, &*failing.reason), (1, "not now"), "it waits before it tries again");
    rig.world.advance(Duration::from_secs(20));
    let _ = rig.chunks.record();
    let again = rig.chunks.failing().expect("it still fails");
    assert_eq!((again.tries, again.since), (2, failing.since));
    rig.refuses.store(false, Ordering::Relaxed);
    rig.pass(30);
    assert_eq!(rig.texts().len(), CLOSED_MOST);
    assert_eq!(rig.chunks.failing(), None);
    rig.put(&lines("a", &["2"]), 99, 100).unwrap();
}

#[test]
fn a_full_disk_says_later_and_what_was_half_written_is_not_there() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    rig.pass(0);
    let next = rig.world.ops() + 1;
    rig.world.fail(next..=next, Fault::NoSpace);
    let long = "y".repeat(80);
    assert!(matches!(rig.put(&lines("a", &[&long]), 10, 20), Err(OutputError::Later(_))));
    rig.pass(60);
    assert_eq!((rig.texts(), rig.chunks.recorded()), (vec!["1\n".to_owned()], Lsn(10)));
    rig.put(&lines("a", &[&long]), 10, 20).unwrap();
    rig.pass(60);
    assert_eq!(rig.texts(), ["1\n".to_owned(), format!("{long}\n")]);
}

#[test]
fn after_a_failed_fsync_only_a_new_start_goes_on() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    let next = rig.world.ops() + 1;
    rig.world.fail(next..=next, Fault::Io);
    assert!(rig.chunks.record().unwrap_err().contains("fsync"));
    assert!(matches!(rig.put(&lines("a", &["2"]), 10, 20), Err(OutputError::Later(_))));
    assert!(rig.chunks.failing().is_some_and(|failing| failing.reason.contains("fsync")));
    assert_eq!(rig.chunks.recorded(), Lsn(0));
    rig.world.mend();
    let rig = rig_on(rig.world.kill(), settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    rig.pass(60);
    assert_eq!(rig.texts(), ["1\n"]);
}

#[test]
fn chunks_of_another_configuration_are_handed_on() {
    let rig = rig(settings(None, Some(Duration::from_secs(60))));
    rig.put(&lines("a", &["1"]), 0, 10).unwrap();
    rig.pass(0);
    let rig = rig_on(rig.world.kill(), settings(Some(MINUTE), None));
    rig.pass(0);
    assert_eq!(rig.texts(), ["1\n"]);
}

#[test]
fn a_directory_has_one_output() {
    let rig = rig(settings(None, None));
    let again = Chunks::open(
        &rig.world.sys(),
        settings(None, None),
        Box::new(KeepIn(rig.world.clone(), Keep::default())),
        Limits::default(),
    );
    assert!(again.err().unwrap().contains("in use"));
}

#[test]
fn more_keys_than_open_files_are_no_trouble() {
    let rig = rig(Settings { limit: 1 << 20, ..settings(None, Some(Duration::from_secs(60))) });
    for round in 0..2u64 {
        for tag in 0..(HANDLES_MOST as u64 + 10) {
            let at = round * 1_000 + tag;
            rig.put(&rows(&format!("t{tag}"), &["{}"]), at, at + 1).unwrap();
        }
    }
    assert!(lock(&rig.chunks.shared.state).handles() <= HANDLES_MOST + 10);
    rig.pass(60);
    assert_eq!(rig.texts(), vec!["{}\n{}\n"; HANDLES_MOST + 10]);
}

#[test]
fn the_thread_records_and_hands_on_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    struct Tell(std::sync::mpsc::Sender<u64>);
    impl Sink for Tell {
        fn deliver(&self, chunk: &Whole<'_>, _keys: &Keys) -> Result<(), String> {
            self.0.send(chunk.len).map_err(|error| error.to_string())
        }
    }
    let (tell, told) = std::sync::mpsc::channel();
    let settings = Settings { dir: dir.path().join("c"), ..settings(None, Some(Duration::from_millis(20))) };
    let chunks = Chunks::start(&Sys::real(), settings, Box::new(Tell(tell)), Limits::default()).unwrap();
    let origin = Origin::Journal { at: Lsn(0), next: Lsn(1), position: None };
    chunks.take(&lines("a", &["1"]), origin, |row, out| out.extend_from_slice(row.raw())).unwrap();
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(2));
}

const OWN: sawlog_pipeline::Protocol =
    sawlog_pipeline::Protocol { name: "test", options: &output::BUFFER, ..sawlog_pipeline::Protocol::EMPTY };

#[test]
fn spans_are_waited_for_as_long_as_the_option_says() {
    let times = |given: &[(&str, &[&str])]| {
        let times = output::Times::new(&crate::testing::options_of(&OWN, given)).unwrap();
        (times.wait, times.time.map(|(span, _)| span))
    };
    assert_eq!(times(&[]), (600 * SECOND, Some(24 * 3600 * SECOND)));
    let given: &[(&str, &[&str])] = &[("buffer.timekey_wait", &["90s"]), ("buffer.timekey", &["1h"])];
    assert_eq!(times(given), (90 * SECOND, Some(3600 * SECOND)));
}
