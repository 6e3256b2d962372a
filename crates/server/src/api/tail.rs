//! `/api/v1/tail`: new records as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use sawlog_model::{Batch, Predicate, Right, RowRef, Tenant};
use serde_json::json;

use crate::api::{Call, LIVE, Method, QUERY, Route, Shared, Takes, Timed};
use crate::contract::{LiveEvent, LiveStream};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/tail",
    needs: Some(Right::Read),
    summary: "Sends new records that a query without pipes keeps, as server-sent events: each with its address as id and \
              the record as data. An event `lag` counts records or batches that were left out.",
    params: &[&QUERY, &TAG, &RATE],
    takes: Takes::Params,
    gives: LIVE,
    handle: |shared, call| Box::pin(tail(shared, call)),
};

const TAG: Param = Param {
    name: "tag",
    kind: Kind::Text,
    help: "Only records whose tag fits this pattern, as in configurations: app.* or {app,web}.**; all where it is not given.",
};

const RATE: Param = Param {
    name: "rate",
    kind: Kind::Count,
    help: "At most so many records a second, what is over is counted; 2000 where it is not given, 0 for all.",
};

/// Over which time the rate of records is measured.
const WINDOW: Duration = Duration::from_millis(500);

struct Tail {
    shared: Arc<Shared>,
    tenant: Tenant,
    predicate: Arc<Predicate>,
    live: LiveStream,
    ready: VecDeque<Event>,
    /// Most records in a window.
    most: u64,
    /// Begin of the current window, and records sent in it.
    window: (Duration, u64),
    /// Records left out since the last notice.
    left_out: u64,
    _timed: Timed,
}

async fn tail(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let query = call.params.text("query").unwrap_or_default();
    let (predicate, _) = sawlog_query::predicate(query, call.now)?;
    let most = match call.params.count("rate")?.unwrap_or(shared.node.settings.tail_records) {
        0 => u64::MAX,
        rate => (u128::from(rate) * WINDOW.as_millis() / 1_000).clamp(1, u64::MAX.into()) as u64,
    };
    let live =
        shared.node.live.subscribe(call.params.text("tag")).map_err(|words| {
            ApiError::bad(format!("`tag`: {words}"), "Write a pattern such as app.* or **.")
        })?;
    let tail = Tail {
        live,
        tenant: call.tenant,
        predicate: Arc::new(predicate),
        ready: VecDeque::new(),
        most,
        window: (Duration::ZERO, 0),
        left_out: 0,
        shared: shared.clone(),
        _timed: call.timed,
    };
    let beat = KeepAlive::new().interval(shared.node.settings.tail_beat).text("beat");
    Ok(Sse::new(events(tail)).keep_alive(beat).into_response())
}

fn events(tail: Tail) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    // The first event leaves at once: the client then knows that from here on it misses nothing.
    let hello = Event::default().event("open").data("{}");
    let rest = stream::unfold(tail, async |mut tail| {
        loop {
            if let Some(event) = tail.ready.pop_front() {
                return Some((Ok(event), tail));
            }
            match tail.live.next().await? {
                LiveEvent::Rows(batch) if batch.tenant == tail.tenant => tail.take(batch).await,
                LiveEvent::Rows(_) => {}
                LiveEvent::Missed(batches) => tail.ready.push_back(lag(&json!({ "batches": batches }))),
            }
        }
    });
    stream::once(async { Ok(hello) }).chain(rest)
}

fn lag(what: &serde_json::Value) -> Event {
    Event::default().event("lag").data(what.to_string())
}

impl Tail {
    /// Tests and prints the rows of a batch, away from the threads that serve connections.
    async fn take(&mut self, batch: Arc<Batch>) {
        let room = self.room();
        let predicate = self.predicate.clone();
        let printed = tokio::task::spawn_blocking(move || print(&batch, &predicate, room)).await;
        // A row that makes the printing panic is told as left out, and the tail goes on.
        let (events, over) = printed.unwrap_or_else(|_| (Vec::new(), 1));
        self.window.1 += events.len() as u64;
        self.left_out += over;
        self.ready.extend(events);
        if self.left_out > 0 && self.window.1 < self.most {
            self.notice();
        }
    }

    /// How many records may still be sent in this window. Where a new one begins, what the last one left out is told.
    fn room(&mut self) -> u64 {
        let now = self.shared.node.sys.clock.monotonic();
        if now.saturating_sub(self.window.0) >= WINDOW {
            self.window = (now, 0);
            if self.left_out > 0 {
                self.notice();
            }
        }
        self.most.saturating_sub(self.window.1)
    }

    fn notice(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        self.ready.push_back(lag(&json!({ "records": left_out })));
    }
}

/// The columns of a search without pipes, so that a record reads the same from both.
const RECORD: [&str; 6] = ["_time", "_source", "_epoch", "_offset", "_line", "_fields"];

/// Events for the rows that are kept, at most `room` of them, and how many more there were.
fn print(batch: &Batch, predicate: &Predicate, room: u64) -> (Vec<Event>, u64) {
    let mut kept: Vec<RowRef<'_>> = batch.iter().filter(|row| predicate.keeps(row)).collect();
    let over = (kept.len() as u64).saturating_sub(room);
    kept.truncate(kept.len() - over as usize);
    let mut lines = Vec::new();
    sawlog_query::write_ndjson(&sawlog_store::batch(&RECORD.map(str::to_owned), &kept), &mut lines);
    let lines = String::from_utf8_lossy(&lines);
    let events = kept.iter().zip(lines.lines()).map(|(row, json)| {
        let address = row.address();
        Event::default().id(format!("{}:{}:{}", address.source, address.epoch, address.offset)).data(json)
    });
    (events.collect(), over)
}
