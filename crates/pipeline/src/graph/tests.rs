//! Which rows come to which outputs, and what graphs are refused.

use std::sync::atomic::{AtomicUsize, Ordering};

use sawlog_model::{Context, Row, Source, SourceId};

use super::*;
use crate::testing::{Collect, LineFilter};
use crate::{Filtered, Options};

fn section(kind: &str, name: &str, rule: &str) -> Section {
    let options = Options([("rule".to_owned(), vec![rule.to_owned()])].into());
    Section { kind: kind.into(), name: name.into(), options, ..Section::default() }
}

fn output(name: &str) -> Target {
    let section = section("collect", name, "");
    Target::Output(OutputSection { section, secondary: None, queue: QueueOptions::default() })
}

fn step(label: &str, tags: &str, action: Action) -> Step {
    Step { label: label.into(), tags: TagPattern::parse(tags).unwrap(), action }
}

fn send(label: &str, tags: &str, to: Target) -> Step {
    step(label, tags, Action::Send { to, last: false })
}

fn send_last(label: &str, tags: &str, to: Target) -> Step {
    step(label, tags, Action::Send { to, last: true })
}

fn filter(label: &str, tags: &str, rule: &str) -> Step {
    step(label, tags, Action::Filter(section("line", "", rule)))
}

/// Makes [`LineFilter`]s, and counts how often they are asked.
#[derive(Default)]
struct Made {
    asked: Arc<AtomicUsize>,
}

struct Asked(LineFilter, Arc<AtomicUsize>);

impl Filter for Asked {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.apply(batch)
    }
}

impl Parts for Made {
    fn filter(&mut self, section: &Section, _name: &str) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(Asked(LineFilter::new(section.options.text("rule")), self.asked.clone())))
    }

    fn output(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Output>, String> {
        if section.kind == "broken" { Err("it cannot be".into()) } else { Ok(Collect::new(name)) }
    }
}

fn build(steps: &[Step]) -> Result<Graph, String> {
    Graph::build(steps, &mut Made::default())
}

fn batch(tag: &str, first: u64, lines: &[&str]) -> Arc<Batch> {
    let mut batch = Batch {
        source: Arc::new(Source { id: SourceId(7), ..Source::default() }),
        context: Arc::new(Context::new([("_tag", tag)])),
        buffer: lines.concat().into_bytes().into(),
        ..Batch::default()
    };
    let mut start = 0;
    for line in lines {
        let len = line.len() as u32;
        batch.rows.push(Row {
            start,
            len,
            offset: first + u64::from(start),
            time: 0,
            received: 0,
            slots_end: 0,
            marks: Default::default(),
        });
        start += len;
    }
    Arc::new(batch)
}

/// What the output of that name gets.
fn gets(graph: &Graph, label: &str, batch: &Arc<Batch>, output: &str) -> String {
    let walk = Walk::new(graph.route(label, batch), batch);
    let rows = walk.rows_for(output, batch);
    rows.iter().map(|row| String::from_utf8_lossy(row.raw()).into_owned()).collect()
}

#[test]
fn rows_go_on_until_a_step_is_the_last() {
    let graph = build(&[
        send("", "a.**", output("one")),
        send_last("", "a.*", output("two")),
        send("", "**", output("three")),
    ])
    .unwrap();
    for (tag, want) in [("a.x", ["x", "x", ""]), ("a", ["x", "", "x"]), ("b", ["", "", "x"])] {
        let have = ["one", "two", "three"].map(|output| gets(&graph, "", &batch(tag, 0, &["x"]), output));
        assert_eq!(have, want, "{tag}");
    }
}

#[test]
fn filters_work_on_what_stands_after_them_in_their_label() {
    let graph = build(&[
        send("", "**", output("whole")),
        filter("", "a", "drop 1"),
        send("", "**", Target::Label("@L".into())),
        filter("@L", "**", "drop 2"),
        send("@L", "**", output("rest")),
    ])
    .unwrap();
    let rows = batch("a", 0, &["1", "2", "3"]);
    assert_eq!(gets(&graph, "", &rows, "whole"), "123");
    assert_eq!(gets(&graph, "", &rows, "rest"), "3");
    assert_eq!(gets(&graph, "@L", &rows, "rest"), "13");
    assert_eq!(gets(&graph, "", &batch("b", 0, &["1", "2", "3"]), "rest"), "13");
}

