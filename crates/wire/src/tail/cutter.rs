//! The rows of one source: bytes of an epoch in, batches with addresses and the position after each out. The same for a
//! file that is followed and one that is imported. Knows nothing of files.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Batch, Context, KnownSource, Limits, Marks, Nanos, Row, SECOND, Source, Tenant};

use super::mark::{ANCHOR, Anchor, HEAD, Head, Mark};
use super::transcode::{Transcoded, Transcoder};
use crate::format::{More, Parser, Settings};

/// How far the time of a file may go on before the parser is told.
const REFERENCE_STEP: Nanos = 3600 * SECOND;

/// Bytes shown of a line that was left out.
const SHOWN: usize = 200;

/// What all rows of a source have in common.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub tenant: Tenant,
    pub source: Arc<Source>,
    pub context: Arc<Context>,
}

/// Cuts the bytes of one source into rows.
pub(crate) struct Cutter {
    pub origin: Origin,
    settings: Settings,
    limits: Limits,
    parser: Parser,
    /// When the file was last written to, as far as is known: the time of lines where none has one.
    written: Nanos,
    mark: Mark,
    /// The last bytes before the mark's offset, at most [`ANCHOR`].
    last: Vec<u8>,
    /// The first bytes of the epoch as far as they are rows, until there are [`HEAD`] of them.
    first: Vec<u8>,
    /// Bytes after the mark that are no row yet.
    held: Bytes,
    /// Lines that were left out since they are not of the configured form, and the last of them.
    dropped: (u64, Bytes),
    /// What the lines are written in, where that is not UTF-8, and how many were not.
    encoding: Option<Transcoder>,
    invalid: u64,
    /// A field that all rows get, and its value.
    added: Option<(String, String)>,
}

impl Cutter {
    /// At the beginning of a source, or of an epoch of it.
    pub(crate) fn new(origin: Origin, settings: Settings, limits: Limits, mark: Mark) -> Self {
        let mut parser = Parser::new(settings.clone(), limits);
        if !mark.format.is_empty() {
            parser.restore(&mark.format);
        }
        let written = settings.fallback;
        let (last, first, held) = (Vec::new(), Vec::new(), Bytes::new());
        let dropped = (0, Bytes::new());
        let (encoding, invalid, added) = (None, 0, None);
        Cutter {
            origin,
            settings,
            limits,
            parser,
            written,
            mark,
            last,
            first,
            held,
            dropped,
            encoding,
            invalid,
            added,
        }
    }

    /// Says what the lines are written in.
    pub(crate) fn set_encoding(&mut self, encoding: Option<Transcoder>) {
        self.encoding = encoding;
    }

    /// Gives all rows a field.
    pub(crate) fn add_field(&mut self, name: &str, value: &str) {
        self.added = Some((name.to_owned(), value.to_owned()));
    }

    /// Gives back what a mark does not hold of a source that is read on: the bytes before its offset (at most
    /// [`ANCHOR`]), and the first ones where there are fewer than [`HEAD`].
    pub(crate) fn set_bytes_before(&mut self, last: &[u8]) {
        self.last = last.to_vec();
        if self.mark.offset <= HEAD as u64 {
            self.first = last.to_vec();
        }
    }

    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(crate) fn known(&self) -> KnownSource {
        KnownSource { source: (*self.origin.source).clone(), position: self.mark.position() }
    }

