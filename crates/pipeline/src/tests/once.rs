//! Messages that are sent again under their key.

use sawlog_sys::task;

use super::{Node, batch, quick, slow};
use crate::testing::Collect;
use crate::{DeliveryError, Pipeline, PipelineOptions};

fn submit_once(pipeline: &Pipeline, key: u128, line: &str) -> Result<(), DeliveryError> {
    let runtime = task::runtime("test", 1).expect("a runtime");
    runtime.block_on(pipeline.intake("net").submit_once(key, vec![batch(1, 0, 0, &[line]).0]))
}

#[test]
fn a_message_that_comes_again_is_taken_once_also_after_a_crash() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    submit_once(&pipeline, 1, "a\n").unwrap();
    submit_once(&pipeline, 1, "a\n").unwrap();
    submit_once(&pipeline, 2, "a\n").unwrap();
    assert_eq!(output.lines(), ["a\n", "a\n"]);
    let output = node.crash(&pipeline, &output);
    let pipeline = node.start(&[&output], quick());
    submit_once(&pipeline, 2, "a\n").unwrap();
    assert_eq!(output.lines(), ["a\n", "a\n"], "the key was found in the journal");
}

#[test]
fn keys_outlive_the_trimming_of_their_frames() {
    let mut node = Node::new();
    let output = Collect::new("store");
    let options = || PipelineOptions { trim_bytes: 1, ..slow() };
    let pipeline = node.start(&[&output], options());
    submit_once(&pipeline, 7, "first\n").unwrap();
    // Journal files are 64 KiB: the first ones can go.
    for key in 100..140 {
        submit_once(&pipeline, key, &"x".repeat(8 << 10)).unwrap();
    }
    output.commit();
    pipeline.maintain().unwrap();
    let output = node.crash(&pipeline, &output);
    let journal = node.journal();
    assert!(journal.start().0 > 64 << 10, "nothing was trimmed");
    drop(journal);
    let pipeline = node.start(&[&output], options());
    let before = output.lines().len();
    submit_once(&pipeline, 7, "first\n").unwrap();
    assert_eq!(output.lines().len(), before);
}

#[test]
fn the_same_message_on_two_connections_at_once_is_taken_once() {
    let node = Node::new();
    let output = Collect::new("store");
    let pipeline = node.start(&[&output], quick());
    let runtime = task::runtime("test", 2).unwrap();
    runtime.block_on(async {
        let sends: Vec<_> = (0..20)
            .map(|_| {
                let intake = pipeline.intake("net");
                tokio::spawn(async move { intake.submit_once(9, vec![batch(1, 0, 0, &["a\n"]).0]).await })
            })
            .collect();
        for send in sends {
            send.await.unwrap().unwrap();
        }
    });
    assert_eq!(output.lines(), ["a\n"]);
}
