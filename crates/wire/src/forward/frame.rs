//! A connection's bytes, cut into messages. Knows nothing of what is in a message: it finds where one ends, in msgpack or,
//! where the connection's first byte is `{` or `[`, in JSON (which it turns into msgpack, so that all else reads one form).

use bytes::{Buf, Bytes, BytesMut};
use sawlog_model::{Limits, value};
use sawlog_pipeline::DecodeError;

use crate::shared::msgpack::{self, MsgpackError, Scanner};

/// Levels that a message adds to those of its records: the message, the list of entries, the entry, its time with metadata.
const MESSAGE_DEPTH: usize = 4;

/// Finds messages in bytes that come in pieces.
pub struct Framer {
    buffer: BytesMut,
    /// Bytes of the connection before the buffer.
    before: u64,
    limits: Limits,
    form: Form,
}

enum Form {
    /// Nothing came yet.
    Unknown,
    Msgpack(Scanner),
    Json(JsonScanner),
}

impl Framer {
    /// A framer at the first byte of a connection.
    pub fn new(limits: Limits) -> Self {
        Framer { buffer: BytesMut::new(), before: 0, limits, form: Form::Unknown }
    }

    /// Where the next bytes of the connection are to be appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes that are held, of messages that are not whole.
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that the message under way lacks, as far as that can be told.
    pub fn lacks(&self) -> usize {
        let least = if let Form::Msgpack(scanner) = &self.form { scanner.least() } else { 0 };
        least.saturating_sub(self.buffer.len())
    }

    /// Whether the peer speaks JSON, and wants to be answered in it.
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json(_))
    }

    /// The next whole message, as msgpack.
    ///
    /// # Errors
    /// [`DecodeError`]: nothing that follows can be read.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, DecodeError> {
        if matches!(self.form, Form::Unknown) {
            self.form = match self.buffer.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => Form::Json(JsonScanner::default()),
                Some(_) => Form::Msgpack(Scanner::default()),
            };
        }
        let (depth, most) = (self.limits.depth.saturating_add(MESSAGE_DEPTH), self.limits.message);
        match &mut self.form {
            Form::Unknown => Ok(None),
            Form::Msgpack(scanner) => match scanner.next_end(&self.buffer, depth, most) {
                Ok(Some(end)) => Ok(Some(self.take(end))),
                Ok(None) => Ok(None),
                Err(error) => Err(broken(error, self.before)),
            },
            Form::Json(scanner) => {
                let found = scanner.next_end(&mut self.buffer, &mut self.before, most);
                match found.map_err(|error| broken(error, self.before))? {
                    Some(end) => self.take_json(end).map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    fn take(&mut self, end: usize) -> Bytes {
        self.before += end as u64;
        self.buffer.split_to(end).freeze()
    }

    fn take_json(&mut self, end: usize) -> Result<Bytes, DecodeError> {
        let at = self.before;
        let text = self.take(end);
        let limits = Limits { depth: self.limits.depth.saturating_add(MESSAGE_DEPTH), ..self.limits };
        let value = value::parse_json(&text, &limits).map_err(|error| DecodeError {
            reason: "broken",
            what: error.to_string(),
            at,
        })?;
        let mut bytes = Vec::with_capacity(text.len());
        msgpack::write(&value, &mut bytes);
        Ok(bytes.into())
    }
}

/// The error of a connection for one of msgpack in a message that begins at `at`.
pub(super) fn broken(error: MsgpackError, at: u64) -> DecodeError {
    let (reason, at) = match error {
        MsgpackError::Syntax(inside) => ("broken", at + inside as u64),
        MsgpackError::Deep(_) => ("too_deep", at),
        MsgpackError::Long(_) => ("too_large", at),
    };
    DecodeError { reason, what: error.to_string(), at }
}

/// Finds the end of JSON lists and maps by their brackets alone; what is in them is parsed afterwards.
#[derive(Default)]
struct JsonScanner {
    at: usize,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl JsonScanner {
    fn next_end(
        &mut self,
        buffer: &mut BytesMut,
        before: &mut u64,
        most: usize,
    ) -> Result<Option<usize>, MsgpackError> {
        if self.at == 0 {
            let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            buffer.advance(blanks);
            *before += blanks as u64;
            match buffer.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => {}
                Some(_) => return Err(MsgpackError::Syntax(0)),
            }
        }
        while let Some(byte) = buffer.get(self.at) {
            self.at += 1;
            if self.at > most {
                return Err(MsgpackError::Long(most));
            }
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                return Ok(Some(std::mem::take(self).at));
            }
        }
        Ok(None)
    }
}
