//! A connection over which one request follows the other, for measurements that a library of HTTP would be part of. Reads answers
//! with a length and those in pieces. Knows nothing of what is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

/// A connection that is kept.
pub(super) struct Http {
    stream: BufReader<TcpStream>,
    /// Lines of every request's head, each with its end.
    head: String,
}

impl Http {
    /// One whose requests bear `token`, where that is not empty.
    pub(super) fn open(address: &str, token: &str) -> Result<Http> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut head = "Host: localhost\r\n".to_owned();
        if !token.is_empty() {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        Ok(Http { stream: BufReader::new(stream), head })
    }

    /// Sends a body, which is to be taken.
    pub(super) fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<()> {
        let (status, answer) = self.ask("POST", path, kind, body)?;
        ensure!(status == 200, "{status} {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    /// Sends a request; status and body of the answer.
    pub(super) fn ask(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<(u16, Vec<u8>)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.head,
            body.len()
        );
        let stream = self.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let (mut head, mut length, mut in_pieces) = (String::new(), 0, false);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            ensure!(self.stream.read_line(&mut head)? > 0, "the node ended a connection after {head:?}");
            let line = head[start..].to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().context("a length")?,
                Some(("transfer-encoding", value)) => in_pieces = value.trim() == "chunked",
                _ => {}
            }
        }
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("a status")?;
        let mut answer = vec![0; length];
        match in_pieces {
            true => self.pieces(&mut answer)?,
            false => self.stream.read_exact(&mut answer)?,
        }
        Ok((status, answer))
    }

    /// The pieces of an answer, up to the empty one.
    fn pieces(&mut self, answer: &mut Vec<u8>) -> Result<()> {
        loop {
            let mut line = String::new();
            ensure!(self.stream.read_line(&mut line)? > 0, "an answer broke off");
            let length = usize::from_str_radix(line.trim(), 16).context("the length of a piece")?;
            let start = answer.len();
            answer.resize(start + length + 2, 0);
            self.stream.read_exact(&mut answer[start..])?;
            answer.truncate(start + length);
            if length == 0 {
                return Ok(());
            }
        }
    }
}
