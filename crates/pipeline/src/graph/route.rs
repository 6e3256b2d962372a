//! The way of rows of one label and tag, worked out once, and walking it: filters are asked when the first output wants what
//! comes of them, once for a batch, and the answer is there for all. Knows nothing of lanes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sawlog_model::Batch;

use super::merge::{merge, without_rows};
use super::{ERROR_LABEL, FilterPart, Graph, To, Work};
use crate::payload::Item;
use crate::{Failed, Filtered};

/// Which of a filter's two results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Exit {
    Passed,
    Failed,
}

/// Where rows come from: the batch itself, or an exit of a filter.
type From = Option<(usize, Exit)>;

struct Node {
    from: From,
    part: Arc<FilterPart>,
}

/// One place where rows leave for an output.
struct Leaf {
    from: From,
    output: Arc<str>,
    /// What must have been chosen for rows to come here.
    choices: Vec<Choice>,
}

/// One of several ways, by weight.
#[derive(Clone, Copy)]
struct Choice {
    /// Which choice of the graph.
    number: u32,
    /// The shares that are this way's.
    first: u64,
    end: u64,
    /// All shares.
    total: u64,
}

/// The way of rows of one label and tag.
pub(crate) struct Route {
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    /// Some rows may come to an end of steps that sends them nowhere.
    pub unmatched: bool,
    said: AtomicBool,
}

struct Compiler<'g> {
    graph: &'g Graph,
    tag: &'g str,
    route: Route,
}

/// Where the compiler stands.
#[derive(Clone)]
struct Place {
    from: From,
    choices: Vec<Choice>,
    in_error: bool,
}

impl Compiler<'_> {
    fn label(&mut self, label: &str, mut place: Place) {
        let mut sent = false;
        let graph = self.graph;
        for step in graph.steps(label).iter().filter(|step| step.tags.matches(self.tag)) {
            match &step.action {
                Work::Filter(part) => {
                    let number = self.route.nodes.len();
                    self.route.nodes.push(Node { from: place.from, part: part.clone() });
                    // What fails on the way of failed rows would go round for ever: it is only counted.
                    if !place.in_error && !graph.steps(ERROR_LABEL).is_empty() {
                        let from = Some((number, Exit::Failed));
                        let choices = place.choices.clone();
                        self.label(ERROR_LABEL, Place { from, choices, in_error: true });
                    }
                    place.from = Some((number, Exit::Passed));
                }
                Work::Send { to, last } => {
                    sent = true;
                    self.target(to, &place);
                    if *last {
                        return;
                    }
                }
            }
        }
        // Failed rows that nobody takes are counted by their filter.
        self.route.unmatched |= !sent && !place.in_error;
    }

    fn target(&mut self, to: &To, place: &Place) {
        match to {
            To::Output(name) => self.route.leaves.push(Leaf {
                from: place.from,
                output: name.clone(),
                choices: place.choices.clone(),
            }),
            To::Label(label) => {
                // Going on from a label that failed rows came to is still their way.
                let in_error = place.in_error || label == ERROR_LABEL;
                self.label(label, Place { in_error, ..place.clone() });
            }
            To::OneOf(number, targets) => {
                let total = targets.iter().map(|(weight, _)| u64::from(*weight)).sum();
                let mut first = 0;
                for (weight, target) in targets {
                    let end = first + u64::from(*weight);
                    let mut chosen = place.clone();
                    chosen.choices.push(Choice { number: *number, first, end, total });
                    if end > first {
                        self.target(target, &chosen);
                    }
                    first = end;
                }
            }
        }
    }
}

impl Route {
    pub(super) fn new(graph: &Graph, label: &str, tag: &str) -> Route {
        let route =
            Route { nodes: Vec::new(), leaves: Vec::new(), unmatched: false, said: AtomicBool::new(false) };
        let mut compiler = Compiler { graph, tag, route };
        compiler.label(label, Place { from: None, choices: Vec::new(), in_error: label == ERROR_LABEL });
        compiler.route
    }

    /// The output that rows can come to, where it is only one.
    pub fn only_output(&self) -> Option<&Arc<str>> {
        let (first, rest) = self.leaves.split_first()?;
        rest.iter().all(|leaf| leaf.output == first.output).then_some(&first.output)
    }

