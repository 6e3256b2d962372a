//! What a running node says of itself: each input, filter and output with its counters. Filled by the pipeline, shown
//! by the API, the page and `sawlog status`; knows nothing of either.

/// The state of one input, filter or output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartStatus {
    /// `input`, `filter` or `output`.
    pub role: &'static str,
    /// Its name: protocol and address, path or the like.
    pub name: String,
    /// `running`, `waiting`, `stopped` or `failed`.
    pub state: &'static str,
    /// Records passed since the start.
    pub records: u64,
    /// Bytes passed since the start.
    pub bytes: u64,
    /// What could not be taken or parsed, by reason.
    pub errors: Vec<(String, u64)>,
    /// The last error in words.
    pub last_error: Option<String>,
}

/// Gives the status of a node, whenever asked.
pub trait NodeStatus: Send + Sync {
    /// Every part, inputs first.
    fn parts(&self) -> Vec<PartStatus>;
}
