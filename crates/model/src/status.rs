//! What a running node says of itself: each input, filter and output with its counters. Filled by the pipeline, shown
//! by the API, the page, `sawlog status` and the listener of a leaf node; knows nothing of either.

use std::fmt::{self, Write};

use crate::Value;

/// The state of one input, filter or output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartStatus {
    /// `input`, `filter` or `output`.
    pub role: &'static str,
    /// Its name: protocol and address, path or the like.
    pub name: String,
    /// `running`, `waiting` (it has work from before to do), `retrying` (its other side does not take anything) or `stopped`.
    pub state: &'static str,
    /// Records passed since the start.
    pub records: u64,
    /// Bytes passed since the start.
    pub bytes: u64,
    /// Records that passed in a second, between the last two times that somebody asked.
    pub records_per_second: f64,
    /// Bytes likewise.
    pub bytes_per_second: f64,
    /// Records among these of a sender that is told nothing, or for a receiver that says nothing, where another one would be or
    /// would: what was under way when such a connection broke is lost.
    pub best_effort: u64,
    /// What could not be taken or parsed, by reason.
    pub errors: Vec<(String, u64)>,
    /// The last error in words.
    pub last_error: Option<String>,
    /// Of an output: bytes of the journal that wait for it.
    pub queue_bytes: u64,
    /// Of an output: seconds since the oldest row was received that it has not got; 0 where it has all.
    pub lag_seconds: f64,
    /// Of an output: how often it was, or by itself tried, in vain.
    pub retries: u64,
    /// Of an output: rows among the dead letters.
    pub dead: u64,
}

impl PartStatus {
    /// Whether it does what it is for.
    pub fn is_up(&self) -> bool {
        matches!(self.state, "running" | "waiting")
    }

    /// As a map, for JSON.
    pub fn value(&self) -> Value {
        let number = |number: u64| i64::try_from(number).map_or(Value::UInt(number), Value::Int);
        let errors = self.errors.iter().map(|(reason, count)| (Value::Str(reason.clone()), number(*count)));
        let mut pairs = vec![
            ("role", Value::Str(self.role.to_owned())),
            ("name", Value::Str(self.name.clone())),
            ("state", Value::Str(self.state.to_owned())),
            ("records", number(self.records)),
            ("bytes", number(self.bytes)),
            ("records_per_second", Value::Float(self.records_per_second)),
            ("bytes_per_second", Value::Float(self.bytes_per_second)),
            ("errors", Value::Map(errors.collect())),
            ("last_error", self.last_error.clone().map_or(Value::Nil, Value::Str)),
        ];
        if self.best_effort > 0 {
            pairs.push(("best_effort", number(self.best_effort)));
        }
        if self.role == "output" {
            pairs.push(("queue_bytes", number(self.queue_bytes)));
            pairs.push(("lag_seconds", Value::Float(self.lag_seconds)));
            pairs.push(("retries", number(self.retries)));
            pairs.push(("dead", number(self.dead)));
        }
        Value::Map(pairs.into_iter().map(|(name, value)| (Value::Str(name.to_owned()), value)).collect())
    }
}

/// A page of counters in Prometheus's text form.
#[derive(Default)]
pub struct Metrics {
    /// What is written so far.
    pub text: String,
    family: &'static str,
}

impl Metrics {
    /// Begins a family of samples; `kind` is `counter`, `gauge` or `histogram`.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    /// A sample of the family.
    pub fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        for (at, (name, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}{name}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    /// Everything about inputs, filters and outputs.
    pub fn parts(&mut self, parts: &[PartStatus]) {
        self.each(
            "sawlog_part_records_total",
            "counter",
            "Records that passed an input, filter or output.",
            parts,
            |part| part.records,
        );
        self.each(
            "sawlog_part_bytes_total",
            "counter",
            "Bytes that passed an input, filter or output.",
            parts,
            |part| part.bytes,
        );
        let help = "Records of senders that are told nothing, or for receivers that say nothing, where others would be or would.";
        self.each("sawlog_part_best_effort_records_total", "counter", help, parts, |part| part.best_effort);
        self.family("sawlog_part_errors_total", "counter", "What could not be taken or parsed, by reason.");
        for part in parts {
            for (reason, count) in &part.errors {
                self.sample("", &[("role", part.role), ("part", &part.name), ("reason", reason)], count);
            }
        }
        let help = "1 where an input, filter or output runs or waits for work, else 0.";
        self.each("sawlog_part_up", "gauge", help, parts, |part| u8::from(part.is_up()));
        let outputs: Vec<_> = parts.iter().filter(|part| part.role == "output").cloned().collect();
        let help = "Bytes of the journal that wait for an output.";
        self.each("sawlog_output_queue_bytes", "gauge", help, &outputs, |part| part.queue_bytes);
        let help = "Seconds since the oldest row was received that an output has not got.";
        self.each("sawlog_output_lag_seconds", "gauge", help, &outputs, |part| part.lag_seconds);
        let help = "How often an output was, or by itself tried, in vain.";
        self.each("sawlog_output_retries_total", "counter", help, &outputs, |part| part.retries);
        let help = "Rows of an output among the dead letters.";
        self.each("sawlog_output_dead_records", "gauge", help, &outputs, |part| part.dead);
    }

    fn each<T: fmt::Display>(
        &mut self,
        name: &'static str,
        kind: &str,
        help: &str,
        parts: &[PartStatus],
        value: impl Fn(&PartStatus) -> T,
    ) {
        self.family(name, kind, help);
        for part in parts {
            self.sample("", &[("role", part.role), ("part", &part.name)], value(part));
        }
    }
}

/// Gives the status of a node, whenever asked.
pub trait NodeStatus: Send + Sync {
    /// Every part, inputs first.
    fn parts(&self) -> Vec<PartStatus>;
}
