//! What texts of one make have in common: the signs between their parts ("frame"), learned from a sample. An access log's line
//! is an address, a time, a request in quotes, two numbers and so on, and each of these varies by itself. Knows nothing of
//! columns.

use sawlog_model::time;
use sawlog_model::token::is_token_byte;

mod cost;
mod signs;
#[cfg(test)]
mod tests;

use self::cost::cost;
use self::signs::{Run, is_escaped, run};

/// Most parts of a frame, and of one within quotes.
const MOST_PARTS: usize = 32;
/// Quotes within quotes are not looked into.
const DEEPEST: usize = 1;
/// Of a sample so many in a hundred must have a sign where it is expected.
const NEARLY_ALL: usize = 97;
/// Texts of several makes part early or not at all: within so many parts.
const PART_WAYS: usize = 6;
/// The larger side has at least so many in a hundred.
const LARGER_SIDE: usize = 30;
/// What is gained by going on with one side alone must be worth it.
const WORTH_A_WAY: f64 = 0.8;
/// What is gained by parts at all.
const WORTH_PARTS: f64 = 0.9;
/// Bits that a part costs beyond its bytes: work.
const OF_PART: f64 = 1.0;
/// Bits of a time near the one before.
const OF_TIME: f64 = 8.0;
/// Of fewer texts nothing is learned.
const FEWEST: usize = 16;
/// A time has so many bytes.
const SHORTEST_TIME: usize = 8;

/// The signs of a make of texts, with what is between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    before: Vec<u8>,
    parts: Vec<Part>,
}

/// A part and the signs behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    /// It is a time, which has signs of its own: so many bytes belong to it whatever they are.
    skip: usize,
    /// Whether times begin with a digit.
    digit: bool,
    /// The first bytes of `behind` that close what the signs before the part opened; with none of them within.
    close: usize,
    /// Nothing where the part is the rest of the text.
    behind: Vec<u8>,
    /// How it is made itself.
    inner: Option<Box<Frame>>,
}

impl Part {
    /// Where the part that begins at `at` ends.
    #[inline]
    fn end(&self, text: &[u8], at: usize, json: bool) -> Option<usize> {
        let Some(first) = self.behind.first() else { return Some(text.len()) };
        if self.skip > 0 && text.get(at)?.is_ascii_digit() != self.digit {
            return None;
        }
        let mut from = at + self.skip;
        if self.close + self.skip == 0 {
            from += text.get(from..)?.iter().take_while(|byte| **byte == b' ').count();
        }
        let wanted = if self.close > 0 { &self.behind[..self.close] } else { &self.behind[..] };
        loop {
            let found = from + memchr::memchr(*first, text.get(from..)?)?;
            if has_signs(&text[found..], wanted) && !(json && is_escaped(&text[at..], found - at)) {
                return has_signs(&text[found..], &self.behind).then_some(found);
            }
            from = found + 1;
        }
    }
}

impl Frame {
    /// The frame of any text: it is one part.
    pub(super) fn whole() -> Frame {
        Frame { before: Vec::new(), parts: vec![Part::default()] }
    }

    /// The signs before, between and behind the parts.
    pub(super) fn literals(&self) -> Vec<Vec<u8>> {
        let mut literals = vec![Vec::new()];
        self.put_literals(&mut literals);
        literals
    }

    fn put_literals(&self, literals: &mut Vec<Vec<u8>>) {
        let extend = |literals: &mut Vec<Vec<u8>>, by: &[u8]| {
            if let Some(last) = literals.last_mut() {
                last.extend_from_slice(by);
            }
        };
        extend(literals, &self.before);
        for part in &self.parts {
            match &part.inner {
                Some(inner) => inner.put_literals(literals),
                None => literals.push(Vec::new()),
            }
            extend(literals, &part.behind);
        }
    }

    /// Whether the text is of this make.
    pub(super) fn is_of(&self, text: &[u8], json: bool) -> bool {
        self.cut(text, json, &mut Vec::new())
    }

    /// Cuts a text; appends where each part begins and ends. `false` where it is of another make: then what was
    /// appended means nothing.
    pub(super) fn cut(&self, text: &[u8], json: bool, into: &mut Vec<(u32, u32)>) -> bool {
        self.cut_from(text, 0, json, into)
    }

