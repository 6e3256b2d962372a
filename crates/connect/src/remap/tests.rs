//! What programs make of rows, and what their authors are told.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use sawlog_model::{Access, AccessError, Marks, Right, Row, Tenant, value};
use sawlog_pipeline::config::{self, Known};
use sawlog_pipeline::wiring;
use sawlog_sys::task::{self, Stop};
use sawlog_sys::{Open, Sys};
use sawlog_wire::trial;

use super::*;

const TIME: Nanos = 1_511_836_993_814_351_757;

struct Nobody;

impl Access for Nobody {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Err(AccessError)
    }
}

fn filter_with(source: &str, more: &[(&str, &str)], limits: Limits) -> Box<dyn Filter> {
    let mut given = vec![("source", vec![source.to_owned()])];
    given.extend(more.iter().map(|(key, value)| (*key, vec![(*value).to_owned()])));
    let options = config::options(&PROTOCOL, &given).expect("options");
    let runtime = task::runtime("test", 1).expect("a runtime");
    let env = Env {
        name: "test".into(),
        sys: Sys::real(),
        dir: std::path::PathBuf::new(),
        runtime: runtime.handle().clone(),
        limits,
        stop: Stop::default(),
        access: Arc::new(Nobody),
    };
    make(&options, &env).expect("a filter")
}

fn filter(source: &str) -> Box<dyn Filter> {
    filter_with(source, &[], Limits::default())
}

fn batch(records: &[Ours]) -> Arc<Batch> {
    let mut batch =
        Batch { context: Arc::new(Context::new([("_tag", "a.b"), ("_host", "h")])), ..Batch::default() };
    let mut buffer = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let start = buffer.len();
        let slots = value::Slots::new("", &Limits::default(), &mut batch.names, &mut batch.slots);
        value::render_slots(record, slots, &mut buffer);
        buffer.push(b'\n');
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: index as u64,
            time: TIME,
            received: TIME + 1,
            slots_end: batch.slots.len() as u32,
            marks: Marks::MAP.with(Marks::JSON),
        });
    }
    batch.buffer = buffer.into();
    Arc::new(batch)
}

fn parsed(text: &str) -> Ours {
    value::parse(text.as_bytes(), &Limits::default()).expect("a value")
}

fn texts(batch: &Batch) -> Vec<String> {
    let text = |row| {
        let mut out = Vec::new();
        value::render(&Ours::Map(entries(row, &Limits::default())), &mut out);
        String::from_utf8(out).expect("text")
    };
    batch.iter().map(text).collect()
}

/// What a program makes of a record.
fn run(source: &str, record: &str) -> String {
    let filtered = filter(source).apply(batch(&[parsed(record)]));
    assert!(filtered.told.is_empty(), "{}", filtered.told[0].detail);
    texts(&filtered.batch).remove(0)
}

