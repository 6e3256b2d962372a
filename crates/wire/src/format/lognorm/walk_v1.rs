//! Looking a line up in the graph of version 1, whose engine tries fields before text and tells differently how far it came.
//! Knows nothing of what fields are called, but for what says where a part of the line ends.

use super::RuleBase;
use super::found::Reader;
use super::graph::{NO_RULE, Name, Node, SOME_RULE};
use super::motif::{Motif, Nested, Suffixes, Tokens, V1_REST, literal};
use super::walk::{DEPTH_MOST, ITEM, Memory, STEPS_MOST, price};

/// Looks a line up; gives the place up to which it was read, where no rule is of its form.
pub(super) fn find(base: &RuleBase, line: &[u8], memory: &mut Memory) -> Result<(), usize> {
    let mut walk = Walk { base, line, memory, depth: 0, steps: 0, nested: 0 };
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
    /// Fields that are looked up as lines of their own, as deep as they are open.
    nested: usize,
}

impl<'a> Walk<'a> {
    /// The text that everything behind a node begins with, and the node behind that.
    #[inline]
    fn prefix(&self, node: u32) -> (&'a [u8], u32) {
        let here = &self.base.nodes[node as usize];
        if here.count == 1 && here.rule == NO_RULE {
            let edge = &self.base.edges[here.first as usize];
            if let (Motif::Literal(text), Name::Nothing) = (&edge.motif, edge.name) {
                return (text, edge.next);
            }
        }
        (&[], node)
    }

    fn go(&mut self, node: u32, prefix: &'a [u8], at: usize) -> Ended {
        self.depth += 1;
        let ended = if self.depth > DEPTH_MOST { Ended::Left(0) } else { self.goes(node, prefix, at) };
        self.depth -= 1;
        ended
    }

    /// Goes as long as there is only one way, which needs no looking back, then tries.
    fn goes(&mut self, mut node: u32, mut prefix: &'a [u8], mut at: usize) -> Ended {
        let (base, len) = (self.base, self.line.len());
        let mut left = None;
        loop {
            let here = &base.nodes[node as usize];
            if !here.plain || at >= len {
                break;
            }
            let Some(from) = literal(prefix, self.line, at) else { break };
            let edge = &base.edges[here.first as usize];
            self.steps += price(&edge.motif, len - from);
            if from < len || left.is_none() {
                left = Some((len - from) as i64);
            }
            let to = edge.motif.end(self.line, from).filter(|_| self.steps <= STEPS_MOST);
            let Some(to) = to else { return Ended::Left(left.unwrap_or_default()) };
            if edge.name != Name::Nothing {
                self.memory.note(here.first, from, to);
            }
            (prefix, node) = self.prefix(edge.next);
            at = to;
        }
        match (self.tries(node, prefix, at), left) {
            (Ended::Left(behind), Some(left)) => {
                Ended::Left(if behind > 0 { left.min(behind) } else { left })
            }
            (ended, _) => ended,
        }
    }

    fn ends(&mut self, node: &Node) -> Ended {
        if node.rule == NO_RULE {
            return Ended::Left(0);
        }
        self.memory.rule = node.rule;
        Ended::Rule
    }

    fn tries(&mut self, node: u32, prefix: &[u8], at: usize) -> Ended {
        let len = self.line.len();
        let here = &self.base.nodes[node as usize];
        if at >= len {
            return if prefix.is_empty() { self.ends(here) } else { Ended::Left(-(prefix.len() as i64)) };
        }
        let Some(at) = literal(prefix, self.line, at) else {
            let same = self.line[at..].iter().zip(prefix).take_while(|(have, wanted)| have == wanted).count();
            let missing = same as i64 - prefix.len() as i64;
            return Ended::Left(if at + same == len { missing } else { (len - at - same) as i64 });
        };
        let mut left = (len - at) as i64;
        let (mut text, mut rest) = (None, None);
        let choices = self.base.choices(here, self.line.get(at).copied());
        for index in 0..choices.len() {
            let number = choices.at(index);
            let edge = &self.base.edges[number as usize];
            if let Motif::Literal(literal) = &edge.motif {
                if self.line.get(at).is_some_and(|byte| literal.first() == Some(byte)) {
                    text = Some((literal, edge.next));
                }
                continue;
            }
            if edge.motif.is_plain(V1_REST) {
                rest = Some(number);
                continue;
            }
            match self.follow(number, at) {
                Some(Ended::Rule) => return Ended::Rule,
                Some(Ended::Left(behind)) if behind > 0 => left = left.min(behind),
                _ if self.steps > STEPS_MOST => return Ended::Left(left),
                _ => {}
            }
        }
        if at == len {
            return self.ends(here);
        }
        if let Some((literal, next)) = text {
            let (prefix, node) = if literal.len() > 1 { (&literal[1..], next) } else { self.prefix(next) };
            match self.go(node, prefix, at + 1) {
                Ended::Rule => return Ended::Rule,
                Ended::Left(behind) => left = left.min(behind),
            }
        }
        match rest.and_then(|rest| self.follow(rest, at)) {
            Some(Ended::Rule) => Ended::Rule,
            _ => Ended::Left(left),
        }
    }

