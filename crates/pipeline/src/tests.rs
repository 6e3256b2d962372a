//! The pipeline over a real journal, with outputs that the test commits and crashes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sawlog_journal::{FrameKind, Journal, Lsn, Options};
use sawlog_model::{Batch, KnownSource, NodeStatus, Position, Row, Source, SourceId, Tenant, frame};
use sawlog_sys::{Sys, task};

use crate::payload::{self, Item};
use crate::testing::{Collect, copy_dir, wait_until};
use crate::{DeadLetters, DeliveryError, Output, Pipeline, PipelineOptions, Tapped};

mod letters;
mod limits;
mod once;
mod random;
mod reloads;
mod retries;
mod routed;

/// A node whose crashes are copies of its journal's directory.
struct Node {
    sys: Sys,
    dir: tempfile::TempDir,
    lives: usize,
}

impl Node {
    fn new() -> Self {
        Node { sys: Sys::real(), dir: tempfile::tempdir().expect("a directory"), lives: 0 }
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join(format!("journal{}", self.lives))
    }

    fn journal(&self) -> Journal {
        let options = Options { file_bytes: 64 << 10, total_bytes: 64 << 20 };
        Journal::open(&self.sys, &self.journal_dir(), options).expect("the journal opens").0
    }

    fn start(&self, outputs: &[&Arc<Collect>], options: PipelineOptions) -> Pipeline {
        let outputs = outputs.iter().map(|output| Arc::clone(output) as Arc<dyn Output>).collect();
        let outputs: Vec<Arc<dyn Output>> = outputs;
        Pipeline::start(&self.sys, self.journal(), outputs, options).expect("the pipeline starts")
    }

    /// Goes on as if the machine had crashed now: what the pipeline does when it stops is not seen any more.
    fn crash(&mut self, pipeline: &Pipeline, output: &Collect) -> Arc<Collect> {
        let left = output.crashed();
        let from = self.journal_dir();
        self.lives += 1;
        copy_dir(&self.sys, &from, &self.journal_dir());
        pipeline.stop();
        left
    }
}

fn quick() -> PipelineOptions {
    PipelineOptions { late_after: Some(Duration::from_millis(50)), ..PipelineOptions::default() }
}

fn slow() -> PipelineOptions {
    PipelineOptions { late_after: Some(Duration::from_secs(60)), ..PipelineOptions::default() }
}

fn source(id: u128) -> Arc<Source> {
    let mut source = Source { id: SourceId(id), ..Source::default() };
    source.facts.name = format!("source {id}");
    Arc::new(source)
}

/// Lines as rows of one source from `offset` on.
fn batch(id: u128, epoch: u32, offset: u64, lines: &[&str]) -> (Batch, Position) {
    let buffer = lines.concat().into_bytes();
    let mut rows = Vec::new();
    let mut start = 0;
    for line in lines {
        let len = line.len() as u32;
        rows.push(Row {
            start,
            len,
            offset: offset + u64::from(start),
            time: 5,
            received: 7,
            slots_end: 0,
            marks: Default::default(),
        });
        start += len;
    }
    let position =
        Position { epoch, offset: offset + u64::from(start), resume: Bytes::from_static(b"resume") };
    (Batch { source: source(id), epoch, buffer: buffer.into(), rows, ..Batch::default() }, position)
}

fn submit(pipeline: &Pipeline, lines: &[&str]) -> Result<(), DeliveryError> {
    let runtime = task::runtime("test", 1).expect("a runtime");
    runtime.block_on(pipeline.intake("net").submit(vec![batch(1, 0, 0, lines).0]))
}

#[test]
fn submitted_rows_outlive_a_crash_before_the_output_commits() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    submit(&pipeline, &["a\n", "b\n"]).unwrap();
    submit(&pipeline, &["c\n"]).unwrap();
    assert_eq!(output.lines(), ["a\n", "b\n", "c\n"]);
    let before = output.rows();
    let output = node.crash(&pipeline, &output);
    assert!(output.lines().is_empty());
    let pipeline = node.start(&[&output], quick());
    assert_eq!(output.rows(), before);
    output.commit();
    let output = node.crash(&pipeline, &output);
    let _pipeline = node.start(&[&output], quick());
    assert_eq!(output.rows(), before, "what is committed is not replayed");
}

