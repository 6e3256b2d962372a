//! TLS for listeners and connections of any protocol: its options, and the way from files to a configuration, with words
//! for what is wrong with a file. Knows nothing of what is said over a connection.

mod files;
pub(crate) mod fluent;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use sawlog_pipeline::{Opt, OptKind, Options};
use sawlog_sys::Sys;
use sawlog_sys::net::TcpStream;
pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, Error, RootCertStore, ServerConfig, SupportedProtocolVersion,
};

use self::files::Files;
use super::stream::Stream;

/// File of the own certificate.
pub const CERT: Opt = Opt {
    name: "tls_cert",
    kind: OptKind::Text,
    default: "",
    help: "PEM file of the own certificate and those between it and its CA. An input that has one speaks TLS only.",
};
/// File of its key.
pub const KEY: Opt = Opt {
    name: "tls_key",
    kind: OptKind::Text,
    default: "",
    help: "PEM file of that certificate's private key, not encrypted.",
};
/// Inputs: whose certificates senders must have.
pub const CLIENT_CA: Opt = Opt {
    name: "tls_client_ca",
    kind: OptKind::Text,
    default: "",
    help: "Input: PEM file of the CAs; a sender must show a certificate of one of them.",
};
/// Least version.
pub const MIN_VERSION: Opt =
    Opt { name: "tls_min_version", kind: OptKind::Text, default: "1.2", help: "`1.2` or `1.3`." };
/// Outputs: whether to speak TLS.
pub const ON: Opt = Opt { name: "tls", kind: OptKind::Bool, default: "false", help: "Output: speak TLS." };
/// Outputs: whose certificates are believed.
pub const CA: Opt = Opt {
    name: "tls_ca",
    kind: OptKind::List,
    default: "",
    help: "Output: PEM files of the CAs that are believed; without, those of the system.",
};
/// Outputs: believe any certificate.
pub const INSECURE: Opt = Opt {
    name: "tls_insecure",
    kind: OptKind::Bool,
    default: "false",
    help: "Output: believe any certificate. Whoever stands between can then read and change everything.",
};
/// Outputs: whether the name in the certificate must be right.
pub const VERIFY_HOSTNAME: Opt = Opt {
    name: "tls_verify_hostname",
    kind: OptKind::Bool,
    default: "true",
    help: "Output: the certificate must be for the name that is connected to.",
};
/// Outputs: that name, where it is another one.
pub const SERVER_NAME: Opt = Opt {
    name: "tls_server_name",
    kind: OptKind::Text,
    default: "",
    help: "Output: name that is asked for (SNI) and must stand in the certificate; without, the host of the address.",
};
/// What one who connects may be told, of those above.
pub const CLIENT: &[Opt] = &[CERT, KEY, MIN_VERSION, CA, INSECURE, VERIFY_HOSTNAME, SERVER_NAME];

/// Where a system keeps the certificates that it believes.
const SYSTEM_CA: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The cryptography that everything here is done with.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn versions(options: &Options) -> Result<&'static [&'static SupportedProtocolVersion], String> {
    static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];
    match options.text("tls_min_version") {
        "" | "1.2" => Ok(&FROM_12),
        "1.3" => Ok(&FROM_12[1..]),
        other => {
            Err(format!("`tls_min_version = {other}`: there are 1.2 and 1.3; what is older is not safe"))
        }
    }
}

