//! Decimal numbers as text, compared digit by digit: nothing is rounded. Knows nothing of fields.

use std::cmp::Ordering;

/// A number as written: digits with an optional sign, point and exponent. Equality and order are those of the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    /// -1, 0 or 1.
    sign: i8,
    /// The power of ten of the first digit that is not 0.
    power: i64,
    /// Digits from the first that is not 0 on, those before the point.
    whole: &'a [u8],
    /// Those behind it.
    part: &'a [u8],
}

impl<'a> Decimal<'a> {
    /// Reads `[+-] digits [. digits] [e [+-] digits]`; a digit must stand before or behind the point. `None` where the
    /// text is anything else, spaces included, or the exponent is beyond 10^15.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        let (whole, rest) = digits(rest);
        let (part, rest) = rest.strip_prefix(b".").map_or((&rest[..0], rest), digits);
        if whole.is_empty() && part.is_empty() {
            return None;
        }
        let exponent = exponent(rest)?;
        Some(Self::of(negative, whole, part, exponent))
    }

    /// The number with these digits, leading zeros taken off.
    fn of(negative: bool, whole: &'a [u8], part: &'a [u8], exponent: i64) -> Self {
        let zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
        let whole = &whole[zeros(whole)..];
        let (part, power) = match whole.len() {
            0 => (&part[zeros(part)..], exponent - 1 - zeros(part) as i64),
            len => (part, exponent + len as i64 - 1),
        };
        let sign = match (whole.is_empty() && part.is_empty(), negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        Decimal { sign, power, whole, part }
    }

    /// The digit at `index`, counted from the first that is not 0.
    fn digit(&self, index: usize) -> u8 {
        let digit = self.whole.get(index).or_else(|| self.part.get(index - self.whole.len()));
        digit.copied().unwrap_or(b'0')
    }

    /// Compares without the signs; neither is zero.
    fn compare_size(&self, other: &Self) -> Ordering {
        let longest = (self.whole.len() + self.part.len()).max(other.whole.len() + other.part.len());
        self.power
            .cmp(&other.power)
            .then_with(|| (0..longest).map(|at| self.digit(at)).cmp((0..longest).map(|at| other.digit(at))))
    }
}

/// The digits that `text` starts with, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Reads `[e [+-] digits]`.
fn exponent(text: &[u8]) -> Option<i64> {
    let rest = match text.split_first() {
        None => return Some(0),
        Some((b'e' | b'E', rest)) => rest,
        Some(_) => return None,
    };
    let value: i64 = std::str::from_utf8(rest).ok()?.parse().ok()?;
    (value.abs() <= 1_000_000_000_000_000).then_some(value)
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sign.cmp(&other.sign).then_with(|| match self.sign {
            0 => Ordering::Equal,
            1 => self.compare_size(other),
            _ => other.compare_size(self),
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}
