//! The protocol of Redis (RESP 2), as far as commands and their answers go. Knows nothing of connections.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Longest line, bytes: words of an error.
const LINE: u64 = 64 << 10;

/// Most items of a list.
const ITEMS: usize = 1 << 20;

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    /// It was done; with how many, where it tells.
    Done,
    /// It was not, in words.
    Error(String),
    /// A value.
    Value(Vec<u8>),
    /// There is none.
    Nothing,
    /// Several, which are no lists.
    List(Vec<Reply>),
}

/// A command with its arguments.
pub(crate) fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Reads one answer whose values have at most `most` bytes together.
///
/// # Errors
/// In words: the connection ended, the answer is too long, or this is no Redis.
pub(crate) async fn read(stream: &mut (impl AsyncBufRead + Unpin), most: usize) -> Result<Reply, String> {
    let mut left = most;
    let items = match item(stream, &mut left).await? {
        Item::Reply(reply) => return Ok(reply),
        Item::Of(items) => items,
    };
    let mut list = Vec::new();
    for _ in 0..items {
        match item(stream, &mut left).await? {
            Item::Reply(reply) => list.push(reply),
            Item::Of(_) => return Err(no_redis()),
        }
    }
    Ok(Reply::List(list))
}

/// What begins at a place.
enum Item {
    Reply(Reply),
    /// A list of so many.
    Of(usize),
}

fn no_redis() -> String {
    "it does not answer as Redis does".to_owned()
}

async fn item(stream: &mut (impl AsyncBufRead + Unpin), left: &mut usize) -> Result<Item, String> {
    let mut line = Vec::new();
    let read = stream.take(LINE).read_until(b'\n', &mut line).await;
    read.map_err(|error| error.to_string())?;
    let Some(line) = line.strip_suffix(b"\r\n") else { return Err(closed()) };
    let Some((kind, rest)) = line.split_first() else { return Err(no_redis()) };
    let number =
        || std::str::from_utf8(rest).ok().and_then(|text| text.parse::<i64>().ok()).ok_or_else(no_redis);
    let reply = match kind {
        b'+' | b':' => Reply::Done,
        b'-' => Reply::Error(String::from_utf8_lossy(rest).into_owned()),
        b'*' | b'$' if number()? < 0 => Reply::Nothing,
        b'$' => {
            let length = number()? as usize;
            if length > *left {
                return Err(format!("it has more than {left} bytes in one answer"));
            }
            *left -= length;
            Reply::Value(value(stream, length).await?)
        }
        b'*' => {
            let items = number()? as usize;
            return if items <= ITEMS { Ok(Item::Of(items)) } else { Err(no_redis()) };
        }
        _ => return Err(no_redis()),
    };
    Ok(Item::Reply(reply))
}

/// Reads so many bytes and the end of their line; memory grows as they come.
async fn value(stream: &mut (impl AsyncBufRead + Unpin), length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = stream.take(length as u64 + 2).read_to_end(&mut bytes).await;
    read.map_err(|error| error.to_string())?;
    if bytes.len() < length + 2 {
        return Err(closed());
    }
    if !bytes.ends_with(b"\r\n") {
        return Err(no_redis());
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn closed() -> String {
    "it has closed the connection".to_owned()
}

/// Whether what an error says may be over later, or be mended at the server: memory, start, a change of masters, rights.
pub(crate) fn may_pass(error: &str) -> bool {
    let kinds = [
        "LOADING",
        "OOM",
        "READONLY",
        "BUSY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "MISCONF",
        "TRYAGAIN",
        "NOREPLICAS",
        "NOAUTH",
        "WRONGPASS",
        "NOPERM",
    ];
    let first = error.split(' ').next().unwrap_or_default();
    kinds.contains(&first) || error == "ERR max number of clients reached"
}