    fn cut_from(&self, text: &[u8], offset: usize, json: bool, into: &mut Vec<(u32, u32)>) -> bool {
        if !has_signs(text, &self.before) {
            return false;
        }
        let mut at = self.before.len();
        for part in &self.parts {
            let Some(end) = part.end(text, at, json) else { return false };
            match &part.inner {
                Some(inner) => {
                    if !inner.cut_from(&text[at..end], offset + at, json, into) {
                        return false;
                    }
                }
                None => into.push(((offset + at) as u32, (offset + end) as u32)),
            }
            at = end + part.behind.len();
        }
        at == text.len()
    }

    /// Learns the frame that most of the texts have; `None` where they are better not cut.
    pub(super) fn learn(texts: &[&[u8]], json: bool) -> Option<Frame> {
        Some(Frame::learn_within(texts, json, 0)?.0)
    }

    /// The frame with the bits that a text takes by it.
    fn learn_within(texts: &[&[u8]], json: bool, depth: usize) -> Option<(Frame, f64)> {
        let timed = if depth == 0 { with_time(texts) } else { None };
        let mut way = Way::new(timed.as_deref().unwrap_or(texts), json, depth);
        while way.frame.parts.len() < MOST_PARTS && way.step() {}
        way.best()
    }
}

/// A frame while it is learned.
struct Way<'a> {
    json: bool,
    depth: usize,
    frame: Frame,
    /// What is left of each text that has the frame so far.
    rests: Vec<&'a [u8]>,
    /// What the last signs opened.
    open: Option<u8>,
    /// Bits of the parts so far, for each text.
    of_parts: f64,
    /// The fewest bits that a text takes by the first so many parts and the rest as one.
    least: (f64, usize),
    /// What follows counts where it takes so much less.
    bar: f64,
    /// Bits where the text is not cut.
    uncut: f64,
}

