//! Which columns rows of one skeleton have values in. Knows nothing of values.

use std::sync::Arc;

use super::cursor::Damage;
use super::interner::IntMap;
use super::skeleton::{Item, Skeleton};

/// A skeleton, with the columns of its slots.
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
    all: &[Arc<Shape>],
) -> Result<(Vec<u32>, Vec<Arc<Shape>>), Damage> {
    let mut local: IntMap<u32> = IntMap::default();
    let mut shapes: Vec<Arc<Shape>> = Vec::new();
    let mut last = None;
    for id in &mut ids {
        match last {
            Some((before, code)) if before == *id => *id = code,
            _ => {
                let code = match local.get(&i64::from(*id)) {
                    Some(code) => *code,
                    None => {
                        let shape = all.get(*id as usize);
                        shapes.push(
                            shape.ok_or(Damage::Bytes("a row has a skeleton that is not there"))?.clone(),
                        );
                        local.insert(i64::from(*id), shapes.len() as u32 - 1);
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

    pub(super) fn new(skeleton: Skeleton) -> Shape {
        let mut seen: IntMap<u32> = IntMap::default();
        let slots = skeleton
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Slot { column, printed } => {
                    let which = seen.entry(i64::from(*column)).or_insert(0);
                    *which += 1;
                    Some(ShapeSlot { column: *column, which: *which - 1, printed: *printed })
                }
                Item::Literal(_) => None,
            })
            .collect();
        Shape { skeleton, slots }
    }

    /// Bytes of memory, without the literals.
    pub(super) fn weight(&self) -> usize {
        self.skeleton.weight() + std::mem::size_of_val(&self.slots[..])
    }
}
