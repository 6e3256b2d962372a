//! Dead letters: kept once, replayed once, whatever crashes between.

use super::routed::{Held, filter, graph, send, submit_as, to};
use super::*;
use crate::dead::{Change, Letter};
use crate::{Graph, Replayed, Which, Why};

/// A node with dead letters.
struct Nodes {
    node: Node,
    outputs: Vec<Arc<Collect>>,
    pipeline: Pipeline,
    limit: u64,
}

impl Nodes {
    fn new(names: &[&str], limit: u64) -> Nodes {
        let node = Node::new();
        let outputs: Vec<_> = names.iter().map(|name| Collect::forgetful(name)).collect();
        let pipeline = start(&node, &outputs, limit);
        Nodes { node, outputs, pipeline, limit }
    }

    fn dir(&self) -> PathBuf {
        dead_dir(&self.node)
    }

    fn letters(&self) -> Vec<Letter> {
        DeadLetters::read(&self.node.sys, &self.dir()).unwrap().map(Result::unwrap).collect()
    }

    fn replay(&self, which: Which) -> Replayed {
        self.pipeline.replay_dead(&which).unwrap()
    }

    /// Goes on as if the machine had crashed now; nothing is under way.
    fn crash(&mut self) {
        let to = self.node.dir.path().join(format!("dead{}", self.node.lives + 1));
        copy_dir(&self.node.sys, &self.dir(), &to);
        let pipeline = self.pipeline.clone();
        self.node.crash_all(&pipeline, &mut self.outputs);
        self.pipeline = start(&self.node, &self.outputs, self.limit);
    }

    /// Waits for so many rows of `main` in letters.
    fn wait_for_dead(&self, rows: u64) {
        let dead = self.pipeline.dead().expect("dead letters");
        wait_until("a letter", || dead.rows_of("main") == rows);
    }

    fn error(&self, name: &str, reason: &str) -> u64 {
        let parts = self.pipeline.parts();
        let part = parts.iter().find(|part| part.name == name).expect("a part");
        part.errors.iter().find(|(have, _)| have == reason).map_or(0, |(_, count)| *count)
    }
}

fn dead_dir(node: &Node) -> PathBuf {
    node.dir.path().join(format!("dead{}", node.lives))
}

fn start(node: &Node, outputs: &[Arc<Collect>], limit: u64) -> Pipeline {
    let dead = DeadLetters::open(&node.sys, &dead_dir(node), limit).unwrap();
    let options = PipelineOptions { dead: Some(dead), ..quick() };
    let outputs: Vec<Arc<dyn Output>> =
        outputs.iter().map(|output| Arc::clone(output) as Arc<dyn Output>).collect();
    Pipeline::start(&node.sys, node.journal(), outputs, options).expect("the pipeline starts")
}

#[test]
fn a_refused_row_is_kept_with_its_address_and_replayed_once() {
    let mut nodes = Nodes::new(&["main", "other"], 1 << 20);
    nodes.outputs[0].set_refuse(true);
    submit_as(&nodes.pipeline, "t", &["a\n", "b\n"]);
    nodes.wait_for_dead(2);
    let letter = nodes.letters().remove(0);
    assert_eq!((&*letter.output, letter.why), ("main", Why::Refused));
    assert_eq!(letter.reason, "the test refuses");
    assert!(letter.time > 0);
    let at = nodes.outputs[1].wait_for_rows(2);
    assert_eq!(at, ["a\n", "b\n"]);
    assert_eq!(letter.batch.row(0).address(), nodes.outputs[1].rows()[0].address);

    let replayed = nodes.replay(Which::All);
    assert_eq!((replayed.letters, replayed.rows), (1, 2));
    wait_until("the same letter, refused again", || {
        nodes.letters().first().is_some_and(|again| again.number > letter.number)
    });
    nodes.wait_for_dead(2);
    nodes.crash();
    assert_eq!(nodes.letters().len(), 1, "it is known after a crash");
    let number = nodes.letters()[0].number;
    assert_eq!(nodes.replay(Which::Output("other".to_owned())), Replayed::default());
    let replayed = nodes.replay(Which::Numbers(vec![number, 7]));
    assert_eq!((replayed.letters, replayed.rows), (1, 2));
    assert_eq!(nodes.outputs[0].wait_for_rows(2), ["a\n", "b\n"]);
    assert!(nodes.letters().is_empty());
    nodes.outputs.iter().for_each(|output| output.commit());
    nodes.pipeline.maintain().unwrap();
    nodes.crash();
    submit_as(&nodes.pipeline, "t", &["c\n"]);
    assert_eq!(nodes.outputs[0].wait_for_rows(3), ["a\n", "b\n", "c\n"]);
    assert_eq!(nodes.outputs[1].wait_for_rows(3), ["a\n", "b\n", "c\n"], "the other had them already");
}

