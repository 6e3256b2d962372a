//! Fields that are put into every record: host, tag, time, worker.

use sawlog_model::time::SECOND;
use sawlog_model::{Nanos, RowRef, Value};
use sawlog_pipeline::Options;

use crate::shared::strftime::{self, TimeFormat};

/// How a time is written.
enum Time {
    /// Seconds with a fraction of six digits.
    Float,
    /// Whole units of so many nanoseconds.
    Count(i64),
    Text(TimeFormat),
}

/// What is injected; keys are empty where nothing is.
pub(super) struct Inject {
    host_key: String,
    host: String,
    worker_key: String,
    tag_key: String,
    time_key: String,
    time: Time,
}

impl Inject {
    pub fn new(options: &Options) -> Result<Inject, String> {
        let text = |name: &str| options.text(name).to_owned();
        let time = match options.text("inject.time_type") {
            "" | "float" => Time::Float,
            "unixtime" => Time::Count(SECOND),
            "unixtime_millis" => Time::Count(1_000_000),
            "unixtime_micros" => Time::Count(1_000),
            "unixtime_nanos" => Time::Count(1),
            "string" => {
                let zone = strftime::zone(options.text("inject.timezone"))?;
                Time::Text(match options.text("inject.time_format") {
                    "" => TimeFormat::iso8601(zone),
                    format => TimeFormat::new(format, zone),
                })
            }
            other => {
                return Err(format!(
                    "there is no time_type `{other}`; there are: float, unixtime, \
                unixtime_millis, unixtime_micros, unixtime_nanos, string"
                ));
            }
        };
        let host = match options.text("inject.hostname") {
            "" => sawlog_sys::host_name(),
            name => name.to_owned(),
        };
        Ok(Inject {
            host_key: text("inject.hostname_key"),
            host,
            worker_key: text("inject.worker_id_key"),
            tag_key: text("inject.tag_key"),
            time_key: text("inject.time_key"),
            time,
        })
    }

    /// The fields for a row.
    pub fn fields(&self, row: RowRef<'_>, tag: &str) -> Vec<(&str, Value)> {
        let mut fields = Vec::new();
        if !self.host_key.is_empty() {
            fields.push((&*self.host_key, Value::Str(self.host.clone())));
        }
        if !self.worker_key.is_empty() {
            fields.push((&*self.worker_key, Value::Int(0)));
        }
        if !self.tag_key.is_empty() {
            fields.push((&*self.tag_key, Value::Str(tag.to_owned())));
        }
        if !self.time_key.is_empty() {
            fields.push((&*self.time_key, self.time(row.row().time)));
        }
        fields
    }

    fn time(&self, time: Nanos) -> Value {
        match &self.time {
            Time::Float => Value::Float(time.div_euclid(1_000) as f64 / 1e6),
            Time::Count(unit) => Value::Int(time.div_euclid(*unit)),
            Time::Text(format) => Value::Str(format.text(time)),
        }
    }
}
