//! Messages of a stream of bytes: ended by a delimiter, or counted in octets (RFC 6587), which the first byte of a
//! connection tells. Knows nothing of what is in them, nor of sockets.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;
use sawlog_model::Limits;
use sawlog_pipeline::DecodeError;

/// Most digits of an octet count.
const DIGITS: usize = 10;

/// How messages are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Each ends with these bytes. They are part of it where they are a line break, as in a file.
    Delimiter(Box<[u8]>),
    /// Each has its length in front, as digits and a blank.
    Octets,
    /// Each is a JSON object that ends with a byte 0, or with a line break outside of its braces.
    Objects,
    /// [`Framing::Octets`] where the first byte of the connection is a digit, else the delimiter.
    Told(Box<[u8]>),
}

/// A message, or a part of one that is longer than the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes; a line break that ends it is among them, another delimiter or a count is not.
    pub bytes: Bytes,
    /// Whether the message began in the piece before.
    pub inside: bool,
    /// Whether it goes on in the next one.
    pub goes_on: bool,
}

impl Piece {
    /// A whole message.
    pub fn whole(bytes: Bytes) -> Self {
        Piece { bytes, inside: false, goes_on: false }
    }
}

/// Cuts the bytes of one connection.
#[derive(Debug)]
pub struct Cutter {
    framing: Framing,
    longest: usize,
    /// Octets of the message under way that have not come yet, where they are counted.
    missing: Option<usize>,
    /// Whether the next piece goes on with the message of the last one.
    inside: bool,
    /// Bytes at the start of the buffer that hold no delimiter.
    looked: usize,
    /// Braces that are open in these bytes, where objects are cut, and whether they end inside of a string.
    open: (usize, bool),
    /// Bytes cut so far.
    at: u64,
    limits: Limits,
}

impl Cutter {
    /// A cutter at the start of a connection; a message longer than `longest` is cut to pieces.
    pub fn new(framing: Framing, longest: usize, limits: Limits) -> Self {
        let longest = longest.min(limits.event).max(1);
        Cutter { framing, longest, missing: None, inside: false, looked: 0, open: (0, false), at: 0, limits }
    }

