//! Limits that a tenant and a token may have, as options of a command. Knows nothing of whose they are.

use anyhow::{Context, Result};
use clap::Args;
use sawlog_pipeline::config::bytes;

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
}

impl LimitArgs {
    /// Those that are given, and `more`, as parameters of a request that says of what they are.
    pub(super) fn parameters(
        self,
        of: (&'static str, String),
        more: &[(&'static str, Option<u64>)],
    ) -> Result<Vec<(&'static str, String)>> {
        let own = [
            ("bytes_per_second", size(self.bytes_per_second)?),
            ("records_per_second", self.records_per_second),
            ("sources", self.sources),
            ("queries", self.queries),
            ("query_seconds", self.query_seconds),
            ("query_memory", size(self.query_memory)?),
        ];
        let given = own.iter().chain(more).filter_map(|(limit, most)| Some((*limit, (*most)?.to_string())));
        Ok(std::iter::once(of).chain(given).collect())
    }
}

/// A number of bytes as people write it.
pub(super) fn size(text: Option<String>) -> Result<Option<u64>> {
    text.map(|text| bytes(&text).with_context(|| format!("`{text}` is no size; write 10GiB"))).transpose()
}
