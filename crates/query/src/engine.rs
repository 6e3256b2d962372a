//! The way from a question to rows. A search without pipes goes straight to the store; everything else becomes a plan.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::provider_as_source;
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlanBuilder;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{StreamExt, TryStreamExt};
use sawlog_model::{Nanos, Normalizers, Predicate, Tenant, TimeRange};
use sawlog_store::{CountBy, CountKey, Memory, Order, ScanRequest, Store, Tally};

use crate::count;
use crate::largest;
use crate::late;
use crate::memory::{exhausted, is_exhausted};
use crate::parse::{self, Query};
use crate::pipe::{self, Setting, Step, Top};
use crate::session::Session;
use crate::sql;
use crate::stream::StreamError;
use crate::table::{self, Logs, OWN};
use crate::{Answer, Bar, QueryError, Request, ValueCount, Values};

/// The columns of a search without pipes.
pub(crate) const RECORD: [&str; 6] = ["_time", "_source", "_epoch", "_offset", "_line", "_fields"];

/// Fields in which rows say how grave they are; the first that a row has counts.
const LEVELS: [&str; 4] = ["level", "severity", "loglevel", "log.level"];

/// Memory that questions must have together for each different key of one that only counts.
const BYTES_PER_KEY: u64 = 4_096;
/// Memory that such a key takes, on each of the threads and where their counts are added up.
const COUNTED_KEY: u64 = 512;

/// Different values of a field from which on only those of the last rows are counted: people choose from values, and of so
/// many each is rare. `top` counts them all.
const MANY_VALUES: usize = 32_768;

/// Most bars of a histogram.
const MAX_BARS: usize = 20_000;
/// Most levels of a histogram; rows of further ones count as without.
const MAX_LEVELS: usize = 64;

/// Answers questions over a store. What plans need is made at the first question that wants a plan.
#[derive(Clone)]
pub struct Engine {
    store: Store,
    memory: Memory,
    normalizers: Normalizers,
    session: Arc<OnceLock<Session>>,
}

impl Engine {
    /// An engine over a store, whose questions share the memory that the store has for them.
    pub fn new(store: Store) -> Self {
        let memory = store.shares().questions.clone();
        Engine { store, memory, normalizers: Normalizers::default(), session: Arc::default() }
    }

    /// The same engine for questions that may name these parsers: `| normalize NAME`.
    pub fn with_normalizers(self, normalizers: Normalizers) -> Engine {
        Engine { normalizers, ..self }
    }

    /// The same engine for questions that take their memory from another share, as one of [`Memory::share`] of
    /// `store.shares().questions`.
    pub fn within(&self, memory: Memory) -> Engine {
        Engine { memory, ..self.clone() }
    }

