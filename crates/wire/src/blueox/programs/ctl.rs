//! `oxctl`: how a node is doing; `oxctl shutdown`, `oxctl forward HOST:PORT`. Knows nothing of events.

use std::io::Write;

use jiff::tz::TimeZone;
use sawlog_model::{Nanos, Value};
use sawlog_sys::{Sys, task};

use super::flags::{self, Flag};
use super::json::{self, Layout};
use super::{Failure, failed, link, usage};
use crate::shared::record::plain_text;

const FLAGS: &[Flag] = &[
    Flag { short: 'v', long: "verbose", value: "", help: "say on standard error why there is no connection" },
    Flag {
        short: 'H',
        long: "host",
        value: "HOST[:PORT]",
        help: "the node's control port (127.0.0.1:3513, or BLUEOX_CLIENT_HOST)",
    },
    Flag { short: 'r', long: "raw", value: "", help: "the answer as JSON" },
];

const HEAD: &str = "oxctl [options] [status | shutdown | forward HOST[:PORT]]";

pub(super) fn run(arguments: &[String], sys: &Sys) -> Result<u8, Failure> {
    let Some(given) = flags::read(HEAD, arguments, FLAGS)? else { return Ok(0) };
    let words: Vec<&str> = given.rest.iter().map(String::as_str).collect();
    let address = link::control(&given);
    let to;
    let request: &[(&str, &str)] = match words.as_slice() {
        [] | ["status"] => &[("cmd", "STATUS")],
        ["shutdown"] => &[("cmd", "SHUTDOWN")],
        ["forward", address] => {
            to = link::with_port(address, 3514);
            &[("cmd", "FORWARD"), ("to", &to)]
        }
        other => return Err(usage(format!("there is no command `{}`: {HEAD}", other.join(" ")))),
    };
    let runtime = task::runtime("oxctl", 1)?;
    let answer = runtime.block_on(link::ask(&address, request)).map_err(|error| {
        if given.has("verbose") {
            eprintln!("oxctl: {error}");
        }
        failed("Error connecting to server")
    })?;
    if let Some(error) = answer.get("error") {
        return Err(failed(format!("{address}: {}", String::from_utf8_lossy(&plain_text(error)))));
    }
    let mut out = std::io::stdout().lock();
    if given.has("raw") || request[0].1 != "STATUS" {
        let mut text = String::new();
        json::dump(&answer, Layout::Line, 0, &mut text);
        writeln!(out, "{text}")?;
    } else {
        write!(out, "{}", status(&address, &answer, sys.clock.now(), &TimeZone::system()))?;
    }
    Ok(0)
}

/// The answer to STATUS for people.
pub(super) fn status(address: &str, answer: &Value, now: Nanos, zone: &TimeZone) -> String {
    let seconds = |value: &Value| match value.get("last") {
        Some(Value::Float(last)) => Some(*last),
        _ => None,
    };
    let ago = |last: f64| (now as f64 / 1e9 - last) as i64;
    let mut out = format!("Host: {address}\n");
    if let Some(last) = seconds(answer) {
        out.push_str(&format!("Last: {} ({} secs ago)\n", date(last, zone), ago(last)));
    }
    if let Some(Value::Float(lag)) = answer.get("lag") {
        out.push_str(&format!("Lag: {lag:.6} secs\n"));
    }
    for part in ["hosts", "events"] {
        out.push('\n');
        let Some(Value::Map(entries)) = answer.get(part) else { continue };
        for (name, value) in entries {
            let name = String::from_utf8_lossy(&plain_text(name)).into_owned();
            let last = seconds(value).unwrap_or_default();
            out.push_str(&format!("  {name:>32}  Last {} ({} secs ago)\n", date(last, zone), ago(last)));
        }
    }
    out
}

/// As Python prints a local time.
fn date(seconds: f64, zone: &TimeZone) -> String {
    let micros = jiff::Timestamp::from_microsecond((seconds * 1e6).round() as i64).unwrap_or_default();
    let time = micros.to_zoned(zone.clone());
    let shape = if micros.subsec_microsecond() == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S.%6f" };
    time.strftime(shape).to_string()
}
