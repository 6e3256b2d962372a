//! Codes that follow from others: where a client comes again it has the same agent, where a statement logs again it
//! has the same template. Each code is written as its place among the last ones that stood beside the same leading
//! code, which is mostly the first; what is in no such place is an exception. Knows nothing of columns.

use super::interner::IntMap;

/// Places remembered for each leading code.
const DEPTH: usize = 6;
/// The symbol of an exception.
const EXCEPTION: u8 = DEPTH as u8;

/// The last codes that stood beside one leading code. They stay where they are, only their order changes: which of them comes next can
/// be guessed by nobody, so that the same steps are taken for each.
#[derive(Clone, Copy)]
struct Recent<T> {
    codes: [T; DEPTH],
    /// Where the codes stand, latest first, in four bits each.
    order: u32,
    len: u8,
}

impl<T: Default> Default for Recent<T> {
    fn default() -> Self {
        Recent { codes: Default::default(), order: 0x54_3210, len: 0 }
    }
}

impl<T: Copy + PartialEq> Recent<T> {
    /// Where the code at `place` stands.
    fn at(&self, place: usize) -> usize {
        (self.order >> (4 * place) & 15) as usize
    }

    /// Takes the code at `place` to the front.
    fn take(&mut self, place: usize) -> T {
        let at = self.at(place);
        let below = (1 << (4 * place)) - 1;
        self.order = self.order & !(below << 4 | 15) | (self.order & below) << 4 | at as u32;
        self.codes[at]
    }

    fn place(&self, code: T) -> Option<usize> {
        (0..usize::from(self.len)).find(|place| self.codes[self.at(*place)] == code)
    }

    /// Takes a code to the front, for the one that is there longest.
    fn push(&mut self, code: T) {
        self.len = (self.len + 1).min(DEPTH as u8);
        self.codes[self.at(DEPTH - 1)] = code;
        self.take(DEPTH - 1);
    }
}

/// What leads the codes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leader<'a> {
    /// For each code a number below the count.
    Codes(&'a [u32], usize),
    /// The code before.
    Before,
}

/// A number for each different value, in the order in which they come; and how many there are.
pub(super) fn number(values: impl Iterator<Item = i64> + Clone) -> (Vec<u32>, usize) {
    let (mut least, mut most, mut count) = (i64::MAX, i64::MIN, 0usize);
    for value in values.clone() {
        least = least.min(value);
        most = most.max(value);
        count += 1;
    }
    let mut next = 0u32;
    let mut give = |slot: &mut u32| {
        if *slot == u32::MAX {
            *slot = next;
            next += 1;
        }
        *slot
    };
    let span = most.wrapping_sub(least) as u64;
    let numbers = if count > 0 && span < 4 * count as u64 + 1024 {
        let mut table = vec![u32::MAX; span as usize + 1];
        values.map(|value| give(&mut table[(value - least) as usize])).collect()
    } else {
        let mut table = IntMap::default();
        values.map(|value| give(table.entry(value).or_insert(u32::MAX))).collect()
    };
    (numbers, next as usize)
}

/// Symbols for all codes, and the codes that no symbol tells.
pub(super) fn encode(codes: &[i64], leader: Leader<'_>) -> (Vec<u8>, Vec<i64>) {
    let mut symbols = Vec::with_capacity(codes.len());
    let mut exceptions = Vec::new();
    let own;
    let (leaders, count) = match leader {
        Leader::Codes(leaders, count) => (leaders, count),
        Leader::Before => {
            // The number of no code stands before the first.
            let (mut numbers, count) = number(codes.iter().copied());
            numbers.insert(0, count as u32);
            own = numbers;
            (&own[..], count + 1)
        }
    };
    let mut recent = vec![Recent::<i64>::default(); count];
    for (code, leader) in codes.iter().zip(leaders) {
        let recent = &mut recent[*leader as usize];
        match recent.place(*code) {
            Some(place) => {
                recent.take(place);
                symbols.push(place as u8);
            }
            None => {
                recent.push(*code);
                symbols.push(EXCEPTION);
                exceptions.push(*code);
            }
        }
    }
    (symbols, exceptions)
}

