//! A relay between a sender and its receiver that counts bytes, since the loopback's own counters belong to everybody.
//! Knows nothing of what it passes on.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

/// Listens for one sender after the other.
pub(super) struct Relay {
    /// Where senders are to connect.
    pub address: SocketAddr,
    sent: Arc<AtomicU64>,
}

impl Relay {
    /// Passes on what comes to `to`, and its answers. Its threads end with their connections, and with this program.
    pub(super) fn start(to: SocketAddr) -> Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, sent) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let count = sent.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Ok(receiver) = TcpStream::connect(to) {
                    // A connection that cannot be relayed shows in the count of events.
                    let _ = join(stream, receiver, &count);
                }
            }
        });
        Ok(Relay { address, sent })
    }

    /// Payload bytes from senders to the receiver so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn join(sender: TcpStream, receiver: TcpStream, count: &Arc<AtomicU64>) -> std::io::Result<()> {
    let (back_from, back_to) = (receiver.try_clone()?, sender.try_clone()?);
    let count = count.clone();
    std::thread::spawn(move || pass(sender, receiver, &count));
    std::thread::spawn(move || pass(back_from, back_to, &AtomicU64::new(0)));
    Ok(())
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        count.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
