//! What an input must know of its queue after a crash: messages that are stored and may still come once more, and the
//! bindings that it made. Knows nothing of connections.
//!
//! A broker gives no answer to an acknowledgement, so one that was under way when the connection broke may or may not have
//! arrived. Where it has not, the message comes again, flagged as redelivered. Therefore a digest of each message is kept
//! from the moment it is stored until the broker is known to have its acknowledgement, in the same append of the journal as
//! the message itself. A message that is flagged and whose digest is kept was stored; one that is not flagged is new,
//! whatever it says. Messages that are the same byte for byte are counted.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use lapin::message::Delivery;
use sawlog_model::frame::{Reader, put_bytes, put_varint};
use xxhash_rust::xxh3::Xxh3;

/// Version of the note.
const VERSION: u8 = 1;

/// Digests that are kept at most. It takes dozens of broken connections whose messages never come again to have so many;
/// then those are forgotten.
const MOST: usize = 65_536;

/// What tells a message from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Digest(u64);

impl Digest {
    /// Of a message: exchange, routing key, id, time and body. Headers are left out: brokers change them on the way back
    /// to the queue.
    pub fn of(message: &Delivery) -> Self {
        let mut hash = Xxh3::new();
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        part(message.exchange.as_str().as_bytes());
        part(message.routing_key.as_str().as_bytes());
        part(message.properties.message_id().as_ref().map_or("", |id| id.as_str()).as_bytes());
        part(&message.properties.timestamp().unwrap_or(0).to_le_bytes());
        part(&message.data);
        Digest(hash.digest())
    }
}

/// How many messages of one digest there are.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Count {
    /// Stored, and the broker may not have the acknowledgement.
    stored: u32,
    /// Of these, such as this connection has had.
    here: u32,
}

/// A queue, as its input left it.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Kept {
    /// Exchanges and routing keys that the queue was bound to.
    pub bindings: BTreeSet<(String, String)>,
    marks: HashMap<Digest, Count>,
}

impl Kept {
    /// Reads a note; one of a version that is not known says nothing.
    pub fn read(note: Option<Bytes>) -> Self {
        note.and_then(|note| Self::decode(&mut Reader::new(note))).unwrap_or_default()
    }

    fn decode(reader: &mut Reader) -> Option<Self> {
        let mut kept = Kept::default();
        if reader.byte("version").ok()? != VERSION {
            return None;
        }
        for _ in 0..reader.count("bindings").ok()? {
            kept.bindings.insert((reader.text("exchange").ok()?, reader.text("routing key").ok()?));
        }
        while reader.remaining() > 0 {
            let digest = reader.take(8, "digest").ok()?;
            let digest = Digest(u64::from_le_bytes(digest[..].try_into().ok()?));
            kept.marks.entry(digest).or_default().stored += 1;
        }
        Some(kept)
    }

    /// The note, with marks for messages that are stored together with it.
    pub fn note(&self, new: &[Digest]) -> Bytes {
        let mut out = vec![VERSION];
        put_varint(&mut out, self.bindings.len() as u64);
        for (exchange, key) in &self.bindings {
            put_bytes(&mut out, exchange.as_bytes());
            put_bytes(&mut out, key.as_bytes());
        }
        let old = self.marks.iter().flat_map(|(digest, count)| (0..count.stored).map(|_| *digest));
        old.chain(new.iter().copied())
            .for_each(|Digest(digest)| out.extend_from_slice(&digest.to_le_bytes()));
        out.into()
    }

    /// How many messages are marked.
    pub fn len(&self) -> usize {
        self.marks.values().map(|count| count.stored as usize).sum()
    }

    /// A new connection: nothing has come over it.
    pub fn connected(&mut self) {
        if self.len() > MOST {
            self.marks.clear();
        }
        self.marks.values_mut().for_each(|count| count.here = 0);
    }

