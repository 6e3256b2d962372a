//! What another output gave up, to files at once: Fluentd's `secondary_file`. Knows nothing of why it was given up.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sawlog_model::{Batch, Limits, SECOND, Value};
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Opt, OptKind, Options, Output, OutputError, Protocol, opt};
use sawlog_sys::{Open, Sys};

use crate::shared::held::{AtOnce, HandOn};
use crate::shared::msgpack;
use crate::shared::placeholders::part_of_path;
use crate::shared::placeholders::{Keys, Placeholders};
use crate::shared::record::{Accessor, write_msgpack};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "secondary_file",
    summary: "Writes what another output gave up to files, as msgpack.",
    options: OPTIONS,
    output: Some(make),
    private: |_| true,
    fluent: &[FluentForm { role: Role::Match, names: &["secondary_file"], read: from_fluent }],
    ..Protocol::EMPTY
};

const OPTIONS: &[Opt] = &[
    opt("directory", OptKind::Text, "", "Where; with ${tag}, ${tag[1]}, ${chunk_id}, ${FIELD}."),
    opt("basename", OptKind::Text, "dump.bin", "Names; a number is put behind them."),
    opt("append", OptKind::Bool, "false", "Add to one file instead."),
    opt("compress", OptKind::Text, "text", "`text` (not at all) or `gzip`."),
];

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![("directory", vec![reader.required("directory").to_owned()])];
    for key in ["basename", "compress"] {
        options.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    options.extend(reader.flag("append").map(|flag| ("append", vec![flag.to_string()])));
    options
}

struct SecondaryFile {
    path: Placeholders,
    keys: Keys,
    append: bool,
    gzip: bool,
    sys: Sys,
    limits: Limits,
    /// Held while a file is written.
    turn: Mutex<()>,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let (directory, basename) = (options.text("directory"), options.text("basename"));
    if directory.is_empty() {
        return Err(ConfigError("`directory` is missing".to_owned()));
    }
    if basename.is_empty() || basename.contains('/') {
        return Err(ConfigError(format!("`basename = {basename}` must be the name of a file, without `/`")));
    }
    let path = Placeholders::parse(&format!("{}/{basename}", directory.trim_end_matches('/')));
    let path = path.map_err(ConfigError)?;
    let field = |name: &str| Ok((name.to_owned(), Accessor::parse(name).map_err(ConfigError)?));
    let fields: Vec<_> = path.fields().map(field).collect::<Result<_, ConfigError>>()?;
    let gzip = match options.text("compress") {
        "" | "text" => false,
        "gzip" => true,
        other => return Err(ConfigError(format!("`compress = {other}`: there are text and gzip"))),
    };
    let file = SecondaryFile {
        keys: Keys { time: None, tag: path.has_tag(), fields },
        path,
        append: options.flag("append"),
        gzip,
        sys: env.sys.clone(),
        limits: env.limits,
        turn: Mutex::default(),
    };
    Ok(Box::new(AtOnce::new(&env.name, file)))
}

impl SecondaryFile {
    /// Rows as `[time, record]`, by the file that they go to.
    fn parts(&self, batch: &Batch) -> Vec<(String, Vec<u8>)> {
        let keys = self.keys.of_batch(batch, &self.limits);
        let id = format!("{:016x}", self.sys.random.id() as u64);
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        for row in batch.iter() {
            let path = self.path.expand(&self.keys, &keys.key(row), &id, part_of_path);
            let place = parts.iter().position(|(have, _)| *have == path);
            let place = place.unwrap_or_else(|| {
                parts.push((path, Vec::new()));
                parts.len() - 1
            });
            let out = &mut parts[place].1;
            msgpack::write_list(2, out);
            let time = row.row().time;
            if (0..=i64::from(u32::MAX) * SECOND).contains(&time) {
                msgpack::write_time(time, out);
            } else {
                // What an EventTime cannot hold goes as whole seconds.
                msgpack::write(&Value::Int(time.div_euclid(SECOND)), out);
            }
            write_msgpack(row, &self.limits, out);
        }
        parts
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let end = if self.gzip { ".gz" } else { "" };
        let packed = if self.gzip { zip(bytes)? } else { bytes.to_vec() };
        let dir = Path::new(path).parent().unwrap_or(Path::new("."));
        self.sys.fs.create_dir_all(dir)?;
        if self.append {
            let file = self.sys.fs.open(Path::new(&format!("{path}{end}")), Open::Create)?;
            file.write_at(&packed, file.metadata()?.len)?;
            file.sync()?;
            return self.sys.fs.sync_dir(dir);
        }
        // Whole under another name first, so that no file is there in part.
        let made = PathBuf::from(format!("{path}.{:016x}.part", self.sys.random.id() as u64));
        let file = self.sys.fs.open(&made, Open::New)?;
        let written =
            file.write_at(&packed, 0).and_then(|()| file.sync()).and_then(|()| self.name(&made, path, end));
        self.sys.fs.unlink(&made)?;
        written?;
        self.sys.fs.sync_dir(dir)
    }

    /// Gives a file the first free number.
    fn name(&self, made: &Path, path: &str, end: &str) -> io::Result<()> {
        for number in 0u64.. {
            match self.sys.fs.link(made, Path::new(&format!("{path}.{number}{end}"))) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
        Ok(())
    }
}

fn zip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

impl HandOn for SecondaryFile {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, bytes) in self.parts(batch) {
            self.write(&path, &bytes).map_err(|error| OutputError::Later(format!("{path}: {error}")))?;
        }
        Ok(())
    }
}
