//! Questions that need more memory than they may use: they spill and answer rightly, or stop and say why, and nobody else
//! notices.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::Schema;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use sawlog_store::{Options, Origin};

use super::rows::{Fixture, batch, logfmt, request};
use super::{lines, search, select, sql};
use crate::QueryError;
use crate::memory::Pool;

/// Rows, each with an id of its own of this many bytes.
const ROWS: usize = 60_000;
const ID: usize = 400;

/// More in all than a question may hold of these.
fn little(spill_bytes: u64) -> Options {
    Options {
        memory: 26 << 20,
        memtable_bytes: 4 << 20,
        cache_bytes: 1 << 20,
        spill_bytes,
        ..Options::default()
    }
}

/// A number that is not in the order of the rows.
fn shuffled(row: usize) -> usize {
    row * 7_919 % ROWS
}

fn fixture(options: Options) -> Fixture {
    let mut fixture = Fixture::of(options);
    for part in 0..6 {
        let rows = part * ROWS / 6..(part + 1) * ROWS / 6;
        let lines: Vec<_> = rows
            .map(|row| {
                let n = shuffled(row);
                logfmt(row as i64, &format!("n={n} id={n:0>ID$} k={}", n % 3))
            })
            .collect();
        fixture.append(batch(1, part as u64 * 100_000_000, &lines));
        fixture.store.flush().unwrap();
    }
    fixture
}

