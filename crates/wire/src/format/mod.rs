//! Line formats: bytes of a source in, rows with times and named slots out. Knows nothing of files, sockets or positions:
//! it is told at which offset the bytes stand.

use bytes::Bytes;
use sawlog_model::{Limits, Nanos, Row, Slot};

/// How the lines of a source are to be read.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Name of the format; `None` detects it.
    pub format: Option<String>,
    /// Zone of times without one, as an IANA name or `+02:00`; `None` is UTC.
    pub timezone: Option<String>,
    /// Reference for times without a year: now, or the file's modification time on import.
    pub reference: Nanos,
    /// Time of rows that have none and none before them.
    pub fallback: Nanos,
    /// Whether lines are joined to events (stack traces, continuation lines). `None`: as the format says.
    pub multiline: Option<bool>,
}

/// Whether more bytes follow those given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum More {
    /// More will come: an unfinished line, and an event that its next line may continue, are held back.
    Yes,
    /// Nothing came for a while: whole lines are given, also as an event that might have gone on.
    Pause,
    /// This is the end for good: an unfinished last line is given too.
    No,
}

/// Rows found in a buffer.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Rows; spans point into the given buffer, `received` is 0.
    pub rows: Vec<Row>,
    /// Their slots; names are those of [`Parser::names`].
    pub slots: Vec<Slot>,
    /// Bytes of the buffer that the rows take; the caller gives the rest again, with more behind it.
    pub consumed: usize,
}

/// Reads the lines of one source, in order. Its state can be saved and restored, so that reading goes on after a restart
/// as if nothing had been.
pub struct Parser {}

impl Parser {
    /// A parser at the beginning of an epoch.
    pub fn new(_settings: Settings, _limits: Limits) -> Self {
        todo!()
    }

    /// Finds rows in `buffer`, whose first byte stands at `offset` of the source.
    pub fn parse(&mut self, _buffer: &Bytes, _offset: u64, _more: More) -> Parsed {
        todo!()
    }

    /// Names of slots; grows only.
    pub fn names(&self) -> std::sync::Arc<sawlog_model::Names> {
        todo!()
    }

    /// The format found or set, where it is known yet.
    pub fn format(&self) -> Option<&'static str> {
        todo!()
    }

    /// What [`Parser::restore`] needs: detected format, CSV header, zone, last time. At most 4 KiB.
    pub fn state(&self) -> Vec<u8> {
        todo!()
    }

    /// Goes on as the parser that gave `state` would have. Bytes that are not a state are ignored: it starts anew.
    pub fn restore(&mut self, _state: &[u8]) {
        todo!()
    }
}
