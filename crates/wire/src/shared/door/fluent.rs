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
