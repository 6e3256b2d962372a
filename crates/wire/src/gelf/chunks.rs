//! Chunks of datagrams put together, bounded in memory and time. Knows nothing of what is in messages.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use sawlog_model::Nanos;
use sawlog_pipeline::DecodeError;

/// What a chunk begins with; bytes of its head.
const MAGIC: &[u8] = b"\x1e\x0f";
const HEAD: usize = 12;

/// Most chunks of a message.
const MOST: usize = 128;

/// How long all chunks of a message may take.
const PATIENCE: Nanos = 5_000_000_000;

/// What a message takes beside its bytes.
const BESIDE: usize = 256;

/// Messages that are not whole.
pub struct Chunks {
    limit: usize,
    held: usize,
    open: HashMap<(String, [u8; 8]), Open>,
}

struct Open {
    since: Nanos,
    missing: usize,
    bytes: usize,
    parts: Vec<Option<Bytes>>,
}

impl Chunks {
    /// None yet; `limit` bytes of memory at most.
    pub fn new(limit: usize) -> Self {
        Chunks { limit, held: 0, open: HashMap::new() }
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Gives the message that is whole with this datagram, which may be a chunk or a message itself. `given_up` is called
    /// once for every message whose chunks have not come in time, or for which there is no room.
    ///
    /// # Errors
    /// [`DecodeError`] for what cannot be a chunk.
    pub fn add(
        &mut self,
        sender: &str,
        datagram: &Bytes,
        now: Nanos,
        given_up: &mut dyn FnMut(),
    ) -> Result<Option<Bytes>, DecodeError> {
        if !datagram.starts_with(MAGIC) {
            return Ok(Some(datagram.clone()));
        }
        let wrong = || DecodeError { reason: "chunk", what: "a chunk without its head".to_owned(), at: 0 };
        let head: [u8; HEAD] =
            datagram.get(..HEAD).and_then(|head| head.try_into().ok()).ok_or_else(wrong)?;
        let (number, count) = (usize::from(head[10]), usize::from(head[11]));
        if count == 0 || count > MOST || number >= count {
            let what = format!("chunk {number} of {count}; there may be {MOST}, counted from 0");
            return Err(DecodeError { reason: "chunk", what, at: 0 });
        }
        self.expire(now, given_up);
        let id: [u8; 8] = head[2..10].try_into().map_err(|_| wrong())?;
        let key = (sender.to_owned(), id);
        // A part of a datagram would keep all of the memory that it was read into.
        let data = Bytes::copy_from_slice(&datagram[HEAD..]);
        while self.held + data.len() + BESIDE > self.limit {
            let oldest =
                self.open.iter().filter(|(have, _)| **have != key).min_by_key(|(_, open)| open.since);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                given_up();
                self.remove(&key);
                return Ok(None);
            };
            given_up();
            self.remove(&oldest);
        }
        let open = self.open.entry(key.clone()).or_insert_with(|| {
            self.held += BESIDE;
            Open { since: now, missing: count, bytes: BESIDE, parts: vec![None; count] }
        });
        if open.parts.len() != count {
            let what = format!("a chunk says that there are {count}, another one {}", open.parts.len());
            return Err(DecodeError { reason: "chunk", what, at: 0 });
        }
        if open.parts[number].is_none() {
            self.held += data.len();
            open.bytes += data.len();
            open.parts[number] = Some(data);
            open.missing -= 1;
        }
        if open.missing > 0 {
            return Ok(None);
        }
        let parts = self.remove(&key);
        let mut whole = BytesMut::with_capacity(parts.iter().flatten().map(Bytes::len).sum());
        parts.iter().flatten().for_each(|part| whole.extend_from_slice(part));
        Ok(Some(whole.freeze()))
    }

    fn remove(&mut self, key: &(String, [u8; 8])) -> Vec<Option<Bytes>> {
        let Some(open) = self.open.remove(key) else { return Vec::new() };
        self.held -= open.bytes;
        open.parts
    }

    fn expire(&mut self, now: Nanos, given_up: &mut dyn FnMut()) {
        let held = &mut self.held;
        self.open.retain(|_, open| {
            let keeps = now < open.since + PATIENCE;
            if !keeps {
                *held -= open.bytes;
                given_up();
            }
            keeps
        });
    }
}
