//! What `oxstore` does with a bucket: uploads files of events, downloads them, prints them. Knows nothing of how a bucket is
//! spoken to.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use sawlog_model::SECOND;
use sawlog_pipeline::{Opt, Options};
use sawlog_sys::task::Stop;
use sawlog_sys::{Behind, Open, Sys};
use tokio::runtime::Runtime;

use super::dates::{self, Span};
use super::files::{self, LogFile};
use super::store;
use super::{Failure, failed};
use crate::shared::s3::{Bucket, Credentials, Place};
use crate::shared::tls;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// The bucket of a name, by what variables say of credentials and place, as AWS's own programs read them.
pub(super) fn open(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
    runtime: &Runtime,
    sys: &Sys,
) -> Result<Bucket, Failure> {
    let first = |names: [&str; 2]| names.into_iter().find_map(&variable);
    let region = first(["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
    let endpoint = first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]).unwrap_or_default();
    let default = |opt: &Opt| (opt.name.to_owned(), vec![opt.default.to_owned()]);
    let tls = Options(tls::CLIENT.iter().map(default).collect());
    let place = Place {
        name,
        region: &region,
        endpoint: &endpoint,
        in_path: !endpoint.is_empty(),
        credentials: Credentials::read(&variable),
        connect_timeout: CONNECT,
        request_timeout: ANSWER,
        tls: &tls,
    };
    Bucket::new(place, runtime.handle(), &Stop::default(), sys).map_err(failed)
}

/// Uploads the files that nobody writes to any more: what was written to a file after its upload would be missed.
pub(super) fn upload(
    sys: &Sys,
    root: &Path,
    bucket: &Bucket,
    zipped_only: bool,
    verbose: bool,
) -> Result<(), Failure> {
    let files = store::listed(sys, root)?;
    let mut whole: Vec<LogFile> = files.iter().filter(|file| file.is_packed()).cloned().collect();
    if !zipped_only {
        whole.extend(store::inactive(&files, sys.clock.now()));
    }
    let host = sawlog_sys::host_name();
    for file in whole {
        let (key, path) = (file.key(&host), file.path.display());
        let len = sys.fs.metadata(&file.path)?.len;
        if bucket.size(&key).map_err(failed)? == Some(len) {
            continue;
        }
        if verbose {
            eprintln!("upload {path} as {key}");
        }
        let put = bucket.upload(&key, || files::plain(sys, &file.path));
        put.map_err(|error| failed(format!("{path}: {error}")))?;
    }
    Ok(())
}

/// A file in a bucket.
struct Found {
    key: String,
    len: u64,
    file: LogFile,
}

/// The files of a type in a span of time, by time and host.
fn found(bucket: &Bucket, kind: &str, span: Span) -> Result<Vec<Found>, Failure> {
    let (mut day, last) = (dates::of(span.0).date(), dates::of(span.1 - 1).date());
    let mut found = Vec::new();
    while day <= last {
        let objects = bucket.list(&day.strftime("%Y%m%d/").to_string()).map_err(failed)?;
        let files = objects
            .into_iter()
            .filter_map(|(key, len)| LogFile::read(Path::new(&key)).map(|file| Found { key, len, file }));
        found.extend(files.filter(|one| files::fits(kind, &one.file.kind) && one.file.overlaps(span)));
        day = day.tomorrow().map_err(failed)?;
    }
    found.sort_by(|a, b| files::order(&a.file, &b.file));
    Ok(found)
}

/// Writes files of a type to the current directory; those that are there already stay as they are.
pub(super) fn download(
    sys: &Sys,
    into: &Path,
    bucket: &Bucket,
    kind: &str,
    span: Span,
    verbose: bool,
) -> Result<(), Failure> {
    for Found { key, len, file } in found(bucket, kind, span)? {
        let Some(name) = file.path.file_name() else { continue };
        let path = into.join(name);
        if sys.fs.metadata(&path).is_ok() {
            continue;
        }
        if verbose {
            eprintln!("download {key}");
        }
        let new = store::with_end(&path, ".new");
        // One that a crash left behind.
        let _ = sys.fs.unlink(&new);
        let to = sys.fs.open(&new, Open::New)?;
        let copied = io::copy(&mut bucket.object(&key, len), &mut Behind { file: &*to, at: 0 });
        copied.map_err(|error| failed(format!("{key}: {error}")))?;
        to.sync()?;
        sys.fs.rename(&new, &path)?;
    }
    Ok(())
}

/// Writes the bytes of the files of a type, unpacked, in the order of their times.
pub(super) fn cat(bucket: &Bucket, kind: &str, span: Span, out: &mut dyn Write) -> Result<(), Failure> {
    for Found { key, len, file } in found(bucket, kind, span)? {
        io::copy(&mut file.packing.unpacked(Box::new(bucket.object(&key, len))), out)?;
    }
    Ok(out.flush()?)
}

impl LogFile {
    /// Where it is kept in a bucket: with the host in its name, so that those of several do not meet.
    fn key(&self, host: &str) -> String {
        let host = if self.host.is_empty() { host } else { &self.host };
        let (day, date) = ("%Y%m%d", if self.hourly { "%Y%m%d%H" } else { "%Y%m%d" });
        let (day, date) = (self.from.strftime(day), self.from.strftime(date));
        format!("{day}/{}-{date}-{host}.log{}", self.kind, self.packing.ending())
    }

    /// Whether it can hold events of this span of time.
    pub(super) fn overlaps(&self, (start, end): Span) -> bool {
        let from = dates::nanos(self.from);
        let to = from + if self.hourly { 3_600 * SECOND } else { store::DAY };
        from < end && to > start
    }
}
