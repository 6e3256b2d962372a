//! Protocols that ride on a client library of somebody else, one folder each. Never part of the agent. Knows nothing of the
//! store, of queries or of the HTTP server.

pub mod amqp;

use sawlog_pipeline::Protocol;

/// Every protocol of this crate, in the order in which they are told.
pub const PROTOCOLS: &[&Protocol] = &[&amqp::PROTOCOL];
