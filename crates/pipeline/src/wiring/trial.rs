//! A configuration on trial: its filters and its routing as they would run, with nothing before and behind them. No input is
//! started and no output is opened. Knows nothing of what rows are made of or compared with.

use std::sync::Arc;

use sawlog_journal::Lsn;
use sawlog_model::{Batch, KnownSource, Tenant};

use super::Maker;
use crate::config::{Action, Config, Section, Step, Target};
use crate::graph::Walk;
use crate::{Env, Filter, Filtered, Graph, Origin, Output, OutputError, Parts, Protocol};

/// A configuration on trial.
pub struct Trial {
    steps: Vec<Step>,
    graph: Graph,
}

/// Where rows go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From<'a> {
    /// Before the first step of a label.
    Label(&'a str),
    /// Before the filter of that name (its `id`, else what the status calls it).
    Filter(&'a str),
}

/// What became of rows.
#[derive(Default)]
pub struct Passed {
    /// What came to outputs, with their names; batches without rows are left out.
    pub rows: Vec<(Arc<str>, Arc<Batch>)>,
    /// What filters counted as wrong, one line each.
    pub errors: Vec<String>,
    /// Some rows may have come to an end of steps that sends them nowhere.
    pub unmatched: bool,
}

impl Trial {
    /// Makes the filters of a configuration. Those of the kinds `quiet`, which do something beside filtering, let all pass.
    ///
    /// # Errors
    /// Each filter that cannot be made, with the line of its section (0 where that is not known), or what is wrong with the
    /// labels.
    pub fn build(
        config: &Config,
        protocols: &'static [&'static Protocol],
        env: &Env,
        quiet: &'static [&'static str],
    ) -> Result<Trial, Vec<(usize, String)>> {
        let builtin = super::no_builtin();
        let maker = Maker { protocols, env, builtin: &builtin };
        let mut parts = Closed { maker, quiet, wrong: Vec::new(), names: Vec::new() };
        let graph = Graph::build(&config.steps, &mut parts);
        match graph {
            Ok(graph) if parts.wrong.is_empty() => {
                Ok(Trial { steps: named(config.steps.clone(), parts.names), graph })
            }
            Ok(_) => Err(parts.wrong),
            Err(message) => {
                parts.wrong.push((0, message));
                Err(parts.wrong)
            }
        }
    }

    /// Sends a batch on its way.
    ///
    /// # Errors
    /// In words, where there is no filter of that name.
    pub fn run(&self, from: From<'_>, batch: &Arc<Batch>) -> Result<Passed, String> {
        match from {
            From::Label(label) => Ok(walk(&self.graph, label, batch)),
            From::Filter(name) => {
                let (label, graph) = self.beginning_at(name)?;
                Ok(walk(&graph, &label, batch))
            }
        }
    }

    /// The graph without the steps of the filter's label that stand before it; and the label.
    fn beginning_at(&self, name: &str) -> Result<(String, Graph), String> {
        let names = || self.graph.filters().iter().map(|part| part.counters.name());
        let is_it = |step: &Step| matches!(&step.action, Action::Filter(section) if section.name == name);
        let at = self.steps.iter().position(is_it).ok_or_else(|| {
            format!("there is no filter `{name}`{}", crate::config::suggestion(name, names()))
        })?;
        let label = &self.steps[at].label;
        let later = |(index, step): &(usize, &Step)| *index >= at || step.label != *label;
        let steps: Vec<Step> =
            self.steps.iter().enumerate().filter(later).map(|(_, step)| step.clone()).collect();
        let graph = Graph::build(&steps, &mut Again { graph: &self.graph })?;
        Ok((label.clone(), graph))
    }
}

