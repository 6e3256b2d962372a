//! Files that are read once, compressed or not, with the same addresses as if they had been followed: what is known of a
//! file already is not read again. Knows nothing of who calls it; many threads may, with different files.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sawlog_model::{Limits, Source, SourceFacts, SourceId, Tenant};
use sawlog_pipeline::Intake;
use sawlog_sys::task::Stop;
use sawlog_sys::{Metadata, Open, Sys};

use super::cutter::{Cutter, Origin};
use super::delivery::Delivery;
use super::kin::{self, Candidate, Kin};
use super::mark::Mark;
use super::options::LineOptions;
use super::pack::{Content, Packing};
use super::pool::Pool;
use super::sources::{FileId, Sources, family_of, is_gone};
use super::unpacking::{self, Failed};

/// How files are imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// How lines are read and what is said of them.
    pub lines: LineOptions,
    /// Whose rows.
    pub tenant: Tenant,
    /// Reads files again that are known, as sources of their own.
    pub again: bool,
    /// Bounds of lines.
    pub limits: Limits,
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Bytes of the file, compressed as it is, that were read.
    pub file_bytes: u64,
    /// Its length.
    pub file_len: u64,
    /// Bytes of lines that were given.
    pub raw_bytes: u64,
    /// Rows that were given.
    pub rows: u64,
}

/// What was imported of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// Its source; `None` where this importer has read the same file under another name.
    pub source: Option<SourceId>,
    /// How it is compressed.
    pub packing: Packing,
    /// How far it got: all of it.
    pub progress: Progress,
    /// Bytes, decompressed, that were known before and not read again.
    pub known_bytes: u64,
    /// The format of its lines, where it has any.
    pub format: Option<&'static str>,
}

/// A file cannot be imported; what was read of it before stays and is not read again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    /// The system said no, or compressed bytes are damaged.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: String,
        /// What the system or the decompressor said.
        source: Arc<io::Error>,
    },
    /// It is a directory, a pipe or the like.
    #[error("{0} is not a plain file")]
    NotAFile(String),
    /// The pipeline does not take the rows.
    #[error("{0}")]
    Delivery(String),
    /// The importer was asked to stop.
    #[error("stopped; import the same files again to go on")]
    Stopped,
}

/// Imports files; to be shared by threads.
pub struct Importer {
    options: ImportOptions,
    delivery: Delivery,
    sources: Mutex<Sources>,
    /// Files that this importer has begun to read.
    begun: Mutex<BTreeSet<FileId>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Importer {
    /// An importer into a pipeline.
    pub fn new(sys: &Sys, intake: Intake, stop: Stop, options: ImportOptions) -> Importer {
        let sources = Mutex::new(Sources::new(intake.known_sources()));
        let (buffers, failure) = (Pool::default(), Some(Mutex::default()));
        let delivery = Delivery { intake, stop, sys: sys.clone(), buffers, failure };
        Importer { options, delivery, sources, begun: Mutex::default() }
    }

    /// Imports one file; `progress` is called now and then, and at the end.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn file(&self, path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Imported, ImportError> {
        let failed =
            |error: io::Error| ImportError::Io { path: path.display().to_string(), source: Arc::new(error) };
        let path = &self.delivery.sys.fs.resolve(path).map_err(failed)?;
        if !self.delivery.sys.fs.metadata(path).map_err(failed)?.is_file {
            return Err(ImportError::NotAFile(path.display().to_string()));
        }
        let file = self.delivery.sys.fs.open(path, Open::Read).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let content = Content::of(file).map_err(failed)?;
        let packing = content.packing;
        if !lock(&self.begun).insert(FileId::of(&metadata)) {
            let progress =
                Progress { file_bytes: metadata.len, file_len: metadata.len, ..Progress::default() };
            return Ok(Imported { source: None, packing, progress, known_bytes: 0, format: None });
        }
        let (source, mark, told) = self.identify(path, &metadata, &content).map_err(failed)?;
        let mut cutter = self.cutter(source, mark, &metadata);
        if !told && self.delivery.record(vec![cutter.known()]).is_err() {
            return Err(self.stopped());
        }
        self.read(&content, &mut cutter, metadata.len, progress).map_err(|error| match error {
            Failed::Read(error) => failed(error),
            Failed::Stopped => self.stopped(),
        })
    }

