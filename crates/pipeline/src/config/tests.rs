//! What a configuration may say, and what its author is told.

use super::*;

/// An input that no test starts.
pub(super) struct Never;

impl crate::Input for Never {
    fn start(self: Box<Self>, _intake: crate::Intake, _env: crate::Env) -> Result<crate::Running, String> {
        Err("never".to_owned())
    }
}

const TAIL: Protocol = Protocol {
    name: "tail",
    options: &[
        Opt { name: "paths", kind: OptKind::List, default: "", help: "" },
        Opt { name: "rescan", kind: OptKind::Duration, default: "60s", help: "" },
    ],
    input: Some(|_| Ok(Box::new(crate::config::tests::Never))),
    ..Protocol::EMPTY
};

const SETTINGS: &[Setting] = &[("data", OptKind::Text, ""), ("store.memtable", OptKind::Bytes, "")];

#[test]
fn reads_sections_settings_and_defaults() {
    let text =
        "data = \"d\"\n[store]\nmemtable = \"8MiB\"\n[[input]]\ntype = \"tail\"\npaths = [\"a\", \"b\"]\n";
    let config = read(text, &[&TAIL], SETTINGS).unwrap();
    assert_eq!(config.settings["store.memtable"], "8MiB");
    assert_eq!(config.inputs[0].options.0["paths"], ["a", "b"]);
    assert_eq!(config.inputs[0].options.0["rescan"], ["60s"]);
}

#[test]
fn a_table_inside_holds_options_that_belong_together() {
    const OWN: &[Opt] = &[Opt { name: "paths", kind: OptKind::List, default: "", help: "" }];
    const PARSE: &[Opt] = &[Opt { name: "parse.type", kind: OptKind::Text, default: "auto", help: "" }];
    const BOTH: Protocol = Protocol { options: crate::options![OWN, PARSE], ..TAIL };
    let text = "[[input]]\ntype = \"tail\"\npaths = \"a\"\n[input.parse]\ntype = \"json\"\n";
    let config = read(text, &[&BOTH], SETTINGS).unwrap();
    assert_eq!(config.inputs[0].options.text("parse.type"), "json");
    assert_eq!(config.inputs[0].options.text("paths"), "a");
    let problems = read(&text.replace("json", "json\"\ntipe = \"x"), &[&BOTH], SETTINGS).unwrap_err();
    assert_eq!(problems[0].line, 6);
    assert!(problems[0].message.contains("`parse.type`"), "{}", problems[0].message);
}

#[test]
fn tells_every_problem_with_its_line_and_the_nearest_name() {
    let text = "dat = \"d\"\n[[input]]\ntype = \"tial\"\n[[input]]\ntype = \"tail\"\npath = \"a\"\nrescan = \"soon\"\n";
    let problems = read(text, &[&TAIL], SETTINGS).unwrap_err();
    let lines: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 6, 7]);
    assert!(problems[0].message.contains("did you mean `data`"), "{}", problems[0].message);
    assert!(problems[1].message.contains("did you mean `tail`"), "{}", problems[1].message);
    assert!(problems[2].message.contains("did you mean `paths`"), "{}", problems[2].message);
    assert!(problems[3].message.contains("`soon` is not a time"), "{}", problems[3].message);
}

#[test]
fn tells_the_line_of_broken_toml() {
    let problems = read("data = \"d\"\n\nx = = 3\n", &[&TAIL], SETTINGS).unwrap_err();
    assert_eq!(problems[0].line, 3);
}

#[test]
fn reads_units() {
    assert_eq!(bytes("64MiB"), Some(64 << 20));
    assert_eq!(bytes("1 GB"), Some(1_000_000_000));
    assert_eq!(bytes("x"), None);
    assert_eq!(duration("30d"), Some(30 * 86_400_000_000_000));
    assert_eq!(duration("5 parsecs"), None);
}

#[test]
fn the_dialect_is_told_by_the_name_or_the_first_line() {
    use super::load::Dialect;
    let of = |name: &str, text| Dialect::of(Path::new(name), text);
    assert_eq!(of("x.toml", "<source>"), Dialect::Toml);
    assert_eq!(of("x", "\u{feff}# c\n\n  <source>\n"), Dialect::Fluent);
    assert_eq!(of("x", "@include a"), Dialect::Fluent);
    assert_eq!(of("x", "include a"), Dialect::Fluent);
    assert_eq!(of("x.conf", "data = \"d\"\n"), Dialect::Toml);
}

