//! A RabbitMQ of the tests' own, in a folder that vanishes: on free ports, with a name service of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sawlog_sys::program::{self, Ending};
use sawlog_sys::{Open, Sys, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a broker may take to start, on a machine that has other things to do.
const STARTING: Duration = Duration::from_secs(180);

/// Where the program itself is: that of Debian in the path changes to a user of its own.
const PROGRAMS: [&str; 2] = ["/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server"];

/// A broker; it ends when this is dropped, or with the tests.
pub struct Broker {
    folder: tempfile::TempDir,
    ports: [u16; 4],
    server: PathBuf,
    runs: Mutex<Option<Ending>>,
}

impl Broker {
    /// One for all tests that do not stop it. `None` where there is none, which is said.
    pub fn shared(test: &str) -> Option<&'static Broker> {
        static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
        SHARED.get_or_init(Broker::start).as_ref().or_else(|| Broker::skipped(test))
    }

    /// One for this test alone.
    pub fn own(test: &str) -> Option<Broker> {
        Broker::start().or_else(|| Broker::skipped(test))
    }

    fn skipped<T>(test: &str) -> Option<T> {
        println!("SKIPPED {test}: there is no rabbitmq-server; install Debian's package of that name");
        None
    }

    fn start() -> Option<Broker> {
        let sys = Sys::real();
        let server = PROGRAMS.iter().map(PathBuf::from).find(|path| sys.fs.metadata(path).is_ok())?;
        let broker = Broker {
            folder: tempfile::tempdir().expect("a folder"),
            ports: free_ports(),
            server,
            runs: Mutex::default(),
        };
        broker.configure(&sys);
        broker.run();
        Some(broker)
    }

    fn configure(&self, sys: &Sys) {
        let mut params = CertificateParams::new([]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &ca).expect("a certificate");
        let folder = self.folder.path().display();
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nlisteners.ssl.1 = 127.0.0.1:{}\nssl_options.cacertfile = {folder}/ca.pem\n\
             ssl_options.certfile = {folder}/cert.pem\nssl_options.keyfile = {folder}/key.pem\nlog.console = false\n\
             channel_max = 65535\n",
            self.ports[0], self.ports[1]
        );
        let (ca, certificate, key) = (ca.pem(), certificate.pem(), key.serialize_pem());
        let files = [("rabbitmq.conf", settings.as_str()), ("plugins", "[].")];
        for (name, text) in
            files.into_iter().chain([("ca.pem", &*ca), ("cert.pem", &*certificate), ("key.pem", &*key)])
        {
            let file = sys.fs.open(&self.folder.path().join(name), Open::Create).expect("a file");
            file.write_at(text.as_bytes(), 0).expect("it is written");
        }
    }

    /// Starts the program, and waits until it answers.
    pub fn run(&self) {
        let [port, _, dist_port, names_port] = self.ports;
        let home = self.folder.path().display();
        let server = self.server.display();
        let line = format!(
            "export HOME={home} RABBITMQ_NODENAME=sawlog-{port}@localhost RABBITMQ_CONFIG_FILE={home}/rabbitmq.conf \
             RABBITMQ_MNESIA_BASE={home}/mnesia RABBITMQ_LOG_BASE={home}/log RABBITMQ_PID_FILE={home}/pid \
             RABBITMQ_ENABLED_PLUGINS_FILE={home}/plugins RABBITMQ_DIST_PORT={dist_port} ERL_EPMD_PORT={names_port}; \
             epmd -port {names_port} </dev/null & names=$!; {server} </dev/null >{home}/output 2>&1 & server=$!; \
             trap 'kill $server' TERM; wait $server; wait $server; kill $names"
        );
        let runs = Arc::new(Mutex::new(None));
        let told = runs.clone();
        // A program ends with the thread that started it, and this one must outlive the test.
        let started = task::spawn("broker", move || {
            let mut process = program::start(&[line], false).expect("a shell");
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(process.ending());
            process.wait().expect("it is waited for");
        });
        drop(started.expect("a thread"));
        let sys = Sys::real();
        let began = sys.clock.monotonic();
        while !self.answers() {
            assert!(sys.clock.monotonic() < began + STARTING, "rabbitmq-server does not start");
            task::sleep(Duration::from_millis(200));
        }
        let ending = runs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = ending;
    }

    fn answers(&self) -> bool {
        let runtime = task::runtime("test", 1).expect("a runtime");
        runtime.block_on(async {
            let patience = Duration::from_secs(5);
            matches!(tokio::time::timeout(patience, self.connect()).await, Ok(Ok(_)))
        })
    }

    /// Stops the program as an operator does, and waits until it is gone.
    pub fn stop(&self) {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner).take();
        runs.expect("it runs").ask();
        let sys = Sys::real();
        let began = sys.clock.monotonic();
        let pid = self.folder.path().join("pid");
        while sys.fs.metadata(&pid).is_ok() || self.answers() {
            assert!(sys.clock.monotonic() < began + STARTING, "rabbitmq-server does not stop");
            task::sleep(Duration::from_millis(200));
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Its address.
    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/", self.port())
    }

    /// Its address with TLS, for `localhost`, and the file of its CA.
    pub fn uri_with_tls(&self) -> (String, String) {
        let ca = self.folder.path().join("ca.pem").to_string_lossy().into_owned();
        (format!("amqps://guest:guest@localhost:{}/", self.ports[1]), ca)
    }

    /// What it answers to a client that says this, up to an `end`.
    pub fn answers_to(&self, session: &[u8], end: &[u8]) -> Vec<u8> {
        let runtime = task::runtime("session", 1).expect("a runtime");
        let talk = async {
            let address = ("127.0.0.1", self.port());
            let mut stream = sawlog_sys::net::TcpStream::connect(address).await.expect("a connection");
            stream.write_all(session).await.expect("it is sent");
            let mut answers = Vec::new();
            while !answers.ends_with(end) {
                assert_ne!(stream.read_buf(&mut answers).await.expect("answers"), 0, "it ended: {answers:?}");
            }
            answers
        };
        let patience = Duration::from_secs(60);
        runtime.block_on(async { tokio::time::timeout(patience, talk).await }).expect("an end in time")
    }

    /// A connection of a client library's own.
    pub async fn connect(&self) -> lapin::Result<Connection> {
        let uri = format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port());
        Connection::connect(&uri, ConnectionProperties::default()).await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(runs) = self.runs.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runs.force();
        }
    }
}