    /// The next message that is whole in `buffer`, or as much of one as the limit allows.
    ///
    /// # Errors
    /// [`DecodeError`] for a count that is none, or of more than a message may have.
    pub fn cut(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, DecodeError> {
        if let Framing::Told(delimiter) = &mut self.framing {
            let Some(first) = buffer.first() else { return Ok(None) };
            let delimiter = std::mem::take(delimiter);
            self.framing =
                if first.is_ascii_digit() { Framing::Octets } else { Framing::Delimiter(delimiter) };
        }
        match &self.framing {
            Framing::Delimiter(delimiter) => {
                let ends = if delimiter.ends_with(b"\n") { 0 } else { delimiter.len() };
                let found = delimited(buffer, delimiter, self.longest, &mut self.looked);
                Ok(found.map(|(len, goes_on)| {
                    let mut piece = self.take(buffer, len, goes_on);
                    if !goes_on {
                        piece.bytes.truncate(len - ends);
                    }
                    piece
                }))
            }
            Framing::Objects => Ok(self.object(buffer)),
            Framing::Octets | Framing::Told(_) => self.counted(buffer),
        }
    }

    /// What is left when the connection ends: a message without its end. `None` where nothing is.
    pub fn rest(&mut self, buffer: &mut BytesMut) -> Option<Piece> {
        let counts = self.framing == Framing::Octets && self.missing.is_none();
        if buffer.is_empty() || counts { None } else { Some(self.take(buffer, buffer.len(), false)) }
    }

    /// Whether a message has begun that is not whole.
    pub fn is_inside(&self, buffer: &BytesMut) -> bool {
        !buffer.is_empty() || self.inside || self.missing.is_some()
    }

    fn take(&mut self, buffer: &mut BytesMut, len: usize, goes_on: bool) -> Piece {
        self.at += len as u64;
        self.looked = 0;
        let piece = Piece { bytes: buffer.split_to(len).freeze(), inside: self.inside, goes_on };
        self.inside = goes_on;
        piece
    }

    /// An object, without what ends it.
    fn object(&mut self, buffer: &mut BytesMut) -> Option<Piece> {
        let blank = |byte: &&u8| byte.is_ascii_whitespace() || **byte == 0;
        if self.looked == 0 && !self.inside {
            let blanks = buffer.iter().take_while(blank).count();
            self.at += blanks as u64;
            buffer.advance(blanks);
        }
        let (mut braces, mut string) = self.open;
        let mut escaped = false;
        for at in self.looked..buffer.len().min(self.longest) {
            let byte = buffer[at];
            // What is no JSON may never close its string: a line break, which no string may hold, ends it.
            if byte == 0 || (byte == b'\n' && (string || braces == 0)) {
                self.open = (0, false);
                let piece = self.take(buffer, at, false);
                buffer.advance(1);
                return Some(piece);
            }
            match (string, byte) {
                (true, b'\\') => escaped = !escaped,
                (true, b'"') if !escaped => string = false,
                (true, _) => escaped = false,
                (false, b'"') => string = true,
                (false, b'{') => braces += 1,
                (false, b'}') => braces = braces.saturating_sub(1),
                (false, _) => {}
            }
        }
        if buffer.len() >= self.longest {
            self.open = (0, false);
            return Some(self.take(buffer, self.longest, true));
        }
        // The next look begins before a backslash, since it says what the byte behind it is.
        let back = usize::from(escaped);
        self.looked = buffer.len() - back;
        self.open = (braces, string);
        None
    }

    fn counted(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, DecodeError> {
        loop {
            let missing = match self.missing {
                Some(missing) => missing,
                None => match self.count(buffer)? {
                    // Nothing is an event, so a message of no bytes is none.
                    Some(0) => continue,
                    Some(count) => *self.missing.insert(count),
                    None => return Ok(None),
                },
            };
            let len = missing.min(self.longest);
            if buffer.len() < len {
                return Ok(None);
            }
            self.missing = Some(missing - len).filter(|left| *left > 0);
            return Ok(Some(self.take(buffer, len, missing > len)));
        }
    }

    /// Takes a count from the front of the buffer, where it is whole. Line breaks in front of one are passed over: some
    /// senders end their messages with one that they do not count.
    fn count(&mut self, buffer: &mut BytesMut) -> Result<Option<usize>, DecodeError> {
        let breaks = buffer.iter().take_while(|byte| matches!(byte, b'\n' | b'\r' | 0)).count();
        self.at += breaks as u64;
        buffer.advance(breaks);
        let digits = buffer.iter().take(DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let wrong = |reason, what: &str| Err(DecodeError { reason, what: what.to_owned(), at: self.at });
        match buffer.get(digits) {
            _ if digits > DIGITS => wrong("too_large", "a message is longer than one may be"),
            None => Ok(None),
            Some(b' ') if digits > 0 => {
                let count =
                    buffer[..digits].iter().fold(0usize, |sum, byte| sum * 10 + usize::from(byte - b'0'));
                if count > self.limits.message {
                    let most = self.limits.message;
                    return wrong("too_large", &format!("a message of {count} bytes, {most} are allowed"));
                }
                self.at += digits as u64 + 1;
                buffer.advance(digits + 1);
                Ok(Some(count))
            }
            Some(_) => wrong("framing", "the length of a message should stand here"),
        }
    }
}

/// Length of the first message with its delimiter, and whether it is cut since it is longer than `longest`.
fn delimited(buffer: &[u8], delimiter: &[u8], longest: usize, looked: &mut usize) -> Option<(usize, bool)> {
    let most = longest.saturating_add(delimiter.len());
    let window = &buffer[..buffer.len().min(most)];
    let from = looked.saturating_sub(delimiter.len().saturating_sub(1)).min(window.len());
    let found = match delimiter {
        [byte] => memchr::memchr(*byte, &window[from..]),
        _ => memmem::find(&window[from..], delimiter),
    };
    match found {
        Some(at) => Some((from + at + delimiter.len(), false)),
        None if buffer.len() >= most => Some((longest, true)),
        None => {
            *looked = buffer.len();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(
        framing: Framing,
        longest: usize,
        chunks: &[&[u8]],
    ) -> (Vec<(String, bool, bool)>, Option<&'static str>) {
        let limits = Limits { message: 100, ..Limits::default() };
        let (mut cutter, mut buffer, mut found) =
            (Cutter::new(framing, longest, limits), BytesMut::new(), Vec::new());
        let mut note = |piece: Piece| {
            found.push((String::from_utf8_lossy(&piece.bytes).into_owned(), piece.inside, piece.goes_on));
        };
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                match cutter.cut(&mut buffer) {
                    Ok(Some(piece)) => note(piece),
                    Ok(None) => break,
                    Err(error) => return (found, Some(error.reason)),
                }
            }
        }
        cutter.rest(&mut buffer).into_iter().for_each(&mut note);
        (found, None)
    }

    fn whole(texts: &[&str]) -> Vec<(String, bool, bool)> {
        texts.iter().map(|text| ((*text).to_owned(), false, false)).collect()
    }

    #[test]
    fn the_first_byte_tells_the_framing() {
        let told = || Framing::Told(b"\n".as_slice().into());
        assert_eq!(pieces(told(), 50, &[b"<1>a\n<2", b">b\n<3>c"]).0, whole(&["<1>a\n", "<2>b\n", "<3>c"]));
        // A line break inside of a counted message is part of it; one between two is not.
        assert_eq!(
            pieces(told(), 50, &[b"6 <1>a\nb\n1", b"0 <2>1234567", b"5 <3>cut"]).0,
            whole(&["<1>a\nb", "<2>1234567", "<3>cu"])
        );
        assert_eq!(pieces(told(), 50, &[b"5 <1>"]).0, whole(&["<1>"]));
    }

    #[test]
    fn a_long_message_comes_in_pieces() {
        let piece = |text: &str, inside, goes_on| (text.to_owned(), inside, goes_on);
        let wanted = [
            piece("abcd", false, true),
            piece("efgh", true, true),
            piece("i", true, false),
            piece("j", false, false),
        ];
        assert_eq!(pieces(Framing::Delimiter(b"|".as_slice().into()), 4, &[b"abcdefghi|j|"]).0, wanted);
        let wanted = [piece("abcd", false, true), piece("ef", true, false), piece("g", false, false)];
        assert_eq!(pieces(Framing::Octets, 4, &[b"6 abcdef1 g"]).0, wanted);
    }

    #[test]
    fn a_delimiter_may_be_several_bytes_and_be_cut() {
        let end = || Framing::Delimiter(b"\r\n".as_slice().into());
        assert_eq!(
            pieces(end(), 9, &[b"a\r", b"\nb\nc\r\n\r", b"\n"]).0,
            whole(&["a\r\n", "b\nc\r\n", "\r\n"])
        );
    }

    #[test]
    fn objects_end_with_a_zero_or_a_line_break_outside_of_braces() {
        let text = b"{\"a\":\"}\\\"{\"}\0\n{\n \"b\": {}\n}\n{\"c\":1}\0garbage\n\"open\n{\"d\":";
        let wanted =
            whole(&["{\"a\":\"}\\\"{\"}", "{\n \"b\": {}\n}", "{\"c\":1}", "garbage", "\"open", "{\"d\":"]);
        assert_eq!(pieces(Framing::Objects, 50, &[text]).0, wanted);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(pieces(Framing::Objects, 50, &single).0, wanted);
        let piece = |text: &str, inside, goes_on| (text.to_owned(), inside, goes_on);
        let long = [piece("{\"a\"", false, true), piece(":1}", true, false)];
        assert_eq!(pieces(Framing::Objects, 4, &[b"{\"a\":1}\0"]).0, long);
    }

    #[test]
    fn wrong_counts_end_the_connection() {
        assert_eq!(pieces(Framing::Octets, 50, &[b"2 ab101 x"]), (whole(&["ab"]), Some("too_large")));
        assert_eq!(pieces(Framing::Octets, 50, &[b"99999999999999"]).1, Some("too_large"));
        assert_eq!(pieces(Framing::Octets, 50, &[b"2 abX"]).1, Some("framing"));
        assert_eq!(pieces(Framing::Octets, 50, &[b"12x"]).1, Some("framing"));
    }
}
