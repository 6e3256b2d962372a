//! `ikb [-concurrent N] [-multi N] [-no-packed] [-host HOST:PORT] [-data JSON] TAG COUNT`: sends the same record many times
//! over the forward protocol and tells how long it took.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Error, Result, ensure};
use sawlog_model::{Limits, Value, value};
use sawlog_sys::{Sys, net, task};
use sawlog_wire::forward::plain::{self, Form};

use super::flags::{self, Flag};

const FLAGS: &[Flag] = &[
    Flag { name: "concurrent", takes: true, help: "senders at once (1)" },
    Flag { name: "multi", takes: true, help: "records in one message (1)" },
    Flag { name: "no-packed", takes: false, help: "write the records of a message as a list and not packed" },
    Flag { name: "host", takes: true, help: "where to send to (localhost:24224)" },
    Flag { name: "data", takes: true, help: "the record, as JSON ({ \"message\": \"test\" })" },
];

/// A message is sent so often before the program gives up.
const TRIES: u32 = 5;

struct Load {
    sys: Sys,
    host: String,
    message: Vec<u8>,
    multi: usize,
    /// Messages of each sender.
    each: usize,
    total: usize,
    /// Progress is told after so many records.
    step: usize,
    sent: AtomicUsize,
    began: Duration,
}

pub(super) fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let given = flags::read(arguments, FLAGS)?;
    let usage = || format!("ikb [flags] tag count\n{}", flags::usage(FLAGS));
    if given.get("help").is_some() {
        println!("{}", usage());
        return Ok(ExitCode::SUCCESS);
    }
    let [tag, count] = given.rest.as_slice() else { return Err(Error::msg(usage())) };
    let total: usize = count.parse().with_context(|| format!("`{count}` is no number of records"))?;
    let (concurrent, multi) = (given.count("concurrent", 1)?, given.count("multi", 1)?);
    ensure!(total > 0 && total.is_multiple_of(multi), "the count must be a multiple of -multi");
    ensure!(total / multi >= concurrent, "there are fewer messages than -concurrent senders");
    let data = given.get("data").unwrap_or(r#"{ "message": "test" }"#);
    let record = value::parse_json(data.as_bytes(), &Limits::default()).context("-data is not JSON")?;
    ensure!(matches!(record, Value::Map(_)), "-data is not a JSON object");
    let form = match (multi, given.get("no-packed")) {
        (1, _) => Form::Message,
        (_, Some("true")) => Form::Forward,
        _ => Form::Packed,
    };
    let sys = Sys::real();
    let seconds = u32::try_from(sys.clock.now() / 1_000_000_000).unwrap_or_default();
    let load = Load {
        message: plain::message(tag, seconds, &record, multi, form),
        host: given.get("host").unwrap_or("localhost:24224").to_owned(),
        each: (total / multi).div_ceil(concurrent),
        step: 10usize.pow((total as f64).log10().ceil() as u32).div_euclid(10).max(100),
        began: sys.clock.monotonic(),
        sent: AtomicUsize::new(0),
        sys,
        multi,
        total,
    };
    send_all(Arc::new(load), concurrent, total / multi)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the senders, waits for them, and tells the figures.
fn send_all(load: Arc<Load>, concurrent: usize, messages: usize) -> Result<()> {
    let runtime = task::runtime("ikb", concurrent.min(4))?;
    let senders: Vec<_> = (0..concurrent)
        .map(|index| {
            let own = load.each.min(messages.saturating_sub(index * load.each));
            let load = load.clone();
            runtime.spawn(async move { load.send(own).await })
        })
        .collect();
    let mut times = Vec::with_capacity(messages);
    for sender in senders {
        times.extend(runtime.block_on(sender)??);
    }
    let took = load.sys.clock.monotonic().saturating_sub(load.began).as_secs_f64();
    let sum: f64 = times.iter().sum();
    let shortest = times.iter().copied().fold(f64::INFINITY, f64::min);
    let longest = times.iter().copied().fold(0.0, f64::max);
    let bold = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut out = std::io::stdout().lock();
    for (what, figure) in [
        ("Benchmark Duration", format!("{took:.6} seconds")),
        ("Number of Records Submitted", load.total.to_string()),
        ("Records per Second", format!("{:.0}", load.total as f64 / took)),
        ("Average Submission Time", format!("{:.6} seconds", sum / times.len() as f64)),
        ("Shortest Submission Time", format!("{shortest:.6} seconds")),
        ("Longest Submission Time", format!("{longest:.6} seconds")),
    ] {
        writeln!(out, "{}{what}{}: {figure}", bold.0, bold.1)?;
    }
    Ok(())
}

impl Load {
    /// Sends so many messages over one connection; the seconds that each took.
    async fn send(&self, messages: usize) -> Result<Vec<f64>> {
        let mut times = Vec::with_capacity(messages);
        let mut connection = None;
        for _ in 0..messages {
            let began = self.sys.clock.monotonic();
            self.send_one(&mut connection).await?;
            times.push(self.sys.clock.monotonic().saturating_sub(began).as_secs_f64());
            self.progress();
        }
        Ok(times)
    }

    /// Sends the message; over a new connection where the last one broke.
    async fn send_one(&self, connection: &mut Option<net::TcpStream>) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.attempt(connection).await {
                Ok(()) => return Ok(()),
                Err(error) if tries == TRIES => {
                    return Err(error).with_context(|| format!("cannot send to {}", self.host));
                }
                Err(_) => (tries, *connection) = (tries + 1, None),
            }
        }
    }

    async fn attempt(&self, connection: &mut Option<net::TcpStream>) -> std::io::Result<()> {
        let stream = match connection {
            Some(stream) => stream,
            None => connection.insert(net::TcpStream::connect(&self.host).await?),
        };
        let mut rest = self.message.as_slice();
        while !rest.is_empty() {
            stream.writable().await?;
            match stream.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn progress(&self) {
        let sent = self.sent.fetch_add(self.multi, Ordering::Relaxed) + self.multi;
        if sent / self.step != (sent - self.multi) / self.step && sent < self.total {
            let seconds = self.sys.clock.monotonic().saturating_sub(self.began).as_secs_f64();
            let rate = sent as f64 / seconds;
            println!("{sent} records sent ({seconds:.2} seconds elapsed, {rate:.0} records per second)");
        }
    }
}
