//! The step of a plan that reads the store. By itself it reads in any order on as many threads as a question may have;
//! where the plan wants rows by time it reads them in that order, so that a limit behind it ends the work early.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, internal_err};
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sawlog_store::{Order, Scan, ScanRequest, Store, StoreError};

use super::typed;
use crate::memory::pieces;
use crate::session::PARTS;
use crate::stream::StreamError;

/// The order in which the store can give rows, first key first.
const ORDER: [&str; 4] = ["_time", "_source", "_epoch", "_offset"];

/// Rows of a batch that says only how many there are.
const COUNTED_ROWS: usize = 65_536;

/// Batches that a question must be able to hold.
const BATCHES: usize = 32;

/// What is read.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Rows.
    Rows {
        /// What is asked of the store. It has a limit of its own only where there is no further test.
        request: ScanRequest,
        /// The columns that are read: those of the result, then those that only the test looks at.
        read: SchemaRef,
        /// What the store cannot decide, or not exactly.
        test: Option<Arc<dyn PhysicalExpr>>,
        /// At most so many rows, of each partition.
        limit: Option<usize>,
    },
    /// Only how many there are, and that is known.
    Count(u64),
}

/// Reads the store.
pub(super) struct LogsExec {
    store: Store,
    what: What,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    /// The parts of an unordered scan: made by the first that is executed, taken by each.
    parts: Arc<Mutex<Option<Vec<Option<Scan>>>>>,
}

impl LogsExec {
    pub(super) fn new(store: Store, what: What, schema: SchemaRef) -> Self {
        let ordering = Vec::new();
        Self::ordered(store, what, schema, ordering)
    }

    fn ordered(store: Store, what: What, schema: SchemaRef, ordering: Vec<PhysicalSortExpr>) -> Self {
        let parts = match &what {
            What::Rows { request, .. } if request.order == Order::Any => PARTS,
            _ => 1,
        };
        let known = EquivalenceProperties::new_with_orderings(schema.clone(), LexOrdering::new(ordering));
        let properties = PlanProperties::new(
            known,
            Partitioning::UnknownPartitioning(parts),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        LogsExec { store, what, schema, properties: Arc::new(properties), parts: Arc::default() }
    }

    /// The same but for what is read; its scans are its own.
    fn with(&self, what: What) -> Self {
        LogsExec {
            store: self.store.clone(),
            what,
            schema: self.schema.clone(),
            properties: self.properties.clone(),
            parts: Arc::default(),
        }
    }

    /// Rows without columns, which nobody looks at: they are only counted.
    fn count(
        &self,
        partition: usize,
        schema: SchemaRef,
    ) -> BoxStream<'static, Result<RecordBatch, DataFusionError>> {
        let start = self.start(partition);
        let batches = async move {
            let external = |error| DataFusionError::External(Box::new(error));
            let scan = tokio::task::spawn_blocking(start).await;
            let scan = scan.map_err(|died| external(StreamError::Died(died.to_string())))?;
            let scans = scan.map_err(|error| external(StreamError::Store(error)))?.into_iter().collect();
            let rows: u64 =
                crate::stream::each(scans, Scan::count).await.map_err(external)?.into_iter().sum();
            // Operators make arrays of a constant for each batch.
            let parts =
                (0..rows).step_by(COUNTED_ROWS).map(move |from| (rows - from).min(COUNTED_ROWS as u64));
            Ok::<_, DataFusionError>(stream::iter(parts.map(move |rows| counted(schema.clone(), rows))))
        };
        stream::once(batches).try_flatten().boxed()
    }

    /// The scan of one partition.
    fn start(&self, partition: usize) -> impl FnOnce() -> Result<Option<Scan>, StoreError> + Send + 'static {
        let (store, what, parts) = (self.store.clone(), self.what.clone(), self.parts.clone());
        move || match what {
            What::Count(_) => Ok(None),
            What::Rows { request, .. } if request.order == Order::Any => {
                let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                let parts = match &mut *parts {
                    Some(parts) => parts,
                    none => none.insert(store.scan_parts(&request, PARTS)?.into_iter().map(Some).collect()),
                };
                Ok(parts.get_mut(partition).and_then(Option::take))
            }
            What::Rows { request, .. } => Ok(Some(store.scan(&request)?)),
        }
    }
}

/// The order of the store that has these keys first; `None` where none has.
fn order_of(keys: &[PhysicalSortExpr]) -> Option<Order> {
    let descending = keys.first()?.options.descending;
    let fits = keys.len() <= ORDER.len()
        && keys.iter().zip(ORDER).all(|(key, name)| {
            let column = key.expr.downcast_ref::<Column>();
            column.is_some_and(|column| column.name() == name) && key.options.descending == descending
        });
    fits.then_some(if descending { Order::Newest } else { Order::Oldest })
}

