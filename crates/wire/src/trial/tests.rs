//! Tests of configurations, and what their authors are told.

use sawlog_pipeline::config::Known;
use sawlog_sys::Open;

use super::*;

fn put(sys: &Sys, path: &Path, text: &str) {
    let file = sys.fs.open(path, Open::Create).expect("it opens");
    file.set_len(0).expect("it is emptied");
    file.write_at(text.as_bytes(), 0).expect("it is written");
}

/// A configuration with tests, run; its file is called `t.toml`.
fn run(text: &str) -> Result<Tested, String> {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
    let path = dir.path().join("t.toml");
    put(&sys, &path, text);
    let known = Known { protocols: crate::PROTOCOLS, settings: wiring::SETTINGS };
    let tested = config::load(&sys, &path, known, None)
        .map_err(|found| config::lines(&found, true))
        .and_then(|loaded| check(&sys, &path, &loaded.config, Some(&[]), crate::PROTOCOLS, false));
    let place = format!("{}/", dir.path().display());
    tested
        .map(|tested| Tested { text: tested.text.replace(&place, ""), ..tested })
        .map_err(|error| error.replace(&place, ""))
}

const PIPELINE: &str = r#"
[[input]]
type = "tail"
id = "access"
paths = ["/var/log/nginx/access.log"]
tag = "nginx"
label = "@NGINX"
parse.type = "regexp"
parse.expression = '^(?<host>\S+) (?<code>\d+)$'
parse.types = "code:integer"

[[filter]]
type = "grep"
id = "errors"
label = "@NGINX"
regexp = "code ^5"

[[filter]]
type = "record_transformer"
id = "mark"
label = "@NGINX"
set = ["tag=${tag}"]

[[output]]
type = "null"
id = "first"
label = "@NGINX"

[[output]]
type = "null"
id = "second"
label = "@NGINX"
match = "other"

[[filter]]
type = "parser"
id = "json"
parse.type = "json"

[[output]]
type = "null"

[[output]]
type = "null"
id = "bad"
label = "@ERROR"
"#;

fn with(tests: &str) -> Tested {
    run(&format!("{PIPELINE}{tests}")).expect("the tests can be run")
}

#[test]
fn lines_are_read_by_the_input_and_filtered_on_its_way() {
    let tested = with(
        r#"
[[test]]
name = "errors are kept and marked"
input = "access"
line = """
a 200
b 503
"""
[[test.expect]]
tag = "nginx"
output = "first"
record = { code = 503, host = "b", tag = "nginx" }

[[test]]
name = "the rest goes"
input = "access"
line = "a 200"
dropped = true

[[test]]
name = "a tag decides on outputs"
label = "@NGINX"
tag = "other"
record = { code = 500 }
[[test.expect]]
output = "first"
record = { code = 500, tag = "other" }
[[test.expect]]
output = "second"
record = { code = 500, tag = "other" }

[[test]]
name = "at several outputs alike it is one row"
label = "@NGINX"
tag = "other"
record = { code = 500 }
[[test.expect]]
record = { code = 500, tag = "other" }

[[test]]
name = "from a filter on"
filter = "mark"
tag = "x"
record = [{ code = 200 }, { code = 201 }]
[[test.expect]]
record = { code = 201, tag = "x" }
[[test.expect]]
record = { code = 200, tag = "x" }

[[test]]
name = "what fails goes to @ERROR, as lines without an input are"
line = "not JSON"
[[test.expect]]
output = "bad"
record = { message = "not JSON" }

[[test]]
name = "text of JSON, types and times"
record = '{"message":"{\"a\":null,\"b\":1.0}"}'
time = 2026-05-01T10:00:00.000000001Z
[[test.expect]]
output = "null"
time = "2026-05-01T10:00:00.000000001Z"
record = '{"b":1.0,"a":null}'
"#,
    );
    assert_eq!((tested.count, tested.failed), (7, 0), "{}", tested.text);
    assert!(tested.text.starts_with("ok    errors are kept and marked\n"), "{}", tested.text);
}

#[test]
fn what_differs_is_told_line_by_line() {
    let tested = with(
        r#"
[[test]]
name = "wrong"
filter = "mark"
tag = "x"
record = [{ code = 200, same = true }, { code = 9 }]
[[test.expect]]
tag = "y"
record = { code = "200", same = true, gone = 1 }

[[test]]
name = "nothing comes"
label = "@NGINX"
record = { code = 200 }
[[test.expect]]
record = { code = 200 }

[[test]]
name = "it fails"
line = "x"
dropped = true
"#,
    );
    assert_eq!((tested.count, tested.failed), (3, 3));
    let expected = r#"FAIL  wrong (t.toml:48)
      differs, at output `first`
      - (tag): y
      + (tag): x
      - code: "200"
      + code: 200
        same: true
      - gone: 1
      + tag: "x"
      was not expected, at output `first`
      + (tag): x
"#;
    assert!(tested.text.starts_with(expected), "{}", tested.text);
    assert!(tested.text.contains("FAIL  nothing comes (t.toml:57)\n      did not come\n      - code: 200\n"));
    assert!(tested.text.contains("      filter json: no match in `x`\n"), "{}", tested.text);
}

