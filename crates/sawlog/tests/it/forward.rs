//! A Fluentd sender as small as can be: messages with a chunk id over TCP, waiting for each ack.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection to a forward input.
pub struct Sender {
    stream: TcpStream,
}

impl Sender {
    pub fn connect(port: u16) -> std::io::Result<Sender> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_nodelay(true)?;
        Ok(Sender { stream })
    }

    /// Sends `[tag, time, {"n": number, "text": …}, {"chunk": chunk}]`; `true` when the ack of that chunk came.
    pub fn send(
        &mut self,
        tag: &str,
        seconds: u32,
        nanos: u32,
        number: u64,
        chunk: &str,
    ) -> std::io::Result<bool> {
        let mut message = Vec::new();
        encode(&mut message, tag, seconds, nanos, number, chunk).expect("writing to memory");
        self.send_message(&message, chunk)
    }

    /// Sends a whole message with that chunk id; `true` when its ack came.
    pub fn send_message(&mut self, message: &[u8], chunk: &str) -> std::io::Result<bool> {
        self.stream.write_all(message)?;
        let mut expected = Vec::new();
        rmp::encode::write_map_len(&mut expected, 1).expect("memory");
        rmp::encode::write_str(&mut expected, "ack").expect("memory");
        rmp::encode::write_str(&mut expected, chunk).expect("memory");
        let mut answer = vec![0; expected.len()];
        self.stream.read_exact(&mut answer)?;
        Ok(answer == expected)
    }

    /// Sends any bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Whether the other side closes within the time limit, whatever it says before.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

fn encode(
    out: &mut Vec<u8>,
    tag: &str,
    seconds: u32,
    nanos: u32,
    number: u64,
    chunk: &str,
) -> Result<(), rmp::encode::ValueWriteError> {
    rmp::encode::write_array_len(out, 4)?;
    rmp::encode::write_str(out, tag)?;
    rmp::encode::write_ext_meta(out, 8, 0)?;
    out.extend_from_slice(&seconds.to_be_bytes());
    out.extend_from_slice(&nanos.to_be_bytes());
    rmp::encode::write_map_len(out, 2)?;
    rmp::encode::write_str(out, "n")?;
    rmp::encode::write_uint(out, number)?;
    rmp::encode::write_str(out, "text")?;
    rmp::encode::write_str(out, "an event of the test")?;
    rmp::encode::write_map_len(out, 1)?;
    rmp::encode::write_str(out, "chunk")?;
    rmp::encode::write_str(out, chunk)
}
