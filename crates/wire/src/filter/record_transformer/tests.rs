//! Every option and place, the rows whose lines stay, and what Fluentd's forms mean.

use sawlog_model::{Fields, Marks};

use super::*;
use crate::testing::{filter, fluent, lines, made, records, rows};

const ROW: &str = r#"{"a":1,"m":{"b":"x y","c":[1,2]},"t":"1500000000.25"}"#;

/// The record of a row after the filter.
fn after(options: &[(&str, &[&str])]) -> String {
    let filtered = filter(&PROTOCOL, options).apply(Arc::new(rows("app.web.access", &[ROW])));
    assert!(filtered.failed.is_none());
    records(&filtered.batch).remove(0)
}

/// The value of one field that is set to `text`.
fn value(text: &str) -> String {
    let record = after(&[("set", &[&format!("k={text}")])]);
    record
        .strip_prefix(&format!("{},\"k\":", &ROW[..ROW.len() - 1]))
        .unwrap_or(&record)
        .trim_end_matches('}')
        .to_owned()
}

#[test]
fn each_place_stands_for_what_it_says() {
    let host = sawlog_sys::host_name();
    for (text, is) in [
        ("fixed $ ${", "\"fixed $ ${\""),
        ("${tag}", "\"app.web.access\""),
        ("${tag_parts[0]}-${tag_parts[-1]}", "\"app-access\""),
        ("${tag_prefix[1]}|${tag_prefix[-1]}", "\"app.web|app.web.access\""),
        ("${tag_suffix[1]}|${tag_suffix[-1]}", "\"web.access|access\""),
        ("${tag_parts[9]}", "null"),
        ("x${tag_parts[9]}", "\"x\""),
        ("${hostname}", &format!("\"{host}\"")),
        ("${record[\"a\"]}", "1"),
        ("<${record['a']}>", "\"<1>\""),
        ("${record[\"m\"][\"b\"]}", "\"x y\""),
        ("${record[\"m\"][\"c\"][1]}", "2"),
        ("${record.dig(\"m\", \"b\")}", "\"x y\""),
        ("${record.m.b}", "\"x y\""),
        ("${record[\"none\"]}", "null"),
        ("${record[\"m\"][\"c\"]}", "[1,2]"),
        ("a ${record[\"m\"][\"c\"]}", "\"a [1,2]\""),
    ] {
        assert_eq!(value(text), is, "{text}");
    }
    let time = TimeFormat::new("%Y-%m-%d %H:%M:%S %z", strftime::zone("").unwrap());
    assert_eq!(value("${time}"), format!("\"{}\"", time.text(1_511_836_993_000_000_000)));
    assert_eq!(
        after(&[("set", &["k=${record[\"a\"]}"]), ("auto_typecast", &["false"])]),
        ROW.trim_end_matches('}').to_owned() + ",\"k\":\"1\"}"
    );
}

