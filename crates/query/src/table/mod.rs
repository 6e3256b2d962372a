//! The rows of a tenant as a table: what a plan wants of them becomes one scan of the store. Knows nothing of SQL or of
//! pipes.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DataFusionError, ToDFSchema};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use sawlog_model::{Predicate, Tenant, TimeRange};
use sawlog_store::{Order, ScanRequest, Store};

mod exec;
mod pushdown;
#[cfg(test)]
mod tests;

use exec::{LogsExec, What};
use pushdown::Pushed;
pub(crate) use pushdown::numbers;

/// The columns that `SELECT *` gives.
pub(crate) const OWN: [&str; 10] =
    ["_time", "_received", "_source", "_epoch", "_offset", "_tag", "_host", "_path", "_line", "_fields"];

/// Rows of a tenant, of which a search may have taken some away.
pub(crate) struct Logs {
    store: Store,
    tenant: Tenant,
    range: TimeRange,
    predicate: Predicate,
    schema: SchemaRef,
}

impl Logs {
    /// A table with these columns.
    pub(crate) fn new(
        store: &Store,
        tenant: Tenant,
        range: TimeRange,
        predicate: Predicate,
        columns: &[String],
    ) -> Self {
        Logs { store: store.clone(), tenant, range, predicate, schema: schema(columns) }
    }
}

/// The schema of these columns. What every row has is said to be never NULL, which lets the planner drop tests.
pub(crate) fn schema(columns: &[String]) -> SchemaRef {
    let always = ["_time", "_received", "_source", "_epoch", "_offset", "_fields"];
    let field = |name: &String| Field::new(name, sawlog_store::data_type(name), !always.contains(&&name[..]));
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("predicate", &self.predicate).field("range", &self.range).finish()
    }
}

#[async_trait]
impl TableProvider for Logs {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        Ok(filters
            .iter()
            .map(|filter| match pushdown::pushed(filter) {
                // What the store decides only roughly, the scan tests again.
                Some(_) => TableProviderFilterPushDown::Exact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let mut read: Vec<usize> = match projection {
            Some(columns) => columns.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&read)?);
        let (mut range, mut predicate) = (self.range, self.predicate.clone());
        let mut tests = Vec::new();
        for filter in filters {
            match pushdown::pushed(filter) {
                Some(Pushed::Time(times)) => range = range.intersect(&times),
                Some(Pushed::Rows(rows)) => {
                    predicate = predicate.and(rows);
                    tests.push(filter.clone());
                }
                None => tests.push(filter.clone()),
            }
        }
        for column in tests.iter().flat_map(Expr::column_refs) {
            let at = self.schema.index_of(&column.name)?;
            if !read.contains(&at) {
                read.push(at);
            }
        }
        let read = Arc::new(self.schema.project(&read)?);
        let test = match tests.into_iter().reduce(Expr::and) {
            Some(test) => {
                let test = unqualified(test)?;
                Some(state.create_physical_expr(test, &read.as_ref().clone().to_dfschema()?)?)
            }
            None => None,
        };
        if read.fields().is_empty()
            && predicate == Predicate::All
            && let Some(rows) = self.store.count(self.tenant, range)
        {
            let rows = limit.map_or(rows, |limit| rows.min(limit as u64));
            return Ok(Arc::new(LogsExec::new(self.store.clone(), What::Count(rows), schema)));
        }
        let request = ScanRequest {
            tenant: self.tenant,
            range,
            predicate,
            columns: read.fields().iter().map(|field| field.name().clone()).collect(),
            order: Order::Any,
            limit: limit.filter(|_| test.is_none()),
        };
        let what = What::Rows { request, read, test, limit };
        Ok(Arc::new(LogsExec::new(self.store.clone(), what, schema)))
    }
}

/// The condition without the table's name before columns.
fn unqualified(condition: Expr) -> Result<Expr, DataFusionError> {
    let plain = condition.transform(|part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
            other => Transformed::no(other),
        })
    })?;
    Ok(plain.data)
}

/// The batch under a schema that knows more of NULLs than the store's.
pub(crate) fn typed(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
}
