//! Every option, rows whose lines stay, and what Fluentd's form means.

use sawlog_model::{Fields, Marks};

use super::*;
use crate::testing::{filter, fluent, lines, made, records, rows};

const PAIR: (&str, &[&str]) = ("parse.type", &["regexp"]);
const EXPRESSION: (&str, &[&str]) = ("parse.expression", &["/^(?<k>[^=]*)=(?<v>.*)$/"]);

/// The records after the filter, and those that failed.
fn after(given: &[(&str, &[&str])], batch: Batch) -> (Vec<String>, Vec<String>) {
    let filtered = filter(&PROTOCOL, &[&[PAIR, EXPRESSION], given].concat()).apply(Arc::new(batch));
    let failed = filtered.failed.map(|failed| records(&failed.batch)).unwrap_or_default();
    (records(&filtered.batch), failed)
}

fn one(given: &[(&str, &[&str])], record: &str) -> String {
    let (mut records, failed) = after(given, rows("t", &[record]));
    assert_eq!(failed, [] as [&str; 0]);
    records.remove(0)
}

const ROW: &str = r#"{"m":"a=b","x":1,"n":{"m":"c=d"}}"#;
const M: (&str, &[&str]) = ("key_name", &["m"]);
const RESERVE: (&str, &[&str]) = ("reserve_data", &["true"]);

