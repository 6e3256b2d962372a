//! A source with the position up to which it is stored, as the bytes that a manifest has of it: a node may know a million of them,
//! and needs to look at few. Knows nothing of manifests.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::frame::{FrameError, Reader, put_bytes, put_source, put_varint, read_source};
use sawlog_model::{KnownSource, Position, SourceId};

/// A source, packed; cheap to clone.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct StoredSource {
    /// Epoch and offset up to which it is stored.
    pub mark: (u32, u64),
    bytes: Arc<[u8]>,
}

impl StoredSource {
    /// Packs what is known of a source.
    pub fn new(known: &KnownSource) -> StoredSource {
        let mut bytes = Vec::with_capacity(128);
        put_source(&mut bytes, &known.source);
        put_varint(&mut bytes, u64::from(known.position.epoch));
        put_varint(&mut bytes, known.position.offset);
        put_bytes(&mut bytes, &known.position.resume);
        StoredSource { mark: known.position.mark(), bytes: bytes.into() }
    }

    /// Its bytes in a manifest.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes one from the body of a manifest, of which `reader` has read a part.
    pub fn read(body: &Bytes, reader: &mut Reader) -> Result<StoredSource, FrameError> {
        let from = body.len() - reader.remaining();
        let known = read(reader)?;
        let bytes = body[from..body.len() - reader.remaining()].into();
        Ok(StoredSource { mark: known.position.mark(), bytes })
    }

    /// Which it is: its bytes begin with that.
    pub fn id(&self) -> SourceId {
        SourceId(self.bytes.first_chunk().map_or(0, |id| u128::from_le_bytes(*id)))
    }

    /// What is known of it.
    pub fn known(&self) -> KnownSource {
        // What was packed or read here is read again.
        read(&mut Reader::new(Bytes::copy_from_slice(&self.bytes))).unwrap_or_else(|_| KnownSource {
            source: sawlog_model::Source { id: self.id(), ..Default::default() },
            position: Position { epoch: self.mark.0, offset: self.mark.1, ..Position::default() },
        })
    }
}

fn read(reader: &mut Reader) -> Result<KnownSource, FrameError> {
    let source = read_source(reader)?;
    let (epoch, offset) = (reader.u32("epoch")?, reader.varint("offset")?);
    Ok(KnownSource { source, position: Position { epoch, offset, resume: reader.bytes("resume")? } })
}
