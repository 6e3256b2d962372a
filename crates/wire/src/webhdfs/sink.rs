//! Whole chunks to files, each to exactly one place: where the end of a file was is noted before something is added to it, and
//! what was begun is cut off before it is added again. Knows nothing of how chunks are made.

use bytes::Bytes;
use sawlog_sys::{Open, Sys};

use super::files::Files;
use crate::shared::chunks::{Sink, Whole, pack::Pack};
use crate::shared::placeholders::{Key, Keys, Placeholders, part_of_path};

/// The sink.
pub(super) struct HdfsSink {
    pack: Pack,
    path: Placeholders,
    append: bool,
    files: Files,
    sys: Sys,
}

impl HdfsSink {
    pub fn new(
        pack: &str,
        path: Placeholders,
        append: bool,
        files: Files,
        sys: &Sys,
    ) -> Result<Self, String> {
        let pack =
            Pack::named(pack).ok_or_else(|| format!("`compress = {pack}`: there are text, gzip and zstd"))?;
        Ok(HdfsSink { pack, path, append, files, sys: sys.clone() })
    }

    /// Adds a chunk to the end of a file: of that which it was begun in, though another one may be configured meanwhile.
    fn add(&self, chunk: &Whole<'_>, path: String, body: Bytes) -> Result<(), String> {
        let note = chunk.beside("at");
        let noted = self.read_note(&note)?;
        let (noted, path) = noted.map_or((None, path), |(at, path)| (Some(at), path));
        let there = self.files.len(&path)?;
        match (noted, there) {
            // It was begun before; the answer, or this process, was lost.
            (Some(at), Some(len)) if len == at + body.len() as u64 => return Ok(()),
            (Some(at), Some(len)) if len >= at => {
                if !self.files.truncate(&path, at)? {
                    return Err(format!("{path}: what was begun is being cut off"));
                }
            }
            (_, there) => self.write_note(&note, there.unwrap_or(0), &path)?,
        }
        match there {
            None => self.files.create(&path, body),
            Some(_) => self.files.append(&path, body),
        }
    }

    /// How long a file was when a chunk was begun to be added to it, and the file.
    fn read_note(&self, note: &std::path::Path) -> Result<Option<(u64, String)>, String> {
        match self.sys.fs.read(note) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(|text| {
                let (at, path) = text.strip_suffix('\n')?.split_once(' ')?;
                Some((at.parse().ok()?, path.to_owned()))
            })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", note.display())),
        }
    }

    fn write_note(&self, note: &std::path::Path, at: u64, path: &str) -> Result<(), String> {
        let written = || -> std::io::Result<()> {
            let file = self.sys.fs.open(note, Open::Create)?;
            file.set_len(0)?;
            file.write_at(format!("{at} {path}\n").as_bytes(), 0)?;
            file.sync()?;
            self.sys.fs.sync_dir(note.parent().unwrap_or(note))
        };
        written().map_err(|error| format!("{}: {error}", note.display()))
    }
}

/// Longest path, and part of one, that name nodes take, bytes.
const LONGEST: (usize, usize) = (8000, 255);

/// What rows say, as one part of a path of HDFS, whose parts have no colon.
fn part(text: &str) -> String {
    part_of_path(&text.replace(':', "_"))
}

impl Sink for HdfsSink {
    fn admits(&self, keys: &Keys, key: &Key) -> Result<(), String> {
        let path = self.path.expand(keys, key, &"0".repeat(17), part);
        let mut parts = path.split('/').skip(1);
        if path.len() > LONGEST.0 || parts.any(|part| part.is_empty() || part.len() > LONGEST.1) {
            return Err(format!("`{path}` can be no path of a file: a part of it is missing, or too long"));
        }
        Ok(())
    }

    fn deliver(&self, chunk: &Whole<'_>, keys: &Keys) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", chunk.path.display());
        let (body, _) = self.pack.packed(&self.sys, chunk).map_err(failed)?;
        let path = self.path.expand(keys, chunk.key, chunk.id, part);
        if self.append {
            return self.add(chunk, path, body);
        }
        self.files.create(&path, body)
    }
}