    /// Starts a search with its pipes. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn search(&self, request: Request) -> Result<Answer, QueryError> {
        let query = parse::parse(&request.query, request.now)?;
        let limits: Option<Vec<usize>> = query.pipes.iter().map(|pipe| pipe.limit()).collect();
        let Some(limits) = limits else { return self.plan(&request, &query).await };
        let limit = limits.into_iter().chain(request.limit).min();
        let columns: Vec<String> = RECORD.map(str::to_owned).into();
        let schema = table::schema(&columns);
        let wanted = scan_request(&request, &query, columns, Order::Newest, limit);
        let store = self.store.clone();
        let batches = crate::stream::scan(move || store.scan(&wanted).map(Some)).map_err(QueryError::from);
        let to = schema.clone();
        let batches = batches.map(move |batch| table::typed(&to, &batch?).map_err(failed));
        Ok(Answer { schema, records: true, batches: batches.boxed() })
    }

    /// Starts an SQL statement over the table `logs`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn sql(&self, tenant: Tenant, statement: &str, now: Nanos) -> Result<Answer, QueryError> {
        let (engine, text) = (self.clone(), statement.to_owned());
        let plan = sql::with_stack(async move { engine.plan_sql(tenant, &text, now).await });
        let planned = async { self.execute(plan.await?, false) };
        planned.await.map_err(|error| match error {
            // The planner's own errors are about the statement as a whole.
            QueryError::Syntax { start: 0, end: 0, message } => {
                QueryError::Syntax { start: 0, end: statement.len(), message }
            }
            other => other,
        })
    }

    async fn plan_sql(&self, tenant: Tenant, statement: &str, now: Nanos) -> Result<Planned, QueryError> {
        let session = self.session()?;
        let read = sql::read(&session.at(now), statement)?;
        let mut columns: Vec<String> = OWN.map(str::to_owned).into();
        columns.extend(read.fields.into_iter().filter(|name| !OWN.contains(&&name[..])));
        let logs = Logs::new(&self.store, tenant, TimeRange::ALL, Predicate::All, &columns);
        let state = session.with_table(now, sql::TABLE, Arc::new(logs))?;
        let plan = state.statement_to_plan(read.statement).await?;
        Planned::new(DataFrame::new(state, plan)).await
    }

    /// The times that a question is about: those of the request, as far as its text does not narrow them.
    ///
    /// # Errors
    /// [`QueryError::Syntax`].
    pub fn range(&self, request: &Request) -> Result<TimeRange, QueryError> {
        Ok(request.range.intersect(&parse::parse(&request.query, request.now)?.range))
    }

    /// Rows per `step` nanoseconds and level. Pipes of the query are left aside. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn hits(&self, request: Request, step: Nanos) -> Result<Vec<Bar>, QueryError> {
        let query = parse::parse(&request.query, request.now)?;
        if step <= 0 {
            return Err(QueryError::Failed("the length of a bar must be more than 0".into()));
        }
        let wanted = scan_request(&request, &query, Vec::new(), Order::Any, None);
        let by = vec![CountBy::Time(step), CountBy::First(LEVELS.map(str::to_owned).into())];
        let tally = count::tally(&self.store, wanted, by, MAX_BARS * MAX_LEVELS).await?;
        let mut bars = Bars::new();
        let mut counted: Vec<_> = tally.ok_or_else(too_many_bars)?.into_rows().into_iter().collect();
        counted.sort();
        for (keys, rows) in counted {
            if let [CountKey::Time(time), CountKey::Text(level)] = &keys[..] {
                bars.count(*time, level.as_deref().unwrap_or_default(), rows);
            }
        }
        bars.finish()
    }

    /// Most frequent values of a field among the rows of the query, the most frequent first; where there are very many
    /// different ones, among the last of these rows. Pipes of the query are left aside. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn values(&self, request: Request, field: &str, limit: usize) -> Result<Values, QueryError> {
        let mut query = parse::parse(&request.query, request.now)?;
        let top: Arc<dyn Step> = Arc::new(Top { field: field.to_owned(), limit });
        let Some(counting) = top.counts(&self.setting(&request, &query)) else {
            query.pipes = vec![top];
            let batches: Vec<RecordBatch> = self.plan(&request, &query).await?.batches.try_collect().await?;
            let values = value_counts(&batches)?;
            return Ok(Values { rows: values.iter().map(|one| one.rows).sum(), values, complete: true });
        };
        let by: Vec<CountBy> = counting.by.iter().map(|(_, by)| by.clone()).collect();
        let wanted = || scan_request(&request, &query, Vec::new(), Order::Any, None);
        // The last rows tell at once whether nearly every row has a value of its own.
        let (store, most) = (&self.store, MANY_VALUES);
        let mut counted = count::last(store, wanted(), by.clone(), most, 1).await?;
        if !counted.1 && counted.0.different() <= most {
            counted = match count::tally(store, wanted(), by.clone(), most).await? {
                Some(tally) => (tally, true),
                None => count::last(store, wanted(), by, most, usize::MAX).await?,
            };
        }
        let (tally, complete) = counted;
        let rows = tally.total();
        let batch = count::batch(&counting, tally).map_err(failed)?;
        Ok(Values { values: value_counts(&[batch])?, rows, complete })
    }

    fn session(&self) -> Result<&Session, QueryError> {
        if let Some(session) = self.session.get() {
            return Ok(session);
        }
        let session = Session::new(&self.store.spill()).map_err(failed)?;
        Ok(self.session.get_or_init(|| session))
    }

    /// Plans a query with pipes and starts it.
    async fn plan(&self, request: &Request, query: &Query) -> Result<Answer, QueryError> {
        if let Some(batch) = self.counted(request, query).await? {
            let schema = batch.schema();
            let batches = futures::stream::iter([Ok(batch)]).boxed();
            return Ok(Answer { schema, records: false, batches });
        }
        let mut fields: Vec<String> = Vec::new();
        let mut columns = None;
        for pipe in &query.pipes {
            if columns.is_none() {
                fields.extend(pipe.reads());
            }
            columns = pipe.outputs(columns).map_err(QueryError::Failed)?;
        }
        let records = columns.is_none();
        let late = if records { late::rows(&query.pipes, request.limit) } else { None };
        let shown = if late.is_some() { &late::KEYS[..] } else { &RECORD[..] };
        if records {
            fields.extend(shown.iter().map(|name| (*name).to_owned()));
        }
        fields.push("_time".into());
        fields.sort();
        fields.dedup();
        let range = request.range.intersect(&query.range);
        let mut predicate = query.predicate.clone();
        if let Some(rows) = late
            && let Some(bound) = self.bound(request, query, rows).await?
        {
            predicate = predicate.and(bound);
        }
        let logs = Logs::new(&self.store, request.tenant, range, predicate, &fields);
        let state = self.session()?.at(request.now);
        let frame = self.frame(state, logs, request, query, records.then_some(shown))?;
        let answer = self.execute(Planned::new(frame).await?, records)?;
        match late {
            Some(_) => Ok(late::filled(answer, self.store.clone(), request.tenant)),
            None => Ok(answer),
        }
    }

    /// The answer where the question only counts, and not too many different things: it needs no plan.
    async fn counted(&self, request: &Request, query: &Query) -> Result<Option<RecordBatch>, QueryError> {
        let [step] = &query.pipes[..] else { return Ok(None) };
        let Some(counting) = step.counts(&self.setting(request, query)) else { return Ok(None) };
        let by = counting.by.iter().map(|(_, by)| by.clone()).collect();
        let Some(tally) = self.tally(request, query, by).await? else { return Ok(None) };
        let batch = count::batch(&counting, tally).map_err(failed)?;
        Ok(Some(batch.slice(0, request.limit.unwrap_or(usize::MAX).min(batch.num_rows()))))
    }

    /// How many rows have which keys, where these are not too many.
    async fn tally(
        &self,
        request: &Request,
        query: &Query,
        by: Vec<CountBy>,
    ) -> Result<Option<Tally>, QueryError> {
        let wanted = scan_request(request, query, Vec::new(), Order::Any, None);
        let most = (self.memory.most() / BYTES_PER_KEY).max(1) as usize;
        // Where others hold so much that this is not there, a plan does with less.
        let Ok(_held) = self.memory.take(most as u64 * COUNTED_KEY) else { return Ok(None) };
        count::tally(&self.store, wanted, by, most).await
    }

    /// What the first rows in the order of a field's numbers all pass, where that is told without looking at rows.
    pub(crate) async fn bound(
        &self,
        request: &Request,
        query: &Query,
        rows: usize,
    ) -> Result<Option<Predicate>, QueryError> {
        let Some((field, least_first)) = largest::field(&query.pipes) else { return Ok(None) };
        if !largest::is_told(&query.predicate, field) {
            return Ok(None);
        }
        let wanted = scan_request(request, query, Vec::new(), Order::Any, None);
        if let Some(integer) = count::bound(&self.store, wanted, field, least_first, rows as u64).await? {
            return Ok(largest::passing(field, least_first, integer as f64));
        }
        let by = vec![CountBy::First(vec![field.to_owned()])];
        let counted = self.tally(request, query, by).await?;
        Ok(counted.and_then(|counted| largest::bound(counted, field, least_first, rows as u64)))
    }

    /// Starts a plan with memory of its own.
    fn execute(&self, planned: Planned, records: bool) -> Result<Answer, QueryError> {
        let (context, pool) = self.session()?.running(planned.context, &self.memory);
        let (spill, share, most) = (self.store.spill(), self.memory.clone(), pool.most());
        let explained = move |error| match is_exhausted(&error) {
            true => exhausted(most, &share, &spill),
            false => error.into(),
        };
        let batches = pool.bound(execute_stream(planned.plan, Arc::new(context))?).map_err(explained);
        Ok(Answer { schema: planned.schema, records, batches: batches.boxed() })
    }

    /// What pipes need to know of the question.
    fn setting(&self, request: &Request, query: &Query) -> Setting {
        let stats = self.store.stats();
        let range = request.range.intersect(&query.range);
        let normalizers = self.normalizers.clone();
        Setting { normalizers, span: (range.start.max(stats.first_time), range.end.min(stats.last_time)) }
    }

    fn frame(
        &self,
        state: SessionState,
        logs: Logs,
        request: &Request,
        query: &Query,
        shown: Option<&[&str]>,
    ) -> Result<DataFrame, DataFusionError> {
        let plan = LogicalPlanBuilder::scan(sql::TABLE, provider_as_source(Arc::new(logs)), None)?.build()?;
        let mut frame = DataFrame::new(state, plan);
        // Rows come newest first, where somebody minds.
        let first = query.pipes.iter().map(|pipe| pipe.order()).find(|order| *order != pipe::Order::Keeps);
        if first != Some(pipe::Order::Drops) {
            frame = frame.sort(vec![pipe::column("_time").sort(false, false)])?;
        }
        let setting = self.setting(request, query);
        for step in &query.pipes {
            frame = step.plan(frame, &setting)?;
        }
        if let Some(shown) = shown {
            frame = frame.select(shown.iter().copied().map(pipe::column).collect::<Vec<_>>())?;
        }
        match request.limit {
            Some(limit) => frame.limit(0, Some(limit)),
            None => Ok(frame),
        }
    }
}

