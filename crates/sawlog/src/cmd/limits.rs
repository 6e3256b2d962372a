//! Limits that a tenant and a token may have, as options of a command. Knows nothing of whose they are.

use anyhow::{Context, Result, bail};
use clap::Args;
use sawlog_model::time::SECOND;
use sawlog_pipeline::config::{bytes, duration};

/// What may be brought and asked.
#[derive(Args)]
pub(super) struct LimitArgs {
    /// Bytes of lines a second, such as 1MiB
    #[arg(long, value_name = "BYTES")]
    bytes_per_second: Option<String>,
    /// Records a second
    #[arg(long, value_name = "N")]
    records_per_second: Option<u64>,
    /// Sources that rows may come from
    #[arg(long, value_name = "N")]
    sources: Option<u64>,
    /// Questions at once
    #[arg(long, value_name = "N")]
    queries: Option<u64>,
    /// Seconds that a question may take
    #[arg(long, value_name = "N")]
    query_seconds: Option<u64>,
    /// Bytes of memory that a question may use, such as 64MiB
    #[arg(long, value_name = "BYTES")]
    query_memory: Option<String>,
    /// Bytes on disk above which nothing more is taken, such as 10GiB
    #[arg(long, value_name = "BYTES")]
    stored_bytes: Option<String>,
    /// Names that fields of its rows may have
    #[arg(long, value_name = "N")]
    fields: Option<u64>,
    /// How long its rows are kept, such as 30d
    #[arg(long, value_name = "TIME")]
    keep: Option<String>,
    /// Bytes of segments that are kept, such as 10GiB; the oldest go first
    #[arg(long, value_name = "BYTES")]
    keep_bytes: Option<String>,
}

impl LimitArgs {
    /// Those that are given, as parameters of a request that says of what they are.
    pub(super) fn parameters(self, of: (&'static str, String)) -> Result<Vec<(&'static str, String)>> {
        let own = [
            ("bytes_per_second", size(self.bytes_per_second)?),
            ("records_per_second", self.records_per_second),
            ("sources", self.sources),
            ("queries", self.queries),
            ("query_seconds", self.query_seconds),
            ("query_memory", size(self.query_memory)?),
            ("stored_bytes", size(self.stored_bytes)?),
            ("fields", self.fields),
            ("keep_seconds", self.keep.map(seconds).transpose()?),
            ("keep_bytes", size(self.keep_bytes)?),
        ];
        let given = own.into_iter().filter_map(|(limit, most)| Some((limit, most?.to_string())));
        Ok(std::iter::once(of).chain(given).collect())
    }
}

/// A time as people write it, in seconds.
fn seconds(text: String) -> Result<u64> {
    match text.as_str() {
        "0" => Ok(0),
        text => match duration(text).map(|nanos| nanos / SECOND) {
            Some(seconds @ 1..) => Ok(seconds as u64),
            _ => bail!("`{text}` is no time of a second or more; write 30d"),
        },
    }
}

/// A number of bytes as people write it.
fn size(text: Option<String>) -> Result<Option<u64>> {
    text.map(|text| bytes(&text).with_context(|| format!("`{text}` is no size; write 10GiB"))).transpose()
}
