//! What `sawlog.toml` may say of this binary, and reading one. Knows nothing of what the settings do.

use std::path::Path;

use anyhow::{Error, Result};
use sawlog_pipeline::config::{self, Compat, Config, Known, Loaded, Setting};
use sawlog_pipeline::{OptKind, Protocol, wiring};
use sawlog_sys::Sys;

/// Node-wide settings of this binary, beside those that every one has.
const OWN_SETTINGS: &[Setting] = &[
    ("http", OptKind::Address, "where the page and the API listen"),
    ("store.memtable", OptKind::Bytes, "memory for rows that are not in segments yet"),
    ("store.retention", OptKind::Duration, "rows older than this go; 0 keeps all"),
];

/// The protocols that this binary speaks.
pub(crate) const PROTOCOLS: &[&Protocol] = &[
    &sawlog_wire::tail::PROTOCOL,
    &sawlog_wire::forward::PROTOCOL,
    &sawlog_wire::stdout::PROTOCOL,
    &sawlog_wire::syslog::PROTOCOL,
    &sawlog_wire::exec::PROTOCOL,
    &sawlog_wire::logstash::PROTOCOL,
    &sawlog_wire::gelf::PROTOCOL,
    &sawlog_wire::http_in::PROTOCOL,
    &sawlog_wire::sample::PROTOCOL,
    &sawlog_wire::socket::TCP,
    &sawlog_wire::socket::UDP,
    &sawlog_wire::socket::UNIX,
    &sawlog_wire::exec_out::PROTOCOL,
    &sawlog_wire::file::PROTOCOL,
    &sawlog_wire::file::secondary::PROTOCOL,
    &sawlog_wire::http_out::PROTOCOL,
    &sawlog_wire::null::PROTOCOL,
    &sawlog_wire::filter::grep::PROTOCOL,
    &sawlog_wire::filter::parser::PROTOCOL,
    &sawlog_wire::filter::record_transformer::PROTOCOL,
    &crate::store_output::PROTOCOL,
];

/// Reads a configuration of any dialect; its problems, all at once, are the error.
pub(crate) fn read(sys: &Sys, path: &Path, compat: Option<Compat>) -> Result<Loaded> {
    let settings = [wiring::SETTINGS, OWN_SETTINGS].concat();
    let known = Known { protocols: PROTOCOLS, settings: &settings };
    config::load(sys, path, known, compat).map_err(|found| Error::msg(config::lines(&found, true)))
}

/// A configuration as `sawlog.toml`.
pub(crate) fn text(config: &Config) -> String {
    let settings = [wiring::SETTINGS, OWN_SETTINGS].concat();
    config::write(config, Known { protocols: PROTOCOLS, settings: &settings })
}

/// The store's sizes, as configured.
pub(crate) fn store_options(config: &Config) -> sawlog_store::Options {
    let mut options = sawlog_store::Options::default();
    if let Some(bytes) = config.bytes("store.memtable") {
        options.memtable_bytes = bytes as usize;
    }
    if let Some(age) = config.duration("store.retention") {
        options.retention = age;
    }
    options
}
