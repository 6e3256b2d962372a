//! Bytes of a file in another encoding as UTF-8, line by line, with the place that each line has in the file: positions
//! stay those of the file's own bytes. Knows nothing of rows.

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Names that Ruby and Python have for encodings whose usual label is another one.
const ALIASES: &[(&str, &str)] = &[
    ("ascii-8bit", "utf-8"),
    ("binary", "utf-8"),
    ("us-ascii", "utf-8"),
    ("ascii", "utf-8"),
    ("cp932", "windows-31j"),
    ("cp936", "gbk"),
    ("cp949", "windows-949"),
    ("cp950", "big5"),
    ("euc-jp-ms", "euc-jp"),
    ("eucjp-ms", "euc-jp"),
    ("koi8r", "koi8-r"),
    ("latin-1", "latin1"),
];

/// What lines are written in, where that is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transcoder(&'static Encoding);

/// Text, and where it comes from.
pub(crate) struct Transcoded {
    /// The text; lines that are not of the encoding as they are.
    pub text: Bytes,
    from: Bytes,
    encoding: &'static Encoding,
    /// Of each line where it ends: in the file's bytes, and in the text. Empty where both are the same.
    lines: Vec<Line>,
}

struct Line {
    from: usize,
    text: usize,
    invalid: bool,
}

impl Transcoder {
    /// That of a name as Fluentd, Beaver and the web know it; `None` where it is UTF-8, which needs none. Bytes of which
    /// nothing is said (`ASCII-8BIT`) are left as they are, too.
    ///
    /// # Errors
    /// In words, where there is no such encoding.
    pub fn named(name: &str) -> Result<Option<Transcoder>, String> {
        let plain = name.trim().to_ascii_lowercase().replace('_', "-");
        let label =
            ALIASES.iter().find(|(alias, _)| *alias == plain).map_or(plain.as_str(), |(_, label)| label);
        let known = Encoding::for_label_no_replacement(label.as_bytes());
        let encoding = known.ok_or_else(|| {
            format!("there is no encoding `{name}`; write its name as the web knows it, such as shift_jis or iso-8859-1")
        })?;
        Ok((encoding != UTF_8).then_some(Transcoder(encoding)))
    }

    /// The bytes as text. The last line need not be whole.
    pub(crate) fn text(self, from: Bytes) -> Transcoded {
        if self.0.is_ascii_compatible() && from.is_ascii() {
            return Transcoded { text: from.clone(), from, encoding: self.0, lines: Vec::new() };
        }
        let (mut text, mut lines) = (Vec::with_capacity(from.len() + from.len() / 4), Vec::new());
        let mut start = 0;
        while start < from.len() {
            let end = self.line_end(&from, start);
            let bytes = &from[start..end];
            let decoded = self.0.decode_without_bom_handling_and_without_replacement(bytes);
            text.extend_from_slice(decoded.as_ref().map_or(bytes, |text| text.as_bytes()));
            lines.push(Line { from: end, text: text.len(), invalid: decoded.is_none() });
            start = end;
        }
        Transcoded { text: text.into(), from, encoding: self.0, lines }
    }

    /// Behind the line break of the line that begins at `start`, or the end.
    fn line_end(self, bytes: &[u8], start: usize) -> usize {
        let rest = &bytes[start..];
        let wide = |line_break: [u8; 2]| {
            let at = rest.chunks_exact(2).position(|unit| unit == line_break);
            at.map(|at| 2 * at + 2)
        };
        let len = match self.0 {
            encoding if encoding == UTF_16LE => wide([b'\n', 0]),
            encoding if encoding == UTF_16BE => wide([0, b'\n']),
            // In every other encoding the byte of a line break is nothing else.
            _ => memchr::memchr(b'\n', rest).map(|at| at + 1),
        };
        len.map_or(bytes.len(), |len| start + len)
    }
}

impl Transcoded {
    /// Where in the file's bytes stands what is at `at` in the text. A place within a character is that behind it.
    pub(crate) fn origin(&self, at: usize) -> usize {
        let index = self.lines.partition_point(|line| line.text <= at);
        let before =
            index.checked_sub(1).map_or((0, 0), |index| (self.lines[index].from, self.lines[index].text));
        if before.1 == at {
            return before.0;
        }
        match self.lines.get(index) {
            None => before.0 + (at - before.1),
            Some(line) if line.invalid => before.0 + (at - before.1),
            Some(line) => before.0 + self.taken_for(&self.from[before.0..line.from], at - before.1),
        }
    }

