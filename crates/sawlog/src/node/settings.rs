//! What `sawlog.toml` may say of this binary, and reading one. Knows nothing of what the settings do.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Error, Result};
use sawlog_model::Normalizers;
use sawlog_pipeline::config::{self, Compat, Config, Known, Loaded, Setting};
use sawlog_pipeline::{OptKind, Protocol, wiring};
use sawlog_server::{Hosts, MeniscusListener};
use sawlog_store::Options;
use sawlog_sys::Sys;
use sawlog_wire::format::lognorm;
use sawlog_wire::shared::tls;

/// Node-wide settings of this binary, beside those that every one has.
const OWN_SETTINGS: &[Setting] = &[
    ("http", OptKind::Address, "where the page and the API listen; or as `listen` of [http]"),
    ("http.listen", OptKind::Address, "where the page and the API listen"),
    ("http.tls_cert", tls::CERT.kind, tls::CERT.help),
    ("http.tls_key", tls::KEY.kind, tls::KEY.help),
    ("http.tls_client_ca", tls::CLIENT_CA.kind, tls::CLIENT_CA.help),
    ("http.tls_min_version", tls::MIN_VERSION.kind, tls::MIN_VERSION.help),
    (
        "tenants",
        OptKind::Text,
        "names of tenants, with commas between; those that are not there yet are made",
    ),
    (
        "rulebases",
        OptKind::Text,
        "folder of rule bases of liblognorm, NAME.rulebase, .rb or .db: for `| normalize NAME`, and for producers with such a pattern",
    ),
    (
        "meniscus.listen",
        OptKind::Address,
        "where Meniscus's API is served beside everything else, as 127.0.0.1:8080",
    ),
    (
        "meniscus.open",
        OptKind::Bool,
        "whether that listener lets everybody make tenants and see their tokens; by default on loopback only",
    ),
    ("meniscus.tls_cert", tls::CERT.kind, tls::CERT.help),
    ("meniscus.tls_key", tls::KEY.kind, tls::KEY.help),
    ("meniscus.tls_client_ca", tls::CLIENT_CA.kind, tls::CLIENT_CA.help),
    ("meniscus.tls_min_version", tls::MIN_VERSION.kind, tls::MIN_VERSION.help),
    (
        "store.memory",
        OptKind::Bytes,
        "memory that rows, kept blocks, compaction and questions share; 384 MiB where nothing is said",
    ),
    (
        "store.memtable",
        OptKind::Bytes,
        "of it for rows that are not in segments yet, at most half; a tenth where nothing is said",
    ),
    (
        "store.spill",
        OptKind::Bytes,
        "disk for what questions cannot hold in memory; 0: they stop instead; 4 GiB where nothing is said",
    ),
    ("store.retention", OptKind::Duration, "rows older than this go; 0 keeps all"),
    ("store.retention.*.select", OptKind::Text, "a search: rows of which this rule is; `*` for all"),
    ("store.retention.*.tenant", OptKind::Text, "whose rows; those of every tenant where nothing is said"),
    ("store.retention.*.days", OptKind::Number, "rows of the rule that are older go; 0 keeps all"),
    (
        "store.retention.*.size",
        OptKind::Bytes,
        "rows of the rule may take so many bytes of each tenant's segments, the oldest go first; 0 keeps all",
    ),
    ("store.size", OptKind::Bytes, "segments may take so many bytes, the oldest go first; 0 keeps all"),
    ("store.tenant_size", OptKind::Bytes, "the same for each tenant"),
];

/// The protocols that this binary speaks: those of every agent, those over foreign libraries, and the store.
pub(crate) static PROTOCOLS: LazyLock<Vec<&'static Protocol>> = LazyLock::new(|| {
    [sawlog_wire::PROTOCOLS, sawlog_connect::PROTOCOLS, &[&crate::store_output::PROTOCOL]].concat()
});

/// Reads a configuration of any dialect; its problems, all at once, are the error.
pub(crate) fn read(sys: &Sys, path: &Path, compat: Option<Compat>) -> Result<Loaded> {
    let settings = [wiring::SETTINGS, OWN_SETTINGS].concat();
    let known = Known { protocols: &PROTOCOLS, settings: &settings };
    let loaded =
        config::load(sys, path, known, compat).map_err(|found| Error::msg(config::lines(&found, true)))?;
    super::retention::rules(&loaded.config)?;
    Ok(loaded)
}

/// A configuration as `sawlog.toml`.
pub(crate) fn text(config: &Config) -> String {
    let settings = [wiring::SETTINGS, OWN_SETTINGS].concat();
    config::write(config, Known { protocols: &PROTOCOLS, settings: &settings })
}

/// The listener of Meniscus's API, where one is configured.
pub(crate) fn meniscus(config: &Config) -> Option<(SocketAddr, MeniscusListener)> {
    let at: SocketAddr = config.settings.get("meniscus.listen")?.parse().ok()?;
    let open = config.settings.get("meniscus.open").map_or(at.ip().is_loopback(), |flag| flag == "true");
    Some((at, MeniscusListener { hosts: Hosts::of(at), open }))
}

/// The rule bases that are configured, by name.
pub(crate) fn rule_bases(sys: &Sys, config: &Config) -> Result<Normalizers> {
    match config.settings.get("rulebases") {
        Some(folder) => {
            lognorm::folder(sys, Path::new(folder)).map_err(|words| Error::msg(format!("rulebases: {words}")))
        }
        None => Ok(Normalizers::default()),
    }
}

/// The store's sizes, as configured.
pub(crate) fn store_options(config: &Config) -> Options {
    let mut options = Options::default();
    if let Some(bytes) = config.bytes("store.memory") {
        options = Options::of_memory(bytes);
    }
    if let Some(bytes) = config.bytes("store.memtable") {
        options.memtable_bytes = bytes as usize;
    }
    if let Some(bytes) = config.bytes("store.spill") {
        options.spill_bytes = bytes;
    }
    if let Some(age) = config.duration("store.retention") {
        options.retention = age;
    }
    options.most_bytes = config.bytes("store.size").unwrap_or(0);
    options.most_tenant_bytes = config.bytes("store.tenant_size").unwrap_or(0);
    options
}
