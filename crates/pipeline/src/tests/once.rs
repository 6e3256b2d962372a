//! Keys of messages that may be sent again.

use sawlog_sys::task;

use super::{Node, batch, quick, slow};
use crate::testing::Collect;
use crate::{Pipeline, PipelineOptions};

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