/// Values in the first column, their rows in the second.
fn value_counts(batches: &[RecordBatch]) -> Result<Vec<ValueCount>, QueryError> {
    let mut found = Vec::new();
    for batch in batches {
        let values = cast(batch.column(0), &DataType::Utf8).map_err(failed)?;
        let counts = batch.column(1).as_primitive::<Int64Type>();
        let values = values.as_string::<i32>().iter().zip(counts.values());
        found.extend(values.map(|(value, rows)| ValueCount {
            value: value.unwrap_or_default().to_owned(),
            rows: rows.unsigned_abs(),
        }));
    }
    Ok(found)
}

fn scan_request(
    request: &Request,
    query: &Query,
    columns: Vec<String>,
    order: Order,
    limit: Option<usize>,
) -> ScanRequest {
    let range = request.range.intersect(&query.range);
    ScanRequest { tenant: request.tenant, range, predicate: query.predicate.clone(), columns, order, limit }
}

/// A plan that can run.
struct Planned {
    /// The columns as the question names them, without the table.
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
    context: TaskContext,
}

impl Planned {
    async fn new(frame: DataFrame) -> Result<Planned, QueryError> {
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let context = frame.task_ctx();
        Ok(Planned { schema, plan: frame.create_physical_plan().await?, context })
    }
}