    /// How many of a line's bytes its first `len` bytes of text take.
    fn taken_for(&self, line: &[u8], len: usize) -> usize {
        let mut decoder = self.encoding.new_decoder_without_bom_handling();
        let (mut text, mut done) = ([0; 16], 0);
        for (at, byte) in line.iter().enumerate() {
            let (_, _, written) = decoder.decode_to_utf8_without_replacement(&[*byte], &mut text, false);
            done += written;
            if done >= len {
                return at + 1;
            }
        }
        line.len()
    }

    /// Lines among the first `taken` bytes of the text that are not of the encoding.
    pub(crate) fn invalid(&self, taken: usize) -> u64 {
        self.lines.iter().take_while(|line| line.text <= taken).filter(|line| line.invalid).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcoder(name: &str) -> Transcoder {
        Transcoder::named(name).expect("an encoding").expect("not UTF-8")
    }

    #[test]
    fn names_of_ruby_python_and_the_web_are_known() {
        for (name, same) in [
            ("Windows-31J", "shift_jis"),
            ("CP932", "shift_jis"),
            ("EUC-JP", "euc_jp"),
            ("ISO-8859-1", "latin_1"),
            ("iso8859_1", "latin1"),
            ("CP1252", "windows-1252"),
            ("GB18030", "gb18030"),
            ("UTF-16LE", "utf_16le"),
        ] {
            assert_eq!(transcoder(name), transcoder(same), "{name}");
        }
        for name in ["UTF-8", "utf_8", "utf8", "ASCII-8BIT", "US-ASCII", "binary"] {
            assert_eq!(Transcoder::named(name), Ok(None), "{name}");
        }
        assert!(Transcoder::named("utf-9").expect_err("there is none").contains("`utf-9`"));
    }

    #[test]
    fn lines_become_text_and_keep_their_places() {
        let encoding = encoding_rs::SHIFT_JIS;
        let (one, other) = (encoding.encode("日本 a\n").0, encoding.encode("ソ\\b\n").0);
        let bytes = Bytes::from([&one[..], b"plain\n", b"\x81\xff bad\n", &other[..], &one[..3]].concat());
        let read = transcoder("sjis").text(bytes.clone());
        let text =
            ["日本 a\n".as_bytes(), b"plain\n", b"\x81\xff bad\n", "ソ\\b\n".as_bytes(), &one[..3]].concat();
        assert_eq!(read.text, text);
        assert_eq!(read.invalid(text.len()), 2, "the line, and the end that is not whole");
        let places = [0, 9, 9 + 6, 9 + 6 + 7, text.len() - 3, text.len()];
        let starts = [0, one.len(), one.len() + 6, one.len() + 13, bytes.len() - 3, bytes.len()];
        assert_eq!(places.map(|at| read.origin(at)), starts);
        assert_eq!(read.invalid(9 + 6), 0);
        // Within lines: behind a character of three bytes that was two, and in the line that was left as it is.
        assert_eq!([read.origin(3), read.origin(9 + 6 + 2)], [2, one.len() + 8]);
        assert_eq!(read.origin(1), 2, "within a character");
    }

    #[test]
    fn units_of_two_bytes_are_cut_at_their_line_breaks() {
        let text = "ab\u{a0a}\n\u{10ffff}c\nd";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (name, bytes) in [("utf-16le", little), ("utf-16be", big)] {
            let read = transcoder(name).text(bytes.clone().into());
            assert_eq!(read.text, text.as_bytes(), "{name}");
            assert_eq!([read.origin(6), read.origin(12), read.origin(13)], [8, 16, 18], "{name}");
        }
    }

    #[test]
    fn plain_ascii_is_not_copied() {
        let bytes = Bytes::from_static(b"only\nascii\n");
        let read = transcoder("iso-8859-15").text(bytes.clone());
        assert_eq!((read.text.as_ptr(), read.origin(5), read.invalid(11)), (bytes.as_ptr(), 5, 0));
        // Not so where bytes of ASCII mean something else.
        let read = transcoder("iso-2022-jp").text(Bytes::from_static(b"\x1b$B%=\x1b(B\n"));
        assert_eq!(read.text, "ソ\n".as_bytes());
    }
}
