//! HTTP: the API under `/api/v1`, the page, `/healthz` and `/metrics` of a node. Knows nothing of wire protocols, of the
//! pipeline or of the command line: whoever starts a node hands in what the routes stand on as a [`Node`].
//!
//! In reading order: [`Node`] and its contracts, `api` (one list of routes; one file per route), `door` (who may pass),
//! `ui` (the page's files), `serve` (connections).

mod access;
mod api;
mod contract;
mod counters;
mod door;
mod error;
pub mod events;
mod fair;
mod keeping;
mod kept;
mod loggers;
mod params;
mod serve;
#[cfg(test)]
mod tests;
mod times;
mod ui;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use sawlog_model::{Access, NodeStatus};
use sawlog_query::Engine;
use sawlog_store::Store;
use sawlog_sys::Sys;
use tokio::runtime::Handle;

pub use access::{Keeping, Made, Named, NewToken, Role, Tenancy};
pub use contract::{Control, DeadLetter, DeadLetters, DeadOutcome, Ingest, Live, LiveEvent, LiveStream};
pub use door::{Hosts, Open};
pub use keeping::TooOld;
pub use kept::ChangeError;
pub use loggers::Loggers;
pub use serve::{Duplex, Secure, serve};

/// What the routes stand on.
pub struct Node {
    /// Answers questions.
    pub engine: Engine,
    /// Sizes and field names.
    pub store: Store,
    /// Who may do what: `tenancy`, but for tests.
    pub access: Arc<dyn Access>,
    /// Tenants and tokens.
    pub tenancy: Tenancy,
    /// Inputs, filters and outputs with their counters.
    pub status: Arc<dyn NodeStatus>,
    /// Takes what `POST /api/v1/ingest` brings.
    pub ingest: Arc<dyn Ingest>,
    /// New rows, for live tails.
    pub live: Arc<dyn Live>,
    /// Flush and shutdown.
    pub control: Arc<dyn Control>,
    /// Named selections of rows, which change at run time.
    pub loggers: Loggers,
    /// The outside.
    pub sys: Sys,
    /// Where questions are answered.
    pub questions: Questions,
    /// Bounds and names.
    pub settings: Settings,
    /// Routes of inputs that ride on HTTP, mounted beside the API: they get the same security headers and the check of
    /// the `Host` header, but ask for credentials themselves. `Router::new()` where there are none.
    pub mounts: Router,
}

/// Threads that answer questions; those that take what is sent go on meanwhile.
#[derive(Clone, Debug)]
pub struct Questions {
    /// Of everybody.
    pub usual: Handle,
    /// Of tenants that ask beyond their limit without heed: they do something when nobody else has anything to do.
    pub last: Handle,
}

/// Bounds and names of a node's HTTP side.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The version that `/api/v1/status` and the page show.
    pub version: &'static str,
    /// Which `Host` headers are answered; [`Hosts::of`] knows the right one for a listener's address.
    pub hosts: Hosts,
    /// The largest body of a request as it comes over the wire, bytes.
    pub body_bytes: usize,
    /// A body of which nothing comes for so long is given up.
    pub body_idle: Duration,
    /// A query that gives nothing for so long is given up.
    pub query_time: Duration,
    /// Queries that run at once; more wait for `query_time`, then are asked to come again.
    pub queries: usize,
    /// A live tail that asks for no other rate sends at most so many records a second; what is over is counted and said.
    pub tail_records: u64,
    /// The executable of `sawlog-agent` that `/bin/sawlog-agent` gives.
    pub agent: Option<PathBuf>,
    /// A listener for Meniscus's API alone.
    pub meniscus: Option<MeniscusListener>,
    /// A silent live tail sends a comment so often, so that both ends know that the other is there.
    pub tail_beat: Duration,
}

/// A listener for Meniscus's API alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeniscusListener {
    /// Which `Host` headers are answered there.
    pub hosts: Hosts,
    /// Whether everybody who reaches it may make tenants, and see and change their tokens and producers, as that API had it.
    pub open: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            version: env!("CARGO_PKG_VERSION"),
            hosts: Hosts::Loopback,
            body_bytes: 64 << 20,
            body_idle: Duration::from_secs(30),
            query_time: Duration::from_secs(60),
            queries: 16,
            tail_records: 2_000,
            agent: None,
            meniscus: None,
            tail_beat: Duration::from_secs(15),
        }
    }
}

/// Everything that a node answers over HTTP, and what [`Settings::meniscus`] asks for. Give each to [`serve`], or call it
/// directly in tests.
pub fn routers(node: Node) -> (Router, Option<Router>) {
    api::routers(node)
}
