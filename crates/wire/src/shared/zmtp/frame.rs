//! Frames: where one ends, and how one is written, before and since ZMTP 2. Knows nothing of handshakes.

use bytes::{Buf, Bytes, BytesMut};

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// A frame.
pub(super) struct Frame {
    pub more: bool,
    pub command: bool,
    pub body: Bytes,
}

/// How frames look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// ZMTP 1: the length counts the flags, which follow it.
    V1,
    /// ZMTP 2 and 3: flags, then the length.
    V3,
}

impl Framing {
    /// The first frame of `buffer`, taken out of it; `None` where more is needed. It has at most `longest` bytes.
    pub fn read(
        self,
        buffer: &mut BytesMut,
        longest: usize,
    ) -> Result<Option<Frame>, (&'static str, String)> {
        let head = match self {
            Framing::V1 => head_v1(buffer),
            Framing::V3 => head_v3(buffer),
        };
        let Some((head, len, flags)) = head.map_err(|what| ("frame", what.to_owned()))? else {
            return Ok(None);
        };
        if len > longest as u64 {
            return Err(("too_large", format!("a frame of {len} bytes, where {longest} are allowed")));
        }
        let len = len as usize;
        if buffer.len() < head + len {
            return Ok(None);
        }
        buffer.advance(head);
        let body = buffer.split_to(len).freeze();
        Ok(Some(Frame { more: flags & MORE > 0, command: flags & COMMAND > 0, body }))
    }

    /// Appends a frame.
    pub fn write(self, body: &[u8], more: bool, out: &mut Vec<u8>) {
        let flags = u8::from(more) * MORE;
        match (self, u8::try_from(body.len())) {
            (Framing::V3, Ok(len)) => out.extend_from_slice(&[flags, len]),
            (Framing::V3, Err(_)) => {
                out.push(flags | LONG);
                out.extend_from_slice(&(body.len() as u64).to_be_bytes());
            }
            (Framing::V1, Ok(len @ ..254)) => out.extend_from_slice(&[len + 1, flags]),
            (Framing::V1, _) => {
                out.push(0xff);
                out.extend_from_slice(&(body.len() as u64 + 1).to_be_bytes());
                out.push(flags);
            }
        }
        out.extend_from_slice(body);
    }
}

/// Bytes of the head, bytes of the body, flags.
type Head = (usize, u64, u8);

fn long(bytes: &[u8]) -> Option<u64> {
    bytes.get(..8)?.try_into().ok().map(u64::from_be_bytes)
}

fn head_v3(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let [flags, rest @ ..] = bytes else { return Ok(None) };
    if flags & !(MORE | LONG | COMMAND) > 0 {
        return Err("flags that no frame has");
    }
    if flags & LONG > 0 {
        return Ok(long(rest).map(|len| (9, len, *flags)));
    }
    Ok(rest.first().map(|len| (2, u64::from(*len), *flags)))
}

fn head_v1(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let [len, rest @ ..] = bytes else { return Ok(None) };
    let (head, len, flags) = match (*len, long(rest)) {
        (0xff, None) => return Ok(None),
        (0xff, Some(len)) => (10, len, rest.get(8)),
        (len, _) => (2, u64::from(len), rest.first()),
    };
    let Some(len) = len.checked_sub(1) else { return Err("a frame without flags") };
    // Other bits had no meaning in this version, and peers leave them as they are.
    Ok(flags.map(|flags| (head, len, flags & MORE)))
}
