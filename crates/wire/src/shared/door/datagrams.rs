//! Datagrams of a port: read as fast as they come, so that the kernel need not drop any, and delivered beside that. What it
//! drops all the same is counted. Knows nothing of what is in them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sawlog_model::Nanos;
use sawlog_sys::net::{self, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::super::cut::Piece;
use super::super::gather::Gather;
use super::{Fault, Reading, Shared};

/// The longest datagram there is.
const LONGEST: usize = 65_535;

/// Memory that is taken from the system at once.
const BLOCK: usize = 4 * LONGEST;

/// Bytes that one permit stands for; what a datagram takes beside its own bytes.
const UNIT: usize = 64;
const BESIDE: usize = 128;

/// Datagrams and bytes that are delivered by one call.
const GROUP: usize = 4_096;
const GROUP_BYTES: usize = 4 << 20;

/// How often the kernel is asked what it dropped, while something comes and once more after that.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Reads a port.
pub struct Datagrams {
    socket: UdpSocket,
    shared: Arc<Shared>,
}

/// A datagram, where it comes from, when it came, and its memory.
type Queued = (Bytes, IpAddr, Nanos, OwnedSemaphorePermit);

impl Datagrams {
    pub(super) fn new(socket: UdpSocket, shared: Arc<Shared>) -> Self {
        Datagrams { socket, shared }
    }

    /// Reads and delivers until the node stops; then what was read is delivered.
    pub(super) async fn run(self, reading: Box<dyn Reading>) {
        let (queue, waiting) = mpsc::channel(GROUP * 4);
        let delivery = tokio::spawn(deliver(waiting, reading, self.shared.clone()));
        self.receive(queue).await;
        let _ = delivery.await;
    }

    async fn receive(self, queue: mpsc::Sender<Queued>) {
        let Datagrams { socket, shared } = self;
        let units = (shared.settings.buffer / UNIT).clamp((LONGEST + BESIDE) / UNIT, Semaphore::MAX_PERMITS);
        let room = Arc::new(Semaphore::new(units));
        let (mut stop, mut buffer, mut drops) = (shared.stop.clone(), BytesMut::new(), Drops::default());
        loop {
            if buffer.capacity() < LONGEST {
                buffer = BytesMut::with_capacity(BLOCK);
            }
            let received = tokio::select! {
                received = socket.recv_buf_from(&mut buffer) => received,
                () = tokio::time::sleep(ASK_EVERY), if drops.due => {
                    drops.ask(&socket, &shared);
                    drops.due = false;
                    continue;
                }
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let now = shared.env.sys.clock.now();
            drops.tick(now, &socket, &shared);
            match received {
                Ok((_, peer)) => {
                    let datagram = buffer.split().freeze();
                    let units = ((datagram.len() + BESIDE) / UNIT) as u32;
                    let Ok(permit) = room.clone().acquire_many_owned(units).await else { return };
                    if queue.send((datagram, peer.ip().to_canonical(), now, permit)).await.is_err() {
                        return;
                    }
                }
                // A sender of ours that went away, mostly: the port itself stays good.
                Err(error) => shared.intake.count_error("receive", &error.to_string()),
            }
        }
    }
}

/// What the kernel dropped.
#[derive(Default)]
struct Drops {
    counted: u64,
    asked: Nanos,
    /// Whether something came since the kernel was asked.
    due: bool,
}

impl Drops {
    fn tick(&mut self, now: Nanos, socket: &UdpSocket, shared: &Shared) {
        self.due = true;
        if now - self.asked >= ASK_EVERY.as_nanos() as Nanos {
            self.asked = now;
            self.ask(socket, shared);
        }
    }

    fn ask(&mut self, socket: &UdpSocket, shared: &Shared) {
        let Some(dropped) = net::dropped_datagrams(socket) else { return };
        let more = dropped.saturating_sub(self.counted);
        if more > 0 {
            let words = format!("the kernel dropped {more} datagrams that were not read in time");
            shared.intake.count_errors("dropped_by_kernel", more, &words);
            self.counted = dropped;
        }
    }
}

/// Delivers what is queued, until the queue ends.
async fn deliver(mut waiting: mpsc::Receiver<Queued>, mut reading: Box<dyn Reading>, shared: Arc<Shared>) {
    let (mut gather, mut group) = (Gather::default(), Vec::new());
    loop {
        if waiting.recv_many(&mut group, GROUP).await == 0 {
            return;
        }
        let mut permits: Option<OwnedSemaphorePermit> = None;
        let mut count = 0;
        for (bytes, address, received, permit) in group.drain(..) {
            let peer = shared.peer(Some(address)).await;
            if let Err(error) = reading.read(&Piece::whole(bytes), &peer, received, &mut gather) {
                shared.count(&peer, &Fault::from(error));
            }
            count += 1;
            match &mut permits {
                Some(permits) => permits.merge(permit),
                None => permits = Some(permit),
            }
            if gather.weight() > GROUP_BYTES {
                hand_over(&mut gather, count, &shared).await;
                count = 0;
                permits = None;
            }
        }
        hand_over(&mut gather, count, &shared).await;
    }
}

/// Delivers rows. Where that fails nobody can be told, since their senders do not wait; it is counted.
async fn hand_over(gather: &mut Gather, count: u64, shared: &Shared) {
    if let Err(Fault(reason, what)) = shared.deliver_by(&shared.intake.dropping(), gather).await {
        shared.intake.count_errors(reason, count.max(1), &what);
    }
}
