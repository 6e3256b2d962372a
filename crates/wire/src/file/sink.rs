//! Whole chunks to files: linked to the first free name, or added to the end of a file, each exactly once. Knows nothing of
//! how chunks are made.

use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sawlog_model::Nanos;
use sawlog_sys::{Behind, File, Open, Sys};

use super::NUMBER;
use crate::shared::chunks::{Sink, Whole};
use crate::shared::placeholders::{Key, Keys, Placeholders, part_of_path};

/// Bytes that are copied at a time.
const PIECE: usize = 256 << 10;

/// How files are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Compress {
    Text,
    Gzip,
    Zstd,
}

impl Compress {
    pub fn named(name: &str) -> Result<Compress, String> {
        match name {
            "" | "text" => Ok(Compress::Text),
            "gz" | "gzip" => Ok(Compress::Gzip),
            "zstd" => Ok(Compress::Zstd),
            other => Err(format!("`compress = {other}`: there are text, gzip and zstd")),
        }
    }

    pub fn suffix(self) -> &'static str {
        match self {
            Compress::Text => "",
            Compress::Gzip => ".gz",
            Compress::Zstd => ".zstd",
        }
    }
}

/// The sink.
pub(super) struct FileSink {
    sys: Sys,
    path: Placeholders,
    compress: Compress,
    append: bool,
    dir_mode: Option<u32>,
    file_mode: Option<u32>,
    link: Placeholders,
    relative: bool,
    /// Span of the chunk that the link leads to.
    latest: Mutex<Nanos>,
}

impl FileSink {
    pub fn new(sys: &Sys, path: Placeholders, compress: Compress, append: bool) -> Self {
        let link = Placeholders::parse("").unwrap_or_else(|_| path.clone());
        let (dir_mode, file_mode, latest) = (None, None, Mutex::new(Nanos::MIN));
        FileSink {
            sys: sys.clone(),
            path,
            compress,
            append,
            dir_mode,
            file_mode,
            link,
            relative: false,
            latest,
        }
    }

    pub fn with_modes(self, dir_mode: Option<u32>, file_mode: Option<u32>) -> Self {
        FileSink { dir_mode, file_mode, ..self }
    }

    pub fn with_link(self, link: Placeholders, relative: bool) -> Self {
        FileSink { link, relative, ..self }
    }

