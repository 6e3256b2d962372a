//! One compressed file that is read in turns beside files that are followed. Knows nothing of directories.

use std::path::PathBuf;

use bytes::Bytes;

use super::cutter::Cutter;
use super::delivery::{Delivery, Stopped};
use super::pack::{Content, Stream};
use super::sources::{FileId, Known};
use crate::format::More;

/// Bytes read at once, and in a turn.
pub(crate) const CHUNK: usize = 1 << 20;
const TURN: usize = 8 << 20;

/// A file's bytes as a stream, from where its source stands.
pub(crate) struct Unpacking {
    pub id: FileId,
    path: PathBuf,
    content: Content,
    stream: Option<Stream>,
    cutter: Cutter,
}

/// Why reading a stream failed.
pub(crate) enum Failed {
    Stopped,
    Read(std::io::Error),
}

impl From<Stopped> for Failed {
    fn from(_: Stopped) -> Self {
        Failed::Stopped
    }
}

/// What a step gave.
pub(crate) struct Step {
    /// Bytes read; 0 at the end, where everything was given.
    pub bytes: usize,
    pub rows: usize,
}

/// Reads the next piece of a stream and delivers its rows.
pub(crate) fn step(stream: &mut Stream, cutter: &mut Cutter, delivery: &Delivery) -> Result<Step, Failed> {
    let held = cutter.held().clone();
    let mut buffer = vec![0; held.len() + CHUNK.max(held.len())];
    buffer[..held.len()].copy_from_slice(&held);
    let read = stream.fill(&mut buffer[held.len()..]).map_err(Failed::Read)?;
    buffer.truncate(held.len() + read);
    let more = if read == 0 { More::No } else { More::Yes };
    let batch = cutter.cut(Bytes::from(buffer), more, delivery.now());
    delivery.tell(cutter);
    let rows = batch.as_ref().map_or(0, |batch| batch.rows.len());
    delivery.offer(batch, cutter.mark().position())?;
    Ok(Step { bytes: read, rows })
}

/// Opens the stream and goes on to where the source stands; where the bytes before are not those that were read, a new
/// epoch begins.
pub(crate) fn begin(content: &Content, cutter: &mut Cutter, delivery: &Delivery) -> Result<Stream, Failed> {
    let mut stream = content.stream().map_err(Failed::Read)?;
    let mark = cutter.mark();
    let hash = stream.skip(mark.offset).map_err(Failed::Read)?;
    if hash.is_some_and(|hash| hash == mark.hash) {
        return Ok(stream);
    }
    cutter.begin_epoch();
    delivery.record(vec![cutter.known()])?;
    content.stream().map_err(Failed::Read)
}

impl Unpacking {
    pub(crate) fn new(id: FileId, path: PathBuf, content: Content, cutter: Cutter) -> Self {
        Unpacking { id, path, content, stream: None, cutter }
    }

    /// Reads a turn's bytes; `None` where there is nothing left to be had.
    pub(crate) fn turn(&mut self, delivery: &Delivery) -> Result<Option<usize>, Stopped> {
        match self.read(delivery) {
            Ok(0) => Ok(None),
            Ok(read) => Ok(Some(read)),
            Err(Failed::Stopped) => Err(Stopped),
            Err(Failed::Read(error)) => {
                delivery.intake.count_error("unpack", &format!("{}: {error}", self.path.display()));
                Ok(None)
            }
        }
    }

    fn read(&mut self, delivery: &Delivery) -> Result<usize, Failed> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => self.stream.insert(begin(&self.content, &mut self.cutter, delivery)?),
        };
        let mut done = 0;
        while done < TURN {
            let read = step(stream, &mut self.cutter, delivery)?.bytes;
            done += read;
            if read == 0 {
                break;
            }
        }
        Ok(done)
    }

    pub(crate) fn known(&self) -> Known {
        Known { known: self.cutter.known(), mark: self.cutter.mark().clone() }
    }
}
