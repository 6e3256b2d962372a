//! Whether servers are there, as datagrams tell that they answer. Knows nothing of messages.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sawlog_sys::Sys;
use sawlog_sys::net::{UdpSocket, lookup_host};
use tokio::time::{sleep, timeout};

use super::queue::Queue;

/// How it is found out whether a server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heartbeat {
    /// By its connection, which is kept; one that is away is tried again and again.
    Transport,
    /// By datagrams, so often, that it answers; without an answer for the second time it is away.
    Udp(Duration, Duration),
    /// Not at all: messages are tried.
    None,
}

/// Sends datagrams to a server and says whether it can be used, until the output is gone.
pub(super) async fn run(
    number: usize,
    address: String,
    (interval, hard_timeout): (Duration, Duration),
    recover_wait: Duration,
    queue: Arc<Queue>,
    sys: Sys,
) {
    let mut heard = sys.clock.monotonic();
    let mut back_since = None;
    let mut socket = None;
    loop {
        let began = sys.clock.monotonic();
        if socket.is_none() {
            socket = open(&address).await.ok();
        }
        let answered = match &socket {
            Some(socket) => beat(socket, interval).await,
            None => false,
        };
        let now = sys.clock.monotonic();
        if answered {
            heard = now;
            let since = *back_since.get_or_insert(began);
            let waits = queue.has_other(number) && now.saturating_sub(since) < recover_wait;
            if !queue.is_available(number) && !waits {
                queue.set_available(number, true);
            }
        } else {
            back_since = None;
            socket = None;
            if queue.is_available(number) && now.saturating_sub(heard) >= hard_timeout {
                let why = format!("{address}: no answer to heartbeats for {hard_timeout:?}");
                queue.lost_sight(number, why);
            }
        }
        let left = interval.saturating_sub(now.saturating_sub(began));
        tokio::select! {
            () = sleep(left) => {}
            () = queue.wait_for_close() => return,
        }
    }
}

async fn open(address: &str) -> std::io::Result<UdpSocket> {
    let found = lookup_host(address).await?.next();
    let address = found.ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}

/// One datagram and its answer.
async fn beat(socket: &UdpSocket, patience: Duration) -> bool {
    let mut answer = [0; 128];
    socket.send(&[0]).await.is_ok() && matches!(timeout(patience, socket.recv(&mut answer)).await, Ok(Ok(_)))
}
