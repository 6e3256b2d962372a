//! The tests of a configuration (`[[test]]`): rows are made as its inputs would make them, its filters and its routing are run on
//! them, and what comes to its outputs is compared with what the test says. No socket is opened, nothing is followed, printed or
//! sent. Knows nothing of how tests are written.

mod compare;
mod rows;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_model::{Access, AccessError, Right, Tenant};
use sawlog_pipeline::config::cases::{Case, Start, load_cases};
use sawlog_pipeline::config::{self, Config, Section};
use sawlog_pipeline::wiring::{self, From, Trial};
use sawlog_pipeline::{Env, Protocol};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Stop};

/// Filters that do something beside filtering: on trial all rows pass them.
const QUIET: &[&str] = &["stdout"];

/// How tests went.
#[derive(Debug, Default)]
pub struct Tested {
    /// A line for each, with what differs under those that failed.
    pub text: String,
    /// How many there were.
    pub count: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// Nobody is let in: nothing listens.
struct Nobody;

impl Access for Nobody {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Err(AccessError)
    }
}

/// Makes the filters of the configuration that was read from `path`, so that what is wrong with them is told, and runs tests:
/// none without `files`; its own where that is empty; else those of these files.
///
/// # Errors
/// In words, with file and line: a filter that cannot be made, a test that is wrong, a filter or input that a test names and
/// that is not there; that there are no tests where they are asked for.
pub fn check(
    sys: &Sys,
    path: &Path,
    config: &Config,
    files: Option<&[PathBuf]>,
    protocols: &'static [&'static Protocol],
    colour: bool,
) -> Result<Tested, String> {
    let runtime = task::runtime("check", 1).map_err(|error| error.to_string())?;
    let env = Env {
        name: "".into(),
        sys: sys.clone(),
        dir: PathBuf::new(),
        runtime: runtime.handle().clone(),
        limits: wiring::limits(config),
        stop: Stop::default(),
        access: Arc::new(Nobody),
    };
    let trial = Trial::build(config, protocols, &env, QUIET).map_err(|wrong| {
        let lines = wrong.into_iter().map(|(line, message)| match line {
            0 => format!("{}: {message}", path.display()),
            line => format!("{}:{line}: {message}", path.display()),
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    let Some(files) = files else { return Ok(Tested::default()) };
    let bench = Bench { config, trial, env };
    let mut tested = Tested::default();
    if files.is_empty() {
        bench.run_all(path, &config.tests, colour, &mut tested)?;
    }
    for file in files {
        let cases = load_cases(sys, file).map_err(|found| config::lines(&found, true))?;
        bench.run_all(file, &cases, colour, &mut tested)?;
    }
    if tested.count == 0 {
        return Err(format!(
            "{}: there are no tests; write some as [[test]], here or in a file of their own for --test FILE",
            path.display()
        ));
    }
    Ok(tested)
}

struct Bench<'a> {
    config: &'a Config,
    trial: Trial,
    env: Env,
}

impl Bench<'_> {
    fn run_all(&self, file: &Path, cases: &[Case], colour: bool, tested: &mut Tested) -> Result<(), String> {
        let paint = compare::Paint::new(colour);
        for case in cases {
            let differences =
                self.run(case).map_err(|message| format!("{}:{}: {message}", file.display(), case.line))?;
            tested.count += 1;
            if differences.is_empty() {
                tested.text.push_str(&paint.passed(&case.name));
                continue;
            }
            tested.failed += 1;
            tested.text.push_str(&paint.failed(&case.name, &format!("{}:{}", file.display(), case.line)));
            differences.iter().for_each(|line| tested.text.push_str(&paint.line(line)));
        }
        Ok(())
    }

    /// What differs, in lines; nothing where the test passes.
    ///
    /// # Errors
    /// In words, where the test cannot be run.
    fn run(&self, case: &Case) -> Result<Vec<compare::Line>, String> {
        let input = match &case.start {
            Start::Input(name) => Some(self.input(name)?),
            _ => None,
        };
        let batch = Arc::new(rows::make(case, input, self.env.sys.clock.now(), self.env.limits)?);
        let from = match &case.start {
            Start::Label(label) => From::Label(label),
            Start::Filter(name) => From::Filter(name),
            Start::Input(_) => From::Label(input.map_or("", |section| section.label.as_str())),
        };
        if let From::Label(label) = from
            && !label.is_empty()
            && !self.config.steps.iter().any(|step| step.label == label)
        {
            let labels = self.config.steps.iter().map(|step| step.label.as_str());
            return Err(format!("there is no label `{label}`{}", config::suggestion(label, labels)));
        }
        let passed = self.trial.run(from, &batch)?;
        Ok(compare::differences(case, &passed, &self.env.limits))
    }

    /// The input of that name: its `id`, else its type where it is the only one.
    fn input(&self, name: &str) -> Result<&Section, String> {
        let inputs = &self.config.inputs;
        let named = inputs.iter().find(|section| section.name == name);
        let of_kind: Vec<&Section> =
            inputs.iter().filter(|section| section.name.is_empty() && section.kind == name).collect();
        match (named, &of_kind[..]) {
            (Some(section), _) => Ok(section),
            (None, [section]) => Ok(*section),
            (None, []) => {
                let names = inputs.iter().map(|section| match section.name.as_str() {
                    "" => section.kind.as_str(),
                    name => name,
                });
                Err(format!("there is no input `{name}`{}", config::suggestion(name, names)))
            }
            (None, _) => {
                Err(format!("there are several inputs of type `{name}`: give the one that is meant an `id`"))
            }
        }
    }
}