#[test]
fn numbers_of_other_types_are_not_the_same() {
    let tested = with(
        "[[test]]\nname = \"1 is not 1.0\"\nfilter = \"mark\"\ntag = \"x\"\nrecord = { a = 1 }\n\
         expect = [{ record = { a = 1.0, tag = \"x\" } }]\n",
    );
    assert_eq!(tested.failed, 1);
    assert!(tested.text.contains("      - a: 1.0\n      + a: 1\n"), "{}", tested.text);
}

#[test]
fn colours_are_for_terminals() {
    let paint = compare::Paint::new(true);
    assert_eq!(paint.passed("x"), "\x1b[32mok\x1b[0m    x\n");
    assert_eq!(compare::Paint::new(false).passed("x"), "ok    x\n");
}

#[test]
fn a_test_that_cannot_be_run_is_told_with_its_line() {
    let error = |test: &str| run(&format!("{PIPELINE}[[test]]\n{test}")).expect_err("it is wrong");
    let row = "record = { a = 1 }\ndropped = true\n";
    let told = [
        (
            format!("name = \"x\"\nfilter = \"errers\"\n{row}"),
            "t.toml:47: there is no filter `errers`; did you mean `errors`?",
        ),
        (
            format!("name = \"x\"\ninput = \"axess\"\n{row}"),
            "t.toml:47: there is no input `axess`; did you mean `access`?",
        ),
        (
            format!("name = \"x\"\nlabel = \"@NGINK\"\n{row}"),
            "t.toml:47: there is no label `@NGINK`; did you mean `@NGINX`?",
        ),
        (row.to_owned(), "t.toml:47: this [[test]] has no name; add name = \"…\""),
        (
            "name = \"x\"\ndropped = true\n".to_owned(),
            "t.toml:47: say what goes in: `record` (a table, or the text of a JSON object) or `line`",
        ),
        (
            "name = \"x\"\nline = \"a\"\n".to_owned(),
            "t.toml:47: say what comes out: [[test.expect]] for each row, or dropped = true",
        ),
        (format!("name = \"x\"\nnam = 1\n{row}"), "t.toml:49: a test has no `nam`; did you mean `name`?"),
        (
            format!("name = \"x\"\ntime = \"soon\"\n{row}"),
            "t.toml:49: `time` is a time such as 2026-05-01T10:00:00.5Z",
        ),
        (
            "name = \"x\"\nline = \"a\"\n[[test.expect]]\n".to_owned(),
            "t.toml:50: an expected row has a `record`",
        ),
        (
            "name = \"x\"\nrecord = \"[]\"\ndropped = true\n".to_owned(),
            "t.toml:49: a record is a table, or the text of a JSON object",
        ),
        (
            format!("name = \"x\"\nlabel = \"\"\ninput = \"access\"\n{row}"),
            "t.toml:47: rows go in at one place: at `input`, at `filter` or at `label`",
        ),
    ];
    for (test, words) in told {
        assert_eq!(error(&test), words, "{test}");
    }
}

#[test]
fn an_input_of_messages_takes_no_line() {
    let input = "[[input]]\ntype = \"forward\"\n[[output]]\ntype = \"null\"\n";
    let error =
        run(&format!("{input}[[test]]\nname = \"x\"\ninput = \"forward\"\nline = \"a\"\ndropped = true\n"));
    assert_eq!(
        error.expect_err("it takes records"),
        "t.toml:5: `forward` reads messages and not lines; give the test a `record`"
    );
}

#[test]
fn filters_that_cannot_be_are_told_without_tests_too() {
    let text = "[[filter]]\ntype = \"grep\"\nregexp = \"a (\"\n[[filter]]\ntype = \"parser\"\n[[output]]\ntype = \"null\"\n";
    let error = run(text).expect_err("two filters are wrong");
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("t.toml:")).collect();
    assert!(lines[0].starts_with("t.toml:1: filter grep: "), "{error}");
    assert!(lines[1].starts_with("t.toml:4: filter parser: it needs `parse.type`"), "{error}");
    assert_eq!(run("[[output]]\ntype = \"null\"\n").expect_err("no tests").lines().count(), 1);
}

#[test]
fn tests_of_a_file_of_their_own_hold_for_any_configuration() {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
    let (conf, side) = (dir.path().join("fluent.conf"), dir.path().join("side.toml"));
    let text = "<filter>\n@type grep\n<regexp>\nkey a\npattern x\n</regexp>\n</filter>\n<match>\n@type null\n</match>\n";
    put(&sys, &conf, text);
    let known = Known { protocols: crate::PROTOCOLS, settings: wiring::SETTINGS };
    let loaded = config::load(&sys, &conf, known, None).expect("it is read");
    let check = |tests: &str| {
        put(&sys, &side, tests);
        check(&sys, &conf, &loaded.config, Some(std::slice::from_ref(&side)), crate::PROTOCOLS, false)
    };
    let case = "[[test]]\nname = \"goes\"\ntag = \"t\"\nrecord = { a = \"y\" }\ndropped = true\n";
    assert_eq!(check(case).expect("it runs").failed, 0);
    let error = check(&format!("x = 1\n{case}")).expect_err("it holds more");
    assert!(error.ends_with("side.toml:1: `x`: this file holds [[test]] and nothing else"), "{error}");
}
