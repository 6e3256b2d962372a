//! SQL over fields that are all texts.

use super::rows::{Fixture, json, logfmt};
use super::{select, sql};
use crate::QueryError;
use sawlog_model::Kind;

fn fixture() -> Fixture {
    let fixture = Fixture::with(&[
        logfmt(0, "Host=a status=200 latency=10 user.name=eve level=info"),
        logfmt(60, "Host=b status=500 latency=9 user.name=bob level=Error"),
        logfmt(120, "Host=a status=none latency=oops level=Error"),
        json(
            180,
            &[
                ("Host", Kind::JsonText, "c"),
                ("latency", Kind::Number, "100.5"),
                ("status", Kind::Number, "1e3"),
            ],
        ),
    ]);
    fixture.store.flush().unwrap();
    fixture
}

#[tokio::test]
async fn statements_mean_what_the_table_says() {
    let fixture = fixture();
    let cases: &[(&str, &[&str])] = &[
        ("SELECT count(*) AS n FROM logs", &[r#"{"n":4}"#]),
        ("SELECT COUNT(*) AS n FROM logs WHERE Host = 'a'", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs WHERE host = 'a'", &[r#"{"n":0}"#]),
        ("SELECT count(status) AS n FROM logs WHERE status >= 500", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs WHERE 500 <= status AND status <> 1000", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status = '500'", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status = '500.0'", &[r#"{"n":0}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status BETWEEN 200 AND 600", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status NOT BETWEEN 200 AND 600", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status IN (200, 1000)", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status IN ('200', 'none', 'x', 'y')", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs WHERE status IS NULL", &[r#"{"n":0}"#]),
        ("SELECT count(*) AS n FROM logs WHERE user.name IS NOT NULL", &[r#"{"n":2}"#]),
        ("SELECT count(*) AS n FROM logs l WHERE l.user.name = 'eve'", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE \"user.name\" LIKE 'e%'", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE _line LIKE '%status=%'", &[r#"{"n":3}"#]),
        ("SELECT count(*) AS n FROM logs WHERE _line ILIKE '%STATUS_500%'", &[r#"{"n":1}"#]),
        ("SELECT count(*) AS n FROM logs WHERE _time >= '2026-11-20T12:01:00Z'", &[r#"{"n":3}"#]),
        ("SELECT count(*) AS n FROM logs WHERE _time < now() + interval '90 seconds'", &[r#"{"n":2}"#]),
        ("SELECT sum(latency) AS s, avg(latency) AS a FROM logs", &[r#"{"s":119.5,"a":39.833333333333336}"#]),
        (
            "SELECT min(latency) AS a, max(latency) AS b, max(_host) AS c FROM logs",
            &[r#"{"a":9,"b":100.5,"c":"Host1"}"#],
        ),
        (
            "SELECT latency * 2 + 1 AS x, -latency AS y FROM logs ORDER BY _time LIMIT 1",
            &[r#"{"x":21,"y":-10}"#],
        ),
        (
            "SELECT latency FROM logs ORDER BY num(latency) DESC NULLS LAST LIMIT 1",
            &[r#"{"latency":"100.5"}"#],
        ),
        ("SELECT CAST(latency AS DOUBLE) AS x FROM logs WHERE latency = 'oops'", &["{}"]),
        ("SELECT status / latency AS x FROM logs WHERE Host = 'b'", &[r#"{"x":55.55555555555556}"#]),
        (
            "SELECT Host, count(*) AS n FROM logs GROUP BY Host ORDER BY n DESC, Host",
            &[r#"{"Host":"a","n":2}"#, r#"{"Host":"b","n":1}"#, r#"{"Host":"c","n":1}"#],
        ),
        (
            "SELECT lower(level) AS l, count(*) AS n FROM logs WHERE level IS NOT NULL GROUP BY l HAVING n > 1 ORDER BY l",
            &[r#"{"l":"error","n":2}"#],
        ),
        (
            "SELECT lower(level) AS level, count(*) AS n FROM logs GROUP BY lower(level) ORDER BY n DESC LIMIT 1",
            &[r#"{"level":"error","n":2}"#],
        ),
        (
            "SELECT date_trunc('hour', _time) AS t, count(*) AS n FROM logs GROUP BY t",
            &[r#"{"t":"2026-11-20T12:00:00Z","n":4}"#],
        ),
        (
            "WITH t AS (SELECT Host, count(*) AS n FROM logs GROUP BY Host) SELECT max(n) AS m FROM t",
            &[r#"{"m":2}"#],
        ),
        (
            "SELECT a.Host, b.status FROM logs a JOIN logs b ON a._offset = b._offset WHERE a.latency = 9",
            &[r#"{"Host":"b","status":"500"}"#],
        ),
        ("SELECT Host FROM logs WHERE latency > (SELECT avg(latency) FROM logs)", &[r#"{"Host":"c"}"#]),
        ("SELECT Host FROM logs ORDER BY _time DESC LIMIT 2", &[r#"{"Host":"c"}"#, r#"{"Host":"a"}"#]),
        ("SELECT sum(n) AS s FROM (SELECT count(*) AS n FROM logs GROUP BY Host) t", &[r#"{"s":4}"#]),
        (
            "SELECT Host, sum(latency) OVER (ORDER BY _time) AS s FROM logs WHERE Host <> 'a' ORDER BY _time",
            &[r#"{"Host":"b","s":9}"#, r#"{"Host":"c","s":109.5}"#],
        ),
        ("SELECT count(*) AS n FROM logs WHERE latency > latency", &[r#"{"n":0}"#]),
        ("SELECT approx_percentile_cont(latency, 0.5) AS p FROM logs", &[r#"{"p":10}"#]),
        ("SELECT user FROM logs WHERE user IS NOT NULL", &[]),
        ("SELECT 1 AS one", &[r#"{"one":1}"#]),
    ];
    for (statement, wanted) in cases {
        assert_eq!(select(&fixture.engine, statement).await, *wanted, "{statement}");
    }
}

#[tokio::test]
async fn a_star_is_sawlogs_own_columns() {
    let fixture = fixture();
    let rows = select(&fixture.engine, "SELECT * FROM logs WHERE level = 'info' ORDER BY Host").await;
    let wanted = r#"{"_time":"2026-11-20T12:00:00Z","_received":"2026-11-20T12:00:01Z","_source":"00000000000000000000000000000001","_epoch":0,"_offset":0,"_tag":"app.t1","_host":"Host1","_line":"Host=a status=200 latency=10 user.name=eve level=info","Host":"a","status":200,"latency":10,"user.name":"eve","level":"info","dc":"berlin"}"#;
    assert_eq!(rows, [wanted]);
    let one = select(&fixture.engine, "SELECT *, level FROM logs ORDER BY _time LIMIT 1").await;
    assert!(one[0].contains(r#""level":"info""#));
}

#[tokio::test]
async fn plans_read_only_what_they_need() {
    let fixture = fixture();
    let cases = [
        (
            "EXPLAIN SELECT Host FROM logs WHERE status >= 500",
            &["columns=[\"Host\", \"status\"]", "Number(GreaterOrEqual", "order=Any"][..],
        ),
        ("EXPLAIN SELECT count(*) FROM logs", &["count=4"]),
        ("EXPLAIN SELECT Host FROM logs ORDER BY _time DESC LIMIT 5", &["order=Newest, limit=Some(5)"]),
        ("EXPLAIN SELECT Host FROM logs ORDER BY _time, _source LIMIT 5", &["order=Oldest, limit=Some(5)"]),
        (
            "EXPLAIN SELECT Host FROM logs WHERE Host = 'a' ORDER BY _time DESC LIMIT 5",
            &["order=Newest", "Is(\"a\")"],
        ),
        ("EXPLAIN SELECT Host FROM logs LIMIT 3", &["order=Any, limit=Some(3)"]),
    ];
    for (statement, parts) in cases {
        let plan = select(&fixture.engine, statement).await.concat().replace("\\\"", "\"");
        for part in parts {
            assert!(plan.contains(part), "{statement}: {part} is not in {plan}");
        }
    }
    let sorted =
        select(&fixture.engine, "EXPLAIN SELECT Host FROM logs ORDER BY _time DESC LIMIT 5").await.concat();
    assert!(!sorted.contains("SortExec"), "{sorted}");
}

#[tokio::test]
async fn wrong_statements_say_what_is_wrong() {
    let fixture = fixture();
    let cases = [
        ("SELEC 1", 0, "Expected"),
        ("SELECT Host FROM logs WHERE", 0, "Expected"),
        ("DELETE FROM logs", 0, "only SELECT"),
        ("INSERT INTO logs VALUES (1)", 0, "only SELECT"),
        ("CREATE TABLE a (b INT)", 0, "only SELECT"),
        ("COPY logs TO 'x.csv'", 0, "only SELECT"),
        ("SET a = 1", 0, "only SELECT"),
        ("SELECT 1; SELECT 2", 0, "single"),
        ("SELECT * FROM elsewhere", 0, "elsewhere"),
        ("SELECT frobnicate(Host) FROM logs", 0, "frobnicate"),
        ("", 0, "No SQL"),
    ];
    for (statement, at, part) in cases {
        match sql(&fixture.engine, statement).await {
            Err(QueryError::Syntax { start, end, message }) => {
                assert!(message.contains(part), "{statement}: {message}");
                assert!(start >= at && start <= end && end <= statement.len(), "{statement}: {start} {end}");
            }
            other => panic!("{statement}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn statement_bombs_are_refused() {
    let fixture = fixture();
    let bombs = [
        format!("SELECT {}1", "1+".repeat(20_000)),
        format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(2_000)),
        format!("SELECT 1 FROM logs WHERE {} true", "a = 1 OR ".repeat(3_000)),
        format!("SELECT {}1", "- ".repeat(10_000)),
        format!("SELECT {}1", "NOT ".repeat(10_000)),
        format!("SELECT '{}'", "x".repeat(100_000)),
    ];
    for bomb in bombs {
        assert!(
            matches!(sql(&fixture.engine, &bomb).await, Err(QueryError::Syntax { .. })),
            "{}",
            &bomb[..40]
        );
    }
}

#[tokio::test]
async fn what_is_allowed_does_not_exhaust_the_stack() {
    let fixture = fixture();
    let deepest = [
        format!("SELECT count(*) AS n FROM logs WHERE {} Host = 'a'", "status = 1 OR ".repeat(120)),
        format!("SELECT count(*) AS n FROM logs WHERE {} Host = 'a'", "NOT ".repeat(40)),
        format!("SELECT count(*) AS n FROM logs WHERE {} latency > 0", "latency + ".repeat(240)),
        format!("SELECT count(*) AS n FROM logs WHERE {} Host <> ''", "Host || ".repeat(240)),
        format!("SELECT count(*) AS n FROM (SELECT 1 {})", "UNION ALL SELECT 1 ".repeat(115)),
        format!("SELECT count(*) AS n FROM (SELECT 1 {})", "UNION SELECT 1 ".repeat(115)),
        format!("SELECT {}Host{} AS n FROM logs LIMIT 1", "lower(".repeat(40), ")".repeat(40)),
        format!("SELECT count(*) AS n FROM {} logs {}", "(SELECT * FROM".repeat(30), ")".repeat(30)),
    ];
    for statement in deepest {
        if let Err(error) = sql(&fixture.engine, &statement).await {
            let refused =
                matches!(&error, QueryError::Syntax { message, .. } if message.contains("recursion"));
            assert!(refused, "{statement}: {error}");
        }
    }
}

#[tokio::test]
async fn long_lists_are_allowed() {
    let fixture = fixture();
    let wide = format!("SELECT count(*) AS n FROM logs WHERE Host IN ({}'a')", "'b',".repeat(5_000));
    assert_eq!(select(&fixture.engine, &wide).await, [r#"{"n":3}"#]);
}
