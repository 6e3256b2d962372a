//! An [`Answer`] as a stream of JSON lines. Dropping the stream, as happens when the client is gone, stops the query.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use sawlog_query::Answer;

use crate::api::{Shared, Timed};
use crate::error::ApiError;
use crate::fair::Having;
use crate::params::{Kind, Param};

/// Type of a streamed answer.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Says whether rows are records, or of a shape that pipes gave them.
const RECORDS: &str = "x-sawlog-records";

/// Rows that are printed at once: the first lines leave before a large batch is printed, and memory stays bounded.
const SLICE: usize = 1024;

/// Asks for a last line that is no record.
pub(crate) const REPORT: Param = Param {
    name: "report",
    kind: Kind::Flag,
    help: "End with a line {\"_report\": {records, seconds}}; where the search failed halfway it has error and remedy. \
           Without it such an answer breaks off.",
};

struct Printing {
    shared: Arc<Shared>,
    answer: Answer,
    report: bool,
    records: u64,
    timed: Timed,
    _turn: Having,
}

/// Starts to answer. The first rows are waited for, so that most errors come with a status of their own.
///
/// # Errors
/// What the query says before its first row.
pub(crate) async fn stream(
    shared: Arc<Shared>,
    timed: Timed,
    turn: Having,
    mut answer: Answer,
    report: bool,
) -> Result<Response, ApiError> {
    let first = shared.in_time(answer.batches.next()).await?.transpose()?;
    let records = if answer.records { "true" } else { "false" };
    let printing = Printing { shared, answer, report, records: 0, timed, _turn: turn };
    let mut response = Response::new(Body::from_stream(lines(printing, first)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    response.headers_mut().insert(RECORDS, HeaderValue::from_static(records));
    Ok(response)
}

enum State {
    Rows(Box<Printing>, Option<RecordBatch>),
    Done,
}

/// The lines of the batches, then the report where one was asked for.
fn lines(
    printing: Printing,
    first: Option<RecordBatch>,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    stream::unfold(State::Rows(Box::new(printing), first), async |state| {
        let State::Rows(mut printing, batch) = state else { return None };
        let Some(batch) = batch else { return printing.last(None) };
        let (now, rest) = split(&batch);
        let mut out = Vec::with_capacity(now.num_rows() * 256);
        sawlog_query::write_ndjson(&now, &mut out);
        printing.records += now.num_rows() as u64;
        if rest.is_some() {
            return Some((Ok(out.into()), State::Rows(printing, rest)));
        }
        let next = printing.shared.in_time(printing.answer.batches.next()).await;
        match next.and_then(|batch| batch.transpose().map_err(ApiError::from)) {
            Ok(batch) => Some((Ok(out.into()), State::Rows(printing, batch))),
            Err(error) => printing.last(Some((error, out))),
        }
    })
}

fn split(batch: &RecordBatch) -> (RecordBatch, Option<RecordBatch>) {
    let rows = batch.num_rows();
    let now = batch.slice(0, rows.min(SLICE));
    (now, (rows > SLICE).then(|| batch.slice(SLICE, rows - SLICE)))
}

impl Printing {
    /// The end of the stream. A failure without a report breaks the answer off, so that nobody takes it for whole.
    fn last(&self, failure: Option<(ApiError, Vec<u8>)>) -> Option<(Result<Bytes, std::io::Error>, State)> {
        if !self.report {
            let (error, _) = failure?;
            return Some((Err(std::io::Error::other(error.error)), State::Done));
        }
        let mut report = serde_json::json!({
            "records": self.records,
            "seconds": self.timed.so_far().as_secs_f64(),
        });
        let mut out = Vec::new();
        if let Some((error, lines)) = failure {
            report["error"] = error.error.into();
            report["remedy"] = error.remedy.into();
            out = lines;
        }
        out.extend_from_slice(serde_json::json!({ "_report": report }).to_string().as_bytes());
        out.push(b'\n');
        Some((Ok(out.into()), State::Done))
    }
}
