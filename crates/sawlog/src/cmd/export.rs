//! `sawlog export`: the original files again, lines of JSON, or Parquet for other tools.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::array::{Array, BinaryArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use clap::{Args, ValueEnum};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use sawlog_model::{Predicate, SourceId, TimeRange};
use sawlog_store::{Order, ScanRequest, Store};
use sawlog_sys::{Behind, File, Open, Sys};

use super::DataArg;
use crate::node::{local, times};
use crate::reach;

/// Write events out again: as the original bytes, as JSON or as Parquet
#[derive(Args)]
pub(crate) struct Export {
    /// What to write
    #[arg(long, value_enum)]
    format: Format,
    /// Only this source: its path or name, the end of its path, or its id
    #[arg(long, value_name = "PATH")]
    source: Option<String>,
    /// Only what this search (without pipes) keeps
    #[arg(long, value_name = "QUERY")]
    query: Option<String>,
    /// From this time on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    data: DataArg,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The lines' own bytes, in the order of the source
    Text,
    /// A JSON object a line: address, times, fields
    Jsonl,
    /// Apache Parquet, a column per field
    Parquet,
}

impl Export {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        self.data.directory()?;
        let store = match reach::running(&sys, &self.data)? {
            Some(node) => {
                // What the node holds in memory goes to segments; its journal moves on while we read and is left alone.
                node.post("/api/v1/flush", &[])?;
                local::open_segments(&sys, &self.data.data)?
            }
            None => local::open_for_reading(&sys, &self.data.data)?,
        };
        let request = self.request(&sys, &store)?;
        match (self.format, &self.output) {
            (Format::Parquet, None) => bail!("Parquet goes to a file; name it with --output"),
            (format, Some(path)) => {
                let file = create(&sys, path)?;
                let out = Behind { file: &*file, at: 0 };
                match format {
                    Format::Parquet => parquet(&store, request, out)?,
                    _ => self.lines(&store, &request, &mut BufWriter::with_capacity(1 << 20, out))?,
                }
                Ok(file.sync()?)
            }
            (_, None) => {
                self.lines(&store, &request, &mut BufWriter::with_capacity(1 << 20, io::stdout().lock()))
            }
        }
    }

    fn request(&self, sys: &Sys, store: &Store) -> Result<ScanRequest> {
        let (now, tenant) = (sys.clock.now(), local::tenant(sys, &self.data.data)?);
        let (predicate, asked) = match &self.query {
            Some(query) => sawlog_query::predicate(query, now)?,
            None => (Predicate::All, TimeRange::ALL),
        };
        let start = self.since.as_deref().map_or(Ok(i64::MIN), |text| times::read(text, now))?;
        let end = self.until.as_deref().map_or(Ok(i64::MAX), |text| times::read(text, now))?;
        let order = match &self.source {
            Some(source) => Order::Source(find_source(store, source)?),
            None => Order::Oldest,
        };
        let columns = match self.format {
            Format::Text => vec!["_raw".to_owned()],
            Format::Jsonl => {
                ["_time", "_source", "_epoch", "_offset", "_line", "_fields"].map(str::to_owned).to_vec()
            }
            Format::Parquet => {
                let own = ["_time", "_received", "_source", "_epoch", "_offset", "_raw"].map(str::to_owned);
                let fields = store.fields(tenant, TimeRange::ALL)?;
                own.into_iter().chain(fields.into_iter().map(|field| field.name)).collect()
            }
        };
        let range = TimeRange { start, end }.intersect(&asked);
        Ok(ScanRequest { tenant, range, predicate, columns, order, limit: None })
    }

    fn lines(&self, store: &Store, request: &ScanRequest, out: &mut impl Write) -> Result<()> {
        let mut text = Vec::new();
        for batch in store.scan(request)? {
            let batch = batch?;
            if self.format == Format::Text {
                let raw =
                    batch.column(0).as_any().downcast_ref::<BinaryArray>().context("_raw is not binary")?;
                for line in raw.iter().flatten() {
                    out.write_all(line)?;
                }
            } else {
                text.clear();
                sawlog_query::write_ndjson(&batch, &mut text);
                out.write_all(&text)?;
            }
        }
        Ok(out.flush()?)
    }
}

/// The one source that `name` means.
fn find_source(store: &Store, name: &str) -> Result<SourceId> {
    let sources: Vec<_> = store.sources().into_iter().map(|known| known.source).collect();
    let by = |matches: &dyn Fn(&str) -> bool| -> Vec<_> {
        sources.iter().filter(|source| matches(&source.facts.name) || matches(&source.facts.path)).collect()
    };
    if let Some(source) = name.parse().ok().and_then(|id| sources.iter().find(|source| source.id == id)) {
        return Ok(source.id);
    }
    let absolute =
        std::path::absolute(name).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = by(&|have| have == name || have == absolute);
    if found.is_empty() {
        let tail = format!("/{}", name.trim_start_matches("./"));
        found = by(&|have| have.ends_with(&tail));
    }
    match found.as_slice() {
        [one] => Ok(one.id),
        [] => bail!(
            "there is no source `{name}`; `sawlog search --json --limit 1` shows how sources are called"
        ),
        many => {
            let list: Vec<String> = many.iter().map(|s| format!("  {} {}", s.id, s.facts.path)).collect();
            bail!("`{name}` means {} sources; give the id of one:\n{}", many.len(), list.join("\n"))
        }
    }
}

fn create(sys: &Sys, path: &Path) -> Result<Box<dyn File>> {
    let file = sys.fs.open(path, Open::Create).with_context(|| format!("cannot write {}", path.display()))?;
    file.set_len(0)?;
    Ok(file)
}

fn parquet<'a>(store: &Store, request: ScanRequest, file: Behind<'a>) -> Result<()> {
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
    let mut writer: Option<ArrowWriter<Behind<'a>>> = None;
    let mut file = Some(file);
    let mut write = |batch: &RecordBatch, file: &mut Option<Behind<'a>>| -> Result<()> {
        if let Some(file) = file.take() {
            writer = Some(ArrowWriter::try_new(file, batch.schema(), Some(properties.clone()))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(batch)?;
        }
        Ok(())
    };
    for batch in store.scan(&request)? {
        write(&batch?, &mut file)?;
    }
    if file.is_some() {
        // Nothing was found: an empty file with a schema is still one that others can read.
        write(&RecordBatch::new_empty(Arc::new(Schema::empty())), &mut file)?;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}
