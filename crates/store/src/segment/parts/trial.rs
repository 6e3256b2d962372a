//! Whether texts take fewer bytes by their parts than whole: a stretch of a row group is written both ways, and the compressor is
//! the judge. Knows nothing of how frames are learned.

use sawlog_model::{Kind, Nanos};
use zstd::bulk::Compressor;

use super::{Known, cut_all};
use crate::segment::encode::{self, Bodies, Copied, Input, Shared};
use crate::segment::interner::Interner;
use crate::segment::leaders::Leaders;
use crate::segment::tokens::Tokens;

/// Values of the stretch, and bytes of them, about.
const STRETCH: usize = 4_096;
const STRETCH_BYTES: usize = 1 << 20;
/// Parts must save so much of the bytes.
const WORTH: f64 = 0.92;
/// Dictionaries and templates serve other row groups, too: so much of their bytes counts.
const ONCE: f64 = 0.25;

/// The values of a column of a row group.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) kind: Kind,
    pub(super) values: &'a [&'a [u8]],
    pub(super) rows: &'a [u32],
    /// Times of all rows of the group.
    pub(super) times: &'a [Nanos],
}

impl<'a> Column<'a> {
    /// Whether the frames save bytes.
    pub(super) fn is_smaller_in_parts(&self, known: &mut [Known]) -> bool {
        let middle = self.values.len() / 2;
        let bytes: usize = self.values[middle..].iter().take(64).map(|value| value.len()).sum();
        let most = (STRETCH_BYTES * 64 / (bytes + 1)).clamp(256, STRETCH);
        let stretch = middle.saturating_sub(most / 2)..(middle + most / 2).min(self.values.len());
        let stretch = Column { values: &self.values[stretch.clone()], rows: &self.rows[stretch], ..*self };
        let mut judge = Compressor::default();
        let whole = stretch.size(1, 0, &mut Leaders::new(self.times.len()), &mut judge);
        let framed = cut_all(known, stretch.values, stretch.rows, self.kind == Kind::JsonText);
        let mut out = Bodies::default();
        framed.put(&mut out);
        let mut in_parts = size(&out, &mut judge) as f64;
        let parts: Vec<Vec<Vec<&[u8]>>> =
            known.iter().map(|known| known.parts.iter().map(Copied::values).collect()).collect();
        let mut leaders = Leaders::new(self.times.len());
        for (known, parts) in known.iter().zip(&parts).filter(|(known, _)| !known.rows.is_empty()) {
            for (number, values) in known.columns.iter().zip(parts) {
                let part = Column { values, rows: &known.rows, ..*self };
                in_parts += part.size(*number, known.columns[0], &mut leaders, &mut judge);
            }
        }
        in_parts < whole * WORTH
    }

    /// The bytes that it takes as a column of its own.
    fn size(&self, number: u32, family: u32, leaders: &mut Leaders<'a>, judge: &mut Compressor<'_>) -> f64 {
        let Column { kind, values, rows, times } = *self;
        let input = Input { number, kind, values, rows, times, nested: false, family };
        let (mut dictionary, mut shared, mut out) =
            (Interner::default(), Shared::default(), Bodies::default());
        encode::encode(&input, &mut dictionary, &mut shared, leaders, &mut out, &mut Tokens::none());
        let mut once = Vec::new();
        for strings in [&dictionary, &shared.templates] {
            encode::put_strings(strings.iter(), &mut once);
        }
        size(&out, judge) as f64 + compressed(&once, judge) as f64 * ONCE
    }
}

/// The bytes of a column.
fn size(out: &Bodies, judge: &mut Compressor<'_>) -> usize {
    let bodies = [&out.head, &out.numbers, &out.text, &out.templates];
    bodies.iter().map(|body| compressed(body, judge)).sum()
}

fn compressed(bytes: &[u8], judge: &mut Compressor<'_>) -> usize {
    let packed = judge.set_compression_level(1).and_then(|()| judge.compress(bytes));
    packed.map_or(bytes.len(), |packed| packed.len().min(bytes.len()))
}
