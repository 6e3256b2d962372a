//! A list of integers as bytes: constant, or the difference to the least one or to the one before, divided by what all
//! have in common, in planes of one byte each (all lowest bytes, then all second bytes, ...), which is what a general
//! compressor behind it likes best. Knows nothing of what the integers mean.

use std::sync::LazyLock;

use super::cursor::{Cursor, Damage, put_signed, put_varint};

const CONSTANT: u8 = 0;
const OFFSETS: u8 = 1;
const DELTAS: u8 = 2;

/// So many integers may be written without a byte of their own.
const MOST_WITHOUT_BYTES: usize = 1 << 24;

/// Integers looked at to choose between offsets and deltas.
const SAMPLE: usize = 1024;
/// Integers that are made before their bytes go to the planes.
const BLOCK: usize = 512;

/// Appends the integers: how they are written to `head`, the planes to `body`.
pub(super) fn encode(values: &[i64], head: &mut Vec<u8>, body: &mut Vec<u8>) {
    let Some(&first) = values.first() else { return };
    let (mut least, mut most) = (first, first);
    for &value in values {
        least = least.min(value);
        most = most.max(value);
    }
    if least == most {
        head.push(CONSTANT);
        put_signed(head, first);
        return;
    }
    let divisor = common_divisor(values.iter().map(|value| value.wrapping_sub(least) as u64));
    // Dividing takes longer than all else, and there is mostly nothing to divide by.
    match divisor {
        1 => put(values, |value| value.wrapping_sub(least) as u64, (least, divisor), head, body),
        _ => put(values, |value| value.wrapping_sub(least) as u64 / divisor, (least, divisor), head, body),
    }
}

/// Writes the integers, each as its offset from the least one, or as the difference of that to the one before.
fn put(
    values: &[i64],
    offset: impl Fn(i64) -> u64,
    (least, divisor): (i64, u64),
    head: &mut Vec<u8>,
    body: &mut Vec<u8>,
) {
    let (mut all, mut before) = (0, 0u64);
    let (mut least_delta, mut most_delta) = (i64::MAX, i64::MIN);
    for &value in values {
        let offset = offset(value);
        let delta = offset.wrapping_sub(before) as i64;
        (all, before) = (all | offset, offset);
        (least_delta, most_delta) = (least_delta.min(delta), most_delta.max(delta));
    }
    let width_of = |all: u64| (64 - all.leading_zeros()).div_ceil(8) as u8;
    let widths = (width_of(all), width_of(most_delta.wrapping_sub(least_delta) as u64));
    let difference = |at: usize| {
        let before = if at == 0 { 0 } else { offset(values[at - 1]) };
        offset(values[at]).wrapping_sub(before).wrapping_sub(least_delta as u64)
    };
    let by_offset = cost(values.len(), widths.0, |at| offset(values[at]));
    let choose_deltas = cost(values.len(), widths.1, difference) < by_offset;
    let width = if choose_deltas { widths.1 } else { widths.0 };
    head.push((if choose_deltas { DELTAS } else { OFFSETS }) | width << 2 | u8::from(divisor != 1) << 6);
    put_signed(head, least);
    if divisor != 1 {
        put_varint(head, divisor);
    }
    if choose_deltas {
        put_signed(head, least_delta);
        let (mut before, least_delta) = (0u64, least_delta as u64);
        planes(width, values, body, |value| {
            let offset = offset(value);
            offset.wrapping_sub(std::mem::replace(&mut before, offset)).wrapping_sub(least_delta)
        });
    } else {
        planes(width, values, body, offset);
    }
}

/// Appends planes of one byte of what `of` makes of each value, the lowest first.
fn planes(width: u8, values: &[i64], body: &mut Vec<u8>, mut of: impl FnMut(i64) -> u64) {
    let start = body.len();
    body.resize(start + values.len() * usize::from(width), 0);
    let mut made = [0u64; BLOCK];
    let planes = &mut body[start..];
    for (block, some) in values.chunks(BLOCK).enumerate() {
        made.iter_mut().zip(some).for_each(|(made, value)| *made = of(*value));
        for (number, plane) in planes.chunks_exact_mut(values.len()).enumerate() {
            let bytes = plane[block * BLOCK..].iter_mut().zip(&made[..some.len()]);
            bytes.for_each(|(byte, made)| *byte = (made >> (8 * number)) as u8);
        }
    }
}

