//! What Fluentd's configurations say of TLS: `<transport tls>` of sources. Knows nothing of protocols.

use sawlog_pipeline::config::ElementReader;

/// Options of ours.
type Given = Vec<(&'static str, Vec<String>)>;

/// Versions as Fluentd writes them, and as `tls_min_version` does; empty for those that are not spoken.
const VERSIONS: &[(&str, &str)] = &[
    ("TLS1_3", "1.3"),
    ("TLSv1_3", "1.3"),
    ("TLS1_2", "1.2"),
    ("TLSv1_2", "1.2"),
    ("TLS1_1", ""),
    ("TLSv1_1", ""),
];

/// Reads a version of TLS that is the least one.
pub(crate) fn least_version(reader: &mut ElementReader<'_>, key: &'static str, given: &mut Given) {
    let Some(text) = reader.text(key) else { return };
    match VERSIONS.iter().find(|(name, _)| *name == text) {
        Some((_, "")) => {
            reader.wrong(key, "TLS before 1.2 is not safe and not spoken: write TLS1_2 or TLS1_3")
        }
        Some((_, ours)) => given.push(("tls_min_version", vec![(*ours).to_owned()])),
        None => reader.wrong(key, &format!("`{text}` is no version: write TLS1_2 or TLS1_3")),
    }
}

/// Refuses a passphrase: nobody could type it in.
pub(crate) fn no_passphrase(reader: &mut ElementReader<'_>, key: &'static str) {
    if reader.text(key).is_some_and(|text| !text.is_empty()) {
        reader.wrong(
            key,
            "keys that are encrypted are not read: decrypt it with `openssl pkey -in KEY -out NEW`, keep that readable \
             for this user only, and leave the passphrase out",
        );
    }
}

/// Reads the `<transport>` of a source, and gives the options of [`super::acceptor`].
pub(crate) fn transport(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    let Some(element) = reader.child("transport") else { return given };
    let mut inside = reader.inside(element);
    let protocol = match element.argument.as_str() {
        "" => inside.text("protocol").unwrap_or("tcp"),
        argument => argument,
    };
    let tls = protocol == "tls";
    if !tls && protocol != "tcp" {
        inside.wrong("protocol", &format!("there is no transport `{protocol}` here: write tcp or tls"));
    }
    let (cert, key) = (inside.text("cert_path"), inside.text("private_key_path"));
    let (ca, wanted) = (inside.text("ca_path"), inside.flag("client_cert_auth").unwrap_or(false));
    no_passphrase(&mut inside, "private_key_passphrase");
    least_version(&mut inside, "version", &mut given);
    least_version(&mut inside, "min_version", &mut given);
    inside.without_effect(&["max_version"], "the newest version that both sides know is spoken");
    inside.without_effect(&["ciphers"], "only safe ones are there");
    if inside.flag("insecure") == Some(true) {
        inside.wrong(
            "insecure",
            "a certificate made up at the start proves nothing: name one with `cert_path`",
        );
    }
    for made_up in ["ca_cert_path", "ca_private_key_path", "ca_private_key_passphrase"] {
        if inside.text(made_up).is_some() {
            let what = "certificates are not made here: make one with that CA and name it with `cert_path`";
            inside.wrong(made_up, what);
        }
    }
    if tls && (cert.is_none() || key.is_none()) {
        inside.wrong("cert_path", "TLS needs `cert_path` and `private_key_path`");
    }
    if wanted && ca.is_none() {
        inside.wrong("client_cert_auth", "name the CA of the clients with `ca_path`");
    }
    inside.finish();
    if tls {
        let mut push =
            |ours, text: Option<&str>| given.extend(text.map(|text| (ours, vec![text.to_owned()])));
        push("tls_cert", cert);
        push("tls_key", key);
        push("tls_client_ca", ca.filter(|_| wanted));
    }
    given
}
