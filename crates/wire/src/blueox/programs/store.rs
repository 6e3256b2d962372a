//! `oxstore`: keeps the files that oxd writes: zips those that are whole, uploads them, removes old days, prints events. Knows
//! nothing of what is in events.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sawlog_model::{Nanos, SECOND};
use sawlog_sys::{Behind, Open, Sys, task};
use tokio::runtime::Runtime;

use super::bucket;
use super::files::{self, LogFile};
use super::flags::{self, Flag, Given, NONE};
use super::{Failure, dates, failed, usage, variable};
use crate::shared::s3::Bucket;

const FLAGS: &[Flag] = &[
    Flag { short: 'v', long: "verbose", value: "", help: "say what is done; may be given twice" },
    Flag {
        short: NONE,
        long: "lock-file",
        value: "FILE",
        help: "do nothing while another one holds this file",
    },
    Flag {
        short: 'p',
        long: "log-path",
        value: "DIR",
        help: "the files (/var/log/blueox, or BLUEOX_LOG_PATH)",
    },
    Flag { short: 'd', long: "retain-days", value: "N", help: "prune: days that are kept (7)" },
    Flag {
        short: NONE,
        long: "local",
        value: "",
        help: "cat: read the files of --log-path, though there is a bucket",
    },
    Flag {
        short: 's',
        long: "start",
        value: "DATE",
        help: "cat, download: YYYYMMDD or \"YYYYMMDD HH:MM\", in UTC (today)",
    },
    Flag { short: 'e', long: "end", value: "DATE", help: "cat, download: likewise (a day after the start)" },
    Flag {
        short: 'b',
        long: "bucket",
        value: "BUCKET",
        help: "S3 bucket (BLUEOX_BUCKET); keys, region and place as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
               AWS_DEFAULT_REGION (us-east-1), AWS_ENDPOINT_URL",
    },
    Flag { short: NONE, long: "zipped-only", value: "", help: "upload: no files that are not zipped" },
];

const HEAD: &str = "oxstore [options] (zip | prune | upload | archive | download TYPE | cat TYPE)";

/// Nanoseconds.
pub(super) const DAY: Nanos = 86_400 * SECOND;

/// Bytes that are copied at a time.
const PIECE: usize = 64 << 10;

pub(super) fn run(arguments: &[String], sys: &Sys) -> Result<u8, Failure> {
    let Some(given) = flags::read(HEAD, arguments, FLAGS)? else { return Ok(0) };
    let root = given.get("log-path").map(str::to_owned).or_else(|| variable("BLUEOX_LOG_PATH"));
    let root = PathBuf::from(root.unwrap_or_else(|| "/var/log/blueox".to_owned()));
    let held = match given.get("lock-file") {
        Some(path) => Some(
            sys.fs.lock(Path::new(path))?.ok_or_else(|| failed(format!("{path} is held by another one")))?,
        ),
        None => None,
    };
    let words: Vec<&str> = given.rest.iter().map(String::as_str).collect();
    let runtime = task::runtime("oxstore", 1)?;
    let verbose = given.has("verbose");
    let retain = given.number("retain-days", 7)?;
    let done = match words.as_slice() {
        ["zip"] => zip(sys, &root, verbose),
        ["prune"] => prune(sys, &root, retain, verbose),
        ["upload"] => {
            bucket::upload(sys, &root, &bucket(&given, &runtime, sys)?, given.has("zipped-only"), verbose)
        }
        ["archive"] => {
            let bucket = bucket(&given, &runtime, sys)?;
            zip(sys, &root, verbose)?;
            bucket::upload(sys, &root, &bucket, true, verbose)?;
            prune(sys, &root, retain, verbose)
        }
        ["download", kind] => {
            let span = dates::span(given.get("start"), given.get("end"), sys.clock.now())?;
            bucket::download(sys, Path::new("."), &bucket(&given, &runtime, sys)?, kind, span, verbose)
        }
        ["cat", kind] if given.has("local") || bucket_name(&given).is_none() => {
            cat(sys, &root, kind, &given, &mut io::stdout().lock())
        }
        ["cat", kind] => {
            let span = dates::span(given.get("start"), given.get("end"), sys.clock.now())?;
            bucket::cat(&bucket(&given, &runtime, sys)?, kind, span, &mut io::stdout().lock())
        }
        _ => Err(usage(format!("what to do? {HEAD}"))),
    };
    drop(held);
    done.map(|()| 0)
}

fn bucket_name(given: &Given) -> Option<String> {
    given.get("bucket").map(str::to_owned).or_else(|| variable("BLUEOX_BUCKET"))
}

