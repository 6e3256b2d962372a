//! Sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, lookup_host};

/// Listens on a TCP address (port 0: a free one).
///
/// # Errors
/// As the system says, with the address in the text.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| cannot(&error, &address))
}

/// As [`listen`], with at most `backlog` connections that wait to be accepted. To be called within a runtime.
///
/// # Errors
/// As [`listen`].
pub fn listen_with_backlog(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() {
            tokio::net::TcpSocket::new_v4()
        } else {
            tokio::net::TcpSocket::new_v6()
        }?;
        // As the standard library does: a node that was restarted gets its port again at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(backlog)
    };
    listen().map_err(|error| cannot(&error, &address))
}

/// How long closing waits for what was sent to be taken; after [`Duration::ZERO`] the connection is reset.
///
/// # Errors
/// As the system says.
pub fn set_linger(stream: &TcpStream, time: Duration) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(stream, Some(time))?)
}

/// What was set with [`set_linger`].
///
/// # Errors
/// As the system says.
pub fn linger(stream: &TcpStream) -> io::Result<Option<Duration>> {
    Ok(rustix::net::sockopt::socket_linger(stream)?)
}

/// Has the system ask from time to time whether the other side of a silent connection is still there.
///
/// # Errors
/// As the system says.
pub fn set_keepalive(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_keepalive(stream, true)?)
}

/// Whether [`set_keepalive`] was called.
///
/// # Errors
/// As the system says.
pub fn keepalive(stream: &TcpStream) -> io::Result<bool> {
    Ok(rustix::net::sockopt::socket_keepalive(stream)?)
}

/// Takes a UDP port (0: a free one). The kernel keeps up to `buffer` bytes of what was not read yet, or as much as this
/// machine allows; 0 leaves it at the machine's default.
///
/// # Errors
/// As the system says, with the address in the text.
pub async fn listen_udp(address: SocketAddr, buffer: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await.map_err(|error| cannot(&error, &address))?;
    if buffer > 0 {
        // The kernel takes less silently where this is more than it allows.
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, buffer)?;
    }
    Ok(socket)
}

/// Listens on a path. What an earlier process left there is replaced where nobody listens on it any more.
///
/// # Errors
/// As the system says, with the path in the text.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub async fn listen_unix(path: &std::path::Path) -> io::Result<UnixListener> {
    let refused = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", path.display()))
    };
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match UnixStream::connect(path).await {
                Err(gone) if gone.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(refused)?;
                    UnixListener::bind(path).map_err(refused)
                }
                // A listener is there, or it is no socket at all.
                _ => Err(refused(error)),
            }
        }
        result => result.map_err(refused),
    }
}

/// How many datagrams the kernel dropped since the socket was opened, mostly since they were not read in time. `None`
/// where it does not say.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn dropped_datagrams(socket: &UdpSocket) -> Option<u64> {
    let inode = rustix::fs::fstat(socket).ok()?.st_ino.to_string();
    let table =
        if socket.local_addr().ok()?.is_ipv6() { "/proc/self/net/udp6" } else { "/proc/self/net/udp" };
    let text = std::fs::read_to_string(table).ok()?;
    dropped_of(&text, &inode)
}

/// The last column of the line whose tenth is the socket's inode.
fn dropped_of(table: &str, inode: &str) -> Option<u64> {
    let mut lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    lines.find(|columns| columns.get(9) == Some(&inode))?.last()?.parse().ok()
}

/// The name of a machine by its address, as the C library resolves it (hosts file, DNS). Blocks, for seconds where a
/// server does not answer. `None` where it has no name.
pub fn name_of(address: IpAddr) -> Option<String> {
    let name = dns_lookup::lookup_addr(&address).ok()?;
    // Without a name the library prints the address.
    (name.parse::<IpAddr>().is_err()).then_some(name)
}

fn cannot(error: &io::Error, address: &SocketAddr) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_a_full_socket_are_counted() {
        let runtime = crate::task::runtime("test", 1).unwrap();
        runtime.block_on(async {
            let socket = listen_udp("127.0.0.1:0".parse().unwrap(), 4096).await.unwrap();
            assert_eq!(dropped_datagrams(&socket), Some(0));
            let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            for _ in 0..100 {
                sender.send_to(&[b'x'; 1000], socket.local_addr().unwrap()).await.unwrap();
            }
            assert!(dropped_datagrams(&socket).unwrap() > 50, "{:?}", dropped_datagrams(&socket));
        });
    }

    #[test]
    fn a_path_is_taken_over_from_who_has_gone() {
        let runtime = crate::task::runtime("test", 1).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        runtime.block_on(async {
            let first = listen_unix(&path).await.unwrap();
            assert!(listen_unix(&path).await.unwrap_err().to_string().contains("cannot listen on"));
            drop(first);
            listen_unix(&path).await.unwrap();
        });
    }

    #[test]
    fn this_machine_has_a_name() {
        assert_eq!(name_of("127.0.0.1".parse().unwrap()).as_deref(), Some("localhost"));
        assert_eq!(name_of("192.0.2.1".parse().unwrap()), None);
    }
}