/// How many of the symbols are exceptions.
pub(super) fn exceptions(symbols: &[u8]) -> usize {
    symbols.iter().filter(|symbol| **symbol >= EXCEPTION).count()
}

/// The codes again. `None` where symbols and exceptions do not fit each other.
pub(super) fn decode<T: Copy + Default + PartialEq + Into<i64>>(
    symbols: &[u8],
    exceptions: &[T],
    leader: Leader<'_>,
) -> Option<Vec<T>> {
    let mut codes = Vec::with_capacity(symbols.len());
    let mut exceptions = exceptions.iter();
    match leader {
        Leader::Codes(leaders, count) => {
            let mut recent = vec![Recent::default(); count];
            for (symbol, leader) in symbols.iter().zip(leaders) {
                codes.push(step(recent.get_mut(*leader as usize)?, *symbol, &mut exceptions)?);
            }
        }
        Leader::Before => {
            let mut numbers = Numbers::new(symbols.len());
            let mut recent = vec![Recent::default()];
            let mut leader = 0;
            for symbol in symbols {
                let code = step(&mut recent[leader], *symbol, &mut exceptions)?;
                codes.push(code);
                leader = numbers.of(code.into(), || {
                    recent.push(Recent::default());
                    recent.len() - 1
                });
            }
        }
    }
    Some(codes)
}

/// The code that a symbol stands for, of the last beside its leading code or the next exception. A call for each row would take as
/// long as all of it.
#[inline(always)]
fn step<'a, T: Copy + PartialEq + 'a>(
    recent: &mut Recent<T>,
    symbol: u8,
    exceptions: &mut impl Iterator<Item = &'a T>,
) -> Option<T> {
    match symbol {
        symbol if symbol < recent.len => Some(recent.take(usize::from(symbol))),
        EXCEPTION.. => {
            let code = *exceptions.next()?;
            recent.push(code);
            Some(code)
        }
        _ => None,
    }
}

/// Which of the last codes beside one leading code pass, latest first, as bits.
#[derive(Clone, Copy, Default)]
struct Passing {
    bits: u8,
    len: u8,
}

impl Passing {
    /// Takes the code at `place` to the front; gives whether it passes.
    fn take(&mut self, place: u8) -> u8 {
        let bit = self.bits >> place & 1;
        let below = (1 << place) - 1;
        self.bits = self.bits & !(below << 1 | 1) | (self.bits & below) << 1 | bit;
        bit
    }

    fn push(&mut self, bit: u8) {
        self.bits = self.bits << 1 | bit;
        self.len = (self.len + 1).min(EXCEPTION);
    }
}

/// How many of the codes pass beside these leading codes, which are below `count`; `passing` says it of each exception. `None`
/// where symbols, exceptions and leading codes do not fit each other.
pub(super) fn count_passing(
    symbols: &[u8],
    mut passing: impl Iterator<Item = bool>,
    leaders: &[u32],
    count: usize,
) -> Option<u64> {
    let mut recent = vec![Passing::default(); count];
    let mut passed = 0;
    for (symbol, leader) in symbols.iter().zip(leaders) {
        let recent = recent.get_mut(*leader as usize)?;
        passed += u64::from(match *symbol {
            symbol if symbol < recent.len => recent.take(symbol),
            EXCEPTION.. => {
                let bit = u8::from(passing.next()?);
                recent.push(bit);
                bit
            }
            _ => return None,
        });
    }
    (symbols.len() <= leaders.len()).then_some(passed)
}

/// Numbers for codes: small ones by a table.
struct Numbers {
    small: Vec<u32>,
    large: IntMap<usize>,
}

impl Numbers {
    fn new(count: usize) -> Self {
        Numbers { small: vec![0; count.min(1 << 14)], large: IntMap::default() }
    }

    /// The number of a code, from 1 on; `next` gives one to a code that has none.
    fn of(&mut self, code: i64, next: impl FnOnce() -> usize) -> usize {
        match usize::try_from(code).ok().and_then(|code| self.small.get_mut(code)) {
            Some(number) => {
                if *number == 0 {
                    *number = next() as u32;
                }
                *number as usize
            }
            None => *self.large.entry(code).or_insert_with(next),
        }
    }
}

#[cfg(test)]
mod tests;
