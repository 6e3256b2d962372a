//! `sawlog events TYPE*`: application events as trees on a time line, from the running node or from the directory.

use std::io::{BufRead, BufReader, BufWriter, Write};

use anyhow::{Context, Result};
use clap::Args;
use sawlog_sys::Sys;
use serde_json::Value;

use super::DataArg;
use crate::node::local::{self, EventsQuestion};
use crate::reach;
use crate::terminal::{self, colour};

/// Letters of the time line.
const BAR: usize = 32;
/// A longer name is cut.
const NAME_MOST: usize = 48;

/// Show application events and what happened within them, newest first
#[derive(Args)]
pub(crate) struct Events {
    /// Types, with `*` for any part: `request`, 'request*', '*.sql'; without one, all
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// The one tree that has this id
    #[arg(long, conflicts_with = "types")]
    id: Option<String>,
    /// That ended from this time on: RFC 3339, or how long ago (`2h`, `30m`, `7d`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// That ended before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many trees
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// One tree a line, as a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

impl Events {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let look = Look { colour: terminal::wants_colour(), width: terminal::size().map(|(width, _)| width) };
        let types = self.types.join(",");
        let lines: Box<dyn BufRead> = if let Some(node) = reach::running(&sys, &self.data)? {
            let given = [
                ("type", Some(types).filter(|types| !types.is_empty())),
                ("id", self.id),
                ("start", self.since),
                ("end", self.until),
                ("limit", Some(self.limit.to_string())),
            ];
            let query: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            Box::new(node.get("/api/v1/events", &query)?)
        } else {
            let Events { id, since, until, limit, .. } = self;
            let question = EventsQuestion { types, id, since, until, limit };
            Box::new(BufReader::new(local::ask_events(&sys, &self.data.data, question)?))
        };
        for (index, line) in lines.lines().enumerate() {
            let line = line.context("the answer broke off")?;
            if self.json {
                writeln!(out, "{line}")?;
                continue;
            }
            if index > 0 {
                writeln!(out)?;
            }
            look.draw(&serde_json::from_str(&line).context("a tree is not JSON")?, &mut out)?;
        }
        Ok(out.flush()?)
    }
}

/// How trees are drawn.
struct Look {
    colour: bool,
    /// Letters of a line of the terminal; lines in a pipe are not cut.
    width: Option<usize>,
}

impl Look {
    /// A tree: a line for each event with its name, how long it took, when that was, and what it says.
    fn draw(&self, tree: &Value, out: &mut impl Write) -> Result<()> {
        let events: &[Value] = tree["events"].as_array().map_or(&[], Vec::as_slice);
        let total = tree["seconds"].as_f64().unwrap_or_default();
        let names = names(events);
        let room = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().min(NAME_MOST);
        for (event, name) in events.iter().zip(&names) {
            let number = |key: &str| event[key].as_f64().unwrap_or_default();
            let (after, seconds) = (number("after"), number("seconds"));
            let mut head = format!("{:room$}  {:>8}  ", cut(name, room), duration(seconds));
            let words = if number("depth") == 0.0 { origin(tree, event) } else { pairs(&event["body"]) };
            let used = head.chars().count() + BAR + 2;
            let words = self.width.map_or(words.clone(), |width| cut(&words, width.saturating_sub(used)));
            let bar = bar(after, seconds, total);
            let (mut line, mut dim) = (bar, words);
            if self.colour {
                line = format!("{}{line}{}", tint(event).unwrap_or(colour::ACCENT), colour::END);
                dim = format!("{}{dim}{}", colour::FAINT, colour::END);
                if let Some(tint) = tint(event) {
                    head = format!("{tint}{head}{}", colour::END);
                }
            }
            writeln!(out, "{}", format!("{head}{line}  {dim}").trim_end())?;
        }
        if tree["cut"] == true {
            writeln!(out, "… and more than one answer holds; ask for a shorter time or one --id")?;
        }
        Ok(())
    }
}

/// The names, indented; what an event's name repeats of that of the event above is left out.
fn names(events: &[Value]) -> Vec<String> {
    let mut above: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    for event in events {
        let depth = event["depth"].as_u64().unwrap_or_default() as usize;
        let kind = event["type"].as_str().unwrap_or_default();
        above.truncate(depth);
        let own =
            above.last().and_then(|parent| kind.strip_prefix(*parent)).filter(|own| own.starts_with('.'));
        names.push(format!("{}{}", "  ".repeat(depth.min(16)), terminal::visible(own.unwrap_or(kind))));
        above.push(kind);
    }
    names
}

/// When, which tree and where: the id comes early, since it is what the next question needs.
fn origin(tree: &Value, event: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words = format!(
        "{}  {}  {}:{}  {}",
        milliseconds(&text(&event["time"])),
        text(&tree["id"]),
        text(&event["host"]),
        event["pid"],
        pairs(&event["body"])
    );
    terminal::visible(&words)
}

/// A time without the digits that nobody reads.
fn milliseconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 4 && fraction.ends_with('Z') => {
            format!("{whole}.{}Z", fraction.get(..3).unwrap_or_default())
        }
        _ => time.to_owned(),
    }
}

