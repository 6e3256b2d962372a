//! Outputs that fail for long, and queues that are full.

use std::time::Duration;

use super::routed::{Held, section, submit_as};
use super::*;
use crate::config::{Action, OutputSection, Overflow, QueueOptions, Step, Target};
use crate::{Failing, Graph, TagPattern};

/// All rows go to `main` with that queue, and what it gives up to the second, if there is one.
fn graph(outputs: &[Arc<Collect>], queue: QueueOptions) -> Graph {
    let secondary = (outputs.len() > 1).then(|| section("collect", "", ""));
    let output = OutputSection { section: section("collect", "main", ""), secondary, queue };
    let action = Action::Send { to: Target::Output(output), last: false };
    let step = Step { label: String::new(), tags: TagPattern::all(), action };
    Graph::build(&[step], &mut Held(outputs)).expect("a graph")
}

fn main_and_secondary() -> [Arc<Collect>; 2] {
    [Collect::forgetful("main"), Collect::forgetful("main-secondary")]
}

fn few_tries(times: u32) -> QueueOptions {
    QueueOptions {
        retry_times: Some(times),
        retry_wait: Duration::from_millis(5),
        retry_max_wait: Duration::from_millis(10),
        ..QueueOptions::default()
    }
}

fn errors(pipeline: &Pipeline, reason: &str) -> u64 {
    let parts = pipeline.parts();
    let main = parts.iter().find(|part| part.name == "main").expect("an output");
    main.errors.iter().find(|(have, _)| have == reason).map_or(0, |(_, count)| *count)
}

#[test]
fn what_is_given_up_goes_to_the_secondary_output_and_is_held_there() {
    let mut node = Node::new();
    let mut outputs = main_and_secondary();
    let pipeline = node.start_graph(graph(&outputs, few_tries(3)), quick());
    submit_as(&pipeline, "t", &["1\n"]);
    outputs[0].wait_for_rows(1);
    outputs[0].commit();
    outputs[0].set_later(true);
    submit_as(&pipeline, "t", &["2\n"]);
    assert_eq!(outputs[1].wait_for_rows(1), ["2\n"]);
    assert_eq!(errors(&pipeline, "later"), 3, "three tries");
    wait_until("the cursor's passing", || {
        pipeline.maintain().unwrap();
        errors(&pipeline, "secondary") == 1 && pipeline.journal_bytes() < 100
    });
    outputs[0].set_later(false);
    submit_as(&pipeline, "t", &["3\n"]);
    assert_eq!(outputs[0].wait_for_rows(2), ["1\n", "3\n"]);
    outputs[0].commit();
    pipeline.maintain().unwrap();
    node.crash_all(&pipeline, &mut outputs);
    assert_eq!(outputs[1].lines(), ["2\n"], "it was held for good");
}

#[test]
fn nothing_is_passed_by_before_the_secondary_output_holds_it() {
    let mut node = Node::new();
    let mut outputs = main_and_secondary();
    outputs.iter().for_each(|output| output.set_later(true));
    let pipeline = node.start_graph(graph(&outputs, few_tries(2)), quick());
    submit_as(&pipeline, "t", &["1\n"]);
    wait_until("tries of both", || errors(&pipeline, "secondary_later") > 2);
    pipeline.maintain().unwrap();
    node.crash_all(&pipeline, &mut outputs);
    let pipeline = node.start_graph(graph(&outputs, QueueOptions::default()), quick());
    assert_eq!(outputs[0].wait_for_rows(1), ["1\n"]);
    assert!(outputs[1].lines().is_empty());
    pipeline.stop();
}

#[test]
fn without_a_secondary_output_what_is_given_up_becomes_a_dead_letter() {
    let node = Node::new();
    let dead = DeadLetters::open(&node.sys, &node.dir.path().join("dead"), 1 << 20).unwrap();
    let outputs = [Collect::forgetful("main")];
    outputs[0].set_later(true);
    let queue =
        QueueOptions { retry_times: None, retry_time: Some(Duration::from_millis(60)), ..few_tries(1) };
    let options = PipelineOptions { dead: Some(dead.clone()), ..quick() };
    let pipeline = node.start_graph(graph(&outputs, queue), options);
    submit_as(&pipeline, "t", &["bad\n"]);
    wait_until("a dead letter", || dead.rows_of("main") == 1);
    assert!(errors(&pipeline, "later") > 2);
    assert_eq!(errors(&pipeline, "given_up"), 1);
    outputs[0].set_later(false);
    submit_as(&pipeline, "t", &["good\n"]);
    assert_eq!(outputs[0].wait_for_rows(1), ["good\n"]);
}