impl fmt::Debug for LogsExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogsExec").field("what", &self.what).finish()
    }
}

impl DisplayAs for LogsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Count(rows) => write!(f, "LogsExec: count={rows}"),
            What::Rows { request, test, limit, .. } => {
                write!(
                    f,
                    "LogsExec: columns={:?}, order={:?}, limit={limit:?}, predicate={:?}",
                    request.columns, request.order, request.predicate
                )?;
                test.iter().try_for_each(|test| write!(f, ", test={test}"))
            }
        }
    }
}

impl ExecutionPlan for LogsExec {
    fn name(&self) -> &str {
        "LogsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion, DataFusionError>,
    ) -> Result<TreeNodeRecursion, DataFusionError> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        Ok(self)
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        Ok(Arc::new(self.with(self.what.clone())))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let mut what = self.what.clone();
        let What::Rows { request, test, limit: own, .. } = &mut what else { return None };
        request.limit = limit.filter(|_| test.is_none());
        *own = limit;
        Some(Arc::new(self.with(what)))
    }

    fn fetch(&self) -> Option<usize> {
        match &self.what {
            What::Rows { limit, .. } => *limit,
            What::Count(_) => None,
        }
    }

    fn try_pushdown_sort(
        &self,
        keys: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>, DataFusionError> {
        let mut what = self.what.clone();
        let (What::Rows { request, limit: None, .. }, Some(order)) = (&mut what, order_of(keys)) else {
            return Ok(SortOrderPushdownResult::Unsupported);
        };
        if request.order != Order::Any {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        request.order = order;
        let inner = LogsExec::ordered(self.store.clone(), what, self.schema.clone(), keys.to_vec());
        Ok(SortOrderPushdownResult::Exact { inner: Arc::new(inner) })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        if partition >= self.properties.partitioning.partition_count() {
            return internal_err!("there is no partition {partition} of the logs");
        }
        let most = match context.memory_pool().memory_limit() {
            MemoryLimit::Finite(bytes) => bytes / BATCHES,
            _ => usize::MAX,
        };
        let schema = self.schema.clone();
        let batches = match &self.what {
            What::Count(rows) => stream::iter([counted(schema, *rows)]).boxed(),
            What::Rows { request, test: None, limit: None, .. }
                if request.columns.is_empty() && request.order == Order::Any =>
            {
                self.count(partition, schema)
            }
            What::Rows { read, test, limit, .. } => {
                let (read, test) = (read.clone(), test.clone());
                let batches = crate::stream::scan(self.start(partition))
                    .map_err(|error| DataFusionError::External(Box::new(error)))
                    .map(move |batch| tested(&schema, &typed(&read, &batch?)?, test.as_ref()))
                    .map_ok(move |batch| stream::iter(pieces(batch, most).into_iter().map(Ok)))
                    .try_flatten();
                first(batches.boxed(), limit.unwrap_or(usize::MAX))
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches)))
    }
}

/// The rows that pass the test, with the columns of the result.
fn tested(
    schema: &SchemaRef,
    batch: &RecordBatch,
    test: Option<&Arc<dyn PhysicalExpr>>,
) -> Result<RecordBatch, DataFusionError> {
    let kept = match test {
        None => batch.clone(),
        Some(test) => {
            let passed = test.evaluate(batch)?.into_array(batch.num_rows())?;
            filter_record_batch(batch, as_boolean_array(&passed)?)?
        }
    };
    let columns: Vec<usize> = (0..schema.fields().len()).collect();
    Ok(kept.project(&columns)?)
}

/// The first rows of batches. What follows them is not asked for, which ends the scan.
fn first<'a>(
    batches: BoxStream<'a, Result<RecordBatch, DataFusionError>>,
    limit: usize,
) -> BoxStream<'a, Result<RecordBatch, DataFusionError>> {
    stream::try_unfold((batches, limit), async |(mut batches, left)| {
        if left == 0 {
            return Ok(None);
        }
        while let Some(batch) = batches.try_next().await? {
            if batch.num_rows() > 0 {
                let batch = batch.slice(0, left.min(batch.num_rows()));
                let left = left - batch.num_rows();
                return Ok(Some((batch, (batches, left))));
            }
        }
        Ok(None)
    })
    .boxed()
}

/// So many rows without columns.
fn counted(schema: SchemaRef, rows: u64) -> Result<RecordBatch, DataFusionError> {
    let options = RecordBatchOptions::new().with_row_count(usize::try_from(rows).ok());
    Ok(RecordBatch::try_new_with_options(schema, Vec::new(), &options)?)
}
