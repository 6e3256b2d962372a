//! What pipes make of rows.

use super::rows::{Fixture, Line, START, json, logfmt, request};
use super::{lines, search};
use crate::{Bar, ValueCount};
use sawlog_model::Kind;
use sawlog_model::time::SECOND;

fn access() -> Vec<Line> {
    vec![
        logfmt(0, "host=a status=200 latency=10 level=info ok"),
        logfmt(60, "host=b status=500 latency=9 level=ERROR broken"),
        logfmt(120, "host=a status=404 latency=oops level=warn lost"),
        logfmt(180, "host=a status=500 latency=100.5 level=error broken"),
        logfmt(400, "host=c latency=7 ok"),
    ]
}

async fn check(cases: &[(&str, &[&str])]) {
    let fixture = Fixture::with(&access());
    for flushed in [false, true] {
        if flushed {
            fixture.store.flush().unwrap();
        }
        for (query, wanted) in cases {
            assert_eq!(search(&fixture.engine, query).await, *wanted, "{query}");
        }
    }
}

#[tokio::test]
async fn stats_counts_and_computes() {
    check(&[
        ("* | stats count()", &[r#"{"count":5}"#]),
        ("broken | stats count()", &[r#"{"count":2}"#]),
        ("nowhere | stats count()", &[r#"{"count":0}"#]),
        ("nowhere | stats count(), max(latency) as m", &[r#"{"count":0}"#]),
        ("* | stats count(status) as n, count_distinct(status)", &[r#"{"n":4,"count_distinct(status)":3}"#]),
        ("* | stats count_distinct(status) as n", &[r#"{"n":3}"#]),
        ("* | stats count_distinct(nothing)", &[r#"{"count_distinct(nothing)":0}"#]),
        ("nowhere | stats count_distinct(status)", &[r#"{"count_distinct(status)":0}"#]),
        ("* | stats sum(latency), avg(latency) as mean", &[r#"{"sum(latency)":126.5,"mean":31.625}"#]),
        ("* | stats min(latency), max(latency)", &[r#"{"min(latency)":7,"max(latency)":100.5}"#]),
        (
            "* | stats p0(latency), p50(latency), p100(latency)",
            &[r#"{"p0(latency)":7,"p50(latency)":9,"p100(latency)":100.5}"#],
        ),
        ("* | stats max(_time) as last", &[r#"{"last":"2026-11-20T12:06:40Z"}"#]),
        (
            "* | stats count() by (host) | sort count desc, host",
            &[r#"{"host":"a","count":3}"#, r#"{"host":"b","count":1}"#, r#"{"host":"c","count":1}"#],
        ),
        (
            "* | stats count() by (host, 5m) | sort host, _time",
            &[
                r#"{"host":"a","_time":"2026-11-20T12:00:00Z","count":3}"#,
                r#"{"host":"b","_time":"2026-11-20T12:00:00Z","count":1}"#,
                r#"{"host":"c","_time":"2026-11-20T12:05:00Z","count":1}"#,
            ],
        ),
        ("* | stats sum(latency) as s by host | filter s:>10 | sort s desc", &[r#"{"host":"a","s":110.5}"#]),
        ("* | stats count() by _tag", &[r#"{"_tag":"app.t1","count":5}"#]),
        ("* | stats count() by dc", &[r#"{"dc":"berlin","count":5}"#]),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_picked_sorted_and_renamed() {
    check(&[
        ("* | fields host, status | limit 2", &[r#"{"host":"c"}"#, r#"{"host":"a","status":"500"}"#]),
        ("* | limit 2 | fields host", &[r#"{"host":"c"}"#, r#"{"host":"a"}"#]),
        // Numbers by size, then texts, then rows without.
        (
            "* | sort latency | fields latency",
            &[
                r#"{"latency":"7"}"#,
                r#"{"latency":"9"}"#,
                r#"{"latency":"10"}"#,
                r#"{"latency":"100.5"}"#,
                r#"{"latency":"oops"}"#,
            ],
        ),
        ("* | sort status desc, latency | limit 1 | fields latency", &[r#"{"latency":"9"}"#]),
        ("* | fields host, status | filter status:null", &[]),
        (
            "* | fields host | rename host as server | uniq by (server) | sort server",
            &[r#"{"server":"a"}"#, r#"{"server":"b"}"#, r#"{"server":"c"}"#],
        ),
        ("* | top 1 host", &[r#"{"host":"a","count":3}"#]),
        (
            "* | top status",
            &[
                r#"{"status":"500","count":2}"#,
                r#"{"status":"200","count":1}"#,
                r#"{"status":"404","count":1}"#,
            ],
        ),
        (
            "* | timechart 5m count()",
            &[
                r#"{"_time":"2026-11-20T12:00:00Z","count":4}"#,
                r#"{"_time":"2026-11-20T12:05:00Z","count":1}"#,
            ],
        ),
        (
            "status:* | timechart 2m max(latency) as m by host",
            &[
                r#"{"_time":"2026-11-20T12:00:00Z","host":"a","m":10}"#,
                r#"{"_time":"2026-11-20T12:00:00Z","host":"b","m":9}"#,
                r#"{"_time":"2026-11-20T12:02:00Z","host":"a","m":100.5}"#,
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn records_keep_their_shape_behind_sort_and_limit() {
    let fixture = Fixture::with(&access());
    let answer = fixture.engine.search(request("broken | sort latency | limit 1")).await.unwrap();
    assert!(answer.records);
    let wanted = r#"{"_time":"2026-11-20T12:01:00Z","_source":"00000000000000000000000000000001","_epoch":0,"_offset":43,"_tag":"app.t1","_host":"Host1","_line":"host=b status=500 latency=9 level=ERROR broken","host":"b","status":500,"latency":9,"level":"ERROR","dc":"berlin"}"#;
    assert_eq!(lines(answer).await.unwrap(), [wanted]);
    let plain = fixture.engine.search(request("broken latency:9")).await.unwrap();
    assert!(plain.records);
    assert_eq!(lines(plain).await.unwrap(), [wanted]);
    assert!(!fixture.engine.search(request("* | fields host")).await.unwrap().records);
}

#[tokio::test]
async fn few_rows_in_an_order_are_those_of_all_rows_in_that_order() {
    let rows: Vec<_> = (0..700_i64)
        .map(|row| {
            let (load, host) = ((row * 7919 % 97).to_string(), format!("h{}", row % 5));
            json(row, &[("load", Kind::Number, &load), ("host", Kind::JsonText, &host)])
        })
        .collect();
    let fixture = Fixture::with(&rows);
    for flushed in [false, true] {
        if flushed {
            fixture.store.flush().unwrap();
        }
        for query in [
            "* | sort load desc, _offset",
            "host:h3 | sort load, _offset desc",
            "* | filter load:>90 | sort host, load, _offset",
        ] {
            let all = search(&fixture.engine, query).await;
            for limit in [1, 17, 10_000] {
                let few = search(&fixture.engine, &format!("{query} | limit {limit}")).await;
                assert_eq!(few, all[..limit.min(all.len())], "{query} | limit {limit}");
            }
        }
        assert_eq!(search(&fixture.engine, "nowhere | sort load | limit 3").await, [""; 0]);
    }
}

#[tokio::test]
async fn lists_and_nulls_are_fields_too() {
    let fixture = Fixture::with(&[
        json(
            0,
            &[("tags", Kind::Json, r#"["a","b"]"#), ("user", Kind::Null, "null"), ("n", Kind::Number, "1")],
        ),
        json(
            1,
            &[("tags", Kind::JsonText, "a"), ("user", Kind::JsonText, "eve"), ("n", Kind::JsonText, "1.0")],
        ),
    ]);
    for (query, wanted) in [
        ("tags:a | stats count()", 2),
        ("tags:b | stats count()", 1),
        ("user:null | stats count()", 1),
        ("user:* | stats count()", 1),
        ("n:=1 | stats count()", 2),
        ("tags | stats count()", 0),
    ] {
        assert_eq!(search(&fixture.engine, query).await, [format!("{{\"count\":{wanted}}}")], "{query}");
    }
    let sums = search(&fixture.engine, "* | stats sum(n), count(user)").await;
    assert_eq!(sums, [r#"{"sum(n)":2,"count(user)":1}"#]);
}

#[tokio::test]
async fn hits_count_by_time_and_level() {
    let fixture = Fixture::with(&access());
    fixture.store.flush().unwrap();
    let bars = fixture.engine.hits(request("* | limit 1"), 300 * SECOND).await.unwrap();
    let counts =
        |counts: &[(&str, u64)]| counts.iter().map(|(level, rows)| ((*level).to_owned(), *rows)).collect();
    assert_eq!(
        bars,
        [
            Bar { time: START, counts: counts(&[("error", 2), ("info", 1), ("warn", 1)]) },
            Bar { time: START + 300 * SECOND, counts: counts(&[("", 1)]) },
        ]
    );
    assert!(fixture.engine.hits(request("*"), 0).await.is_err());
    assert_eq!(fixture.engine.hits(request("nowhere"), 1).await.unwrap(), []);
}

#[tokio::test]
async fn values_come_with_their_rows() {
    let fixture = Fixture::with(&access());
    let value = |value: &str, rows| ValueCount { value: value.into(), rows };
    let values = async |query: &str, field: &str, limit| {
        let found = fixture.engine.values(request(query), field, limit).await.unwrap();
        assert!(found.complete);
        found.values
    };
    assert_eq!(values("-host:c", "host", 5).await, [value("a", 3), value("b", 1)]);
    assert_eq!(values("*", "host", 1).await, [value("a", 3)]);
    assert_eq!(values("*", "_tag", 1).await, [value("app.t1", 5)]);
    assert_eq!(values("*", "absent", 1).await, []);
    let times = values("ok", "_time", 1).await;
    assert_eq!(times[0].rows, 1);
}

#[tokio::test]
async fn other_tenants_rows_are_not_seen() {
    let fixture = Fixture::with(&access());
    let mut other = request("* | stats count()");
    other.tenant = sawlog_model::Tenant(9);
    let found = lines(fixture.engine.search(other).await.unwrap()).await.unwrap();
    assert_eq!(found, [r#"{"count":0}"#]);
    let answer =
        fixture.engine.sql(sawlog_model::Tenant(9), "SELECT count(*) AS n FROM logs", START).await.unwrap();
    assert_eq!(lines(answer).await.unwrap(), [r#"{"n":0}"#]);
}
