//! What a node does with rows, ready to run: steps by label, with the filters and outputs made. Built from a configuration's
//! steps, it says for each label and tag which way rows go. Knows nothing of lanes, nor of how parts are made.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use sawlog_model::Batch;

use crate::config::{Action, OutputSection, QueueOptions, Section, Step, Target, suggestion};
use crate::count::Counters;
use crate::{Filter, Output, TagPattern, lock, tag_of};

mod history;
mod merge;
mod route;
#[cfg(test)]
mod tests;

pub(crate) use history::Graphs;
pub(crate) use merge::without_rows;
pub(crate) use route::{Route, Walk};

/// The label whose steps get rows that a filter could not work on, as in Fluentd's configurations.
const ERROR_LABEL: &str = "@ERROR";

/// Routes are remembered by label and tag, up to so many.
const ROUTES: usize = 4096;

/// Most steps on the way of one row, each counted as often as a row may come by it.
const LONGEST: usize = 10_000;

/// Makes the parts of a graph. A part that runs already may be given back as it is.
pub trait Parts {
    /// The filter of that section, called `name`.
    ///
    /// # Errors
    /// In words.
    fn filter(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Filter>, String>;
    /// The output of that section, called `name`.
    ///
    /// # Errors
    /// In words.
    fn output(&mut self, section: &Section, name: &str) -> Result<Arc<dyn Output>, String>;
    /// Whether the output of that section shows rows to nobody on their way: [`crate::Protocol::private`].
    fn is_private(&self, section: &Section) -> bool {
        let _ = section;
        false
    }
}

/// Steps, filters and outputs.
pub struct Graph {
    labels: HashMap<String, Vec<Compiled>>,
    filters: Vec<Arc<FilterPart>>,
    outputs: Vec<OutputPart>,
    routes: Mutex<HashMap<Box<str>, Arc<Route>>>,
    /// The one route where neither label nor tag matters.
    fixed: Option<Arc<Route>>,
}

/// A filter with its counters.
pub(crate) struct FilterPart {
    pub section: Section,
    pub filter: Arc<dyn Filter>,
    pub counters: Counters,
}

/// An output with what is done where it fails.
#[derive(Clone)]
pub(crate) struct OutputPart {
    pub name: Arc<str>,
    pub section: OutputSection,
    pub output: Arc<dyn Output>,
    /// Takes what the output gave up.
    pub secondary: Option<Arc<dyn Output>>,
    /// Whether the output, and its secondary one, show rows to nobody on their way.
    pub private: [bool; 2],
}

struct Compiled {
    tags: TagPattern,
    action: Work,
}

enum Work {
    Filter(Arc<FilterPart>),
    Send { to: To, last: bool },
}

enum To {
    Output(Arc<str>),
    Label(String),
    /// One of several; the number tells apart choices on the same way.
    OneOf(u32, Vec<(u32, To)>),
}

impl Graph {
    /// Builds a graph; its parts are made by `parts`, in the order of the steps. Outputs of the same given name and the same
    /// section are one output.
    ///
    /// # Errors
    /// In words: a label that is not there, labels that send rows round in a circle, two outputs of a name, or what making a
    /// part said.
    pub fn build(steps: &[Step], parts: &mut dyn Parts) -> Result<Graph, String> {
        Self::build_on(&Graph::empty(), steps, parts)
    }

    /// As [`Graph::build`], to take the place of `current`: filters and outputs of that which have the same name and the same
    /// section are taken as they are.
    ///
    /// # Errors
    /// As [`Graph::build`].
    pub fn build_on(current: &Graph, steps: &[Step], parts: &mut dyn Parts) -> Result<Graph, String> {
        check_labels(steps)?;
        let names = taken_names(steps);
        let mut builder = Builder { current, parts, names, graph: Graph::empty(), choices: 0 };
        for step in steps {
            let action = match &step.action {
                Action::Filter(section) => Work::Filter(builder.filter(section)?),
                Action::Send { to, last } => Work::Send { to: builder.target(to)?, last: *last },
            };
            let compiled = Compiled { tags: step.tags.clone(), action };
            builder.graph.labels.entry(step.label.clone()).or_default().push(compiled);
        }
        let mut graph = builder.graph;
        let blind = |step: &Compiled| step.tags.is_all();
        if graph.labels.keys().all(String::is_empty) && graph.labels.values().flatten().all(blind) {
            graph.fixed = Some(Arc::new(Route::new(&graph, "", "")));
        }
        Ok(graph)
    }

    fn empty() -> Graph {
        Graph {
            labels: HashMap::new(),
            filters: Vec::new(),
            outputs: Vec::new(),
            routes: Mutex::default(),
            fixed: None,
        }
    }

