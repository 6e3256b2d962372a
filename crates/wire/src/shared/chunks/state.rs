//! What is known for good of chunks: which there are, how many of their bytes count, up to where journal and files are in them.
//! One small file, written anew beside the old one and moved over it. Knows nothing of what is done with chunks.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use sawlog_model::frame::{FrameError, Reader, put_bytes, put_signed, put_source, put_varint, read_source};
use sawlog_model::{KnownSource, Position, SourceId};
use sawlog_pipeline::Lsn;
use sawlog_sys::{Open, Sys};
use xxhash_rust::xxh3::xxh3_64;

use crate::shared::placeholders::Key;

/// The first bytes of the file: its kind and version.
const MAGIC: &[u8; 16] = b"sawlog chunks 1\n";

/// A chunk, as far as it is on stable storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Names its file.
    pub id: String,
    /// What its rows have in common.
    pub key: Key,
    /// Bytes of its file that count.
    pub len: u64,
    /// No rows are added any more.
    pub closed: bool,
}

/// What is on stable storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// Everything below is in chunks, or was handed on.
    pub cursor: Lsn,
    /// The same for files.
    pub known: HashMap<SourceId, KnownSource>,
    /// Chunks that were not handed on.
    pub chunks: Vec<Kept>,
}

impl Durable {
    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_varint(&mut out, self.cursor.0);
        put_varint(&mut out, self.known.len() as u64);
        for known in self.known.values() {
            put_source(&mut out, &known.source);
            put_varint(&mut out, u64::from(known.position.epoch));
            put_varint(&mut out, known.position.offset);
            put_bytes(&mut out, &known.position.resume);
        }
        put_varint(&mut out, self.chunks.len() as u64);
        for chunk in &self.chunks {
            put_bytes(&mut out, chunk.id.as_bytes());
            put_varint(&mut out, chunk.len);
            out.push(u8::from(chunk.closed));
            out.push(u8::from(chunk.key.slice.is_some()));
            put_signed(&mut out, chunk.key.slice.unwrap_or(0));
            out.push(u8::from(chunk.key.tag.is_some()));
            put_bytes(&mut out, chunk.key.tag.as_deref().unwrap_or_default().as_bytes());
            put_varint(&mut out, chunk.key.fields.len() as u64);
            chunk.key.fields.iter().for_each(|field| put_bytes(&mut out, field.as_bytes()));
        }
        seal(out)
    }

    fn decode(bytes: Vec<u8>) -> Result<Durable, FrameError> {
        let body = bytes.len().checked_sub(8).ok_or(FrameError::Short("state"))?;
        if bytes.get(..16) != Some(MAGIC) || bytes[body..] != xxh3_64(&bytes[..body]).to_le_bytes() {
            return Err(FrameError::Wrong("state"));
        }
        let mut reader = Reader::new(Bytes::from(bytes).slice(16..body));
        let mut durable = Durable { cursor: Lsn(reader.varint("cursor")?), ..Durable::default() };
        for _ in 0..reader.count("sources")? {
            let source = read_source(&mut reader)?;
            let (epoch, offset) = (reader.u32("epoch")?, reader.varint("offset")?);
            let position = Position { epoch, offset, resume: reader.bytes("resume")? };
            durable.known.insert(source.id, KnownSource { source, position });
        }
        for _ in 0..reader.count("chunks")? {
            let (id, len) = (reader.text("chunk")?, reader.varint("length")?);
            let closed = reader.byte("chunk")? == 1;
            let (has_slice, slice) = (reader.byte("slice")? == 1, reader.signed("slice")?);
            let (has_tag, tag) = (reader.byte("tag")? == 1, reader.text("tag")?);
            let mut fields = Vec::new();
            for _ in 0..reader.count("fields")? {
                fields.push(reader.text("field")?);
            }
            let key = Key { slice: has_slice.then_some(slice), tag: has_tag.then_some(tag), fields };
            durable.chunks.push(Kept { id, key, len, closed });
        }
        Ok(durable)
    }

    /// Reads the state in `dir`; an empty one where there is none.
    ///
    /// # Errors
    /// As the system says; `InvalidData` where the file is damaged.
    pub fn read(sys: &Sys, dir: &Path) -> io::Result<Durable> {
        let path = dir.join("state");
        match sys.fs.read(&path) {
            Ok(bytes) => Durable::decode(bytes).map_err(|error| {
                let what = format!("{} is damaged ({error}); move it away to begin anew", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Durable::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes it; what was there before is there until all of it is on stable storage.
    ///
    /// # Errors
    /// As the system says.
    pub fn write(&self, sys: &Sys, dir: &Path) -> io::Result<()> {
        let made = dir.join("state.new");
        match sys.fs.unlink(&made) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = sys.fs.open(&made, Open::New)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        sys.fs.rename(&made, &dir.join("state"))?;
        sys.fs.sync_dir(dir)
    }
}

/// Adds the sum over all bytes.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = xxh3_64(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

/// See [`crate::fuzz::chunk_state`].
pub(crate) fn fuzz_state(bytes: &[u8]) {
    let _damaged = Durable::decode(bytes.to_vec());
    // Behind a right sum anything may stand, too.
    let Ok(read) = Durable::decode(seal([MAGIC, bytes].concat())) else { return };
    let resumes = read.known.values().map(|known| known.position.resume.len()).sum::<usize>();
    let keys = read.chunks.iter().map(|chunk| &chunk.key);
    let texts = keys.flat_map(|key| key.fields.iter().chain(&key.tag)).map(String::len).sum::<usize>();
    let held = read.known.len() + read.chunks.len() + resumes + texts;
    assert!(held <= bytes.len(), "{held} are held of {} bytes", bytes.len());
    assert_eq!(Durable::decode(read.encode()), Ok(read), "its own bytes are read otherwise");
}

#[cfg(test)]
pub(crate) mod tests {
    use sawlog_model::{Source, SourceFacts};

    use super::*;

    /// Two chunks and a source.
    pub(crate) fn sample() -> Durable {
        let source =
            Source { id: SourceId(7), facts: SourceFacts { name: "/a".into(), ..SourceFacts::default() } };
        let position = Position { epoch: 2, offset: 99, resume: Bytes::from_static(b"xyz") };
        let key = Key { slice: Some(-5), tag: Some("t".into()), fields: vec!["a".into(), String::new()] };
        Durable {
            cursor: Lsn(1 << 40),
            known: HashMap::from([(source.id, KnownSource { source, position })]),
            chunks: vec![
                Kept { id: "c1".into(), key, len: 300, closed: true },
                Kept { id: "c2".into(), key: Key::default(), len: 0, closed: false },
            ],
        }
    }

    /// States without what [`fuzz_state`] adds.
    pub(crate) fn seeds() -> Vec<Vec<u8>> {
        [Durable::default(), sample()]
            .map(|durable| {
                let bytes = durable.encode();
                bytes[MAGIC.len()..bytes.len() - 8].to_vec()
            })
            .to_vec()
    }

    #[test]
    fn what_was_written_is_read_and_damage_is_told() {
        let durable = sample();
        let dir = tempfile::tempdir().unwrap();
        let sys = Sys::real();
        assert_eq!(Durable::read(&sys, dir.path()).unwrap(), Durable::default());
        Durable::default().write(&sys, dir.path()).unwrap();
        durable.write(&sys, dir.path()).unwrap();
        assert_eq!(Durable::read(&sys, dir.path()).unwrap(), durable);
        let bytes = durable.encode();
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(Durable::decode(wrong).is_err(), "byte {at}");
            assert!(Durable::decode(bytes[..at].to_vec()).is_err(), "cut at {at}");
        }
    }
}
