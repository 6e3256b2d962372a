//! A program that matches a regular expression by walking over the text with searches for single bytes: what a class of
//! bytes repeats over is found at once, and where the next byte tells which way to go, no other way is remembered. Gives
//! what a backtracking engine gives (the leftmost match, the first way that leads to its end). Knows nothing of how it is
//! made of an expression, see `lower`.

use memchr::{memchr, memchr2, memchr3, memrchr, memrchr2};

/// A set of bytes.
pub(super) type Bytes256 = [bool; 256];

/// Not a place in a text.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What may come next, as far as a byte can tell.
#[derive(Clone)]
pub(super) struct Next {
    pub set: Box<Bytes256>,
    /// Whether the text may end here.
    pub end: bool,
}

/// How the first byte of a set, from a place on, is found.
#[derive(Clone)]
pub(super) enum Find {
    None,
    One(u8),
    Two(u8, u8),
    Three(u8, u8, u8),
    Table(Box<Bytes256>),
}

impl Find {
    pub fn of(set: &Bytes256) -> Find {
        let bytes: Vec<u8> = (0..=255).filter(|byte| set[usize::from(*byte)]).take(4).collect();
        match bytes[..] {
            [] => Find::None,
            [a] => Find::One(a),
            [a, b] => Find::Two(a, b),
            [a, b, c] => Find::Three(a, b, c),
            _ => Find::Table(Box::new(*set)),
        }
    }

    /// The place of the first such byte in `text[from..to]`, or `to`.
    #[inline]
    fn first(&self, text: &[u8], from: usize, to: usize) -> usize {
        let part = &text[from..to];
        let found = match self {
            Find::None => None,
            Find::One(a) => memchr(*a, part),
            Find::Two(a, b) => memchr2(*a, *b, part),
            Find::Three(a, b, c) => memchr3(*a, *b, *c, part),
            Find::Table(set) => part.iter().position(|byte| set[usize::from(*byte)]),
        };
        found.map_or(to, |len| from + len)
    }

    /// The place of the last such byte in `text[from..to]`.
    #[inline]
    fn last(&self, text: &[u8], from: usize, to: usize) -> Option<usize> {
        let part = &text[from..to];
        let found = match self {
            Find::None => None,
            Find::One(a) => memrchr(*a, part),
            Find::Two(a, b) => memrchr2(*a, *b, part),
            Find::Three(a, b, c) => part.iter().rposition(|byte| byte == a || byte == b || byte == c),
            Find::Table(set) => part.iter().rposition(|byte| set[usize::from(*byte)]),
        };
        found.map(|len| from + len)
    }
}

/// How a run gives bytes back.
#[derive(Clone)]
pub(super) enum Mode {
    /// Never: what follows cannot begin with a byte of the run.
    Whole,
    /// As many as there are first, then fewer; what follows begins with one of these.
    Greedy(Find),
    /// As few as there must be first, then more; stops at these: bytes that are not of the run, or that what follows
    /// begins with.
    Lazy(Find, Next),
}

/// Which way to go, by the next byte.
pub(super) const FIRST: u8 = 1;
pub(super) const SECOND: u8 = 2;

/// A step.
#[derive(Clone)]
pub(super) enum Op {
    Literal(Box<[u8]>),
    Set(Box<Bytes256>),
    /// Bytes of a set, between `min` and `max` of them.
    Run {
        set: Box<Bytes256>,
        stop: Find,
        min: u32,
        max: u32,
        lazy: bool,
        mode: Mode,
    },
    Save(usize),
    Jump(usize),
    /// The ways that may lead on for each next byte; the last one stands for the end of the text.
    Split {
        first: usize,
        second: usize,
        ways: Box<[u8; 257]>,
    },
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    Done,
}

/// Where a match may begin.
#[derive(Clone)]
pub(super) enum Begin {
    Text,
    Line,
    Byte(Find),
    Literal(Box<memchr::memmem::Finder<'static>>),
    Anywhere,
}

/// Something to come back to.
#[derive(Clone, Copy)]
enum Back {
    /// Goes on at a step and a place.
    At { op: usize, at: usize },
    /// A greedy run ends at `at` instead, and later at places from `low` on.
    Shorter { op: usize, low: usize, at: usize },
    /// A lazy run takes the byte at `at`, too.
    Longer { op: usize, at: usize },
    /// A place that was saved before.
    Saved { slot: usize, place: u32 },
}

/// Memory of a search, kept for the next one.
#[derive(Default)]
pub(super) struct Memory {
    /// Two places for each group.
    pub places: Vec<u32>,
    back: Vec<Back>,
    /// How often the search may still turn back.
    fuel: usize,
}

/// The search turned back too often for a text of that length: another engine is to be asked.
pub(super) struct Exhausted;

/// An expression as steps.
#[derive(Clone)]
pub(super) struct Program {
    pub ops: Vec<Op>,
    pub saves: usize,
    pub begin: Begin,
}

impl Program {
    /// Whether the expression matches somewhere; then the places of its groups are in `memory`.
    pub fn search(&self, text: &[u8], memory: &mut Memory) -> Result<bool, Exhausted> {
        memory.fuel = text.len() * 8 + 256;
        let mut from = 0;
        while let Some(start) = self.next_start(text, from) {
            memory.places.clear();
            memory.places.resize(self.saves, NOWHERE);
            memory.back.clear();
            if self.run(text, start, memory)? {
                return Ok(true);
            }
            memory.fuel = memory.fuel.checked_sub(1).ok_or(Exhausted)?;
            from = start + 1;
        }
        Ok(false)
    }

