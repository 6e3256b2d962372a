//! The collection port: events of a connection are read, made durable, and only then is more read. Knows nothing of control
//! and stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;

use super::event::{self, Events};
use super::output::{LANE, WITH_LANE};
use crate::shared::door::{Fault, Peer, Shared, fill};
use crate::shared::gather::Gather;
use crate::shared::lane::Receive;
use crate::shared::stream::Stream;
use crate::shared::zmtp::{Event, Pipe, Role, Session};

/// How long a peer may take for the handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(30);

/// Bytes that are asked of the budget before something is read.
const READ: usize = 16 << 10;

/// Serves a connection until its end.
///
/// # Errors
/// [`Fault`]: why it could not go on.
pub(super) async fn serve(
    stream: Stream,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    lane: Option<Receive>,
) -> Result<(), Fault> {
    let longest = shared.env.limits.message;
    let properties = if lane.is_some() { WITH_LANE } else { &[] };
    let mut pipe = Pipe::new(stream, Session::new(Role::Pull, properties, longest));
    let mut stop = shared.stop.clone();
    let ready = tokio::select! {
        greeted = pipe.greet(HANDSHAKE) => greeted?,
        _ = stop.wait_for(|stop| *stop) => return Ok(()),
    };
    if let Some(lane) = lane.filter(|_| ready.property(LANE.0).is_some_and(|value| value == LANE.1)) {
        // Its own errors it counts itself.
        lane(pipe.stream, pipe.buffer, peer.host.clone()).await;
        return Ok(());
    }
    pump(pipe, &peer, &shared).await
}

async fn pump(mut pipe: Pipe<Stream>, peer: &Peer, shared: &Shared) -> Result<(), Fault> {
    let mut events = Events::new(shared.sources.clone(), shared.env.limits);
    let (mut charge, mut stop) = (shared.budget.charge(), shared.stop.clone());
    let mut gather = Gather::default();
    let busy = |error| Fault::new("busy", error);
    loop {
        // What stands before an error is delivered all the same.
        let read = take_all(&mut pipe, &mut events, peer, shared, &mut gather);
        if !gather.is_empty() {
            charge.set(pipe.buffer.len() + pipe.session.held() + gather.weight()).await.map_err(busy)?;
            deliver(&mut gather, shared).await?;
        }
        read?;
        pipe.answer().await?;
        if pipe.buffer.is_empty() {
            // An idle connection holds no memory.
            pipe.buffer = BytesMut::new();
        }
        charge.set(pipe.buffer.len() + pipe.session.held() + READ).await.map_err(busy)?;
        let inside = pipe.session.is_inside(&pipe.buffer);
        let end = tokio::select! {
            filled = fill(&mut pipe.stream, &mut pipe.buffer, inside, &mut charge) => filled,
            _ = stop.wait_for(|stop| *stop) => Some(Ok(())),
        };
        if let Some(end) = end {
            take_all(&mut pipe, &mut events, peer, shared, &mut gather)?;
            if !gather.is_empty() {
                deliver(&mut gather, shared).await?;
            }
            return end;
        }
    }
}

/// Makes rows durable; their sender is told nothing, as another sawlog would be.
async fn deliver(gather: &mut Gather, shared: &Shared) -> Result<(), Fault> {
    let records = gather.rows();
    shared.deliver(gather).await?;
    shared.intake.count_best_effort(records as u64);
    Ok(())
}

/// Makes rows of all whole messages; what is no event is counted and left out.
fn take_all(
    pipe: &mut Pipe<Stream>,
    events: &mut Events,
    peer: &Peer,
    shared: &Shared,
    gather: &mut Gather,
) -> Result<(), Fault> {
    let received = shared.env.sys.clock.now();
    while let Some(event) = pipe.session.next(&mut pipe.buffer)? {
        let Event::Message(message) = event else { continue };
        let taken = event::read(&message, &shared.env.limits)
            .and_then(|event| events.push(&event, &peer.fields, received, gather));
        if let Err((reason, what)) = taken {
            shared.intake.count_error(reason, &format!("{}: {what}", peer.host));
        }
    }
    Ok(())
}