    /// Goes on behind a field, where it stands here.
    fn follow(&mut self, number: u32, at: usize) -> Option<Ended> {
        let edge = &self.base.edges[number as usize];
        self.steps += price(&edge.motif, self.line.len() - at);
        if self.steps > STEPS_MOST {
            return None;
        }
        let mark = self.memory.captures.len();
        let to = match &edge.motif {
            Motif::Nested(nested) => self.nested(number, nested, at)?,
            motif => {
                let to = motif.end(self.line, at)?;
                if edge.name != Name::Nothing {
                    self.memory.note(number, at, to);
                }
                to
            }
        };
        let (prefix, node) = self.prefix(edge.next);
        let ended = self.go(node, prefix, to);
        if ended != Ended::Rule {
            self.memory.captures.truncate(mark);
        }
        Some(ended)
    }

    /// A field that is a line of its own up to where its remainder begins. Where it is none, it is there and empty; only
    /// tokens are not.
    fn nested(&mut self, number: u32, nested: &Nested, at: usize) -> Option<usize> {
        let mark = self.memory.open(number, at);
        let found = match nested {
            Nested::Rules { root, rest } => self.look(*root, at, *rest).map(|left| self.line.len() - left),
            Nested::Interpret { root, .. } => {
                self.look(*root, at, self.base.tail).map(|left| self.line.len() - left)
            }
            Nested::Suffixed(suffixes) => self.suffixed(suffixes, at),
            Nested::Tokens(tokens) => {
                let found = self.tokens(tokens, at);
                if found.is_none() {
                    self.memory.captures.truncate(mark);
                }
                self.memory.rule = SOME_RULE;
                Some(found?)
            }
        };
        match found {
            Some(to) => self.memory.close(mark, to, self.memory.rule),
            None => self.memory.captures.truncate(mark + 1),
        }
        Some(found.unwrap_or(at))
    }

    /// Looks the rest of the line up from a node on; gives how many bytes the field has that takes what is left, none where
    /// there is no such field.
    fn look(&mut self, root: u32, at: usize, rest: u32) -> Option<usize> {
        self.look_for(root, at, rest).map(Option::unwrap_or_default)
    }

    fn look_for(&mut self, root: u32, at: usize, rest: u32) -> Option<Option<usize>> {
        if self.nested >= self.base.limits.depth {
            return None;
        }
        let mark = self.memory.captures.len();
        self.nested += 1;
        let (prefix, node) = self.prefix(root);
        let ended = self.go(node, prefix, at);
        self.nested -= 1;
        if ended != Ended::Rule {
            return None;
        }
        let reader = Reader { base: self.base, line: self.line };
        Some(reader.text_len(&self.memory.captures[mark..], rest))
    }

    fn suffixed(&mut self, suffixes: &Suffixes, at: usize) -> Option<usize> {
        let left = self.look_for(suffixes.root, at, self.base.tail)??;
        let behind = self.line.len() - left;
        let suffix = suffixes.list.iter().find(|suffix| self.line[behind..].starts_with(suffix))?;
        Some(behind + suffix.len())
    }

    fn tokens(&mut self, tokens: &Tokens, at: usize) -> Option<usize> {
        let (mut end, mut count) = (at, 0);
        while end < self.line.len() {
            let mark = self.memory.open(ITEM, end);
            let Some(left) = self.look(tokens.root, end, tokens.rest) else {
                self.memory.captures.truncate(mark);
                // What stands before it is no separator then.
                return (count > 0).then(|| end - tokens.between.len());
            };
            let next = self.line.len() - left;
            self.memory.close(mark, next, self.memory.rule);
            count += 1;
            if left == 0 || !self.line[next..].starts_with(&tokens.between) {
                return Some(next);
            }
            if count > self.base.limits.fields {
                return None;
            }
            end = next + tokens.between.len();
        }
        Some(end)
    }
}
