//! A parser's state as bytes: what the lines read so far mean for those to come.
//!
//! ```text
//! version u8 | flags u8 (1 inside a cut line, 2 a last time, 4 a format) | last time i64 LE, where flagged
//! | length u8 and name of the format, where flagged | the format's own state
//! ```

use std::sync::Arc;

use sawlog_model::Nanos;

use super::Parser;
use super::detect::{self, FORMATS, Sample};

const VERSION: u8 = 1;
const INSIDE: u8 = 1;
const TIME: u8 = 2;
const FORMAT: u8 = 4;

impl Parser {
    /// What [`Parser::restore`] needs: detected format, CSV header, last time. At most 4 KiB.
    pub fn state(&self) -> Vec<u8> {
        let mut flags = 0;
        let mut state = vec![VERSION, 0];
        if self.inside {
            flags |= INSIDE;
        }
        if let Some(time) = self.last {
            flags |= TIME;
            state.extend_from_slice(&time.to_le_bytes());
        }
        if let Some((name, format)) = &self.chosen {
            flags |= FORMAT;
            state.push(name.len() as u8);
            state.extend_from_slice(name.as_bytes());
            format.save(&mut state);
        }
        state[1] = flags;
        state
    }

    /// Goes on as the parser that gave `state` would have. Bytes that are not a state are ignored: it starts anew. So is
    /// the state of another format than the one set.
    pub fn restore(&mut self, state: &[u8]) {
        let Some(read) = read(state) else { return };
        self.inside = read.inside;
        self.last = read.last;
        let Some((name, own)) = read.format else { return };
        if self.settings.parse.as_ref().is_some_and(|spec| !spec.is_auto()) {
            return;
        }
        let Some(number) = FORMATS.iter().position(|format| format.name.as_bytes() == name) else { return };
        let set = self.settings.format.as_deref().and_then(detect::by_name);
        if set.is_some_and(|set| set != number) {
            return;
        }
        let mut format = detect::make(number, Arc::make_mut(&mut self.names), &Sample::new(Vec::new()));
        format.restore(own, &mut self.names, self.limits.names);
        self.chosen = Some((FORMATS[number].name, format));
    }
}

/// A state taken apart.
struct State<'a> {
    inside: bool,
    last: Option<Nanos>,
    /// Its name and own state.
    format: Option<(&'a [u8], &'a [u8])>,
}

fn read(state: &[u8]) -> Option<State<'_>> {
    let [VERSION, flags, rest @ ..] = state else { return None };
    let (mut rest, mut last, mut format) = (rest, None, None);
    if flags & TIME != 0 {
        let (time, behind) = rest.split_first_chunk()?;
        (last, rest) = (Some(Nanos::from_le_bytes(*time)), behind);
    }
    if flags & FORMAT != 0 {
        let (len, behind) = rest.split_first()?;
        let (name, own) = behind.split_at_checked(usize::from(*len))?;
        format = Some((name, own));
    }
    Some(State { inside: flags & INSIDE != 0, last, format })
}
