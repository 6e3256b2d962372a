//! What can be set for files that are followed or imported. Knows nothing of how they are read.

use std::path::Path;
use std::time::Duration;

use sawlog_model::{Context, Nanos};
use sawlog_pipeline::{ConfigError, Options};

use super::glob::Pattern;
use super::transcode::Transcoder;
use crate::format::Settings;
use crate::format::parse::Spec;
use crate::shared::strftime::{self, TimeFormat};

/// How lines are read and what is said of them.
#[derive(Clone, Debug, Default)]
pub struct LineOptions {
    /// Name of the format; `None` detects it.
    pub format: Option<String>,
    /// Zone of times without one.
    pub timezone: Option<String>,
    /// What the lines are written in; `None`: UTF-8.
    pub encoding: Option<Transcoder>,
    /// Whether lines are joined to events; `None`: as the format says.
    pub multiline: Option<bool>,
    /// A configured parser, instead of a format.
    pub parse: Option<Spec>,
    /// Empty lines are left out.
    pub skip_empty: bool,
    /// Lines longer than this, in bytes, are left out and counted; 0: none.
    pub longest: usize,
    /// A field of all rows that holds the path of their file; empty: none.
    pub path_key: String,
    /// `_tag` of all rows; a `*` in it stands for the path with dots for slashes. Empty: none.
    pub tag: String,
    /// `_host` of all rows.
    pub host: String,
}

impl LineOptions {
    /// Settings of a parser; `reference` for times without a year, `fallback` for lines without a time.
    pub(crate) fn settings(&self, reference: Nanos, fallback: Nanos) -> Settings {
        Settings {
            format: self.format.clone(),
            timezone: self.timezone.clone(),
            reference,
            fallback,
            multiline: self.multiline,
            parse: self.parse.clone(),
            skip_empty: self.skip_empty,
            longest: (self.longest > 0).then_some(self.longest),
        }
    }

    /// What is said of all rows of the file that was first seen under this path.
    pub(crate) fn context(&self, path: &str) -> Context {
        let mut context = Context::new([("_path", path), ("_host", self.host.as_str())]);
        if !self.tag.is_empty() {
            let dotted = path.trim_start_matches('/').replace('/', ".");
            context.set("_tag", self.tag.replace('*', &dotted));
        }
        context
    }
}

