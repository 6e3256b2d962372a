//! Answers of questions: on which threads they are made, away from those that take what is sent, and for how long. Knows nothing of
//! what is asked.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::ApiError;

/// Pieces of an answer that are made before they are sent.
const AHEAD: usize = 2;

/// An answer that is under way.
pub(super) type Answering = BoxFuture<'static, Result<Response, ApiError>>;

/// Ends a task whose outcome nobody waits for any more.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Makes an answer on other threads; it ends when whoever waits for it is gone.
pub(super) async fn aside(threads: &Handle, answer: Answering) -> Result<Response, ApiError> {
    let (head, body) = {
        let mut task = Task(threads.spawn(answer));
        let failed = |_| ApiError::later("The answer was not made to its end.");
        (&mut task.0).await.map_err(failed)??.into_parts()
    };
    if body.size_hint().exact().is_some() {
        return Ok(Response::from_parts(head, body));
    }
    let (send, mut pieces) = mpsc::channel::<Result<Bytes, axum::Error>>(AHEAD);
    threads.spawn(async move {
        let mut body = body.into_data_stream();
        loop {
            let piece = tokio::select! {
                biased;
                () = send.closed() => return,
                piece = body.next() => piece,
            };
            let Some(piece) = piece else { return };
            // Nobody reads on: that is seen at the next look.
            let _ = send.send(piece).await;
        }
    });
    let pieces = futures::stream::poll_fn(move |context| pieces.poll_recv(context));
    Ok(Response::from_parts(head, Body::from_stream(pieces)))
}

/// An answer of a tenant whose questions may take only so long; one that began is broken off.
pub(super) async fn bounded(
    most: Duration,
    answer: impl Future<Output = Result<Response, ApiError>>,
) -> Result<Response, ApiError> {
    let end = tokio::time::Instant::now() + most;
    let words = format!("The tenant's questions may take {} s (query_seconds).", most.as_secs());
    let late = || ApiError::new(StatusCode::GATEWAY_TIMEOUT, words.clone(), "Ask for a shorter time.");
    let response = tokio::time::timeout_at(end, answer).await.map_err(|_| late())??;
    let (head, body) = response.into_parts();
    let broken = futures::stream::once(async move {
        tokio::time::sleep_until(end).await;
        Err(axum::Error::new(std::io::Error::other(words)))
    });
    // The end of the time is looked at beside each piece, and stops with the answer.
    let pieces =
        futures::stream::unfold((body.into_data_stream(), Box::pin(broken)), async |(mut body, mut end)| {
            tokio::select! {
                biased;
                piece = body.next() => Some((piece?, (body, end))),
                Some(over) = end.next() => Some((over, (body, end))),
            }
        });
    Ok(Response::from_parts(head, Body::from_stream(pieces)))
}