    /// The format of the lines, where it is known.
    pub(crate) fn format(&self) -> Option<&'static str> {
        self.parser.format()
    }

    /// Bytes that are no row yet.
    pub(crate) fn held(&self) -> &Bytes {
        &self.held
    }

    /// Up to where bytes were given.
    pub(crate) fn end(&self) -> u64 {
        self.mark.offset + self.held.len() as u64
    }

    /// The last bytes before [`Cutter::end`], as many as are known, at most [`ANCHOR`].
    pub(crate) fn tail(&self) -> Vec<u8> {
        let held = &self.held[self.held.len().saturating_sub(ANCHOR)..];
        let more = (ANCHOR - held.len()).min(self.last.len());
        [&self.last[self.last.len() - more..], held].concat()
    }

    /// The last bytes before the mark, at most [`ANCHOR`].
    pub(crate) fn last(&self) -> &[u8] {
        &self.last
    }

    /// Forgets bytes that are no row yet: they are to be given again.
    pub(crate) fn drop_held(&mut self) {
        self.held = Bytes::new();
    }

    /// Whether a whole line is held back, for one that might go on with it.
    pub(crate) fn holds_lines(&self) -> bool {
        memchr::memchr(b'\n', &self.held).is_some()
    }

    /// The file was written to at `time`: years that its lines do not say are those up to then.
    pub(crate) fn set_written(&mut self, time: Nanos) {
        self.written = self.written.max(time);
        if time < self.settings.reference + REFERENCE_STEP {
            return;
        }
        self.settings.reference = time;
        let state = self.parser.state();
        self.parser = Parser::new(self.settings.clone(), self.limits);
        self.parser.restore(&state);
    }

    /// How many lines were left out since this was asked last, and the beginning of the last of them.
    pub(crate) fn take_dropped(&mut self) -> (u64, Bytes) {
        std::mem::take(&mut self.dropped)
    }

    /// How many lines since this was asked last are not of the encoding, and were left as they are.
    pub(crate) fn take_invalid(&mut self) -> u64 {
        std::mem::take(&mut self.invalid)
    }

    /// Begins the next epoch.
    pub(crate) fn begin_epoch(&mut self) {
        self.mark = self.mark.next_epoch();
        self.parser = Parser::new(self.settings.clone(), self.limits);
        (self.last, self.first, self.held) = (Vec::new(), Vec::new(), Bytes::new());
    }

    /// Says that nothing more can come of the source.
    pub(crate) fn set_done(&mut self) {
        self.mark.done = true;
    }

    /// Takes the bytes that follow those held, which `buffer` begins with; gives the rows that are whole now.
    pub(crate) fn cut(&mut self, buffer: Bytes, more: More, received: Nanos) -> Option<Batch> {
        let begin = self.mark.offset;
        let transcoded = self.encoding.map(|encoding| encoding.text(buffer.clone()));
        let text = transcoded.as_ref().map_or(&buffer, |transcoded| &transcoded.text).clone();
        let mut parsed = self.parser.parse(&text, begin, more);
        let taken =
            transcoded.as_ref().map_or(parsed.consumed, |transcoded| transcoded.origin(parsed.consumed));
        self.held = buffer.slice(taken..);
        self.dropped.0 += parsed.dropped.0;
        if let Some(line) = parsed.dropped.1.clone() {
            self.dropped.1 = text.slice(line.start..line.end.min(line.start + SHOWN));
        }
        if taken == 0 {
            return None;
        }
        self.advance(&buffer[..taken]);
        if let Some(transcoded) = &transcoded {
            self.invalid += transcoded.invalid(parsed.consumed);
            place(&mut parsed.rows, begin, transcoded);
        }
        if parsed.rows.is_empty() {
            return None;
        }
        if let Some((name, value)) = &self.added {
            let name = self.parser.name(name);
            parsed.add_field(text.len(), name, value.as_bytes());
        }
        for row in &mut parsed.rows {
            row.received = received;
            if row.marks.has(Marks::NO_TIME) && row.time == self.settings.fallback {
                row.time = if self.parser.estimates() { received } else { self.written };
            }
        }
        Some(Batch {
            tenant: self.origin.tenant,
            source: self.origin.source.clone(),
            epoch: self.mark.epoch,
            context: self.origin.context.clone(),
            buffer: parsed.whole(text),
            names: self.parser.names(),
            rows: parsed.rows,
            slots: parsed.slots,
            token: None,
        })
    }

    fn advance(&mut self, bytes: &[u8]) {
        if self.first.len() < HEAD && self.mark.offset == self.first.len() as u64 {
            self.first.extend_from_slice(&bytes[..bytes.len().min(HEAD - self.first.len())]);
            self.mark.head = Head::of(&self.first);
        }
        self.mark.hash.update(bytes);
        self.mark.offset += bytes.len() as u64;
        let kept = ANCHOR.saturating_sub(bytes.len()).min(self.last.len());
        self.last.drain(..self.last.len() - kept);
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(ANCHOR)..]);
        self.mark.anchor = Anchor::of(&self.last);
        self.mark.format = self.parser.state().into();
    }

    /// A small copy of what is held, so that a few bytes do not keep a large buffer.
    pub(crate) fn shrink(&mut self) {
        if !self.held.is_empty() {
            self.held = Bytes::copy_from_slice(&self.held);
        }
    }
}

/// Gives rows of a text that begins at `begin` the places that they have in the file.
fn place(rows: &mut [Row], begin: u64, transcoded: &Transcoded) {
    for row in rows {
        row.offset = begin + transcoded.origin((row.offset - begin) as usize) as u64;
    }
}
