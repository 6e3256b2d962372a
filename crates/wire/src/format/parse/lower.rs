//! From the parts of a regular expression to the steps of a program. What it does not lower (words' edges, classes beyond
//! ASCII, repetitions of what may be empty) is left to a general engine. Knows nothing of texts.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::program::{Begin, Bytes256, FIRST, Find, Mode, Next, Op, Program, SECOND};

/// Most steps of a program; repetitions of groups are written out.
const STEPS: usize = 2_000;

/// The program of an expression, whose group number n saves its places under 2n and 2n + 1. `None` where it is not one
/// that can be lowered.
pub(super) fn lower(hir: &Hir, groups: usize) -> Option<Program> {
    let mut ops = Vec::new();
    emit(hir, &mut ops)?;
    ops.push(Op::Done);
    for at in 0..ops.len() {
        settle(at, &mut ops)?;
    }
    let begin = begin(hir, &ops)?;
    Some(Program { ops, saves: groups * 2, begin })
}

fn emit(hir: &Hir, ops: &mut Vec<Op>) -> Option<()> {
    if ops.len() > STEPS {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => ops.push(Op::Literal(literal.0.clone())),
        HirKind::Class(class) => ops.push(Op::Set(Box::new(bytes(class)?))),
        HirKind::Look(look) => ops.push(match look {
            Look::Start => Op::TextStart,
            Look::End => Op::TextEnd,
            Look::StartLF => Op::LineStart,
            Look::EndLF => Op::LineEnd,
            _ => return None,
        }),
        HirKind::Repetition(repetition) => repeat(repetition, ops)?,
        HirKind::Capture(capture) => {
            let slot = capture.index as usize * 2;
            if capture.name.is_some() {
                ops.push(Op::Save(slot));
            }
            emit(&capture.sub, ops)?;
            if capture.name.is_some() {
                ops.push(Op::Save(slot + 1));
            }
        }
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| emit(part, ops))?,
        HirKind::Alternation(parts) => alternatives(parts, ops)?,
    }
    Some(())
}

/// The one byte that an expression always is, as a set.
fn single(hir: &Hir) -> Option<Bytes256> {
    match hir.kind() {
        HirKind::Class(class) => bytes(class),
        HirKind::Literal(literal) if literal.0.len() == 1 => {
            let mut set = [false; 256];
            set[usize::from(literal.0[0])] = true;
            Some(set)
        }
        _ => None,
    }
}

fn bytes(class: &Class) -> Option<Bytes256> {
    let mut set = [false; 256];
    match class {
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .for_each(|range| set[usize::from(range.start())..=usize::from(range.end())].fill(true)),
        Class::Unicode(class) if class.is_ascii() => class
            .ranges()
            .iter()
            .for_each(|range| set[range.start() as usize..=range.end() as usize].fill(true)),
        Class::Unicode(_) => return None,
    }
    Some(set)
}

fn split(first: usize, second: usize) -> Op {
    Op::Split { first, second, ways: Box::new([FIRST | SECOND; 257]) }
}

fn repeat(repetition: &Repetition, ops: &mut Vec<Op>) -> Option<()> {
    let max = repetition.max.unwrap_or(u32::MAX);
    let maybe = max == 1 && repetition.min == 0 && !repetition.greedy;
    if let Some(set) = single(&repetition.sub).filter(|_| !maybe) {
        let mut stop = set;
        stop.iter_mut().for_each(|byte| *byte = !*byte);
        let (min, lazy) = (repetition.min, !repetition.greedy);
        ops.push(Op::Run { set: Box::new(set), stop: Find::of(&stop), min, max, lazy, mode: Mode::Whole });
        return Some(());
    }
    if max > 1 && repetition.sub.properties().minimum_len().is_none_or(|len| len == 0) {
        return None;
    }
    for _ in 0..repetition.min {
        emit(&repetition.sub, ops)?;
    }
    let order = |ops: &mut Vec<Op>, at: usize, out: usize| {
        ops[at] = if repetition.greedy { split(at + 1, out) } else { split(out, at + 1) };
    };
    if max == u32::MAX {
        let at = ops.len();
        ops.push(Op::Done);
        emit(&repetition.sub, ops)?;
        ops.push(Op::Jump(at));
        let out = ops.len();
        order(ops, at, out);
        return Some(());
    }
    let mut splits = Vec::new();
    for _ in repetition.min..max {
        splits.push(ops.len());
        ops.push(Op::Done);
        emit(&repetition.sub, ops)?;
    }
    let out = ops.len();
    splits.into_iter().for_each(|at| order(ops, at, out));
    Some(())
}

