//! One connection of a peer: bytes are read and prepared while what came before is on its way to stable storage; answers
//! go out in the order of the messages. Knows nothing of listening.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use sawlog_model::{Batch, Right};
use sawlog_pipeline::DecodeError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use super::prepare::{Peer, Prepared, Streams, Work, prepare};
use super::{Shared, auth};
use crate::forward::frame::Framer;
use crate::forward::rows;
use crate::shared::budget::Charge;
use crate::shared::stream::{self, Stream, Writer};
use crate::shared::window::Ticket;

/// Bytes that there is room for at least when more of a message is read.
pub(super) const READ: usize = 64 << 10;

/// Most room for a message of which nothing has come yet but its beginning, for a peer whose last one was so long.
const ROOM: usize = 1 << 20;

/// Bytes of the next message that are read with the end of a long one: what is there of it then has to be copied.
const AHEAD: usize = 4 << 10;

/// Bytes that a connection without a message under way waits with: ten thousand idle ones must not hold buffers.
const FIRST: usize = 256;

/// Messages that wait for delivery on one connection.
const WAITING: usize = 64;

/// Bytes that are delivered by one call: what waits while an fsync is under way goes with the next one.
const GROUP: usize = 8 << 20;

/// Bytes of a connection that are read and not delivered yet, those under way included, in KiB: a sender that waits for no
/// answers would else fill the memory that all connections share.
const UNDER_WAY: usize = 6 << 10;

/// Batches above this are not put together: their heads are small beside their rows, which would be copied.
const JOINED: usize = 64 << 10;

/// Messages above this are read on a thread for long work.
const LONG_WORK: usize = 1 << 20;

/// After such a silence of a peer, memory that waits to be used again is given back.
const QUIET: Duration = Duration::from_secs(1);

/// Longest silence within a message, and longest wait for a peer that does not read its answers.
const STALLED: Duration = Duration::from_secs(60);

/// Longest wait for the name of a peer.
const RESOLVED: Duration = Duration::from_secs(5);

/// Why a connection ended, for counters: a fixed word, and words.
pub(super) type End = (&'static str, String);

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Fault((error.reason, error.to_string()))
    }
}

/// A connection cannot go on.
#[derive(Debug)]
pub(super) struct Fault(pub End);

pub(super) fn fault(reason: &'static str, what: impl std::fmt::Display) -> Fault {
    Fault((reason, what.to_string()))
}

/// Serves a connection until its end, after the bytes `first` that were read of it already, and counts what went wrong.
pub(super) async fn serve(
    mut stream: Stream,
    first: BytesMut,
    host: String,
    address: Option<IpAddr>,
    shared: Arc<Shared>,
) {
    let done = async {
        let mut framer = Framer::new(shared.env.limits);
        *framer.buffer() = first;
        if let Some(security) = &shared.settings.security {
            auth::admit(&mut stream, &mut framer, security, address, &shared).await?;
        }
        let credential = shared.settings.credential.as_bytes();
        let tenant =
            shared.env.access.admit(credential, Right::Ingest).map_err(|error| fault("denied", error))?;
        let name = match address.filter(|_| shared.settings.resolves) {
            Some(address) => name_of(address).await,
            None => None,
        };
        let name = name.unwrap_or_else(|| host.clone());
        let peer = Peer { host: host.clone(), name, tenant, json: false };
        exchange(stream, framer, peer, &shared).await
    };
    if let Err(Fault((reason, what))) = done.await {
        shared.intake.count_error(reason, &format!("{host}: {what}"));
    }
}

/// The name of an address, where the resolver knows it soon enough.
async fn name_of(address: IpAddr) -> Option<String> {
    let asked = tokio::task::spawn_blocking(move || sawlog_sys::net::name_of(address));
    timeout(RESOLVED, asked).await.ok()?.ok()?
}

type Queued = (Prepared, Charge, OwnedSemaphorePermit);

async fn exchange(stream: Stream, framer: Framer, peer: Peer, shared: &Arc<Shared>) -> Result<(), Fault> {
    let (read, write) = stream.split();
    let (queue, waiting) = mpsc::channel(WAITING);
    let delivery = tokio::spawn(deliver(waiting, write, shared.clone()));
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    let (shared, streams) = (shared.clone(), Streams::default());
    let reader = Reader { read, framer, peer, shared, streams, queue, room, last: 0 };
    let read = reader.run().await;
    // What was prepared before the end is delivered and answered all the same.
    let delivered = delivery.await.map_err(|error| fault("failed", error))?;
    read.and(delivered)
}

