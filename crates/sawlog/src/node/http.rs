//! What the HTTP side needs of the rest of the node: the pipeline and the store behind `server`'s contracts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use sawlog_model::{Accepted, Delivery, IngestError, Normalizers, RowRef, Tenant};
use sawlog_pipeline::{Env, Letter, Pipeline, TagPattern, Tapped, Which};
use sawlog_query::Engine;
use sawlog_server::{
    Control, DeadLetter, DeadLetters, DeadOutcome, Hosts, Ingest, Live, LiveEvent, LiveStream, Loggers,
    MeniscusListener, Questions, Settings, Tenancy,
};
use sawlog_store::Store;
use sawlog_wire::http::HttpIngest;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The parts that the HTTP side stands on.
pub(crate) struct Side<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) env: &'a Env,
    pub(crate) questions: Questions,
    pub(crate) loggers: Loggers,
    pub(crate) tenancy: Tenancy,
    pub(crate) reload: &'a Arc<super::Reload>,
    pub(crate) normalizers: Normalizers,
}

impl Side<'_> {
    /// What `sawlog_server::router` is made of.
    pub(crate) fn node(
        &self,
        address: SocketAddr,
        meniscus: Option<MeniscusListener>,
        shutdown: Arc<Notify>,
    ) -> sawlog_server::Node {
        sawlog_server::Node {
            engine: Engine::new(self.store.clone()).with_normalizers(self.normalizers.clone()),
            store: self.store.clone(),
            access: Arc::new(self.tenancy.clone()),
            tenancy: self.tenancy.clone(),
            status: self.pipeline.status(),
            ingest: Arc::new(BodyIngest(
                Arc::new(HttpIngest::new(self.pipeline.intake("http"), self.env.clone())),
                self.pipeline.clone(),
            )),
            live: Arc::new(LiveRows(self.pipeline.clone())),
            control: Arc::new(NodeControl {
                store: self.store.clone(),
                pipeline: self.pipeline.clone(),
                shutdown,
                query: self.questions.usual.clone(),
                reload: self.reload.clone(),
                tenancy: self.tenancy.clone(),
            }),
            loggers: self.loggers.clone(),
            sys: self.env.sys.clone(),
            questions: self.questions.clone(),
            settings: Settings { hosts: Hosts::of(address), agent: agent(), meniscus, ..Settings::default() },
            mounts: Default::default(),
        }
    }
}

/// The agent's executable, which packages put beside ours.
fn agent() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.with_file_name("sawlog-agent"))
}

/// Bodies of events, by the codec of `wire`.
struct BodyIngest(Arc<HttpIngest>, Pipeline);

impl Ingest for BodyIngest {
    fn ingest(&self, delivery: Delivery) -> BoxFuture<'static, Result<Accepted, IngestError>> {
        let codec = self.0.clone();
        async move { codec.ingest(delivery).await }.boxed()
    }

    fn waiting(&self, position: u64) -> usize {
        self.1.waiting(position)
    }
}

struct LiveRows(Pipeline);

impl Live for LiveRows {
    fn subscribe(&self, tags: Option<&str>) -> Result<LiveStream, String> {
        let tags = tags.map_or(Ok(TagPattern::all()), TagPattern::parse)?;
        let rows = stream::unfold(self.0.subscribe_to(tags), async |mut tap| {
            let event = match tap.next().await? {
                Tapped::Rows(batch) => LiveEvent::Rows(batch),
                Tapped::Missed(count) => LiveEvent::Missed(count),
            };
            Some((event, tap))
        });
        Ok(Box::pin(rows))
    }
}

struct NodeControl {
    store: Store,
    pipeline: Pipeline,
    shutdown: Arc<Notify>,
    query: Handle,
    reload: Arc<super::Reload>,
    tenancy: Tenancy,
}

impl NodeControl {
    /// Does what blocks, away from the threads that serve connections.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, String>> {
        let work = self.query.spawn_blocking(work);
        async move { work.await.map_err(|_| "it was interrupted".to_owned())? }.boxed()
    }
}

fn which(of: Option<Tenant>, letters: DeadLetters) -> Which {
    let which = match letters {
        DeadLetters::All => Which::All,
        DeadLetters::Of(output) => Which::Output(output),
        DeadLetters::Numbers(numbers) => Which::Numbers(numbers),
    };
    match of {
        None => which,
        Some(tenant) => Which::OfTenant(tenant, Box::new(which)),
    }
}

/// A letter as the API shows it.
fn shown(letter: &Letter) -> DeadLetter {
    let line =
        |row: RowRef<'_>| String::from_utf8_lossy(sawlog_model::strip_terminator(row.raw())).into_owned();
    DeadLetter {
        number: letter.number,
        time: letter.time,
        output: letter.output.to_string(),
        why: letter.why.word(),
        reason: letter.reason.clone(),
        tenant: letter.batch.tenant,
        lines: letter.batch.iter().map(line).collect(),
    }
}

impl Control for NodeControl {
    fn shutdown(&self) {
        self.shutdown.notify_one();
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), String>> {
        let (store, pipeline) = (self.store.clone(), self.pipeline.clone());
        self.blocking(move || {
            store.flush().map_err(|error| error.to_string())?;
            pipeline.empty().map_err(|error| error.to_string())
        })
    }

    fn reload(&self) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let reload = self.reload.clone();
        self.blocking(move || reload.reload().map_err(|error| format!("{error:#}")))
    }

    fn dead(
        &self,
        of: Option<Tenant>,
        letters: DeadLetters,
        most: usize,
    ) -> BoxFuture<'static, Result<Vec<DeadLetter>, String>> {
        let pipeline = self.pipeline.clone();
        self.blocking(move || {
            let Some(dead) = pipeline.dead() else { return Ok(Vec::new()) };
            let letters = dead.waiting(&which(of, letters)).take(most);
            letters.map(|letter| letter.as_ref().map(shown).map_err(ToString::to_string)).collect()
        })
    }

    fn purge(&self) -> BoxFuture<'static, Result<Vec<String>, String>> {
        let (store, pipeline, tenancy) = (self.store.clone(), self.pipeline.clone(), self.tenancy.clone());
        self.blocking(move || super::purge(&store, &pipeline, &tenancy, true))
    }

    fn replay_dead(
        &self,
        of: Option<Tenant>,
        letters: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        let pipeline = self.pipeline.clone();
        self.blocking(move || {
            let done = pipeline.replay_dead(&which(of, letters)).map_err(|error| error.to_string())?;
            Ok(DeadOutcome { letters: done.letters, records: done.rows, left: done.left })
        })
    }

    fn drop_dead(
        &self,
        of: Option<Tenant>,
        letters: DeadLetters,
    ) -> BoxFuture<'static, Result<DeadOutcome, String>> {
        let pipeline = self.pipeline.clone();
        self.blocking(move || {
            let Some(dead) = pipeline.dead() else { return Ok(DeadOutcome::default()) };
            let (letters, records) =
                dead.drop_letters(&which(of, letters)).map_err(|error| error.to_string())?;
            Ok(DeadOutcome { letters, records, left: Vec::new() })
        })
    }
}
