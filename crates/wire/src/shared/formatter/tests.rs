//! Every kind and option of formats and injections.

use sawlog_model::Limits;
use sawlog_pipeline::{Protocol, config};

use super::*;
use crate::testing::{lines, options_of, rows};

const PROTOCOL: Protocol = Protocol {
    name: "x",
    options: OPTIONS,
    fluent: &[config::FluentForm { role: config::Role::Match, names: &["x"], read: from_fluent }],
    ..Protocol::EMPTY
};

const ROW: &str = r#"{"a":"x\ty","b":null,"m":{"k":[1,true]},"q":"say \"hi\", #{x}\n"}"#;

fn written(default: &str, given: &[(&str, &[&str])]) -> String {
    let formatter = Formatter::new(&options_of(&PROTOCOL, given), default, Limits::default()).unwrap();
    let batch = rows("app.tag", &[ROW]);
    let mut out = Vec::new();
    formatter.write(batch.row(0), "app.tag", &mut out);
    String::from_utf8(out).unwrap()
}

fn refused(given: &[(&str, &[&str])]) -> String {
    let formatter = Formatter::new(&options_of(&PROTOCOL, given), "json", Limits::default());
    formatter.err().expect("it cannot be").to_string()
}

const UTC: (&str, &[&str]) = ("format.timezone", &["UTC"]);

#[test]
fn json_and_single_value() {
    assert_eq!(written("json", &[]), format!("{ROW}\n"));
    assert_eq!(
        written("out_file", &[("format.type", &["json"]), ("format.newline", &["crlf"])]),
        format!("{ROW}\r\n")
    );
    assert_eq!(written("json", &[("format.add_newline", &["false"])]), ROW);
    assert_eq!(written("single_value", &[("format.message_key", &["a"])]), "x\ty\n");
    assert_eq!(written("single_value", &[("format.message_key", &["$.m.k[0]"])]), "1\n");
    assert_eq!(written("single_value", &[]), "\n", "what is absent is nothing");
    let batch = lines("t", &["GET /a"]);
    let formatter = Formatter::new(&options_of(&PROTOCOL, &[]), "single_value", Limits::default()).unwrap();
    let mut out = Vec::new();
    formatter.write(batch.row(0), "t", &mut out);
    assert_eq!(out, b"GET /a\n");
}

