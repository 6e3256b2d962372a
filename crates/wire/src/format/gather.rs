//! Lines that are a text only together, as a configuration says: up to the next line that begins one, or until they match.
//! Knows nothing of what is configured beside that.

use sawlog_model::Marks;

use super::line::Line;
use super::parse::Gathering;
use super::rows::{Cut, EVENT_BYTES, EVENT_LINES};
use super::{More, Parsed, Parser};

impl Parser {
    /// Rows of texts of one or more lines.
    pub(super) fn gathered(&mut self, how: Gathering, buffer: &[u8], offset: u64, more: More) -> Parsed {
        let mut parsed = Parsed::default();
        // Where the text begins that is being gathered, and how many lines it has.
        let mut text: Option<(usize, usize)> = None;
        let (mut at, mut last) = (0, (0, 0));
        while let Some(cut) = self.next_line(&buffer[at..], more) {
            let begins = how != Gathering::UntilMatch && {
                let line = &buffer[at..at + cut.text];
                let last = text.map(|_| &buffer[last.0..last.1]);
                self.chosen.as_mut().is_some_and(|(_, format)| format.begins(line, last))
            };
            last = (at, at + cut.text);
            if let Some((start, lines)) = text {
                let full = lines >= EVENT_LINES || at + cut.len - start > EVENT_BYTES.min(self.limits.event);
                if begins || full {
                    self.whole(buffer, (start, at), offset, &mut parsed);
                    text = None;
                }
            }
            let (start, lines) = text.unwrap_or((at, 0));
            at += cut.len;
            text = Some((start, lines + 1));
            let stands_alone = how == Gathering::ByFirstLine && lines == 0 && !begins;
            if stands_alone {
                // A line before the first that begins a text is no text.
                self.whole(buffer, (start, at), offset, &mut parsed);
                text = None;
            } else if how == Gathering::UntilMatch && self.matches(buffer, (start, at), offset, &mut parsed) {
                text = None;
            }
        }
        parsed.consumed = at;
        if let Some((start, _)) = text {
            if more == More::Yes {
                parsed.consumed = start;
            } else {
                self.whole(buffer, (start, at), offset, &mut parsed);
            }
        }
        parsed
    }

    /// A text as a row, be it of the configured form or not.
    fn whole(&mut self, buffer: &[u8], (start, end): (usize, usize), offset: u64, parsed: &mut Parsed) {
        let (line, cut) = text(buffer, start, end);
        let reading = self.read(line, &cut, buffer.len(), parsed);
        self.push(line, start, &cut, offset, reading, parsed);
    }

    /// A text as a row if it is of the configured form.
    fn matches(
        &mut self,
        buffer: &[u8],
        (start, end): (usize, usize),
        offset: u64,
        parsed: &mut Parsed,
    ) -> bool {
        let (line, cut) = text(buffer, start, end);
        let reading = self.read(line, &cut, buffer.len(), parsed);
        let found = !reading.marks.has(Marks::UNPARSED);
        if found {
            self.push(line, start, &cut, offset, reading, parsed);
        }
        found
    }
}

/// A text without its last terminator.
fn text(buffer: &[u8], start: usize, end: usize) -> (Line<'_>, Cut) {
    let bytes = sawlog_model::strip_terminator(&buffer[start..end]);
    (Line { bytes, start }, Cut { len: end - start, text: bytes.len(), cut: false })
}
