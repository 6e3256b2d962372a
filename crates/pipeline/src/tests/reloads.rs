//! Another graph while rows flow: nothing is lost or doubled, and every row goes the way that held when it was accepted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::routed::{destinations, filter, graph, graph_steps, send, submit_as, tagged, to};
use super::*;
use crate::config::Step;

fn all_to(names: &[&str]) -> Vec<Step> {
    names.iter().map(|name| send("", "**", to(name), false)).collect()
}

#[test]
fn an_output_that_stays_goes_on_and_a_new_one_begins_with_what_comes() {
    let node = Node::new();
    let outputs = [Collect::new("store"), Collect::forgetful("new")];
    let pipeline = node.start_graph(graph(&all_to(&["store"]), &outputs), quick());
    submit_as(&pipeline, "t", &["1\n", "2\n"]);
    let mut steps = all_to(&["store", "new"]);
    steps.insert(0, filter("", "**", "drop 3"));
    pipeline.reload(graph(&steps, &outputs)).unwrap();
    submit_as(&pipeline, "t", &["3\n", "4\n"]);
    assert_eq!(outputs[0].lines(), ["1\n", "2\n", "4\n"]);
    assert_eq!(outputs[1].wait_for_rows(1), ["4\n"]);
}

#[test]
fn a_new_output_begins_with_what_comes_after_a_restart_too() {
    let mut node = Node::new();
    let mut outputs = [Collect::new("store"), Collect::forgetful("new")];
    let pipeline = node.start_graph(graph(&all_to(&["store"]), &outputs), quick());
    submit_as(&pipeline, "t", &["1\n"]);
    node.crash_all(&pipeline, &mut outputs);
    let pipeline = node.start_graph(graph(&all_to(&["store", "new"]), &outputs), quick());
    submit_as(&pipeline, "t", &["2\n"]);
    assert_eq!(outputs[1].wait_for_rows(1), ["2\n"]);
    node.crash_all(&pipeline, &mut outputs);
    let _pipeline = node.start_graph(graph(&all_to(&["store", "new"]), &outputs), quick());
    assert_eq!(outputs[1].wait_for_rows(1), ["2\n"], "its cursor was on record before its first row");
}