#[test]
fn a_filter_is_asked_once_for_all_outputs() {
    let mut made = Made::default();
    let steps = [filter("", "**", "drop 1"), send("", "**", output("a")), send("", "**", output("b"))];
    let graph = Graph::build(&steps, &mut made).unwrap();
    let rows = batch("t", 0, &["1", "2"]);
    let walk = Walk::new(graph.route("", &rows), &rows);
    let (a, b) = (walk.rows_for("a", &rows), walk.rows_for("b", &rows));
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!((a.rows.len(), made.asked.load(Ordering::Relaxed)), (1, 1));
    let status = graph.filters()[0].counters.status(false);
    assert_eq!((status.name.as_str(), status.records), ("line", 2));
}

#[test]
fn rows_that_a_filter_fails_on_go_to_the_error_label_and_never_round() {
    let steps = [
        filter("", "**", "fail 1"),
        send("", "**", output("good")),
        filter("@ERROR", "**", "fail 2"),
        filter("@ERROR", "**", "drop x"),
        send("@ERROR", "**", output("bad")),
    ];
    let graph = build(&steps).unwrap();
    let rows = batch("t", 0, &["1", "2", "1x"]);
    assert_eq!(gets(&graph, "", &rows, "good"), "2");
    assert_eq!(gets(&graph, "", &rows, "bad"), "1");
    let errors = graph.filters()[0].counters.status(false).errors;
    assert_eq!(errors, [("test".to_owned(), 4)], "two rows, on two walks");
    let graph = build(&steps[..2]).unwrap();
    assert_eq!(gets(&graph, "", &rows, "good"), "2");
    assert!(graph.route("", &rows).only_output().is_some());
}

#[test]
fn a_filter_that_panics_fails() {
    let graph = build(&[filter("", "**", "panic 1"), send("", "**", output("a"))]).unwrap();
    assert_eq!(gets(&graph, "", &batch("t", 0, &["1"]), "a"), "");
    assert_eq!(gets(&graph, "", &batch("t", 0, &["2"]), "a"), "2");
    assert_eq!(graph.filters()[0].counters.status(false).errors, [("panic".to_owned(), 1)]);
}

#[test]
fn one_of_several_is_chosen_by_weight_and_again_alike() {
    let all = [(3, output("a")), (1, output("b")), (0, output("c"))];
    let graph = build(&[send("", "**", Target::OneOf(all.into()))]).unwrap();
    let (mut a, mut b) = (0, 0);
    for first in 0..4000 {
        let rows = batch("t", first, &["x"]);
        let have = ["a", "b", "c"].map(|output| gets(&graph, "", &rows, output).len());
        assert_eq!(have.iter().sum::<usize>(), 1);
        (a, b) = (a + have[0], b + have[1]);
        assert_eq!(gets(&graph, "", &batch("t", first, &["x", "y"]), "a").is_empty(), have[0] == 0);
    }
    assert!((2800..3200).contains(&a) && a + b == 4000, "{a} {b}");
}

#[test]
fn rows_that_come_twice_to_an_output_are_one_batch_in_order() {
    let graph = build(&[
        filter("", "**", "fail 2"),
        send("", "**", Target::Label("@OUT".into())),
        send("", "**", Target::Label("@OUT".into())),
        send("@ERROR", "**", Target::Label("@OUT".into())),
        send("@OUT", "**", output("a")),
    ])
    .unwrap();
    let rows = batch("t", 10, &["1", "2", "3"]);
    assert_eq!(gets(&graph, "", &rows, "a"), "123");
}

