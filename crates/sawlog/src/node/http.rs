//! What the HTTP side needs of the rest of the node: the pipeline and the store behind `server`'s contracts.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{FutureExt, stream};
use sawlog_model::{Accepted, Delivery, IngestError};
use sawlog_pipeline::{Env, Pipeline, Tapped};
use sawlog_query::Engine;
use sawlog_server::{Control, Hosts, Ingest, Live, LiveEvent, LiveStream, Loggers, Open, Settings};
use sawlog_store::Store;
use sawlog_wire::http::HttpIngest;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// The parts that the HTTP side stands on.
pub(crate) struct Side<'a> {
    pub(crate) store: &'a Store,
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) env: &'a Env,
    pub(crate) query: &'a Handle,
    pub(crate) loggers: Loggers,
}

impl Side<'_> {
    /// What `sawlog_server::router` is made of.
    pub(crate) fn node(&self, address: SocketAddr, shutdown: Arc<Notify>) -> sawlog_server::Node {
        sawlog_server::Node {
            engine: Engine::new(self.store.clone()),
            store: self.store.clone(),
            access: Arc::new(Open),
            status: self.pipeline.status(),
            ingest: Arc::new(BodyIngest(Arc::new(HttpIngest::new(
                self.pipeline.intake("http"),
                self.env.clone(),
            )))),
            live: Arc::new(LiveRows(self.pipeline.clone())),
            control: Arc::new(NodeControl {
                store: self.store.clone(),
                pipeline: self.pipeline.clone(),
                shutdown,
                query: self.query.clone(),
            }),
            loggers: self.loggers.clone(),
            sys: self.env.sys.clone(),
            settings: Settings { hosts: Hosts::of(address), ..Settings::default() },
            mounts: Default::default(),
        }
    }
}

/// Bodies of events, by the codec of `wire`.
struct BodyIngest(Arc<HttpIngest>);

impl Ingest for BodyIngest {
    fn ingest(&self, delivery: Delivery) -> BoxFuture<'static, Result<Accepted, IngestError>> {
        let codec = self.0.clone();
        async move { codec.ingest(delivery).await }.boxed()
    }
}

struct LiveRows(Pipeline);

impl Live for LiveRows {
    fn subscribe(&self) -> LiveStream {
        let rows = stream::unfold(self.0.subscribe(), async |mut tap| {
            let event = match tap.next().await? {
                Tapped::Rows(batch) => LiveEvent::Rows(batch),
                Tapped::Missed(count) => LiveEvent::Missed(count),
            };
            Some((event, tap))
        });
        Box::pin(rows)
    }
}

struct NodeControl {
    store: Store,
    pipeline: Pipeline,
    shutdown: Arc<Notify>,
    query: Handle,
}

impl Control for NodeControl {
    fn shutdown(&self) {
        self.shutdown.notify_one();
    }

    fn flush(&self) -> BoxFuture<'static, Result<(), String>> {
        let (store, pipeline) = (self.store.clone(), self.pipeline.clone());
        // Writing segments takes a while and must not hold up connections.
        let work = self.query.spawn_blocking(move || {
            store.flush().map_err(|error| error.to_string())?;
            pipeline.maintain().map_err(|error| error.to_string())
        });
        async move { work.await.map_err(|_| "the flush was interrupted".to_owned())? }.boxed()
    }
}