#[test]
fn one_that_takes_the_place_of_another_gets_what_that_has_not_got() {
    let node = Node::new();
    let (old, new) = ([Collect::forgetful("remote")], [Collect::forgetful("remote")]);
    let pipeline = node.start_graph(graph(&all_to(&["remote"]), &old), quick());
    submit_as(&pipeline, "t", &["1\n"]);
    let (rows, position) = batch(9, 0, 0, &["2\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    old[0].wait_for_rows(2);
    old[0].commit();
    old[0].set_later(true);
    submit_as(&pipeline, "t", &["3\n"]);
    let (rows, position) = batch(9, 0, 2, &["4\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    pipeline.reload(graph(&all_to(&["remote"]), &new)).unwrap();
    submit_as(&pipeline, "t", &["5\n"]);
    let mut lines = new[0].wait_for_rows(3);
    lines.sort();
    assert_eq!(lines, ["3\n", "4\n", "5\n"]);
    assert_eq!(old[0].lines().len(), 2);
}

#[test]
fn one_that_is_taken_out_gets_what_waits_for_it_and_holds_up_nothing() {
    let node = Node::new();
    let outputs = [Collect::new("store"), Collect::forgetful("remote")];
    let pipeline = node.start_graph(graph(&all_to(&["store", "remote"]), &outputs), quick());
    outputs[1].set_later(true);
    submit_as(&pipeline, "t", &["1\n"]);
    pipeline.reload(graph(&all_to(&["store"]), &outputs)).unwrap();
    submit_as(&pipeline, "t", &["2\n"]);
    assert_eq!(outputs[0].lines(), ["1\n", "2\n"]);
    let is_there = || pipeline.parts().iter().any(|part| part.name == "remote");
    assert!(is_there());
    outputs[1].set_later(false);
    assert_eq!(outputs[1].wait_for_rows(1), ["1\n"]);
    wait_until("its end", || {
        // The writer looks when it has something to do.
        submit_as(&pipeline, "t", &["more\n"]);
        !is_there()
    });
    assert_eq!(outputs[1].lines(), ["1\n"]);
    outputs[0].commit();
    pipeline.maintain().unwrap();
    assert!(pipeline.journal_bytes() < 200, "its cursor holds nothing any more");
}

#[test]
fn rows_that_went_straight_are_given_to_no_other_output_after_a_reload() {
    let mut node = Node::new();
    let mut outputs = [Collect::new("store"), Collect::new("other")];
    let pipeline = node.start_graph(graph(&all_to(&["store"]), &outputs), slow());
    let (rows, position) = batch(9, 0, 0, &["1\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    pipeline.reload(graph(&all_to(&["other"]), &outputs)).unwrap();
    let (rows, position) = batch(9, 0, 2, &["2\n"]);
    pipeline.intake("file").offer(rows, position).unwrap();
    assert_eq!((outputs[0].lines(), outputs[1].lines()), (vec!["1\n".to_owned()], vec!["2\n".to_owned()]));
    wait_until("the end of the first", || outputs[0].counts().1 == 1);
    outputs[0].commit();
    node.crash_all(&pipeline, &mut outputs);
    assert_eq!(outputs[0].lines(), ["1\n"]);
}

#[test]
fn a_pipeline_that_stopped_reloads_nothing() {
    let node = Node::new();
    let outputs = [Collect::new("store")];
    let pipeline = node.start_graph(graph(&all_to(&["store"]), &outputs), quick());
    pipeline.stop();
    let reloaded = pipeline.reload(graph(&all_to(&["store"]), &outputs));
    assert!(matches!(reloaded, Err(DeliveryError::Stopping)));
}

#[derive(Clone, Debug)]
enum Move {
    Offer(u8),
    Submit(u8),
    Commit(usize),
    Late,
    Reload(usize),
}

// No output is away here: what one has not answered when it is taken out and put in again is given again, as after a crash.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (0..3u8).prop_map(Move::Offer),
        4 => (0..3u8).prop_map(Move::Submit),
        2 => (0..3usize).prop_map(Move::Commit),
        1 => Just(Move::Late),
        4 => (0..3usize).prop_map(Move::Reload),
    ];
    proptest::collection::vec(one, 1..40)
}

fn run(graphs: &[Vec<Step>], moves: &[Move]) -> Result<(), String> {
    let outputs = [Collect::new("store"), Collect::forgetful("remote"), Collect::forgetful("third")];
    let node = Node::new();
    let options = PipelineOptions { late_after: Some(Duration::from_millis(5)), trim_bytes: 1, ..quick() };
    let pipeline = node.start_graph(graph(&graphs[0], &outputs), options);
    let mut now = 0;
    let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
    // Each line with its tag and the graph that held.
    let mut wanted: Vec<(String, String, usize)> = Vec::new();
    let mut next = |line: u8| {
        let count = counts.entry(line).or_default();
        *count += 1;
        *count - 1
    };
    for step in moves {
        match step {
            Move::Offer(file) => {
                let number = next(*file);
                let line = format!("{file}:{number:02}\n");
                let made = batch(100 + u128::from(*file), 0, number * 5, &[&line]);
                let (rows, position) = tagged(&format!("t{file}"), made);
                pipeline.intake("file").offer(rows, position).unwrap();
                wanted.push((line, format!("t{file}"), now));
            }
            Move::Submit(tag) => {
                outputs.iter().for_each(|output| output.set_later(false));
                let line = format!("n{tag}:{:02}\n", next(10 + tag));
                submit_as(&pipeline, &format!("t{tag}"), &[&line]);
                wanted.push((line, format!("t{tag}"), now));
            }
            Move::Commit(output) => outputs[*output].commit(),
            Move::Late => task::sleep(Duration::from_millis(8)),
            Move::Reload(number) => {
                pipeline.reload(graph(&graphs[*number], &outputs)).unwrap();
                now = *number;
            }
        }
    }
    outputs.iter().for_each(|output| output.set_later(false));
    check(graphs, &wanted, &outputs)
}

fn check(
    graphs: &[Vec<Step>],
    wanted: &[(String, String, usize)],
    outputs: &[Arc<Collect>],
) -> Result<(), String> {
    let (mut exactly, mut one_of) = (BTreeMap::<String, Vec<&String>>::new(), Vec::new());
    for (line, tag, held) in wanted {
        let mut found = Vec::new();
        destinations(&graphs[*held], "", tag, line, &mut found);
        for set in found {
            let mut names: Vec<String> = set.into_iter().collect();
            match names.len() {
                1 => exactly.entry(names.remove(0)).or_default().push(line),
                _ => one_of.push((line, names)),
            }
        }
    }
    for output in outputs {
        let must = exactly.remove(output.name()).unwrap_or_default();
        let is_in = |lines: &[String]| must.iter().all(|line| lines.contains(line));
        let lines = output.wait_for(is_in);
        if !is_in(&lines) {
            return Err(format!("{} lacks rows: {lines:?}, not {must:?}", output.name()));
        }
    }
    for (line, names) in one_of {
        let have = || outputs.iter().any(|o| names.iter().any(|n| n == o.name()) && o.lines().contains(line));
        wait_until("a row that one of several gets", have);
    }
    task::sleep(Duration::from_millis(10));
    for output in outputs {
        let lines = output.lines();
        for line in &lines {
            if lines.iter().filter(|other| *other == line).count() > 1 {
                return Err(format!("{} has {line:?} twice: {lines:?}", output.name()));
            }
            let (_, tag, held) = wanted.iter().find(|(have, ..)| have == line).expect("a line of the test");
            let mut found = Vec::new();
            destinations(&graphs[*held], "", tag, line, &mut found);
            if !found.iter().any(|set| set.contains(output.name())) {
                return Err(format!("{} has {line:?}, which is not its", output.name()));
            }
        }
        for prefix in ["0:", "1:", "2:", "n0:", "n1:", "n2:"] {
            let have: Vec<_> = lines.iter().filter(|line| line.starts_with(prefix)).collect();
            if !have.is_sorted() {
                return Err(format!("{} has {have:?}", output.name()));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn every_row_goes_the_way_that_held_when_it_was_accepted(
        graphs in proptest::collection::vec(graph_steps(), 3),
        moves in moves(),
    ) {
        if let Err(error) = run(&graphs, &moves) {
            prop_assert!(false, "{}", error);
        }
    }
}
