//! TLS between both sides of this module, over certificates that are made for each test.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sawlog_sys::net::{TcpListener, TcpStream};
use sawlog_sys::{Open, Sys};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A CA and what it signed, as files: `ca.pem`, and for each name `NAME.pem` and `NAME.key`.
pub(crate) struct Certificates {
    dir: tempfile::TempDir,
    sys: Sys,
}

impl Certificates {
    /// A new CA, with certificates for these names.
    pub(crate) fn new(names: &[&str]) -> Self {
        let made = Certificates { dir: tempfile::tempdir().expect("a directory"), sys: Sys::real() };
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        made.write("ca.pem", &ca.pem());
        for name in names {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([(*name).to_owned()]).expect("parameters");
            let certificate = params.signed_by(&key, &ca).expect("a certificate");
            made.write(&format!("{name}.pem"), &certificate.pem());
            made.write(&format!("{name}.key"), &key.serialize_pem());
        }
        made
    }

    /// A file of that content.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        let file = self.sys.fs.open(&PathBuf::from(&path), Open::Create).expect("a file");
        file.write_at(text.as_bytes(), 0).expect("written");
        path
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }
}

fn options(given: &[(&str, &str)]) -> Options {
    let defaults = [("tls_min_version", "1.2"), ("tls_verify_hostname", "true")];
    let all = defaults.iter().chain(given);
    Options(all.map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect())
}

/// What both sides say of a connection with these options: the server's word and the client's.
async fn meet(server: &[(&str, &str)], client: &[(&str, &str)]) -> (Result<(), String>, Result<(), String>) {
    let sys = Sys::real();
    let acceptor = acceptor(&options(server), &sys).expect("options of the server").expect("TLS");
    let client: Vec<_> = [("tls", "true")].iter().chain(client).copied().collect();
    let connector = connector(&options(&client), &sys).expect("options of the client").expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut stream = accept(&acceptor, stream).await?;
        stream.write_all(b"hello").await.map_err(|error| error.to_string())?;
        stream.shutdown().await.map_err(|error| error.to_string())
    });
    let stream = TcpStream::connect(address).await.expect("it listens");
    let connected = async {
        let (mut read, _write) = connector.connect(stream, "localhost").await?.split();
        let mut word = String::new();
        read.read_to_string(&mut word).await.map_err(|error| error.to_string())?;
        if word == "hello" { Ok(()) } else { Err(format!("it said {word}")) }
    };
    let connected = connected.await;
    (served.await.expect("it ends"), connected)
}

/// Handlers of logging libraries write, and close without having read or said goodbye.
#[tokio::test]
async fn what_a_sender_wrote_before_it_closed_is_read() {
    let files = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (files.path("localhost.pem"), files.path("localhost.key"), files.path("ca.pem"));
    let sys = Sys::real();
    let server = options(&[("tls_cert", &cert), ("tls_key", &key)]);
    let acceptor = acceptor(&server, &sys).expect("options of the server").expect("TLS");
    let client = options(&[("tls", "true"), ("tls_ca", &ca)]);
    let connector = connector(&client, &sys).expect("options of the client").expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (accepted, is_accepted) = tokio::sync::oneshot::channel();
    let (closed, is_closed) = tokio::sync::oneshot::channel();
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut stream = accept(&acceptor, stream).await.expect("TLS");
        accepted.send(()).expect("the client is there");
        is_closed.await.expect("the client has closed");
        let mut bytes = Vec::new();
        // The end without a goodbye is told as an error.
        let _ = stream.read_to_end(&mut bytes).await;
        bytes.len()
    });
    let stream = TcpStream::connect(address).await.expect("it listens");
    let mut stream = connector.connect(stream, "localhost").await.expect("TLS");
    is_accepted.await.expect("the server has accepted");
    stream.write_all(&[b'x'; 50_000]).await.expect("written");
    stream.flush().await.expect("sent");
    drop(stream);
    closed.send(()).expect("the server waits");
    assert_eq!(served.await.expect("it ends"), 50_000);
}

#[tokio::test]
async fn the_name_the_authority_and_the_version_are_looked_at() {
    let (ours, others) = (Certificates::new(&["localhost", "else"]), Certificates::new(&["localhost"]));
    let (cert, key) = (ours.path("localhost.pem"), ours.path("localhost.key"));
    let server = [("tls_cert", cert.as_str()), ("tls_key", key.as_str())];
    let (ca, other_ca) = (ours.path("ca.pem"), others.path("ca.pem"));
    let right = [("tls_ca", ca.as_str())];
    assert_eq!(meet(&server, &right).await, (Ok(()), Ok(())));
    let unknown = meet(&server, &[("tls_ca", &other_ca)]).await.1.expect_err("another CA");
    assert!(unknown.contains("name its CA's file with `tls_ca`"), "{unknown}");
    assert_eq!(meet(&server, &[("tls_ca", &other_ca), ("tls_insecure", "true")]).await.1, Ok(()));

    let wrong = meet(&server, &[right[0], ("tls_server_name", "elsewhere")]).await.1.expect_err("a name");
    assert!(wrong.contains("not for elsewhere: set `tls_server_name`"), "{wrong}");
    let (cert, key) = (ours.path("else.pem"), ours.path("else.key"));
    let elsewhere = [("tls_cert", cert.as_str()), ("tls_key", key.as_str())];
    assert!(meet(&elsewhere, &right).await.1.is_err());
    assert_eq!(meet(&elsewhere, &[right[0], ("tls_server_name", "else")]).await.1, Ok(()));
    let any_name = [right[0], ("tls_verify_hostname", "false")];
    assert_eq!(meet(&elsewhere, &any_name).await.1, Ok(()));
    let no_ca = [("tls_ca", other_ca.as_str()), ("tls_verify_hostname", "false")];
    assert!(meet(&elsewhere, &no_ca).await.1.is_err(), "any name is not anybody");
}

