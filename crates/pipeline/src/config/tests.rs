//! What a configuration may say, and what its author is told.

use super::*;

const TAIL: Protocol = Protocol {
    name: "tail",
    options: &[
        Opt { name: "paths", kind: OptKind::List, default: "", help: "" },
        Opt { name: "rescan", kind: OptKind::Duration, default: "60s", help: "" },
    ],
    input: Some(|_| Err(crate::ConfigError(String::new()))),
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
    const BOTH: Protocol =
        Protocol { options: &crate::concat::<{ OWN.len() + PARSE.len() }>(OWN, PARSE), ..TAIL };
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