#[test]
fn each_option_does_what_it_says() {
    assert_eq!(one(&[M], ROW), r#"{"k":"a","v":"b"}"#);
    assert_eq!(one(&[("key_name", &["$.n.m"])], ROW), r#"{"k":"c","v":"d"}"#);
    let all = r#"{"m":"a=b","x":1,"n":{"m":"c=d"},"k":"a","v":"b"}"#;
    assert_eq!(one(&[M, RESERVE], ROW), all);
    let remove = ("remove_key_name_field", &["true"][..]);
    assert_eq!(one(&[M, RESERVE, remove], ROW), r#"{"x":1,"n":{"m":"c=d"},"k":"a","v":"b"}"#);
    assert_eq!(
        one(&[("key_name", &["$.n.m"]), RESERVE, remove], r#"{"n":{"m":"a=b"},"v":1}"#),
        r#"{"n":{},"v":"b","k":"a"}"#
    );
    assert_eq!(one(&[M, ("inject_key_prefix", &["p."])], ROW), r#"{"p.k":"a","p.v":"b"}"#);
    let hash = ("hash_value_field", &["h"][..]);
    assert_eq!(one(&[M, hash], ROW), r#"{"h":{"k":"a","v":"b"}}"#);
    assert_eq!(one(&[M, hash, ("inject_key_prefix", &["p_"])], ROW), r#"{"h":{"p_k":"a","p_v":"b"}}"#);
    let bytes = r#"{"m":{"$bin":"YT3/"}}"#;
    assert_eq!(one(&[M, ("replace_invalid_sequence", &["true"])], bytes), r#"{"k":"a","v":"?"}"#);
    assert_eq!(one(&[M], bytes), r#"{"k":"a","v":{"$bin":"/w=="}}"#);
}

#[test]
fn rows_that_do_not_match_fail_and_stay_where_that_is_asked_for() {
    let batch = || rows("t", &[r#"{"m":"a=b"}"#, r#"{"m":"c"}"#, r#"{"x":null}"#]);
    let (good, odd, none) = (r#"{"k":"a","v":"b"}"#, r#"{"m":"c"}"#, r#"{"x":null}"#);
    assert_eq!(after(&[M], batch()), (vec![good.into()], vec![odd.into(), none.into()]));
    let silent = ("emit_invalid_record_to_error", &["false"][..]);
    assert_eq!(after(&[M, silent], batch()), (vec![good.into()], vec![]));
    let (kept, failed) = after(&[M, RESERVE], batch());
    assert_eq!((&kept[1..], failed.len()), (&[odd.to_owned(), none.to_owned()][..], 2));
    let (kept, _) = after(&[M, RESERVE, ("hash_value_field", &["h"])], batch());
    assert_eq!(kept[1..], [r#"{"m":"c","h":{}}"#, r#"{"x":null,"h":{}}"#]);
}

#[test]
fn the_time_is_that_of_the_text_or_the_rows() {
    let parse: &[(&str, &[&str])] = &[("parse.type", &["json"]), ("parse.time_type", &["float"]), M];
    let time = |given: &[(&str, &[&str])]| {
        let batch = rows("t", &[r#"{"m":"{\"time\":1500000000.5,\"a\":1}"}"#]);
        let filtered = filter(&PROTOCOL, &[parse, given].concat()).apply(Arc::new(batch));
        assert_eq!(records(&filtered.batch), [r#"{"a":1}"#]);
        filtered.batch.rows[0].time
    };
    assert_eq!(time(&[]), 1_500_000_000_500_000_000);
    assert_eq!(time(&[("reserve_time", &["true"])]), rows("t", &["{}"]).rows[0].time);
}

#[test]
fn a_line_that_is_parsed_stays_as_it_came() {
    let batch = Arc::new(lines("t", &["a=b c", "no pair", "d=e"]));
    for given in [&[PAIR, EXPRESSION][..], &[PAIR, EXPRESSION, RESERVE, ("remove_key_name_field", &["true"])]]
    {
        let filtered = filter(&PROTOCOL, given).apply(batch.clone());
        let parsed: Vec<_> = filtered.batch.iter().filter(|row| row.field("k").is_some()).collect();
        assert_eq!(parsed.len(), 2);
        assert_eq!((parsed[0].raw(), parsed[1].raw()), (&b"a=b c\n"[..], &b"d=e\n"[..]));
        assert_eq!(parsed[1].address(), batch.row(2).address());
        assert!(parsed.iter().all(|row| !row.row().marks.has(Marks::MADE)));
        assert!(records(&filtered.batch).contains(&r#"{"k":"a","v":"b c"}"#.to_owned()));
        assert_eq!(records(&filtered.failed.unwrap().batch), [r#"{"message":"no pair"}"#]);
    }
}

#[test]
fn converted_values_of_a_line_and_added_fields_stay() {
    let batch = filter(&crate::filter::record_transformer::PROTOCOL, &[("set", &["host=h", "v=old"])])
        .apply(Arc::new(lines("t", &["a=007"])))
        .batch;
    let given: &[(&str, &[&str])] =
        &[PAIR, EXPRESSION, RESERVE, ("remove_key_name_field", &["true"]), ("parse.types", &["v:integer"])];
    let filtered = filter(&PROTOCOL, given).apply(batch);
    assert_eq!(records(&filtered.batch), [r#"{"k":"a","v":7,"host":"h"}"#]);
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "@type parser\nkey_name m\nreserve_data true\nreserve_time\nremove_key_name_field yes\nreplace_invalid_sequence\n\
                inject_key_prefix p\nhash_value_field h\nemit_invalid_record_to_error false\nsuppress_parse_error_log true\n\
                <parse>\n@type ltsv\n</parse>";
    let options = fluent(&PROTOCOL, "filter", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let filtered =
        made(&PROTOCOL, &options).unwrap().apply(Arc::new(rows("t", &[r#"{"m":"a:1\tb:2"}"#, r#"{"q":1}"#])));
    assert_eq!(records(&filtered.batch), [r#"{"h":{"pa":"1","pb":"2"}}"#, r#"{"q":1,"h":{}}"#]);
    assert!(filtered.failed.is_none());
    let old = fluent(&PROTOCOL, "filter", "format json\nkey_name m").unwrap();
    let filtered = made(&PROTOCOL, &old).unwrap().apply(Arc::new(rows("t", &[r#"{"m":"{\"a\":1}"}"#])));
    assert_eq!(records(&filtered.batch), [r#"{"a":1}"#]);
}

#[test]
fn what_is_wrong_is_told() {
    let wrong = |text: &str| fluent(&PROTOCOL, "filter", text).unwrap_err().join("\n");
    assert!(wrong("<parse>\n@type json\n</parse>").contains("needs `key_name`"));
    assert!(wrong("key_name m").contains("<parse>"));
    assert!(wrong("key_name $.\n<parse>\n@type json\n</parse>").contains("`key_name`"));
    let auto = sawlog_pipeline::config::options(&PROTOCOL, &[]).unwrap();
    assert!(made(&PROTOCOL, &auto).is_err_and(|error| error.contains("parse.type")));
}

#[test]
fn lines_by_a_rule_base() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        let file = sawlog_sys::Sys::real().fs.open(&path, sawlog_sys::Open::New).unwrap();
        file.write_at(text.as_bytes(), 0).unwrap();
        path.to_str().unwrap().to_owned()
    };
    file(
        "more",
        "version=2\nrule=kv:kv %.:name-value-list{\"separator\":\" \"}%\nrule=ssh:%date:date-rfc3164% sshd[%pid:number{\"format\":\"number\"}%]: %user:word% from \
         %src:ipv4%\nrule=:%w:word% %m:json%\nannotate=ssh:+facility=\"auth\"\n",
    );
    let rules = file("rules", "version=2\ninclude=more\n");
    let given = [("parse.type", &["lognorm"][..]), ("parse.rulebase", &[rules.as_str()])];
    let batch = lines(
        "t",
        &["Nov 20 23:25:54 sshd[0123]: bob from 10.0.0.7", "kv a=1 b=\"x y\"", "w {\"a\":[1,null]} ", "none"],
    );
    let filtered = filter(&PROTOCOL, &given).apply(Arc::new(batch));
    assert_eq!(
        records(&filtered.batch),
        [
            r#"{"date":"Nov 20 23:25:54","user":"bob","src":"10.0.0.7","pid":123,"event.tags":["ssh"],"facility":"auth"}"#,
            r#"{"a":"1","b":"x y","event.tags":["kv"]}"#,
            r#"{"w":"w","m":{"a":[1,null]}}"#,
        ]
    );
    let row = filtered.batch.row(0);
    assert!(row.raw().starts_with(b"Nov 20 23:25:54 sshd"), "the line stays");
    assert_eq!(records(&filtered.failed.unwrap().batch), [r#"{"message":"none"}"#]);
    let timed = [&given[..], &[("parse.time_key", &["date"][..])]].concat();
    let filtered = filter(&PROTOCOL, &timed)
        .apply(Arc::new(lines("t", &["Nov 20 23:25:54 sshd[1]: bob from 10.0.0.7"])));
    assert_eq!(
        records(&filtered.batch)[0],
        r#"{"user":"bob","src":"10.0.0.7","pid":1,"event.tags":["ssh"],"facility":"auth"}"#
    );
    let wrong = file("wrong", "version=2\nrule=:%x:wrod%\n");
    let error = |path: &str| {
        made(&PROTOCOL, &options(&[("parse.type", &["lognorm"]), ("parse.rulebase", &[path])])).err().unwrap()
    };
    assert!(
        error(&wrong).contains(&format!("`parse.rulebase`: {wrong}:2:7: there is no type `wrod`")),
        "{}",
        error(&wrong)
    );
    assert!(error("").contains("is missing"));
    let read = fluent(
        &PROTOCOL,
        "filter",
        &format!("key_name message\n<parse>\n@type lognorm\nrulebase {rules}\n</parse>"),
    )
    .unwrap();
    assert_eq!((read.text("parse.type"), read.text("parse.rulebase")), ("lognorm", rules.as_str()));
}

fn options(given: &[(&str, &[&str])]) -> sawlog_pipeline::Options {
    crate::testing::options_of(&PROTOCOL, given)
}
