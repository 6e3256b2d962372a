//! Application events for sawlog: what a program does, as typed records with a start, an end and a body, in trees. They are
//! queued in memory, sent by a thread of this crate's own over the forward protocol, and held until the receiver has
//! acknowledged them. Knows nothing of sawlog's insides: any receiver of the forward protocol will do.
//!
//! ```no_run
//! # fn render() {}
//! fn main() -> Result<(), sawlog_client::ConfigureError> {
//!     let _events = sawlog_client::configure("127.0.0.1:24224")?; // sends what waits when main ends
//!
//!     let request = sawlog_client::context("request");
//!     request.set("user", 7);
//!     {
//!         let _sql = sawlog_client::context(".sql"); // request.sql, with the id of the request
//!         sawlog_client::set("query", "SELECT 1"); // into the current context
//!     }
//!     {
//!         let _time = sawlog_client::timeit("render"); // seconds, in the body of the request
//!         render();
//!     }
//!     Ok(())
//! }
//! ```
//!
//! Until [`configure`] is called nothing is sent, and everything here costs a few nanoseconds.
//!
//! # Names
//!
//! `.sub` is below the current context, `^.sub` below the outermost; any other name is absolute, and belongs to the context
//! around it whose name is the beginning of its own, or the same. Where `sub` stands in the name already, it is put there:
//! `.sql` within `request.sql.retry` is `request.sql`. Below a context an event has its id.
//!
//! # Threads and futures
//!
//! Each thread has a current context of its own. A future takes one along with [`Event::follow`] and [`Context::carry`]; do
//! not hold an [`Entered`] over an `.await` (the compiler refuses it for tasks that may move between threads).
//!
//! # What is sent
//!
//! An event arrives with its name as tag, its end as time, and the record `type`, `id` (of the whole tree), `span` and
//! `parent` (16 hex digits; `parent` is absent at the top), `host`, `pid`, `start` and `end` (seconds since 1970), `body`.
//!
//! The application never waits for the network. What does not fit into [`Options::queue_bytes`] is dropped and counted
//! ([`stats`], and an event `sawlog.dropped`). A chunk that was not acknowledged is sent again under the same id, by which
//! sawlog takes it once; while the receiver is away it is tried every 0.1 s to 10 s.
//!
//! # Forks
//!
//! The child of a fork gets an empty queue, a thread and random numbers of its own with its first event; the parent sends
//! what was its. Fork before other threads use this crate: a lock that one of them holds is never free in the child.
//! `_exit` runs no destructors: call [`flush`] before it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a library of other people's programs, which names nothing of ours"
)]

mod answer;
mod body;
mod chance;
mod configure;
mod context;
mod fork;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod layer;
mod names;
mod queue;
mod record;
mod sender;
#[cfg(test)]
mod tests;
mod value;

pub use configure::{
    ConfigureError, Guard, Options, configure, configure_from_env, flush, record_with, shutdown, stats,
};
pub use context::{
    Builder, Carried, Context, Entered, Event, Scope, Timer, add, append, begin, clear_contexts, context,
    current_context, find_context, log, set, timeit,
};
pub use forward::{Connect, Stream, tcp};
pub use layer::Layer;
pub use queue::Stats;
pub use record::Finished;
pub use value::{Key, Value};
