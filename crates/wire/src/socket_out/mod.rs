//! Rows over TCP and UDP, an event in each line or datagram: see README.md. Knows nothing of where rows come from.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::Batch;
use sawlog_pipeline::{ConfigError, Env, Opt, OptKind, Options, Output, OutputError, Protocol, opt, options};
use sawlog_sys::net::{UdpSocket, lookup_host};
use sawlog_sys::task::Stop;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::shared::dial::{Dial, is_closed, wait};
use crate::shared::formatter::{self, Formatter};
use crate::shared::held::{AtOnce, HandOn};
use crate::shared::record::tag;
use crate::shared::stream::Stream;
use crate::shared::tls;

/// The output over TCP.
pub const TCP: Protocol = Protocol {
    name: "tcp",
    summary: "Sends rows over TCP, a line each.",
    options: options![TCP_OWN, tls::CLIENT, formatter::OPTIONS],
    output: Some(tcp),
    ..Protocol::EMPTY
};

/// The output over UDP.
pub const UDP: Protocol = Protocol {
    name: "udp",
    summary: "Sends rows over UDP, a datagram each.",
    options: options![UDP_OWN, formatter::OPTIONS],
    output: Some(udp),
    ..Protocol::EMPTY
};

const TO: Opt = opt("to", OptKind::Text, "127.0.0.1:9999", "Where to: HOST:PORT.");

const TCP_OWN: &[Opt] = &[
    TO,
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
    opt("send_timeout", OptKind::Duration, "60s", "How long sending a batch may take."),
    tls::ON,
];

const UDP_OWN: &[Opt] = &[TO];

/// What both need.
struct Common {
    formatter: Formatter,
    to: String,
    runtime: tokio::runtime::Handle,
    stop: Stop,
}

impl Common {
    fn new(options: &Options, env: &Env) -> Result<Common, ConfigError> {
        let to = options.text("to").to_owned();
        if to.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
            return Err(ConfigError(format!("`to = {to}`: write it as HOST:PORT")));
        }
        Ok(Common {
            formatter: Formatter::new(options, "json", env.limits)?,
            to,
            runtime: env.runtime.clone(),
            stop: env.stop.clone(),
        })
    }

    /// What was done, or why it must be done again.
    fn told(&self, answer: Option<Result<(), String>>) -> Result<(), OutputError> {
        let answer = answer.unwrap_or_else(|| Err("not sent before the end".to_owned()));
        answer.map_err(|why| OutputError::Later(format!("{}: {why}", self.to)))
    }
}

struct Tcp {
    common: Common,
    peer: Arc<Peer>,
}

/// The other side, and the connection to it.
struct Peer {
    dial: Dial,
    send_timeout: Duration,
    kept: Mutex<Option<Stream>>,
}

fn tcp(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let common = Common::new(options, env)?;
    let dial = Dial {
        to: common.to.clone(),
        connector: tls::connector(options, &env.sys).map_err(ConfigError)?,
        patience: options.duration("connect_timeout"),
    };
    let peer = Peer { dial, send_timeout: options.duration("send_timeout"), kept: Mutex::default() };
    Ok(Box::new(AtOnce::new(&env.name, Tcp { common, peer: Arc::new(peer) })))
}

impl HandOn for Tcp {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let (mut bytes, tag) = (Vec::new(), tag(batch));
        batch.iter().for_each(|row| self.common.formatter.write(row, &tag, &mut bytes));
        if bytes.is_empty() {
            return Ok(());
        }
        let peer = self.peer.clone();
        let sent = wait(&self.common.runtime, &self.common.stop, async move { peer.send(&bytes).await });
        self.common.told(sent)
    }
}

impl Peer {
    /// Sends over the connection that is there, unless the other side has closed it, else over a new one.
    async fn send(&self, bytes: &[u8]) -> Result<(), String> {
        let mut kept = self.kept.lock().await;
        let open = match kept.take() {
            Some(mut stream) => (!is_closed(&mut stream).await).then_some(stream),
            None => None,
        };
        let mut stream = match open {
            Some(stream) => stream,
            None => self.dial.connect().await?,
        };
        let sending = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match timeout(self.send_timeout, sending).await {
            Ok(Ok(())) => *kept = Some(stream),
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("it takes too long".to_owned()),
        }
        Ok(())
    }
}

struct Udp(Common);

fn udp(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    Ok(Box::new(AtOnce::new(&env.name, Udp(Common::new(options, env)?))))
}

/// Longest that a datagram can be.
const DATAGRAM: usize = 65_507;

impl HandOn for Udp {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let tag = tag(batch);
        let (mut datagrams, mut too_long) = (Vec::new(), 0);
        for row in batch.iter() {
            let mut bytes = Vec::new();
            self.0.formatter.write(row, &tag, &mut bytes);
            if bytes.len() > DATAGRAM {
                too_long += 1;
            } else {
                datagrams.push(bytes);
            }
        }
        if !datagrams.is_empty() {
            let to = self.0.to.clone();
            let sent = wait(&self.0.runtime, &self.0.stop, async move { send(&to, &datagrams).await });
            self.0.told(sent)?;
        }
        match too_long {
            0 => Ok(()),
            count => Err(OutputError::Refused(format!("{count} events are longer than a datagram"))),
        }
    }
}

/// Sends datagrams from a socket that is made for them.
async fn send(to: &str, datagrams: &[Vec<u8>]) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let to = lookup_host(to).await.map_err(failed)?.next().ok_or("the name has no address")?;
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.map_err(failed)?;
    for datagram in datagrams {
        socket.send_to(datagram, to).await.map_err(failed)?;
    }
    Ok(())
}
