//! Sections and their lines, of a file and of those that it includes. Knows nothing of what a section means. After a mistake
//! it goes on with the next line, so that all of them are told at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_sys::Fs;

use super::cursor::Cursor;
use super::value::{self, Value};
use super::{Surroundings, include};
use crate::config::{Compat, Element, Finding, Pair};

/// Files that may include one another.
const INCLUDE_DEPTH: usize = 16;
/// Files read in all.
const FILES: usize = 10_000;
/// Longest file, in bytes.
const FILE_BYTES: u64 = 16 << 20;
/// Sections inside of sections.
const SECTION_DEPTH: usize = 64;
/// Mistakes that are told; after a quote that is missing, all that follows is one.
const FINDINGS: usize = 200;

pub(super) struct Reader<'a> {
    fs: &'a dyn Fs,
    compat: Compat,
    around: &'a Surroundings,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
    files: usize,
    pub findings: Vec<Finding>,
}

/// Where in the sections the reader stands.
struct Place<'a> {
    file: Arc<PathBuf>,
    cursor: Cursor<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(fs: &'a dyn Fs, compat: Compat, around: &'a Surroundings) -> Self {
        Reader { fs, compat, around, open: Vec::new(), files: 0, findings: Vec::new() }
    }

    /// Reads the text of the file that `root` names.
    pub(super) fn file(&mut self, text: &str, root: &mut Element) {
        self.open.push(self.fs.resolve(&root.file).unwrap_or_else(|_| root.file.to_path_buf()));
        let mut place = Place { file: root.file.clone(), cursor: Cursor::new(text), depth: 0 };
        self.block(&mut place, root, false);
        self.open.pop();
    }

    fn wrong(&mut self, file: &Arc<PathBuf>, line: usize, message: String) {
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding { file: file.clone(), line, message, note: false });
        }
    }

    /// Reads lines and sections into `element` up to its end (`closed`: a closing tag), or that of the file.
    fn block(&mut self, place: &mut Place<'_>, element: &mut Element, closed: bool) {
        loop {
            place.cursor.skip_space();
            let line = place.cursor.line;
            let Some(first) = place.cursor.peek() else {
                // ik's own examples end without the last closing tag.
                if closed && self.compat != Compat::Ik {
                    let message = format!("this <{0}> is not closed; add </{0}>", element.name);
                    self.wrong(&element.file, element.line, message);
                }
                return;
            };
            if place.cursor.eat("</") {
                let name = self.closing_tag(place, line);
                if !closed {
                    self.wrong(&place.file, line, format!("</{name}> closes nothing"));
                    continue;
                }
                if name != element.name {
                    let (open, at) = (&element.name, element.line);
                    self.wrong(&place.file, line, format!("</{name}> closes the <{open}> of line {at}"));
                }
                return;
            }
            if first == '<' {
                self.section(place, element);
            } else {
                self.pair(place, element);
            }
        }
    }

    fn closing_tag(&mut self, place: &mut Place<'_>, line: usize) -> String {
        let name = place.cursor.take_while(is_name).to_owned();
        place.cursor.skip_blanks();
        if !place.cursor.eat(">") || !place.cursor.at_line_end() {
            self.wrong(&place.file, line, format!("`</{name}` wants a `>` and the end of the line"));
        }
        place.cursor.skip_line();
        name
    }

    fn section(&mut self, place: &mut Place<'_>, parent: &mut Element) {
        let line = place.cursor.line;
        place.cursor.eat("<");
        let name = place.cursor.take_while(is_name).to_owned();
        place.cursor.skip_blanks();
        if name == "include" {
            let target = place.cursor.take_while(|c| c != '>' && c != '\n').trim_end_matches('/').trim();
            let target = target.to_owned();
            place.cursor.skip_line();
            return self.include(place, line, &target, parent);
        }
        let argument = self.argument(place);
        let ends = place.cursor.eat(">") && place.cursor.at_line_end();
        let argument = match argument {
            Ok(argument) if ends && !name.is_empty() => argument,
            Ok(_) => {
                self.wrong(&place.file, line, "a section begins with `<name argument>` on a line".to_owned());
                return place.cursor.skip_line();
            }
            Err(message) => {
                self.wrong(&place.file, line, message);
                return place.cursor.skip_line();
            }
        };
        let file = place.file.clone();
        let mut element = Element { name, argument, file, line, ..Element::default() };
        if place.depth >= SECTION_DEPTH {
            self.wrong(&place.file, line, format!("more than {SECTION_DEPTH} sections in one another"));
            // What follows cannot be told apart any more.
            while place.cursor.next().is_some() {}
            return;
        }
        place.depth += 1;
        self.block(place, &mut element, true);
        place.depth -= 1;
        parent.children.push(element);
    }

    /// What stands between the name of a section and its `>`; patterns may be quoted, and be several.
    fn argument(&mut self, place: &mut Place<'_>) -> Result<String, String> {
        let mut words: Vec<String> = Vec::new();
        loop {
            place.cursor.skip_blanks();
            if matches!(place.cursor.peek(), None | Some('>' | '\n' | '\r')) {
                return Ok(words.join(" "));
            }
            let word = |cursor: &mut Cursor<'_>| {
                value::read(cursor, self.around, |cursor| {
                    cursor.take_while(|c| !matches!(c, ' ' | '\t' | '\r' | '\n' | '>'))
                })
            };
            if let Value::Text(text) = word(&mut place.cursor)? {
                words.push(text);
            }
        }
    }

    fn pair(&mut self, place: &mut Place<'_>, element: &mut Element) {
        let line = place.cursor.line;
        let key = place.cursor.take_while(|character| !character.is_whitespace()).to_owned();
        place.cursor.skip_blanks();
        let at_root = element.name.is_empty();
        if key == "@include" || (key == "include" && (at_root || self.compat != Compat::Fluentd)) {
            return match value::read(&mut place.cursor, self.around, Cursor::take_value) {
                Ok(Value::Text(target)) => {
                    place.cursor.skip_line();
                    self.include(place, line, &target, element);
                }
                Ok(Value::Absent) => {}
                Err(message) => self.wrong(&place.file, line, message),
            };
        }
        let value = if place.cursor.at_line_end() {
            Ok(Value::Text(String::new()))
        } else if self.compat == Compat::Fluentd {
            value::read_option(&mut place.cursor, self.around)
        } else {
            Ok(Value::Text(place.cursor.take_value().to_owned()))
        };
        let ends = place.cursor.at_line_end();
        let behind = place.cursor.take_value();
        let message = match value {
            Ok(_) if at_root => format!("`{key}` stands in no section; put it into a <source>, <match>, …"),
            Ok(_) if !ends => format!("`{behind}` behind the value of `{key}`; quote the whole value"),
            Ok(Value::Absent) => return,
            Ok(Value::Text(value)) => {
                return element.pairs.push(Pair { key, value, file: place.file.clone(), line });
            }
            Err(message) => format!("`{key}`: {message}"),
        };
        place.cursor.skip_line();
        self.wrong(&place.file, line, message);
    }

    /// Puts what the included files hold into `element`.
    fn include(&mut self, place: &Place<'_>, line: usize, target: &str, element: &mut Element) {
        let base = place.file.parent().unwrap_or(Path::new("."));
        let files = match include::files(self.fs, base, target) {
            Ok(files) => files,
            Err(message) => return self.wrong(&place.file, line, message),
        };
        if files.is_empty() {
            let message = format!("`{target}` includes nothing: no file fits");
            self.findings.push(Finding { file: place.file.clone(), line, message, note: true });
        }
        for path in files {
            if let Err(message) = self.included(&path, place.depth, element) {
                self.wrong(&place.file, line, message);
            }
        }
    }

    fn included(&mut self, path: &Path, depth: usize, element: &mut Element) -> Result<(), String> {
        let shown = path.display();
        let resolved = self.fs.resolve(path).map_err(|error| format!("cannot include {shown}: {error}"))?;
        if self.open.contains(&resolved) {
            return Err(format!("{shown} includes itself"));
        }
        self.files += 1;
        if self.open.len() >= INCLUDE_DEPTH || self.files > FILES {
            return Err(format!("{shown} is included too deeply, or more than {FILES} files are"));
        }
        let text = read_text(self.fs, path)?;
        self.open.push(resolved);
        let mut place = Place { file: Arc::new(path.to_owned()), cursor: Cursor::new(&text), depth };
        self.block(&mut place, element, false);
        self.open.pop();
        Ok(())
    }
}

/// The text of a file.
///
/// # Errors
/// In words.
pub(in crate::config) fn read_text(fs: &dyn Fs, path: &Path) -> Result<String, String> {
    let shown = path.display();
    let known = fs.metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if known.len > FILE_BYTES {
        return Err(format!("{shown} is longer than {FILE_BYTES} bytes"));
    }
    let bytes = fs.read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    String::from_utf8(bytes).map_err(|error| format!("{shown} is not UTF-8: {error}"))
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}
