//! A configuration that runs, and changed ones in its place.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sawlog_model::{Access, AccessError, Context, Right, Row, Tenant};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Stop};

use super::*;
use crate::config::{Action, OutputSection, QueueOptions, Step, Target};
use crate::testing::{Collect, LineFilter};
use crate::{ConfigError, Input, Intake, Opt, Options, PipelineOptions, Running, TagPattern};

/// Entrances of the inputs that run, by test and name, with how often each was started.
static RUNNING: Mutex<Vec<(String, Intake)>> = Mutex::new(Vec::new());

fn running() -> std::sync::MutexGuard<'static, Vec<(String, Intake)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An input that the test puts rows into; `at` tells its tests apart.
struct Hand {
    at: String,
}

impl Input for Hand {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        if self.at.ends_with("taken") {
            return Err("the address is in use".to_owned());
        }
        let key = format!("{}/{}", self.at, env.name);
        running().push((key.clone(), intake));
        let stop = env.stop.clone();
        let join = move || {
            assert!(stop.requested(), "it was not asked to stop");
            running().retain(|(have, _)| *have != key);
        };
        Ok(Running { address: None, join: Box::new(join) })
    }
}

const OPTIONS: &[Opt] = &[Opt { name: "at", kind: OptKind::Text, default: "", help: "" }];
const HAND: Protocol = Protocol {
    name: "hand",
    options: OPTIONS,
    input: Some(|options| Ok(Box::new(Hand { at: options.text("at").to_owned() }))),
    ..Protocol::EMPTY
};
const LINE: Protocol = Protocol {
    name: "line",
    filter: Some(|options, _| Ok(Box::new(LineFilter::new(options.text("rule"))))),
    ..Protocol::EMPTY
};
const BROKEN: Protocol = Protocol {
    name: "broken",
    output: Some(|_, _| Err(ConfigError("it takes an address".to_owned()))),
    ..Protocol::EMPTY
};

struct Nobody;

impl Access for Nobody {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Err(AccessError)
    }
}

fn section(kind: &str, name: &str, options: &[(&str, &str)]) -> Section {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]));
    let options = Options(options.collect());
    Section { kind: kind.into(), name: name.into(), options, ..Section::default() }
}

fn step(label: &str, action: Action) -> Step {
    Step { label: label.into(), tags: TagPattern::all(), action }
}

fn send(label: &str, section: Section) -> Step {
    let output = OutputSection { section, secondary: None, queue: QueueOptions::default() };
    step(label, Action::Send { to: Target::Output(output), last: false })
}

fn input(test: &str, at: &str, label: &str) -> Section {
    let at = format!("{test}{at}");
    Section { label: label.into(), ..section("hand", "", &[("at", &at)]) }
}

type Outputs = Arc<Mutex<HashMap<String, Vec<Arc<Collect>>>>>;

