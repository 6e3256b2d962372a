//! HTTP over TLS: the listeners, certificates that change, commands that ask from elsewhere, and messages that go over nothing else.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use crate::node::{Node, output, sawlog, succeed};

/// A certificate for this machine, its own CA, as `NAME.pem` and `NAME.key`; its paths.
fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

/// One who believes certificates of this file and no other.
fn believer(ca: &Path) -> ureq::Agent {
    let pem = std::fs::read(ca).unwrap();
    let roots = ureq::tls::parse_pem(&pem).map(|item| match item.unwrap() {
        PemItem::Certificate(certificate) => certificate,
        _ => panic!("more than certificates"),
    });
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(sawlog_wire::shared::tls::provider());
    // A connection that is kept would hide which certificate is shown now.
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_idle_connections(0)
        .tls_config(tls.build())
        .build()
        .into()
}

/// What a GET of this address gives.
fn get(agent: &ureq::Agent, address: &str) -> Result<(u16, String), ureq::Error> {
    let mut response = agent.get(address).call()?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

fn text(command: &mut Command) -> String {
    String::from_utf8(succeed(command)).unwrap().trim_end().to_owned()
}

#[test]
fn http_is_spoken_over_tls_with_the_certificate_of_the_day() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let (cert, key) = certificate(folder.path(), "node");
    let table = format!("[http]\ntls_cert = \"{}\"\ntls_key = \"{}\"\n", cert.display(), key.display());
    std::fs::write(&config, format!("tenants = \"acme\"\n{table}")).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    assert!(node.http.starts_with("https://"), "{}", node.http);
    let trusting = believer(&cert);
    let health = format!("{}/healthz", node.http);
    assert_eq!(get(&trusting, &health).unwrap(), (200, "ok\n".to_owned()));
    let plain = get(&trusting, &health.replace("https:", "http:"));
    assert!(plain.is_err(), "nothing is said without TLS: {plain:?}");

    // Commands: on the node's machine by its directory, from elsewhere by address, CA and token.
    let token =
        text(sawlog().args(["token", "add", "--tenant", "acme", "--role", "admin", "--data"]).arg(&data));
    let elsewhere = |ca: &Path, token: &str| {
        let mut command = sawlog();
        command.args(["token", "list", "--tenant", "acme", "--node", &node.http, "--ca"]).arg(ca);
        command.env("SAWLOG_TOKEN", token);
        command
    };
    assert!(text(&mut elsewhere(&cert, &token)).contains("admin"));
    assert!(!output(&mut elsewhere(&cert, "sawlog_1_2")).status.success());
    let (other, other_key) = certificate(folder.path(), "other");
    let refused = output(&mut elsewhere(&other, &token));
    assert!(!refused.status.success(), "another CA's");
    let said =
        output(sawlog().args(["export", "--format", "jsonl", "--node", &node.http, "--ca"]).arg(&cert));
    assert!(String::from_utf8_lossy(&said.stderr).contains("needs the directory"));

    // Another certificate in the same files, and the configuration is read again.
    std::fs::copy(&cert, folder.path().join("before.pem")).unwrap();
    std::fs::copy(&other, &cert).unwrap();
    std::fs::copy(&other_key, &key).unwrap();
    assert!(get(&trusting, &health).is_ok(), "until then it is the one before");
    text(sawlog().args(["reload", "--data"]).arg(&data));
    assert!(get(&trusting, &health).is_err(), "which is shown no more");
    assert!(get(&believer(&other), &health).is_ok());
    std::fs::write(&key, "no key").unwrap();
    let refused = output(sawlog().args(["reload", "--data"]).arg(&data));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no private key"), "{refused:?}");
    assert!(get(&believer(&other), &health).is_ok(), "what cannot be used changes nothing");
    node.shut_down();
}

