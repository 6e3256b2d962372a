//! Sockets.

use std::io;
use std::net::SocketAddr;

pub use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};

/// Listens on a TCP address (port 0: a free one).
///
/// # Errors
/// As the system says, with the address in the text.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}
