//! Options that Fluentd's listening sources share. Knows nothing of what they do.

use sawlog_pipeline::config::ElementReader;

/// An option of ours.
type Given = (&'static str, Vec<String>);

/// `listen`, of `bind` and `port`.
pub fn fluent_listen(reader: &mut ElementReader<'_>, default: u16) -> Given {
    let port = reader.number("port").unwrap_or(i64::from(default));
    if u16::try_from(port).is_err() {
        reader.wrong("port", &format!("`{port}` is no port"));
    }
    let address = match reader.text("bind").unwrap_or("0.0.0.0") {
        "localhost" => "127.0.0.1".to_owned(),
        "::" => "[::]".to_owned(),
        address if address.contains(':') && !address.starts_with('[') => format!("[{address}]"),
        address => address.to_owned(),
    };
    ("listen", vec![format!("{address}:{port}")])
}

/// The fields that say who sent.
pub fn fluent_peer(reader: &mut ElementReader<'_>) -> Vec<Given> {
    let hostname = reader.text("source_hostname_key").or(reader.text("source_host_key"));
    let address = reader.text("source_address_key");
    // As in Fluentd, a field for the name asks for names unless it is said otherwise.
    let resolve = reader.flag("resolve_hostname").unwrap_or(hostname.is_some());
    let keys = [("source_hostname_key", hostname), ("source_address_key", address)];
    let mut given: Vec<Given> =
        keys.into_iter().filter_map(|(name, key)| Some((name, vec![key?.to_owned()]))).collect();
    given.push(("resolve_hostname", vec![resolve.to_string()]));
    given
}

/// `<transport NAME>`: its name (`default` where there is none), and what it says of TLS.
pub fn fluent_transport(reader: &mut ElementReader<'_>, default: &str) -> (String, Vec<Given>) {
    let Some(transport) = reader.child("transport") else { return (default.to_owned(), Vec::new()) };
    let mut inner = reader.inside(transport);
    let mut given = Vec::new();
    let mut give = |name: &'static str, value: Option<&str>| {
        given.extend(value.map(|value| (name, vec![value.to_owned()])));
    };
    let name = inner.text("protocol").unwrap_or(&transport.argument).to_owned();
    give("tls_cert", inner.text("cert_path"));
    give("tls_key", inner.text("private_key_path"));
    let ca = inner.text("ca_path");
    if inner.flag("client_cert_auth").unwrap_or(false) {
        give("tls_client_ca", ca);
    }
    match inner.text("min_version").or(inner.text("version")) {
        None | Some("TLS1_2" | "TLSv1_2" | ":TLS1_2") => {}
        Some("TLS1_3" | "TLSv1_3" | ":TLS1_3") => give("tls_min_version", Some("1.3")),
        Some(other) => inner.wrong("min_version", &format!("`{other}`: there are TLS1_2 and TLS1_3")),
    }
    if inner.text("private_key_passphrase").is_some() {
        inner.wrong(
            "private_key_passphrase",
            "keys are read unencrypted; take the passphrase off with openssl",
        );
    }
    if name == "tls" && inner.text("cert_path").is_none() {
        inner.wrong(
            "cert_path",
            "TLS needs a certificate; none is made here: name `cert_path`, `private_key_path`",
        );
    }
    let kept = "ciphers, versions above the least and timeouts are those of the library";
    inner.without_effect(&["ciphers", "max_version", "linger_timeout", "insecure", "ca_cert_path"], kept);
    inner.finish();
    (name, given)
}