#[test]
fn a_file_tells_all_that_is_wrong_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (sys, path) = (Sys::real(), dir.path().join("fluent.conf"));
    let write = |text: &str| {
        let file = sys.fs.open(&path, sawlog_sys::Open::Create).unwrap();
        file.set_len(0).unwrap();
        file.write_at(text.as_bytes(), 0).unwrap();
    };
    write("<source>\n@type tial\n</source>\n<system>\nworkers 2\nx y\n</system>\n");
    let error = read_file(&sys, &path, &[&TAIL], SETTINGS).unwrap_err();
    let shown = path.display();
    assert!(error.starts_with(&format!("{shown}:1: there is no source of type `tial`")), "{error}");
    assert!(error.contains(&format!("\n{shown}:6: ")) && error.lines().count() == 2, "{error}");
    let known = Known { protocols: &[&TAIL], settings: SETTINGS };
    write("<system>\nworkers 2\n</system>\n");
    let loaded = load(&sys, &path, known, None).unwrap();
    assert!(lines(&loaded.notes, true).starts_with(&format!("{shown}:2: note: `workers` has no effect")));
    assert_eq!(lines(&loaded.notes, false), "");
    let findings = load(&sys, dir.path(), known, None).unwrap_err();
    assert_eq!((findings.len(), findings[0].line), (1, 0));
}

const SEND: Protocol = Protocol {
    name: "send",
    options: &[
        Opt { name: "to", kind: OptKind::Address, default: "127.0.0.1:1", help: "" },
        Opt { name: "queue", kind: OptKind::Bytes, default: "1MiB", help: "" },
        Opt { name: "expression", kind: OptKind::Text, default: "", help: "" },
        Opt { name: "buffer.timekey", kind: OptKind::Duration, default: "", help: "" },
        Opt { name: "keys", kind: OptKind::List, default: "", help: "" },
        Opt { name: "ack", kind: OptKind::Bool, default: "true", help: "" },
        Opt { name: "level", kind: OptKind::Number, default: "6", help: "" },
    ],
    output: Some(|_, _| Err(crate::ConfigError(String::new()))),
    filter: Some(|_, _| Err(crate::ConfigError(String::new()))),
    ..Protocol::EMPTY
};

const BOTH: Known<'static> = Known { protocols: &[&TAIL, &SEND], settings: SETTINGS };

fn full() -> &'static str {
    r#"only_listed = true
data = "d"

[store]
memtable = "8MiB"

[[input]]
type = "tail"
label = "@A"
id = "t"
paths = ["a", "b"]

[[filter]]
type = "send"
label = "@A"
match = "x.** y"
expression = '^(?<a>"\d")'

[[output]]
label = "@A"
match_ik = "x.*"
last = true
type = "send"
id = "o"
queue.memory = "2MiB"
buffer.timekey = "1d"
keys = ["k"]
ack = false
level = 3
queue.limit = "1GiB"
queue.overflow = "drop_oldest"
queue.retry_wait = "2s"
queue.retry_max_wait = "1m"
queue.retry_growth = 150
queue.retry_times = 5
queue.retry_time = "1h"
secondary = { type = "send", expression = "it's \"\u0007\"\n" }

[[filter]]
type = "send"

[[output]]

[[output.one_of]]
weight = 3
type = "send"
queue = "4MiB"

[[output.one_of]]

[[output.one_of.one_of]]
to_label = "@A"
"#
}

