//! The client's side of the ports: asking, subscribing, pushing. Knows nothing of what is asked.

use std::time::Duration;

use sawlog_model::{Limits, Value};
use sawlog_sys::net::TcpStream;
use tokio::time::timeout;

use super::flags::Given;
use super::variable;
use crate::shared::msgpack;
use crate::shared::zmtp::{Pipe, Ready, Role, Session, Version};

/// How long an answer may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The address with its port, which is `port` where it says none.
pub(in crate::blueox) fn with_port(host: &str, port: u16) -> String {
    let host = host.strip_prefix("tcp://").unwrap_or(host);
    let has_port = host.rsplit_once(':').is_some_and(|(before, port)| {
        port.parse::<u16>().is_ok() && (!before.contains(':') || before.ends_with(']'))
    });
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

/// The same address with another port.
pub(super) fn other_port(address: &str, port: u16) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    format!("{host}:{port}")
}

/// The control port that is meant: of `--host`, else of the environment, else of this machine.
pub(super) fn control(given: &Given) -> String {
    let host = given.get("host").map(str::to_owned).or_else(|| variable("BLUEOX_CLIENT_HOST"));
    with_port(&host.unwrap_or_else(|| "127.0.0.1".to_owned()), 3513)
}

/// Where the stream of the node with this control port is.
pub(super) async fn stream_of(control: &str) -> Result<String, String> {
    let answer = ask(control, &[("cmd", "SOCK_STREAM")]).await?;
    let port = match answer.get("port") {
        Some(Value::Int(port)) => u16::try_from(*port).ok(),
        _ => None,
    };
    port.map(|port| other_port(control, port)).ok_or_else(|| format!("{control}: it has no stream"))
}

/// A connection to a stream that shows what this pattern fits, at least.
pub(super) async fn subscribe(stream: &str, pattern: &str) -> Result<Pipe<TcpStream>, String> {
    let (mut pipe, ready) = connect(stream, Role::Sub).await?;
    // One of ZMTP 1 is sent everything, and is told nothing.
    if ready.version != Version::V1 {
        let prefix = pattern.strip_suffix('*').unwrap_or(pattern);
        let subscription = [b"\x01", prefix.as_bytes()].concat();
        pipe.send(&[&subscription]).await.map_err(|error| format!("{stream}: {error}"))?;
    }
    Ok(pipe)
}

/// A connection after its handshake.
pub(super) async fn connect(address: &str, role: Role) -> Result<(Pipe<TcpStream>, Ready), String> {
    let words = |error: std::io::Error| format!("{address}: {error}");
    let stream = timeout(PATIENCE, TcpStream::connect(address)).await;
    let stream = stream.map_err(|_| format!("{address}: no connection in time"))?.map_err(words)?;
    let _ = stream.set_nodelay(true);
    let mut pipe = Pipe::new(stream, Session::new(role, &[], Limits::default().message));
    let ready = pipe.greet(PATIENCE).await.map_err(|error| format!("{address}: {error}"))?;
    Ok((pipe, ready))
}

/// Asks the control port; the whole takes no longer than [`PATIENCE`].
pub(super) async fn ask(address: &str, request: &[(&str, &str)]) -> Result<Value, String> {
    let asked = async {
        let (mut pipe, _) = connect(address, Role::Req).await?;
        let text = |text: &str| Value::Str(text.to_owned());
        let request = request.iter().map(|(key, value)| (text(key), text(value))).collect();
        let mut bytes = Vec::new();
        msgpack::write_old(&Value::Map(request), &mut bytes);
        pipe.send(&[b"", &bytes]).await.map_err(|error| error.to_string())?;
        let answer = pipe.next_message().await.map_err(|error| error.to_string())?;
        let answer = answer.ok_or("closed without an answer")?;
        let bytes = answer.frames.last().ok_or("an empty answer")?;
        let (value, _) = msgpack::value(bytes, &Limits::default()).map_err(|error| error.to_string())?;
        Ok(value)
    };
    timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(format!("{address}: no answer in time")))
}