/// The greatest number that divides all, 1 where all are 0.
fn common_divisor(values: impl Iterator<Item = u64>) -> u64 {
    let mut common = 0u64;
    for value in values {
        if common == 0 {
            common = value;
        } else if value % common != 0 {
            let (mut a, mut b) = (common, value % common);
            while b != 0 {
                (a, b) = (b, a % b);
            }
            common = a;
        }
        if common == 1 {
            break;
        }
    }
    common.max(1)
}

/// Each count times its binary logarithm.
static LOGS: LazyLock<[f64; SAMPLE + 1]> = LazyLock::new(|| {
    std::array::from_fn(|count| if count == 0 { 0.0 } else { count as f64 * (count as f64).log2() })
});

/// Roughly the bits that an entropy coder needs for a sample of so many values, by planes.
fn cost(len: usize, width: u8, value: impl Fn(usize) -> u64) -> f64 {
    let step = len.div_ceil(SAMPLE).max(1);
    let total = len.div_ceil(step);
    let mut bits = 0.0;
    for plane in 0..width {
        let mut counts = [0u16; 256];
        let mut different = 0u32;
        for at in (0..len).step_by(step) {
            let count = &mut counts[(value(at) >> (8 * plane)) as usize & 0xff];
            different += u32::from(*count == 0);
            *count += 1;
        }
        let spread: f64 = match different {
            0 | 1 => 0.0,
            _ => LOGS[total] - sum_of_logs(&counts),
        };
        bits += f64::from(different) * 4.0 + spread;
    }
    bits
}

/// The sum of [`LOGS`] of these: four sums side by side, since an addition takes its time before the next one can use it.
fn sum_of_logs(counts: &[u16; 256]) -> f64 {
    let (fours, _) = counts.as_chunks::<4>();
    let sums = fours
        .iter()
        .fold([0.0; 4], |sums, four| [0, 1, 2, 3].map(|lane| sums[lane] + LOGS[usize::from(four[lane])]));
    sums.iter().sum()
}

/// Bytes of the planes of `count` integers with this head.
pub(super) fn size(count: usize, head: &mut Cursor<'_>) -> Result<usize, Damage> {
    if count == 0 { Ok(0) } else { Form::read(head)?.planes(count) }
}

/// The integer that all are, where the head says so.
pub(super) fn constant(head: &mut Cursor<'_>) -> Result<Option<i64>, Damage> {
    let form = Form::read(head)?;
    Ok((form.width == 0 && form.least_delta.is_none()).then_some(form.least))
}

/// The least of them.
pub(super) fn least(head: &mut Cursor<'_>) -> Result<i64, Damage> {
    Ok(Form::read(head)?.least)
}

/// How integers are written.
struct Form {
    least: i64,
    width: u8,
    divisor: u64,
    /// The least difference to the integer before, where differences are written.
    least_delta: Option<i64>,
}

impl Form {
    fn read(head: &mut Cursor<'_>) -> Result<Form, Damage> {
        let form = head.byte()?;
        let least = head.signed()?;
        if form == CONSTANT {
            return Ok(Form { least, width: 0, divisor: 1, least_delta: None });
        }
        let width = form >> 2 & 15;
        if width > 8 {
            return Err(Damage::Bytes("an integer column is too wide"));
        }
        let divisor = if form >> 6 & 1 == 1 { head.varint()? } else { 1 };
        let least_delta = if form & 3 == DELTAS { Some(head.signed()?) } else { None };
        Ok(Form { least, width, divisor, least_delta })
    }