#[test]
fn filters_and_outputs_stand_in_the_order_of_the_file() {
    let config = read(full(), BOTH.protocols, SETTINGS).unwrap();
    assert_eq!((config.only_listed, &*config.inputs[0].label, &*config.inputs[0].name), (true, "@A", "t"));
    assert_eq!(config.inputs[0].line, 7);
    let [filter, output, second, choice] = &config.steps[..] else { panic!("{:?}", config.steps) };
    assert_eq!((&*filter.label, filter.tags.to_string()), ("@A", "x.** y".to_owned()));
    assert!(
        matches!(&filter.action, Action::Filter(section) if section.options.text("expression") == "^(?<a>\"\\d\")")
    );
    assert_eq!(output.tags, TagPattern::parse_ik("x.*").unwrap());
    let Action::Send { to: Target::Output(sent), last: true } = &output.action else { panic!("{output:?}") };
    let queue = QueueOptions {
        limit: Some(1 << 30),
        overflow: Overflow::DropOldest,
        retry_wait: Duration::from_secs(2),
        retry_max_wait: Duration::from_secs(60),
        retry_growth: 150,
        retry_times: Some(5),
        retry_time: Some(Duration::from_secs(3600)),
    };
    assert_eq!(sent.queue, queue);
    assert_eq!((sent.section.options.text("queue"), sent.section.options.flag("ack")), ("2MiB", false));
    assert_eq!(sent.secondary.as_ref().unwrap().options.text("expression"), "it's \"\u{7}\"\n");
    assert!(matches!(&second.action, Action::Filter(_)) && second.tags.is_all());
    let Action::Send { to: Target::OneOf(choices), last: false } = &choice.action else {
        panic!("{choice:?}")
    };
    assert_eq!(choices.iter().map(|(weight, _)| *weight).collect::<Vec<_>>(), [3, 1]);
    let nested = Target::OneOf(vec![(1, Target::Label("@A".to_owned()))]);
    assert_eq!(choices[1].1, nested);
}

#[test]
fn what_is_written_is_what_was_read() {
    let config = read(full(), BOTH.protocols, SETTINGS).unwrap();
    assert_eq!(write(&config, BOTH), full());
    assert_eq!(write(&Config::default(), BOTH), "");
}

#[test]
fn mistakes_in_sections_are_told_with_their_lines() {
    let text = "[[input]]\ntype = \"tail\"\nlabel = \"@X\"\n[[output]]\ntype = \"send\"\nmach = \"a\"\n[[output]]\n\
                match = \"{a\"\nto_label = \"@Y\"\ntype = \"send\"\n[[output]]\nto_label = \"@Y\"\nack = true\n[[output]]\n\
                type = \"send\"\nlast = 3\nqueue.limt = 3\nqueue.overflow = \"spill\"\n[[output]]\none_of = []\n\
                [[filter]]\ntype = \"tail\"\n[[output]]\ntype = \"send\"\nsecondary = { to = \"x\" }\nmatch = \"a\"\nmatch_ik = \"b\"\n";
    let problems = read(text, BOTH.protocols, SETTINGS).unwrap_err();
    let parts = [
        (3, "no filter and no output has the label `@X`"),
        (6, "did you mean `match`"),
        (7, "one of type"),
        (8, "without its }"),
        (12, "label `@Y`"),
        (13, "`ack` has no meaning here"),
        (16, "`last` is true or false"),
        (17, "did you mean `limit`"),
        (18, "block, refuse or drop_oldest"),
        (19, "nothing to choose from"),
        (22, "no filter of type `tail`"),
        (25, "has no type"),
        (26, "write one of them"),
    ];
    for (line, part) in parts.iter() {
        let told = problems.iter().any(|problem| problem.line == *line && problem.message.contains(part));
        assert!(told, "{line} {part}: {problems:#?}");
    }
    assert_eq!(problems.len(), parts.len(), "{problems:#?}");
}

#[test]
fn an_input_that_would_not_start_is_told_with_its_line() {
    const PICKY: Protocol = Protocol {
        name: "picky",
        input: Some(|_| Err(crate::ConfigError("no two of its options fit".to_owned()))),
        ..Protocol::EMPTY
    };
    let sys = Sys::real();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sawlog.toml");
    let file = sys.fs.open(&path, sawlog_sys::Open::Create).unwrap();
    file.write_at(b"data = \"d\"\n\n[[input]]\ntype = \"picky\"\n", 0).unwrap();
    let known = Known { protocols: &[&PICKY], settings: SETTINGS };
    let found = load(&sys, &path, known, None).unwrap_err();
    assert_eq!((found[0].line, found[0].message.as_str()), (3, "picky: no two of its options fit"));
}
