//! Protocols, outputs and filters that ride on a library of somebody else, one folder each. Never part of the agent. Knows
//! nothing of the store, of queries or of the HTTP server.

pub mod amqp;
pub mod remap;

use sawlog_pipeline::Protocol;

/// Every protocol and filter of this crate, in the order in which they are told.
pub const PROTOCOLS: &[&Protocol] = &[&amqp::PROTOCOL, &remap::PROTOCOL];
