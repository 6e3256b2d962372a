//! A connection to a broker: names resolved, TLS spoken, AMQP opened, each within a time. Knows nothing of queues.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_rs::Runtime;
use lapin::tcp::AsyncTcpStream;
use lapin::{Connection, ConnectionProperties};
use sawlog_pipeline::{ConfigError, Env, Options};
use sawlog_sys::net::{TcpStream, lookup_host};
use sawlog_wire::shared::stream::Stream;
use sawlog_wire::shared::tls::{self, Connector};
use tokio::time::timeout;

use super::address::Address;
use super::transport::{Gate, Gated, kit};

/// How long it may take until a connection is open.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(5);

/// How a broker is spoken to.
pub(super) struct Client {
    pub address: Address,
    options: Options,
    heartbeat: u16,
}

impl Client {
    /// What the options say.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn read(options: &Options) -> Result<Self, ConfigError> {
        let address =
            Address::parse(options.text("uri")).map_err(|error| ConfigError(format!("`uri`: {error}")))?;
        let mut for_tls = options.clone();
        for_tls.0.insert("tls".to_owned(), vec![address.tls.to_string()]);
        let heartbeat = options.duration("heartbeat").as_secs().clamp(1, u64::from(u16::MAX)) as u16;
        Ok(Client { address, options: for_tls, heartbeat })
    }

    /// What TLS is spoken; files are read now.
    ///
    /// # Errors
    /// In words, with the file and the remedy.
    pub fn connector(&self, env: &Env) -> Result<Option<Connector>, String> {
        tls::connector(&self.options, &env.sys)
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// In words.
    pub async fn connect(
        &self,
        tls: Option<&Connector>,
        gate: &Gate,
        name: &str,
    ) -> Result<Connection, String> {
        let opened = timeout(PATIENCE, self.open(tls, gate, name)).await;
        opened.unwrap_or_else(|_| Err(format!("{}: no connection within {PATIENCE:?}", self.address)))
    }

    async fn open(&self, tls: Option<&Connector>, gate: &Gate, name: &str) -> Result<Connection, String> {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", self.address);
        let stream = self.stream(tls).await.map_err(|error| told(&error))?;
        let stream = Mutex::new(Some(Gated::new(stream, gate.clone())));
        let connect = async move |_, _| {
            let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
            let again = || std::io::Error::other("this connection was used before");
            stream.map(AsyncTcpStream::Plain).ok_or_else(again).map_err(lapin::Error::from)
        };
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let runtime = Runtime::new(kit(&tokio::runtime::Handle::current(), gate));
        let uri = self.address.uri(self.heartbeat);
        Connection::connector(uri, runtime, connect, properties).await.map_err(|error| told(&error))
    }

    async fn stream(&self, tls: Option<&Connector>) -> Result<Stream, String> {
        let (host, port) = (self.address.host.as_str(), self.address.port);
        let addresses = lookup_host((host, port)).await.map_err(|error| error.to_string())?;
        let mut failed = "the name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Acknowledgements are small.
                    stream.set_nodelay(true).map_err(|error| error.to_string())?;
                    return match tls {
                        None => Ok(Stream::Tcp(stream)),
                        Some(tls) => tls.connect(stream, host).await,
                    };
                }
                Err(error) => failed = error.to_string(),
            }
        }
        Err(failed)
    }
}

/// Closes a connection, where the broker is there to hear of it.
pub(super) async fn close(connection: &Connection) {
    // Whether the broker answers or not, it is the end.
    let _ = timeout(CLOSING, connection.close(200, "".into())).await;
}