    /// Bytes of the planes of `count` integers.
    fn planes(&self, count: usize) -> Result<usize, Damage> {
        if self.width == 0 && count > MOST_WITHOUT_BYTES {
            return Err(Damage::Bytes("a count is too large"));
        }
        count.checked_mul(usize::from(self.width)).ok_or(Damage::Bytes("a count is too large"))
    }
}

/// Reads `count` integers.
pub(super) fn decode(count: usize, head: &mut Cursor<'_>, body: &mut Cursor<'_>) -> Result<Vec<i64>, Damage> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let form = Form::read(head)?;
    let planes = body.take(form.planes(count)?)?;
    if form.width == 0 && form.least_delta.is_none() {
        return Ok(vec![form.least; count]);
    }
    let mut values = Vec::with_capacity(count);
    let (mut made, mut before) = ([0u64; BLOCK], 0u64);
    for start in (0..count).step_by(BLOCK) {
        let block = &mut made[..BLOCK.min(count - start)];
        block.fill(0);
        for plane in 0..usize::from(form.width) {
            let bytes = &planes[plane * count + start..];
            block.iter_mut().zip(bytes).for_each(|(made, byte)| *made |= u64::from(*byte) << (8 * plane));
        }
        if let Some(least_delta) = form.least_delta {
            for value in block.iter_mut() {
                before = before.wrapping_add(value.wrapping_add(least_delta as u64));
                *value = before;
            }
        }
        let whole = |value: &u64| value.wrapping_mul(form.divisor).wrapping_add(form.least as u64) as i64;
        values.extend(block.iter().map(whole));
    }
    Ok(values)
}

/// Reads `count` integers that must be at least 0 and below `limit`.
pub(super) fn decode_below(
    limit: usize,
    count: usize,
    head: &mut Cursor<'_>,
    body: &mut Cursor<'_>,
) -> Result<Vec<u32>, Damage> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let outside = || Damage::Bytes("a code is not in its dictionary");
    let mut behind = *head;
    let form = Form::read(&mut behind)?;
    let limit = limit.min(u32::MAX as usize) as u64;
    let Some(least) = u64::try_from(form.least).ok().filter(|least| *least < limit) else {
        return Err(outside());
    };
    if form.width > 4 {
        let code = |value| u32::try_from(value).ok().filter(|code| u64::from(*code) < limit);
        return decode(count, head, body)?.into_iter().map(|value| code(value).ok_or_else(outside)).collect();
    }
    *head = behind;
    let planes = body.take(form.planes(count)?)?;
    let mut values = match &planes.chunks_exact(count).collect::<Vec<_>>()[..] {
        [] => vec![0; count],
        [only] => only.iter().map(|byte| u32::from(*byte)).collect(),
        [low, high, more @ ..] => {
            let pairs = low.iter().zip(*high);
            let mut values: Vec<u32> =
                pairs.map(|(low, high)| u32::from(*low) | u32::from(*high) << 8).collect();
            for (plane, bytes) in more.iter().enumerate() {
                let both = values.iter_mut().zip(*bytes);
                both.for_each(|(value, byte)| *value |= u32::from(*byte) << (8 * plane + 16));
            }
            values
        }
    };
    let mut most = 0;
    let mut before = 0u64;
    match (form.least_delta, form.divisor) {
        (None, 1) => values.iter_mut().for_each(|value| {
            most = most.max(u64::from(*value));
            *value = value.wrapping_add(least as u32);
        }),
        (Some(delta), 1) => values.iter_mut().for_each(|value| {
            before = before.wrapping_add(u64::from(*value)).wrapping_add(delta as u64);
            most = most.max(before);
            *value = before.wrapping_add(least) as u32;
        }),
        (delta, divisor) => values.iter_mut().for_each(|value| {
            let own = u64::from(*value).wrapping_add(delta.unwrap_or(0) as u64);
            before = if delta.is_some() { before.wrapping_add(own) } else { own };
            let whole = before.wrapping_mul(divisor);
            most = most.max(whole);
            *value = whole.wrapping_add(least) as u32;
        }),
    }
    if most.saturating_add(least) >= limit { Err(outside()) } else { Ok(values) }
}

#[cfg(test)]
mod tests;