fn walk(graph: &Graph, label: &str, batch: &Arc<Batch>) -> Passed {
    let route = graph.route(label, batch);
    let unmatched = route.unmatched;
    let before = counted(graph);
    let walk = Walk::new(route, batch);
    let reached = graph.outputs().iter().filter(|part| walk.route().reaches(&part.name));
    let given = reached.map(|part| (part.name.clone(), walk.rows_for(&part.name, batch)));
    let rows: Vec<_> = given.filter(|(_, batch)| !batch.rows.is_empty()).collect();
    let errors = counted(graph).into_iter().zip(before).filter(|(now, before)| now.1 > before.1);
    let errors = errors.map(|((name, _, last), _)| format!("filter {name}: {last}")).collect();
    Passed { rows, errors, unmatched }
}

/// What each filter counted as wrong so far, and its last words.
fn counted(graph: &Graph) -> Vec<(String, u64, String)> {
    let of_part = |part: &Arc<crate::graph::FilterPart>| {
        let status = part.counters.status(false);
        let count = status.errors.iter().map(|(_, count)| count).sum();
        (status.name, count, status.last_error.unwrap_or_default())
    };
    graph.filters().iter().map(of_part).collect()
}

/// The steps with the names that their parts were given, so that parts keep them when steps are left out.
fn named(mut steps: Vec<Step>, mut names: Vec<(Section, String)>) -> Vec<Step> {
    let mut name = |section: &mut Section| {
        if let Some(at) = names.iter().position(|(have, _)| have == section) {
            section.name = names.remove(at).1;
        }
    };
    fn visit(target: &mut Target, name: &mut impl FnMut(&mut Section)) {
        match target {
            Target::Output(output) => name(&mut output.section),
            Target::Label(_) => {}
            Target::OneOf(targets) => targets.iter_mut().for_each(|(_, target)| visit(target, name)),
        }
    }
    for step in &mut steps {
        match &mut step.action {
            Action::Filter(section) => name(section),
            Action::Send { to, .. } => visit(to, &mut name),
        }
    }
    steps
}

/// Makes the filters, and outputs that are never given anything.
struct Closed<'a> {
    maker: Maker<'a>,
    quiet: &'static [&'static str],
    wrong: Vec<(usize, String)>,
    /// Sections as they stand in the configuration, with the names of their parts.
    names: Vec<(Section, String)>,
}

impl Parts for Closed<'_> {
    fn filter(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Filter>, String> {
        self.names.push((section.clone(), name.to_owned()));
        if self.quiet.contains(&section.kind.as_str()) {
            return Ok(Arc::new(Passing));
        }
        // All that are wrong are told at once.
        self.maker.filter(section, name).or_else(|message| {
            self.wrong.push((section.line, format!("filter {name}: {message}")));
            Ok(Arc::new(Passing))
        })
    }

    fn output(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Output>, String> {
        self.names.push((section.clone(), name.to_owned()));
        Ok(Arc::new(Unopened { name: name.to_owned() }))
    }
}

/// Gives the filters of another graph again.
struct Again<'a> {
    graph: &'a Graph,
}

impl Parts for Again<'_> {
    fn filter(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Filter>, String> {
        let part = self.graph.filters().iter().find(|part| part.counters.name() == section.name);
        part.map(|part| part.filter.clone()).ok_or_else(|| format!("there is no filter `{name}`"))
    }

    fn output(&mut self, _section: &Section, name: &str) -> Result<Arc<dyn Output>, String> {
        Ok(Arc::new(Unopened { name: name.to_owned() }))
    }
}

struct Passing;

impl Filter for Passing {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        batch.into()
    }
}

/// An output that is not opened: on trial, rows only come up to it.
struct Unopened {
    name: String,
}

impl Output for Unopened {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, _batch: Arc<Batch>, _origin: Origin) -> Result<(), OutputError> {
        Err(OutputError::Refused("a configuration on trial has no outputs".to_owned()))
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, _next: Lsn) {}

    fn cursor(&self) -> Lsn {
        Lsn(0)
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        Vec::new()
    }

    fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}