/// Options of the input.
#[derive(Clone, Debug)]
pub(crate) struct TailOptions {
    /// Patterns with a time in them; what they mean now is among `paths`.
    dated: Vec<TimeFormat>,
    /// Patterns without one come first; so many they are.
    undated: usize,
    pub paths: Vec<Pattern>,
    pub exclude: Vec<Pattern>,
    pub lines: LineOptions,
    pub from_beginning: bool,
    pub rescan: Duration,
    pub token: String,
    /// Where another program that followed these files kept its positions; empty: nowhere.
    pub pos_file: String,
    /// Files that were not written to for so long are left out; zero: none.
    pub recent: Duration,
    /// Of a file that is not read from its beginning, so many of the last lines are read all the same.
    pub tail_lines: u64,
    /// After so long without a new byte, lines are given that others might have gone on with; zero: never.
    pub quiet: Duration,
    /// Most bytes that are read of a file in a second; 0: as many as there are.
    pub rate: u64,
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn encoding(name: &str) -> Result<Option<Transcoder>, ConfigError> {
    if name.is_empty() {
        return Ok(None);
    }
    Transcoder::named(name).map_err(|error| ConfigError(format!("`encoding`: {error}")))
}

fn patterns(texts: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    let mut all = Vec::new();
    for text in texts {
        let absolute = std::path::absolute(Path::new(text))
            .map_err(|error| ConfigError(format!("`{text}` is no path: {error}")))?;
        // `absolute` takes a slash at the end away, which says that everything below is meant.
        let dir = if text.ends_with('/') { "/**" } else { "" };
        let text = format!("{}{dir}", absolute.display());
        all.extend(Pattern::parse(&text).map_err(ConfigError)?);
    }
    Ok(all)
}

/// Whether parts of a date or a time of day stand in a path: `%Y`, `%m`, `%d`, `%H`, `%M`, `%S`, `%y`, `%j`, `%F`.
fn has_date(path: &str) -> bool {
    path.match_indices('%')
        .any(|(at, _)| path[at + 1..].starts_with(['Y', 'm', 'd', 'H', 'M', 'S', 'y', 'j', 'F']))
}

/// The configured parser, where there is one.
fn parser(options: &Options) -> Result<Option<Spec>, ConfigError> {
    let spec = Spec::from_options(options)?;
    if spec.is_auto() {
        return Ok(None);
    }
    if !spec.reads_lines() {
        return Err(ConfigError(format!(
            "`parse.type = {}`: files are read by lines, and this has none",
            spec.name()
        )));
    }
    if !options.text("format").is_empty() {
        return Err(ConfigError(
            "`format` and `parse.type` are both given: one of them says how lines are read".to_owned(),
        ));
    }
    Ok(Some(spec))
}

impl TailOptions {
    pub(crate) fn read(options: &Options) -> Result<TailOptions, ConfigError> {
        let (dated, fixed): (Vec<String>, Vec<String>) =
            options.list("paths").iter().cloned().partition(|path| has_date(path));
        let paths = patterns(&fixed)?;
        if paths.is_empty() && dated.is_empty() {
            return Err(ConfigError("`paths` is empty: give at least one file or pattern".to_owned()));
        }
        let zone = strftime::zone(options.text("path_timezone"))
            .map_err(|error| ConfigError(format!("`path_timezone`: {error}")))?;
        let dated: Vec<TimeFormat> = dated.iter().map(|path| TimeFormat::new(path, zone.clone())).collect();
        let multiline = match options.text("multiline") {
            "true" => Some(true),
            "false" => Some(false),
            "" | "auto" => None,
            other => return Err(ConfigError(format!("`multiline = {other}`: write true, false or auto"))),
        };
        let lines = LineOptions {
            format: given(options.text("format")),
            timezone: given(options.text("timezone")),
            encoding: encoding(options.text("encoding"))?,
            multiline,
            parse: parser(options)?,
            skip_empty: options.flag("ignore_empty"),
            longest: options.bytes("max_line_size"),
            path_key: options.text("path_key").to_owned(),
            tag: options.text("tag").to_owned(),
            host: given(options.text("host")).unwrap_or_else(sawlog_sys::host_name),
        };
        lines.settings(0, 0).check().map_err(|error| ConfigError(error.to_string()))?;
        let mut read = TailOptions {
            undated: paths.len(),
            dated,
            paths,
            exclude: patterns(options.list("exclude"))?,
            lines,
            from_beginning: options.flag("from_beginning"),
            rescan: options.duration("rescan").max(Duration::from_secs(1)),
            token: options.text("token").to_owned(),
            pos_file: options.text("pos_file").to_owned(),
            recent: options.duration("limit_recently_modified"),
            tail_lines: options.number("tail_lines"),
            quiet: options.duration("multiline_flush_interval"),
            rate: options.bytes("read_bytes_limit_per_second") as u64,
        };
        read.date(0)?;
        Ok(read)
    }

    /// Takes the patterns with a time in them as of now.
    ///
    /// # Errors
    /// [`ConfigError`] where one is no pattern.
    pub(crate) fn date(&mut self, now: Nanos) -> Result<(), ConfigError> {
        if !self.dated.is_empty() {
            let texts: Vec<String> = self.dated.iter().map(|format| format.text(now)).collect();
            self.paths.truncate(self.undated);
            self.paths.extend(patterns(&texts)?);
        }
        Ok(())
    }

    /// Whether the path is asked for.
    pub(crate) fn wants(&self, path: &Path) -> bool {
        self.paths.iter().any(|pattern| pattern.matches(path)) && !self.excludes(path)
    }

    /// Whether the path is left out.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        self.exclude.iter().any(|pattern| pattern.matches(path))
    }
}