#[test]
fn what_an_output_took_and_never_held_is_taken_from_it() {
    let node = Node::new();
    let outputs = main_and_secondary();
    let pipeline = node.start_graph(graph(&outputs, few_tries(9)), quick());
    submit_as(&pipeline, "t", &["1\n", "2\n"]);
    outputs[0].wait_for_rows(2);
    // It took rows of a file straight; late journaling makes them its own in the journal.
    let (rows, position) = batch(9, 0, 0, &["3\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    wait_until("late journaling", || outputs[0].counts() == (1, 1));
    let failing = |tries| Some(Failing { tries, since: Duration::ZERO, reason: "no route".into() });
    outputs[0].set_failing(failing(8));
    task::sleep(Duration::from_millis(50));
    assert!(outputs[1].lines().is_empty(), "once more it may try");
    outputs[0].set_failing(failing(9));
    assert_eq!(outputs[1].wait_for_rows(3), ["1\n", "2\n", "3\n"]);
    wait_until("its forgetting", || outputs[0].lines().is_empty());
    assert_eq!(errors(&pipeline, "secondary"), 3);
    outputs[0].set_failing(None);
    pipeline.maintain().unwrap();
    submit_as(&pipeline, "t", &["4\n"]);
    assert_eq!(outputs[0].wait_for_rows(1), ["4\n"]);
    outputs[0].commit();
    outputs[0].set_failing(failing(9));
    task::sleep(Duration::from_millis(50));
    assert_eq!(outputs[1].lines().len(), 3, "what it holds stays its own");
}

#[test]
fn the_oldest_rows_are_dropped_where_that_is_asked_for() {
    let node = Node::new();
    let outputs = [Collect::forgetful("main")];
    outputs[0].set_later(true);
    let queue = QueueOptions {
        limit: Some(10_000),
        overflow: Overflow::DropOldest,
        retry_wait: Duration::from_millis(1),
        retry_max_wait: Duration::from_millis(1),
        ..QueueOptions::default()
    };
    let pipeline = node.start_graph(graph(&outputs, queue), quick());
    let line = |index: usize| format!("{index:03}{}\n", "x".repeat(996));
    for index in 0..100 {
        submit_as(&pipeline, "t", &[&line(index)]);
    }
    wait_until("dropping", || pipeline.journal_bytes() < 12_000);
    outputs[0].set_later(false);
    let lines = outputs[0].wait_for(|lines| lines.last() == Some(&line(99)));
    let dropped = errors(&pipeline, "dropped") as usize;
    assert!((85..=95).contains(&dropped), "{dropped} were dropped");
    let have: Vec<_> = lines.iter().map(|line| line[..3].to_owned()).collect();
    let want: Vec<_> = (dropped..100).map(|index| format!("{index:03}")).collect();
    assert_eq!(have, want, "the newest are there, in order");
}

#[test]
fn senders_wait_or_are_refused_while_a_queue_is_full() {
    for overflow in [Overflow::Block, Overflow::Refuse] {
        let node = Node::new();
        let outputs = [Collect::forgetful("main")];
        outputs[0].set_later(true);
        let queue = QueueOptions { limit: Some(2_000), overflow, ..QueueOptions::default() };
        let pipeline = node.start_graph(graph(&outputs, queue), quick());
        let big = format!("{}\n", "x".repeat(3_000));
        submit_as(&pipeline, "t", &[&big]);
        let mut sent = {
            let pipeline = pipeline.clone();
            Some(task::spawn("submit", move || submit(&pipeline, &["more\n"])).unwrap())
        };
        let mut answer = || sent.take().expect("one sender").join().expect("no panic");
        if overflow == Overflow::Refuse {
            let error = answer().expect_err("it is full");
            assert!(error.to_string().contains("the queue of the output main is full"), "{error}");
            let (rows, position) = batch(9, 0, 0, &["file\n"]);
            let offered = pipeline.intake("file").offer(rows, position);
            assert!(matches!(offered, Err(DeliveryError::Output(_))));
        } else {
            task::sleep(Duration::from_millis(100));
        }
        outputs[0].set_later(false);
        assert_eq!(outputs[0].wait_for_rows(1).len(), 1, "the other one waits");
        outputs[0].commit();
        pipeline.maintain().unwrap();
        if overflow == Overflow::Block {
            answer().expect("it was taken");
            assert_eq!(outputs[0].wait_for_rows(2)[1], "more\n");
        }
    }
}
