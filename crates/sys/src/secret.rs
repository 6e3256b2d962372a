//! Words that nobody is to see: typed at a terminal without being shown, or read from whatever else standard input is. Knows nothing of
//! what they are for.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{self, LocalModes, OptionalActions};

/// Longest line, bytes.
const MOST: u64 = 64 << 10;

/// The next line of standard input. Where that is a terminal, asks with `prompt` and shows nothing of what is typed.
///
/// # Errors
/// As the system says; where there is no line, or it was broken off by Ctrl-C.
pub fn read(prompt: &str) -> io::Result<String> {
    let input = io::stdin();
    if !input.is_terminal() {
        return line(&mut input.lock());
    }
    eprint!("{prompt}: ");
    io::stderr().flush()?;
    let before = termios::tcgetattr(&input)?;
    let mut quiet = before.clone();
    // Ctrl-C comes as a character, so that the terminal is always put back.
    quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
    termios::tcsetattr(&input, OptionalActions::Flush, &quiet)?;
    let typed = line(&mut input.lock());
    termios::tcsetattr(&input, OptionalActions::Flush, &before)?;
    eprintln!();
    typed
}

fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(input, MOST).read_line(&mut line)?;
    if line.contains('\u{3}') {
        return Err(io::ErrorKind::Interrupted.into());
    }
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.strip_suffix('\r').unwrap_or(line).to_owned()),
        None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
        None => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_line_without_its_end() {
        let read = |text: &str| line(&mut text.as_bytes()).map_err(|error| error.kind());
        assert_eq!(read("a b\r\nc\n"), Ok("a b".to_owned()));
        assert_eq!(read("last"), Ok("last".to_owned()));
        assert_eq!(read(""), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(read("ab\u{3}\n"), Err(io::ErrorKind::Interrupted));
    }
}
