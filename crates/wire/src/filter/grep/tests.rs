//! Every option, and what Fluentd's forms of them mean.

use super::*;
use crate::testing::{filter, fluent, lines, made, records, rows};

const ROWS: [&str; 4] = [
    r#"{"level":"error","code":500,"user":{"name":"bob"}}"#,
    r#"{"level":"warn","code":200,"user":{"name":"eve"}}"#,
    r#"{"level":"error","code":200}"#,
    r#"{"code":null,"tags":["a","b"]}"#,
];

/// The indices of the rows that stay.
fn kept(options: &[(&str, &[&str])]) -> Vec<u64> {
    let batch = Arc::new(rows("t", &ROWS));
    let filtered = filter(&PROTOCOL, options).apply(batch);
    filtered.batch.rows.iter().map(|row| row.offset).collect()
}

#[test]
fn each_option_keeps_and_drops() {
    assert_eq!(kept(&[]), [0, 1, 2, 3]);
    assert_eq!(kept(&[("regexp", &["level /^ERR/i"])]), [0, 2]);
    assert_eq!(kept(&[("regexp", &["level error", "code ^5"])]), [0]);
    assert_eq!(kept(&[("regexp_any", &["level warn", "code ^5"])]), [0, 1]);
    assert_eq!(kept(&[("exclude", &["level warn", "code ^5"])]), [2, 3]);
    assert_eq!(kept(&[("exclude_all", &["level error", "code ^2"])]), [0, 1, 3]);
    assert_eq!(kept(&[("regexp", &["$.user.name ^b"])]), [0]);
    assert_eq!(kept(&[("regexp", &["$['user']['name'] ^e"])]), [1]);
    assert_eq!(kept(&[("regexp", &["$.tags[1] ^b$"])]), [3]);
    assert_eq!(kept(&[("regexp", &["code ^$"])]), [3], "null is nothing");
    assert_eq!(kept(&[("exclude", &["level ^$"])]), [0, 1, 2], "so is what is absent");
    assert_eq!(kept(&[("regexp", &["level error"]), ("exclude", &["code 500"])]), [2]);
}

#[test]
fn a_batch_that_stays_whole_is_given_back_as_it_is() {
    let batch = Arc::new(rows("t", &ROWS));
    let filtered = filter(&PROTOCOL, &[("exclude", &["level fatal"])]).apply(batch.clone());
    assert!(Arc::ptr_eq(&filtered.batch, &batch));
    let some = filter(&PROTOCOL, &[("exclude", &["level warn"])]).apply(batch.clone());
    assert_eq!(some.batch.buffer.as_ptr(), batch.buffer.as_ptr(), "no bytes are copied");
    assert_eq!(records(&some.batch), [ROWS[0], ROWS[2], ROWS[3]]);
}

#[test]
fn the_line_of_a_row_without_fields_is_its_message() {
    let batch = Arc::new(lines("t", &["GET /a", "POST /b"]));
    let filtered = filter(&PROTOCOL, &[("regexp", &["message ^GET"])]).apply(batch);
    assert_eq!(records(&filtered.batch), [r#"{"message":"GET /a"}"#]);
}

#[test]
fn fluentds_forms_mean_the_same() {
    let kept = |text: &str| -> Vec<u64> {
        let options = fluent(&PROTOCOL, "filter", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let filtered = made(&PROTOCOL, &options).unwrap().apply(Arc::new(rows("t", &ROWS)));
        filtered.batch.rows.iter().map(|row| row.offset).collect()
    };
    let condition =
        |name: &str, key: &str, pattern: &str| format!("<{name}>\nkey {key}\npattern {pattern}\n</{name}>\n");
    let (error, ok) = (condition("regexp", "level", "/error/"), condition("regexp", "code", "/^2/"));
    assert_eq!(kept(&format!("@type grep\n{error}{ok}")), [2]);
    assert_eq!(kept(&format!("<or>\n{error}{ok}</or>")), [0, 1, 2]);
    assert_eq!(kept(&format!("<and>\n{error}{ok}</and>")), [2]);
    let (no_error, no_ok) = (error.replace("regexp", "exclude"), ok.replace("regexp", "exclude"));
    assert_eq!(kept(&format!("{no_error}{no_ok}")), [3]);
    assert_eq!(kept(&format!("<or>\n{no_error}{no_ok}</or>")), [3]);
    assert_eq!(kept(&format!("<and>\n{no_error}{no_ok}</and>")), [0, 1, 3]);
    assert_eq!(kept("regexp1 level err or\nregexp20 code ^2"), [] as [u64; 0]);
    assert_eq!(kept("regexp1 level error\nexclude1 code ^2"), [0]);
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let wrong = |text: &str| fluent(&PROTOCOL, "filter", text).unwrap_err().join("\n");
    let told = wrong("<regexp>\nkey a\npattern /(?!x)/\n</regexp>\nregex1 a b");
    assert!(told.contains("4: `pattern`: looking ahead"), "{told}");
    assert!(told.contains("6: <filter> has no option `regex1`; did you mean `regexp`?"), "{told}");
    assert!(wrong("<and>\n</and>").contains("either <regexp> or <exclude>"));
    assert!(wrong("<regexp>\nkey $.\npattern a\n</regexp>").contains("`key`"));
    assert!(wrong("regexp1 a").contains("KEY EXPRESSION"));
    assert!(wrong("<exclude>\nkey a\n</exclude>").contains("needs `pattern`"));
    let options = sawlog_pipeline::config::options(&PROTOCOL, &[("exclude", vec!["a".into()])]).unwrap();
    assert!(made(&PROTOCOL, &options).is_err_and(|error| error.contains("KEY EXPRESSION")));
}
