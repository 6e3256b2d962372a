//! Random rows and random searches: what the engine finds is what the predicate keeps, in the store's order.

use sawlog_model::time::SECOND;
use sawlog_model::{Batch, Kind, Marks};
use sawlog_sys::sim::Dice;
use serde_json::Value;

use super::rows::{Fixture, Line, Piece, START, batch, key, request};
use super::search;

const WORDS: [&str; 14] = [
    "timeout",
    "Timeout",
    "GET",
    "get",
    "error",
    "größe",
    "GRÖSSE",
    "10.0.0.1",
    "10.0.0.11",
    "user_1",
    "a-b",
    "x",
    "500",
    "foo bar",
];
const NAMES: [&str; 6] = ["level", "status", "user.name", "ip", "tags", "Level"];
const NUMBERS: [&str; 9] =
    ["1", "1.0", "-5", "500", "5e2", "0.1", "007", "9007199254740993", "9007199254740992"];
const LISTS: [&str; 5] =
    [r#"["a","b"]"#, "[1,2.0,null]", r#"["foo bar",["timeout"]]"#, "[]", r#"[{"x":"get"},"\u0047ET"]"#];

fn line(dice: &mut Dice) -> Line {
    let time = START + dice.below(50) as i64 * SECOND;
    let is_json = dice.below(2) == 0;
    let mut pieces = vec![Piece::Text(if is_json { "{\"_\":0" } else { "" }.into())];
    for _ in 0..dice.below(5) {
        let name = dice.pick(&NAMES).to_owned();
        let (kind, bytes) = match dice.below(if is_json { 6 } else { 2 }) {
            0 => (Kind::Text, dice.pick(&WORDS)),
            1 => (Kind::Number, dice.pick(&NUMBERS)),
            2 => (Kind::Bool, dice.pick(&["true", "false"])),
            3 => (Kind::Null, "null"),
            4 => (Kind::Json, dice.pick(&LISTS)),
            _ => (Kind::JsonText, dice.pick(&[r"tab\there", r"\u0067et", r#"say \"x\""#, r"a\/b"])),
        };
        let kind = if is_json && kind == Kind::Text { Kind::JsonText } else { kind };
        if is_json {
            let quote = if kind == Kind::JsonText { "\"" } else { "" };
            pieces.push(Piece::Text(format!(",\"{name}\":{quote}")));
            pieces.push(Piece::Field(name, kind, bytes.to_owned()));
            pieces.push(Piece::Text(quote.into()));
        } else {
            let glue = dice.pick(&[" ", "_", "=", " key: ", "::"]);
            pieces.push(Piece::Text(format!("{}{glue}", dice.pick(&WORDS))));
            pieces.push(Piece::Field(name, kind, bytes.to_owned()));
            pieces.push(Piece::Text(dice.pick(&["", " ", "s"]).to_owned()));
        }
    }
    pieces.push(Piece::Text(if is_json { "}" } else { "" }.into()));
    if dice.below(4) == 0 {
        pieces.push(Piece::Beside("geo".into(), Kind::Text, dice.pick(&WORDS).to_owned()));
    }
    Line { time, marks: if is_json { Marks::JSON } else { Marks::default() }, pieces }
}

fn term(dice: &mut Dice) -> String {
    let names = [
        "level",
        "status",
        "user.name",
        "ip",
        "tags",
        "Level",
        "geo",
        "_line",
        "_tag",
        "_host",
        "dc",
        "absent",
    ];
    let name = dice.pick(&names);
    let (word, number) = (dice.pick(&WORDS), dice.pick(&NUMBERS));
    match dice.below(20) {
        0..4 => format!("\"{word}\""),
        4 => format!("*{}*", dice.pick(&["ime", "IME", "ö", "0.1", "\\\"x"])),
        5 => format!("/{}/", dice.pick(&["(?i)error", "^GET", "t$", "[0-9]{3}", "x\\b"])),
        6 => dice.pick(&["time*", "*out", "g*t", "app*"]).to_owned(),
        7 | 8 => format!("{name}:\"{word}\""),
        9 => format!("{name}:=\"{word}\""),
        10 => format!("{name}:={number}"),
        11 => format!("{name}:{}{number}", dice.pick(&[">", ">=", "<", "<="])),
        12 => format!("{name}:[{number}, {}]", dice.pick(&NUMBERS)),
        13 => format!("{name}:in(\"{word}\", {number})"),
        14 => format!("{name}:*"),
        15 => format!("{name}:null"),
        16 => format!("{name}:{}", dice.pick(&["*out", "t*t", "g*", "*ö*", "app.*"])),
        17 => format!("{name}:/{}/", dice.pick(&["^t", "out$", "^[0-9.]+$"])),
        18 => format!("{name}:{}", dice.pick(&["10.0.0.0/8", "10.0.0.1/32"])),
        _ => format!("{name}:\"\""),
    }
}

fn query(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 || dice.below(3) == 0 {
        return term(dice);
    }
    let (a, b) = (query(dice, depth - 1), query(dice, depth - 1));
    match dice.below(4) {
        0 => format!("({a}) ({b})"),
        1 => format!("({a}) OR ({b})"),
        2 => format!("-({a})"),
        _ => a,
    }
}

/// What the predicate keeps, newest first, as (source, offset).
fn expected(batches: &[Batch], query: &str) -> Vec<(u128, u64)> {
    let (predicate, range) =
        crate::predicate(query, START).unwrap_or_else(|error| panic!("{query}: {error}"));
    let rows = batches.iter().flat_map(Batch::iter);
    let mut kept: Vec<_> = rows
        .filter(|row| range.contains(row.row().time) && predicate.keeps(row))
        .map(|row| key(&row))
        .collect();
    kept.sort_by(|a, b| b.cmp(a));
    kept.into_iter().map(|(_, address)| (address.source.0, address.offset)).collect()
}

async fn found(fixture: &Fixture, query: &str) -> Vec<(u128, u64)> {
    let address = |line: &String| {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let source = u128::from_str_radix(record["_source"].as_str().unwrap(), 16).unwrap();
        (source, record["_offset"].as_u64().unwrap())
    };
    search(&fixture.engine, query).await.iter().map(address).collect()
}

#[tokio::test]
async fn the_engine_finds_what_the_predicate_keeps() {
    let mut dice = Dice(7);
    let mut fixture = Fixture::new();
    let mut batches = Vec::new();
    for source in 1..=3 {
        let lines: Vec<Line> = (0..60).map(|_| line(&mut dice)).collect();
        batches.push(batch(source, 0, &lines));
    }
    let queries: Vec<String> = (0..250).map(|_| query(&mut dice, 2)).collect();
    let mut hits = 0;
    for stage in ["memtable", "both", "segments", "compacted"] {
        match stage {
            "memtable" => batches[..2].iter().for_each(|batch| fixture.append(batch.clone())),
            "both" => {
                fixture.store.flush().unwrap();
                fixture.append(batches[2].clone());
            }
            "segments" => fixture.store.flush().unwrap(),
            _ => fixture.store.compact(&mut |_, _| {}).unwrap(),
        }
        let stored = if stage == "memtable" { &batches[..2] } else { &batches };
        for query in &queries {
            let wanted = expected(stored, query);
            hits += wanted.len();
            assert_eq!(found(&fixture, query).await, wanted, "{stage}: {query}");
        }
    }
    assert!(hits > 5_000, "too few rows were found for this to mean anything: {hits}");
}

#[tokio::test]
async fn plans_find_the_same_rows() {
    let mut dice = Dice(11);
    let mut fixture = Fixture::new();
    let lines: Vec<Line> = (0..150).map(|_| line(&mut dice)).collect();
    let rows = batch(1, 0, &lines);
    fixture.append(rows.clone());
    fixture.store.flush().unwrap();
    for _ in 0..30 {
        let query = query(&mut dice, 1);
        let wanted = expected(std::slice::from_ref(&rows), &query);
        assert_eq!(
            found(&fixture, &format!("{query} | sort _time desc, _source desc, _epoch desc, _offset desc"))
                .await,
            wanted
        );
        let count = format!("{{\"count\":{}}}", wanted.len());
        assert_eq!(search(&fixture.engine, &format!("{query} | stats count()")).await, [count], "{query}");
    }
}

/// Where few rows are wanted, a field's counts say how large its numbers must be, and only such rows are read.
#[tokio::test]
async fn the_first_rows_by_a_number_are_those_of_all_rows_in_order() {
    let mut dice = Dice(23);
    let mut fixture = Fixture::new();
    for source in 1..=3 {
        let lines: Vec<Line> = (0..80).map(|_| line(&mut dice)).collect();
        fixture.append(batch(source, 0, &lines));
        if source < 3 {
            fixture.store.flush().unwrap();
        }
    }
    let mut bounded = 0;
    for name in NAMES {
        for (search, direction) in
            [("*".to_owned(), "desc"), (format!("{name}:*"), "asc"), ("get".into(), "desc")]
        {
            let sorted = format!("{search} | sort {name} {direction}, _time, _source, _offset");
            let all = found(&fixture, &sorted).await;
            for rows in [1, 4, 30, 200] {
                let first = found(&fixture, &format!("{sorted} | limit {rows}")).await;
                assert_eq!(first, all[..all.len().min(rows)], "{sorted} | limit {rows}");
                let filtered = format!("{sorted} | filter {name}:>0 | limit {rows}");
                let positive = found(&fixture, &filtered).await;
                let wanted = found(&fixture, &format!("{sorted} | filter {name}:>0")).await;
                assert_eq!(positive, wanted[..wanted.len().min(rows)], "{filtered}");
            }
            let query = crate::parse::parse(&format!("{sorted} | limit 4"), START).unwrap();
            bounded +=
                usize::from(fixture.engine.bound(&request(&sorted), &query, 4).await.unwrap().is_some());
        }
    }
    assert!(bounded > 4, "bounds were told for {bounded} of these sorts only");
}

#[tokio::test]
async fn times_bound_a_search() {
    let mut dice = Dice(13);
    let lines: Vec<Line> = (0..100).map(|_| line(&mut dice)).collect();
    let rows = batch(1, 0, &lines);
    let fixture = Fixture::with(&lines);
    let query = "_time:[2026-11-20T12:00:10Z, 2026-11-20T12:00:20Z)";
    let wanted = expected(std::slice::from_ref(&rows), query);
    assert!(!wanted.is_empty() && wanted.len() < 100);
    assert_eq!(found(&fixture, query).await, wanted);
    let mut narrower = request(query);
    narrower.range.start = START + 15 * SECOND;
    narrower.limit = Some(3);
    let few = super::lines(fixture.engine.search(narrower).await.unwrap()).await.unwrap();
    assert_eq!(few.len(), wanted.len().min(3));
}

/// The number of rows at each time by a plan, as hits tell it without levels.
async fn by_time(fixture: &Fixture, query: &str) -> Vec<String> {
    search(&fixture.engine, &format!("{query} | limit 1000000 | stats count() by (10s) | sort _time")).await
}

#[tokio::test]
async fn counts_are_what_a_plan_counts() {
    let mut dice = Dice(17);
    let mut fixture = Fixture::new();
    let batches: Vec<Batch> = (1..=3)
        .map(|source| {
            // Few different lines, so that segments keep how often each comes.
            let kinds: Vec<Line> = (0..8).map(|_| line(&mut dice)).collect();
            let lines: Vec<Line> = (0..90)
                .map(|_| Line {
                    time: START + dice.below(50) as i64 * SECOND,
                    ..kinds[dice.below(8)].clone()
                })
                .collect();
            batch(source, 0, &lines)
        })
        .collect();
    let pipes = [
        "stats count()",
        "stats count() as n by (level)",
        "stats count() by (user.name, 10s)",
        "stats count() by (tags, _host, absent)",
        "timechart 5s count() by status",
        "top 3 ip",
        "top level",
    ];
    let queries: Vec<String> =
        std::iter::once("*".to_owned()).chain((0..25).map(|_| query(&mut dice, 1))).collect();
    for stage in ["memtable", "both", "segments", "compacted"] {
        match stage {
            "memtable" => batches[..2].iter().for_each(|batch| fixture.append(batch.clone())),
            "both" => {
                fixture.store.flush().unwrap();
                fixture.append(batches[2].clone());
            }
            "segments" => fixture.store.flush().unwrap(),
            _ => fixture.store.compact(&mut |_, _| {}).unwrap(),
        }
        for query in &queries {
            for pipe in pipes {
                let mut counted = search(&fixture.engine, &format!("{query} | {pipe}")).await;
                // The limit keeps all rows, and the question from being one that only counts.
                let mut planned = search(&fixture.engine, &format!("{query} | limit 1000000 | {pipe}")).await;
                if pipe.starts_with("stats") {
                    counted.sort();
                    planned.sort();
                }
                assert_eq!(counted, planned, "{stage}: {query} | {pipe}");
            }
            let bars = fixture.engine.hits(request(query), 10 * SECOND).await.unwrap();
            let counts = bars.iter().map(|bar| bar.counts.iter().map(|(_, rows)| rows).sum::<u64>());
            let planned = by_time(&fixture, query).await;
            let wanted = planned
                .iter()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()["count"].as_u64().unwrap());
            assert_eq!(counts.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "{stage}: {query}");
        }
    }
}