/// What a listener speaks; `None` where its options name no certificate.
///
/// # Errors
/// In words, with the file and the remedy.
pub fn acceptor(options: &Options, sys: &Sys) -> Result<Option<TlsAcceptor>, String> {
    let files = Files(sys);
    let client_ca = options.text("tls_client_ca");
    let Some((chain, key)) = files.identity(options)? else {
        let lone = "`tls_client_ca` needs `tls_cert` and `tls_key`: only TLS asks for certificates";
        return if client_ca.is_empty() { Ok(None) } else { Err(lone.to_owned()) };
    };
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions(options)?);
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = if client_ca.is_empty() {
        builder.with_no_client_auth()
    } else {
        let roots = files.roots("tls_client_ca", &[client_ca])?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
        builder.with_client_cert_verifier(verifier.map_err(|error| format!("{client_ca}: {error}"))?)
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| files::misfit(options, &error))?;
    // A sender that only writes never reads tickets. Where they lie unread when it closes, its system resets the connection,
    // and what was not yet read here is gone.
    config.send_tls13_tickets = 0;
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// How a client speaks TLS; cheap to clone.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
    name: String,
}

/// What a client speaks; `None` where its options do not ask for TLS.
///
/// # Errors
/// In words, with the file and the remedy.
pub fn connector(options: &Options, sys: &Sys) -> Result<Option<Connector>, String> {
    if !options.flag("tls") {
        return Ok(None);
    }
    let files = Files(sys);
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions(options)?);
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = if options.flag("tls_insecure") {
        let verifier = Arc::new(verify::Anybody(provider()));
        builder.dangerous().with_custom_certificate_verifier(verifier)
    } else {
        let given: Vec<&str> =
            options.list("tls_ca").iter().map(String::as_str).filter(|file| !file.is_empty()).collect();
        let roots = if given.is_empty() { system_roots(&files)? } else { files.roots("tls_ca", &given)? };
        if options.flag("tls_verify_hostname") {
            builder.with_root_certificates(roots)
        } else {
            let verifier = verify::AnyName::new(roots, provider())?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let config = match files.identity(options)? {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(chain, key).map_err(|error| files::misfit(options, &error))?
        }
    };
    let name = options.text("tls_server_name").to_owned();
    Ok(Some(Connector { connector: TlsConnector::from(Arc::new(config)), name }))
}

/// Where this system keeps the certificates that it believes.
pub fn system_ca(sys: &Sys) -> Option<&'static str> {
    SYSTEM_CA.iter().find(|path| Files(sys).exists(path)).copied()
}

fn system_roots(files: &Files<'_>) -> Result<RootCertStore, String> {
    let found = system_ca(files.0);
    let none = || format!("none of {} is there: name your CA's file with `tls_ca`", SYSTEM_CA.join(", "));
    files.roots("tls_ca", &[found.ok_or_else(none)?])
}

impl Connector {
    /// Speaks TLS over a connection to `host`, or to the name that the options give.
    ///
    /// # Errors
    /// In words, with the remedy.
    pub async fn connect(&self, stream: TcpStream, host: &str) -> Result<Stream, String> {
        let name = if self.name.is_empty() { host } else { &self.name };
        let server = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("`{name}` can be no name in a certificate: set `tls_server_name`"))?;
        let connected = self.connector.connect(server, stream).await;
        let stream = connected.map_err(|error| reason(&error, name))?;
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

/// Speaks TLS over a connection that was accepted.
///
/// # Errors
/// In words.
pub async fn accept(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<Stream, String> {
    let accepted = acceptor.accept(stream).await;
    let stream = accepted.map_err(|error| format!("TLS: {error}"))?;
    Ok(Stream::Tls(Box::new(stream.into())))
}

/// Why a connection to `name` failed, with what would do.
fn reason(error: &std::io::Error, name: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        // The signature of another CA of the same name is a bad one.
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            format!(
                "TLS: no CA that is believed has signed the certificate of {name}: name its CA's file with `tls_ca`"
            )
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            format!(
                "TLS: the certificate is not for {name}: set `tls_server_name`, or `tls_verify_hostname = false`"
            )
        }
        Some(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => {
            format!("TLS: the certificate of {name} has expired: renew it there")
        }
        Some(Error::InvalidMessage(_)) => format!("TLS: {name} does not answer in TLS: set `tls = false`?"),
        _ => format!("TLS: {error}"),
    }
}
