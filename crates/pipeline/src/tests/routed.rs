//! Several outputs behind filters and labels: any interleaving of offers, submits, commits, waits and crashes over any graph
//! leaves each output with exactly its rows, once and in order.

use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;
use sawlog_model::Context;

use super::*;
use crate::config::{Action, OutputSection, QueueOptions, Section, Step, Target};
use crate::testing::{LineFilter, TakenRow};
use crate::{Filter, Graph, Options, Parts, TagPattern};

pub(super) fn section(kind: &str, name: &str, rule: &str) -> Section {
    let options = Options([("rule".to_owned(), vec![rule.to_owned()])].into());
    Section { kind: kind.into(), name: name.into(), options, ..Section::default() }
}

pub(super) fn to(name: &str) -> Target {
    let section = section("collect", name, "");
    Target::Output(OutputSection { section, secondary: None, queue: QueueOptions::default() })
}

pub(super) fn send(label: &str, tags: &str, to: Target, last: bool) -> Step {
    let tags = TagPattern::parse(tags).expect("a pattern");
    Step { label: label.into(), tags, action: Action::Send { to, last } }
}

pub(super) fn filter(label: &str, tags: &str, rule: &str) -> Step {
    let tags = TagPattern::parse(tags).expect("a pattern");
    Step { label: label.into(), tags, action: Action::Filter(section("line", "", rule)) }
}

/// The outputs that a test holds, by name.
pub(super) struct Held<'a>(pub &'a [Arc<Collect>]);

impl Parts for Held<'_> {
    fn filter(&mut self, section: &Section, _name: &str) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(LineFilter::new(section.options.text("rule"))))
    }

    fn output(&mut self, _section: &Section, name: &str) -> Result<Arc<dyn Output>, String> {
        let found = self.0.iter().find(|output| output.name() == name);
        Ok(found.ok_or_else(|| format!("the test has no {name}"))?.clone())
    }
}

pub(super) fn graph(steps: &[Step], outputs: &[Arc<Collect>]) -> Graph {
    Graph::build(steps, &mut Held(outputs)).expect("a graph")
}

impl Node {
    pub(super) fn start_graph(&self, graph: Graph, options: PipelineOptions) -> Pipeline {
        Pipeline::start(&self.sys, self.journal(), graph, options).expect("the pipeline starts")
    }

    /// Goes on as if the machine had crashed now.
    pub(super) fn crash_all(&mut self, pipeline: &Pipeline, outputs: &mut [Arc<Collect>]) {
        outputs.iter_mut().for_each(|output| *output = output.crashed());
        let from = self.journal_dir();
        self.lives += 1;
        copy_dir(&self.sys, &from, &self.journal_dir());
        pipeline.stop();
    }
}

pub(super) fn tagged(tag: &str, mut made: (Batch, Position)) -> (Batch, Position) {
    made.0.context = Arc::new(Context::new([("_tag", tag)]));
    made
}

pub(super) fn submit_as(pipeline: &Pipeline, tag: &str, lines: &[&str]) {
    let runtime = task::runtime("test", 1).expect("a runtime");
    let rows = tagged(tag, batch(1, 0, 0, lines)).0;
    runtime.block_on(pipeline.intake("net").submit(vec![rows])).expect("taken");
}

#[test]
fn rows_of_a_file_go_straight_though_the_node_has_several_outputs() {
    let mut node = Node::new();
    let mut outputs = [Collect::new("store"), Collect::forgetful("remote")];
    let steps = [
        filter("", "a", "drop x"),
        send("", "a", to("store"), true),
        send("", "**", to("remote"), false),
        send("", "c", to("store"), false),
    ];
    let pipeline = node.start_graph(graph(&steps, &outputs), slow());
    let offer = |pipeline: &Pipeline, tag: &str, id, offset, lines: &[&str]| {
        let (rows, position) = tagged(tag, batch(id, 0, offset, lines));
        pipeline.intake("file").offer(rows, position).unwrap();
    };
    offer(&pipeline, "a", 5, 0, &["1\n", "x\n", "2\n"]);
    offer(&pipeline, "b", 6, 0, &["3\n"]);
    assert_eq!(outputs.each_ref().map(|output| output.counts().0), [1, 1], "nothing was journaled");
    assert_eq!(outputs[0].lines(), ["1\n", "2\n"]);
    assert_eq!(outputs[1].lines(), ["3\n"]);
    offer(&pipeline, "c", 7, 0, &["4\n"]);
    outputs[0].wait_for_rows(3);
    outputs[1].wait_for_rows(2);
    assert_eq!(outputs.each_ref().map(|output| output.counts().0), [1, 1], "of several it was journaled");
    node.crash_all(&pipeline, &mut outputs);
    let pipeline = node.start_graph(graph(&steps, &outputs), slow());
    let known = pipeline.intake("file").known_sources();
    assert_eq!(known.len(), 1, "only what was journaled is known: {known:?}");
    assert_eq!(outputs[0].wait_for_rows(1), ["4\n"]);
    assert_eq!(outputs[1].wait_for_rows(1), ["4\n"]);
}

