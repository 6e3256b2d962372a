//! Few rows out of many in an order of their fields: the plan sees only what orders them and where they stand, and the lines of
//! those that are left are read afterwards. Knows nothing of plans.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use sawlog_model::{Address, SourceId, Tenant, TimeRange};
use sawlog_store::Store;

use crate::engine::RECORD;
use crate::pipe::{Order, Step};
use crate::{Answer, QueryError, table};

/// Where a row stands: its time, then its address. They are the first columns of a record.
pub(crate) const KEYS: [&str; 4] = ["_time", "_source", "_epoch", "_offset"];

/// Most rows whose lines are read afterwards.
const MOST: usize = 10_000;

/// How many rows at most are left of whole records that are put in an order; `None` where that is not known, or too many, and where
/// the order is that of time, in which the store gives rows one after the other.
pub(crate) fn rows(pipes: &[Arc<dyn Step>], limit: Option<usize>) -> Option<usize> {
    let sorts = pipes.iter().any(|pipe| pipe.order() == Order::Drops);
    let by_time = pipes.iter().find(|pipe| pipe.order() != Order::Keeps);
    let by_time = by_time.is_some_and(|pipe| pipe.reads().first().is_none_or(|name| name == KEYS[0]));
    if !sorts || by_time || !pipes.iter().all(|pipe| pipe.only_picks()) {
        return None;
    }
    pipes.iter().filter_map(|pipe| pipe.limit()).chain(limit).min().filter(|rows| *rows <= MOST)
}

/// The same rows as records, without those that have gone meanwhile.
pub(crate) fn filled(answer: Answer, store: Store, tenant: Tenant) -> Answer {
    let schema = table::schema(&RECORD.map(str::to_owned));
    let filled = answer.batches.map(move |batch| {
        let store = store.clone();
        async move {
            let batch = batch?;
            let read = tokio::task::spawn_blocking(move || records(&store, tenant, &batch)).await;
            read.map_err(|died| QueryError::Failed(died.to_string()))?
        }
    });
    // One batch after the other, in their order.
    let batches = filled.buffered(1).map_err(QueryError::from).boxed();
    Answer { schema, records: true, batches }
}

/// The records of rows of which a batch says where they stand.
fn records(store: &Store, tenant: Tenant, keys: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let failed = |error: &dyn std::fmt::Display| QueryError::Failed(error.to_string());
    let times = keys.column(0).as_primitive::<TimestampNanosecondType>().values();
    let sources = keys.column(1).as_string_view();
    let epochs = keys.column(2).as_primitive::<UInt32Type>().values();
    let offsets = keys.column(3).as_primitive::<UInt64Type>().values();
    let address = |row: usize| -> Result<Address, QueryError> {
        let source: SourceId = sources.value(row).parse().map_err(|error| failed(&error))?;
        Ok(Address { source, epoch: epochs[row], offset: offsets[row] })
    };
    let addresses = (0..keys.num_rows()).map(address).collect::<Result<Vec<_>, _>>()?;
    let range = TimeRange {
        start: times.iter().copied().min().unwrap_or(0),
        end: times.iter().copied().max().unwrap_or(0).saturating_add(1),
    };
    let lines = RECORD[KEYS.len()..].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let read = store.rows_at(tenant, range, &addresses, &lines);
    let (which, lines) = read.map_err(|error| failed(&error))?;
    let keys = take_record_batch(keys, &UInt32Array::from(which)).map_err(|error| failed(&error))?;
    let columns: Vec<ArrayRef> = keys.columns().iter().chain(lines.columns()).cloned().collect();
    let schema = table::schema(&RECORD.map(str::to_owned));
    RecordBatch::try_new(schema, columns).map_err(|error| failed(&error))
}