    fn stopped(&self) -> ImportError {
        let failure = self.delivery.failure.as_ref().and_then(|failure| lock(failure).clone());
        failure.map_or(ImportError::Stopped, ImportError::Delivery)
    }

    /// The source of the file, where it is read on from, and whether the pipeline knows both.
    fn identify(
        &self,
        path: &Path,
        metadata: &Metadata,
        content: &Content,
    ) -> io::Result<(Source, Mark, bool)> {
        let id = FileId::of(metadata);
        let new = || Source { id: SourceId(self.delivery.sys.random.id()), facts: facts(path, &id) };
        if self.options.again {
            return Ok((new(), Mark::default(), false));
        }
        let mut sources = lock(&self.sources);
        if let Some(known) = sources.of_file(&id).map(|known| known.known.source.id)
            && let Some(known) = sources.take(known)
        {
            return Ok((known.known.source, known.mark, true));
        }
        let first = content.first()?;
        let candidate = Candidate { content, len: metadata.len, quiet: true, first };
        let family = family_of(path);
        let gone = sources
            .of_family(&family)
            .filter(|known| candidate.may_continue(known) && is_gone(&*self.delivery.sys.fs, known));
        match kin::relate(&candidate, gone, std::iter::empty())? {
            Kin::Continues(known) if let Some(known) = sources.take(known) => {
                let mut source = known.known.source;
                let name = std::mem::take(&mut source.facts.name);
                source.facts = SourceFacts { name, ..facts(path, &id) };
                Ok((source, known.mark, false))
            }
            Kin::Copy(mark) => Ok((new(), *mark, false)),
            _ => Ok((new(), Mark::default(), false)),
        }
    }

    fn cutter(&self, source: Source, mark: Mark, metadata: &Metadata) -> Cutter {
        let settings = self.options.lines.settings(metadata.modified, metadata.modified);
        let context = Arc::new(self.options.lines.context(&source.facts.name));
        let origin = Origin { tenant: self.options.tenant, source: Arc::new(source), context };
        let mut cutter = Cutter::new(origin, settings, self.options.limits, mark);
        cutter.set_encoding(self.options.lines.encoding);
        cutter
    }

    fn read(
        &self,
        content: &Content,
        cutter: &mut Cutter,
        file_len: u64,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Imported, Failed> {
        let mut stream = unpacking::begin(content, cutter, &self.delivery)?;
        let known_bytes = cutter.mark().offset;
        let before = kin::before(content, known_bytes).map_err(Failed::Read)?;
        cutter.set_bytes_before(&before);
        let mut rows = 0;
        loop {
            if self.delivery.stop.requested() {
                return Err(Failed::Stopped);
            }
            let step = unpacking::step(&mut stream, cutter, &self.delivery)?;
            rows += step.rows as u64;
            let raw_bytes = cutter.mark().offset - known_bytes;
            let progress = Progress { file_bytes: stream.read_of_file(), file_len, raw_bytes, rows };
            tell(progress);
            if step.bytes == 0 {
                let (source, format) = (Some(cutter.origin.source.id), cutter.format());
                return Ok(Imported { source, packing: content.packing, progress, known_bytes, format });
            }
        }
    }
}

fn facts(path: &Path, id: &FileId) -> SourceFacts {
    let path = path.display().to_string();
    let FileId { filesystem, inode, generation, birth } = *id;
    SourceFacts { name: path.clone(), path, filesystem, inode, generation, birth }
}