#[test]
fn what_became_a_letter_is_not_given_again_after_a_crash() {
    let mut nodes = Nodes::new(&["main"], 1 << 20);
    nodes.outputs[0].set_refuse(true);
    for line in ["a\n", "b\n"] {
        submit_as(&nodes.pipeline, "t", &[line]);
    }
    nodes.wait_for_dead(2);
    // After a crash the output is whole again, and its cursor was not saved.
    nodes.crash();
    submit_as(&nodes.pipeline, "t", &["c\n"]);
    assert_eq!(nodes.outputs[0].wait_for_rows(1), ["c\n"]);
    assert_eq!(nodes.letters().len(), 2);
    // That holds also where the letters are gone by then.
    nodes.outputs[0].set_refuse(true);
    submit_as(&nodes.pipeline, "t", &["d\n"]);
    nodes.wait_for_dead(3);
    let dead = nodes.pipeline.dead().unwrap().clone();
    assert_eq!(dead.drop_letters(&Which::All).unwrap(), (3, 3));
    assert_eq!(dead.rows_of("main"), 0);
    drop(dead);
    nodes.crash();
    submit_as(&nodes.pipeline, "t", &["e\n"]);
    wait_until("the last row", || nodes.outputs[0].lines().last().is_some_and(|line| line == "e\n"));
    assert!(!nodes.outputs[0].lines().contains(&"d\n".to_owned()), "it was dropped");
}

#[test]
fn a_replay_that_a_crash_cuts_is_finished_and_nothing_is_doubled() {
    let mut nodes = Nodes::new(&["main"], 1 << 20);
    nodes.outputs[0].set_refuse(true);
    for line in ["a\n", "b\n", "c\n"] {
        submit_as(&nodes.pipeline, "t", &[line]);
    }
    nodes.wait_for_dead(3);
    let numbers: Vec<u64> = nodes.letters().iter().map(|letter| letter.number).collect();
    let dead = nodes.pipeline.dead().unwrap().clone();
    // The first was to go, and nothing came of it; the second is in the journal already, under its key.
    dead.change(Change::Replay { key: 71, numbers: vec![numbers[0]] }).unwrap();
    dead.change(Change::Replay { key: 72, numbers: vec![numbers[1]] }).unwrap();
    drop(dead);
    nodes.outputs[0].set_refuse(false);
    let runtime = task::runtime("test", 1).expect("a runtime");
    let intake = nodes.pipeline.intake("net");
    let sent = intake.submit_keyed(vec![(batch(1, 0, 0, &["b\n"]).0, Some(72))]);
    runtime.block_on(sent).unwrap();
    nodes.outputs[0].wait_for_rows(1);
    nodes.outputs[0].commit();
    // The lane notes what it gave after the output has it.
    wait_until("the lane's note", || nodes.pipeline.journal_bytes() == 0);
    nodes.pipeline.maintain().unwrap();
    nodes.crash();
    let mut lines = nodes.outputs[0].wait_for_rows(2);
    lines.sort();
    assert_eq!(lines, ["a\n", "b\n"]);
    // A replayed letter goes when its rows stand in the journal; the output may have them by then.
    let left = || nodes.letters().iter().map(|letter| letter.number).collect::<Vec<_>>();
    wait_until("the end of the replay", || left() == [numbers[2]]);
}

#[test]
fn letters_are_asked_for_while_no_node_runs() {
    let mut nodes = Nodes::new(&["main"], 1 << 20);
    nodes.outputs[0].set_refuse(true);
    submit_as(&nodes.pipeline, "t", &["a\n"]);
    nodes.wait_for_dead(1);
    nodes.pipeline.stop();
    let dir = nodes.dir();
    nodes.node.lives += 1;
    copy_dir(&nodes.node.sys, &dir, &nodes.dir());
    let dead = DeadLetters::open(&nodes.node.sys, &nodes.dir(), 1 << 20).unwrap();
    assert_eq!(dead.ask_for_replay(&Which::All).unwrap(), (1, 1));
    assert_eq!(dead.ask_for_replay(&Which::All).unwrap(), (0, 0), "once");
    drop(dead);
    copy_dir(&nodes.node.sys, &nodes.node.dir.path().join("journal0"), &nodes.node.journal_dir());
    nodes.outputs = vec![nodes.outputs[0].crashed()];
    nodes.pipeline = start(&nodes.node, &nodes.outputs, 1 << 20);
    assert_eq!(nodes.outputs[0].wait_for_rows(1), ["a\n"]);
    wait_until("its going", || nodes.letters().is_empty());
}

