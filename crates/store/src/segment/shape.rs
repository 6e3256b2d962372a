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

/// Numbers the skeletons of the rows for this group alone: `ids` become these numbers.
pub(super) fn local_shapes(
    mut ids: Vec<u32>,
    skeletons: &[Skeleton],
) -> Result<(Vec<u32>, Vec<Shape>), Damage> {
    let mut local: HashMap<u32, u32> = HashMap::new();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut last = None;
    for id in &mut ids {
        match last {
            Some((before, code)) if before == *id => *id = code,
            _ => {
                let code = match local.get(id) {
                    Some(code) => *code,
                    None => {
                        let skeleton = skeletons.get(*id as usize);
                        shapes.push(Shape::new(
                            skeleton.ok_or(Damage::Bytes("a row has a skeleton that is not there"))?,
                        ));
                        local.insert(*id, shapes.len() as u32 - 1);
                        shapes.len() as u32 - 1
                    }
                };
                last = Some((*id, code));
                *id = code;
            }
        }
    }
    Ok((ids, shapes))
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
