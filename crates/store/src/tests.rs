//! The store as a whole, against plain models of what it should hold.

mod behaviour;
mod bounds;
mod columns;
mod crash;
mod model;
mod reading;
mod support;
