//! Reads a directory on which no node runs: segments, and what its journal holds beyond them.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Error, Result, bail};
use futures::StreamExt;
use sawlog_journal::Journal;
use sawlog_model::{Access, Nanos, Normalizers, Tenant, TimeRange};
use sawlog_query::{Answer, Engine, Request};
use sawlog_server::Tenancy;
use sawlog_server::events::{self, Ask};
use sawlog_store::{Options, Store};
use sawlog_sys::{Sys, task};
use tokio::runtime::Runtime;

use super::times;
use crate::reach;
use crate::store_output::StoreOutput;

/// What is asked.
pub(crate) enum Question {
    /// A search with its pipes.
    Search {
        /// The query.
        query: String,
        /// From this time on.
        since: Option<String>,
        /// Before this time.
        until: Option<String>,
        /// At most so many rows.
        limit: Option<usize>,
        /// Parsers that the query may name.
        normalizers: Normalizers,
    },
    /// An SQL statement.
    Sql(String),
}

/// The store of a directory on which no node runs: nothing in the directory is changed.
pub(crate) fn open_for_reading(sys: &Sys, data: &Path) -> Result<Store> {
    let store = open_segments(sys, data)?;
    take_journal(sys, data, &store)?;
    Ok(store)
}

/// The store of a directory on which no node runs, to be changed: what was only in the journal is in segments, too, or a change of
/// all there is would leave it out and it would be back at the next start.
///
/// # Errors
/// Where a node runs, or as the disk says.
pub(crate) fn open_whole(sys: &Sys, data: &Path) -> Result<Store> {
    task::share_one_heap();
    task::keep_memory();
    let store = Store::open(sys, data, Options::default())?;
    take_journal(sys, data, &store)?;
    store.flush()?;
    Ok(store)
}

/// Gives the store what the journal holds beyond the segments.
fn take_journal(sys: &Sys, data: &Path, store: &Store) -> Result<()> {
    let journal = data.join("journal");
    if sys.fs.metadata(&journal).is_ok() {
        let output = StoreOutput::new(store.clone());
        for frame in Journal::read_only(sys, &journal)? {
            sawlog_pipeline::replay(frame?, &output)?;
        }
    }
    Ok(())
}

/// Deletes what a search finds, with its bytes; returns how many events.
pub(crate) fn delete(
    sys: &Sys,
    data: &Path,
    query: &str,
    since: Option<String>,
    until: Option<String>,
) -> Result<u64> {
    if query.trim().is_empty() {
        bail!("what to delete is not said; `*` is everything");
    }
    let now = sys.clock.now();
    let (predicate, of_query) = sawlog_query::predicate(query, now)?;
    let wanted = range(since, until, now)?.intersect(&of_query);
    Ok(open_whole(sys, data)?.delete(Tenant::DEFAULT, wanted, &predicate)?)
}

/// For whom a directory is read: the tenant that the environment names, else the one that owns the node.
pub(crate) fn tenant(sys: &Sys, data: &Path) -> Result<Tenant> {
    let Some(name) = reach::tenant() else { return Ok(Tenant::DEFAULT) };
    let tenancy = Tenancy::open(sys, data).map_err(Error::msg)?;
    tenancy.tenant(&name).with_context(|| format!("there is no tenant {name:?} in {}", data.display()))
}

/// What is in segments; a node may run on the directory.
pub(crate) fn open_segments(sys: &Sys, data: &Path) -> Result<Store> {
    if sys.fs.metadata(data).is_err() {
        bail!("there is no {}; import logs into it, or name another with --data", data.display());
    }
    // One question reads most parts once: memory that is used again is faster than more of it.
    task::share_one_heap();
    task::keep_memory();
    let options =
        Options { read_only: true, cache_bytes: 24 << 20, one_question: true, ..Options::default() };
    Ok(Store::open(sys, data, options)?)
}

/// The answer as lines of JSON, found as they are read.
pub(crate) fn ask(sys: &Sys, data: &Path, question: Question) -> Result<impl Read + use<>> {
    let store = open_for_reading(sys, data)?;
    let runtime = task::runtime("query", 2).context("cannot start threads")?;
    let now = sys.clock.now();
    let answer = runtime.block_on(start(store, tenant(sys, data)?, question, now))?;
    Ok(AnswerReader { runtime, answer, buffer: Vec::new(), taken: 0 })
}

async fn start(store: Store, tenant: Tenant, question: Question, now: Nanos) -> Result<Answer> {
    let engine = Engine::new(store);
    Ok(match question {
        Question::Sql(statement) => engine.sql(tenant, &statement, now).await?,
        Question::Search { query, since, until, limit, normalizers } => {
            let range = range(since, until, now)?;
            let engine = engine.with_normalizers(normalizers);
            engine.search(Request { tenant, query, range, limit, now }).await?
        }
    })
}

/// Which trees of application events are wanted; as [`sawlog_server::events::Ask`], with times as people give them.
pub(crate) struct EventsQuestion {
    /// Types with `*` for any part, with commas between several.
    pub(crate) types: String,
    /// The one tree that has this id.
    pub(crate) id: Option<String>,
    /// From this time on.
    pub(crate) since: Option<String>,
    /// Before this time.
    pub(crate) until: Option<String>,
    /// At most so many trees.
    pub(crate) limit: usize,
}

/// Trees of application events, a line of JSON each.
pub(crate) fn ask_events(sys: &Sys, data: &Path, question: EventsQuestion) -> Result<impl Read + use<>> {
    let store = open_for_reading(sys, data)?;
    let runtime = task::runtime("query", 2).context("cannot start threads")?;
    let now = sys.clock.now();
    let EventsQuestion { types, id, since, until, limit } = question;
    let ask = Ask { tenant: tenant(sys, data)?, types, id, range: range(since, until, now)?, limit, now };
    let trees = runtime.block_on(events::trees(&Engine::new(store), &ask))?;
    let lines: String = trees.into_iter().map(|tree| format!("{tree}\n")).collect();
    Ok(io::Cursor::new(lines))
}

fn range(since: Option<String>, until: Option<String>, now: Nanos) -> Result<TimeRange> {
    let start = since.map_or(Ok(i64::MIN), |text| times::read(&text, now))?;
    let end = until.map_or(Ok(i64::MAX), |text| times::read(&text, now))?;
    Ok(TimeRange { start, end })
}

struct AnswerReader {
    runtime: Runtime,
    answer: Answer,
    buffer: Vec<u8>,
    taken: usize,
}

impl Read for AnswerReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
            match self.runtime.block_on(self.answer.batches.next()) {
                None => return Ok(0),
                Some(batch) => {
                    sawlog_query::write_ndjson(&batch.map_err(io::Error::other)?, &mut self.buffer)
                }
            }
        }
        let len = into.len().min(self.buffer.len() - self.taken);
        into[..len].copy_from_slice(&self.buffer[self.taken..][..len]);
        self.taken += len;
        Ok(len)
    }
}
