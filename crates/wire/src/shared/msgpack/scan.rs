//! Finding where a value ends, without reading what is in it.

use sawlog_model::Limits;
use sawlog_model::value::is_form_name;

use super::item::{Head, text_head};
use super::{DEPTH_MOST, MsgpackError};

/// A list or map whose items are not all passed yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// Items left.
    left: u64,
    /// Where it began.
    start: usize,
    /// A map: items stand by pairs.
    map: bool,
    /// A map of one pair.
    single: bool,
    /// A map that a line must write as pairs.
    odd: bool,
}

/// Passes over the values of a buffer that grows, and remembers where it stood, so that no byte is looked at twice.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    at: usize,
    open: Vec<Open>,
    least: u64,
}

impl Scanner {
    /// How long the value that is not whole yet is at least, as far as that is told by what is there of it.
    pub fn least(&self) -> usize {
        usize::try_from(self.least).unwrap_or(usize::MAX)
    }

    /// The length of the first value of `bytes` where all of it is there, and the scanner is ready for the next one, which
    /// begins behind it. `None` where more is needed: the next call gets the same bytes with more behind them.
    ///
    /// # Errors
    /// [`MsgpackError`]: a value that is not msgpack, is or claims to be longer than `most` bytes, or is nested deeper
    /// than `depth`.
    pub fn next_end(
        &mut self,
        bytes: &[u8],
        depth: usize,
        most: usize,
    ) -> Result<Option<usize>, MsgpackError> {
        self.run(bytes, depth, most, &mut |_| {})
    }

    fn run(
        &mut self,
        bytes: &[u8],
        depth: usize,
        most: usize,
        odd_map: &mut dyn FnMut(usize),
    ) -> Result<Option<usize>, MsgpackError> {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(head) = Head::read(rest).map_err(|()| MsgpackError::Syntax(self.at))? else {
                self.least = self.at as u64 + rest.len() as u64 + 1;
                return Ok(None);
            };
            // Every item that is announced takes a byte at least.
            let least = self.at as u64 + head.len as u64 + head.body as u64 + head.items;
            if least > most as u64 {
                return Err(MsgpackError::Long(most));
            }
            let Some(body) = rest.get(head.len..head.len + head.body) else {
                self.least = least;
                return Ok(None);
            };
            self.note_key(&head, body);
            let start = self.at;
            self.at += head.len + head.body;
            if head.items > 0 {
                if self.open.len() >= depth.min(DEPTH_MOST) {
                    return Err(MsgpackError::Deep(depth.min(DEPTH_MOST)));
                }
                let single = head.items == 2;
                self.open.push(Open { left: head.items, start, map: head.is_map(), single, odd: false });
                continue;
            }
            self.close(odd_map);
            if self.open.is_empty() {
                return Ok(Some(std::mem::take(&mut self.at)));
            }
        }
    }

    /// Where the next item is a key of a map: whether a line can write it as such.
    fn note_key(&mut self, head: &Head, body: &[u8]) {
        let Some(open) = self.open.last_mut().filter(|open| open.map && open.left % 2 == 0) else { return };
        if !head.is_str() || std::str::from_utf8(body).is_err() || (open.single && is_form_name(body)) {
            open.odd = true;
        }
    }

    /// Counts an item as passed, and all that it closes.
    fn close(&mut self, odd_map: &mut dyn FnMut(usize)) {
        while let Some(open) = self.open.last_mut() {
            open.left -= 1;
            if open.left > 0 {
                return;
            }
            if open.odd {
                odd_map(open.start);
            }
            self.open.pop();
        }
    }
}

/// A whole value that keeps the limits.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Its length in bytes.
    pub len: usize,
    /// Where the maps begin that a line must write as pairs, in order.
    pub(super) odd: Vec<usize>,
}

/// Checks the value at the start of `bytes`: what it gave may be read.
///
/// # Errors
/// [`MsgpackError`]; [`MsgpackError::Syntax`] also where the bytes end within the value.
pub fn measure(bytes: &[u8], limits: &Limits) -> Result<Measured, MsgpackError> {
    Measurer::default().measure(bytes, limits)
}

/// The length of a small map of texts whose keys a line can write as they are: what events mostly are. `None` for anything else,
/// which is to be looked at as a whole.
fn flat_len(bytes: &[u8], limits: &Limits) -> Option<usize> {
    let pairs = match *bytes.first()? {
        first @ 0x81..=0x8f => first & 0x0f,
        _ => return None,
    };
    let mut at = 1;
    for _ in 0..pairs {
        let (head, len) = text_head(&bytes[at..])?;
        let key = bytes.get(at + head..at + head + len)?;
        if !key.is_ascii() || (pairs == 1 && key.first() == Some(&b'$')) {
            return None;
        }
        at += head + len;
        let (head, len) = text_head(bytes.get(at..)?)?;
        at += head + len;
        // Before anything is taken from behind it.
        bytes.get(..at)?;
    }
    (at <= limits.event && limits.depth > 0).then_some(at)
}

/// Checks one value after the other, with the memory of the one before.
#[derive(Default)]
pub struct Measurer {
    scanner: Scanner,
}

impl Measurer {
    /// As [`measure`].
    ///
    /// # Errors
    /// As [`measure`].
    pub fn measure(&mut self, bytes: &[u8], limits: &Limits) -> Result<Measured, MsgpackError> {
        if let Some(len) = flat_len(bytes, limits) {
            return Ok(Measured { len, odd: Vec::new() });
        }
        let mut measured = Measured::default();
        let mut odd = |start| measured.odd.push(start);
        // After an error the scanner stands in the middle of a value.
        let mut scanner = std::mem::take(&mut self.scanner);
        match scanner.run(bytes, limits.depth, limits.event, &mut odd)? {
            Some(len) => measured.len = len,
            None => return Err(MsgpackError::Syntax(bytes.len())),
        }
        self.scanner = scanner;
        measured.odd.sort_unstable();
        Ok(measured)
    }
}
