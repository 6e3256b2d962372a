//! Bytes on their way to the disk: some written one after the other into a buffer, some that others own and that go from
//! where they are, in between. Knows nothing of frames.

use bytes::Bytes;

/// Fewer bytes than this are copied: to write them by themselves costs more. The tests' payloads are small.
const SHARED_FROM: usize = if cfg!(test) { 16 } else { 8 << 10 };

/// Bytes in their order.
#[derive(Default)]
pub(crate) struct Gathered {
    own: Vec<u8>,
    /// Bytes of others, and how many own ones stand before them.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
}

/// A place in [`Gathered`] bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct At {
    own: usize,
    shared: usize,
}

impl Gathered {
    /// None yet, with `buffer` to write into, which is emptied.
    pub(crate) fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Gathered { own: buffer, shared: Vec::new(), shared_len: 0 }
    }

    /// The buffer that own bytes were written into.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.own
    }

    pub(crate) fn len(&self) -> usize {
        self.own.len() + self.shared_len
    }

    /// The end.
    pub(crate) fn end(&self) -> At {
        At { own: self.own.len(), shared: self.shared.len() }
    }

    /// Own bytes are written to the end of this buffer; what it has stays as it is.
    pub(crate) fn own(&mut self) -> &mut Vec<u8> {
        &mut self.own
    }

    /// The own bytes from a place on.
    pub(crate) fn own_from(&mut self, at: At) -> &mut [u8] {
        &mut self.own[at.own..]
    }

    /// Appends bytes without copying them, where that pays.
    pub(crate) fn share(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_FROM {
            self.own.extend_from_slice(&bytes);
        } else {
            self.shared_len += bytes.len();
            self.shared.push((self.own.len(), bytes));
        }
    }

    /// Takes off what stands behind a place.
    pub(crate) fn truncate(&mut self, at: At) {
        self.own.truncate(at.own);
        self.shared_len -= self.shared.drain(at.shared..).map(|(_, bytes)| bytes.len()).sum::<usize>();
    }

    /// All bytes from a place on.
    pub(crate) fn slices(&self, from: At) -> impl Iterator<Item = &[u8]> {
        let shared = &self.shared[from.shared..];
        let begins = std::iter::once(from.own).chain(shared.iter().map(|(at, _)| *at));
        let ends = shared.iter().map(|(at, _)| *at).chain([self.own.len()]);
        let own = begins.zip(ends).map(|(begin, end)| &self.own[begin..end]);
        let between = shared.iter().map(|(_, bytes)| &bytes[..]).chain([&[][..]]);
        own.zip(between).flat_map(|(own, shared)| [own, shared]).filter(|slice| !slice.is_empty())
    }
}

/// The payload of a frame under construction.
pub struct Payload<'a>(pub(crate) &'a mut Gathered);

impl Payload<'_> {
    /// Bytes are appended here. The buffer holds other frames, too, which must stay as they are.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        self.0.own()
    }

    /// Appends bytes that go to the disk from where they are; few are copied.
    pub fn share(&mut self, bytes: Bytes) {
        self.0.share(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(gathered: &Gathered, from: At) -> Vec<u8> {
        gathered.slices(from).flatten().copied().collect()
    }

    #[test]
    fn bytes_keep_their_order_and_large_ones_their_place() {
        let (large, mut gathered) = (Bytes::from(vec![b'x'; SHARED_FROM]), Gathered::new(vec![1, 2, 3]));
        gathered.share(large.clone());
        gathered.own().extend_from_slice(b"one");
        let middle = gathered.end();
        gathered.share(large.clone());
        gathered.share(large.clone());
        gathered.share(Bytes::from_static(b"few"));
        let wanted = [&large[..], b"one", &large, &large, b"few"].concat();
        assert_eq!(all(&gathered, At::default()), wanted);
        assert_eq!(all(&gathered, middle), wanted[SHARED_FROM + 3..]);
        assert_eq!(gathered.len(), wanted.len());
        let places: Vec<_> = gathered.slices(At::default()).map(<[u8]>::as_ptr).collect();
        assert_eq!(places.iter().filter(|place| **place == large.as_ptr()).count(), 3);
        gathered.truncate(middle);
        assert_eq!(all(&gathered, At::default()), wanted[..SHARED_FROM + 3]);
        assert_eq!(gathered.len(), SHARED_FROM + 3);
        assert_eq!(gathered.into_buffer(), b"one");
    }
}
