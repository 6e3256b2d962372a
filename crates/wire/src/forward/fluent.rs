//! What Fluentd's and ik's configurations say of this protocol. Knows nothing of what the options do.

use sawlog_pipeline::config::{Element, ElementReader, FluentForm, Role, duration_text};

use super::notation::Entry;
use crate::shared::tls::fluent::{least_version, no_passphrase, transport};

/// Options of ours.
type Given = Vec<(&'static str, Vec<String>)>;

/// Where Fluentd's in_unix listens.
const UNIX_SOCKET: &str = "/var/run/fluent/fluent.sock";

/// Both sides.
pub(super) const FORMS: &[FluentForm] = &[
    FluentForm { role: Role::Source, names: &["forward"], read: source },
    FluentForm { role: Role::Source, names: &["unix"], read: unix_source },
    FluentForm { role: Role::Match, names: &["forward"], read: output },
];

/// Options that are the same with both.
fn texts(reader: &mut ElementReader<'_>, keys: &[(&'static str, &'static str)], given: &mut Given) {
    for (key, ours) in keys {
        given.extend(reader.text(key).map(|text| (*ours, vec![text.to_owned()])));
    }
}

fn flags(reader: &mut ElementReader<'_>, keys: &[(&'static str, &'static str)], given: &mut Given) {
    for (key, ours) in keys {
        given.extend(reader.flag(key).map(|flag| (*ours, vec![flag.to_string()])));
    }
}

fn times(reader: &mut ElementReader<'_>, keys: &[(&'static str, &'static str)], given: &mut Given) {
    for (key, ours) in keys {
        given.extend(reader.time(key).map(|time| (*ours, vec![duration_text(time)])));
    }
}

fn source(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    let port = reader.number("port").unwrap_or(24224);
    // `listen` is ik's name.
    let host = reader.text("bind").or(reader.text("listen")).unwrap_or("0.0.0.0");
    let host =
        if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    given.push(("listen", vec![format!("{host}:{port}")]));
    of_any_source(reader, &mut given);
    texts(
        reader,
        &[("source_address_key", "source_address_key"), ("source_hostname_key", "source_hostname_key")],
        &mut given,
    );
    let switches = [
        ("resolve_hostname", "resolve_hostname"),
        ("send_keepalive_packet", "send_keepalive_packet"),
        ("deny_keepalive", "deny_keepalive"),
        ("skip_invalid_event", "skip_invalid_event"),
    ];
    flags(reader, &switches, &mut given);
    times(reader, &[("linger_timeout", "linger_timeout")], &mut given);
    for key in ["chunk_size_limit", "chunk_size_warn_limit"] {
        given.extend(reader.size(key).map(|size| (key, vec![size.to_string()])));
    }
    reader.without_effect(&["blocking_timeout"], "connections wait without taking a thread");
    given.extend(transport(reader));
    if let Some(security) = reader.child("security") {
        server_security(reader.inside(security), &mut given);
    }
    given
}

fn unix_source(reader: &mut ElementReader<'_>) -> Given {
    let path = reader.text("path").unwrap_or(UNIX_SOCKET).to_owned();
    let mut given = vec![("unix", vec![path])];
    of_any_source(reader, &mut given);
    given
}

fn of_any_source(reader: &mut ElementReader<'_>, given: &mut Given) {
    texts(reader, &[("tag", "tag"), ("add_tag_prefix", "add_tag_prefix")], given);
    given.extend(reader.number("backlog").map(|backlog| ("backlog", vec![backlog.to_string()])));
}

/// `<security>` of a source.
fn server_security(mut inside: ElementReader<'_>, given: &mut Given) {
    inside.required("self_hostname");
    inside.required("shared_key");
    texts(&mut inside, &[("shared_key", "shared_key"), ("self_hostname", "self_hostname")], given);
    flags(&mut inside, &[("allow_anonymous_source", "allow_anonymous_source")], given);
    let asked = inside.flag("user_auth").unwrap_or(false);
    let mut users = Vec::new();
    for user in inside.children("user") {
        let mut one = inside.inside(user);
        users.push(format!("{}:{}", one.required("username"), one.required("password")));
        one.finish();
    }
    if asked && users.is_empty() {
        inside.wrong("user_auth", "there is no <user>: then nobody could send");
    }
    let mut clients = Vec::new();
    for client in inside.children("client") {
        let mut one = inside.inside(client);
        let (host, network) = (one.text("host"), one.text("network"));
        let users = one.list("users").unwrap_or_default();
        let name = match (host, network) {
            (Some(name), None) | (None, Some(name)) => name.to_owned(),
            _ => {
                one.wrong("host", "a <client> has either `host` or `network`");
                String::new()
            }
        };
        let named = Some(users.join(",")).filter(|users| asked && !users.is_empty());
        let entry = Entry::new(name);
        let entry = entry.with("shared_key", one.text("shared_key")).with("users", named.as_deref());
        clients.push(entry.text());
        one.finish();
    }
    if asked {
        given.push(("users", users));
    }
    if !clients.is_empty() {
        given.push(("clients", clients));
    }
    inside.finish();
}

fn output(reader: &mut ElementReader<'_>) -> Given {
    // Without acknowledgements rows can be lost; every forward server that is not ik gives them.
    let ack = reader.flag("require_ack_response").unwrap_or(true);
    let mut given = vec![("lane", vec!["false".to_owned()]), ("ack", vec![ack.to_string()])];
    given.push(("servers", servers(reader)));
    texts(reader, &[("compress", "compress"), ("tag", "tag")], &mut given);
    times(
        reader,
        &[
            ("send_timeout", "send_timeout"),
            ("connect_timeout", "connect_timeout"),
            ("ack_response_timeout", "ack_timeout"),
            ("recover_wait", "recover_wait"),
            ("heartbeat_interval", "heartbeat_interval"),
            ("hard_timeout", "hard_timeout"),
            ("keepalive_timeout", "keepalive_timeout"),
        ],
        &mut given,
    );
    flags(
        reader,
        &[
            ("dns_round_robin", "dns_round_robin"),
            ("verify_connection_at_startup", "verify_connection_at_startup"),
            ("time_as_integer", "time_as_integer"),
        ],
        &mut given,
    );
    texts(reader, &[("heartbeat_type", "heartbeat")], &mut given);
    client_tls(reader, &mut given);
    if let Some(security) = reader.child("security") {
        let mut inside = reader.inside(security);
        texts(&mut inside, &[("shared_key", "shared_key"), ("self_hostname", "self_hostname")], &mut given);
        inside.finish();
    }
    reader.without_effect(
        &["phi_failure_detector", "phi_threshold"],
        "a server is away when its connection is, or after `hard_timeout` without an answer to datagrams",
    );
    reader.without_effect(&["expire_dns_cache"], "names are asked for with each connection");
    reader.without_effect(&["ignore_network_errors_at_startup"], "it starts without a network");
    reader.without_effect(
        &["keepalive"],
        "connections are kept, for `keepalive_timeout` where that is given; receivers cannot tell",
    );
    reader.without_effect(&["slow_flush_log_threshold"], "the status shows how long acknowledgements take");
    given
}

/// The `<server>`s.
fn servers(reader: &mut ElementReader<'_>) -> Vec<String> {
    let elements: Vec<&Element> = reader.children("server").collect();
    let mut servers = Vec::new();
    for element in elements {
        let mut one = reader.inside(element);
        let (host, port) = (one.required("host"), one.number("port").unwrap_or(24224));
        let weight = one.number("weight").map(|weight| weight.to_string());
        let standby = one.flag("standby").map(|standby| standby.to_string());
        let mut entry = Entry::new(address(host, port));
        for key in ["name", "shared_key", "username", "password"] {
            entry = entry.with(key, one.text(key));
        }
        servers.push(entry.with("weight", weight.as_deref()).with("standby", standby.as_deref()).text());
        one.finish();
    }
    if servers.is_empty() {
        // v0.10 and ik.
        let (host, port) =
            (reader.text("host").unwrap_or("localhost"), reader.number("port").unwrap_or(24224));
        servers.push(Entry::new(address(host, port)).text());
    }
    servers
}

fn address(host: &str, port: i64) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// `transport tls` and `tls_…` of an output.
fn client_tls(reader: &mut ElementReader<'_>, given: &mut Given) {
    match reader.text("transport") {
        None | Some("tcp") => {}
        Some("tls") => given.push(("tls", vec!["true".to_owned()])),
        Some(other) => {
            reader.wrong("transport", &format!("there is no transport `{other}`: write tcp or tls"))
        }
    }
    let mut authorities = Vec::new();
    for key in ["tls_cert_path", "tls_ca_cert_path"] {
        authorities.extend(reader.list(key).unwrap_or_default());
    }
    if !authorities.is_empty() {
        given.push(("tls_ca", authorities));
    }
    texts(reader, &[("tls_client_cert_path", "tls_cert"), ("tls_client_private_key_path", "tls_key")], given);
    no_passphrase(reader, "tls_client_private_key_passphrase");
    flags(
        reader,
        &[("tls_insecure_mode", "tls_insecure"), ("tls_verify_hostname", "tls_verify_hostname")],
        given,
    );
    if reader.flag("tls_allow_self_signed_cert") == Some(true) {
        reader.wrong("tls_allow_self_signed_cert", "name the certificate itself with `tls_cert_path`");
    }
    least_version(reader, "tls_version", given);
    least_version(reader, "tls_min_version", given);
    reader.without_effect(&["tls_max_version"], "the newest version that both sides know is spoken");
    reader.without_effect(&["tls_ciphers"], "only safe ones are there");
    for key in ["tls_cert_thumbprint", "tls_cert_logical_store_name", "tls_cert_use_enterprise_store"] {
        if reader.text(key).is_some() {
            reader.wrong(
                key,
                "there is no certificate store of Windows here: write it to a file for `tls_cert_path`",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sawlog_pipeline::config::{Finding, Pair};

    use super::*;

    /// An element of `key value` lines, with what is in `<name argument>` to `</name>` inside it.
    fn element(lines: &mut std::str::Lines<'_>, name: &str, argument: &str) -> Element {
        let file = Arc::new("x.conf".into());
        let mut element =
            Element { name: name.into(), argument: argument.into(), file, ..Element::default() };
        while let Some(line) = lines.next().map(str::trim) {
            if line == format!("</{name}>") {
                break;
            }
            if let Some(head) = line.strip_prefix('<').and_then(|line| line.strip_suffix('>')) {
                let (name, argument) = head.split_once(' ').unwrap_or((head, ""));
                element.children.push(self::element(lines, name, argument));
            } else if let Some((key, value)) = line.split_once(' ') {
                let (key, value) = (key.to_owned(), value.to_owned());
                element.pairs.push(Pair { key, value, ..Pair::default() });
            }
        }
        element
    }

    fn read(role: Role, kind: &str, text: &str) -> (Given, Vec<Finding>) {
        let element = element(&mut text.lines(), "top", "");
        let form = FORMS.iter().find(|form| form.role == role && form.names.contains(&kind)).expect("a form");
        let mut findings = Vec::new();
        let mut reader = ElementReader::new(&element, &mut findings);
        let mut given = (form.read)(&mut reader);
        reader.finish();
        given.sort();
        (given, findings)
    }

    /// Options as `name=value,value` lines.
    fn shown(given: &Given) -> Vec<String> {
        given.iter().map(|(name, values)| format!("{name}={}", values.join(" | "))).collect()
    }

    #[test]
    fn every_option_of_a_source_has_its_meaning() {
        let text = "
            port 24225
            bind 10.0.0.1
            backlog 64
            tag t
            add_tag_prefix p
            linger_timeout 3
            resolve_hostname true
            deny_keepalive true
            send_keepalive_packet false
            chunk_size_limit 1m
            chunk_size_warn_limit 512k
            skip_invalid_event false
            source_address_key a
            source_hostname_key h
            <transport tls>
              cert_path /c.pem
              private_key_path /k.pem
              client_cert_auth true
              ca_path /ca.pem
              min_version TLS1_3
            </transport>
            <security>
              self_hostname me
              shared_key k
              user_auth true
              allow_anonymous_source false
              <user>
                username u
                password p:w
              </user>
              <client>
                host app.example
                users u
              </client>
              <client>
                network 10.0.0.0/8
                shared_key other&key
              </client>
            </security>";
        let (given, findings) = read(Role::Source, "forward", text);
        assert_eq!(findings, []);
        assert_eq!(
            shown(&given),
            [
                "add_tag_prefix=p",
                "allow_anonymous_source=false",
                "backlog=64",
                "chunk_size_limit=1048576",
                "chunk_size_warn_limit=524288",
                "clients=app.example?users=u | 10.0.0.0/8?shared_key=other%26key",
                "deny_keepalive=true",
                "linger_timeout=3s",
                "listen=10.0.0.1:24225",
                "resolve_hostname=true",
                "self_hostname=me",
                "send_keepalive_packet=false",
                "shared_key=k",
                "skip_invalid_event=false",
                "source_address_key=a",
                "source_hostname_key=h",
                "tag=t",
                "tls_cert=/c.pem",
                "tls_client_ca=/ca.pem",
                "tls_key=/k.pem",
                "tls_min_version=1.3",
                "users=u:p:w",
            ]
        );
        assert_eq!(shown(&read(Role::Source, "forward", "").0), ["listen=0.0.0.0:24224"]);
        let (given, findings) = read(Role::Source, "unix", "path /x.sock\nbacklog 3\ntag t");
        assert_eq!(
            (shown(&given), findings),
            (vec!["backlog=3".into(), "tag=t".into(), "unix=/x.sock".into()], vec![])
        );
        assert_eq!(shown(&read(Role::Source, "unix", "").0), [format!("unix={UNIX_SOCKET}")]);
    }

    #[test]
    fn every_option_of_an_output_has_its_meaning() {
        let text = "
            require_ack_response true
            ack_response_timeout 190s
            send_timeout 60
            connect_timeout 5
            recover_wait 10s
            heartbeat_type udp
            heartbeat_interval 2s
            hard_timeout 30s
            compress gzip
            time_as_integer true
            keepalive_timeout 1m
            dns_round_robin true
            verify_connection_at_startup true
            transport tls
            tls_cert_path /a.pem,/b.pem
            tls_client_cert_path /c.pem
            tls_client_private_key_path /k.pem
            tls_insecure_mode false
            tls_verify_hostname false
            tls_version TLSv1_2
            <server>
              host 10.0.0.1
              name one
              port 24225
              weight 20
              shared_key s
              username u
              password a=b
            </server>
            <server>
              host ::1
              standby true
            </server>
            <security>
              self_hostname me
              shared_key k
            </security>";
        let (given, findings) = read(Role::Match, "forward", text);
        assert_eq!(findings, []);
        assert_eq!(
            shown(&given),
            [
                "ack=true",
                "ack_timeout=190s",
                "compress=gzip",
                "connect_timeout=5s",
                "dns_round_robin=true",
                "hard_timeout=30s",
                "heartbeat=udp",
                "heartbeat_interval=2s",
                "keepalive_timeout=1m",
                "lane=false",
                "recover_wait=10s",
                "self_hostname=me",
                "send_timeout=1m",
                "servers=10.0.0.1:24225?name=one&shared_key=s&username=u&password=a%3Db&weight=20 | [::1]:24224?standby=true",
                "shared_key=k",
                "time_as_integer=true",
                "tls=true",
                "tls_ca=/a.pem | /b.pem",
                "tls_cert=/c.pem",
                "tls_insecure=false",
                "tls_key=/k.pem",
                "tls_min_version=1.2",
                "tls_verify_hostname=false",
                "verify_connection_at_startup=true",
            ]
        );
        let ik = read(Role::Match, "forward", "host h\nport 1").0;
        assert_eq!(shown(&ik), ["ack=true", "lane=false", "servers=h:1"]);
        let defaults = read(Role::Match, "forward", "require_ack_response false").0;
        assert_eq!(shown(&defaults), ["ack=false", "lane=false", "servers=localhost:24224"]);
    }

    #[test]
    fn what_cannot_be_is_told_and_what_has_no_effect_is_noted() {
        let wrong = |role, text: &str| {
            let (_, findings) = read(role, "forward", text);
            assert_eq!(findings.iter().filter(|finding| !finding.note).count(), 1, "{text}: {findings:?}");
            findings.into_iter().find(|finding| !finding.note).expect("a finding").message
        };
        let tls = "<transport tls>\ncert_path /c\nprivate_key_path /k\n";
        for (text, words) in [
            (format!("{tls}private_key_passphrase x\n</transport>"), "openssl pkey"),
            (format!("{tls}client_cert_auth true\n</transport>"), "ca_path"),
            (format!("{tls}version TLS1_1\n</transport>"), "TLS1_2 or TLS1_3"),
            (format!("{tls}ca_private_key_path /x\n</transport>"), "make one with that CA"),
            (format!("{tls}insecure true\n</transport>"), "proves nothing"),
            ("<transport tls>\n</transport>".to_owned(), "needs `cert_path`"),
            ("<transport udp>\n</transport>".to_owned(), "no transport `udp`"),
            ("<security>\nself_hostname a\n</security>".to_owned(), "needs `shared_key`"),
            (
                "<security>\nself_hostname a\nshared_key k\nuser_auth true\n</security>".to_owned(),
                "no <user>",
            ),
            (
                "<security>\nself_hostname a\nshared_key k\n<client>\nshared_key x\n</client>\n</security>"
                    .to_owned(),
                "either `host` or `network`",
            ),
            ("prot 1".to_owned(), "`prot`"),
        ] {
            let said = wrong(Role::Source, &text);
            assert!(said.contains(words), "{text}: {said}");
        }
        for (text, words) in [
            ("transport udp", "no transport"),
            ("tls_allow_self_signed_cert true", "tls_cert_path"),
            ("tls_client_private_key_passphrase x", "openssl pkey"),
            ("tls_cert_thumbprint x", "Windows"),
            ("<server>\nport 1\n</server>", "needs `host`"),
        ] {
            let said = wrong(Role::Match, text);
            assert!(said.contains(words), "{text}: {said}");
        }
        let silent = "phi_threshold 16\nphi_failure_detector true\nexpire_dns_cache 5\nkeepalive true\n\
                      ignore_network_errors_at_startup true\nslow_flush_log_threshold 1\ntls_ciphers x";
        let (_, findings) = read(Role::Match, "forward", silent);
        assert_eq!(findings.iter().filter(|finding| finding.note).count(), 7);
        assert!(findings.iter().all(|finding| finding.note), "{findings:?}");
    }
}
