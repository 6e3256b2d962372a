//! Messages of a connection that answers nothing: read, cut, delivered; while something is on its way to stable storage
//! nothing more is read, so that a sender waits. Knows nothing of what is in the messages.

use std::future::ready;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::super::budget::Charge;
use super::super::cut::Cutter;
use super::super::gather::Gather;
use super::super::stream::Stream;
use super::{Fault, Peer, Reading, STALLED, Shared};

/// Bytes read at once, and bytes that are delivered by one call: what came while an fsync was under way goes with the next.
const READ: usize = 16 << 10;
const GROUP: usize = 1 << 20;

/// Reads a connection until its end, after the bytes `first` that were read of it already. Rows of all that arrived are
/// delivered, also of a message that the end cut off.
///
/// # Errors
/// [`Fault`]: why it could not go on.
pub(crate) async fn pump(
    mut stream: Stream,
    first: BytesMut,
    peer: Arc<Peer>,
    mut cutter: Cutter,
    mut reading: Box<dyn Reading>,
    shared: Arc<Shared>,
) -> Result<(), Fault> {
    let (mut charge, mut stop) = (shared.budget.charge(), shared.stop.clone());
    let (mut buffer, mut gather) = (first, Gather::default());
    let mut end = None;
    loop {
        let received = shared.env.sys.clock.now();
        let cut: Result<(), Fault> = loop {
            match cutter.cut(&mut buffer) {
                Ok(Some(piece)) => match reading.read(&piece, &peer, received, &mut gather) {
                    Ok(()) => {}
                    Err(error) => break Err(error.into()),
                },
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            }
        };
        if end.is_some()
            && let Some(piece) = cutter.rest(&mut buffer)
        {
            reading.read(&piece, &peer, received, &mut gather)?;
        }
        if !gather.is_empty() {
            charge.set(buffer.len() + gather.weight()).await.map_err(|error| Fault::new("busy", error))?;
            shared.deliver(&mut gather).await?;
        }
        cut?;
        if let Some(end) = end {
            return end;
        }
        if buffer.is_empty() {
            // An idle connection holds no memory.
            buffer = BytesMut::new();
        }
        charge.set(buffer.len() + READ).await.map_err(|error| Fault::new("busy", error))?;
        let inside = cutter.is_inside(&buffer);
        end = tokio::select! {
            filled = fill(&mut stream, &mut buffer, inside, &mut charge) => filled,
            _ = stop.wait_for(|stop| *stop) => Some(Ok(())),
        };
    }
}

/// Reads what is there, and waits for something where nothing is; why the connection has ended, where it has.
pub(crate) async fn fill(
    stream: &mut Stream,
    buffer: &mut BytesMut,
    inside: bool,
    charge: &mut Charge,
) -> Option<Result<(), Fault>> {
    buffer.reserve(READ);
    let first = async { stream.read_buf(buffer).await };
    let mut read = if inside {
        match timeout(STALLED, first).await {
            Ok(read) => read,
            Err(_) => return Some(Err(Fault::new("stalled", "silent in the middle of a message"))),
        }
    } else {
        first.await
    };
    loop {
        match read {
            Ok(0) => return Some(Ok(())),
            Ok(_) => {}
            Err(error) => return Some(Err(Fault::new("connection", error))),
        }
        if buffer.len() >= GROUP {
            return None;
        }
        if let Err(error) = charge.set(buffer.len() + READ).await {
            return Some(Err(Fault::new("busy", error)));
        }
        buffer.reserve(READ);
        read = tokio::select! {
            biased;
            read = stream.read_buf(buffer) => read,
            () = ready(()) => return None,
        };
    }
}