struct Reader {
    read: stream::Reader,
    framer: Framer,
    peer: Peer,
    shared: Arc<Shared>,
    streams: Streams,
    queue: mpsc::Sender<Queued>,
    /// For messages that are queued.
    room: Arc<Semaphore>,
    /// Bytes of the last message.
    last: usize,
}

impl Reader {
    async fn run(mut self) -> Result<(), Fault> {
        let mut charge = self.shared.budget.charge();
        let mut stop = self.shared.stop.clone();
        let queue = self.queue.clone();
        loop {
            while let Some(bytes) = self.framer.next_message()? {
                self.peer.json = self.framer.is_json();
                self.last = bytes.len();
                if self.last > READ {
                    self.shared.recycle.keep(&bytes);
                }
                self.message(bytes, &mut charge).await?;
                if self.shared.settings.deny_keepalive {
                    return Ok(());
                }
            }
            if self.framer.held() == 0 {
                // An idle connection holds no memory.
                *self.framer.buffer() = BytesMut::new();
            }
            charge.set(self.framer.held()).await.map_err(|error| fault("busy", error))?;
            let more = tokio::select! {
                more = self.fill(&mut charge) => more?,
                _ = stop.wait_for(|stop| *stop) => false,
                () = queue.closed() => false,
            };
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads what is there; `false` at the end.
    async fn fill(&mut self, charge: &mut Charge) -> Result<bool, Fault> {
        let lost = |error| fault("connection", error);
        if self.framer.held() == 0 {
            let mut first = [0; FIRST];
            if self.last > READ
                && let Ok(read) = timeout(QUIET, self.read.read(&mut first)).await
            {
                let count = read.map_err(lost)?;
                self.framer.buffer().extend_from_slice(&first[..count]);
                return Ok(count > 0);
            }
            if self.last > READ {
                self.shared.recycle.clear();
                self.shared.lines.clear();
                self.last = 0;
            }
            let count = self.read.read(&mut first).await.map_err(lost)?;
            self.framer.buffer().extend_from_slice(&first[..count]);
            return Ok(count > 0);
        }
        let ahead = if self.last > READ { AHEAD } else { READ };
        let (held, lacks) = (self.framer.held(), self.framer.lacks().max(ahead));
        let room = lacks.min(READ.max(held).max(self.last.min(ROOM)));
        charge.set(held + room).await.map_err(|error| fault("busy", error))?;
        if room > READ {
            self.recycle(held + room);
        }
        let buffer = self.framer.buffer();
        buffer.reserve(room);
        let read = timeout(STALLED, self.read.read_buf(&mut buffer.limit(lacks))).await;
        match read.map_err(|_| fault("stalled", "silent in the middle of a message"))?.map_err(lost)? {
            0 => Err(fault("cut_off", "closed in the middle of a message")),
            _ => Ok(true),
        }
    }

    /// Puts what is there of a message into memory that is used again, where it is to be put elsewhere anyway.
    fn recycle(&mut self, len: usize) {
        let held = self.framer.buffer();
        if held.capacity() >= len {
            return;
        }
        if let Some(mut buffer) = self.shared.recycle.take() {
            buffer.extend_from_slice(held);
            *held = buffer;
        }
    }

    /// Prepares a message and queues it.
    async fn message(&mut self, bytes: Bytes, charge: &mut Charge) -> Result<(), Fault> {
        let prepared = if bytes.len() < LONG_WORK {
            prepare(&self.shared, &self.peer, &mut self.streams, &bytes)
        } else {
            let (shared, peer) = (self.shared.clone(), self.peer.clone());
            let mut streams = std::mem::take(&mut self.streams);
            let work = tokio::task::spawn_blocking(move || {
                let prepared = prepare(&shared, &peer, &mut streams, &bytes);
                (prepared, streams)
            });
            let (prepared, streams) = work.await.map_err(|error| fault("failed", error))?;
            self.streams = streams;
            prepared
        };
        let Some(prepared) = prepared? else { return Ok(()) };
        let mut own = charge.take();
        own.set(prepared.weight).await.map_err(|error| fault("busy", error))?;
        let units = prepared.weight.div_ceil(1024).min(UNDER_WAY) as u32;
        let room = self.room.clone().acquire_many_owned(units).await;
        let room = room.map_err(|error| fault("failed", error))?;
        // Where the delivery has failed nobody takes it; its own error says why.
        let _ = self.queue.send((prepared, own, room)).await;
        Ok(())
    }
}

/// Delivers and answers what is queued, until the queue ends or something cannot be delivered.
async fn deliver(
    mut waiting: mpsc::Receiver<Queued>,
    mut write: Writer,
    shared: Arc<Shared>,
) -> Result<(), Fault> {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(first) => first,
            None => match waiting.recv().await {
                Some(first) => first,
                None => return Ok(()),
            },
        };
        let mut group = Group::default();
        group.add(first);
        while group.is_open() {
            let Ok(more) = waiting.try_recv() else { break };
            if more.0.work.joins() {
                group.add(more);
            } else {
                next = Some(more);
                break;
            }
        }
        let answer = group.deliver(&shared).await?;
        if !answer.is_empty() {
            let written = async {
                write.write_all(&answer).await?;
                write.flush().await
            };
            timeout(STALLED, written)
                .await
                .map_err(|_| fault("stalled", "the peer does not read its answers"))?
                .map_err(|error| fault("connection", error))?;
        }
    }
}