/// What needs more than there is.
const LARGE: [&str; 3] = [
    "SELECT id FROM logs ORDER BY id",
    "SELECT id, count(*) AS rows FROM logs GROUP BY id",
    "SELECT DISTINCT id FROM logs",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_memory_is_spilled_and_right() {
    let fixture = fixture(little(1 << 30));
    let row = |n: usize| format!("{{\"id\":\"{n:0>ID$}\"}}");
    let wanted: Vec<String> = (0..ROWS).map(row).collect();
    // Each question has the memory that one may have, since the one before holds nothing of it any more.
    assert!(select(&fixture.engine, LARGE[0]).await == wanted, "the sort gives other rows");
    given_back(&fixture);
    let mut groups = select(&fixture.engine, LARGE[1]).await;
    groups.sort();
    let counted: Vec<String> = (0..ROWS).map(|n| format!("{{\"id\":\"{n:0>ID$}\",\"rows\":1}}")).collect();
    assert!(groups == counted, "the groups are others");
    given_back(&fixture);
    let mut distinct = select(&fixture.engine, LARGE[2]).await;
    distinct.sort();
    assert!(distinct == wanted, "the distinct values are others");
    given_back(&fixture);
    // The query language's own way to each of them.
    assert_eq!(
        search(&fixture.engine, "* | sort id | fields n | limit 2").await,
        [r#"{"n":"0"}"#, r#"{"n":"1"}"#]
    );
    given_back(&fixture);
    assert!(search(&fixture.engine, "* | sort id | fields id").await == wanted, "the pipe sorts otherwise");
    given_back(&fixture);
    assert_eq!(select(&fixture.engine, "SELECT count(DISTINCT id) AS n FROM logs").await, ["{\"n\":60000}"]);
    // Nothing is held any more, and nothing is left on disk.
    given_back(&fixture);
    let spill = fixture.store.spill().dir.unwrap();
    let sys = sawlog_sys::Sys::real();
    let dirs = sys.fs.list(&spill).unwrap();
    assert_eq!(dirs.len(), 1);
    assert!(sys.fs.list(&dirs[0].path).unwrap().is_empty());
    let Fixture { store, engine, .. } = fixture;
    drop(engine);
    drop(store);
    assert!(sys.fs.metadata(&spill).is_err(), "the directory goes with the store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_may_be_spilled_a_question_stops_and_others_go_on() {
    for (spill_bytes, named) in [(0, "store.spill is 0"), (256 << 10, "256 KiB on disk")] {
        let mut fixture = fixture(little(spill_bytes));
        for statement in LARGE {
            let large = tokio::spawn({
                let engine = fixture.engine.clone();
                async move { sql(&engine, statement).await }
            });
            // Another question, and rows that come in while it runs.
            fixture.append(batch(2, fixture_offset(), &[logfmt(5, "k=9 n=1")]));
            fixture.store.flush().unwrap();
            let other = search(&fixture.engine, "* | stats count() by k | sort count | limit 1").await;
            assert!(other[0].contains("\"k\":\"9\""), "{other:?}");
            match large.await.unwrap() {
                Err(QueryError::Budget(words)) => {
                    assert!(words.contains("limit") && words.contains("store.memory"), "{words}");
                    assert!(words.contains(named), "{statement}: {words}");
                }
                other => panic!("{statement}: {:?}", other.map(|lines| lines.len())),
            }
        }
        // The next question has the memory again.
        given_back(&fixture);
        assert_eq!(search(&fixture.engine, "k:1 | stats count()").await, [r#"{"count":20000}"#]);
        let small = search(&fixture.engine, "* | sort n desc | limit 1 | fields n").await;
        assert_eq!(small, [r#"{"n":"59999"}"#]);
    }
}

#[tokio::test]
async fn threads_that_hand_on_rows_are_not_refused_and_stop_the_question_where_they_hold_far_too_many() {
    let fixture = Fixture::of(little(1 << 30));
    let pool = Pool::new(&fixture.store.shares().questions, 2);
    let shared: Arc<dyn MemoryPool> = pool.clone();
    let between = MemoryConsumer::new("RepartitionExec[0]").with_can_spill(true).register(&shared);
    let sorts = MemoryConsumer::new("ExternalSorter[0]").with_can_spill(true).register(&shared);
    let most = pool.most() as usize;
    let schema = Arc::new(Schema::empty());
    let endless = RecordBatchStreamAdapter::new(schema, futures::stream::pending());
    let mut batches = pool.clone().bound(Box::pin(endless));
    between.try_grow(most * 8).unwrap();
    assert_eq!(pool.reserved(), 0, "what is handed on is held by others");
    assert!(sorts.try_grow(most / 2).is_ok() && sorts.try_grow(most).is_err());
    assert!(futures::poll!(batches.next()).is_pending());
    between.try_grow(1).unwrap();
    assert!(batches.next().await.unwrap().is_err());
    assert!(batches.next().await.is_none());
}

/// Questions hold nothing any more, as soon as their threads have heard that they are over.
fn given_back(fixture: &Fixture) {
    let questions = &fixture.store.shares().questions;
    questions.take_within(questions.free() + questions.held(), Duration::from_secs(20)).unwrap();
    assert_eq!(questions.held(), 0);
}

/// An offset that no other row of the second source has.
fn fixture_offset() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1_000, Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_questions_memory_bounds_those_who_are_given_it() {
    let fixture = fixture(Options { spill_bytes: 0, ..Options::default() });
    let few = fixture.engine.within(fixture.store.shares().questions.share("tenant a", 2 << 20, 0));
    assert!(matches!(sql(&few, LARGE[0]).await, Err(QueryError::Budget(_))));
    assert_eq!(select(&fixture.engine, LARGE[0]).await.len(), ROWS);
    let answer = few.search(request("* | sort n desc | limit 1 | fields n")).await.unwrap();
    assert_eq!(lines(answer).await.unwrap(), [r#"{"n":"59999"}"#]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_leave_rows_that_come_in_their_memory() {
    let fixture = fixture(little(1 << 30));
    let shares = fixture.store.shares();
    let all = shares.questions.take(shares.questions.free()).unwrap();
    // More than memtables may hold, a piece at a time: senders wait for a flush, not for questions.
    let line = logfmt(1, &"x".repeat(1 << 20));
    for offset in 0..30 {
        let batch = batch(3, offset * 10_000_000, std::slice::from_ref(&line));
        let (at, next) = (1_000 + offset, 1_001 + offset);
        fixture.store.append(Arc::new(batch), Origin::Journal { at, next, position: None }).unwrap();
        assert!(shares.rows.held() <= shares.rows.most() && shares.all.held() <= shares.all.most());
    }
    assert!(fixture.store.segments().len() > 6);
    // And compaction waits.
    fixture.store.flush().unwrap();
    let before = fixture.store.segments();
    assert!(!fixture.store.maintain(0).unwrap());
    assert_eq!(fixture.store.segments(), before);
    drop(all);
    while fixture.store.maintain(0).unwrap() {}
    assert!(fixture.store.segments().iter().any(|segment| segment.strong));
}
