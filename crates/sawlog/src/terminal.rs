//! What a person sees: colours on a terminal and none in a pipe, control characters shown and never passed on. Knows
//! nothing of where records come from.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

/// Whether standard output is a terminal that wants colours (`NO_COLOR` is honoured).
pub(crate) fn wants_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns and lines of the terminal; `None` where standard output is none.
pub(crate) fn size() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(io::stdout())?;
    Some((width.0.into(), height.0.into()))
}

/// Whether the failure is only that nobody reads our output any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Text with control characters (escape sequences above all) made visible, so that a log line cannot drive the terminal.
/// Tabs stay.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push('\t'),
            // Directional marks can make a line read as something else.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A number of bytes for people: `41.2 MB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// A count for people: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Colours by meaning, as in the page: level and match.
pub(crate) mod colour {
    /// Times and sources step back.
    pub(crate) const FAINT: &str = "\x1b[2m";
    /// Errors.
    pub(crate) const ERROR: &str = "\x1b[31m";
    /// Warnings.
    pub(crate) const WARNING: &str = "\x1b[33m";
    /// What a person looks at first.
    pub(crate) const ACCENT: &str = "\x1b[36m";
    /// Back to normal.
    pub(crate) const END: &str = "\x1b[0m";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_would_drive_the_terminal() {
        assert_eq!(visible("a\x1b[31mb\x07\tc\u{202e}"), "a\\x1b[31mb\\x07\tc\\u{202e}");
    }

    #[test]
    fn writes_numbers_for_people() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(41_200_000), "41.2 MB");
        assert_eq!(bytes(999), "999 B");
    }
}
