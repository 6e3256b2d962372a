//! Frames to messages. Knows nothing of their bytes.

use bytes::Bytes;

/// Frames of a message that are kept; of one with more only their number is.
const FRAMES_KEPT: usize = 8;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Message {
    /// Its frames, or the first of very many.
    pub frames: Vec<Bytes>,
    /// How many there were.
    pub count: usize,
}

/// A message under way.
#[derive(Default)]
pub struct Messages {
    open: Message,
    bytes: usize,
}

impl Messages {
    /// Bytes of what is not whole yet.
    pub fn held(&self) -> usize {
        self.bytes
    }

    /// Adds a frame; the message, where it was its last.
    pub fn add(&mut self, body: Bytes, more: bool) -> Option<Message> {
        self.open.count += 1;
        if self.open.count <= FRAMES_KEPT {
            self.bytes += body.len();
            self.open.frames.push(body);
        }
        if more {
            return None;
        }
        self.bytes = 0;
        Some(std::mem::take(&mut self.open))
    }
}
