//! Looking a line up in the graph of version 2: at each node what fits is tried in order, and where it leads nowhere, the next.
//! What was tried in vain is remembered once a line takes long, so that no rule base makes the time grow with the number of
//! ways. Knows nothing of what fields are called.

use std::collections::HashSet;

use super::RuleBase;
use super::graph::Name;
use super::motif::{Motif, Repeat};

/// From so many steps on, what was tried in vain is remembered.
const REMEMBER: usize = 10_000;
/// After so many a line counts as being of no rule.
const STEPS_MOST: usize = 2_000_000;
/// Most nodes that are open at a time.
const DEPTH_MOST: usize = 1_500;

/// What was found on the way through the graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capture {
    pub edge: u32,
    pub from: u32,
    pub to: u32,
}

/// Memory for looking up lines, kept for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) captures: Vec<Capture>,
    /// The node at which the last rule ended.
    pub(super) end: u32,
    in_vain: HashSet<(u32, u32)>,
}

impl Memory {
    pub(super) fn clear(&mut self) {
        self.captures.clear();
        self.in_vain.clear();
    }
}

/// Looks a line up; gives the place up to which it was read, where no rule is of its form.
pub(super) fn find(base: &RuleBase, line: &[u8], memory: &mut Memory) -> Result<(), usize> {
    let mut walk = Walk { base, line, memory, steps: 0, depth: 0, types: 0, reached: 0 };
    match walk.go(0, 0, false) {
        Some(_) => Ok(()),
        None => Err(walk.reached),
    }
}

/// Looks a part of a line up in a graph of its own; gives where it ends. The captures are in `memory`.
pub(super) fn find_part(
    base: &RuleBase,
    root: u32,
    line: &[u8],
    at: usize,
    types: usize,
    memory: &mut Memory,
) -> Option<usize> {
    memory.clear();
    Walk { base, line, memory, steps: 0, depth: 0, types, reached: 0 }.go(root, at, true)
}

pub(super) struct Walk<'a> {
    base: &'a RuleBase,
    pub line: &'a [u8],
    memory: &'a mut Memory,
    steps: usize,
    depth: usize,
    /// Types and repetitions that are open.
    types: usize,
    /// The farthest that something fitted up to.
    reached: usize,
}

impl Walk<'_> {
    /// Goes on from a node; gives the place of the end, where there is a way to one.
    fn go(&mut self, node: u32, at: usize, partial: bool) -> Option<usize> {
        if self.depth >= DEPTH_MOST {
            return None;
        }
        let remembers = self.steps > REMEMBER;
        if remembers && self.memory.in_vain.contains(&(node, at as u32)) {
            return None;
        }
        self.depth += 1;
        let found = self.tries(node, at, partial);
        self.depth -= 1;
        if found.is_none() && remembers {
            self.memory.in_vain.insert((node, at as u32));
        }
        found
    }

    fn tries(&mut self, node: u32, at: usize, partial: bool) -> Option<usize> {
        let base = self.base;
        let first = base.nodes[node as usize].first;
        for (index, edge) in base.edges_of(node).iter().enumerate() {
            self.steps += 1;
            if self.steps > STEPS_MOST {
                return None;
            }
            let Some(to) = self.step(&edge.motif, at) else { continue };
            let mark = self.memory.captures.len();
            if edge.name != Name::Nothing {
                let capture = Capture { edge: first + index as u32, from: at as u32, to: to as u32 };
                self.memory.captures.push(capture);
            }
            if let Some(end) = self.go(edge.next, to, partial) {
                return Some(end);
            }
            self.memory.captures.truncate(mark);
            self.reached = self.reached.max(to);
        }
        if base.rule_of(node).is_some() && (partial || at == self.line.len()) {
            self.memory.end = node;
            return Some(at);
        }
        None
    }

    /// Where a motif ends that begins here.
    #[inline]
    fn step(&mut self, motif: &Motif, at: usize) -> Option<usize> {
        match motif {
            Motif::Literal(text) => self.line[at..].starts_with(text).then(|| at + text.len()),
            Motif::Type(number) => self.inside(|walk| {
                let root = walk.base.types[*number as usize];
                walk.part(root, at)
            }),
            Motif::Repeat(repeat) => self.inside(|walk| walk.repeat(repeat, at)),
            motif => motif.end(self.line, at),
        }
    }

    fn inside(&mut self, work: impl FnOnce(&mut Self) -> Option<usize>) -> Option<usize> {
        if self.types >= self.base.limits.depth {
            return None;
        }
        let (reached, end) = (self.reached, self.memory.end);
        self.types += 1;
        let found = work(self);
        self.types -= 1;
        self.reached = reached;
        self.memory.end = end;
        found
    }

    /// A graph of its own; what is captured in it is looked up again when it is wanted.
    fn part(&mut self, root: u32, at: usize) -> Option<usize> {
        let mark = self.memory.captures.len();
        let found = self.go(root, at, true);
        self.memory.captures.truncate(mark);
        found
    }

    fn repeat(&mut self, repeat: &Repeat, at: usize) -> Option<usize> {
        let mut end = at;
        let mut start = at;
        for _ in 0..self.base.limits.fields {
            match self.part(repeat.parser, start) {
                Some(to) => end = to,
                // Where nothing of it is there, and that may be, it is empty.
                None => return repeat.permits_mismatch.then_some(end),
            }
            let Some(next) = self.part(repeat.condition, end) else { return Some(end) };
            if next == start {
                // It would go on without end.
                return Some(end);
            }
            start = next;
        }
        None
    }
}
