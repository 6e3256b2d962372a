//! The store as a whole, against plain models of what it should hold.

mod behaviour;
mod bounds;
mod columns;
mod crash;
mod fixtures;
mod model;
mod reading;
mod removal;
pub(crate) mod support;