/// What a body says, flat: `response.status=200`.
fn pairs(body: &Value) -> String {
    fn add(prefix: &str, value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                    add(&name, value, out);
                }
            }
            Value::Null if prefix.is_empty() => {}
            Value::String(text) => out.push(format!("{prefix}={text}")),
            other => out.push(format!("{prefix}={other}")),
        }
    }
    let mut out = Vec::new();
    add("", body, &mut out);
    terminal::visible(&out.join(" "))
}

/// The colour of a line of a log that tells of trouble, and of what ended by an exception.
fn tint(event: &Value) -> Option<&'static str> {
    let level = event["body"]["level"].as_str().unwrap_or_default().to_ascii_lowercase();
    match level.as_str() {
        "error" | "critical" | "fatal" => Some(colour::ERROR),
        "warn" | "warning" => Some(colour::WARNING),
        _ => event["body"]["exception"].is_string().then_some(colour::ERROR),
    }
}

/// When in the whole something was, in letters; what takes no time has one, too.
fn bar(after: f64, seconds: f64, total: f64) -> String {
    let place = |at: f64| if total > 0.0 { (at / total * BAR as f64).clamp(0.0, BAR as f64) } else { 0.0 };
    let from = ((place(after) + 1e-6) as usize).min(BAR - 1);
    // What floats add beyond a letter's end is no letter of its own.
    let to = ((place(after + seconds) - 1e-6).ceil() as usize).clamp(from + 1, BAR);
    let sign = if seconds > 0.0 { "━" } else { "╵" };
    format!("{}{}{}", " ".repeat(from), sign.repeat(to - from), " ".repeat(BAR - to))
}

/// `850 µs`, `12.3 ms`, `1.20 s`, `2 m 05 s`.
fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds <= 0.0 => String::new(),
        _ if seconds < 0.000_999_5 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 0.999_5 => format!("{:.1} ms", seconds * 1e3),
        _ if seconds < 59.995 => format!("{seconds:.2} s"),
        _ => {
            let whole = seconds.round() as u64;
            format!("{} m {:02} s", whole / 60, whole % 60)
        }
    }
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    if room == 0 { kept } else { format!("{kept}…") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn drawn(look: &Look, tree: &Value) -> String {
        let mut out = Vec::new();
        look.draw(tree, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn request() -> Value {
        let event = |depth, kind: &str, after: f64, seconds: f64, body| {
            json!({"depth": depth, "type": kind, "after": after, "seconds": seconds, "body": body,
                "time": "2026-11-21T08:00:00.123456789Z", "host": "web", "pid": 7})
        };
        json!({"id": "6b00", "start": 1.0, "seconds": 0.032, "events": [
            event(0, "request", 0.0, 0.032, json!({"user": 7})),
            event(1, "request.load", 0.008, 0.016, json!({})),
            event(2, "request.load.sql", 0.008, 0.0004, json!({"query": "SELECT\u{1b}", "n": {"rows": 3}})),
            event(1, "other", 0.03, 0.002, Value::Null),
            event(1, "request.log", 0.032, 0.0, json!({"level": "ERROR"})),
        ]})
    }

    #[test]
    fn a_tree_is_drawn_with_names_durations_and_a_time_line() {
        let line = |name: &str, took: &str, from: usize, bar: &str, words: &str| {
            let rest = BAR - from - bar.chars().count();
            let whole =
                format!("{name:8}  {took:>8}  {}{bar}{}  {words}", " ".repeat(from), " ".repeat(rest));
            format!("{}\n", whole.trim_end())
        };
        let expected = [
            line("request", "32.0 ms", 0, &"━".repeat(32), "2026-11-21T08:00:00.123Z  6b00  web:7  user=7"),
            line("  .load", "16.0 ms", 8, &"━".repeat(16), ""),
            line("    .sql", "400 µs", 8, "━", "query=SELECT\\x1b n.rows=3"),
            line("  other", "2.0 ms", 30, "━━", ""),
            line("  .log", "", 31, "╵", "level=ERROR"),
        ];
        assert_eq!(drawn(&Look { colour: false, width: None }, &request()), expected.concat());
    }

    #[test]
    fn a_terminal_gets_colours_and_lines_that_fit() {
        let got = drawn(&Look { colour: true, width: Some(70) }, &request());
        let error = got.lines().last().unwrap();
        assert!(error.starts_with(colour::ERROR), "{error:?}");
        let bare = drawn(&Look { colour: false, width: Some(70) }, &request());
        assert!(bare.lines().all(|line| line.chars().count() <= 70), "{bare}");
        assert!(bare.lines().next().unwrap().ends_with('…'), "{bare}");
    }

    #[test]
    fn durations_are_for_people() {
        let cases = [
            (0.0, ""),
            (2e-6, "2 µs"),
            (0.0123, "12.3 ms"),
            (1.2, "1.20 s"),
            (59.999, "1 m 00 s"),
            (125.0, "2 m 05 s"),
        ];
        for (seconds, words) in cases {
            assert_eq!(duration(seconds), words);
        }
    }
}