#[test]
fn late_rows_come_to_no_other_output_and_move_its_cursor() {
    let mut node = Node::new();
    let mut outputs = [Collect::new("store"), Collect::new("second")];
    let steps = [send("", "a", to("store"), true), send("", "**", to("second"), false)];
    let pipeline = node.start_graph(graph(&steps, &outputs), quick());
    let (rows, position) = tagged("a", batch(5, 0, 0, &["1\n"]));
    pipeline.intake("file").offer(rows, position).unwrap();
    wait_until("late journaling", || outputs[0].counts() == (1, 1));
    submit_as(&pipeline, "b", &["2\n"]);
    outputs.iter().for_each(|output| output.commit());
    assert_eq!(pipeline.journal_bytes(), 0);
    assert_eq!(outputs[1].lines(), ["2\n"]);
    node.crash_all(&pipeline, &mut outputs);
    let pipeline = node.start_graph(graph(&steps, &outputs), quick());
    submit_as(&pipeline, "b", &["3\n"]);
    assert_eq!(outputs[0].lines(), ["1\n"]);
    assert_eq!(outputs[1].lines(), ["2\n", "3\n"]);
}

#[test]
fn what_was_offered_before_is_journaled_before_what_follows_it() {
    let mut node = Node::new();
    let mut outputs = [Collect::new("store")];
    let steps = [send("", "**", to("store"), false)];
    let pipeline = node.start_graph(graph(&steps, &outputs), slow());
    let intake = pipeline.intake("file");
    let (rows, position) = batch(5, 0, 0, &["1\n"]);
    intake.offer(rows, position).unwrap();
    // Now the lane is behind: what follows goes by the journal, long before the first row is late.
    outputs[0].set_later(true);
    let submitted = {
        let pipeline = pipeline.clone();
        task::spawn("submit", move || submit_as(&pipeline, "n", &["n\n"])).unwrap()
    };
    wait_until("the lane's being behind", || pipeline.parts().iter().any(|part| part.state == "retrying"));
    let (rows, position) = batch(5, 0, 2, &["2\n"]);
    intake.offer(rows, position).unwrap();
    node.crash_all(&pipeline, &mut outputs);
    drop(submitted);
    let pipeline = node.start_graph(graph(&steps, &outputs), slow());
    let mut lines = outputs[0].lines();
    lines.retain(|line| line != "n\n");
    assert_eq!(lines, ["1\n", "2\n"]);
    assert_eq!(pipeline.intake("file").known_sources()[0].position.mark(), (0, 4));
}

#[test]
fn rows_that_no_output_gets_are_counted_and_told_of_once_a_tag() {
    let node = Node::new();
    let outputs = [Collect::new("store")];
    let told = Arc::new(std::sync::Mutex::new(Vec::new()));
    let tell = {
        let told = told.clone();
        Arc::new(move |words: &str| told.lock().unwrap().push(words.to_owned()))
    };
    let steps = [send("", "a", to("store"), false)];
    let pipeline = node.start_graph(graph(&steps, &outputs), PipelineOptions { tell, ..quick() });
    for tag in ["a", "b", "b", "c"] {
        submit_as(&pipeline, tag, &["1\n", "2\n"]);
    }
    let parts = pipeline.parts();
    let journal = parts.iter().find(|part| part.name == "journal").unwrap();
    assert_eq!(journal.errors, [("unmatched".to_owned(), 6)]);
    let told = told.lock().unwrap();
    assert!(told.len() == 2 && told[0].contains("`b`") && told[1].contains("`c`"), "{told:?}");
}

const FILES: u8 = 3;
const OUTPUTS: [&str; 3] = ["store", "remote", "third"];

#[derive(Clone, Debug)]
enum Move {
    Offer(u8),
    Submit(u8),
    Settle(u8),
    Commit(usize),
    Late,
    Away(usize, bool),
    Crash,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (0..FILES).prop_map(Move::Offer),
        3 => (0..FILES).prop_map(Move::Submit),
        1 => (0..FILES).prop_map(Move::Settle),
        3 => (0..3usize).prop_map(Move::Commit),
        1 => Just(Move::Late),
        1 => (0..3usize, any::<bool>()).prop_map(|(output, away)| Move::Away(output, away)),
        2 => Just(Move::Crash),
    ];
    proptest::collection::vec(one, 1..40)
}