#[test]
fn addresses_of_submitted_rows_grow_within_and_across_frames() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    let intake = pipeline.intake("net");
    let runtime = task::runtime("test", 2).unwrap();
    runtime.block_on(async {
        let sends = (0..50).map(|_| {
            let intake = intake.clone();
            let batches = vec![batch(1, 0, 0, &["a\n", "b\n"]).0, batch(1, 0, 0, &["c\n"]).0];
            tokio::spawn(async move { intake.submit(batches).await })
        });
        for send in sends.collect::<Vec<_>>() {
            send.await.unwrap().unwrap();
        }
    });
    let rows = output.rows();
    assert_eq!(rows.len(), 150);
    assert!(rows.windows(2).all(|pair| pair[0].address < pair[1].address));
    pipeline.stop();
    drop((pipeline, intake));
    let frames = node.journal().read(sawlog_journal::Lsn(0)).count();
    assert!(frames < 50, "submits that come together share an fsync: {frames} frames");
}

#[test]
fn offered_rows_are_journaled_only_when_they_stay_uncommitted() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    let intake = pipeline.intake("file");
    let (rows, position) = batch(1, 0, 0, &["a\n"]);
    intake.offer(rows, position).unwrap();
    output.commit();
    task::sleep(Duration::from_millis(150));
    assert_eq!(output.counts(), (1, 0), "committed in time");
    let (rows, position) = batch(1, 0, 2, &["b\n"]);
    intake.offer(rows, position).unwrap();
    wait_until("late journaling", || output.counts() == (2, 1));
    assert_eq!(output.lines(), ["a\n", "b\n"], "it was told, not given again");
}

#[test]
fn late_rows_and_their_position_outlive_a_crash() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    let (rows, position) = batch(1, 3, 100, &["a\n", "b\n"]);
    pipeline.intake("file").offer(rows, position.clone()).unwrap();
    wait_until("late journaling", || output.counts() == (1, 1));
    let before = output.rows();
    let output = node.crash(&pipeline, &output);
    let pipeline = node.start(&[&output], quick());
    assert_eq!(output.rows(), before);
    let known = KnownSource { source: (*source(1)).clone(), position };
    assert_eq!(pipeline.intake("file").known_sources(), [known]);
}

#[test]
fn rows_that_were_neither_committed_nor_journaled_are_read_again() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], slow());
    let (rows, position) = batch(1, 0, 0, &["a\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    assert_eq!(output.lines(), ["a\n"]);
    let output = node.crash(&pipeline, &output);
    let pipeline = node.start(&[&output], slow());
    assert!(output.lines().is_empty());
    assert!(pipeline.intake("file").known_sources().is_empty());
}

#[test]
fn settled_rows_outlive_a_crash_and_others_of_the_same_time_do_not() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], slow());
    let intake = pipeline.intake("file");
    for (id, line) in [(1, "a\n"), (2, "b\n"), (1, "c\n")] {
        let (rows, position) = batch(id, 0, u64::from(line == "c\n") * 2, &[line]);
        intake.offer(rows, position).unwrap();
    }
    intake.settle(SourceId(1)).unwrap();
    let output = node.crash(&pipeline, &output);
    let _pipeline = node.start(&[&output], slow());
    assert_eq!(output.lines(), ["a\n", "c\n"]);
}

#[test]
fn a_slow_output_does_not_stop_another_and_gets_everything_in_order() {
    let node = Node::new();
    let (fast, slow) = (Collect::new("fast"), Collect::forgetful("slow"));
    slow.set_later(true);
    let pipeline = node.start(&[&fast, &slow], quick());
    let mut want = Vec::new();
    for index in 0..20 {
        let line = format!("{index}\n");
        submit(&pipeline, &[&line]).unwrap();
        want.push(line);
    }
    assert_eq!(fast.lines(), want);
    assert!(slow.lines().is_empty());
    slow.set_later(false);
    assert_eq!(slow.wait_for_rows(20), want);
    submit(&pipeline, &["after\n"]).unwrap();
    want.push("after\n".to_owned());
    assert_eq!(slow.wait_for_rows(21), want);
}

#[test]
fn rows_of_a_file_go_by_the_journal_while_the_only_output_is_away() {
    let node = Node::new();
    let output = Collect::forgetful("remote");
    let pipeline = node.start(&[&output], quick());
    let intake = pipeline.intake("file");
    output.set_later(true);
    for index in 0..5 {
        let (rows, position) = batch(1, 0, index * 2, &[&format!("{index}\n")]);
        intake.offer(rows, position).unwrap();
    }
    output.set_later(false);
    let (rows, position) = batch(1, 0, 10, &["5\n"]);
    intake.offer(rows, position).unwrap();
    assert_eq!(output.wait_for_rows(6), ["0\n", "1\n", "2\n", "3\n", "4\n", "5\n"]);
}

