//! Looking a line up in the graph of version 1, whose engine tries fields before text and tells differently how far it came.
//! Knows nothing of what fields are called.

use super::RuleBase;
use super::graph::Name;
use super::motif::{Motif, V1_REST};
use super::walk::{Capture, Memory};

/// Most nodes that are open at a time, and most steps.
const DEPTH_MOST: usize = 1_500;
const STEPS_MOST: usize = 2_000_000;

/// Looks a line up; gives the place up to which it was read, where no rule is of its form.
pub(super) fn find(base: &RuleBase, line: &[u8], memory: &mut Memory) -> Result<(), usize> {
    let mut walk = Walk { base, line, memory, depth: 0, steps: 0 };
    let (prefix, node) = walk.prefix(0);
    match walk.go(node, prefix, 0) {
        Ended::Rule => Ok(()),
        Ended::Left(left) => {
            Err(usize::try_from(left.clamp(0, line.len() as i64)).map_or(0, |left| line.len() - left))
        }
    }
}

/// How looking up ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Rule,
    /// So many bytes are left of the line; fewer than none where it is shorter than the text of a rule.
    Left(i64),
}

struct Walk<'a> {
    base: &'a RuleBase,
    line: &'a [u8],
    memory: &'a mut Memory,
    depth: usize,
    steps: usize,
}

impl<'a> Walk<'a> {
    /// The text that everything behind a node begins with, and the node behind that.
    fn prefix(&self, node: u32) -> (&'a [u8], u32) {
        match self.base.edges_of(node) {
            [edge] if self.base.rule_of(node).is_none() && edge.name == Name::Nothing => match &edge.motif {
                Motif::Literal(text) => (text, edge.next),
                _ => (&[], node),
            },
            _ => (&[], node),
        }
    }

    fn go(&mut self, node: u32, prefix: &[u8], at: usize) -> Ended {
        self.depth += 1;
        let ended = if self.depth > DEPTH_MOST { Ended::Left(0) } else { self.tries(node, prefix, at) };
        self.depth -= 1;
        ended
    }

    fn ends(&mut self, node: u32) -> Ended {
        if self.base.rule_of(node).is_none() {
            return Ended::Left(0);
        }
        self.memory.end = node;
        Ended::Rule
    }

    fn tries(&mut self, node: u32, prefix: &[u8], at: usize) -> Ended {
        let len = self.line.len();
        if at >= len {
            return if prefix.is_empty() { self.ends(node) } else { Ended::Left(-(prefix.len() as i64)) };
        }
        let same = self.line[at..].iter().zip(prefix).take_while(|(have, wanted)| have == wanted).count();
        if same < prefix.len() {
            let ends = at + same == len;
            return Ended::Left(if ends {
                same as i64 - prefix.len() as i64
            } else {
                (len - at - same) as i64
            });
        }
        let at = at + same;
        let mut left = (len - at) as i64;
        let first = self.base.nodes[node as usize].first;
        let (mut text, mut rest) = (None, None);
        for (index, edge) in self.base.edges_of(node).iter().enumerate() {
            self.steps += 1;
            if self.steps > STEPS_MOST {
                return Ended::Left(left);
            }
            let number = first + index as u32;
            if let Motif::Literal(literal) = &edge.motif {
                if self.line.get(at).is_some_and(|byte| literal.first() == Some(byte)) {
                    text = Some((literal, edge.next));
                }
                continue;
            }
            if edge.motif.is_plain(V1_REST) {
                rest = Some((number, edge.next));
                continue;
            }
            let Some(to) = edge.motif.end(self.line, at) else { continue };
            match self.follow(number, at, to, edge.next) {
                Ended::Rule => return Ended::Rule,
                Ended::Left(behind) if behind > 0 => left = left.min(behind),
                Ended::Left(_) => {}
            }
        }
        if at == len {
            return self.ends(node);
        }
        if let Some((literal, next)) = text {
            let (prefix, node) = if literal.len() > 1 { (&literal[1..], next) } else { self.prefix(next) };
            match self.go(node, prefix, at + 1) {
                Ended::Rule => return Ended::Rule,
                Ended::Left(behind) => left = left.min(behind),
            }
        }
        if let Some((number, next)) = rest
            && self.follow(number, at, len, next) == Ended::Rule
        {
            return Ended::Rule;
        }
        Ended::Left(left)
    }

    /// Goes on behind a field.
    fn follow(&mut self, edge: u32, from: usize, to: usize, next: u32) -> Ended {
        let mark = self.memory.captures.len();
        self.memory.captures.push(Capture { edge, from: from as u32, to: to as u32 });
        let (prefix, node) = self.prefix(next);
        let ended = self.go(node, prefix, to);
        if ended != Ended::Rule {
            self.memory.captures.truncate(mark);
        }
        ended
    }
}