struct Bench {
    test: &'static str,
    wired: Wired,
    outputs: Outputs,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Bench {
    fn start(test: &'static str, config: Config) -> Bench {
        let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
        let journal =
            sawlog_journal::Journal::open(&sys, dir.path(), Default::default()).expect("a journal").0;
        let runtime = task::runtime("test", 1).expect("a runtime");
        let env = Env {
            name: "".into(),
            sys,
            dir: dir.path().to_owned(),
            runtime: runtime.handle().clone(),
            limits: Limits::default(),
            stop: Stop::default(),
            access: Arc::new(Nobody),
        };
        let outputs = Outputs::default();
        let made = outputs.clone();
        let builtin: Builtin = Arc::new(move |section, env| {
            (section.kind == "collect").then(|| {
                let output = Collect::new(&env.name);
                made.lock().unwrap().entry(env.name.to_string()).or_default().push(output.clone());
                Ok(output as Arc<dyn Output>)
            })
        });
        let kit = Kit { protocols: &[&HAND, &LINE, &BROKEN], env, builtin };
        let wired = Wired::start(kit, config, journal, PipelineOptions::default()).expect("it starts");
        Bench { test, wired, outputs, runtime, _dir: dir }
    }

    fn inputs(&self) -> Vec<String> {
        let running = running();
        let own = running.iter().filter_map(|(key, _)| key.strip_prefix(self.test).map(str::to_owned));
        own.collect()
    }

    /// Puts a row into an input.
    fn put(&self, input: &str, line: &str) {
        let key = format!("{}{input}", self.test);
        let intake = running().iter().find(|(have, _)| *have == key).expect("it runs").1.clone();
        let row = Row {
            start: 0,
            len: line.len() as u32,
            offset: 0,
            time: 0,
            received: 0,
            slots_end: 0,
            marks: Default::default(),
        };
        let batch = sawlog_model::Batch {
            context: Arc::new(Context::new([("_tag", "t")])),
            buffer: line.to_owned().into_bytes().into(),
            rows: vec![row],
            ..Default::default()
        };
        self.runtime.block_on(intake.submit(vec![batch])).expect("taken");
    }

    /// Outputs of that name have these lines, one after the other, as soon as their lanes have brought them.
    fn has(&self, name: &str, wanted: &[&[&str]]) {
        let lines = || -> Vec<Vec<String>> {
            let outputs = self.outputs.lock().unwrap();
            outputs.get(name).into_iter().flatten().map(|output| output.lines()).collect()
        };
        let clock = Sys::real().clock;
        let until = clock.monotonic() + Duration::from_secs(60);
        while lines() != wanted && clock.monotonic() < until {
            task::sleep(Duration::from_millis(5));
        }
        assert_eq!(lines(), wanted, "{name}");
    }
}

#[test]
fn what_stays_runs_on_and_the_rest_is_exchanged() {
    let config = |inputs: Vec<Section>, steps: Vec<Step>| Config { inputs, steps, ..Config::default() };
    let filter = |rule: &str| step("", Action::Filter(section("line", "", &[("rule", rule)])));
    let one = config(
        vec![input("a:", "1", ""), input("a:", "2", "@L")],
        vec![
            filter("drop x"),
            send("", section("collect", "", &[])),
            send("@L", section("collect", "l", &[])),
        ],
    );
    let bench = Bench::start("a:", one);
    assert_eq!(bench.inputs(), ["1/hand", "2/hand-2"]);
    bench.put("1/hand", "1\n");
    bench.put("1/hand", "x\n");
    bench.put("2/hand-2", "2\n");
    bench.has("collect", &[&["1\n"]]);
    bench.has("l", &[&["2\n"]]);
    // The second input and the second output change; a line is added above, so that all stand elsewhere.
    let mut moved = section("collect", "", &[]);
    moved.line = 99;
    let two = config(
        vec![input("a:", "3", "@L"), input("a:", "1", "")],
        vec![filter("drop x"), send("", moved), send("@L", section("collect", "l", &[("rule", "other")]))],
    );
    let told = bench.wired.reload(two).expect("it reloads");
    assert_eq!(told, ["input hand: changed", "output l: changed"]);
    assert_eq!(bench.inputs(), ["1/hand", "3/hand-2"]);
    bench.put("1/hand", "3\n");
    bench.put("3/hand-2", "4\n");
    // It is the same output.
    bench.has("collect", &[&["1\n", "3\n"]]);
    bench.has("l", &[&["2\n"], &["4\n"]]);
    let parts = bench.wired.pipeline().status().parts();
    let filter = parts.iter().find(|part| part.name == "line").expect("a filter");
    assert_eq!(filter.records, 3, "it is the same filter");
    bench.wired.stop();
    assert!(bench.inputs().is_empty());
}

#[test]
fn a_configuration_that_cannot_be_changes_nothing() {
    let good = Config {
        inputs: vec![input("b:", "1", "")],
        steps: vec![send("", section("collect", "", &[]))],
        ..Config::default()
    };
    let bench = Bench::start("b:", good.clone());
    let mut bad = good.clone();
    bad.inputs = vec![input("b:", "2", "")];
    bad.steps.push(Step { label: "".into(), ..send("", section("broken", "", &[])) });
    let error = bench.wired.reload(bad.clone()).expect_err("it is broken");
    assert_eq!(error, "output broken: it takes an address");
    bad.steps.pop();
    bad.inputs.push(section("none", "", &[]));
    assert_eq!(bench.wired.reload(bad).expect_err("there is none"), "there is no `none`");
    bench.put("1/hand", "1\n");
    bench.has("collect", &[&["1\n"]]);
}

#[test]
fn an_input_that_does_not_start_is_told_of_and_the_rest_holds() {
    let config = |at: &[&str]| Config {
        inputs: at.iter().map(|at| input("c:", at, "")).collect(),
        steps: vec![send("", section("collect", "", &[]))],
        settings: [("http".to_owned(), at.join(","))].into(),
        ..Config::default()
    };
    let bench = Bench::start("c:", config(&["1"]));
    let error = bench.wired.reload(config(&["1", "taken", "2"])).expect_err("one does not start");
    assert_eq!(error, "input hand-2: the address is in use");
    assert_eq!(bench.inputs(), ["1/hand", "2/hand-3"]);
    // It is tried again with the next one.
    assert!(bench.wired.reload(config(&["1", "taken", "2"])).is_err());
    let removed = "input hand: removed";
    let told = bench.wired.reload(config(&["2"])).unwrap();
    assert_eq!(told, [removed, removed, "`http` has changed; it takes a restart"]);
    assert_eq!(bench.inputs(), ["2/hand-3"]);
}

#[test]
fn a_store_comes_first_unless_it_is_listed_or_only_what_is_listed_counts() {
    let stores = |mut config: Config| {
        config.add_unless_listed(section("store", "store", &[]));
        let outputs = config.outputs();
        outputs.iter().filter(|output| output.section.kind == "store").count()
    };
    let forward = || send("", section("forward", "", &[]));
    assert_eq!(stores(Config::default()), 1);
    let labelled = Config { inputs: vec![input("d:", "1", "@L")], ..Config::default() };
    assert_eq!(stores(labelled), 2, "one output, in front of both labels");
    assert_eq!(stores(Config { steps: vec![forward()], only_listed: true, ..Config::default() }), 0);
    let listed = send("", section("store", "", &[]));
    assert_eq!(stores(Config { steps: vec![forward(), listed], ..Config::default() }), 1);
}