#[test]
fn where_contexts_differ_the_difference_becomes_fields() {
    let one = batch("t", 0, &["a\n"]);
    let mut other = (*batch("u", 5, &["b\n"])).clone();
    other.rows[0].offset = 1;
    let merged = merge::merge(&[one.clone(), Arc::new(other)]);
    use sawlog_model::Fields;
    let tag = |index: usize| merged.row(index).field("_tag").unwrap().text().unwrap().to_vec();
    assert_eq!((tag(0), tag(1)), (b"t".to_vec(), b"u".to_vec()));
    assert_eq!((merged.row(0).raw(), merged.row(1).raw()), (&b"a\n"[..], &b"b\n"[..]));
    assert_eq!(merged.context, one.context);
}

#[test]
fn only_rows_that_some_step_takes_are_matched() {
    let graph = build(&[
        send("", "a", output("one")),
        send("", "b", Target::Label("@L".into())),
        send("@L", "c", output("two")),
        filter("", "**", "drop 1"),
    ])
    .unwrap();
    for (tag, unmatched) in [("a", false), ("b", true), ("c", true)] {
        assert_eq!(graph.route("", &batch(tag, 0, &["x"])).unmatched, unmatched, "{tag}");
    }
}

#[test]
fn one_output_is_reached_straight_though_the_node_has_several() {
    let graph = build(&[
        filter("", "a", "fail 1"),
        send_last("", "a", output("one")),
        send_last("", "{b,c}", output("two")),
        send("", "c", output("three")),
        send("", "d", output("two")),
        send("", "**", output("three")),
        send("@ERROR", "**", output("one")),
    ])
    .unwrap();
    let only = |tag| graph.route("", &batch(tag, 0, &["x"])).only_output().map(|name| name.to_string());
    assert_eq!(only("a").as_deref(), Some("one"), "failed rows come there, too");
    assert_eq!(only("b").as_deref(), Some("two"));
    assert_eq!(only("d"), None);
}

#[test]
fn names_are_unique_and_given_ones_stay() {
    let unnamed = |kind: &str| {
        let section = section(kind, "", "");
        Target::Output(OutputSection { section, secondary: None, queue: QueueOptions::default() })
    };
    let graph = build(&[
        send("", "**", unnamed("forward")),
        send("", "**", unnamed("forward")),
        send("", "**", output("forward-3")),
        send("", "**", unnamed("forward")),
        send("", "a", output("forward-3")),
    ])
    .unwrap();
    let names: Vec<_> = graph.outputs().iter().map(|part| part.name.to_string()).collect();
    assert_eq!(names, ["forward", "forward-2", "forward-3", "forward-4"]);
}

#[test]
fn graphs_that_cannot_be_are_refused_in_words() {
    let to = |label: &str| Target::Label(label.into());
    let fails = |steps: &[Step], words: &str| {
        let error = build(steps).err().expect("not a graph");
        assert!(error.contains(words), "{error}");
    };
    fails(&[send("", "**", to("@L")), send("@LL", "**", output("a"))], "did you mean `@LL`?");
    fails(
        &[send("", "**", to("@A")), send("@A", "x", to("@B")), send("@B", "y", to("@A"))],
        "in a circle: @A → @B → @A",
    );
    fails(&[send("@ERROR", "**", to("@ERROR"))], "in a circle");
    let mut other = section("collect", "a", "rule");
    other.line = 9;
    let other = OutputSection { section: other, secondary: None, queue: QueueOptions::default() };
    fails(
        &[send("", "**", output("a")), send("", "**", Target::Output(other))],
        "line 9: output a: another output has this name",
    );
    let broken =
        OutputSection { section: section("broken", "", ""), secondary: None, queue: QueueOptions::default() };
    fails(&[send("", "**", Target::Output(broken))], "output broken: it cannot be");
    let mut steps = vec![send("@L20", "**", output("a"))];
    for level in 0..20 {
        let next = format!("@L{}", level + 1);
        steps.push(send(&format!("@L{level}"), "**", to(&next)));
        steps.push(send(&format!("@L{level}"), "**", to(&next)));
    }
    fails(&steps, "more than 10000 steps");
}