    /// Whether rows can come to the output.
    pub fn reaches(&self, output: &str) -> bool {
        self.leaves.iter().any(|leaf| *leaf.output == *output)
    }

    /// Whether nobody asked this before.
    pub fn first_time(&self) -> bool {
        !self.said.swap(true, Ordering::Relaxed)
    }
}

/// A batch on its route.
pub(crate) struct Walk {
    route: Arc<Route>,
    /// Says which way is taken where there is a choice: of the address of the first row, so that a replay chooses alike.
    dice: u64,
    /// What filters made of it, by node.
    made: Box<[OnceLock<Filtered>]>,
    /// The only output that gets something of it.
    only: Option<Arc<str>>,
}

impl Walk {
    /// `whole` is the batch as it was accepted; it is the one that is walked unless some of its rows are left out.
    pub fn new(route: Arc<Route>, whole: &Batch) -> Walk {
        let made = route.nodes.iter().map(|_| OnceLock::new()).collect();
        let first = whole.rows.first().map_or(0, |row| row.offset);
        let id = whole.source.id.0;
        let mut dice = (id as u64) ^ ((id >> 64) as u64).rotate_left(17);
        for part in [u64::from(whole.epoch), first] {
            dice = mix(dice ^ part);
        }
        Walk { route, dice, made, only: None }
    }

    /// The walk of an item as its journal frame has it.
    pub fn of(graph: &Graph, item: &Item) -> Walk {
        let walk = Walk::new(graph.route(&item.label, &item.batch), &item.batch);
        Walk { only: item.only.clone(), ..walk }
    }

    pub fn route(&self) -> &Route {
        &self.route
    }

    /// What an output is to be given of the batch: one batch, which may be without rows. `batch` must be the same at each call.
    pub fn rows_for(&self, output: &str, batch: &Arc<Batch>) -> Arc<Batch> {
        if self.only.as_ref().is_some_and(|only| **only != *output) {
            return Arc::new(without_rows(batch));
        }
        let leaves = self.route.leaves.iter().filter(|leaf| *leaf.output == *output && self.is_chosen(leaf));
        let mut parts: Vec<Arc<Batch>> = Vec::new();
        for part in leaves.filter_map(|leaf| self.rows_from(leaf.from, batch)) {
            if !part.rows.is_empty() && !parts.iter().any(|have| Arc::ptr_eq(have, &part)) {
                parts.push(part);
            }
        }
        match parts.len() {
            0 => Arc::new(without_rows(batch)),
            1 => parts.swap_remove(0),
            _ => Arc::new(merge(&parts)),
        }
    }

    fn is_chosen(&self, leaf: &Leaf) -> bool {
        self.only.is_some()
            || leaf.choices.iter().all(|choice| {
                let share = mix(self.dice ^ u64::from(choice.number)) % choice.total.max(1);
                (choice.first..choice.end).contains(&share)
            })
    }

    fn rows_from(&self, from: From, batch: &Arc<Batch>) -> Option<Arc<Batch>> {
        let Some((node, exit)) = from else { return Some(batch.clone()) };
        let made = self.made[node].get_or_init(|| self.filter(node, batch));
        match exit {
            Exit::Passed => Some(made.batch.clone()),
            Exit::Failed => made.failed.as_ref().map(|failed| failed.batch.clone()),
        }
    }

    fn filter(&self, node: usize, batch: &Arc<Batch>) -> Filtered {
        let Node { from, part } = &self.route.nodes[node];
        let input = self.rows_from(*from, batch).unwrap_or_else(|| Arc::new(without_rows(batch)));
        if input.rows.is_empty() {
            return input.into();
        }
        part.counters.passed(&input);
        let made = catch_unwind(AssertUnwindSafe(|| part.filter.apply(input.clone())));
        let filtered = made.unwrap_or_else(|_| {
            let failed =
                Failed { batch: input.clone(), reason: "panic", detail: "the filter panicked".into() };
            Filtered { batch: Arc::new(without_rows(&input)), failed: Some(failed), told: Vec::new() }
        });
        if let Some(failed) = &filtered.failed {
            part.counters.errors(failed.reason, failed.batch.rows.len() as u64, &failed.detail);
        }
        for told in &filtered.told {
            part.counters.errors(told.reason, told.count, &told.detail);
        }
        filtered
    }
}

/// Spreads the bits of a number (splitmix64's last step).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
