//! Bodies of requests: read up to the limit and no longer than their senders send, or thrown away. Knows nothing of what they hold.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use futures::StreamExt;

use super::Shared;
use crate::error::ApiError;

/// Bytes of a refused body that are read.
const DISCARDED: usize = 1 << 20;

/// So many times the bytes that have come of a body there may be room for.
const AHEAD: usize = 8;

/// Throws away the begin of a body that is refused, so that a sender who reads no answer before all is sent gets it. A longer body
/// ends the connection, and one whose sender waits to be asked for it is left where it is.
pub(super) async fn discard(headers: &HeaderMap, body: Body) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let (mut pieces, mut left) = (body.into_data_stream(), DISCARDED);
    while left > 0
        && let Ok(Some(Ok(piece))) = tokio::time::timeout(Duration::from_secs(1), pieces.next()).await
    {
        left = left.saturating_sub(piece.len());
    }
}

/// Reads a body up to the limit, and no longer than the sender is sending.
pub(super) async fn read(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let limit = shared.node.settings.body_bytes;
    let too_large = || {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body has more than {limit} bytes."),
            "Send fewer events in one request.",
        )
    };
    let claimed = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if claimed.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    let mut pieces = body.into_data_stream();
    let mut whole: Vec<u8> = Vec::new();
    loop {
        let piece =
            tokio::time::timeout(shared.node.settings.body_idle, pieces.next()).await.map_err(|_| {
                ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "The rest of the body did not come.",
                    "Send it again; nothing of it was taken.",
                )
            })?;
        match piece {
            None => return Ok(whole.into()),
            Some(Err(error)) => {
                return Err(ApiError::bad(
                    format!("The body broke off: {error}"),
                    "Send it again; nothing of it was taken.",
                ));
            }
            Some(Ok(piece)) if whole.len() + piece.len() > limit => return Err(too_large()),
            Some(Ok(piece)) => {
                // Room for what was said to come, but not for much more than has come; and no more than that, since rows
                // keep the buffer until they are stored.
                let left = claimed.map_or(0, |length| (length as usize).saturating_sub(whole.len()));
                if left < piece.len() {
                    whole.reserve(piece.len());
                } else if whole.capacity() - whole.len() < piece.len() {
                    whole.reserve_exact(left.min(AHEAD * (whole.len() + piece.len())));
                }
                whole.extend_from_slice(&piece);
            }
        }
    }
}