#[test]
fn what_is_left_alone_stays_as_it_came() {
    let record = r#"{"z":18446744073709551615,"b":{"$bin":"/w=="},"f":{"$f32":0.5},"n":{"$f64":"NaN"},"t":{"$time":"1000000001"},"d":1,"d":2,"a":{"y":1,"x":[1.0,-9223372036854775808]},"e":{"$ext":[5,"AQ=="]}}"#;
    let whole = parsed(record);
    let batch = batch(std::slice::from_ref(&whole));
    let same = filter("if .z == 1 { .z = 2 }").apply(batch.clone());
    assert!(Arc::ptr_eq(&same.batch, &batch), "nothing was assigned");
    // A field that is only added leaves the line alone; the value that is put where it was, too.
    let once = self::batch(&[parsed(&record.replace("\"d\":1,", ""))]);
    let filtered = filter(".a.x = .a.x; .new = \"x\"").apply(once.clone());
    assert_eq!(filtered.batch.row(0).raw(), once.row(0).raw());
    assert!(texts(&filtered.batch)[0].ends_with(",\"new\":\"x\"}"), "{:?}", texts(&filtered.batch));
    let made = filter(".a.x[0] = 2").apply(batch);
    let Ours::Map(mut expected) = whole else { panic!("a map") };
    let second = expected.iter().position(|(key, _)| key.as_str() == Some("d")).expect("d");
    expected.remove(second);
    let place = expected.iter().position(|(key, _)| key.as_str() == Some("a")).expect("a");
    expected[place].1 = parsed(r#"{"y":1,"x":[2,-9223372036854775808]}"#);
    let got = entries(made.batch.row(0), &Limits::default());
    assert!(Ours::Map(got.clone()).same(&Ours::Map(expected.clone())), "{got:?}\n{expected:?}");
    assert!(made.batch.rows[0].marks.has(Marks::MADE));
}

#[test]
fn types_are_exact_both_ways() {
    for (source, record, expected) in [
        (".b = .a", r#"{"a":9223372036854775807}"#, r#"{"a":9223372036854775807,"b":9223372036854775807}"#),
        (
            ".b = .a",
            r#"{"a":-9223372036854775808}"#,
            r#"{"a":-9223372036854775808,"b":-9223372036854775808}"#,
        ),
        (
            ".b = .a",
            r#"{"a":18446744073709551615}"#,
            r#"{"a":18446744073709551615,"b":"18446744073709551615"}"#,
        ),
        (".b = .a", r#"{"a":0.1}"#, r#"{"a":0.1,"b":0.1}"#),
        (".b = .a", r#"{"a":{"$f32":0.5}}"#, r#"{"a":{"$f32":0.5},"b":0.5}"#),
        (".b = .a", r#"{"a":{"$bin":"//4="}}"#, r#"{"a":{"$bin":"//4="},"b":{"$bin":"//4="}}"#),
        (".b = .a", r#"{"a":null}"#, r#"{"a":null,"b":null}"#),
        (".b = is_timestamp(.a)", r#"{"a":{"$time":"1"}}"#, r#"{"a":{"$time":"1"},"b":true}"#),
        (".b = [.a, {\"x\": .a}]", r#"{"a":true}"#, r#"{"a":true,"b":[true,{"x":true}]}"#),
        (".a = upcase!(.a)", r#"{"a":"x"}"#, r#"{"a":"X"}"#),
        ("del(.a)", r#"{"a":1,"b":2}"#, r#"{"b":2}"#),
        (". = {\"c\": 1, \"b\": .b, \"a\": 2}", r#"{"b":1,"a":1}"#, r#"{"b":1,"a":2,"c":1}"#),
        (
            ".z = 1; .y = 2; .b.q = 1; .b.p = 2",
            r#"{"b":{"x":1}}"#,
            r#"{"b":{"x":1,"p":2,"q":1},"y":2,"z":1}"#,
        ),
        (". |= object!(parse_json!(.m))", r#"{"m":"{\"u\":1.0}"}"#, r#"{"m":"{\"u\":1.0}","u":1.0}"#),
        (".n = parse_regex!(.m, r'(?P<x>\\d+)').x", r#"{"m":"a 12"}"#, r#"{"m":"a 12","n":"12"}"#),
    ] {
        assert_eq!(run(source, record), expected, "{source}");
    }
}

#[test]
fn times_keep_their_nanoseconds() {
    let source = ".t = %time; %time = from_unix_timestamp!(to_unix_timestamp!(%time, unit: \"nanoseconds\") + 1, \
                  unit: \"nanoseconds\"); .r = %received";
    let filtered = filter(source).apply(batch(&[parsed("{}")]));
    assert_eq!(filtered.batch.rows[0].time, TIME + 1);
    let got = entries(filtered.batch.row(0), &Limits::default());
    assert_eq!(got[1], (Ours::Str("t".into()), Ours::Time(TIME)));
    assert_eq!(got[0], (Ours::Str("r".into()), Ours::Time(TIME + 1)));
    // Time alone leaves the line as it is.
    let moved = filter("%time = t'2020-01-01T00:00:00.5Z'").apply(batch(&[parsed(r#"{"a":1}"#)]));
    assert_eq!(moved.batch.rows[0].time, 1_577_836_800_500_000_000);
    assert!(!moved.batch.rows[0].marks.has(Marks::MADE));
}

#[test]
fn tag_host_and_line_can_be_read_and_the_tag_be_set() {
    let filtered =
        filter(".h = %host; .l = %line; %tag = \"x.\" + %tag").apply(batch(&[parsed(r#"{"a":1}"#)]));
    assert_eq!(texts(&filtered.batch), [r#"{"a":1,"h":"h","l":"{\"a\":1}"}"#]);
    assert_eq!(filtered.batch.context.get("_tag"), Some("x.a.b"));
    assert_eq!(filtered.batch.context.get("_host"), Some("h"));
    let rows = [parsed(r#"{"a":"x"}"#), parsed(r#"{"a":"y"}"#)];
    let differing = filter("%tag = string!(.a)").apply(batch(&rows));
    assert_eq!(differing.batch.context.get("_tag"), Some("a.b"), "a batch has one tag");
    assert_eq!((differing.told[0].reason, differing.told[0].count), ("tag", 1));
}

#[test]
fn rows_on_which_it_fails_stay_as_they_came_or_leave() {
    let rows = [parsed(r#"{"a":1}"#), parsed(r#"{"a":"x"}"#), parsed(r#"{"a":2}"#)];
    let source = ".before = true; .a = int!(.a) + 1";
    let kept = filter(source).apply(batch(&rows));
    assert_eq!(texts(&kept.batch), [r#"{"a":2,"before":true}"#, r#"{"a":"x"}"#, r#"{"a":3,"before":true}"#]);
    assert!(kept.failed.is_none());
    assert_eq!((kept.told[0].reason, kept.told[0].count), ("error", 1));
    assert!(kept.told[0].detail.contains("expected integer, got string"), "{}", kept.told[0].detail);
    let dropped = filter_with(source, &[("drop_on_error", "true")], Limits::default()).apply(batch(&rows));
    assert_eq!(dropped.batch.rows.len(), 2);
    let failed = dropped.failed.expect("a row failed");
    assert_eq!((texts(&failed.batch), failed.reason), (vec![r#"{"a":"x"}"#.to_owned()], "error"));
    for (source, reason) in [
        ("%time = \"soon\"", "time"),
        ("%tag = 1", "tag"),
        (". = [1]", "no_map"),
        (
            "for_each(range!(0, 100000)) -> |_i, a| { for_each(range!(0, 1000)) -> |_j, b| { .n = a + b } }",
            "exhausted",
        ),
    ] {
        let told = filter(source).apply(batch(&rows[..1])).told;
        assert_eq!(told[0].reason, reason, "{source}");
    }
    let small = Limits { event: 100, ..Limits::default() };
    let told = filter_with(".b = join!([.a, .a])", &[], small);
    let long = parsed(&format!("{{\"a\":\"{}\"}}", "x".repeat(60)));
    assert_eq!(told.apply(batch(&[long])).told[0].reason, "too_large");
}

#[test]
fn abort_drops_rows_and_more_where_asked_for() {
    let rows = [parsed(r#"{"a":1}"#), parsed(r#"{"a":2}"#)];
    let run = |more: &[(&str, &str)]| {
        filter_with("if .a == 1 { abort \"one\" }", more, Limits::default()).apply(batch(&rows))
    };
    let dropped = run(&[]);
    assert_eq!((texts(&dropped.batch), dropped.failed.is_none()), (vec![r#"{"a":2}"#.to_owned()], true));
    assert!(dropped.told.is_empty());
    assert_eq!(run(&[("drop_on_abort", "false")]).batch.rows.len(), 2);
    let failed = run(&[("reroute_aborted", "true")]).failed.expect("a row aborted");
    assert_eq!((failed.batch.rows.len(), failed.reason, failed.detail.as_str()), (1, "abort", "one"));
}

#[test]
fn variables_of_a_row_are_gone_with_the_next() {
    let rows = [parsed(r#"{"a":1}"#), parsed(r#"{"a":2}"#)];
    let source = "if .a == 1 { x = 1; .x = x }; .b, err = to_int(.a); if err != null { .c = err }";
    let filtered = filter(source).apply(batch(&rows));
    assert_eq!(texts(&filtered.batch), [r#"{"a":1,"b":1,"x":1}"#, r#"{"a":2,"b":2}"#]);
}

#[test]
fn several_threads_use_one_filter() {
    let filter = filter(".b = int!(.a) * 2");
    std::thread::scope(|scope| {
        for number in 0..4 {
            let filter = &filter;
            scope.spawn(move || {
                let text = format!("{{\"a\":{number}}}");
                for _ in 0..100 {
                    let filtered = filter.apply(batch(&[parsed(&text)]));
                    assert_eq!(texts(&filtered.batch), [format!("{{\"a\":{number},\"b\":{}}}", number * 2)]);
                }
            });
        }
    });
}

static ALL: LazyLock<Vec<&'static Protocol>> =
    LazyLock::new(|| [sawlog_wire::PROTOCOLS, crate::PROTOCOLS].concat());

struct Dir(tempfile::TempDir);

impl Dir {
    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        let file = Sys::real().fs.open(&path, Open::Create).expect("it opens");
        file.set_len(0).expect("it is emptied");
        file.write_at(text.as_bytes(), 0).expect("it is written");
        path
    }

    /// What `check --test` tells of a configuration, paths without the directory.
    fn check(&self, name: &str, text: &str) -> Result<trial::Tested, String> {
        let (sys, path) = (Sys::real(), self.put(name, text));
        let known = Known { protocols: &ALL, settings: wiring::SETTINGS };
        let loaded = config::load(&sys, &path, known, None).map_err(|found| config::lines(&found, true));
        let tested = loaded.and_then(|loaded| {
            let asked = (!loaded.config.tests.is_empty()).then_some(&[][..]);
            trial::check(&sys, &path, &loaded.config, asked, &ALL, false)
        });
        tested.map_err(|error| error.replace(&format!("{}/", self.0.path().display()), ""))
    }
}

fn dir() -> Dir {
    Dir(tempfile::tempdir().expect("a directory"))
}

#[test]
fn what_is_wrong_with_a_program_is_told_with_the_line_of_the_configuration() {
    let error = |name: &str, text: &str| dir().check(name, text).expect_err("it is wrong");
    let toml = "[[filter]]\ntype = \"remap\"\nsource = '''\n.a = 1\n.b = nope(.a)\n'''\n";
    let told = error("s.toml", toml);
    assert!(told.starts_with("s.toml:5: `source`: error[E105]: call to undefined function"), "{told}");
    let told = error("s.toml", &toml.replace("nope(.a)", "to_int(.x)"));
    assert!(told.starts_with("s.toml:5: `source`: error[E103]: unhandled fallible assignment"), "{told}");
    let conf = "<filter>\n  @type remap\n  source '.a = 1\n.b = nope(.a)'\n</filter>\n<match>\n@type null\n</match>\n";
    let told = error("f.conf", conf);
    assert!(told.starts_with("f.conf:4: `source`: error[E105]"), "{told}");
    let dir = dir();
    let program = dir.put("p.vrl", ".a = 1\n.b =\n");
    let text = format!("[[filter]]\ntype = \"remap\"\nfile = '{}'\n", program.display());
    let told = dir.check("s.toml", &text).expect_err("it is wrong");
    assert!(told.starts_with("s.toml:1: filter remap: p.vrl:"), "{told}");
    let told = error("s.toml", "[[filter]]\ntype = \"remap\"\n");
    assert_eq!(told, "s.toml:2: `type`: it needs `source`, a program, or `file`");
    let told = error("s.toml", "[[filter]]\ntype = \"remap\"\nsource = \".\"\nfile = \"x\"\n");
    assert_eq!(told, "s.toml:4: `file`: write either `source` or `file`");
    let told = error("s.toml", "[[filter]]\ntype = \"remap\"\nsource = \".\"\ntimezone = \"Mars\"\n");
    assert_eq!(
        told,
        "s.toml:4: `timezone`: there is no zone `Mars`; write a name such as Europe/Zurich, or local"
    );
}

#[test]
fn what_vrl_warns_of_is_a_note_with_its_line() {
    let notes = |name: &str, text: &str| {
        let (dir, sys) = (dir(), Sys::real());
        let known = Known { protocols: &ALL, settings: wiring::SETTINGS };
        let loaded = config::load(&sys, &dir.put(name, text), known, None).expect("nothing is wrong");
        config::lines(&loaded.notes, true).replace(&format!("{}/", dir.0.path().display()), "")
    };
    let told = notes("s.toml", "[[filter]]\ntype = \"remap\"\nsource = '''\n.a = 1\n\"x\"\n.b = 2\n'''\n");
    assert!(told.starts_with("s.toml:5: note: `source`: warning[E900]: unused"), "{told}");
    let conf = "<filter>\n  @type remap\n  source '.a = 1\n\"x\"\n.c = 2'\n</filter>\n<match>\n@type null\n</match>\n";
    let told = notes("f.conf", conf);
    assert!(told.contains("f.conf:4: note: `source`: warning[E900]: unused"), "{told}");
}

#[test]
fn nothing_outside_can_be_reached_and_nothing_grows_without_bound() {
    for call in [
        "get_env_var!(\"HOME\")",
        "get_hostname!()",
        "http_request!(\"http://localhost\")",
        "dns_lookup!(\"localhost\")",
        "reverse_dns!(\"127.0.0.1\")",
        "parse_proto!(.a, \"x\", \"y\")",
        "validate_json_schema!(.a, \"x\")",
        "decode_gzip!(.a)",
        "decode_zlib!(.a)",
        "decode_zstd!(.a)",
        "decode_snappy!(.a)",
        "decode_lz4!(.a)",
    ] {
        let told = program::compile(&format!(".x = {call}"), TimeZone::Local).err().expect("it is left out");
        assert!(told[0].message.contains("undefined function"), "{call}: {}", told[0].message);
    }
    let groks = "parse_groks!(.a, patterns: [\"%{x}\"], alias_sources: [\"/etc/passwd\"])";
    assert!(program::compile(groks, TimeZone::Local).is_err());
    for name in program::READ_ONLY {
        assert!(program::compile(&format!("%{name} = \"x\""), TimeZone::Local).is_err(), "{name}");
    }
}

#[test]
fn a_program_in_a_pipeline_is_tested_as_others_are() {
    let dir = dir();
    dir.put("p.vrl", "if .drop == true { abort }\n.n = to_int!(.n)\n");
    let file = dir.0.path().join("p.vrl");
    let text = format!(
        r#"
[[filter]]
type = "remap"
file = '{}'
drop_on_error = true

[[output]]
type = "null"

[[output]]
type = "null"
id = "errors"
label = "@ERROR"

[[test]]
name = "numbers"
record = {{ n = "12" }}
[[test.expect]]
output = "null"
record = {{ n = 12 }}

[[test]]
name = "no numbers"
record = {{ n = "x" }}
[[test.expect]]
output = "errors"
record = {{ n = "x" }}

[[test]]
name = "dropped"
record = {{ drop = true }}
dropped = true

[[test]]
name = "wrong"
record = {{ n = "x" }}
dropped = true
"#,
        file.display()
    );
    let tested = dir.check("s.toml", &text).expect("it runs");
    assert_eq!((tested.count, tested.failed), (4, 1), "{}", tested.text);
    assert!(tested.text.contains("filter remap: function call error for \"to_int\""), "{}", tested.text);
}

#[test]
fn options_of_a_fluentd_configuration() {
    let conf = "<filter a.**>\n@type remap\nsource .a = 1 + int!(.a)\ndrop_on_error yes\ndrop_on_abort false\n\
                reroute_aborted true\ntimezone Europe/Zurich\n</filter>\n<match>\n@type null\n</match>\n";
    let dir = dir();
    let path = dir.put("f.conf", conf);
    let known = Known { protocols: &ALL, settings: wiring::SETTINGS };
    let loaded = config::load(&Sys::real(), &path, known, None).expect("it is read");
    let written = config::write(&loaded.config, known);
    for line in [
        "type = \"remap\"",
        "source = \".a = 1 + int!(.a)\"",
        "drop_on_error = true",
        "drop_on_abort = false",
        "reroute_aborted = true",
        "timezone = \"Europe/Zurich\"",
    ] {
        assert!(written.contains(line), "{written}");
    }
}

#[test]
fn the_zone_is_that_of_times_without_one() {
    let source = "%time = parse_timestamp!(\"2020-01-01 00:00:00\", format: \"%F %T\")";
    let filtered =
        filter_with(source, &[("timezone", "Asia/Tokyo")], Limits::default()).apply(batch(&[parsed("{}")]));
    assert_eq!(filtered.batch.rows[0].time, (1_577_836_800 - 9 * 3600) * 1_000_000_000);
}

/// Values of every type, nested.
fn values() -> impl Strategy<Value = Ours> {
    let leaf = prop_oneof![
        Just(Ours::Nil),
        any::<bool>().prop_map(Ours::Bool),
        any::<i64>().prop_map(Ours::Int),
        any::<u64>().prop_filter("of the other type", |n| *n > i64::MAX as u64).prop_map(Ours::UInt),
        any::<f64>().prop_map(Ours::Float),
        any::<f32>().prop_map(Ours::Float32),
        ".{0,8}".prop_map(Ours::Str),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(Ours::Bin),
        any::<i64>().prop_map(Ours::Time),
        (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..4))
            .prop_map(|(kind, bytes)| Ours::Ext(kind, bytes)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![3 => "[a-c]{1,2}".prop_map(Ours::Str), 1 => any::<i64>().prop_map(Ours::Int)];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Ours::List),
            proptest::collection::vec((key, inner), 0..4).prop_map(Ours::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_goes_to_vrl_and_back_is_the_same(record in proptest::collection::vec((".{0,3}".prop_map(Ours::Str), values()), 0..5)) {
        let mut record = record;
        record.sort_by(|one, other| one.0.as_str().cmp(&other.0.as_str()));
        record.dedup_by(|one, other| one.0 == other.0);
        let object = convert::object(&record);
        prop_assert!(convert::is_object(&record, &object));
        let back = convert::entries(object, &record);
        prop_assert!(Ours::Map(back).same(&Ours::Map(record)));
    }
}
