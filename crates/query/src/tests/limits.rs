//! Bounds: little is read where little is wanted, and what is too much is refused.

use std::time::Duration;

use sawlog_model::{Predicate, Tenant};
use sawlog_store::{Order, ScanRequest};

use super::rows::{Fixture, batch, logfmt, request};
use super::{search, select};
use crate::QueryError;

/// Segments of these many rows each, later ones newer.
fn many_segments(segments: u64, rows: usize) -> Fixture {
    let mut fixture = Fixture::new();
    for segment in 0..segments {
        let lines: Vec<_> = (0..rows)
            .map(|row| {
                logfmt(
                    (segment as usize * rows + row) as i64,
                    &format!("id={segment}x{row} n={row} word{segment}"),
                )
            })
            .collect();
        fixture.append(batch(1, segment * 1_000_000, &lines));
        fixture.store.flush().unwrap();
    }
    fixture
}

#[tokio::test]
async fn a_limit_ends_the_work_early() {
    let fixture = many_segments(8, 2_000);
    let newest = search(&fixture.engine, "word* | limit 3").await;
    assert_eq!(newest.len(), 3);
    assert!(newest[0].contains("id=7x1999"), "{}", newest[0]);
    // What the engine asks of the store for that.
    let (predicate, range) = crate::predicate("word*", 0).unwrap();
    let wanted = |limit, predicate: &Predicate| ScanRequest {
        tenant: Tenant::DEFAULT,
        range,
        predicate: predicate.clone(),
        columns: vec!["_line".into()],
        order: Order::Newest,
        limit,
    };
    let read = |request: ScanRequest| {
        let mut scan = fixture.store.scan(&request).unwrap();
        let rows: usize = scan.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
        (rows, scan.read().0)
    };
    let (few, few_read) = read(wanted(Some(3), &predicate));
    let (all, all_read) = read(wanted(None, &predicate));
    assert_eq!((few, all), (3, 16_000));
    assert!(few_read <= 2_000 && all_read == 16_000, "{few_read} of {all_read} rows were read");
}

#[tokio::test]
async fn a_limit_is_kept_though_several_threads_read() {
    let fixture = many_segments(6, 50);
    let statements = [
        ("SELECT n FROM logs LIMIT 7", 7),
        ("SELECT n FROM logs WHERE n >= 40 LIMIT 11", 11),
        ("SELECT n FROM logs WHERE n = 1 LIMIT 11", 6),
        ("SELECT n FROM logs WHERE n >= 40 ORDER BY _time DESC LIMIT 13", 13),
        ("SELECT n FROM logs WHERE n >= 40 ORDER BY _time LIMIT 5 OFFSET 3", 5),
        ("SELECT n FROM (SELECT n FROM logs LIMIT 9) t WHERE num(n) >= 0", 9),
        ("SELECT count(*) FROM (SELECT n FROM logs LIMIT 9) t", 1),
        ("SELECT 1 FROM logs LIMIT 8", 8),
        ("SELECT _time FROM logs WHERE _time >= '2026-11-20T12:04:00Z'", 60),
    ];
    for (statement, rows) in statements {
        assert_eq!(select(&fixture.engine, statement).await.len(), rows, "{statement}");
    }
    assert_eq!(
        select(&fixture.engine, "SELECT count(*) AS n FROM (SELECT n FROM logs LIMIT 9) t").await,
        [r#"{"n":9}"#]
    );
    let newest = select(&fixture.engine, "SELECT n FROM logs WHERE n < 48 ORDER BY _time DESC LIMIT 2").await;
    assert_eq!(newest, [r#"{"n":"47"}"#, r#"{"n":"46"}"#]);
}

#[tokio::test]
async fn dropping_an_answer_stops_its_scan() {
    let fixture = many_segments(4, 100);
    let (predicate, range) = crate::predicate("nowhere", 0).unwrap();
    let wanted = ScanRequest {
        tenant: Tenant::DEFAULT,
        range,
        predicate,
        columns: vec!["_line".into()],
        order: Order::Newest,
        limit: None,
    };
    // The answer is dropped before its scan begins, or perhaps after that: either way the scan is told.
    for begins_late in [true, false] {
        let (tell, told) = std::sync::mpsc::channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (store, wanted) = (fixture.store.clone(), wanted.clone());
        let answer = crate::stream::scan(move || {
            let scan = store.scan(&wanted)?;
            tell.send(scan.stopper()).unwrap();
            // Ends at once where nobody holds the other end any more.
            let _ = wait.recv();
            Ok(Some(scan))
        });
        let stopper = tokio::task::spawn_blocking(move || told.recv().unwrap()).await.unwrap();
        let go = begins_late.then_some(go);
        assert!(!stopper.requested());
        drop(answer);
        drop(go);
        let stopped = tokio::task::spawn_blocking(move || stopper.wait(Duration::from_secs(60))).await;
        assert!(stopped.unwrap(), "nobody told the scan");
    }
    // And a scan that was told reads nothing more.
    for order in [Order::Newest, Order::Any] {
        let everything = ScanRequest { order, predicate: Predicate::All, ..wanted.clone() };
        let mut scan = fixture.store.scan(&everything).unwrap();
        scan.stopper().request();
        assert!(scan.next().is_none());
        assert_eq!(scan.read().0, 0);
    }
}

#[tokio::test]
async fn a_histogram_has_a_bounded_number_of_bars() {
    let fixture = many_segments(1, 30_000);
    assert!(matches!(fixture.engine.hits(request("*"), 1).await, Err(QueryError::Budget(_))));
}

#[tokio::test]
async fn of_very_many_values_those_of_the_last_rows_are_counted() {
    let fixture = many_segments(5, 10_000);
    let values = async |field: &str| fixture.engine.values(request("*"), field, 3).await.unwrap();
    let ids = values("id").await;
    // More than 32,768 different ones are met in the fourth segment from the end.
    assert_eq!((ids.complete, ids.rows, ids.values.len()), (false, 40_000, 3));
    assert!(ids.values.iter().all(|one| one.rows == 1 && !one.value.starts_with("0x")), "{ids:?}");
    let numbers = values("n").await;
    assert_eq!((numbers.complete, numbers.rows, numbers.values[0].rows), (true, 50_000, 5));
}

#[tokio::test]
async fn errors_of_the_text_come_before_any_work() {
    let fixture = Fixture::new();
    assert!(matches!(
        fixture.engine.search(request("a )")).await,
        Err(QueryError::Syntax { start: 2, end: 3, .. })
    ));
    assert!(matches!(fixture.engine.hits(request("a )"), 1).await, Err(QueryError::Syntax { .. })));
    assert!(matches!(fixture.engine.values(request("a )"), "a", 1).await, Err(QueryError::Syntax { .. })));
    assert!(crate::predicate("a | limit 1", 0).is_err());
}