#[test]
fn maps_and_lists_are_templates_all_through() {
    let set: &[&str] = &[r#"k={"${tag_parts[0]}":["${record[\"a\"]}",true,"x${record[\"m\"][\"b\"]}"]}"#];
    let record = after(&[("set", set)]);
    assert!(record.ends_with(r#","k":{"app":[1,true,"xx y"]}}"#), "{record}");
    assert!(after(&[("set", &["k={no json"])]).ends_with(r#","k":"{no json"}"#));
    assert!(after(&[("set", &["k=[]"])]).ends_with(r#","k":[]}"#));
}

#[test]
fn fields_are_set_over_removed_kept_and_renewed() {
    assert_eq!(after(&[("set", &["a=2"])]), ROW.replace("\"a\":1", "\"a\":\"2\""));
    assert_eq!(after(&[("set", &["m=2"]), ("remove_keys", &["t", "none"])]), r#"{"a":1,"m":"2"}"#);
    assert_eq!(after(&[("remove_keys", &["$.m.b", "$.m.c[0]", "t"])]), r#"{"a":1,"m":{"c":[2]}}"#);
    assert_eq!(after(&[("set", &["k=1"]), ("remove_keys", &["k", "m", "t"])]), r#"{"a":1}"#);
    assert_eq!(after(&[("renew_record", &["true"]), ("set", &["k=${record[\"a\"]}"])]), r#"{"k":1}"#);
    let options: &[(&str, &[&str])] =
        &[("renew_record", &["true"]), ("keep_keys", &["t", "a", "none"]), ("set", &["t=5"])];
    assert_eq!(after(options), r#"{"a":1,"t":"5"}"#);
    assert_eq!(after(&[("set", &["k=1", "k=2"])]), ROW.trim_end_matches('}').to_owned() + ",\"k\":\"2\"}");
}

#[test]
fn the_time_is_renewed_from_a_field() {
    let time = |options: &[(&str, &[&str])]| {
        let batch = filter(&PROTOCOL, options).apply(Arc::new(rows("t", &[ROW]))).batch;
        (batch.rows[0].time, batch.rows[0].marks.has(Marks::MADE))
    };
    let was = rows("t", &[ROW]).rows[0].time;
    assert_eq!(time(&[("renew_time_key", &["t"])]), (1_500_000_000_250_000_000, false));
    assert_eq!(time(&[("renew_time_key", &["n"]), ("set", &["n=${record[\"a\"]}"])]), (1_000_000_000, false));
    assert_eq!(time(&[("renew_time_key", &["t"]), ("renew_record", &["true"])]), (was, true));
    assert_eq!(time(&[("renew_time_key", &["none"])]), (was, false));
    assert_eq!(seconds(b"1.5e3"), Some(1_500_000_000_000));
    assert_eq!(seconds(b"-1.5"), Some(-1_500_000_000));
    assert_eq!((seconds(b"soon"), seconds(b"9999999999999")), (None, None));
}

#[test]
fn rows_that_only_get_more_keep_their_lines() {
    let batch = Arc::new(lines("t", &["GET /a", "GET /b"]));
    let filter_with = |set: &[&str]| filter(&PROTOCOL, &[("set", set)]).apply(batch.clone()).batch;
    let added = filter_with(&["host=h", "path=${record[\"message\"]}"]);
    for (row, was) in added.iter().zip(batch.iter()) {
        assert_eq!((row.raw(), row.address(), row.row().marks), (was.raw(), was.address(), was.row().marks));
    }
    assert_eq!(added.row(1).field("path").unwrap().text(), Some(&b"GET /b"[..]));
    let hosts: Vec<_> = added.iter().map(|row| row.slots()[0].start).collect();
    assert_eq!(hosts[0], hosts[1], "what is the same for all rows stands there once");
    assert_eq!(records(&added)[0], r#"{"message":"GET /a","host":"h","path":"GET /a"}"#);

    let set = filter_with(&["message=x"]);
    assert_eq!(set.row(0).raw(), b"{\"message\":\"x\"}\n");
    assert!(set.row(0).row().marks.has(Marks::MADE));

    let filtered = filter(&PROTOCOL, &[("remove_keys", &["none"])]).apply(batch.clone());
    assert!(Arc::ptr_eq(&filtered.batch, &batch), "a batch that stays as it is is not copied");
}

#[test]
fn rows_of_a_batch_may_go_different_ways() {
    let batch = rows("t", &[r#"{"a":1}"#, r#"{"b":2}"#]);
    let filtered = filter(&PROTOCOL, &[("set", &["b=3"]), ("remove_keys", &["z"])]).apply(Arc::new(batch));
    assert_eq!(records(&filtered.batch), [r#"{"a":1,"b":"3"}"#, r#"{"b":"3"}"#]);
    let marks: Vec<_> = filtered.batch.rows.iter().map(|row| row.marks.has(Marks::MADE)).collect();
    assert_eq!(marks, [false, true]);
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "@type record_transformer\nrenew_record true\nkeep_keys a,t\nremove_keys [\"t\"]\nrenew_time_key t\n\
                auto_typecast false\nenable_ruby true\n<record>\nhost ${hostname}\nn ${record[\"a\"]}\n</record>";
    let options = fluent(&PROTOCOL, "filter", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let batch = made(&PROTOCOL, &options).unwrap().apply(Arc::new(rows("t", &[ROW]))).batch;
    assert_eq!(records(&batch)[0], format!(r#"{{"a":1,"host":"{}","n":"1"}}"#, sawlog_sys::host_name()));
    assert_eq!(batch.rows[0].time, 1_500_000_000_250_000_000);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let wrong = |text: &str| fluent(&PROTOCOL, "filter", text).unwrap_err().join("\n");
    let told =
        wrong("enable_ruby true\n<record>\na ${record[\"a\"].upcase}\nb ${tags}\n</record>\nkeep_keys a");
    assert!(told.contains("4: `a`: `${record[\"a\"].upcase}` is an expression of Ruby"), "{told}");
    assert!(told.contains("the filter `remap`"), "{told}");
    assert!(told.contains("5: `b`: `${tags}` stands for nothing here; did you mean `tag`?"), "{told}");
    assert!(told.contains("7: `keep_keys`: it needs `renew_record true`"), "{told}");
    assert!(wrong("remove_keys $.").contains("`remove_keys`"));
    let refused = |name: &str, value: &str| {
        let options = sawlog_pipeline::config::options(&PROTOCOL, &[(name, vec![value.into()])]).unwrap();
        made(&PROTOCOL, &options).is_err()
    };
    assert!(refused("set", "a") && refused("set", "a=${x}") && refused("keep_keys", "a"));
}