fn target() -> impl Strategy<Value = Target> {
    let output = || (0..3usize).prop_map(|index| to(OUTPUTS[index]));
    prop_oneof![
        6 => output(),
        1 => Just(Target::Label("@L".to_owned())),
        1 => (output(), output()).prop_map(|(one, other)| Target::OneOf(vec![(1, one), (2, other)])),
    ]
}

/// Steps outside of labels, steps of `@L`, steps of `@ERROR`.
pub(super) fn graph_steps() -> impl Strategy<Value = Vec<Step>> {
    let tags = || prop_oneof![3 => Just("**"), 1 => Just("t0"), 1 => Just("{t1,t2}"), 1 => Just("t*")];
    let rule = || prop_oneof![Just("drop 1"), Just("drop 3"), Just("fail 2"), Just("fail 0")];
    let outer = prop_oneof![
        2 => (tags(), rule()).prop_map(|(tags, rule)| filter("", tags, rule)),
        5 => (tags(), target(), any::<bool>()).prop_map(|(tags, to, last)| send("", tags, to, last)),
    ];
    let inner = |label: &'static str| {
        let output = (0..3usize).prop_map(|index| to(OUTPUTS[index]));
        prop_oneof![
            1 => (tags(), rule()).prop_map(move |(tags, rule)| filter(label, tags, rule)),
            2 => (tags(), output, any::<bool>()).prop_map(move |(tags, to, last)| send(label, tags, to, last)),
        ]
    };
    use proptest::collection::vec;
    (vec(outer, 1..5), vec(inner("@L"), 1..4), vec(inner("@ERROR"), 0..3))
        .prop_map(|(outer, label, error)| [outer, label, error].concat())
}

/// The outputs that a row comes to, told slowly: each entry is a set of which it comes to one.
pub(super) fn destinations(
    steps: &[Step],
    label: &str,
    tag: &str,
    row: &str,
    found: &mut Vec<HashSet<String>>,
) {
    for step in steps.iter().filter(|step| step.label == label && step.tags.matches(tag)) {
        match &step.action {
            Action::Filter(section) => {
                let (does, about) = section.options.text("rule").split_once(' ').expect("a rule");
                if row.contains(about) {
                    if does == "fail" && label != "@ERROR" {
                        destinations(steps, "@ERROR", tag, row, found);
                    }
                    return;
                }
            }
            Action::Send { to, last } => {
                match to {
                    Target::Output(output) => found.push([output.section.name.clone()].into()),
                    Target::Label(label) => destinations(steps, label, tag, row, found),
                    Target::OneOf(targets) => {
                        let name = |target: &Target| match target {
                            Target::Output(output) => output.section.name.clone(),
                            other => panic!("no output: {other:?}"),
                        };
                        found.push(targets.iter().map(|(_, target)| name(target)).collect());
                    }
                }
                if *last {
                    return;
                }
            }
        }
    }
}

/// Lines of files are `{file}:{number}`, five bytes; those of the net `n{tag}:{number}`.
struct World {
    node: Node,
    steps: Vec<Step>,
    outputs: Vec<Arc<Collect>>,
    pipeline: Pipeline,
    /// Next line of each file, and how many were ever offered.
    next: BTreeMap<u8, (u64, u64)>,
    submitted: BTreeMap<u8, u64>,
}

impl World {
    fn options() -> PipelineOptions {
        PipelineOptions { late_after: Some(Duration::from_millis(5)), trim_bytes: 1, ..quick() }
    }

    fn new(steps: Vec<Step>) -> World {
        let outputs = [Collect::new("store"), Collect::forgetful("remote"), Collect::new("third")].to_vec();
        let node = Node::new();
        let pipeline = node.start_graph(graph(&steps, &outputs), World::options());
        World { node, steps, outputs, pipeline, next: BTreeMap::new(), submitted: BTreeMap::new() }
    }

    fn offer(&mut self, file: u8) {
        let (at, most) = self.next.entry(file).or_default();
        let line = format!("{file}:{at:02}\n");
        let (rows, position) =
            tagged(&format!("t{file}"), batch(100 + u128::from(file), 0, *at * 5, &[&line]));
        self.pipeline.intake("file").offer(rows, position).unwrap();
        *at += 1;
        *most = (*most).max(*at);
    }

