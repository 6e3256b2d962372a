//! Every example of docs/query.md is run: what it says it finds is what it finds.

use sawlog_model::Kind;
use serde_json::Value;

use super::rows::{Fixture, Line, START, json, logfmt};
use super::{search, sql};

const DOCUMENT: &str = include_str!("../../../../docs/query.md");

/// The blocks of this kind.
fn blocks(kind: &str) -> Vec<Vec<&'static str>> {
    let fence = format!("```{kind}\n");
    let parts = DOCUMENT.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().lines().collect()).collect()
}

fn row(at: usize, text: &str) -> Line {
    let seconds = at as i64 * 60;
    if !text.starts_with('{') {
        return logfmt(seconds, text);
    }
    let object: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap();
    let members: Vec<(&str, Kind, String)> = object
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => (&name[..], Kind::JsonText, text.clone()),
            Value::Number(number) => (&name[..], Kind::Number, number.to_string()),
            Value::Array(_) => (&name[..], Kind::Json, value.to_string()),
            Value::Null => (&name[..], Kind::Null, "null".to_owned()),
            other => panic!("{other}"),
        })
        .collect();
    json(seconds, &members.iter().map(|(name, kind, bytes)| (*name, *kind, &bytes[..])).collect::<Vec<_>>())
}

fn fixture() -> Fixture {
    let lines: Vec<Line> = blocks("rows")[0].iter().enumerate().map(|(at, text)| row(at, text)).collect();
    assert_eq!((lines.len(), lines[0].time), (6, START));
    let fixture = Fixture::with(&lines);
    fixture.store.flush().unwrap();
    fixture
}

#[tokio::test]
async fn searches_find_as_many_rows_as_they_say() {
    let fixture = fixture();
    let mut run = 0;
    for line in blocks("search").concat() {
        let (query, rows) = line.rsplit_once('#').unwrap();
        let found = search(&fixture.engine, query.trim()).await;
        assert_eq!(found.len(), rows.trim().parse::<usize>().unwrap(), "{line}: {found:#?}");
        run += 1;
    }
    assert!(run > 50);
}

#[tokio::test]
async fn pipes_and_statements_give_what_they_say() {
    let fixture = fixture();
    for block in blocks("pipe") {
        assert_eq!(search(&fixture.engine, block[0]).await, block[1..], "{}", block[0]);
    }
    for block in blocks("sql") {
        let found =
            sql(&fixture.engine, block[0]).await.unwrap_or_else(|error| panic!("{}: {error}", block[0]));
        assert_eq!(found, block[1..], "{}", block[0]);
    }
    assert!(blocks("pipe").len() + blocks("sql").len() >= 10);
}

#[test]
fn every_pipe_is_documented() {
    for pipe in crate::pipe::PIPES {
        assert!(DOCUMENT.contains(&format!("| `{} ", pipe.name)), "{}", pipe.name);
    }
}
