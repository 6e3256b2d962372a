//! Where inputs deliver.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use sawlog_model::{Access, Batch, KnownSource, Limits, Over, Position, Source, SourceId, TOKEN, Tenant};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Stop};
use tokio::sync::oneshot;

use crate::config::Overflow;
use crate::core::{Core, Done, Job};
use crate::count::Counters;
use crate::graph::Walk;
use crate::lane::{Asked, Lane};
use crate::notes::Note;
use crate::payload::Item;
use crate::pipeline::permits;
use crate::tap::Tap;
use crate::{Origin, TagPattern, lock};

/// Whose limits hold for rows: a tenant's, and those of the token that they came with.
type Party = (Tenant, Option<Arc<str>>);

/// What an input, filter or output is given beside its options.
#[derive(Clone)]
pub struct Env {
    /// What it is called: its `id` in the configuration, else its kind, with a number where there are several. Unique among
    /// the outputs of a node; what an output keeps on disk of its own is told apart by it.
    pub name: Arc<str>,
    /// The outside.
    pub sys: Sys,
    /// Directory of the node's data, where outputs may have directories of their own.
    pub dir: PathBuf,
    /// Where it may start asynchronous tasks.
    pub runtime: tokio::runtime::Handle,
    /// Bounds for what it decodes.
    pub limits: Limits,
    /// When to stop.
    pub stop: Stop,
    /// Who may send.
    pub access: Arc<dyn Access>,
}

impl Env {
    /// The same for the part of that name.
    pub fn named(&self, name: &str) -> Env {
        Env { name: name.into(), ..self.clone() }
    }
}

/// An input, ready to be started.
pub trait Input: Send {
    /// Starts it: takes its socket or files and goes on in threads or tasks of its own until `env.stop`.
    ///
    /// # Errors
    /// In words, with the remedy.
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String>;
}

/// A started input.
pub struct Running {
    /// The address it listens on, where it does.
    pub address: Option<SocketAddr>,
    /// Waits until it has stopped, after `env.stop` was requested.
    pub join: Box<dyn FnOnce() + Send>,
}

/// Delivery failed: the rows are not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeliveryError {
    /// The node stops.
    #[error("this node is stopping; send again later")]
    Stopping,
    /// The journal cannot be written.
    #[error("{0}")]
    Journal(#[from] sawlog_journal::JournalError),
    /// An output refuses.
    #[error("{0}")]
    Output(String),
    /// The tenant is at a limit, and the input does not wait.
    #[error("{0}")]
    Limited(Over),
}

/// What becomes of rows of a tenant that is at a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Excess {
    /// They wait, and with them their sender, who is not read from.
    Wait,
    /// The sender is told.
    Refuse,
    /// They are dropped and counted, since nobody can be told and waiting would be at others' cost.
    Drop,
}

/// The entrance of the pipeline; cheap to clone. It also counts: protocols count nothing by hand but errors.
#[derive(Clone)]
pub struct Intake {
    core: Arc<Core>,
    counters: Arc<Counters>,
    label: Arc<str>,
    excess: Excess,
    /// Id of the token that its senders act by, where a batch says no other.
    token: Option<Arc<str>>,
}

/// Longest that a tenant's limit is waited for before it is asked again.
const LIMIT_AGAIN: Duration = Duration::from_secs(1);

/// Longest that a pipeline without late journaling asks an output that says "later", and the shortest and longest wait
/// between.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// How often is looked whether a full queue has room again.
const FULL_RETRY: Duration = Duration::from_millis(20);

impl Intake {
    pub(crate) fn new(core: Arc<Core>, counters: Arc<Counters>) -> Self {
        Intake { core, counters, label: Arc::default(), excess: Excess::Wait, token: None }
    }

    /// The same for an input whose rows go to the steps of that label.
    pub fn labelled(&self, label: &str) -> Intake {
        Intake { label: label.into(), ..self.clone() }
    }

    /// The same for senders who act by the token of that id: its limits hold for what they bring.
    pub fn by(&self, token: Option<Arc<str>>) -> Intake {
        Intake { token, ..self.clone() }
    }

