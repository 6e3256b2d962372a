//! A connection to a server, made when it is needed and kept; and work that a thread waits for. Knows nothing of what is said
//! over it.

use std::future::Future;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use sawlog_sys::net::{TcpStream, lookup_host};
use sawlog_sys::task::Stop;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::stream::Stream;
use super::tls::Connector;

/// Whom to call, and how.
#[derive(Clone)]
pub(crate) struct Dial {
    /// `HOST:PORT`
    pub to: String,
    /// Speaks TLS.
    pub connector: Option<Connector>,
    /// Longest that connecting may take.
    pub patience: Duration,
}

impl Dial {
    /// A new connection; in words why there is none.
    pub async fn connect(&self) -> Result<Stream, String> {
        let addresses = lookup_host(&self.to).await.map_err(|error| error.to_string())?;
        let mut last = "the name has no address".to_owned();
        for address in addresses {
            let stream = match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    last = error.to_string();
                    continue;
                }
                Err(_) => {
                    "no connection in time".clone_into(&mut last);
                    continue;
                }
            };
            let Some(connector) = &self.connector else { return Ok(Stream::Tcp(stream)) };
            let host = self.to.rsplit_once(':').map_or(self.to.as_str(), |(host, _)| host);
            let greeted = timeout(self.patience, connector.connect(stream, host)).await;
            return greeted.map_err(|_| "no handshake in time".to_owned())?;
        }
        Err(last)
    }
}

/// Whether the other side has closed a connection over which it should say nothing; does not wait.
pub(crate) async fn is_closed(stream: &mut Stream) -> bool {
    let mut byte = [0];
    !matches!(timeout(Duration::ZERO, stream.read(&mut byte)).await, Err(_) | Ok(Ok(1)))
}

/// Does work on the runtime and waits for it, but not beyond the end of the program.
pub(crate) fn wait<T: Send + 'static>(
    runtime: &tokio::runtime::Handle,
    stop: &Stop,
    work: impl Future<Output = T> + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    runtime.spawn(async move {
        // Where nobody waits any more the answer is nobody's.
        let _ = tell.send(work.await);
    });
    loop {
        match told.recv_timeout(Duration::from_millis(200)) {
            Ok(answer) => return Some(answer),
            Err(RecvTimeoutError::Timeout) if !stop.requested() => {}
            Err(_) => return None,
        }
    }
}