    /// The way of rows with that label and tag.
    pub(crate) fn route(&self, label: &str, batch: &Batch) -> Arc<Route> {
        if let (Some(fixed), true) = (&self.fixed, label.is_empty()) {
            return fixed.clone();
        }
        let tag = tag_of(batch);
        let key = format!("{label}\0{tag}");
        if let Some(route) = lock(&self.routes).get(key.as_str()) {
            return route.clone();
        }
        let route = Arc::new(Route::new(self, label, &tag));
        let mut routes = lock(&self.routes);
        if routes.len() >= ROUTES {
            routes.clear();
        }
        routes.insert(key.into(), route.clone());
        route
    }

    pub(crate) fn outputs(&self) -> &[OutputPart] {
        &self.outputs
    }

    pub(crate) fn filters(&self) -> &[Arc<FilterPart>] {
        &self.filters
    }

    fn steps(&self, label: &str) -> &[Compiled] {
        self.labels.get(label).map_or(&[], Vec::as_slice)
    }
}

/// Every row goes to all of them.
impl From<Vec<Arc<dyn Output>>> for Graph {
    fn from(outputs: Vec<Arc<dyn Output>>) -> Self {
        let mut graph = Graph::empty();
        let mut names = HashSet::new();
        let mut steps = Vec::new();
        for output in outputs {
            let name: Arc<str> = free_name(output.name(), &names).into();
            names.insert(name.to_string());
            let section = Section { name: name.to_string(), ..Section::default() };
            let section = OutputSection { section, secondary: None, queue: QueueOptions::default() };
            let work = Work::Send { to: To::Output(name.clone()), last: false };
            steps.push(Compiled { tags: TagPattern::all(), action: work });
            graph.outputs.push(OutputPart { name, section, output, secondary: None, private: [false; 2] });
        }
        graph.labels.insert(String::new(), steps);
        graph.fixed = Some(Arc::new(Route::new(&graph, "", "")));
        graph
    }
}

struct Builder<'p> {
    current: &'p Graph,
    parts: &'p mut dyn Parts,
    /// Names that are given or were made.
    names: HashSet<String>,
    graph: Graph,
    choices: u32,
}

impl Builder<'_> {
    fn name(&mut self, section: &Section) -> String {
        if !section.name.is_empty() {
            return section.name.clone();
        }
        let name = free_name(&section.kind, &self.names);
        self.names.insert(name.clone());
        name
    }

    fn filter(&mut self, section: &Section) -> Result<Arc<FilterPart>, String> {
        let name = self.name(section);
        let same = |part: &&Arc<FilterPart>| !section.name.is_empty() && part.section == *section;
        if let Some(part) = self.graph.filters.iter().find(same) {
            return Ok(part.clone());
        }
        let is_it =
            |part: &&Arc<FilterPart>| part.counters.name() == name && is_same_section(&part.section, section);
        if let Some(part) = self.current.filters.iter().find(is_it) {
            self.graph.filters.push(part.clone());
            return Ok(part.clone());
        }
        let filter =
            self.parts.filter(section, &name).map_err(|error| at_line(section, "filter", &name, &error))?;
        let counters = Counters::new("filter", &name);
        let part = Arc::new(FilterPart { section: section.clone(), filter, counters });
        self.graph.filters.push(part.clone());
        Ok(part)
    }

    fn target(&mut self, target: &Target) -> Result<To, String> {
        Ok(match target {
            Target::Output(section) => To::Output(self.output(section)?),
            Target::Label(label) => To::Label(label.clone()),
            Target::OneOf(targets) => {
                self.choices += 1;
                let choice = self.choices;
                let made = targets.iter().map(|(weight, target)| Ok((*weight, self.target(target)?)));
                To::OneOf(choice, made.collect::<Result<_, String>>()?)
            }
        })
    }

    fn output(&mut self, section: &OutputSection) -> Result<Arc<str>, String> {
        let name = self.name(&section.section);
        if let Some(part) = self.graph.outputs.iter().find(|part| *part.name == *name) {
            return if is_same_output(&part.section, section) && part.section.queue == section.queue {
                Ok(part.name.clone())
            } else {
                let error = "another output has this name; give it its own";
                Err(at_line(&section.section, "output", &name, error))
            };
        }
        let is_it = |part: &&OutputPart| *part.name == *name && is_same_output(&part.section, section);
        if let Some(part) = self.current.outputs.iter().find(is_it) {
            let part = OutputPart { section: section.clone(), ..part.clone() };
            let name = part.name.clone();
            self.graph.outputs.push(part);
            return Ok(name);
        }
        let said = |error: String| at_line(&section.section, "output", &name, &error);
        let output = self.parts.output(&section.section, &name).map_err(said)?;
        let mut second = |second| self.parts.output(second, &format!("{name}-secondary"));
        let secondary = section.secondary.as_ref().map(&mut second).transpose().map_err(said)?;
        let name: Arc<str> = name.into();
        let private = [Some(&section.section), section.secondary.as_ref()];
        let private = private.map(|section| section.is_some_and(|section| self.parts.is_private(section)));
        let part = OutputPart { name: name.clone(), section: section.clone(), output, secondary, private };
        self.graph.outputs.push(part);
        Ok(name)
    }
}

