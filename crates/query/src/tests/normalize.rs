//! Parsers that a query names.

use std::collections::BTreeMap;
use std::sync::Arc;

use sawlog_model::{Normalize, Normalizers, Value};

use super::rows::{Fixture, Line, logfmt};
use super::search;
use crate::Engine;

/// Finds words of lines that are `broken`, under names that rows have and others.
struct Words;

impl Normalize for Words {
    fn normalize(&self, line: &[u8], give: &mut dyn FnMut(&str, &Value)) -> bool {
        let text = String::from_utf8_lossy(line);
        let Some(last) = text.rsplit(' ').next().filter(|word| *word == "broken" || *word == "error") else {
            return false;
        };
        give("last", &Value::Str(last.to_owned()));
        give("host", &Value::Str("\"mended\"".to_owned()));
        let inner =
            Value::Map(vec![(Value::Str("words".to_owned()), Value::Int(text.split(' ').count() as i64))]);
        give("of", &inner);
        true
    }
}

fn fixture() -> (Fixture, Engine) {
    let lines: Vec<Line> = vec![
        logfmt(0, "host=a status=200 ok"),
        logfmt(60, "host=b status=500 level=error broken"),
        logfmt(120, "host=c status=500 level=error more broken"),
    ];
    let fixture = Fixture::with(&lines);
    let all: BTreeMap<String, Arc<dyn Normalize>> =
        BTreeMap::from([("words".to_owned(), Arc::new(Words) as _)]);
    let engine = fixture.engine.clone().with_normalizers(Normalizers::new(all));
    (fixture, engine)
}

#[tokio::test]
async fn fields_that_a_parser_finds_are_fields_of_the_row() {
    let (fixture, engine) = fixture();
    for flushed in [false, true] {
        if flushed {
            fixture.store.flush().unwrap();
        }
        let cases: &[(&str, &[&str])] = &[
            (
                "* | normalize words | stats count() by last | sort last",
                &[r#"{"last":"broken","count":2}"#, r#"{"count":1}"#],
            ),
            (
                "* | normalize words | stats count() by host | sort host",
                &[r#"{"host":"\"mended\"","count":2}"#, r#"{"host":"a","count":1}"#],
            ),
            ("* | normalize words | stats sum(of.words) as n", &[r#"{"n":9}"#]),
            ("* | normalize words | filter last:broken | stats count()", &[r#"{"count":2}"#]),
            ("status:500 | normalize words | filter of.words:>4 | stats count()", &[r#"{"count":1}"#]),
            ("* | normalize words | filter host:a | fields status", &[r#"{"status":"200"}"#]),
            (
                "* | normalize words of level | stats count() by last | sort last",
                &[r#"{"last":"error","count":2}"#, r#"{"count":1}"#],
            ),
            (
                "* | normalize words | sort of.words desc | limit 1 | fields of.words, host",
                &[r#"{"of.words":"5","host":"\"mended\""}"#],
            ),
        ];
        for (query, wanted) in cases {
            assert_eq!(search(&engine, query).await, *wanted, "{query}");
        }
        let records = search(&engine, "* | normalize words | limit 2").await;
        assert_eq!(records.len(), 2);
        for (record, words) in records.iter().zip([5, 4]) {
            let record: serde_json::Value = serde_json::from_str(record).unwrap();
            assert_eq!(record["host"], "\"mended\"", "{record}");
            assert_eq!(record["status"], 500, "what it had stays: {record}");
            assert_eq!((&record["last"], &record["of.words"]), (&"broken".into(), &words.into()), "{record}");
        }
        let plain = search(&engine, "ok | normalize words").await;
        assert!(plain[0].contains(r#""host":"a""#) && !plain[0].contains("last"), "{plain:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_is_said() {
    let (_fixture, engine) = fixture();
    for (query, wanted) in [
        ("* | normalize word", "there is no rule base `word`; there are words"),
        ("* | normalize", "the name of a rule base"),
        (
            "* | fields host, _line | normalize words",
            "`normalize` adds fields to whole rows; it stands before",
        ),
        ("* | stats count() | normalize words", "there is no column `_line` here"),
        ("* | normalize words | filter broken", "behind other pipes `filter` tests columns"),
    ] {
        let request = super::rows::request(query);
        let error = match engine.search(request).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{query}"),
        };
        assert!(error.contains(wanted), "{query}: {error}");
    }
    let (fixture, _) = self::fixture();
    let error = fixture.engine.search(super::rows::request("* | normalize words")).await.err().unwrap();
    assert!(error.to_string().contains("none is configured"), "{error}");
}
