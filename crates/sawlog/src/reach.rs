//! How a command reaches the data: a node that runs on the directory is asked over HTTP; where none runs, the directory is
//! read. A running node leaves `node.json` there with its address.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sawlog_sys::{Open, Sys};
use sawlog_wire::shared::tls;
use serde_json::{Value, json};
use ureq::RequestBuilder;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsConfigBuilder};

use crate::cmd::DataArg;

/// A running node.
pub(crate) struct Client {
    base: String,
    agent: ureq::Agent,
    token: String,
    /// For whom it asks; the node as a whole where it is none.
    tenant: Option<String>,
}

/// For whom commands ask: the tenant that the environment names.
pub(crate) fn tenant() -> Option<String> {
    std::env::var("SAWLOG_TENANT").ok().filter(|name| !name.is_empty())
}

/// The file by which a running node is found.
fn address_file(data: &Path) -> PathBuf {
    data.join("node.json")
}

/// Leaves the node's address in its directory, and the token with which commands of the same user ask it.
pub(crate) fn announce(sys: &Sys, data: &Path, http: &str, token: &str) -> Result<()> {
    let text = json!({ "http": http, "pid": std::process::id(), "token": token }).to_string();
    leave(sys, &address_file(data), text.as_bytes())
}

/// Writes a file that only its own user can read.
fn leave(sys: &Sys, path: &Path, bytes: &[u8]) -> Result<()> {
    let written = || {
        let file = sys.fs.open(path, Open::Create)?;
        sys.fs.set_mode(path, 0o600)?;
        file.set_len(0)?;
        file.write_at(bytes, 0)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}

/// Takes the address back, at the end of a run.
pub(crate) fn retract(sys: &Sys, data: &Path) {
    // A file that stays behind is harmless: nobody answers at its address.
    let _ = sys.fs.unlink(&address_file(data));
}

/// The node that the command names, else the one that runs on its directory, if one answers.
///
/// # Errors
/// Where one is named that does not answer.
pub(crate) fn running(sys: &Sys, at: &DataArg) -> Result<Option<Client>> {
    if let Some(base) = &at.node {
        let token = std::env::var("SAWLOG_TOKEN").unwrap_or_default();
        let client = Client::new(base.trim_end_matches('/'), &token, roots(sys, base, at.ca.as_deref())?);
        client.get("/healthz", &[])?;
        return Ok(Some(client));
    }
    Ok(here(sys, &at.data))
}

/// The node that runs on a directory.
fn here(sys: &Sys, data: &Path) -> Option<Client> {
    let text = sys.fs.read(&address_file(data)).ok()?;
    let said: Value = serde_json::from_slice(&text).ok()?;
    // It is this machine, and the token holds for no longer than the node runs: who else could take its port has no use for
    // that. Its certificate need not be for an address of this machine.
    let trust = TlsConfig::builder().disable_verification(true);
    let client = Client::new(said["http"].as_str()?, said["token"].as_str().unwrap_or_default(), trust);
    client.get("/healthz", &[]).ok()?;
    Some(client)
}

/// Whose certificates are believed: of the CA's in a file, else of the system's.
fn roots(sys: &Sys, base: &str, ca: Option<&Path>) -> Result<TlsConfigBuilder> {
    let config = TlsConfig::builder();
    if !base.starts_with("https://") {
        return Ok(config);
    }
    let none = "the system has no file of CAs that it believes; name your CA's with --ca";
    let path = ca.map(Path::to_owned).or_else(|| tls::system_ca(sys).map(PathBuf::from)).context(none)?;
    let bytes = sys.fs.read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = ureq::tls::parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        bail!("no certificate in {}: it must be PEM, with -----BEGIN CERTIFICATE-----", path.display());
    }
    Ok(config.root_certs(RootCerts::Specific(Arc::new(found))))
}

/// The node that the command names, else the one that runs on its directory.
///
/// # Errors
/// Where none answers, with how to start one.
pub(crate) fn need_running(sys: &Sys, at: &DataArg) -> Result<Client> {
    running(sys, at)?.with_context(|| {
        format!("no node runs on {0}; start one with `sawlog run --data {0}`", at.data.display())
    })
}

impl Client {
    fn new(base: &str, token: &str, trust: TlsConfigBuilder) -> Self {
        let trust = trust.unversioned_rustls_crypto_provider(tls::provider());
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(2)))
            .tls_config(trust.build())
            .http_status_as_error(false)
            .build();
        Client { base: base.to_owned(), agent: config.into(), token: token.to_owned(), tenant: tenant() }
    }

    /// The same, asking for a tenant.
    pub(crate) fn of(self, tenant: &str) -> Self {
        Client { tenant: Some(tenant.to_owned()), ..self }
    }

    /// A request with its credential and parameters.
    fn with<B>(&self, mut request: RequestBuilder<B>, query: &[(&str, String)]) -> RequestBuilder<B> {
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(tenant) = &self.tenant {
            request = request.header("x-sawlog-tenant", tenant);
        }
        query.iter().fold(request, |request, (name, value)| request.query(*name, value))
    }

    /// Lines of the answer to a GET, as they come.
    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<impl BufRead + use<>> {
        let request = self.with(self.agent.get(format!("{}{path}", self.base)), query);
        answer(request.call().with_context(|| format!("{} does not answer", self.base))?)
    }

    /// Lines of the answer to a POST with this body, which is JSON where it is not empty.
    pub(crate) fn post_body(
        &self,
        path: &str,
        query: &[(&str, String)],
        body: &str,
    ) -> Result<impl BufRead + use<>> {
        let mut request = self.with(self.agent.post(format!("{}{path}", self.base)), query);
        if !body.is_empty() {
            request = request.content_type("application/json");
        }
        answer(request.send(body).with_context(|| format!("{} does not answer", self.base))?)
    }

    /// Lines of the answer to a POST without a body.
    pub(crate) fn post(&self, path: &str, query: &[(&str, String)]) -> Result<impl BufRead + use<>> {
        let request = self.with(self.agent.post(format!("{}{path}", self.base)), query);
        answer(request.send_empty().with_context(|| format!("{} does not answer", self.base))?)
    }
}

/// The body of a good answer; of a bad one its error, in the words of the node.
fn answer(mut response: ureq::http::Response<ureq::Body>) -> Result<BufReader<impl std::io::Read>> {
    if response.status().is_success() {
        return Ok(BufReader::with_capacity(64 * 1024, response.into_body().into_reader()));
    }
    let text = response.body_mut().read_to_string().unwrap_or_default();
    let said: Value = serde_json::from_str(&text).unwrap_or_default();
    match said["error"].as_str() {
        Some(error) => bail!("{error}"),
        None => bail!("the node answered {}", response.status()),
    }
}