/// `filter grep (line 7): …`
fn at_line(section: &Section, role: &str, name: &str, error: &str) -> String {
    match section.line {
        0 => format!("{role} {name}: {error}"),
        line => format!("line {line}: {role} {name}: {error}"),
    }
}

/// `kind`, or `kind-2` and so on where that is taken.
pub(crate) fn free_name(kind: &str, taken: &HashSet<String>) -> String {
    let mut names = std::iter::once(kind.to_owned()).chain((2..).map(|number| format!("{kind}-{number}")));
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// Whether two sections make the same part, wherever they stand in their files.
pub(crate) fn is_same_section(one: &Section, other: &Section) -> bool {
    one.kind == other.kind
        && one.name == other.name
        && one.label == other.label
        && one.tenant == other.tenant
        && one.options == other.options
}

/// Whether two sections make the same output; their queues may differ.
pub(crate) fn is_same_output(one: &OutputSection, other: &OutputSection) -> bool {
    let same_secondary = match (&one.secondary, &other.secondary) {
        (Some(one), Some(other)) => is_same_section(one, other),
        (None, None) => true,
        _ => false,
    };
    is_same_section(&one.section, &other.section) && same_secondary
}

/// Names that a configuration gives.
fn taken_names(steps: &[Step]) -> HashSet<String> {
    fn visit(target: &Target, names: &mut HashSet<String>) {
        match target {
            Target::Output(output) => drop(names.insert(output.section.name.clone())),
            Target::Label(_) => {}
            Target::OneOf(targets) => targets.iter().for_each(|(_, target)| visit(target, names)),
        }
    }
    let mut names = HashSet::new();
    for step in steps {
        match &step.action {
            Action::Filter(section) => drop(names.insert(section.name.clone())),
            Action::Send { to, .. } => visit(to, &mut names),
        }
    }
    names.remove("");
    names
}

/// Labels that rows are sent to must be there and must not lead back to themselves, and the ways must not multiply too much.
fn check_labels(steps: &[Step]) -> Result<(), String> {
    let mut lengths = HashMap::new();
    let error = if steps.iter().any(|step| step.label == ERROR_LABEL) {
        length_of(steps, ERROR_LABEL, 0, &mut Vec::new(), &mut lengths)?
    } else {
        0
    };
    // What counts as a filter's way into `@ERROR` is known from here on.
    lengths.clear();
    let labels: BTreeSet<&str> = steps.iter().map(|step| step.label.as_str()).collect();
    for label in labels {
        let length = length_of(steps, label, error, &mut Vec::new(), &mut lengths)?;
        if length > LONGEST {
            return Err(format!(
                "rows of label `{label}` would pass more than {LONGEST} steps, since labels send to each other in many ways; \
                 send to each label once"
            ));
        }
    }
    Ok(())
}

/// How many steps rows of `label` can pass; `error` is how many those pass that a filter fails on. `way` are the labels on
/// the way here.
fn length_of<'s>(
    steps: &'s [Step],
    label: &'s str,
    error: usize,
    way: &mut Vec<&'s str>,
    lengths: &mut HashMap<&'s str, usize>,
) -> Result<usize, String> {
    if let Some(length) = lengths.get(label) {
        return Ok(*length);
    }
    if let Some(begin) = way.iter().position(|have| *have == label) {
        let circle = [&way[begin..], &[label]].concat().join(" → ");
        return Err(format!("labels send rows round in a circle: {circle}; send them to an output"));
    }
    way.push(label);
    let mut length = 0usize;
    for step in steps.iter().filter(|step| step.label == label) {
        length = length.saturating_add(match &step.action {
            Action::Filter(_) => error.saturating_add(1),
            Action::Send { to, .. } => target_length(steps, to, error, way, lengths)?,
        });
    }
    way.pop();
    lengths.insert(label, length);
    Ok(length)
}

fn target_length<'s>(
    steps: &'s [Step],
    target: &'s Target,
    error: usize,
    way: &mut Vec<&'s str>,
    lengths: &mut HashMap<&'s str, usize>,
) -> Result<usize, String> {
    match target {
        Target::Output(_) => Ok(1),
        Target::Label(label) => {
            if !steps.iter().any(|step| step.label == *label) {
                let known = steps.iter().map(|step| step.label.as_str()).filter(|label| !label.is_empty());
                let known: HashSet<&str> = known.collect();
                let near = suggestion(label, known.iter().copied());
                return Err(format!("rows are sent to the label `{label}`, which is not there{near}"));
            }
            length_of(steps, label, error, way, lengths)
        }
        Target::OneOf(targets) => targets.iter().try_fold(0usize, |sum, (_, target)| {
            Ok(sum.saturating_add(target_length(steps, target, error, way, lengths)?))
        }),
    }
}
