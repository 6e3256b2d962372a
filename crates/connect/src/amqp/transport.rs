//! The connection under the client library: TCP or TLS as everywhere in sawlog, and a gate in front of it. The library
//! takes in whatever the broker sends and keeps it until it is asked for; a prefetch of 1000 messages of 100 MB would be
//! the end of the node. So the gate stops reading while more than a number of bytes waits to be taken. Knows nothing of
//! what is sent.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use futures::Stream as FutureStream;
use futures::io::{AsyncRead, AsyncWrite};
use sawlog_sys::net::TcpStream;
use sawlog_wire::shared::stream::Stream;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::sync::Notify;

/// How many bytes may be read that nobody has taken yet; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    state: Mutex<State>,
    closed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes read since everything was last taken.
    read: usize,
    waiting: Option<Waker>,
}

impl Gate {
    /// A gate for so many bytes.
    pub fn new(limit: usize) -> Self {
        let inner = Inner { limit: limit.max(1), state: Mutex::default(), closed: Notify::new() };
        Gate(Arc::new(inner))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was read is taken, or more is needed before it can be: as much again may be read.
    pub fn open(&self) {
        let mut state = self.state();
        state.read = 0;
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the gate is closed.
    pub async fn closed(&self) {
        loop {
            let notified = self.0.closed.notified();
            if self.state().read >= self.0.limit {
                return;
            }
            notified.await;
        }
    }

    fn may_read(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        let open = state.read < self.0.limit;
        if !open {
            state.waiting = Some(context.waker().clone());
        }
        open
    }

    fn add(&self, bytes: usize) {
        let mut state = self.state();
        state.read += bytes;
        if state.read >= self.0.limit {
            drop(state);
            self.0.closed.notify_waiters();
        }
    }
}

/// A connection behind a gate.
pub(super) struct Gated {
    stream: Stream,
    gate: Gate,
}

impl Gated {
    /// A connection that reads only while the gate is open.
    pub fn new(stream: Stream, gate: Gate) -> Self {
        Gated { stream, gate }
    }
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.gate.may_read(context) {
            return Poll::Pending;
        }
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len();
                self.gate.add(count);
                Poll::Ready(Ok(count))
            }
        }
    }
}

impl AsyncWrite for Gated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// tokio, with gated connections; the library is handed one that is open.
#[derive(Clone, Debug)]
pub(super) struct Reacting {
    tokio: Tokio,
    gate: Gate,
}

/// What the library runs on.
pub(super) type Kit = RuntimeParts<Tokio, Reacting>;

/// A kit over this runtime of tokio.
pub(super) fn kit(runtime: &tokio::runtime::Handle, gate: &Gate) -> Kit {
    let tokio = Tokio::default().with_handle(runtime.clone());
    RuntimeParts::new(tokio.clone(), Reacting { tokio, gate: gate.clone() })
}

impl Reactor for Reacting {
    type TcpStream = Gated;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        // Only for sockets of other kinds, of which there are none here.
        Err::<Gated, _>(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl FutureStream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let gate = self.gate.clone();
        async move { Ok(Gated::new(Stream::Tcp(TcpStream::connect(address).await?), gate)) }
    }
}

#[cfg(test)]
mod tests {
    use futures::io::AsyncReadExt;
    use sawlog_sys::net::TcpListener;
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_closed_gate_stops_reading_until_it_is_opened() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        far.write_all(&[7; 30]).await.unwrap();
        let gate = Gate::new(10);
        let mut near = Gated::new(Stream::Tcp(stream), gate.clone());
        let mut bytes = [0; 10];
        for _ in 0..2 {
            near.read_exact(&mut bytes).await.unwrap();
            gate.closed().await;
            let pause = Duration::from_millis(50);
            assert!(tokio::time::timeout(pause, near.read(&mut bytes)).await.is_err(), "the gate is closed");
            gate.open();
        }
        near.read_exact(&mut bytes[..9]).await.unwrap();
        let pause = Duration::from_millis(50);
        assert!(tokio::time::timeout(pause, gate.closed()).await.is_err(), "the gate is open");
    }
}
