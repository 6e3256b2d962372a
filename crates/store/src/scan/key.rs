//! What rows are ordered by, so that the next row is always the one with the least key. Knows nothing of rows.

use sawlog_model::{Nanos, SourceId};

use crate::Order;

/// An order that rows are put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// By (time, source, epoch, offset), last first.
    Newest,
    /// By (time, source, epoch, offset).
    Oldest,
    /// By (epoch, offset).
    Source,
}

impl Direction {
    /// The direction of an order; `None` where there is none.
    pub fn of(order: Order) -> Option<Direction> {
        match order {
            Order::Newest => Some(Direction::Newest),
            Order::Oldest => Some(Direction::Oldest),
            Order::Source(_) => Some(Direction::Source),
            Order::Any => None,
        }
    }
}

/// A key: fields compare in turn.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    time: Nanos,
    source: u128,
    epoch: u32,
    offset: u64,
}

impl Key {
    /// The key of a row. Newest first, every bit is turned, which turns the order.
    pub fn new(direction: Direction, time: Nanos, source: SourceId, epoch: u32, offset: u64) -> Key {
        match direction {
            Direction::Newest => Key { time: !time, source: !source.0, epoch: !epoch, offset: !offset },
            Direction::Oldest => Key { time, source: source.0, epoch, offset },
            Direction::Source => Key { time: 0, source: 0, epoch, offset },
        }
    }

    /// A key that no row of these times comes before.
    pub fn time_bound(direction: Direction, first: Nanos, last: Nanos) -> Key {
        let time = match direction {
            Direction::Newest => !last,
            Direction::Oldest => first,
            Direction::Source => 0,
        };
        Key { time, source: 0, epoch: 0, offset: 0 }
    }

    /// A key that no row of one source from this address on comes before.
    pub fn address_bound(epoch: u32, offset: u64) -> Key {
        Key { time: 0, source: 0, epoch, offset }
    }
}
