//! The client's side of the ports: asking, subscribing, pushing. Knows nothing of what is asked.

use std::time::Duration;

use sawlog_model::{Limits, Value};
use sawlog_sys::net::TcpStream;
use tokio::time::timeout;

use crate::shared::msgpack;
use crate::shared::zmtp::{Pipe, Ready, Role, Session};

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
