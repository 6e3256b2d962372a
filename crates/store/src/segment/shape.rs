//! Which columns rows of one skeleton have values in, as the rows of one group use it. Knows nothing of values.

use std::collections::HashMap;

use super::cursor::Damage;
use super::skeleton::{Item, Skeleton};

/// A skeleton as the rows of one group use it.
pub(super) struct Shape {
    pub(super) skeleton: Skeleton,
    /// For each slot the column, which of the row's values in it, and whether it is printed.
    pub(super) slots: Vec<ShapeSlot>,
}

#[derive(Clone, Copy)]
pub(super) struct ShapeSlot {
    pub(super) column: u32,
    pub(super) which: u32,
    pub(super) printed: bool,
}

/// The skeletons of the rows, numbered for this group alone.
pub(super) fn local_shapes(ids: &[i64], skeletons: &[Skeleton]) -> Result<(Vec<u32>, Vec<Shape>), Damage> {
    let mut local: HashMap<i64, u32> = HashMap::new();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut last = (-1, 0);
    let mut codes = Vec::with_capacity(ids.len());
    for id in ids {
        if *id != last.0 {
            let code = match local.get(id) {
                Some(code) => *code,
                None => {
                    let skeleton = usize::try_from(*id).ok().and_then(|id| skeletons.get(id));
                    shapes.push(Shape::new(
                        skeleton.ok_or(Damage::Bytes("a row has a skeleton that is not there"))?,
                    ));
                    local.insert(*id, shapes.len() as u32 - 1);
                    shapes.len() as u32 - 1
                }
            };
            last = (*id, code);
        }
        codes.push(last.1);
    }
    Ok((codes, shapes))
}

impl Shape {
    /// How many values its rows have in a column.
    pub(super) fn count(&self, column: u32) -> usize {
        self.slots.iter().filter(|slot| slot.column == column).count()
    }

    pub(super) fn new(skeleton: &Skeleton) -> Shape {
        let mut seen: HashMap<u32, u32> = HashMap::new();
        let slots = skeleton
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Slot { column, printed } => {
                    let which = seen.entry(*column).or_insert(0);
                    *which += 1;
                    Some(ShapeSlot { column: *column, which: *which - 1, printed: *printed })
                }
                Item::Literal(_) => None,
            })
            .collect();
        Shape { skeleton: skeleton.clone(), slots }
    }
}
