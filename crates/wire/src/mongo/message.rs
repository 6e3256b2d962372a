//! Messages of MongoDB's protocol (OP_MSG): a command with the documents that go with it, and its answer. Knows nothing of what
//! is asked.

use sawlog_model::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::bson::{self, Keys};

/// Kind of message: the only one that there is since MongoDB 5.1, and understood since 3.6.
const OP_MSG: i32 = 2013;
/// Bytes before what a message says.
const HEAD: usize = 16;
/// Longest answer, bytes: what is said of each document of a request.
pub(super) const ANSWER_MOST: usize = 48_000_000;
/// Flag: the last four bytes are a checksum.
const CHECKSUM: u32 = 1;

/// A command, and the documents of which it is one behind the other.
#[derive(Clone)]
pub(super) struct Command {
    /// A document.
    body: Vec<u8>,
    /// The name by which the command knows them.
    list: &'static str,
    documents: Vec<u8>,
}

impl Command {
    /// One for a database. Its name comes first among its entries.
    pub fn new(entries: &[(&str, Value)], database: &str) -> Command {
        Command::with(entries, database, "", Vec::new())
    }

    /// One with documents.
    pub fn with(
        entries: &[(&str, Value)],
        database: &str,
        list: &'static str,
        documents: Vec<u8>,
    ) -> Command {
        let mut all: Vec<(Value, Value)> =
            entries.iter().map(|(key, value)| (Value::Str((*key).to_owned()), value.clone())).collect();
        all.push((Value::Str("$db".to_owned()), Value::Str(database.to_owned())));
        let mut body = Vec::new();
        // Names are made without a zero byte, and nothing here is deep.
        let written = bson::write(None, &all, &Keys::default(), &mut body);
        debug_assert!(written.is_ok(), "{written:?}");
        Command { body, list, documents }
    }

    /// The message.
    pub fn message(&self, id: i32) -> Vec<u8> {
        let more =
            if self.documents.is_empty() { 0 } else { 1 + 4 + self.list.len() + 1 + self.documents.len() };
        let len = HEAD + 4 + 1 + self.body.len() + more;
        let mut out = Vec::with_capacity(len);
        // The requests' own bounds keep far below what fits.
        for number in [i32::try_from(len).unwrap_or(i32::MAX), id, 0, OP_MSG, 0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(0);
        out.extend_from_slice(&self.body);
        if more > 0 {
            out.push(1);
            out.extend_from_slice(&i32::try_from(more - 1).unwrap_or(i32::MAX).to_le_bytes());
            out.extend_from_slice(self.list.as_bytes());
            out.push(0);
            out.extend_from_slice(&self.documents);
        }
        out
    }
}

/// Reads the answer to the message of that number; memory grows as it comes.
///
/// # Errors
/// In words: the connection ended, or this is no MongoDB.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    id: i32,
    most: usize,
) -> Result<Value, String> {
    let wrong = || "it does not answer as MongoDB does".to_owned();
    let closed = || "it has closed the connection".to_owned();
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => closed(),
        _ => error.to_string(),
    })?;
    let number = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let len = usize::try_from(number(0)).ok().and_then(|len| len.checked_sub(HEAD)).ok_or_else(wrong)?;
    if number(8) != id || number(12) != OP_MSG {
        return Err(wrong());
    }
    if len > most {
        return Err(format!("it has more than {most} bytes in one answer"));
    }
    let mut said = Vec::new();
    stream.take(len as u64).read_to_end(&mut said).await.map_err(|error| error.to_string())?;
    if said.len() < len {
        return Err(closed());
    }
    let (flags, mut said) = said.split_first_chunk().ok_or_else(wrong)?;
    if u32::from_le_bytes(*flags) & CHECKSUM != 0 {
        said = said.split_last_chunk::<4>().ok_or_else(wrong)?.0;
    }
    match said {
        [0, document @ ..] => bson::read(document),
        _ => Err(wrong()),
    }
}
