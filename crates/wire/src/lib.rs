//! Protocols and formats whose codec is sawlog's own, one folder each. Knows nothing of the store, of queries or of the
//! HTTP server.

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
pub mod null;
pub mod sample;
pub mod shared;
pub mod socket;
pub mod stdout;
pub mod syslog;
pub mod tail;

#[cfg(test)]
mod testing;