    fn next_start(&self, text: &[u8], from: usize) -> Option<usize> {
        if from > text.len() {
            return None;
        }
        match &self.begin {
            Begin::Text => (from == 0).then_some(0),
            Begin::Line if from == 0 => Some(0),
            // Not behind a line break that ends the text in the eyes of `$`: `^` stands there all the same.
            Begin::Line => memchr(b'\n', &text[from - 1..]).map(|len| from + len),
            Begin::Byte(find) => Some(find.first(text, from, text.len())).filter(|at| *at < text.len()),
            Begin::Literal(finder) => finder.find(&text[from..]).map(|len| from + len),
            Begin::Anywhere => Some(from),
        }
    }

    fn run(&self, text: &[u8], start: usize, memory: &mut Memory) -> Result<bool, Exhausted> {
        let (mut op, mut at) = (0, start);
        loop {
            let next = match &self.ops[op] {
                Op::Done => return Ok(true),
                Op::Literal(literal) => text[at..].starts_with(literal).then(|| at + literal.len()),
                Op::Set(set) => text.get(at).filter(|byte| set[usize::from(**byte)]).map(|_| at + 1),
                Op::Run { .. } => self.begin_run(op, text, at, &mut memory.back),
                Op::Save(slot) => {
                    let place = std::mem::replace(&mut memory.places[*slot], at as u32);
                    if !memory.back.is_empty() {
                        memory.back.push(Back::Saved { slot: *slot, place });
                    }
                    Some(at)
                }
                Op::Jump(to) => {
                    op = *to;
                    continue;
                }
                Op::Split { first, second, ways } => {
                    let way = ways[text.get(at).map_or(256, |byte| usize::from(*byte))];
                    if way & FIRST != 0 {
                        if way & SECOND != 0 {
                            memory.back.push(Back::At { op: *second, at });
                        }
                        op = *first;
                        continue;
                    }
                    if way & SECOND != 0 {
                        op = *second;
                        continue;
                    }
                    None
                }
                Op::LineStart => (at == 0 || text[at - 1] == b'\n').then_some(at),
                Op::LineEnd => (at == text.len() || text[at] == b'\n').then_some(at),
                Op::TextStart => (at == 0).then_some(at),
                Op::TextEnd => (at == text.len()).then_some(at),
            };
            match next {
                Some(next) => (op, at) = (op + 1, next),
                None => match self.turn_back(text, memory)? {
                    Some(next) => (op, at) = next,
                    None => return Ok(false),
                },
            }
        }
    }

    /// Where a run ends at first.
    #[inline]
    fn begin_run(&self, op: usize, text: &[u8], at: usize, back: &mut Vec<Back>) -> Option<usize> {
        let Op::Run { stop, min, max, mode, .. } = &self.ops[op] else { return None };
        let low = at + *min as usize;
        if let Mode::Lazy(..) = mode {
            if low > text.len() || stop.first(text, at, low) < low {
                return None;
            }
            return self.lengthen(op, text, low, back);
        }
        let most = if *max == u32::MAX { text.len() } else { text.len().min(at + *max as usize) };
        let high = stop.first(text, at, most);
        if high < low {
            return None;
        }
        if let Mode::Greedy(next) = mode
            && let Some(at) = next.last(text, low, high)
        {
            back.push(Back::Shorter { op, low, at });
        }
        Some(high)
    }

    /// The next place, from `at` on, at which a lazy run may end.
    fn lengthen(&self, op: usize, text: &[u8], at: usize, back: &mut Vec<Back>) -> Option<usize> {
        let Op::Run { set, mode: Mode::Lazy(find, next), .. } = &self.ops[op] else { return None };
        let at = find.first(text, at, text.len());
        let Some(byte) = text.get(at) else { return next.end.then_some(at) };
        if !next.set[usize::from(*byte)] {
            return None;
        }
        if set[usize::from(*byte)] {
            back.push(Back::Longer { op, at });
        }
        Some(at)
    }

    /// The step and place to go on from, after what was tried last led nowhere.
    fn turn_back(&self, text: &[u8], memory: &mut Memory) -> Result<Option<(usize, usize)>, Exhausted> {
        while let Some(last) = memory.back.pop() {
            match last {
                Back::Saved { slot, place } => memory.places[slot] = place,
                Back::At { op, at } => {
                    memory.fuel = memory.fuel.checked_sub(1).ok_or(Exhausted)?;
                    return Ok(Some((op, at)));
                }
                Back::Shorter { op, low, at } => {
                    memory.fuel = memory.fuel.checked_sub(1).ok_or(Exhausted)?;
                    if let Op::Run { mode: Mode::Greedy(next), .. } = &self.ops[op]
                        && let Some(shorter) = next.last(text, low, at)
                    {
                        memory.back.push(Back::Shorter { op, low, at: shorter });
                    }
                    return Ok(Some((op + 1, at)));
                }
                Back::Longer { op, at } => {
                    memory.fuel = memory.fuel.checked_sub(1).ok_or(Exhausted)?;
                    if let Some(at) = self.lengthen(op, text, at + 1, &mut memory.back) {
                        return Ok(Some((op + 1, at)));
                    }
                }
            }
        }
        Ok(None)
    }
}