#[test]
fn the_journal_keeps_cursor_and_positions_for_an_output_that_keeps_none() {
    let mut node = Node::new();
    let output = Collect::forgetful("remote");
    let options = || PipelineOptions { trim_bytes: 1, ..quick() };
    let pipeline = node.start(&[&output], options());
    let intake = pipeline.intake("file");
    let (rows, old_position) = batch(7, 2, 0, &["old\n"]);
    intake.offer(rows, old_position.clone()).unwrap();
    wait_until("late journaling", || output.counts() == (1, 1));
    let big = "x".repeat(10_000);
    for index in 0..30 {
        submit(&pipeline, &[&format!("{index}{big}\n")]).unwrap();
    }
    output.wait_for_rows(31);
    output.commit();
    pipeline.maintain().unwrap();
    assert!(pipeline.journal_bytes() < 10_000);
    let output = node.crash(&pipeline, &output);
    assert!(node.journal().start().0 > 100_000, "it was trimmed");
    let pipeline = node.start(&[&output], options());
    submit(&pipeline, &["new\n"]).unwrap();
    assert_eq!(output.wait_for_rows(32).last().unwrap(), "new\n");
    assert_eq!(output.lines().len(), 32, "nothing was sent again");
    let known = pipeline.intake("file").known_sources();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].position, old_position);
}

#[test]
fn a_recorded_epoch_outlives_trimming_until_the_output_has_a_later_position() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let options = || PipelineOptions { trim_bytes: 1, ..quick() };
    let pipeline = node.start(&[&output], options());
    let (rows, position) = batch(7, 0, 0, &["old\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    output.commit();
    let position = Position { epoch: 1, ..Position::default() };
    let known = KnownSource { source: (*source(7)).clone(), position };
    pipeline.intake("file").record(vec![known.clone()]).unwrap();
    let big = "x".repeat(10_000);
    for _ in 0..30 {
        submit(&pipeline, &[&big]).unwrap();
    }
    output.commit();
    pipeline.maintain().unwrap();
    let output = node.crash(&pipeline, &output);
    assert!(node.journal().start().0 > 100_000, "it was trimmed");
    let pipeline = node.start(&[&output], options());
    assert_eq!(pipeline.intake("file").known_sources(), [known]);
    let (rows, position) = batch(7, 1, 0, &["new\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    output.commit();
    assert_eq!(pipeline.intake("file").known_sources()[0].position.mark(), (1, 4));
}

#[test]
fn frames_that_cannot_be_understood_are_counted_and_passed_over() {
    let node = Node::new();
    let journal = node.journal();
    for kind in [FrameKind::Data, FrameKind::Cursor] {
        journal.append(kind, Default::default(), |_, out| out.extend_from_slice(b"\xffnonsense")).unwrap();
    }
    drop(journal);
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    submit(&pipeline, &["a\n"]).unwrap();
    assert_eq!(output.lines(), ["a\n"]);
    let parts = pipeline.parts();
    let journal = parts.iter().find(|part| part.name == "journal").unwrap();
    assert_eq!(journal.errors, [("undecodable".to_owned(), 2)]);
}

#[test]
fn refused_rows_become_dead_letters_and_the_rest_goes_on() {
    let node = Node::new();
    let dir = node.dir.path().join("dead");
    let dead = DeadLetters::open(&node.sys, &dir, 1 << 20).unwrap();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], PipelineOptions { dead: Some(dead.clone()), ..quick() });
    output.set_refuse(true);
    submit(&pipeline, &["bad\n"]).unwrap();
    output.set_refuse(false);
    submit(&pipeline, &["good\n"]).unwrap();
    assert_eq!(output.lines(), ["good\n"]);
    let letters: Vec<_> = DeadLetters::read(&node.sys, &dir).unwrap().map(Result::unwrap).collect();
    assert_eq!(letters.len(), 1);
    assert_eq!((&*letters[0].output, &*letters[0].reason), ("store", "the test refuses"));
    assert_eq!(letters[0].batch.row(0).raw(), b"bad\n");
    let parts = pipeline.parts();
    assert_eq!(parts.last().unwrap().errors, [("refused".to_owned(), 1)]);
}

#[test]
fn a_subscriber_sees_what_is_accepted_and_is_told_what_it_missed() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    let mut tap = pipeline.subscribe();
    submit(&pipeline, &["a\n"]).unwrap();
    let (rows, position) = batch(2, 0, 0, &["b\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    for want in [b"a\n", b"b\n"] {
        match tap.try_next() {
            Some(Tapped::Rows(batch)) => assert_eq!(batch.row(0).raw(), want),
            other => panic!("rows were expected, not {other:?}"),
        }
    }
    assert!(tap.try_next().is_none());
    let big = "x".repeat(3 << 20);
    for _ in 0..5 {
        submit(&pipeline, &[&big]).unwrap();
    }
    let seen: Vec<_> = std::iter::from_fn(|| tap.try_next()).collect();
    assert!(matches!(seen[..], [Tapped::Rows(_), Tapped::Rows(_), Tapped::Missed(3)]), "{}", seen.len());
    pipeline.stop();
    let ended = task::runtime("test", 1).unwrap().block_on(tap.next());
    assert!(ended.is_none());
}

#[test]
fn a_stopped_pipeline_takes_nothing_and_kept_what_was_pending() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], slow());
    let intake = pipeline.intake("file");
    let (rows, position) = batch(1, 0, 0, &["a\n"]);
    intake.offer(rows, position).unwrap();
    intake.count_error("decode", "bad byte");
    pipeline.stop();
    let (rows, position) = batch(1, 0, 2, &["b\n"]);
    assert!(matches!(intake.offer(rows, position), Err(DeliveryError::Stopping)));
    assert!(matches!(submit(&pipeline, &["c\n"]), Err(DeliveryError::Stopping)));
    let part = &pipeline.status().parts()[0];
    assert_eq!((part.role, part.name.as_str(), part.state), ("input", "file", "stopped"));
    assert_eq!((part.records, part.bytes, part.last_error.as_deref()), (1, 2, Some("bad byte")));
    drop((pipeline, intake));
    let output = output.crashed();
    let _pipeline = node.start(&[&output], slow());
    assert_eq!(output.lines(), ["a\n"]);
}