fn free_ports() -> [u16; 4] {
    let runtime = task::runtime("test", 1).expect("a runtime");
    runtime.block_on(async {
        let mut listeners = Vec::new();
        for _ in 0..4 {
            listeners.push(sawlog_sys::net::TcpListener::bind("127.0.0.1:0").await.expect("a port"));
        }
        let ports = listeners.iter().map(|listener| listener.local_addr().expect("an address").port());
        ports.collect::<Vec<_>>().try_into().expect("four")
    })
}

/// A client of the broker that publishes with confirmations, and reads queues.
pub struct Peer {
    runtime: tokio::runtime::Runtime,
    connection: Connection,
    channel: Channel,
}

impl Peer {
    pub fn new(broker: &Broker) -> Peer {
        let runtime = task::runtime("peer", 1).expect("a runtime");
        let (connection, channel) = runtime.block_on(async {
            let connection = broker.connect().await.expect("a connection");
            let channel = connection.create_channel().await.expect("a channel");
            channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
            (connection, channel)
        });
        Peer { runtime, connection, channel }
    }

    /// Declares an exchange, and a queue bound to all of it; both outlive the broker's restart.
    pub fn declare(&self, exchange: &str, kind: ExchangeKind, queue: &str) {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let queue_options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.runtime.block_on(async {
            let table = FieldTable::default;
            self.channel
                .exchange_declare(exchange.into(), kind, durable, table())
                .await
                .expect("an exchange");
            self.channel.queue_declare(queue.into(), queue_options, table()).await.expect("a queue");
            let options = QueueBindOptions::default();
            self.channel
                .queue_bind(queue.into(), exchange.into(), "#".into(), options, table())
                .await
                .expect("bound");
        });
    }

    /// Declares a durable queue with arguments.
    pub fn declare_queue(&self, queue: &str, arguments: FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.runtime.block_on(self.channel.queue_declare(queue.into(), options, arguments)).expect("a queue");
    }

    /// Publishes messages that are kept on the broker's disk, and waits until it has them.
    pub fn publish(&self, exchange: &str, key: &str, bodies: &[impl AsRef<[u8]>]) {
        self.runtime.block_on(async {
            let properties = || BasicProperties::default().with_delivery_mode(2);
            for body in bodies {
                let options = BasicPublishOptions::default();
                let sent = self.channel.basic_publish(
                    exchange.into(),
                    key.into(),
                    options,
                    body.as_ref(),
                    properties(),
                );
                // Those that are dropped here are waited for below.
                drop(sent.await.expect("it is published"));
            }
            self.channel.wait_for_confirms().await.expect("they are confirmed");
        });
    }

    /// The next messages of a queue, which are acknowledged.
    pub fn take(&self, queue: &str, count: usize) -> Vec<Delivery> {
        use futures::StreamExt;

        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            let options = BasicConsumeOptions::default();
            let mut consumer = channel
                .basic_consume(queue.into(), "".into(), options, FieldTable::default())
                .await
                .expect("a queue");
            let mut taken = Vec::new();
            while taken.len() < count {
                let next = tokio::time::timeout(Duration::from_secs(60), consumer.next()).await;
                let delivery = next.expect("a message in time").expect("a message").expect("a message");
                delivery.ack(BasicAckOptions::default()).await.expect("acknowledged");
                taken.push(delivery);
            }
            channel.close(200, "".into()).await.expect("closed");
            taken
        })
    }

    /// How many messages wait in a queue; those that are with a consumer are not counted.
    pub fn waiting(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            let queue = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
            let waiting = queue.expect("a queue").message_count();
            channel.close(200, "".into()).await.expect("closed");
            waiting
        })
    }

    /// Whether there is a queue.
    pub fn has(&self, queue: &str) -> bool {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        self.runtime.block_on(async {
            let channel = self.connection.create_channel().await.expect("a channel");
            channel.queue_declare(queue.into(), options, FieldTable::default()).await.is_ok()
        })
    }

    /// Whether some queue is bound so that it gets messages with this key; such a one is published.
    pub fn reaches(&self, exchange: &str, key: &str) -> bool {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        self.runtime.block_on(async {
            let (exchange, properties) = (exchange.into(), BasicProperties::default());
            let sent = self.channel.basic_publish(exchange, key.into(), options, b"{}", properties).await;
            sent.expect("it is published").await.expect("it is confirmed").take_message().is_none()
        })
    }

    /// Deletes a queue.
    pub fn delete(&self, queue: &str) {
        let deleted = self.channel.queue_delete(queue.into(), Default::default());
        self.runtime.block_on(deleted).expect("deleted");
    }
}
