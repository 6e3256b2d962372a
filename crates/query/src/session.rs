//! The engine's settings: functions, planners, memory. Made at the first question that needs a plan, because it takes
//! megabytes and milliseconds. Knows nothing of the store.

use std::sync::Arc;

use arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;
use sawlog_model::Nanos;

use crate::number;
use crate::sql::Numbers;

/// Threads that a question may use.
pub(crate) const PARTS: usize = 2;

/// Rows of a batch between operators.
const BATCH_ROWS: usize = 8_192;

/// What all questions share.
pub(crate) struct Session {
    state: SessionState,
}

impl Session {
    /// Settings with so many bytes of memory for all questions together. Nothing is spilled to disk: what does not fit
    /// is refused.
    pub(crate) fn new(memory: usize) -> Result<Session, DataFusionError> {
        let mut config = SessionConfig::new()
            .with_target_partitions(PARTS)
            .with_batch_size(BATCH_ROWS)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false);
        let options = config.options_mut();
        options.sql_parser.enable_ident_normalization = false;
        // Columns come as views; anything else would be cast row by row.
        options.sql_parser.map_string_types_to_utf8view = true;
        let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory), std::num::NonZeroUsize::MIN);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()?;
        let mut builder =
            SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
        builder.expr_planners().get_or_insert_default().insert(0, Arc::new(Numbers));
        builder.scalar_functions().get_or_insert_default().push(number::NUM.clone());
        Ok(Session { state: builder.build() })
    }

    /// The settings for one question, asked at `now`.
    pub(crate) fn at(&self, now: Nanos) -> SessionState {
        let mut state = self.state.clone();
        let time = timestamp_ns_to_datetime(now).map(|time| time.and_utc());
        let options = state.config_options().clone();
        let props = state.execution_props_mut();
        props.query_execution_start_time = time;
        props.config_options = Some(options);
        state
    }

    /// As [`Session::at`], with one table by name.
    pub(crate) fn with_table(
        &self,
        now: Nanos,
        name: &str,
        table: Arc<dyn TableProvider>,
    ) -> Result<SessionState, DataFusionError> {
        let mut state = self.at(now);
        let options = state.config_options().catalog.clone();
        let tables = MemorySchemaProvider::new();
        tables.register_table(name.to_owned(), table)?;
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(&options.default_schema, Arc::new(tables))?;
        let list = MemoryCatalogProviderList::new();
        list.register_catalog(options.default_catalog, Arc::new(catalog));
        state.register_catalog_list(Arc::new(list));
        Ok(state)
    }
}
