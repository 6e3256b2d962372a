//! A node with one input that listens, and its senders. Knows nothing of protocols.

use sawlog_model::Limits;
use sawlog_pipeline::config::ElementReader;
use sawlog_pipeline::{Protocol, Tapped, config};
use sawlog_sys::net;
use tokio::io::AsyncWriteExt;

use crate::testing::{Bench, Two, element};

/// A node with one input that listens.
pub struct Listening {
    /// Where it listens, where that is an address.
    pub address: std::net::SocketAddr,
    bench: Bench,
    tap: std::sync::Mutex<sawlog_pipeline::Tap>,
    running: Option<sawlog_pipeline::Running>,
}

impl std::ops::Deref for Listening {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Listening {
    /// An input of `protocol` on a free port, with these options.
    pub fn start(protocol: &Protocol, given: &[(&str, &str)]) -> Listening {
        let mut options = vec![("listen", vec!["127.0.0.1:0".to_owned()])];
        options.extend(given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
        let known = |name: &str| protocol.options.iter().any(|opt| opt.name == name);
        options.retain(|(name, _)| *name != "listen" || known("listen"));
        Listening::with(protocol, &options)
    }

    /// An input of `protocol` with these options.
    pub fn with(protocol: &Protocol, given: &[(&str, Vec<String>)]) -> Listening {
        Listening::on(Bench::start(Limits::default()), protocol, given)
    }

    /// An input of `protocol` with these options, on a free port of a node that has tenants.
    pub fn with_tenants(protocol: &Protocol, given: &[(&str, &str)]) -> Listening {
        let mut bench = Bench::start(Limits::default());
        bench.env.access =
            std::sync::Arc::new(sawlog_model::For::named(std::sync::Arc::new(Two), "").expect("it is there"));
        let mut options = vec![("listen", vec!["127.0.0.1:0".to_owned()])];
        options.extend(given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
        Listening::on(bench, protocol, &options)
    }

    fn on(bench: Bench, protocol: &Protocol, given: &[(&str, Vec<String>)]) -> Listening {
        let options = config::options(protocol, given).expect("options");
        let tap = std::sync::Mutex::new(bench.pipeline.subscribe());
        let input = protocol.input.expect("an input")(&options).expect("an input");
        let running =
            input.start(bench.pipeline.intake(protocol.name), bench.env.clone()).expect("it starts");
        let address = running.address.unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
        Listening { address, bench, tap, running: Some(running) }
    }

    /// Sends bytes over a connection, and closes it.
    pub fn send(&self, bytes: &[u8]) {
        let mut stream = self.connect(self.address);
        let send = async {
            stream.write_all(bytes).await?;
            stream.shutdown().await
        };
        self.runtime.block_on(send).expect("the node reads");
    }

    /// Sends bytes over a connection to a path, and closes it.
    pub fn send_unix(&self, path: &str, bytes: &[u8]) {
        let send = async {
            let mut stream = net::UnixStream::connect(path).await?;
            stream.write_all(bytes).await?;
            stream.shutdown().await
        };
        self.runtime.block_on(send).expect("the node reads");
    }

    /// Sends bytes over TLS, believing the CA in that file, and closes it.
    pub fn send_over_tls(&self, ca: &str, bytes: &[u8]) {
        let given = [
            ("tls", "true"),
            ("tls_ca", ca),
            ("tls_verify_hostname", "true"),
            ("tls_server_name", "localhost"),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let options = sawlog_pipeline::Options(given.into_iter().collect());
        let connector =
            crate::shared::tls::connector(&options, &self.env.sys).expect("options").expect("TLS");
        let stream = self.connect(self.address);
        let send = async {
            let mut stream = connector.connect(stream, "localhost").await?;
            stream.write_all(bytes).await.map_err(|error| error.to_string())?;
            stream.shutdown().await.map_err(|error| error.to_string())
        };
        self.runtime.block_on(send).expect("the node reads");
    }

    /// Sends an HTTP request with these header lines, and gives the answer: status, head, body.
    pub fn request(&self, line: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{line} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{length}{headers}\r\n");
        let answer = self.exchange(&[head.as_bytes(), body].concat());
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        (head[9..12].parse().expect("a status"), head, answer[end + 4..].to_vec())
    }

    /// Sends bytes over a connection, and gives what comes back until the other side closes it, within ten seconds.
    pub fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect(self.address);
        let exchange = async {
            stream.write_all(bytes).await?;
            let mut answer = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let patience = std::time::Duration::from_secs(10);
        let answer = self.runtime.block_on(async { tokio::time::timeout(patience, exchange).await });
        answer.expect("an answer in time").expect("the node answers")
    }

    /// Sends a datagram.
    pub fn datagram(&self, bytes: &[u8]) {
        let send = async {
            let socket = net::UdpSocket::bind("127.0.0.1:0").await?;
            socket.send_to(bytes, self.address).await
        };
        self.runtime.block_on(send).expect("it is sent");
    }

    /// The next rows, each as `TAG | name=value …`, times left out; waits for so many, up to ten seconds.
    pub fn rows(&self, count: usize) -> Vec<String> {
        let mut rows = Vec::new();
        self.each_row(count, |row| rows.push(shown(row)));
        rows
    }

    /// Visits the next rows; waits for so many, up to ten seconds.
    pub fn each_row(&self, count: usize, mut visit: impl FnMut(sawlog_model::RowRef<'_>)) {
        let mut tap = self.tap.lock().expect("one test");
        let (mut seen, patience) = (0, std::time::Duration::from_secs(10));
        while seen < count {
            let next = async { tokio::time::timeout(patience, tap.next()).await };
            let Ok(next) = self.runtime.block_on(next) else {
                panic!("{seen} rows of {count}; errors: {:?}", self.errors())
            };
            let Some(Tapped::Rows(batch)) = next else { panic!("rows") };
            batch.iter().for_each(&mut visit);
            seen += batch.rows.len();
        }
        assert_eq!(seen, count, "more rows than expected");
    }

    /// Stops the input, as a node that ends does.
    pub fn stop(&mut self) {
        self.env.stop.request();
        if let Some(running) = self.running.take() {
            (running.join)();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
        self.pipeline.stop();
    }
}

/// A row as `TAG | name=value …`, without the slot of its time.
pub fn shown(row: sawlog_model::RowRef<'_>) -> String {
    use sawlog_model::{Fields, Kind};

    let mut text = row.batch.context.get("_tag").unwrap_or("-").to_owned() + " |";
    for slot in row.slots().iter().filter(|slot| slot.kind != Kind::Time) {
        let name = row.batch.names.name(slot.name);
        let value = row.field(name).expect("its slot is there");
        text += &format!(" {name}={}", value.text().map_or("null".into(), String::from_utf8_lossy));
    }
    text
}

/// What a `<source>` of a Fluentd configuration means, as `name=value …` in the order of names, and what is to be said of it.
pub fn source(protocol: &Protocol, text: &str) -> (String, Vec<String>) {
    let element = element("source", text);
    let mut findings = Vec::new();
    let kind = element.get("@type").or(element.get("type")).expect("a type");
    let form = protocol.fluent.iter().find(|form| form.names.contains(&kind)).expect("a form");
    let mut reader = ElementReader::new(&element, &mut findings);
    let given = (form.read)(&mut reader);
    reader.finish();
    config::options(protocol, &given).expect("options of ours");
    let mut given: Vec<_> =
        given.iter().map(|(name, values)| format!("{name}={}", values.join(","))).collect();
    given.sort();
    (given.join(" "), findings.into_iter().map(|finding| finding.message).collect())
}