impl Work {
    /// Whether it can be delivered with others by one call.
    fn joins(&self) -> bool {
        !matches!(self, Work::Wait(_))
    }
}

/// Messages that are delivered together.
#[derive(Default)]
struct Group {
    items: Vec<Queued>,
    weight: usize,
}

impl Group {
    fn add(&mut self, item: Queued) {
        self.weight += item.0.weight;
        self.items.push(item);
    }

    fn is_open(&self) -> bool {
        self.weight < GROUP && self.items.iter().all(|(prepared, ..)| prepared.work.joins())
    }

    /// Makes all of it durable and gives the answers. On a failure nothing is answered, and ids that were asked for are
    /// free again.
    async fn deliver(self, shared: &Shared) -> Result<Vec<u8>, Fault> {
        let (mut batches, mut tickets, mut placed) = (Keyed::default(), Vec::new(), Vec::new());
        let mut answer = Vec::new();
        let mut charges = Vec::with_capacity(self.items.len());
        for (prepared, charge, room) in self.items {
            match prepared.work {
                Work::Nothing => {}
                Work::Rows(batch, ticket) => {
                    batches.push(batch, ticket.as_ref().map(Ticket::id));
                    tickets.extend(ticket);
                }
                Work::Wait(mut outcome) => {
                    let taken = outcome.wait_for(Option::is_some).await.is_ok_and(|told| *told == Some(true));
                    if !taken {
                        return Err(fault("delivery", "the same chunk failed on another connection"));
                    }
                }
                Work::Placed(batch) => placed.push(batch),
            }
            answer.extend(prepared.ack.unwrap_or_default());
            charges.push((charge, room));
        }
        let batches = batches.finish();
        if !batches.is_empty() {
            let sources = batches.iter().map(|(batch, _)| &batch.source);
            let recorded = shared.sources.record(sources, &shared.intake).await;
            recorded.map_err(|error| fault("delivery", error))?;
            shared.intake.submit_keyed(batches).await.map_err(|error| fault("delivery", error))?;
        }
        if !placed.is_empty() {
            shared.lanes.take(placed, &shared.intake).await?;
        }
        for ticket in tickets {
            ticket.taken();
        }
        Ok(answer)
    }
}

/// Batches with the keys of their messages; those without a key are joined where they can be.
#[derive(Default)]
struct Keyed {
    done: Vec<(Batch, Option<u128>)>,
    open: Vec<Batch>,
}

impl Keyed {
    fn push(&mut self, batch: Batch, key: Option<u128>) {
        let small = key.is_none() && batch.buffer.len() <= JOINED;
        let fits = small && self.open.last().is_none_or(|last| rows::joins(last, &batch));
        if !fits {
            self.close();
        }
        if small {
            self.open.push(batch);
        } else {
            self.done.push((batch, key));
        }
    }

    fn close(&mut self) {
        let mut open = std::mem::take(&mut self.open);
        match open.len() {
            0 => {}
            1 => self.done.extend(open.pop().map(|batch| (batch, None))),
            _ => self.done.push((rows::join(open), None)),
        }
    }

    fn finish(mut self) -> Vec<(Batch, Option<u128>)> {
        self.close();
        self.done
    }
}
