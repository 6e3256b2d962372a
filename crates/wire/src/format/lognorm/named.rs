//! Rule bases beside inputs and filters: by name for producers and questions, and over the lines of a stream. Knows nothing of who
//! asks.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::{Limits, Normalize, Normalizers, Value};
use sawlog_sys::Sys;

use super::{Found, Memory, RuleBase};

/// Endings of the names of files with rules.
const ENDINGS: [&str; 3] = ["rulebase", "rb", "db"];

/// Bytes that are read, and written, at once.
const READ: usize = 256 << 10;
const WRITTEN: usize = 64 << 10;

/// A rule base that several may use at once.
pub struct Named {
    base: RuleBase,
    memories: Mutex<Vec<Memory>>,
}

impl Named {
    /// One that is read already.
    pub fn new(base: RuleBase) -> Self {
        Named { base, memories: Mutex::default() }
    }

    fn memories(&self) -> std::sync::MutexGuard<'_, Vec<Memory>> {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Normalize for Named {
    fn normalize(&self, line: &[u8], give: &mut dyn FnMut(&str, &Value)) -> bool {
        let mut memory = self.memories().pop().unwrap_or_default();
        let found = self.base.find(line, &mut memory);
        let is_one = found.is_ok();
        if let Ok(mut found) = found {
            found.each(|name, found| match found {
                Found::Part(range) => {
                    give(name, &Value::Str(String::from_utf8_lossy(&line[range]).into_owned()))
                }
                Found::Made(value) => give(name, &value),
            });
        }
        self.memories().push(memory);
        is_one
    }
}

/// The rule bases of a folder, by the names of their files without `.rulebase`, `.rb` or `.db`.
///
/// # Errors
/// In words, where the folder or one of them cannot be read.
pub fn folder(sys: &Sys, path: &Path) -> Result<Normalizers, String> {
    let listed = sys.fs.list(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let files = listed.into_iter().map(|entry| entry.path).filter(|file| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
    });
    self::files(sys, &files.collect::<Vec<_>>())
}

/// The rule bases of these files, by the same names.
///
/// # Errors
/// In words, where one cannot be read, or two have one name.
pub fn files(sys: &Sys, paths: &[PathBuf]) -> Result<Normalizers, String> {
    let mut all: BTreeMap<String, Arc<dyn Normalize>> = BTreeMap::new();
    for file in paths {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let base = RuleBase::read(sys, file, Limits::default()).map_err(|error| error.to_string())?;
        if all.insert(name.clone(), Arc::new(Named::new(base))).is_some() {
            return Err(format!("{}: there are two rule bases called {name}", file.display()));
        }
    }
    Ok(Normalizers::new(all))
}

/// Which lines are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Those that are of a rule.
    Normalized,
    /// The others.
    Others,
}

/// Writes what the rule base in a file makes of each line of standard input, to standard output.
///
/// # Errors
/// Where the rule base is wrong, lines cannot be read or answers not be written.
pub fn stdin(sys: &Sys, path: &Path, which: Which) -> io::Result<()> {
    let base = RuleBase::read(sys, path, Limits::default()).map_err(io::Error::other)?;
    let from = BufReader::with_capacity(READ, io::stdin().lock());
    normalize(&base, from, io::stdout().lock(), which)
}

/// Writes what a rule base makes of each line, as JSON. A line that is longer than an event may be is cut there.
///
/// # Errors
/// Where lines cannot be read or answers not be written.
pub fn normalize(
    base: &RuleBase,
    mut from: impl BufRead,
    mut to: impl Write,
    which: Which,
) -> io::Result<()> {
    let (mut memory, mut out, mut held) = (Memory::default(), Vec::new(), Vec::new());
    let mut one = |line: &[u8], out: &mut Vec<u8>| {
        let start = out.len();
        let is_one = base.write_json(line.strip_suffix(b"\r").unwrap_or(line), &mut memory, out);
        out.push(b'\n');
        if which != Which::All && is_one != (which == Which::Normalized) {
            out.truncate(start);
        }
    };
    loop {
        let bytes = from.fill_buf()?;
        let taken = bytes.len();
        if taken == 0 {
            break;
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            if held.is_empty() {
                one(&bytes[start..end], &mut out);
            } else {
                held.extend_from_slice(&bytes[start..end]);
                one(&held, &mut out);
                held.clear();
            }
            start = end + 1;
            if out.len() >= WRITTEN {
                to.write_all(&out)?;
                out.clear();
            }
        }
        let room = base.limits.event.saturating_sub(held.len());
        held.extend_from_slice(&bytes[start..(start + room).min(taken)]);
        from.consume(taken);
    }
    if !held.is_empty() {
        one(&held, &mut out);
    }
    to.write_all(&out)?;
    to.flush()
}