/// The bucket that is named.
fn bucket(given: &Given, runtime: &Runtime, sys: &Sys) -> Result<Bucket, Failure> {
    let name = bucket_name(given).ok_or_else(|| usage("--bucket (or BLUEOX_BUCKET) names the bucket"))?;
    bucket::open(&name, variable, runtime, sys)
}

/// All files of events.
pub(super) fn listed(sys: &Sys, root: &Path) -> Result<Vec<LogFile>, Failure> {
    files::list(sys, root).map_err(|error| failed(format!("{}: {error}", root.display())))
}

/// Files that nobody writes to any more: all but the last of each type and host, and that one, too, when it is old.
pub(super) fn inactive(files: &[LogFile], now: Nanos) -> Vec<LogFile> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&LogFile>> = BTreeMap::new();
    for file in files {
        kinds.entry((&file.kind, &file.host)).or_default().push(file);
    }
    let today = dates::nanos(dates::of(now - 3_600 * SECOND).date().into());
    let is_done = |file: &&LogFile, is_last: bool| !is_last || dates::nanos(file.from) < today;
    let mut done = Vec::new();
    for mut of_kind in kinds.into_values() {
        of_kind.sort_by_key(|file| file.from);
        let last = of_kind.last().map(|file| file.from);
        let inactive = of_kind.iter().filter(|file| is_done(file, Some(file.from) == last));
        done.extend(inactive.filter(|file| !file.is_packed()).map(|file| (**file).clone()));
    }
    done
}

/// Packs whole files; each is removed when what it was packed into is on stable storage.
pub(super) fn zip(sys: &Sys, root: &Path, verbose: bool) -> Result<(), Failure> {
    let files = listed(sys, root)?;
    for file in inactive(&files, sys.clock.now()) {
        if verbose {
            eprintln!("zip {}", file.path.display());
        }
        pack(sys, &file.path).map_err(|error| failed(format!("{}: {error}", file.path.display())))?;
    }
    Ok(())
}

/// A path with more behind its name.
pub(super) fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn pack(sys: &Sys, path: &Path) -> io::Result<()> {
    let (packed, new) = (with_end(path, ".bz2"), with_end(path, ".bz2.new"));
    if sys.fs.metadata(&packed).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("there is {} already", packed.display()),
        ));
    }
    // One that a crash left behind.
    let _ = sys.fs.unlink(&new);
    let file = sys.fs.open(&new, Open::New)?;
    let mut encoder =
        bzip2::write::BzEncoder::new(Behind { file: &*file, at: 0 }, bzip2::Compression::best());
    let mut from = files::plain(sys, path)?;
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece)? {
            0 => break,
            count => encoder.write_all(&piece[..count])?,
        }
    }
    encoder.finish()?;
    file.sync()?;
    sys.fs.rename(&new, &packed)?;
    sys.fs.sync_dir(packed.parent().unwrap_or(Path::new(".")))?;
    sys.fs.unlink(path)
}

/// Removes days that are older: the files of events in them, and each directory that is empty then.
pub(super) fn prune(sys: &Sys, root: &Path, days: u64, verbose: bool) -> Result<(), Failure> {
    let named = |error: io::Error| failed(format!("{}: {error}", root.display()));
    let days = Nanos::try_from(days).unwrap_or(Nanos::MAX / DAY).saturating_mul(DAY);
    let first = dates::of(sys.clock.now().saturating_sub(days)).date();
    for (_, dir) in files::days(sys, root).map_err(named)?.into_iter().filter(|(day, _)| *day < first) {
        if verbose {
            eprintln!("prune {}", dir.display());
        }
        for entry in sys.fs.list(&dir)? {
            if !entry.is_dir && LogFile::read(&entry.path).is_some() {
                sys.fs.unlink(&entry.path)?;
            }
        }
        if sys.fs.list(&dir)?.is_empty() {
            sys.fs.remove_dir(&dir)?;
        } else {
            eprintln!("oxstore: {} holds other files, too, and stays", dir.display());
        }
    }
    Ok(())
}

/// Writes the bytes of the files of a type, unpacked, in the order of their times.
pub(super) fn cat(
    sys: &Sys,
    root: &Path,
    kind: &str,
    given: &Given,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let span = dates::span(given.get("start"), given.get("end"), sys.clock.now())?;
    let files = listed(sys, root)?;
    for file in files.iter().filter(|file| files::fits(kind, &file.kind) && file.overlaps(span)) {
        io::copy(&mut files::unpacked(sys, file)?, out)?;
    }
    Ok(out.flush()?)
}

/// `cat` for tests, with its options.
#[cfg(test)]
pub(super) fn cat_with(sys: &Sys, root: &Path, kind: &str, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let given = flags::read(HEAD, &arguments, FLAGS)?.unwrap_or_default();
    let mut out = Vec::new();
    cat(sys, root, kind, &given, &mut out)?;
    Ok(out)
}