#[test]
fn too_much_that_is_pending_is_journaled_before_its_time() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], PipelineOptions { pending_bytes: 50_000, ..slow() });
    let line = "x".repeat(9_999) + "\n";
    for index in 0..50 {
        let (rows, position) = batch(1, 0, index * 10_000, &[&line]);
        pipeline.intake("file").offer(rows, position).unwrap();
    }
    // What is left pending is under the limit: at most five of the fifty.
    wait_until("journaling of what is over", || output.counts().1 >= 45);
    assert_eq!(output.counts().0, 50);
}

#[test]
fn what_came_encoded_is_journaled_as_it_came_but_for_the_tenant() {
    let (node, output) = (Node::new(), Collect::new("store"));
    let pipeline = node.start(&[&output], quick());
    let (mut rows, position) = batch(1, 0, 0, &["a\n", "b\n"]);
    let mut bytes = Vec::new();
    frame::encode(&batch(1, 0, 0, &["x\n", "y\n"]).0, &mut bytes);
    let encoded = frame::after_tenant(&bytes.into()).unwrap();
    rows.tenant = Tenant(300);
    let intake = pipeline.intake("test");
    let submitted = intake.submit_encoded(vec![(rows, position, Some(encoded))]);
    task::runtime("test", 1).unwrap().block_on(submitted).unwrap();
    pipeline.stop();
    drop((intake, pipeline));
    let frames: Vec<_> = node.journal().read(Lsn(0)).map(Result::unwrap).collect();
    let data = frames.into_iter().find(|frame| frame.kind == FrameKind::Data).unwrap();
    let items = payload::read_items(data.payload).unwrap();
    assert_eq!(items[0].batch.tenant, Tenant(300));
    assert_eq!(items[0].batch.iter().map(|row| row.raw()).collect::<Vec<_>>(), [b"x\n", b"y\n"]);
}

#[test]
fn rows_that_stand_in_the_journal_twice_are_given_once() {
    let node = Node::new();
    let journal = node.journal();
    // What an append leaves that failed after its bytes were written: the rows come again, cut elsewhere.
    for lines in [&["a\n", "b\n"][..], &["a\n", "b\n"], &["a\n", "b\n", "c\n"]] {
        let (rows, position) = batch(1, 0, 0, lines);
        let (batch, position) = (Arc::new(rows), Some(position));
        let label = "".into();
        let item = Item { batch, position, late: None, label, key: None, only: None, encoded: None };
        journal
            .append(FrameKind::Data, Default::default(), |_, out| {
                payload::begin(out);
                payload::put_item(out, &item);
            })
            .unwrap();
    }
    drop(journal);
    let output = Collect::new("store");
    let _pipeline = node.start(&[&output], quick());
    assert_eq!(output.lines(), ["a\n", "b\n", "c\n"]);
}

#[test]
fn the_journal_is_not_trimmed_past_what_an_output_holds_for_good() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let options = || PipelineOptions { trim_bytes: 1, ..quick() };
    let pipeline = node.start(&[&output], options());
    let big = "x".repeat(10_000);
    for _ in 0..30 {
        submit(&pipeline, &[&big]).unwrap();
        pipeline.maintain().unwrap();
    }
    let output = node.crash(&pipeline, &output);
    let _pipeline = node.start(&[&output], options());
    assert_eq!(output.lines().len(), 30);
}