    fn go(&mut self, step: Move) {
        match step {
            Move::Offer(file) => self.offer(file),
            Move::Submit(tag) => {
                // Away and waited for would be a stand-off in one thread.
                self.outputs.iter().for_each(|output| output.set_later(false));
                let number = self.submitted.entry(tag).or_default();
                submit_as(&self.pipeline, &format!("t{tag}"), &[&format!("n{tag}:{number:02}\n")]);
                *number += 1;
            }
            Move::Settle(file) => {
                let source = SourceId(100 + u128::from(file));
                self.pipeline.intake("file").settle(source).unwrap();
            }
            Move::Commit(output) => {
                self.outputs[output].commit();
                self.pipeline.maintain().unwrap();
            }
            Move::Late => task::sleep(Duration::from_millis(8)),
            Move::Away(output, away) => self.outputs[output].set_later(away),
            Move::Crash => {
                self.node.crash_all(&self.pipeline, &mut self.outputs);
                self.pipeline = self.node.start_graph(graph(&self.steps, &self.outputs), World::options());
                let known = self.pipeline.intake("file").known_sources();
                for (file, (at, _)) in &mut self.next {
                    let id = SourceId(100 + u128::from(*file));
                    let known = known.iter().find(|known| known.source.id == id);
                    *at = known.map_or(0, |known| known.position.offset / 5);
                }
            }
        }
    }

    /// Reads files to where they had been read, and waits until all outputs have all.
    fn settle(&mut self) {
        self.outputs.iter().for_each(|output| output.set_later(false));
        for (file, (at, most)) in self.next.clone() {
            (at..most).for_each(|_| self.offer(file));
        }
        // Every output is told of every frame, whether or not there is something in it for it.
        submit_as(&self.pipeline, "end", &["end\n"]);
        let frames = Journal::read_only(&self.node.sys, &self.node.journal_dir()).expect("a journal");
        let data = frames.map(|frame| frame.expect("a frame")).filter(|frame| frame.kind == FrameKind::Data);
        let end = data.last().expect("the last row").next;
        let parts = self.pipeline.parts();
        let named = |output: &&Arc<Collect>| parts.iter().any(|part| part.name == output.name());
        let used: Vec<_> = self.outputs.iter().filter(named).collect();
        wait_until("the end of the journal", || used.iter().all(|output| output.seen() >= end));
        self.pipeline.stop();
    }

    /// The rows of each output, once each: what a receiver that crashed is sent again it knows by its address.
    fn rows(&self) -> Result<BTreeMap<&str, Vec<String>>, String> {
        let mut all = BTreeMap::new();
        for output in &self.outputs {
            let mut rows: Vec<TakenRow> = output.rows();
            let count = rows.len();
            let mut seen = HashSet::new();
            rows.retain(|row| seen.insert(row.address));
            if rows.len() < count && output.keeps_positions() {
                return Err(format!("{} has rows twice: {:?}", output.name(), output.lines()));
            }
            let text = |row: &TakenRow| String::from_utf8_lossy(&row.raw).into_owned();
            all.insert(output.name(), rows.iter().map(text).collect());
        }
        Ok(all)
    }

    fn check(&self) -> Result<(), String> {
        let rows = self.rows()?;
        let files = self.next.iter().map(|(file, (_, most))| (format!("{file}:"), *file, *most));
        let net = self.submitted.iter().map(|(tag, most)| (format!("n{tag}:"), *tag, *most));
        for (prefix, tag, most) in files.chain(net) {
            for (name, lines) in &rows {
                let have: Vec<&String> = lines.iter().filter(|line| line.starts_with(&prefix)).collect();
                if !have.is_sorted_by(|a, b| a < b) {
                    return Err(format!("{name} has {have:?}"));
                }
            }
            for number in 0..most {
                let line = format!("{prefix}{number:02}\n");
                let mut wanted = Vec::new();
                destinations(&self.steps, "", &format!("t{tag}"), &line, &mut wanted);
                let have = |name: &str| rows[name].contains(&line);
                for name in OUTPUTS {
                    if have(name) && !wanted.iter().any(|set| set.contains(name)) {
                        return Err(format!("{name} has {line:?}, which is not its"));
                    }
                }
                if let Some(set) = wanted.iter().find(|set| !set.iter().any(|name| have(name))) {
                    return Err(format!("{line:?} is missing in {set:?}"));
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_output_has_exactly_its_rows_once_and_in_order(steps in graph_steps(), moves in moves()) {
        let mut world = World::new(steps);
        moves.into_iter().for_each(|step| world.go(step));
        world.settle();
        if let Err(error) = world.check() {
            prop_assert!(false, "{}", error);
        }
    }
}
