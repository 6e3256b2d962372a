//! Keys of messages that may be sent again, and what inputs note of themselves.

use sawlog_sys::task;

use super::{Node, batch, quick, slow};
use crate::testing::Collect;
use crate::{Note, Pipeline, PipelineOptions};

fn submit(pipeline: &Pipeline, key: u128, line: &str) {
    let runtime = task::runtime("test", 1).expect("a runtime");
    let intake = pipeline.intake("net");
    runtime.block_on(intake.submit_keyed(vec![(batch(1, 0, 0, &[line]).0, Some(key))])).expect("taken");
}

#[test]
fn keys_are_known_after_a_crash() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    submit(&pipeline, 1, "a\n");
    submit(&pipeline, 2, "b\n");
    assert_eq!(pipeline.intake("net").known_keys(), [1, 2]);
    let output = node.crash(&pipeline, &output);
    let pipeline = node.start(&[&output], quick());
    assert_eq!(pipeline.intake("net").known_keys(), [1, 2]);
}

#[test]
fn keys_outlive_the_trimming_of_their_frames() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let options = || PipelineOptions { trim_bytes: 1, ..slow() };
    let pipeline = node.start(&[&output], options());
    // Journal files are 64 KiB: the first ones can go.
    let keys: Vec<u128> = (100..140).collect();
    for key in &keys {
        submit(&pipeline, *key, &"x".repeat(8 << 10));
    }
    output.commit();
    pipeline.maintain().unwrap();
    let output = node.crash(&pipeline, &output);
    assert!(node.journal().start().0 > 64 << 10, "nothing was trimmed");
    let pipeline = node.start(&[&output], options());
    let mut known = pipeline.intake("net").known_keys();
    known.sort_unstable();
    assert_eq!(known, keys);
}

fn note(pipeline: &Pipeline, name: &str, state: &'static [u8], lines: &[&str]) {
    let runtime = task::runtime("test", 1).expect("a runtime");
    let intake = pipeline.intake("net");
    let rows = if lines.is_empty() { Vec::new() } else { vec![batch(1, 0, 0, lines).0] };
    let note = Note { name: name.to_owned(), state: state.into() };
    runtime.block_on(intake.submit_noted(rows, note)).expect("taken");
}

#[test]
fn the_last_note_of_a_name_is_known_after_a_crash() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    note(&pipeline, "a", b"1", &["a\n"]);
    note(&pipeline, "b", b"2", &[]);
    note(&pipeline, "gone", b"9", &["b\n"]);
    note(&pipeline, "a", b"3", &["c\n", "d\n"]);
    note(&pipeline, "gone", b"", &[]);
    let of = |pipeline: &Pipeline, name| pipeline.intake("net").note(name).map(|state| state.to_vec());
    let all = |pipeline: &Pipeline| ["a", "b", "gone"].map(|name| of(pipeline, name));
    let wanted = [Some(b"3".to_vec()), Some(b"2".to_vec()), None];
    assert_eq!(all(&pipeline), wanted);
    let output = node.crash(&pipeline, &output);
    let pipeline = node.start(&[&output], quick());
    assert_eq!(all(&pipeline), wanted);
    // Rows are replayed without them.
    assert_eq!(output.wait_for_rows(4), ["a\n", "b\n", "c\n", "d\n"]);
}

#[test]
fn notes_outlive_the_trimming_of_their_frames() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let options = || PipelineOptions { trim_bytes: 1, ..slow() };
    let pipeline = node.start(&[&output], options());
    note(&pipeline, "with rows", b"1", &["x\n"]);
    note(&pipeline, "alone", b"2", &[]);
    for key in 0..40 {
        submit(&pipeline, key, &"x".repeat(8 << 10));
    }
    output.commit();
    pipeline.maintain().unwrap();
    let output = node.crash(&pipeline, &output);
    assert!(node.journal().start().0 > 64 << 10, "nothing was trimmed");
    let pipeline = node.start(&[&output], options());
    let known = ["with rows", "alone"].map(|name| pipeline.intake("net").note(name).expect("it is known"));
    assert_eq!(known, [&b"1"[..], &b"2"[..]]);
}