#[test]
fn rows_of_a_file_that_are_refused_stay_one_letter_when_the_file_is_read_again() {
    let mut nodes = Nodes::new(&["main"], 1 << 20);
    nodes.outputs[0].set_refuse(true);
    let (rows, position) = batch(9, 0, 0, &["a\n", "b\n"]);
    nodes.pipeline.intake("file").offer(rows, position).unwrap();
    nodes.wait_for_dead(2);
    let address = nodes.letters()[0].batch.row(1).address();
    assert_eq!((address.source, address.offset), (SourceId(9), 2), "its place in the file");
    nodes.crash();
    let known = nodes.pipeline.intake("file").known_sources();
    assert_eq!(known[0].position.mark(), (0, 4), "it need not be read again");
    let (rows, position) = batch(9, 0, 4, &["c\n"]);
    nodes.pipeline.intake("file").offer(rows, position).unwrap();
    nodes.replay(Which::All);
    let mut lines = nodes.outputs[0].wait_for_rows(3);
    lines.sort();
    assert_eq!(lines, ["a\n", "b\n", "c\n"]);
    assert!(nodes.letters().is_empty());
}

#[test]
fn an_output_waits_while_there_are_as_many_letters_as_may_be() {
    let nodes = Nodes::new(&["main", "other"], 2_000);
    nodes.outputs[0].set_refuse(true);
    let lines: Vec<String> = (0..10).map(|number| format!("{number}{}\n", "x".repeat(500))).collect();
    lines.iter().for_each(|line| submit_as(&nodes.pipeline, "t", &[line]));
    wait_until("its being full", || nodes.error("main", "dead_letters") > 0);
    assert_eq!(nodes.outputs[1].wait_for_rows(10), lines, "the others go on");
    let have = nodes.letters().len();
    assert!((2..9).contains(&have), "{have} letters");
    nodes.outputs[0].set_refuse(false);
    nodes.replay(Which::All);
    // What was refused when there was no room became a letter when there was some again.
    wait_until("the last letter", || {
        nodes.replay(Which::All);
        nodes.outputs[0].lines().len() == 10
    });
    let mut got = nodes.outputs[0].lines();
    got.sort();
    assert_eq!(got, lines);
}

#[test]
fn replayed_rows_meet_filters_and_go_to_no_other_output() {
    let node = Node::new();
    let outputs = [Collect::forgetful("main"), Collect::forgetful("other")];
    let dead = DeadLetters::open(&node.sys, &dead_dir(&node), 1 << 20).unwrap();
    let steps = |rule: &str| {
        [filter("", "**", rule), send("", "a.**", to("main"), false), send("", "**", to("other"), false)]
    };
    let options = PipelineOptions { dead: Some(dead.clone()), ..quick() };
    let pipeline = node.start_graph(graph(&steps("drop zzz"), &outputs), options);
    outputs[0].set_refuse(true);
    submit_as(&pipeline, "a.b", &["1\n", "2\n", "3zzz\n"]);
    wait_until("a letter", || dead.rows_of("main") == 2);
    outputs[0].set_refuse(false);
    assert_eq!(outputs[1].wait_for_rows(2), ["1\n", "2\n"]);
    let changed = Graph::build_on(&pipeline.graph(), &steps("drop 2"), &mut Held(&outputs)).unwrap();
    pipeline.reload(changed).unwrap();
    pipeline.replay_dead(&Which::All).unwrap();
    assert_eq!(outputs[0].wait_for_rows(1), ["1\n"], "by the filters as they are now");
    submit_as(&pipeline, "a.b", &["4\n"]);
    assert_eq!(outputs[0].wait_for_rows(2), ["1\n", "4\n"]);
    assert_eq!(outputs[1].wait_for_rows(3), ["1\n", "2\n", "4\n"]);

    outputs[0].set_refuse(true);
    submit_as(&pipeline, "a.b", &["5\n"]);
    wait_until("a letter", || dead.rows_of("main") == 1);
    let without = [send("", "b.**", to("main"), false), send("", "**", to("other"), false)];
    pipeline.reload(Graph::build_on(&pipeline.graph(), &without, &mut Held(&outputs)).unwrap()).unwrap();
    let left = pipeline.replay_dead(&Which::All).unwrap();
    assert_eq!((left.letters, left.left.len()), (0, 1));
    assert!(left.left[0].contains("no longer go to the output main"), "{left:?}");
    let without = [send("", "**", to("other"), false)];
    pipeline.reload(Graph::build_on(&pipeline.graph(), &without, &mut Held(&outputs)).unwrap()).unwrap();
    let left = pipeline.replay_dead(&Which::All).unwrap();
    assert!(left.left[0].contains("there is no output main any more"), "{left:?}");
    assert_eq!(dead.rows_of("main"), 1);
}