    /// Whether a message that is flagged as redelivered was stored. It counts as one that this connection has had.
    pub fn was_stored(&mut self, digest: Digest) -> bool {
        match self.marks.get_mut(&digest) {
            Some(count) if count.here < count.stored => {
                count.here += 1;
                true
            }
            _ => false,
        }
    }

    /// Messages that came over this connection are stored.
    pub fn stored(&mut self, new: &[Digest]) {
        for digest in new {
            let count = self.marks.entry(*digest).or_default();
            count.stored += 1;
            count.here += 1;
        }
    }

    /// The broker has the acknowledgement of messages that came over this connection.
    pub fn acknowledged(&mut self, digests: &[Digest]) {
        for digest in digests {
            let Some(count) = self.marks.get_mut(digest) else { continue };
            count.stored -= 1;
            count.here -= 1;
            if count.stored == 0 {
                self.marks.remove(digest);
            }
        }
    }

    /// Nothing that was stored can come again.
    pub fn forget_marks(&mut self) {
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = Digest(1);
    const B: Digest = Digest(2);

    #[test]
    fn a_stored_message_is_recognised_until_its_acknowledgement_is_known() {
        let mut kept = Kept::default();
        assert!(!kept.was_stored(A), "it was delivered, and lost on the way");
        kept.stored(&[A, A, B]);
        assert!(!kept.was_stored(A), "all of them came over this connection");
        kept.acknowledged(&[B]);
        kept.connected();
        assert_eq!([A, A, A, B].map(|digest| kept.was_stored(digest)), [true, true, false, false]);
        // It broke again before the acknowledgements arrived.
        kept.connected();
        assert!(kept.was_stored(A));
        kept.acknowledged(&[A]);
        assert_eq!(kept.len(), 1);
        kept.connected();
        assert!(kept.was_stored(A) && !kept.was_stored(A));
        kept.acknowledged(&[A]);
        assert_eq!(kept.len(), 0);
    }

    #[test]
    fn notes_hold_all_of_it() {
        let mut kept = Kept::default();
        kept.bindings.insert(("logstash".to_owned(), "logstash.#".to_owned()));
        kept.stored(&[A, B]);
        let mut read = Kept::read(Some(kept.note(&[A])));
        kept.stored(&[A]);
        kept.connected();
        assert_eq!(read, kept);
        assert_eq!([A, A, A].map(|digest| read.was_stored(digest)), [true, true, false]);
        read.forget_marks();
        assert_eq!((read.len(), read.bindings.len()), (0, 1));
        for broken in [&b""[..], b"\x02", b"\x01", b"\x01\x01", b"\x01\x00\x01"] {
            assert_eq!(Kept::read(Some(Bytes::from_static(broken))), Kept::default());
        }
    }

    #[test]
    fn marks_of_messages_that_never_come_again_do_not_pile_up() {
        let mut kept = Kept::default();
        let digests: Vec<Digest> = (0..=MOST as u64).map(Digest).collect();
        kept.stored(&digests);
        kept.connected();
        assert_eq!(kept.len(), 0);
    }

    #[test]
    fn digests_tell_messages_apart_by_what_does_not_change_on_the_way() {
        let digest = |exchange: &str, key: &str, id: &str, body: &[u8]| {
            let mut message = Delivery::mock(1, exchange.into(), key.into(), false, body.to_vec());
            message.properties = lapin::BasicProperties::default().with_message_id(id.into());
            Digest::of(&message)
        };
        let all = [("e", "k", "i", "b"), ("ek", "", "i", "b"), ("e", "k", "", "ib"), ("e", "", "ki", "b")];
        let all: std::collections::HashSet<Digest> = all
            .into_iter()
            .map(|(exchange, key, id, body)| digest(exchange, key, id, body.as_bytes()))
            .collect();
        assert_eq!(all.len(), 4);
        assert_eq!(digest("e", "k", "i", b"b"), digest("e", "k", "i", b"b"));
    }
}
