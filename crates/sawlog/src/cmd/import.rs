//! `sawlog import PATHS…`: files that are there already, compressed or not, into a directory's store.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Error, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sawlog_journal::Journal;
use sawlog_pipeline::{Output, Pipeline, PipelineOptions};
use sawlog_store::{Options, Store};
use sawlog_sys::task::{self, Stop};
use sawlog_sys::{Fs, Sys};
use sawlog_wire::tail::{ImportOptions, Importer, LineOptions, Progress};

use super::DataArg;
use crate::store_output::StoreOutput;
use crate::{reach, terminal};

/// Files that are read at the same time: two cores are what sawlog is made for, and the store works beside.
const READERS: usize = 2;

/// Import files and folders: plain, gzip, zstd, bzip2, xz. What is known already is not read again
#[derive(Args)]
pub(crate) struct Import {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Format of the lines; without it, it is detected
    #[arg(long)]
    format: Option<String>,
    /// Zone of times without one, such as Europe/Zurich or +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// `_tag` of all rows; a `*` in it stands for the path with dots for slashes
    #[arg(long, default_value = "")]
    tag: String,
    /// Import files again that are known, as sources of their own
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    data: DataArg,
}

/// A file to read, and its length.
type Todo = (PathBuf, u64);

impl Import {
    pub(crate) fn run(self) -> Result<()> {
        // Rows go from the threads that read to those that store.
        task::share_one_heap();
        let sys = Sys::real();
        let data = &self.data.data;
        if reach::running(&sys, &self.data)?.is_some() {
            bail!(
                "a node runs on {}; let it follow the files (`sawlog run --tail …`), or stop it first (`sawlog shutdown`)",
                data.display()
            );
        }
        let mut todo = Vec::new();
        for path in &self.paths {
            collect(&*sys.fs, path, &mut todo).with_context(|| path.display().to_string())?;
        }
        sys.fs.create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let store = Store::open(&sys, data, Options::default())?;
        let (journal, _) = Journal::open(&sys, &data.join("journal"), Default::default())?;
        // The files stay where they are, so nothing of them needs the journal.
        // What is in it may be waited for by outputs that do not run now: it is left as it is.
        let options =
            PipelineOptions { late_after: None, trim_bytes: u64::MAX, ..PipelineOptions::default() };
        let outputs: Vec<Arc<dyn Output>> = vec![Arc::new(StoreOutput::new(store.clone()))];
        let pipeline = Pipeline::start(&sys, journal, outputs, options)?;
        let lines = LineOptions {
            format: self.format,
            timezone: self.timezone,
            tag: self.tag,
            ..LineOptions::default()
        };
        let options = ImportOptions { lines, again: self.again, ..ImportOptions::default() };
        let importer = Importer::new(&sys, pipeline.intake("import"), Stop::default(), options);
        let work = Work::new(importer, todo)?;
        let outcome = work.run();
        pipeline.stop();
        store.flush()?;
        let done = work.say_what_was_done();
        outcome.and(done)
    }
}

/// All plain files below `path`, each once by its path. Hidden files count: logs may be called anything.
fn collect(fs: &dyn Fs, path: &Path, todo: &mut Vec<Todo>) -> Result<()> {
    let metadata = fs.metadata(path)?;
    if !metadata.is_dir {
        todo.push((path.to_owned(), metadata.len));
        return Ok(());
    }
    for entry in fs.list(path)? {
        match fs.metadata(&entry.path) {
            Ok(metadata) if metadata.is_dir => collect(fs, &entry.path, todo)?,
            Ok(metadata) if metadata.is_file => todo.push((entry.path, metadata.len)),
            // Pipes, sockets and dangling links in a folder are not logs.
            _ => {}
        }
    }
    Ok(())
}

/// What the reading threads share.
#[derive(Clone)]
struct Work(Arc<Shared>);

struct Shared {
    importer: Importer,
    todo: Mutex<VecDeque<Todo>>,
    bar: ProgressBar,
    sums: Mutex<Sums>,
}

#[derive(Default)]
struct Sums {
    files: u64,
    raw_bytes: u64,
    rows: u64,
    known_bytes: u64,
    failures: Vec<String>,
}

impl Work {
    fn new(importer: Importer, mut todo: Vec<Todo>) -> Result<Self> {
        let bar = ProgressBar::new(todo.iter().map(|(_, len)| len).sum());
        let look = "{bar:30} {bytes} of {total_bytes}  {msg}  {bytes_per_sec}  {eta} left";
        bar.set_style(ProgressStyle::with_template(look)?);
        // Large files first, so that both readers end at about the same time.
        todo.sort_by_key(|(_, len)| std::cmp::Reverse(*len));
        let todo = Mutex::new(todo.into());
        Ok(Work(Arc::new(Shared { importer, todo, bar, sums: Mutex::default() })))
    }

    fn run(&self) -> Result<()> {
        let start = || {
            let work = self.clone();
            task::spawn("import", move || work.read_files()).map_err(Error::from)
        };
        let threads = (0..READERS).map(|_| start()).collect::<Result<Vec<_>>>()?;
        let joined = threads.into_iter().map(|thread| thread.join()).collect::<Option<Vec<_>>>();
        self.0.bar.finish_and_clear();
        joined.map(drop).context("a reading thread panicked")
    }

    fn read_files(&self) {
        loop {
            let next = self.0.todo.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((path, _)) = next else { return };
            let mut before = Progress::default();
            let result = self.0.importer.file(&path, &mut |now| {
                self.add(&before, &now);
                before = now;
            });
            let mut sums = self.sums();
            match result {
                Ok(imported) => {
                    sums.files += 1;
                    sums.known_bytes += imported.known_bytes;
                }
                Err(error) => sums.failures.push(error.to_string()),
            }
        }
    }

    fn sums(&self) -> std::sync::MutexGuard<'_, Sums> {
        self.0.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, before: &Progress, now: &Progress) {
        let mut sums = self.sums();
        sums.rows += now.rows - before.rows;
        sums.raw_bytes += now.raw_bytes - before.raw_bytes;
        self.0.bar.inc(now.file_bytes.saturating_sub(before.file_bytes));
        self.0.bar.set_message(format!("{} events", terminal::count(sums.rows)));
    }

    /// Fails where a file failed: the others are in all the same.
    fn say_what_was_done(&self) -> Result<()> {
        let sums = self.sums();
        let known = match sums.known_bytes {
            0 => String::new(),
            bytes => format!("; {} were known before", terminal::bytes(bytes)),
        };
        writeln!(
            std::io::stdout(),
            "{} files, {} events, {} of lines{known}",
            terminal::count(sums.files),
            terminal::count(sums.rows),
            terminal::bytes(sums.raw_bytes)
        )?;
        if sums.failures.is_empty() {
            return Ok(());
        }
        bail!("{} files could not be imported:\n  {}", sums.failures.len(), sums.failures.join("\n  "))
    }
}
