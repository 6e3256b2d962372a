//! Protocols and formats whose codec is sawlog's own, one folder each. Knows nothing of the store, of queries or of the
//! HTTP server.

pub mod blueox;
pub mod board;
pub mod elasticsearch;
pub mod exec;
pub mod exec_out;
pub mod file;
pub mod filter;
pub mod format;
pub mod forward;
#[doc(hidden)]
pub mod fuzz;
pub mod gelf;
pub mod http;
pub mod http_in;
pub mod http_out;
pub mod logstash;
pub mod mongo;
pub mod null;
pub mod redis;
pub mod s3;
pub mod sample;
pub mod shared;
pub mod socket;
pub mod socket_out;
pub mod stdout;
pub mod syslog;
pub mod tail;
pub mod trial;
pub mod webhdfs;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use sawlog_pipeline::Protocol;

/// What carries rows between two nodes, for protocols that lead over to it.
pub(crate) const LANE: &shared::lane::Lane = &forward::LANE;

/// Every protocol and filter of this crate, in the order in which they are told.
pub const PROTOCOLS: &[&Protocol] = &[
    &tail::PROTOCOL,
    &forward::PROTOCOL,
    &stdout::PROTOCOL,
    &syslog::PROTOCOL,
    &exec::PROTOCOL,
    &logstash::PROTOCOL,
    &blueox::PROTOCOL,
    &gelf::PROTOCOL,
    &http_in::PROTOCOL,
    &sample::PROTOCOL,
    &socket::TCP,
    &socket::UDP,
    &socket::UNIX,
    &exec_out::PROTOCOL,
    &file::PROTOCOL,
    &file::secondary::PROTOCOL,
    &http_out::PROTOCOL,
    &elasticsearch::PROTOCOL,
    &s3::PROTOCOL,
    &webhdfs::PROTOCOL,
    &mongo::PROTOCOL,
    &socket_out::TCP,
    &socket_out::UDP,
    &redis::PROTOCOL,
    &null::PROTOCOL,
    &filter::grep::PROTOCOL,
    &filter::parser::PROTOCOL,
    &filter::record_transformer::PROTOCOL,
];
