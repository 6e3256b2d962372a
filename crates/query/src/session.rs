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
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::SessionConfig;
use sawlog_model::Nanos;
use sawlog_store::{Memory, Spill};

use crate::memory::Pool;
use crate::number;
use crate::sql::Numbers;

/// Threads that a question may use.
pub(crate) const PARTS: usize = 2;

/// Rows of a batch between operators, and bytes that a question must have for each: a sort holds several batches at once.
const BATCH_ROWS: usize = 8_192;
const BYTES_PER_ROW: u64 = 16_384;
/// Rows of a batch where there is little memory.
const FEW_ROWS: u64 = 64;

/// Memory that a sort sets aside to merge what it has spilled, where its question may hold enough: bytes, and which part of
/// that at most.
const MERGING: (usize, u64) = (10 << 20, 16);

/// What all questions share.
pub(crate) struct Session {
    state: SessionState,
    runtime: Arc<RuntimeEnv>,
}

impl Session {
    /// Settings of questions that put what they cannot hold in memory where `spill` says.
    pub(crate) fn new(spill: &Spill) -> Result<Session, DataFusionError> {
        let mut config = SessionConfig::new()
            .with_target_partitions(PARTS)
            .with_batch_size(BATCH_ROWS)
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false);
        let options = config.options_mut();
        options.sql_parser.enable_ident_normalization = false;
        // Columns come as views; anything else would be cast row by row.
        options.sql_parser.map_string_types_to_utf8view = true;
        let mode = match (&spill.dir, spill.most) {
            (_, 0) => DiskManagerMode::Disabled,
            (Some(dir), _) => DiskManagerMode::Directories(vec![dir.clone()]),
            (None, _) => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(spill.most);
        let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc()?;
        let mut builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime.clone())
            .with_default_features();
        builder.expr_planners().get_or_insert_default().insert(0, Arc::new(Numbers));
        builder.scalar_functions().get_or_insert_default().push(number::NUM.clone());
        Ok(Session { state: builder.build(), runtime })
    }

    /// What a plan runs in: with memory of its own, a part of `memory`, which is returned, too.
    pub(crate) fn running(&self, context: TaskContext, memory: &Memory) -> (TaskContext, Arc<Pool>) {
        let pool = Pool::new(memory, context.session_config().target_partitions());
        let most = pool.most();
        let merging = MERGING.0.min((most / MERGING.1) as usize);
        let rows = (most / BYTES_PER_ROW).clamp(FEW_ROWS, BATCH_ROWS as u64) as usize;
        let config =
            context.session_config().clone().with_sort_spill_reservation_bytes(merging).with_batch_size(rows);
        let runtime = RuntimeEnv { memory_pool: pool.clone(), ..(*self.runtime).clone() };
        (context.with_session_config(config).with_runtime(Arc::new(runtime)), pool)
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