    /// The same for an input that can tell its sender: rows of a tenant that is at a limit are not waited for, but refused with
    /// [`DeliveryError::Limited`].
    pub fn refusing(&self) -> Intake {
        Intake { excess: Excess::Refuse, ..self.clone() }
    }

    /// The same for an input whose senders do not wait and share it: rows of a tenant that is at a limit are dropped and counted
    /// as `limited`.
    pub fn dropping(&self) -> Intake {
        Intake { excess: Excess::Drop, ..self.clone() }
    }

    /// Asks whether a tenant may bring these rows with a token, so many records and bytes.
    fn bring<'a>(
        &self,
        (tenant, token): (Tenant, Option<&str>),
        mut batches: impl Iterator<Item = &'a Batch>,
        (records, bytes): (u64, u64),
    ) -> Result<(), Over> {
        let Some(meter) = &self.core.options.meter else { return Ok(()) };
        batches.try_for_each(|batch| meter.names(token, batch))?;
        meter.bring(tenant, token, records, bytes)
    }

    /// Whose a batch is, and the token that it came with.
    fn of<'a>(&'a self, batch: &'a Batch) -> (Tenant, Option<&'a Arc<str>>) {
        (batch.tenant, batch.token.as_ref().or(self.token.as_ref()))
    }

    /// The batch as it is kept: with its token's id where it is kept as that says.
    fn marked(&self, batch: Arc<Batch>) -> Arc<Batch> {
        let marks =
            |token: &&Arc<str>| self.core.options.meter.as_ref().is_some_and(|meter| meter.marks(token));
        let Some(token) = self.of(&batch).1.filter(marks).cloned() else { return batch };
        let mut marked = Arc::unwrap_or_clone(batch);
        Arc::make_mut(&mut marked.context).set(TOKEN, &*token);
        Arc::new(marked)
    }

    /// Says once why a sender waits.
    fn tell_wait(&self, told: &mut bool, records: u64, over: &Over) {
        if !std::mem::replace(told, true) {
            self.count_errors("limited", records, &format!("waiting: {}", over.reason));
        }
    }

    /// Lets only those items pass whose tenants may bring them now; waits where this input does.
    async fn metered(&self, items: &mut Vec<Item>) -> Result<(), DeliveryError> {
        if self.core.options.meter.is_none() {
            return Ok(());
        }
        let mut brought: BTreeMap<Party, (u64, u64)> = BTreeMap::new();
        for batch in items.iter().map(|item| &item.batch) {
            let (tenant, token) = self.of(batch);
            let (records, bytes) = brought.entry((tenant, token.cloned())).or_default();
            *records += batch.rows.len() as u64;
            *bytes += batch.raw_len();
        }
        for ((tenant, token), (records, bytes)) in brought {
            let mut told = false;
            let is_theirs = |item: &Item| self.of(&item.batch) == (tenant, token.as_ref());
            while let Err(over) = {
                let theirs = items.iter().filter(|item| is_theirs(item)).map(|item| &*item.batch);
                self.bring((tenant, token.as_deref()), theirs, (records, bytes))
            } {
                match self.excess {
                    Excess::Wait if lock(&self.core.inbox).closed => return Err(DeliveryError::Stopping),
                    Excess::Wait => {
                        self.tell_wait(&mut told, records, &over);
                        tokio::time::sleep(over.wait.min(LIMIT_AGAIN)).await;
                    }
                    Excess::Refuse => return Err(DeliveryError::Limited(over)),
                    Excess::Drop => {
                        self.count_errors("limited", records, &over.reason);
                        items.retain(|item| !is_theirs(item));
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Delivers rows of a file that can be read again from its committed position. Blocks while the pipeline is behind.
    /// Rows not committed within a second are journaled by the pipeline. Rows of one source must be offered one after
    /// the other. Not to be called from asynchronous code.
    ///
    /// # Errors
    /// [`DeliveryError`]; the rows may be offered again.
    pub fn offer(&self, batch: Batch, position: Position) -> Result<(), DeliveryError> {
        self.offer_shared(Arc::new(batch), position)
    }

    /// As [`Intake::offer`], for who keeps the rows to offer them again after an error.
    ///
    /// # Errors
    /// As [`Intake::offer`].
    pub fn offer_shared(&self, batch: Arc<Batch>, position: Position) -> Result<(), DeliveryError> {
        let batch = self.marked(batch);
        let mut item = Item {
            batch,
            position: Some(position.clone()),
            late: None,
            label: self.label.clone(),
            key: None,
            only: None,
            encoded: None,
        };
        let (records, bytes) = (item.batch.rows.len() as u64, item.batch.raw_len());
        let mut told = false;
        while let Err(over) = {
            let (tenant, token) = self.of(&item.batch);
            let batches = std::iter::once(&*item.batch);
            self.bring((tenant, token.map(|token| &**token)), batches, (records, bytes))
        } {
            if lock(&self.core.inbox).closed {
                return Err(DeliveryError::Stopping);
            }
            self.tell_wait(&mut told, records, &over);
            task::sleep(over.wait.min(LIMIT_AGAIN));
        }
        let passage = self.core.straight.enter();
        let taker = match &passage {
            Some(_) => self.offer_straight(&mut item, &position)?,
            None => None,
        };
        if let Some(taker) = taker {
            self.core.taps.show(&item.batch);
            self.counters.passed(&item.batch);
            if self.core.options.late_after.is_some() {
                item.late = Some(taker);
                self.core.remember(item);
            }
            return Ok(());
        }
        drop(passage);
        let items = vec![item];
        while self.has_to_wait(&items)? {
            task::sleep(FULL_RETRY);
        }
        self.counters.passed(&items[0].batch);
        self.wait_for(|done| Job::Rows { items, notes: Vec::new(), taken: false, done })
    }

    /// Whether the queue of an output on the way of these items is full and its sender is to wait.
    fn has_to_wait(&self, items: &[Item]) -> Result<bool, DeliveryError> {
        match self.core.overflow(items) {
            _ if lock(&self.core.inbox).closed => Err(DeliveryError::Stopping),
            None => Ok(false),
            Some((name, Overflow::Refuse)) => {
                Err(DeliveryError::Output(format!("the queue of the output {name} is full")))
            }
            Some(_) => Ok(true),
        }
    }

    /// Gives rows to the only output on their way; its name. `None` where they have to go by the journal, since it is behind,
    /// there are several, or it refuses what is left in the item: a dead letter is known by its journal frame.
    fn offer_straight(
        &self,
        item: &mut Item,
        position: &Position,
    ) -> Result<Option<Arc<str>>, DeliveryError> {
        let route = self.core.graphs.current().route(&item.label, &item.batch);
        let lane = route.only_output().and_then(|name| self.core.lane(name));
        let Some(lane) = lane else { return Ok(None) };
        let walk = Walk::new(route, &item.batch);
        let patience = self.core.options.late_after.unwrap_or(PATIENCE);
        let began = self.core.sys.clock.monotonic();
        let mut wait = RETRY.0;
        loop {
            if lock(&self.core.inbox).closed {
                return Err(DeliveryError::Stopping);
            }
            if !lane.is_straight() || self.core.straight.is_closed() {
                return Ok(None);
            }
            match lane.take(item, &walk, Origin::Replayable(position.clone())) {
                Asked::Later => {}
                Asked::Refused(refused) if self.core.options.late_after.is_some() => {
                    item.batch = refused.of(&item.batch);
                    return Ok(None);
                }
                taken => {
                    if let Asked::Refused(refused) = taken {
                        lane.counters.errors("refused", refused.rows, &refused.reason);
                    }
                    self.core.count_unmatched(item, walk.route());
                    return Ok(Some(lane.name.clone()));
                }
            }
            if self.core.sys.clock.monotonic() >= began + patience {
                if self.core.options.late_after.is_some() {
                    return Ok(None);
                }
                return Err(DeliveryError::Output(lane.counters.last_error()));
            }
            task::sleep(wait);
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Hands the writer a job and waits for its end.
    fn wait_for(&self, job: impl FnOnce(Done) -> Job) -> Result<(), DeliveryError> {
        let (tell, told) = mpsc::sync_channel(1);
        self.core.enqueue(job(Box::new(move |result| {
            // Nobody is there to be told only where the waiting thread has died.
            let _ = tell.send(result);
        })));
        told.recv().unwrap_or(Err(DeliveryError::Stopping))
    }

    /// Makes durable what was offered of a source (its file was renamed, unlinked or truncated); blocks until it is.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn settle(&self, source: SourceId) -> Result<(), DeliveryError> {
        if self.core.options.late_after.is_none() {
            let flush = |lane: &Arc<Lane>| lane.output.flush();
            let flushed = self.core.lanes().iter().try_for_each(flush);
            return flushed.map_err(|error| DeliveryError::Output(error.to_string()));
        }
        self.wait_for(|done| Job::Settle { source, done })
    }

    /// Makes positions durable that no rows carry: a new epoch before its first byte is delivered, a new source before
    /// another node hears of it. Blocks until they are. A source at its very beginning is left out where all outputs
    /// keep positions: there its id is committed with its first rows or not at all.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub fn record(&self, mut sources: Vec<KnownSource>) -> Result<(), DeliveryError> {
        if self.core.lanes().iter().all(|lane| lane.keeps) {
            sources.retain(|known| known.position.mark() != (0, 0));
        }
        if sources.is_empty() {
            return Ok(());
        }
        self.wait_for(|done| Job::Record { sources, done })
    }

    /// Makes the ids of sources durable whose rows have no positions (a network's), so that they are found again by their
    /// names in [`Intake::known_sources`], after a restart too.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn record_names(&self, sources: Vec<Source>) -> Result<(), DeliveryError> {
        let (tell, told) = oneshot::channel();
        let known = |source| KnownSource { source, position: Position::default() };
        let done: Done = Box::new(move |result| {
            // Who asked is there to be told, or has ended with its connection.
            let _ = tell.send(result);
        });
        self.core.enqueue(Job::Record { sources: sources.into_iter().map(known).collect(), done });
        told.await.unwrap_or(Err(DeliveryError::Stopping))
    }

    /// Forgets a source of which nothing more can come: its file is gone and nothing continues it. Without this the
    /// journal keeps the positions of sources for ever on a node whose outputs keep none.
    pub fn forget(&self, source: SourceId) {
        lock(&self.core.known).forget(source);
    }

    /// Delivers rows that cannot be read again; they are on stable storage when it returns, and only then may the sender
    /// be told so. Offsets are given here, from the journal's position.
    ///
    /// # Errors
    /// [`DeliveryError`]; nothing is acknowledged.
    pub async fn submit(&self, batches: Vec<Batch>) -> Result<(), DeliveryError> {
        let items = batches.into_iter().filter(|batch| !batch.rows.is_empty());
        self.submit_items(items.map(|batch| self.item(batch, None, None)).collect(), None).await
    }

    /// Like [`Intake::submit`], for messages that their senders repeat under the same key until they are acknowledged. The
    /// keys are journaled with the rows; [`Intake::known_keys`] gives them back after a restart.
    ///
    /// # Errors
    /// As [`Intake::submit`].
    pub async fn submit_keyed(&self, batches: Vec<(Batch, Option<u128>)>) -> Result<(), DeliveryError> {
        let batches = batches.into_iter().filter(|(batch, _)| !batch.rows.is_empty());
        self.submit_items(batches.map(|(batch, key)| self.item(batch, None, key)).collect(), None).await
    }

    /// Like [`Intake::submit`], with a note that is journaled in the same append as the rows: both are there after a crash,
    /// or neither is. [`Intake::note`] gives it back after a restart. Without rows only the note is written.
    ///
    /// # Errors
    /// As [`Intake::submit`].
    pub async fn submit_noted(&self, batches: Vec<Batch>, note: Note) -> Result<(), DeliveryError> {
        let items = batches.into_iter().filter(|batch| !batch.rows.is_empty());
        self.submit_items(items.map(|batch| self.item(batch, None, None)).collect(), Some(note)).await
    }

    /// The last note of that name.
    pub fn note(&self, name: &str) -> Option<bytes::Bytes> {
        lock(&self.core.notes).get(name)
    }

    /// The end of the journal: all that was submitted so far stands below it.
    pub fn journaled(&self) -> sawlog_journal::Lsn {
        self.core.journal.end()
    }

    /// Keys of the last messages that were taken, oldest first.
    pub fn known_keys(&self) -> Vec<u128> {
        lock(&self.core.seen).iter().collect()
    }

    /// Like [`Intake::submit`], for rows that have addresses already: those of another node's file, with where that file
    /// stands after each batch. [`Intake::known_sources`] gives the positions back.
    ///
    /// # Errors
    /// As [`Intake::submit`].
    pub async fn submit_addressed(&self, batches: Vec<(Batch, Position)>) -> Result<(), DeliveryError> {
        self.submit_encoded(batches.into_iter().map(|(batch, position)| (batch, position, None)).collect())
            .await
    }

    /// Like [`Intake::submit_addressed`], for batches that came encoded: what [`sawlog_model::frame::after_tenant`] gives of
    /// the bytes that the batch was read from goes into the journal as it is.
    ///
    /// # Errors
    /// As [`Intake::submit`].
    pub async fn submit_encoded(
        &self,
        batches: Vec<(Batch, Position, Option<Bytes>)>,
    ) -> Result<(), DeliveryError> {
        let item = |(batch, position, encoded)| {
            let item = self.item(batch, Some(position), None);
            // What it was encoded from says nothing of the token.
            let encoded = if item.batch.context.get(TOKEN).is_some() { None } else { encoded };
            Item { encoded, ..item }
        };
        self.submit_items(batches.into_iter().map(item).collect(), None).await
    }

    fn item(&self, batch: Batch, position: Option<Position>, key: Option<u128>) -> Item {
        let (label, batch) = (self.label.clone(), self.marked(Arc::new(batch)));
        Item { batch, position, late: None, label, key, only: None, encoded: None }
    }

    async fn submit_items(&self, mut items: Vec<Item>, note: Option<Note>) -> Result<(), DeliveryError> {
        self.metered(&mut items).await?;
        if items.is_empty() && note.is_none() {
            return Ok(());
        }
        while self.has_to_wait(&items)? {
            tokio::time::sleep(FULL_RETRY).await;
        }
        let weight = items.iter().map(|item| item.batch.weight()).sum();
        let most = permits(self.core.options.in_flight_bytes);
        let permit = self.core.permits.clone().acquire_many_owned(permits(weight).min(most)).await;
        let permit = permit.map_err(|_| DeliveryError::Stopping)?;
        items.iter().for_each(|item| self.counters.passed(&item.batch));
        let (tell, told) = oneshot::channel();
        let done: Done = Box::new(move |result| {
            drop(permit);
            // A sender that went away in the meantime is not told.
            let _ = tell.send(result);
        });
        let notes = note.into_iter().collect();
        self.core.enqueue(Job::Rows { items, notes, taken: true, done });
        told.await.unwrap_or(Err(DeliveryError::Stopping))
    }

    /// Sources that are known, with the position from which each is to be read on.
    pub fn known_sources(&self) -> Vec<KnownSource> {
        self.core.known_sources()
    }

    /// Looks on at all rows that the node accepts, whatever input they came by, from now on.
    pub fn tap(&self) -> Tap {
        self.core.taps.subscribe(TagPattern::all())
    }

    /// Counts records, of those submitted, of a sender that is told nothing, where others of this input are.
    pub fn count_best_effort(&self, records: u64) {
        self.counters.best_effort(records);
    }

    /// Counts something that went wrong with what a peer or file gave; `reason` is one of few fixed words (it becomes a
    /// label of `/metrics`), `detail` the last one's words.
    pub fn count_error(&self, reason: &'static str, detail: &str) {
        self.counters.error(reason, detail);
    }

    /// As [`Intake::count_error`], for something that happened `count` times.
    pub fn count_errors(&self, reason: &'static str, count: u64, detail: &str) {
        self.counters.errors(reason, count, detail);
    }
}