fn failed(error: impl std::fmt::Display) -> QueryError {
    QueryError::Failed(error.to_string())
}

impl From<StreamError> for QueryError {
    fn from(error: StreamError) -> Self {
        failed(error)
    }
}

impl From<DataFusionError> for QueryError {
    fn from(error: DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::External(inner) => failed(inner),
            DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::SQL(..) => {
                QueryError::Syntax { start: 0, end: 0, message: error.find_root().strip_backtrace() }
            }
            other => failed(other.strip_backtrace()),
        }
    }
}

fn too_many_bars() -> QueryError {
    let message = "this histogram would have more than 20,000 bars; ask for longer bars or a shorter time";
    QueryError::Budget(message.into())
}

/// A histogram as it grows.
struct Bars {
    /// By start of the bar and index of the level.
    counts: HashMap<Nanos, Vec<u64>>,
    /// The first is that of rows without.
    levels: Vec<String>,
}

impl Bars {
    fn new() -> Self {
        Bars { counts: HashMap::new(), levels: vec![String::new()] }
    }

    /// The index of a level; upper and lower case are one.
    fn level(&mut self, level: &str) -> usize {
        if let Some(at) = self.levels.iter().position(|have| have.eq_ignore_ascii_case(level)) {
            return at;
        }
        if self.levels.len() == MAX_LEVELS {
            return 0;
        }
        self.levels.push(level.to_ascii_lowercase());
        self.levels.len() - 1
    }

    fn count(&mut self, time: Nanos, level: &str, rows: u64) {
        let level = self.level(level);
        let counts = self.counts.entry(time).or_default();
        if counts.len() <= level {
            counts.resize(level + 1, 0);
        }
        counts[level] += rows;
    }

    fn finish(self) -> Result<Vec<Bar>, QueryError> {
        if self.counts.len() > MAX_BARS {
            return Err(too_many_bars());
        }
        let levels = self.levels;
        let mut bars: Vec<Bar> = self
            .counts
            .into_iter()
            .map(|(time, counts)| {
                let counts = counts.into_iter().enumerate().filter(|(_, rows)| *rows > 0);
                let mut counts: Vec<_> = counts.map(|(level, rows)| (levels[level].clone(), rows)).collect();
                counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
                Bar { time, counts }
            })
            .collect();
        bars.sort_by_key(|bar| bar.time);
        Ok(bars)
    }
}