/// A producer, and the status of a message of its program.
fn publish(agent: &ureq::Agent, base: &str, token: &str, words: &str) -> (u16, String) {
    let message = json!({ "log_message": { "host": "h", "pname": "vault", "time": "2026-03-19T18:16:48Z", "msg": words } });
    let request = agent.post(format!("{base}/v1/acme/publish")).header("MESSAGE-TOKEN", token);
    let mut sent = request.content_type("application/json").send(message.to_string()).unwrap();
    (sent.status().as_u16(), sent.body_mut().read_to_string().unwrap_or_default())
}

#[test]
fn encrypted_messages_come_and_go_over_tls_only() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path(), "node");
    let pair = format!("tls_cert = \"{}\"\ntls_key = \"{}\"\n", cert.display(), key.display());
    // Two nodes that rows are sent to: one takes them over TLS, the other as they are.
    let receiver = |name: &str, tls: &str| {
        let config = folder.path().join(format!("{name}.toml"));
        std::fs::write(
            &config,
            format!("[[input]]\ntype = \"forward\"\nid = \"in\"\nlisten = \"127.0.0.1:0\"\n{tls}"),
        )
        .unwrap();
        let mut command = sawlog();
        command.args(["run", "--http", "127.0.0.1:0", "--config"]).arg(&config).arg("--data");
        command.arg(folder.path().join(name));
        Node::launch(&mut command, &folder.path().join(name))
    };
    let (over_tls, plain) = (receiver("over-tls", &pair), receiver("plain", ""));
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let sinks = format!(
        "[[output]]\ntype = \"forward\"\nid = \"safe\"\nto = \"localhost:{}\"\ntls = true\ntls_ca = [\"{}\"]\n\
         [[output]]\ntype = \"forward\"\nid = \"open\"\nto = \"127.0.0.1:{}\"\n",
        over_tls.port("in"),
        cert.display(),
        plain.port("in")
    );
    let listeners = format!("[http]\n{pair}[meniscus]\nlisten = \"127.0.0.1:0\"\n");
    std::fs::write(&config, format!("tenants = \"acme\"\n{listeners}{sinks}")).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let open =
        node.ready.split_whitespace().find_map(|word| word.strip_prefix("meniscus=")).unwrap().to_owned();
    let agent = believer(&cert);
    let tell = |path: &str, body: &str| {
        let sent = agent.post(format!("{open}{path}")).content_type("application/json").send(body).unwrap();
        assert!(sent.status().is_success(), "{path}");
    };
    tell(
        "/v1/acme/producers",
        "{\"event_producer\":{\"name\":\"vault\",\"pattern\":\"vault\",\"encrypted\":true}}",
    );
    let (_, said) = get(&agent, &format!("{open}/v1/acme/token")).unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    let token = said["token"]["valid"].as_str().unwrap();
    let (status, said) = publish(&agent, &open, token, "in the open");
    assert!(
        status == 403 && said.contains("Event producer vault takes messages over TLS only"),
        "{status} {said}"
    );
    assert_eq!(publish(&agent, &node.http, token, "under seal").0, 204);

    over_tls.wait_for("seal", 1);
    let found =
        text(sawlog().env("SAWLOG_TENANT", "acme").args(["search", "msg:*", "--json", "--data"]).arg(&data));
    assert!(found.contains("under seal") && !found.contains("in the open"), "{found}");
    let start = Instant::now();
    let letters = loop {
        let letters = text(sawlog().args(["dead", "list", "--json", "--data"]).arg(&data));
        if !letters.is_empty() || start.elapsed() > Duration::from_secs(30) {
            break letters;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let letter: Value = serde_json::from_str(&letters).unwrap();
    assert_eq!(
        (&letter["output"], &letter["why"], &letter["records"]),
        (&"open".into(), &"refused".into(), &1.into())
    );
    assert!(letter["reason"].as_str().unwrap().contains("these rows go over TLS only"), "{letter}");
    assert_eq!(plain.search("seal").len(), 0);
    for node in [node, over_tls, plain] {
        node.shut_down();
    }
}
