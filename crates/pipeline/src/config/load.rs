//! From a file to a configuration: which dialect it is written in, and everything that is wrong with it, each with file and
//! line. Knows nothing of what the dialects say.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sawlog_sys::Sys;

use super::fluent::{self, Surroundings};
use super::{Compat, Config, Finding, Known, Problem, Section, ini};

/// A configuration that can be used, and what is worth knowing of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Options without an effect, differences to expect.
    pub notes: Vec<Finding>,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `sawlog.toml`
    Toml,
    /// Fluentd's and ik's
    Fluent,
    /// Flosculus's ini
    Flosculus,
    /// Beaver's ini
    Beaver,
}

impl Dialect {
    /// Told by the name's ending, else by the first line that says something.
    pub(super) fn of(path: &Path, text: &str) -> Dialect {
        if path.extension().is_some_and(|extension| extension == "toml") {
            return Dialect::Toml;
        }
        let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';'])).unwrap_or_default();
        let includes = ["@include ", "include "].iter().any(|word| first.starts_with(word));
        if first.starts_with('<') || includes {
            return Dialect::Fluent;
        }
        let has = |name: &str| text.lines().any(|line| line.trim_end().eq_ignore_ascii_case(name));
        if has("[flosculus]") || first.starts_with("[log:") {
            Dialect::Flosculus
        } else if has("[beaver]") {
            Dialect::Beaver
        } else {
            Dialect::Toml
        }
    }
}

/// Reads a configuration file in whatever dialect it is written; `compat` says of Fluentd's whose it is.
///
/// # Errors
/// Everything that is wrong, in the order of the files, with the notes.
pub fn load(
    sys: &Sys,
    path: &Path,
    known: Known<'_>,
    compat: Option<Compat>,
) -> Result<Loaded, Vec<Finding>> {
    let file = Arc::new(path.to_owned());
    let text = fluent::read_text(&*sys.fs, path)
        .map_err(|message| vec![Finding { file: file.clone(), line: 0, message, note: false }])?;
    let dialect = if compat.is_some() { Dialect::Fluent } else { Dialect::of(path, &text) };
    let (config, mut findings) = match dialect {
        Dialect::Toml => {
            let found = |problems: Vec<Problem>, note| {
                let finding = |Problem { line, message }| Finding { file: file.clone(), line, message, note };
                problems.into_iter().map(finding).collect()
            };
            match super::sections::read(&text, known) {
                Ok((config, notes)) => (config, found(notes, true)),
                Err(problems) => (Config::default(), found(problems, false)),
            }
        }
        Dialect::Flosculus => ini::read_flosculus(path, &text, known),
        Dialect::Beaver => ini::read_beaver(&*sys.fs, path, &text, known),
        Dialect::Fluent => {
            let around = Surroundings::default();
            fluent::read(&*sys.fs, path, &text, known, compat.unwrap_or_default(), &around)
        }
    };
    findings.extend(refused_inputs(&config, known, &file));
    findings.sort_by(|a, b| (a.file != file, &a.file, a.line).cmp(&(b.file != file, &b.file, b.line)));
    if findings.iter().any(|finding| !finding.note) {
        return Err(findings);
    }
    Ok(Loaded { config, notes: findings })
}

/// Reads Beaver's configuration; keys of `over` go over what its `[beaver]` says, as flags of its command line do. Without a
/// file there is only what they say.
///
/// # Errors
/// As [`load`].
pub fn load_beaver(
    sys: &Sys,
    path: Option<&Path>,
    over: &[(&str, String)],
    known: Known<'_>,
) -> Result<Loaded, Vec<Finding>> {
    let shown = path.unwrap_or(Path::new("command line"));
    let mut text = match path {
        Some(path) => fluent::read_text(&*sys.fs, path).map_err(|message| {
            vec![Finding { file: Arc::new(path.to_owned()), line: 0, message, note: false }]
        })?,
        None => String::new(),
    };
    text.push_str("\n[beaver]\n");
    over.iter().for_each(|(key, value)| text.push_str(&format!("{key} = {value}\n")));
    let (config, findings) = ini::read_beaver(&*sys.fs, shown, &text, known);
    if findings.iter().any(|finding| !finding.note) {
        return Err(findings);
    }
    Ok(Loaded { config, notes: findings })
}

/// Inputs that would not start: options that are well each for itself, but not what their protocol can work with.
fn refused_inputs(config: &Config, known: Known<'_>, file: &Arc<PathBuf>) -> Vec<Finding> {
    let refused = |section: &Section| {
        let mut of_name = known.protocols.iter().filter(|protocol| protocol.name == section.kind);
        let error = of_name.find_map(|protocol| protocol.input)?(&section.options).err()?;
        let message = format!("{}: {error}", section.kind);
        Some(Finding { file: file.clone(), line: section.line, message, note: false })
    };
    config.inputs.iter().filter_map(refused).collect()
}

/// What was found as lines, one each; what is wrong, or all with the notes.
pub fn lines(findings: &[Finding], notes: bool) -> String {
    let told = findings.iter().filter(|finding| notes || !finding.note).map(ToString::to_string);
    told.collect::<Vec<_>>().join("\n")
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.note { "note: " } else { "" };
        match self.line {
            0 => write!(f, "{note}{}", self.message),
            line => write!(f, "{}:{line}: {note}{}", self.file.display(), self.message),
        }
    }
}

impl FromStr for Compat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "fluentd" => Ok(Compat::Fluentd),
            "fluentd-v0" => Ok(Compat::FluentdV0),
            "ik" => Ok(Compat::Ik),
            _ => Err(format!("`{text}` is not fluentd, fluentd-v0 or ik")),
        }
    }
}
