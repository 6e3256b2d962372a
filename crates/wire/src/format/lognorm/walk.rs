//! Looking a line up in the graph of version 2: at each node what fits is tried in order, and where it leads nowhere, the next.
//! What was tried in vain is remembered once a line takes long, so that no rule base makes the time grow with the number of
//! ways. Knows nothing of what fields are called.

use std::collections::HashSet;

use super::RuleBase;
use super::found::Seen;
use super::graph::{Edge, NO_RULE, Name};
use super::motif::{Motif, Repeat, literal};

/// From so many steps on, what was tried in vain is remembered.
const REMEMBER: usize = 10_000;
/// After so many a line counts as being of no rule.
pub(super) const STEPS_MOST: usize = 2_000_000;
/// Most nodes that are open at a time.
pub(super) const DEPTH_MOST: usize = 1_500;

/// One time of what is repeated, in the place of an edge.
pub(super) const ITEM: u32 = u32::MAX;

/// What was found on the way through the graph. Those that stand in a field follow it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capture {
    pub edge: u32,
    pub from: u32,
    pub to: u32,
    /// So many of the next ones stand in it.
    pub inside: u32,
    /// What ended in the graph that it is looked up in, if it is.
    pub rule: u32,
}

/// Memory for looking up lines, kept for the next one.
#[derive(Debug, Default)]
pub struct Memory {
    pub(super) captures: Vec<Capture>,
    /// The rule that ended last.
    pub(super) rule: u32,
    pub(super) seen: Seen,
    in_vain: HashSet<(u32, u32)>,
}

impl Memory {
    pub(super) fn clear(&mut self) {
        self.captures.clear();
        if !self.in_vain.is_empty() {
            self.in_vain.clear();
        }
    }

    /// Notes a field, in which others may be noted until it is [closed](Memory::close).
    pub(super) fn open(&mut self, edge: u32, at: usize) -> usize {
        self.note(edge, at, at);
        self.captures.len() - 1
    }

    /// Notes a field.
    #[inline]
    pub(super) fn note(&mut self, edge: u32, from: usize, to: usize) {
        self.captures.push(Capture { edge, from: from as u32, to: to as u32, inside: 0, rule: NO_RULE });
    }

    /// What was noted since is in it.
    pub(super) fn close(&mut self, mark: usize, to: usize, rule: u32) {
        let inside = self.captures.len() - mark - 1;
        let capture = &mut self.captures[mark];
        (capture.to, capture.inside, capture.rule) = (to as u32, inside as u32, rule);
    }
}

/// What trying a field costs: long lines are read again by each.
#[inline]
pub(super) fn price(motif: &Motif, left: usize) -> usize {
    if matches!(motif, Motif::Literal(_)) { 1 } else { 1 + (left >> 10) }
}

/// Looks a line up; gives the place up to which it was read, where no rule is of its form.
pub(super) fn find(base: &RuleBase, line: &[u8], memory: &mut Memory) -> Result<(), usize> {
    let mut walk = Walk { base, line, memory, steps: 0, depth: 0, types: 0, reached: 0 };
    match walk.go(0, 0, false) {
        Some(_) => Ok(()),
        None => Err(walk.reached),
    }
}

struct Walk<'a> {
    base: &'a RuleBase,
    line: &'a [u8],
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
        let (mut here, mut to, mut moved) = (base.nodes[node as usize], at, false);
        // Where there is only one way, it is gone without looking back.
        while here.count == 1 && here.rule == NO_RULE {
            let end = match &base.edges[here.first as usize] {
                Edge { motif: Motif::Literal(text), name: Name::Nothing, .. } => literal(text, self.line, to),
                _ => self.step(here.first, to),
            };
            let Some(end) = end else {
                self.fits_up_to(to, moved);
                return None;
            };
            here = base.nodes[base.edges[here.first as usize].next as usize];
            (to, moved) = (end, true);
        }
        let choices = base.choices(&here, self.line.get(to).copied());
        for index in 0..choices.len() {
            let edge = choices.at(index);
            let mark = self.memory.captures.len();
            let Some(end) = self.step(edge, to) else { continue };
            if let Some(end) = self.go(base.edges[edge as usize].next, end, partial) {
                return Some(end);
            }
            self.memory.captures.truncate(mark);
            self.fits_up_to(end, true);
        }
        if here.rule != NO_RULE && (partial || to == self.line.len()) {
            self.memory.rule = here.rule;
            return Some(to);
        }
        self.fits_up_to(to, moved);
        None
    }

    fn fits_up_to(&mut self, to: usize, moved: bool) {
        if moved {
            self.reached = self.reached.max(to);
        }
    }

    /// Where an edge leads in the line; what it finds is noted.
    #[inline]
    fn step(&mut self, number: u32, at: usize) -> Option<usize> {
        let base = self.base;
        let edge = &base.edges[number as usize];
        self.steps += price(&edge.motif, self.line.len() - at);
        if self.steps > STEPS_MOST {
            return None;
        }
        let named = edge.name != Name::Nothing;
        if let Motif::Type(_) | Motif::Repeat(_) = edge.motif {
            let mark = self.memory.open(number, at);
            let found = self.inside(|walk| match &edge.motif {
                Motif::Type(number) => walk.go(base.types[*number as usize], at, true),
                Motif::Repeat(repeat) => walk.repeat(repeat, at),
                _ => None,
            });
            match found.filter(|_| named) {
                Some(to) => self.memory.close(mark, to, NO_RULE),
                None => self.memory.captures.truncate(mark),
            }
            return found;
        }
        let to = edge.motif.end(self.line, at)?;
        if named {
            let capture = Capture { edge: number, from: at as u32, to: to as u32, inside: 0, rule: NO_RULE };
            self.memory.captures.push(capture);
        }
        Some(to)
    }

    fn inside(&mut self, work: impl FnOnce(&mut Self) -> Option<usize>) -> Option<usize> {
        if self.types >= self.base.limits.depth {
            return None;
        }
        let reached = self.reached;
        self.types += 1;
        let found = work(self);
        self.types -= 1;
        self.reached = reached;
        found
    }

    fn repeat(&mut self, repeat: &Repeat, at: usize) -> Option<usize> {
        let mut end = at;
        let mut start = at;
        for _ in 0..self.base.limits.fields {
            let mark = self.memory.open(ITEM, start);
            match self.go(repeat.parser, start, true) {
                Some(to) => end = to,
                None => {
                    self.memory.captures.truncate(mark);
                    // Where nothing of it is there, and that may be, it is empty.
                    return repeat.permits_mismatch.then_some(end);
                }
            }
            self.memory.close(mark, end, NO_RULE);
            let mark = self.memory.captures.len();
            let next = self.go(repeat.condition, end, true);
            self.memory.captures.truncate(mark);
            match next {
                // Where nothing stands between, it would go on without end.
                Some(next) if next != start => start = next,
                _ => return Some(end),
            }
        }
        None
    }
}