fn alternatives(parts: &[Hir], ops: &mut Vec<Op>) -> Option<()> {
    let mut jumps = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        if number + 1 == parts.len() {
            emit(part, ops)?;
            break;
        }
        let at = ops.len();
        ops.push(Op::Done);
        emit(part, ops)?;
        jumps.push(ops.len());
        ops.push(Op::Done);
        ops[at] = split(at + 1, ops.len());
    }
    let out = ops.len();
    jumps.into_iter().for_each(|at| ops[at] = Op::Jump(out));
    Some(())
}

/// Decides a step by what may follow it.
fn settle(at: usize, ops: &mut [Op]) -> Option<()> {
    match &ops[at] {
        Op::Split { first, second, .. } => {
            let (a, b) = (follow(*first, ops)?, follow(*second, ops)?);
            let way = |a: bool, b: bool| (u8::from(a) * FIRST) | (u8::from(b) * SECOND);
            let mut ways = Box::new([0; 257]);
            for byte in 0..256 {
                ways[byte] = way(a.set[byte], b.set[byte]);
            }
            ways[256] = way(a.end, b.end);
            let (first, second) = (*first, *second);
            ops[at] = Op::Split { first, second, ways };
        }
        Op::Run { set, max, lazy, .. } => {
            let next = follow(at + 1, ops)?;
            let mut both = [false; 256];
            (0..256).for_each(|byte| both[byte] = set[byte] && next.set[byte]);
            let decided = if !both.contains(&true) {
                // Giving a byte back, the run would be followed by one of its own: nothing that follows begins so.
                Mode::Whole
            } else if !lazy {
                Mode::Greedy(Find::of(&both))
            } else if *max == u32::MAX {
                let mut stops = [false; 256];
                (0..256).for_each(|byte| stops[byte] = !set[byte] || next.set[byte]);
                Mode::Lazy(Find::of(&stops), next)
            } else {
                return None;
            };
            if let Op::Run { mode, .. } = &mut ops[at] {
                *mode = decided;
            }
        }
        _ => {}
    }
    Some(())
}

/// What may come at a step.
fn follow(at: usize, ops: &[Op]) -> Option<Next> {
    let mut next = Next { set: Box::new([false; 256]), end: false };
    let mut steps = 0;
    gather(at, ops, &mut next, &mut steps)?;
    Some(next)
}

fn gather(at: usize, ops: &[Op], next: &mut Next, steps: &mut usize) -> Option<()> {
    *steps += 1;
    if *steps > STEPS {
        return None;
    }
    match &ops[at] {
        Op::Literal(literal) => match literal.first() {
            Some(byte) => next.set[usize::from(*byte)] = true,
            None => gather(at + 1, ops, next, steps)?,
        },
        Op::Set(set) => add(next, set),
        Op::Run { set, min, max, .. } => {
            if *max > 0 {
                add(next, set);
            }
            if *min == 0 {
                gather(at + 1, ops, next, steps)?;
            }
        }
        Op::Save(_) => gather(at + 1, ops, next, steps)?,
        Op::Jump(to) => gather(*to, ops, next, steps)?,
        Op::Split { first, second, .. } => {
            gather(*first, ops, next, steps)?;
            gather(*second, ops, next, steps)?;
        }
        Op::LineEnd => {
            next.set[usize::from(b'\n')] = true;
            next.end = true;
        }
        Op::TextEnd => next.end = true,
        Op::LineStart | Op::TextStart | Op::Done => {
            next.set.fill(true);
            next.end = true;
        }
    }
    Some(())
}

fn add(next: &mut Next, set: &Bytes256) {
    next.set.iter_mut().zip(set).for_each(|(have, more)| *have |= *more);
}

/// Where a match may begin.
fn begin(hir: &Hir, ops: &[Op]) -> Option<Begin> {
    let looks = hir.properties().look_set_prefix();
    if looks.contains(Look::Start) {
        return Some(Begin::Text);
    }
    if looks.contains(Look::StartLF) {
        return Some(Begin::Line);
    }
    let first = ops.iter().find(|op| !matches!(op, Op::Save(_)));
    if let Some(Op::Literal(literal)) = first {
        return Some(Begin::Literal(Box::new(memchr::memmem::Finder::new(literal).into_owned())));
    }
    let next = follow(0, ops)?;
    if next.end || next.set.iter().all(|may| *may) {
        return Some(Begin::Anywhere);
    }
    Some(Begin::Byte(Find::of(&next.set)))
}