#[test]
fn msgpack_is_the_record_alone() {
    let formatter = Formatter::new(&options_of(&PROTOCOL, &[]), "msgpack", Limits::default()).unwrap();
    let batch = rows("t", &[r#"{"a":1}"#, r#"{"b":"c"}"#]);
    let mut out = Vec::new();
    batch.iter().for_each(|row| formatter.write(row, "t", &mut out));
    assert_eq!(out, b"\x81\xa1a\x01\x81\xa1b\xa1c");
    let inject = options_of(&PROTOCOL, &[("inject.tag_key", &["a"])]);
    let formatter = Formatter::new(&inject, "msgpack", Limits::default()).unwrap();
    out.clear();
    formatter.write(batch.row(0), "t", &mut out);
    assert_eq!(out, b"\x81\xa1a\xa1t", "what is injected takes the place of what was there");
}

#[test]
fn ltsv_csv_and_tsv() {
    let map = r#"m:{"k":[1,true]}"#;
    assert_eq!(written("ltsv", &[]), format!("a:x y\tb:\t{map}\tq:say \"hi\", #{{x}}\n\n"));
    let given: &[(&str, &[&str])] =
        &[("format.delimiter", &[","]), ("format.label_delimiter", &["="]), ("format.replacement", &["_"])];
    assert_eq!(written("ltsv", given), "a=x\ty,b=,m={\"k\":[1_true]},q=say \"hi\"_ #{x}\n\n");
    let keys: (&str, &[&str]) = ("format.keys", &["a", "b", "none", "$.m.k[1]", "q"]);
    assert_eq!(written("csv", &[keys]), "\"x\ty\",\"\",\"\",\"true\",\"say \"\"hi\"\", #{x}\n\"\n");
    let lax = ("format.force_quotes", &["false"][..]);
    assert_eq!(written("csv", &[keys, lax]), "x\ty,,,true,\"say \"\"hi\"\", #{x}\n\"\n");
    assert_eq!(
        written("csv", &[("format.keys", &["a", "b"]), ("format.delimiter", &["TAB"]), lax]),
        "\"x\ty\"\t\n"
    );
    assert_eq!(written("tsv", &[("format.keys", &["a", "none", "$.m.k[0]"])]), "x\ty\t\t1\n");
    assert_eq!(written("tsv", &[("format.keys", &["a", "b"]), ("format.delimiter", &[";"])]), "x\ty;\n");
    assert!(refused(&[("format.type", &["csv"])]).contains("the format `csv` needs `keys`"));
    assert!(refused(&[("format.type", &["tsv"]), ("format.keys", &["$."])]).contains("`$.`"));
}

#[test]
fn out_file_and_stdout() {
    assert_eq!(written("out_file", &[UTC]), format!("2017-11-28T02:43:13Z\tapp.tag\t{ROW}\n"));
    let given: &[(&str, &[&str])] = &[
        ("format.timezone", &["+0900"]),
        ("format.time_format", &["%H:%M"]),
        ("format.delimiter", &["SPACE"]),
    ];
    assert_eq!(written("out_file", given), format!("11:43 app.tag {ROW}\n"));
    let bare: &[(&str, &[&str])] = &[("format.output_time", &["false"]), ("format.output_tag", &["false"])];
    assert_eq!(written("out_file", bare), format!("{ROW}\n"));
    assert_eq!(written("out_file", &[bare[0], ("format.delimiter", &["comma"])]), format!("app.tag,{ROW}\n"));
    let tokyo: (&str, &[&str]) = ("format.timezone", &["Asia/Tokyo"]);
    assert_eq!(written("stdout", &[tokyo]), format!("2017-11-28 11:43:13.814351757 +0900 app.tag: {ROW}\n"));
    let ltsv: &[(&str, &[&str])] =
        &[tokyo, ("format.output_type", &["hash"]), ("format.time_format", &["%s"])];
    assert_eq!(
        written("stdout", ltsv),
        "1511836993 app.tag: {\"a\"=>\"x\\ty\", \"b\"=>nil, \"m\"=>{\"k\"=>[1, true]}, \"q\"=>\"say \\\"hi\\\", \\#{x}\\n\"}\n"
    );
    assert!(
        refused(&[("format.type", &["stdout"]), ("format.output_type", &["stdout"])]).contains("in itself")
    );
    assert!(refused(&[("format.type", &["jsn"])]).contains("did you mean `json`?"));
    assert!(refused(&[("format.type", &["out_file"]), ("format.timezone", &["Mars"])]).contains("no zone"));
}

#[test]
fn what_is_injected_is_in_every_format() {
    let given: &[(&str, &[&str])] = &[
        ("inject.hostname_key", &["h"]),
        ("inject.hostname", &["web1"]),
        ("inject.worker_id_key", &["w"]),
        ("inject.tag_key", &["a"]),
        ("inject.time_key", &["t"]),
    ];
    let record = ROW.replace("x\\ty", "app.tag");
    let time =
        |time: &str| format!("{},\"h\":\"web1\",\"w\":0,\"t\":{time}}}\n", &record[..record.len() - 1]);
    assert_eq!(written("json", given), time("1511836993.814351"));
    for (kind, is) in [
        ("unixtime", "1511836993"),
        ("unixtime_millis", "1511836993814"),
        ("unixtime_micros", "1511836993814351"),
        ("unixtime_nanos", "1511836993814351757"),
        ("string", "\"2017-11-28T11:43:13+09:00\""),
    ] {
        let kinds = [kind];
        let all = [given, &[("inject.time_type", &kinds), ("inject.timezone", &["+09:00"])]].concat();
        assert_eq!(written("json", &all), time(is), "{kind}");
    }
    let formatted: &[(&str, &[&str])] =
        &[("inject.time_type", &["string"]), ("inject.time_format", &["%Y"]), ("inject.timezone", &["UTC"])];
    assert_eq!(written("json", &[given, formatted].concat()), time("\"2017\""));
    let keys: (&str, &[&str]) = ("format.keys", &["h", "a", "w"]);
    assert_eq!(written("tsv", &[given, &[keys]].concat()), "web1\tapp.tag\t0\n");
    let host = written("single_value", &[("inject.hostname_key", &["message"])]);
    assert_eq!(host, format!("{}\n", sawlog_sys::host_name()));
    assert!(refused(&[("inject.time_type", &["eon"])]).contains("unixtime_millis"));
}

#[test]
fn fluentds_forms_old_and_new() {
    let written = |text: &str| {
        let options =
            crate::testing::fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let formatter = Formatter::new(&options, "out_file", Limits::default()).unwrap();
        let batch = rows("t", &[r#"{"a":1,"b":"x"}"#]);
        let mut out = Vec::new();
        formatter.write(batch.row(0), "t", &mut out);
        String::from_utf8(out).unwrap()
    };
    let new = "<format>\n@type csv\nfields b,a\nforce_quotes false\n</format>\n";
    assert_eq!(written(new), "x,1\n");
    assert_eq!(written("format ltsv\ndelimiter ,\nlabel_delimiter ="), "a=1,b=x\n");
    assert_eq!(written("<format>\n@type tsv\nkeys a,b\n</format>"), "1\tx\n");
    assert_eq!(written("output_tag false\nutc\ntime_format %d"), "28\t{\"a\":1,\"b\":\"x\"}\n");
    let old = "format json\ninclude_tag_key true\ninclude_time_key true\ntag_key tg\nutc\n";
    assert_eq!(written(old), "{\"a\":1,\"b\":\"x\",\"tg\":\"t\",\"time\":\"2017-11-28T02:43:13Z\"}\n");
    let inject =
        "<format>\n@type json\n</format>\n<inject>\ntag_key a\ntime_key b\ntime_type unixtime\n</inject>";
    assert_eq!(written(inject), "{\"a\":\"t\",\"b\":1511836993}\n");
    let wrong =
        crate::testing::fluent(&PROTOCOL, "match", "<format>\n@type json\nfeilds a\n</format>").unwrap_err();
    assert!(wrong[0].contains("4: <format> has no option `feilds`; did you mean `fields`?"), "{wrong:?}");
}

/// A line of a file of this machine, with a field beside it, as a shipper has it.
fn shipped(kind: &str) -> String {
    let mut batch = lines("mytype", &["last é line"]);
    batch.context = std::sync::Arc::new(sawlog_model::Context::new([
        ("_tag", "mytype"),
        ("_host", "web01"),
        ("_path", "/var/log/app/a.log"),
    ]));
    let formatter = Formatter::new(&options_of(&PROTOCOL, &[]), kind, Limits::default()).unwrap();
    let mut out = Vec::new();
    formatter.write(batch.row(0), "mytype", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn lines_are_events_of_logstash_gelf_and_stamped() {
    assert_eq!(
        shipped("logstash"),
        "{\"@version\":1,\"@timestamp\":\"2017-11-28T02:43:13.814Z\",\"host\":\"web01\",\"file\":\"/var/log/app/a.log\",\
         \"message\":\"last é line\",\"type\":\"mytype\",\"tags\":[]}\n"
    );
    assert_eq!(
        shipped("logstash_v0"),
        "{\"@source\":\"file:///var/log/app/a.log\",\"@type\":\"mytype\",\"@tags\":[],\"@fields\":{},\
         \"@timestamp\":\"2017-11-28T02:43:13.814Z\",\"@source_host\":\"web01\",\"@source_path\":\"/var/log/app/a.log\",\
         \"@message\":\"last é line\"}\n"
    );
    assert_eq!(
        shipped("gelf"),
        "{\"version\":\"1.1\",\"host\":\"web01\",\"short_message\":\"last é line\",\"full_message\":\"last é line\",\
         \"timestamp\":1511836993.814,\"level\":6,\"_file\":\"/var/log/app/a.log\"}\0\n"
    );
    assert_eq!(shipped("stamped"), "[web01] [2017-11-28T02:43:13.814Z] last é line\n");
    assert!(shipped("logstash_msgpack").starts_with("\u{fffd}\u{fffd}@version\u{1}"), "a map of seven");
    assert!(shipped("logstash_v0_msgpack").contains("@source_host"));
}

#[test]
fn what_a_record_says_goes_before_the_envelope() {
    let written = |kind: &str| {
        let formatter = Formatter::new(&options_of(&PROTOCOL, &[]), kind, Limits::default()).unwrap();
        let batch = rows("t", &[r#"{"a":1,"host":"inner","tags":["x"]}"#]);
        let mut out = Vec::new();
        formatter.write(batch.row(0), "t", &mut out);
        sawlog_model::value::parse_json(out.trim_ascii_end(), &Limits::default()).unwrap()
    };
    let event = written("logstash");
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    assert_eq!((text("host").as_deref(), text("message").as_deref()), (Some("inner"), Some("")));
    assert_eq!((event.get("a"), text("type").as_deref()), (Some(&Value::Int(1)), Some("t")));
    let event = written("logstash_v0");
    assert_eq!((event.get("a"), event.get("@fields")), (Some(&Value::Int(1)), Some(&Value::Map(vec![]))));
    assert_eq!(event.get("@tags"), Some(&Value::List(vec![Value::Str("x".into())])));
}
