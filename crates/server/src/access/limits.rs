//! What a tenant, or one of its tokens, may bring, hold and ask, by name. Knows nothing of who counts it.

use serde::{Deserialize, Serialize};

/// What a tenant may bring, hold and ask; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of lines a second.
    #[serde(skip_serializing_if = "is_none")]
    pub bytes_per_second: u64,
    /// Records a second.
    #[serde(skip_serializing_if = "is_none")]
    pub records_per_second: u64,
    /// Bytes on disk; above it nothing more is taken until some are gone.
    #[serde(skip_serializing_if = "is_none")]
    pub stored_bytes: u64,
    /// Questions that are answered at once.
    #[serde(skip_serializing_if = "is_none")]
    pub queries: u64,
    /// Seconds that one question may take.
    #[serde(skip_serializing_if = "is_none")]
    pub query_seconds: u64,
    /// Bytes of memory that one question may use.
    #[serde(skip_serializing_if = "is_none")]
    pub query_memory: u64,
    /// Sources that its rows may come from.
    #[serde(skip_serializing_if = "is_none")]
    pub sources: u64,
    /// Names that fields of its rows may have.
    #[serde(skip_serializing_if = "is_none")]
    pub fields: u64,
    /// Seconds for which its rows are kept.
    #[serde(skip_serializing_if = "is_none")]
    pub keep_seconds: u64,
    /// Bytes of segments that are kept, the oldest go first.
    #[serde(skip_serializing_if = "is_none")]
    pub keep_bytes: u64,
}

fn is_none(limit: &u64) -> bool {
    *limit == 0
}

impl Limits {
    /// Whether rows that came with a token of these limits are to be told from others.
    pub(crate) fn marks(&self) -> bool {
        self.keep_seconds.max(self.keep_bytes).max(self.stored_bytes) > 0
    }

    /// Every limit by its name.
    pub(crate) fn each(&mut self) -> [(&'static str, &mut u64); 10] {
        [
            ("bytes_per_second", &mut self.bytes_per_second),
            ("records_per_second", &mut self.records_per_second),
            ("stored_bytes", &mut self.stored_bytes),
            ("queries", &mut self.queries),
            ("query_seconds", &mut self.query_seconds),
            ("query_memory", &mut self.query_memory),
            ("sources", &mut self.sources),
            ("fields", &mut self.fields),
            ("keep_seconds", &mut self.keep_seconds),
            ("keep_bytes", &mut self.keep_bytes),
        ]
    }
}