#[tokio::test]
async fn what_is_older_than_the_least_version_is_refused() {
    let ours = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (ours.path("localhost.pem"), ours.path("localhost.key"), ours.path("ca.pem"));
    let server = [("tls_cert", cert.as_str()), ("tls_key", key.as_str())];
    let acceptor = |least| {
        let options = options(&[server[0], server[1], ("tls_min_version", least)]);
        acceptor(&options, &Sys::real()).expect("options").expect("TLS")
    };
    let client = |version| {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(version);
        let roots = Files(&Sys::real()).roots("tls_ca", &[&ca]).expect("a CA");
        let config = builder.expect("a version").with_root_certificates(roots).with_no_client_auth();
        Connector { connector: TlsConnector::from(Arc::new(config)), name: String::new() }
    };
    for (least, version, agreed) in [
        ("1.2", &[&TLS12], true),
        ("1.2", &[&TLS13], true),
        ("1.3", &[&TLS12], false),
        ("1.3", &[&TLS13], true),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let stream =
            TcpStream::connect(listener.local_addr().expect("an address")).await.expect("it listens");
        let (accepted, _) = listener.accept().await.expect("a client");
        let (acceptor, client) = (acceptor(least), client(version));
        let (server, _) = tokio::join!(accept(&acceptor, accepted), client.connect(stream, "localhost"));
        assert_eq!(server.is_ok(), agreed, "{least} {version:?}");
    }
    let unknown = connector(&options(&[("tls", "true"), ("tls_min_version", "1.1")]), &Sys::real());
    assert!(unknown.is_err());
}

#[tokio::test]
async fn a_server_may_want_certificates_of_clients() {
    let (ours, others) = (Certificates::new(&["localhost", "client"]), Certificates::new(&["client"]));
    let (cert, key, ca) = (ours.path("localhost.pem"), ours.path("localhost.key"), ours.path("ca.pem"));
    let server = [("tls_cert", cert.as_str()), ("tls_key", key.as_str()), ("tls_client_ca", ca.as_str())];
    let right = ("tls_ca", ca.as_str());
    assert!(meet(&server, &[right]).await.0.is_err(), "no certificate");
    let with = |from: &Certificates| (from.path("client.pem"), from.path("client.key"));
    let (cert, key) = with(&ours);
    assert_eq!(meet(&server, &[right, ("tls_cert", &cert), ("tls_key", &key)]).await, (Ok(()), Ok(())));
    let (cert, key) = with(&others);
    assert!(meet(&server, &[right, ("tls_cert", &cert), ("tls_key", &key)]).await.0.is_err(), "another CA's");
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name_and_a_remedy() {
    let made = Certificates::new(&["a", "b"]);
    let der = made.write("der.pem", "\u{1}\u{2}");
    let encrypted = made.write(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let (cert, key, other) = (made.path("a.pem"), made.path("a.key"), made.path("b.key"));
    let wrong = |given: &[(&str, &str)]| {
        acceptor(&options(given), &Sys::real()).err().unwrap_or_else(|| panic!("{given:?} is taken"))
    };
    let with_key = |path: &str| wrong(&[("tls_cert", &cert), ("tls_key", path)]);
    for (said, words) in [
        (wrong(&[("tls_cert", &cert)]), "needs `tls_key`"),
        (wrong(&[("tls_key", &key)]), "needs `tls_cert`"),
        (wrong(&[("tls_client_ca", &cert)]), "needs `tls_cert`"),
        (wrong(&[("tls_cert", "/not/there"), ("tls_key", &key)]), "cannot read /not/there"),
        (wrong(&[("tls_cert", &der), ("tls_key", &key)]), "it must be PEM"),
        (with_key(&encrypted), "encrypted.key is encrypted"),
        (with_key(&cert), "no private key in"),
        (with_key(&other), "is not that of the first certificate"),
        (
            wrong(&[("tls_cert", &cert), ("tls_key", &key), ("tls_min_version", "1.1")]),
            "there are 1.2 and 1.3",
        ),
        (wrong(&[("tls_cert", &cert), ("tls_key", &key), ("tls_client_ca", &key)]), "no certificate in"),
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert!(matches!(acceptor(&options(&[]), &Sys::real()), Ok(None)));
    assert!(matches!(connector(&options(&[("tls_ca", "/not/there")]), &Sys::real()), Ok(None)));
}
