//! A program of VRL, compiled, and running it on one event with a bound on its steps. Knows nothing of rows and batches.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::state::ExternalEnv;
use vrl::compiler::{CompileConfig, Function, Program, SecretTarget, Target, TimeZone};
use vrl::diagnostic::{Diagnostic, DiagnosticList, Formatter};
use vrl::path::{OwnedTargetPath, OwnedValuePath, PathPrefix};
use vrl::value::kind::Collection;
use vrl::value::{Kind, Value};

/// Functions that are left out: a few bytes of somebody else's become gigabytes in them.
const UNBOUNDED: [&str; 5] = ["decode_gzip", "decode_lz4", "decode_snappy", "decode_zlib", "decode_zstd"];

/// Most steps of a program on one row: expressions that are worked out, those of closures each time.
const STEPS: u32 = 1_000_000;

/// What cannot be assigned.
pub(super) const READ_ONLY: [&str; 4] = ["received", "host", "path", "line"];

/// Functions that programs may call. Those that reach for the network, the environment or files are not built in.
static FUNCTIONS: LazyLock<Vec<Box<dyn Function>>> = LazyLock::new(|| {
    let mut functions = vrl::stdlib::all();
    functions.retain(|function| !UNBOUNDED.contains(&function.identifier()));
    functions
});

/// Something that is wrong in a program, or that VRL warns of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Line of the program, from 0.
    pub line: usize,
    /// VRL's own words, over several lines.
    pub message: String,
}

/// A compiled program, and what it looks at.
pub(super) struct Compiled {
    program: Program,
    zone: TimeZone,
    /// Whether it reads or writes anything that is not of the record.
    pub uses_metadata: bool,
    /// Whether it reads the row's line.
    pub uses_line: bool,
    /// What VRL warns of.
    pub warnings: Vec<Wrong>,
}

/// Compiles a program.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn compile(source: &str, zone: TimeZone) -> Result<Compiled, Vec<Wrong>> {
    let text = || Kind::bytes();
    let metadata = Collection::empty()
        .with_known("tag", text())
        .with_known("time", Kind::timestamp())
        .with_known("received", Kind::timestamp())
        .with_known("line", text())
        .with_unknown(text());
    let env = ExternalEnv::new_with_kind(Kind::object(Collection::any()), Kind::object(metadata));
    let mut config = CompileConfig::default();
    for name in READ_ONLY {
        config.set_read_only_path(OwnedTargetPath::metadata(OwnedValuePath::single_field(name)), true);
    }
    let result = vrl::compiler::compile_with_external(source, &FUNCTIONS, &env, config);
    let told = |diagnostics: DiagnosticList, problems| wrong(source, diagnostics, problems);
    let compiled = result.map_err(|diagnostics| told(diagnostics, true))?;
    let (program, warnings) = (compiled.program, told(compiled.warnings, false));
    let info = program.info();
    let paths = info.target_queries.iter().chain(&info.target_assignments);
    let of_metadata: Vec<_> = paths.filter(|path| path.prefix == PathPrefix::Metadata).collect();
    let line = OwnedTargetPath::metadata(OwnedValuePath::single_field("line"));
    let uses_line = of_metadata.iter().any(|path| path.path.is_root() || path.can_start_with(&line));
    let uses_metadata = !of_metadata.is_empty();
    Ok(Compiled { program, zone, uses_metadata, uses_line, warnings })
}

/// Its problems, or its warnings.
fn wrong(source: &str, diagnostics: DiagnosticList, problems: bool) -> Vec<Wrong> {
    let line = |diagnostic: &Diagnostic| {
        let primary = diagnostic.labels.iter().find(|label| label.primary);
        let label = primary.or(diagnostic.labels.first());
        let at = label.map_or(0, |label| label.span.start()).min(source.len());
        source.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
    };
    let chosen = diagnostics.into_iter().filter(|diagnostic| diagnostic.is_problem() == problems);
    let mut all: Vec<Wrong> = chosen
        .map(|diagnostic| Wrong {
            line: line(&diagnostic),
            message: Formatter::new(source, vec![diagnostic]).to_string().trim().to_owned(),
        })
        .collect();
    all.sort_by_key(|wrong| wrong.line);
    all
}

/// An event that a program works on.
#[derive(Debug)]
pub(super) struct Event {
    /// The record: `.`
    pub record: Value,
    /// What is not of the record: `%`
    pub metadata: Value,
    /// Whether the record may have changed.
    pub touched: bool,
}

/// How a program ended that did not come to its end.
pub(super) enum Ended {
    /// By `abort`.
    Aborted(String),
    /// By an error that nothing in it handles.
    Failed(String),
    /// It took too many steps.
    Exhausted,
}

impl Compiled {
    /// Runs it on an event; `runtime` is one of the caller's own, used again and again.
    ///
    /// # Errors
    /// Where it did not come to its end; the event is in pieces then.
    pub fn run(&self, event: &mut Event, runtime: &mut Runtime) -> Result<(), Ended> {
        runtime.clear();
        let mut left = STEPS;
        let mut control = || match left.checked_sub(1) {
            Some(less) => {
                left = less;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        };
        match runtime.resolve_with_control(event, &self.program, &self.zone, &mut control) {
            Ok(_) => Ok(()),
            Err(Terminate::Interrupted) => Err(Ended::Exhausted),
            Err(Terminate::Abort(error)) => Err(Ended::Aborted(error.to_string())),
            Err(Terminate::Error(error)) => Err(Ended::Failed(error.to_string())),
        }
    }
}

impl Event {
    fn part(&self, prefix: PathPrefix) -> &Value {
        match prefix {
            PathPrefix::Event => &self.record,
            PathPrefix::Metadata => &self.metadata,
        }
    }

    fn part_mut(&mut self, prefix: PathPrefix) -> &mut Value {
        match prefix {
            PathPrefix::Event => {
                self.touched = true;
                &mut self.record
            }
            PathPrefix::Metadata => &mut self.metadata,
        }
    }
}

impl Target for Event {
    fn target_insert(&mut self, path: &OwnedTargetPath, value: Value) -> Result<(), String> {
        self.part_mut(path.prefix).insert(&path.path, value);
        Ok(())
    }

    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        Ok(self.part(path.prefix).get(&path.path))
    }

    fn target_get_mut(&mut self, path: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        Ok(self.part_mut(path.prefix).get_mut(&path.path))
    }

    fn target_remove(&mut self, path: &OwnedTargetPath, compact: bool) -> Result<Option<Value>, String> {
        Ok(self.part_mut(path.prefix).remove(&path.path, compact))
    }
}

/// There are no secrets.
impl SecretTarget for Event {
    fn get_secret(&self, _key: &str) -> Option<&str> {
        None
    }

    fn insert_secret(&mut self, _key: &str, _value: &str) {}

    fn remove_secret(&mut self, _key: &str) {}
}