impl<'a> Way<'a> {
    fn new(texts: &[&'a [u8]], json: bool, depth: usize) -> Self {
        let uncut = cost(texts.iter().copied());
        let (mut frame, mut rests, mut open) = (Frame::default(), texts.to_vec(), None);
        // Signs before the first part.
        let mut before = Votes::default();
        for text in texts {
            if let Some(run) = run(text, 0, None, json).filter(|run| run.start == 0) {
                before.add(&text[..run.end], run.open, 0);
            }
        }
        if let Some((signs, opens, _)) = before.most()
            && texts.iter().filter(|text| text.starts_with(signs)).count() * 100 >= texts.len() * NEARLY_ALL
        {
            rests = texts.iter().filter_map(|text| text.strip_prefix(signs)).collect();
            (frame.before, open) = (signs.to_vec(), opens);
        }
        Way { json, depth, frame, rests, open, of_parts: 0.0, least: (uncut, 0), bar: 1.0, uncut }
    }

    /// Adds a part; `false` where the texts have no more signs in common.
    fn step(&mut self) -> bool {
        let Some((mut part, opens)) = self.next() else { return false };
        let ends: Vec<Option<usize>> = self.rests.iter().map(|rest| part.end(rest, 0, self.json)).collect();
        let matching = ends.iter().flatten().count();
        let parts_ways = !self.is_nearly_all(matching);
        if parts_ways
            && (self.depth > 0
                || self.frame.parts.len() >= PART_WAYS
                || matching * 100 < self.rests.len() * LARGER_SIDE)
        {
            return false;
        }
        let mut values: Vec<&'a [u8]> = Vec::with_capacity(matching);
        let mut rests: Vec<&'a [u8]> = Vec::with_capacity(matching);
        for (rest, end) in self.rests.iter().zip(&ends) {
            if let Some(end) = end {
                values.push(&rest[..*end]);
                rests.push(&rest[end + part.behind.len()..]);
            }
        }
        let is_quoted = part.close > 0 && part.skip == 0 && self.depth < DEEPEST;
        let inner = if is_quoted { Frame::learn_within(&values, self.json, self.depth + 1) } else { None };
        let of_part = match &inner {
            Some((_, bits)) => *bits,
            None if part.skip > 0 => OF_TIME,
            None => cost(values.iter().copied()),
        };
        if let Some((inner, _)) = inner {
            let mut spans = Vec::new();
            let mut values = values.iter();
            rests.retain(|_| values.next().is_some_and(|value| inner.cut(value, self.json, &mut spans)));
            part.inner = Some(Box::new(inner));
        }
        self.of_parts += of_part;
        self.frame.parts.push(part);
        (self.rests, self.open) = (rests, opens);
        if parts_ways {
            // What follows is of those texts alone.
            self.bar *= WORTH_A_WAY;
        }
        self.weigh()
    }

    /// The next part with the signs that most texts have behind it, and what these open.
    fn next(&self) -> Option<(Part, Option<u8>)> {
        let mut part = Part { skip: self.time_len(), ..Part::default() };
        part.digit = self.rests.iter().find_map(|rest| rest.first()).is_some_and(u8::is_ascii_digit);
        let closes = |rest: &&&[u8]| run(rest, part.skip, self.open, self.json).is_some();
        let open = self.open.filter(|_| self.is_nearly_all(self.rests.iter().filter(closes).count()));
        let mut votes = Votes::default();
        for rest in &self.rests {
            if let Some(Run { start, end, open, close }) = run(rest, part.skip, open, self.json) {
                votes.add(&rest[start..end], open, close);
            }
        }
        let (signs, opens, close) = votes.most()?;
        (part.behind, part.close) = (signs.to_vec(), close);
        Some((part, opens))
    }

    /// Compares what texts take by the parts so far with what they took by fewer; gives whether there may be more parts.
    fn weigh(&mut self) -> bool {
        let is_whole = self.rests.iter().all(|rest| rest.is_empty());
        let parts = self.frame.parts.len() + usize::from(!is_whole);
        let bits = self.of_parts + cost(self.rests.iter().copied()) + OF_PART * parts as f64;
        // What only ends a part costs nothing more.
        if bits <= self.least.0 * self.bar {
            (self.least, self.bar) = ((bits, self.frame.parts.len()), 1.0);
        }
        self.rests.len() >= FEWEST && !is_whole
    }

    fn is_nearly_all(&self, count: usize) -> bool {
        count * 100 >= self.rests.len() * NEARLY_ALL
    }

    /// The bytes that the time at the beginning of nearly all texts has nearly always at least; 0 where there is none.
    fn time_len(&self) -> usize {
        let mut lens: Vec<usize> = self.rests.iter().filter_map(|rest| time_at(rest)).collect();
        lens.sort_unstable();
        let odd = lens.len() * (100 - NEARLY_ALL) / 100;
        if !lens.is_empty() && self.is_nearly_all(lens.len()) { lens[odd] } else { 0 }
    }

    /// The frame up to where the rest had better be one part.
    fn best(mut self) -> Option<(Frame, f64)> {
        let (bits, parts) = self.least;
        if parts == 0 || bits > self.uncut * WORTH_PARTS {
            return None;
        }
        let is_all = parts == self.frame.parts.len() && self.rests.iter().all(|rest| rest.is_empty());
        self.frame.parts.truncate(parts);
        if !is_all {
            self.frame.parts.push(Part::default());
        }
        Some((self.frame, bits))
    }
}

/// Whether the text begins with the signs. They are few, so that a call to compare them would take longer than to do it.
#[inline]
fn has_signs(text: &[u8], signs: &[u8]) -> bool {
    text.len() >= signs.len() && signs.iter().zip(text).all(|(sign, byte)| sign == byte)
}

/// The length of the time that the text begins with.
fn time_at(text: &[u8]) -> Option<usize> {
    let stamp = time::read(text).filter(|stamp| stamp.layout.0 != 0 && stamp.len >= SHORTEST_TIME)?;
    let closed = text.get(stamp.len).is_none_or(|byte| !is_token_byte(*byte));
    (closed && !text[..stamp.len].iter().all(u8::is_ascii_digit)).then_some(stamp.len)
}

/// The texts that begin with a time, where many do and many do not: these are of other makes.
fn with_time<'a>(texts: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let timed: Vec<&[u8]> = texts.iter().copied().filter(|text| time_at(text).is_some()).collect();
    let share = timed.len() * 100;
    (share >= texts.len() * LARGER_SIDE && share < texts.len() * NEARLY_ALL).then_some(timed)
}

/// Signs by how many texts have them.
#[derive(Default)]
struct Votes<'a> {
    all: Vec<(&'a [u8], Option<u8>, usize, usize)>,
}

impl<'a> Votes<'a> {
    fn add(&mut self, signs: &'a [u8], open: Option<u8>, close: usize) {
        match self.all.iter_mut().find(|(have, _, closes, _)| *have == signs && *closes == close) {
            Some((.., count)) => *count += 1,
            None => self.all.push((signs, open, close, 1)),
        }
    }

    /// Those that most have, with what they open, and how many bytes of them close.
    fn most(&self) -> Option<(&'a [u8], Option<u8>, usize)> {
        let most = self.all.iter().rev().max_by_key(|(.., count)| *count)?;
        Some((most.0, most.1, most.2))
    }
}
