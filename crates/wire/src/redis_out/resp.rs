//! The protocol of Redis (RESP 2), as far as commands with plain answers go. Knows nothing of connections.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Longest answer, bytes.
const ANSWER: u64 = 64 << 10;

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) enum Reply {
    /// It was done; with how many, where it tells.
    Done,
    /// It was not, in words.
    Error(String),
}

/// A command with its arguments.
pub(super) fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        out.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Reads one answer.
///
/// # Errors
/// In words: the connection ended, or this is no Redis.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, String> {
    let mut line = Vec::new();
    let read = stream.take(ANSWER).read_until(b'\n', &mut line).await;
    read.map_err(|error| error.to_string())?;
    let Some(line) = line.strip_suffix(b"\r\n") else {
        return Err("it has closed the connection".to_owned());
    };
    match line.split_first() {
        Some((b'+' | b':', _)) => Ok(Reply::Done),
        Some((b'-', text)) => Ok(Reply::Error(String::from_utf8_lossy(text).into_owned())),
        _ => Err("it does not answer as Redis does".to_owned()),
    }
}

/// Whether what an error says may be over later, or be mended at the server: memory, start, a change of masters, rights.
pub(super) fn may_pass(error: &str) -> bool {
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