    /// Makes the directories of a file, and gives them their permissions.
    fn directories(&self, path: &Path) -> io::Result<PathBuf> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && self.sys.fs.metadata(dir).is_err())
            .collect();
        self.sys.fs.create_dir_all(dir)?;
        if let Some(mode) = self.dir_mode {
            missing.iter().try_for_each(|dir| self.sys.fs.set_mode(dir, mode))?;
        }
        Ok(dir.to_owned())
    }

    /// The file whose bytes go out: the chunk's own, or what it is compressed.
    fn packed(&self, chunk: &Whole<'_>) -> io::Result<PathBuf> {
        if self.compress == Compress::Text {
            return Ok(chunk.path.clone());
        }
        let path = chunk.beside("packed");
        if chunk_is_named(&self.sys, &path)? {
            return Ok(path);
        }
        match self.sys.fs.unlink(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let from = self.sys.fs.open(&chunk.path, Open::Read)?;
        let to = self.sys.fs.open(&path, Open::New)?;
        if let Some(mode) = self.file_mode {
            self.sys.fs.set_mode(&path, mode)?;
        }
        let end = Behind { file: &*to, at: 0 };
        match self.compress {
            Compress::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(end, flate2::Compression::default());
                copy(&*from, chunk.len, &mut encoder)?;
                encoder.finish()?;
            }
            Compress::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(end, 0)?;
                copy(&*from, chunk.len, &mut encoder)?;
                encoder.finish()?;
            }
            Compress::Text => {}
        }
        to.sync()?;
        // Its other name must not outlive this one, which tells after a crash that there is one.
        self.sys.fs.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(path)
    }

    /// Gives a chunk the first name that is free.
    fn name(&self, chunk: &Whole<'_>, template: &str) -> io::Result<()> {
        let packed = self.packed(chunk)?;
        if chunk_is_named(&self.sys, &packed)? {
            // It was named before a crash; the name may not be on stable storage.
            return self.sys.fs.sync_dir(&self.directories(Path::new(&template.replace(NUMBER, "_0")))?);
        }
        let dir = self.directories(Path::new(&template.replace(NUMBER, "_0")))?;
        for number in 0u64.. {
            let path = PathBuf::from(template.replace(NUMBER, &format!("_{number}")));
            match self.sys.fs.link(&packed, &path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        self.sys.fs.sync_dir(&dir)
    }

    /// Adds a chunk to the end of a file. Where its end was is kept before: after a crash the same bytes go to the same place.
    fn add(&self, chunk: &Whole<'_>, path: &Path) -> io::Result<()> {
        let packed = self.packed(chunk)?;
        let dir = self.directories(path)?;
        let note = chunk.beside("to");
        let noted = match self.sys.fs.read(&note) {
            Ok(bytes) => read_note(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let is_new = self.sys.fs.metadata(path).is_err();
        let file = self.sys.fs.open(path, Open::Create)?;
        if is_new && let Some(mode) = self.file_mode {
            self.sys.fs.set_mode(path, mode)?;
        }
        let there = file.metadata()?;
        // A file that was moved away or cut meanwhile has another end.
        let at = match noted {
            Some((inode, at)) if inode == there.inode && at <= there.len => at,
            _ => {
                write_note(&self.sys, &note, (there.inode, there.len))?;
                there.len
            }
        };
        let from = self.sys.fs.open(&packed, Open::Read)?;
        let len = from.metadata()?.len;
        copy(&*from, len, &mut Behind { file: &*file, at })?;
        if there.len > at + len {
            // What another version of the compressor had begun to write.
            file.set_len(at + len)?;
        }
        file.sync()?;
        if is_new { self.sys.fs.sync_dir(&dir) } else { Ok(()) }
    }
}

/// Whether a file has a second name already.
fn chunk_is_named(sys: &Sys, path: &Path) -> io::Result<bool> {
    match sys.fs.metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        there => Ok(there?.links >= 2),
    }
}

/// The inode and the offset of a note; `None` where it was not written whole.
fn read_note(bytes: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (inode, at) = text.split_once(' ')?;
    Some((inode.parse().ok()?, at.parse().ok()?))
}

/// Keeps a note on stable storage.
fn write_note(sys: &Sys, path: &Path, (inode, at): (u64, u64)) -> io::Result<()> {
    let made = path.with_extension("new");
    match sys.fs.unlink(&made) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = sys.fs.open(&made, Open::New)?;
    file.write_at(format!("{inode} {at}\n").as_bytes(), 0)?;
    file.sync()?;
    sys.fs.rename(&made, path)?;
    sys.fs.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

fn copy(from: &dyn File, len: u64, to: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE.min(usize::try_from(len).unwrap_or(PIECE)).max(1)];
    let mut at = 0;
    while at < len {
        let want = piece.len().min(usize::try_from(len - at).unwrap_or(usize::MAX));
        from.read_exact_at(&mut piece[..want], at)?;
        to.write_all(&piece[..want])?;
        at += want as u64;
    }
    Ok(())
}

/// The way from the directory of `link` to `target`.
fn relative(link: &Path, target: &Path) -> PathBuf {
    let dir = link.parent().unwrap_or(Path::new(""));
    let normal = |part: &Component<'_>| !matches!(part, Component::CurDir);
    let (from, to): (Vec<_>, Vec<_>) =
        (dir.components().filter(normal).collect(), target.components().filter(normal).collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[same..].iter().map(|_| Component::ParentDir);
    up.chain(to[same..].iter().copied()).collect()
}

impl Sink for FileSink {
    fn deliver(&self, chunk: &Whole<'_>, keys: &Keys) -> Result<(), String> {
        let template = self.path.expand(keys, chunk.key, chunk.id.trim_start_matches('b'), part_of_path);
        let done =
            if self.append { self.add(chunk, Path::new(&template)) } else { self.name(chunk, &template) };
        done.map_err(|error| match error.kind() {
            io::ErrorKind::CrossesDevices => {
                let of = template.replace(NUMBER, "_0");
                format!(
                    "{of} is on another file system than its chunks; give `buffer.path` a directory there"
                )
            }
            _ => format!("{}: {error}", template.replace(NUMBER, "_0")),
        })
    }

    fn begun(&self, id: &str, key: &Key, path: &Path, keys: &Keys) {
        let link = self.link.expand(keys, key, id.trim_start_matches('b'), part_of_path);
        if link.is_empty() {
            return;
        }
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let slice = key.slice.unwrap_or(0);
        if slice < *latest {
            return;
        }
        *latest = slice;
        let link = PathBuf::from(link);
        let absolute = self.sys.fs.resolve(path).unwrap_or_else(|_| path.to_owned());
        let target = if self.relative { relative(&link, path) } else { absolute };
        // A link is a help to people; rows go where they go without it.
        let _ = self.directories(&link).and_then(|_| self.sys.fs.symlink(&target, &link));
    }
}
