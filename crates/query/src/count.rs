//! Questions that only count: the store counts, and no plan is made. Gives what the plan would give. Knows nothing of how
//! the store counts.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringViewArray, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use sawlog_model::Nanos;
use sawlog_store::{CountBy, CountKey, ScanRequest, Store, Tally};

use crate::QueryError;
use crate::pipe::{Counted, Counting};
use crate::session::PARTS;
use crate::stream;

/// Counts the rows of a request (in any order, without a limit) by these keys; `None` where there are more than `most`.
pub(crate) async fn tally(
    store: &Store,
    request: ScanRequest,
    by: Vec<CountBy>,
    most: usize,
) -> Result<Option<Tally>, QueryError> {
    let store = store.clone();
    let scans = tokio::task::spawn_blocking(move || store.scan_parts(&request, PARTS)).await;
    let scans = scans.map_err(failed)?.map_err(failed)?;
    let parts = stream::each(scans, move |scan| {
        if !by.is_empty() {
            return scan.tally(&by, most);
        }
        let rows = scan.count()?;
        Ok(Some(Tally::of(Vec::new(), rows)))
    });
    let mut all = Tally::default();
    for part in parts.await? {
        let Some(part) = part else { return Ok(None) };
        all.merge(part);
    }
    Ok((all.different() <= most).then_some(all))
}

/// [`sawlog_store::Scan::bound`] of a request in any order without a limit.
pub(crate) async fn bound(
    store: &Store,
    request: ScanRequest,
    field: &str,
    least_first: bool,
    rows: u64,
) -> Result<Option<i64>, QueryError> {
    let (store, field) = (store.clone(), field.to_owned());
    let scan = tokio::task::spawn_blocking(move || store.scan(&request)).await;
    let scans = vec![scan.map_err(failed)?.map_err(failed)?];
    let mut bounds = stream::each(scans, move |scan| scan.bound(&field, least_first, rows)).await?;
    Ok(bounds.pop().flatten())
}

/// Counts as [`tally`] does, what was written last first, until there are more than `most` keys or so many pieces were counted;
/// and whether that was all.
pub(crate) async fn last(
    store: &Store,
    request: ScanRequest,
    by: Vec<CountBy>,
    most: usize,
    pieces: usize,
) -> Result<(Tally, bool), QueryError> {
    let store = store.clone();
    let scan = tokio::task::spawn_blocking(move || store.scan(&request)).await;
    let scans = vec![scan.map_err(failed)?.map_err(failed)?];
    let mut counted = stream::each(scans, move |scan| scan.tally_last(&by, most, pieces)).await?;
    Ok(counted.pop().unwrap_or_default())
}

/// The rows of the answer.
///
/// # Errors
/// Never, unless the keys are not of the sorts that were counted by.
pub(crate) fn batch(counting: &Counting, tally: Tally) -> Result<RecordBatch, ArrowError> {
    let rows = match counting.result {
        Counted::Distinct => {
            let different = Int64Array::from_value(tally.different() as i64, 1);
            return RecordBatch::try_new(schema(counting), vec![Arc::new(different)]);
        }
        // Rows without a value come last, as in a plan.
        Counted::ByKey => {
            let mut rows: Vec<(Vec<CountKey>, u64)> = tally.into_rows().into_iter().collect();
            rows.sort_by(|a, b| sortable(&a.0).cmp(&sortable(&b.0)));
            rows
        }
        Counted::Top(limit) => tally.top(limit),
    };
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (place, (_, by)) in counting.by.iter().enumerate() {
        columns.push(match by {
            CountBy::First(_) => {
                Arc::new(rows.iter().map(|(keys, _)| text(&keys[place])).collect::<StringViewArray>())
            }
            CountBy::Time(_) => {
                let times: TimestampNanosecondArray =
                    rows.iter().map(|(keys, _)| time(&keys[place])).collect();
                Arc::new(times.with_timezone("UTC"))
            }
        });
    }
    columns.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, rows)| *rows as i64))));
    RecordBatch::try_new(schema(counting), columns)
}

fn schema(counting: &Counting) -> SchemaRef {
    let key = |(name, by): &(String, CountBy)| {
        let sort = match by {
            CountBy::First(_) => DataType::Utf8View,
            CountBy::Time(_) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        };
        Field::new(name, sort, true)
    };
    // How many different ones there are is said of all.
    let keys = if counting.result == Counted::Distinct { &[][..] } else { &counting.by };
    let mut fields: Vec<Field> = keys.iter().map(key).collect();
    fields.push(Field::new(&counting.name, DataType::Int64, false));
    Arc::new(Schema::new(fields))
}

fn sortable(keys: &[CountKey]) -> Vec<(bool, &CountKey)> {
    keys.iter().map(|key| (*key == CountKey::Text(None), key)).collect()
}

fn text(key: &CountKey) -> Option<&str> {
    match key {
        CountKey::Text(text) => text.as_deref(),
        CountKey::Time(_) => None,
    }
}

fn time(key: &CountKey) -> Option<Nanos> {
    match key {
        CountKey::Time(time) => Some(*time),
        CountKey::Text(_) => None,
    }
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Failed(error.to_string())
}
