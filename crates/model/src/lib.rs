//! The words that all of sawlog shares: what a row is, where it stands, when it happened, what a question about it
//! means. No I/O, no clock, no async: everything here is a value or a pure function, and every other crate may use it.
//!
//! In reading order: a [`Batch`] is many rows of one [`Source`] on one buffer; a row has an [`Address`], two times and
//! slots; a [`Predicate`] says which rows are wanted, and [`Predicate::keeps`] is its slow and obvious meaning, against
//! which the store's fast one is tested.

mod access;
mod address;
mod batch;
mod context;
mod delivery;
pub mod frame;
mod limits;
mod meter;
pub mod normalize;
mod predicate;
mod record;
mod status;
pub mod time;
pub mod token;
pub mod value;

pub use access::{Access, AccessError, Bringer, Correlation, For, Message, Right, Tenant, correlation_tag};
pub use address::{Address, KnownSource, Position, Source, SourceFacts, SourceId};
pub use batch::{Batch, Kind, Marks, NameId, Names, Row, RowRef, Slot};
pub use context::Context;
pub use delivery::{Accepted, Delivery, ENCRYPTED, IngestError};
pub use limits::Limits;
pub use meter::{Meter, Over, TOKEN};
pub use normalize::{Normalize, Normalizers};
pub use predicate::{Compare, Decimal, Predicate, Test, TestError, elements, find_folded};
pub use record::{FieldValue, Fields, Record, strip_terminator};
pub use status::{Metrics, NodeStatus, PartStatus};
pub use time::{Nanos, SECOND, TimeRange};
pub use value::Value;
