//! Rule bases as commands: lines, comments, prefixes, tags, annotations, included files. Knows nothing of fields.

use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{Limits, Value, value};

use super::graph::{Builder, Graph, Names, SOME_RULE};
use super::motif::{DEFAULT, Entries, TAIL};
use super::rule;
use super::{FileName, INCLUDES_MOST, Load, RULE_MOST, RULES_MOST, Rule, RuleBase, RuleError};

/// Where a byte of a rule stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    file: u16,
    line: u32,
    column: u32,
}

/// Text with the places of its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub bytes: Vec<u8>,
    places: Vec<Place>,
}

impl Text {
    /// Text that stands nowhere.
    pub fn made(bytes: &[u8]) -> Text {
        Text { bytes: bytes.to_vec(), places: Vec::new() }
    }

    fn push(&mut self, byte: u8, place: Place) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    fn part(&self, from: usize) -> Text {
        Text { bytes: self.bytes[from..].to_vec(), places: self.places[from..].to_vec() }
    }

    fn append(&mut self, more: &Text) {
        self.bytes.extend_from_slice(&more.bytes);
        self.places.extend_from_slice(&more.places);
    }

    /// The place of a byte; of the last one where there are not so many.
    pub fn place(&self, at: usize) -> Place {
        let last = Place { file: 0, line: 0, column: 0 };
        self.places.get(at).or(self.places.last()).copied().unwrap_or(last)
    }
}

/// What is wrong, and where.
pub(super) type Wrong = (Place, String);

struct Reader<'a> {
    load: Load<'a>,
    files: Vec<FileName>,
    builder: Builder,
    prefix: Text,
    rules: Vec<Tagged>,
    /// Of the rule base that is read, and of those that its rules descend to, each their own.
    annotations: Vec<HashMap<String, Vec<(String, String)>>>,
    version: u8,
    /// Rule bases that rules descend to, which are not read yet: names, first nodes, and where they were named.
    descents: Vec<(String, u32, Place)>,
}

/// A rule with its tags, and the number of its rule base.
struct Tagged {
    tags: Vec<String>,
    of: usize,
}

/// Name of the field of tags.
const TAGS: &str = "event.tags";

pub(super) fn compile(name: &str, load: Load<'_>, limits: Limits) -> Result<RuleBase, RuleError> {
    let mut reader = Reader {
        load,
        files: Vec::new(),
        builder: Builder::new(),
        prefix: Text::default(),
        rules: Vec::new(),
        annotations: vec![HashMap::new()],
        version: 0,
        descents: Vec::new(),
    };
    let whole = Place { file: 0, line: 0, column: 0 };
    if let Err((place, message)) = reader.all(name, whole) {
        let file = reader.files.get(usize::from(place.file)).map_or(name, |file| file);
        return Err(RuleError { file: file.to_owned(), line: place.line, column: place.column, message });
    }
    let Reader { mut builder, rules, annotations, version, .. } = reader;
    let rules = rules.iter().map(|rule| rule.made(&annotations[rule.of], &mut builder.names)).collect();
    let (default, tail) = (builder.names.number(DEFAULT), builder.names.number(TAIL));
    let Graph { nodes, edges, tables, names, types } = builder.finish();
    Ok(RuleBase { version, nodes, edges, tables, names, types, rules, default, tail, limits })
}

impl Tagged {
    /// What the tags add. The last tag comes first, and of one tag what was said last; what comes later replaces what was there.
    fn made(&self, annotations: &HashMap<String, Vec<(String, String)>>, names: &mut Names) -> Rule {
        if self.tags.is_empty() {
            return Rule::default();
        }
        let tags = self.tags.iter().map(|tag| Value::Str(tag.clone())).collect();
        let mut adds = Entries::new();
        adds.put(names.number(TAGS), Value::List(tags));
        for tag in self.tags.iter().rev() {
            for (name, value) in annotations.get(tag).into_iter().flatten().rev() {
                adds.put(names.number(name), Value::Str(value.clone()));
            }
        }
        let adds = adds.into_list();
        let mut json = Vec::new();
        for (name, value) in &adds {
            json.extend_from_slice(names.key(*name));
            value::render(value, &mut json);
        }
        Rule { adds, json }
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

impl Reader<'_> {
    /// Reads a rule base, then those that its rules descend to.
    fn all(&mut self, name: &str, from: Place) -> Result<(), Wrong> {
        self.file(name, from, 0)?;
        while let Some((name, root, from)) = self.descents.pop() {
            self.builder.root = root;
            self.prefix = Text::default();
            self.annotations.push(HashMap::new());
            self.file(&name, from, 0)?;
        }
        Ok(())
    }

    fn file(&mut self, name: &str, from: Place, depth: usize) -> Result<(), Wrong> {
        if depth > INCLUDES_MOST {
            return Err((from, format!("more than {INCLUDES_MOST} rule bases include one another")));
        }
        let bytes = (self.load)(name).map_err(|why| (from, format!("{name}: {why}")))?;
        let file = u16::try_from(self.files.len()).map_err(|_| (from, "too many rule bases".to_owned()))?;
        self.files.push(Arc::from(name));
        let is_second = bytes.starts_with(b"version=2\n") || bytes.as_slice() == b"version=2";
        let version = if is_second { 2 } else { 1 };
        let first = Place { file, line: 1, column: 1 };
        if self.version != 0 && self.version != version {
            let message =
                format!("this is of version {version}, and what includes it of version {}", self.version);
            return Err((first, message));
        }
        self.version = version;
        let mut line = 1;
        let mut rest = bytes.as_slice();
        if is_second {
            rest = rest.get(10..).unwrap_or_default();
            line = 2;
        }
        while !rest.is_empty() {
            let (text, left, lines) = command(rest, file, line)?;
            if !text.bytes.is_empty() {
                self.command(&text, depth)?;
            }
            rest = left;
            line += lines;
        }
        Ok(())
    }

    fn command(&mut self, text: &Text, depth: usize) -> Result<(), Wrong> {
        let start = text.place(0);
        let Some(equal) = text.bytes.iter().position(|byte| *byte == b'=') else {
            return Err((
                start,
                "a line is rule=, prefix=, extendprefix=, type=, annotate= or include=".to_owned(),
            ));
        };
        let rest = text.part(equal + 1);
        match &text.bytes[..equal] {
            b"prefix" => self.prefix = rest,
            b"extendprefix" => self.prefix.append(&rest),
            b"rule" => self.rule(&rest, start)?,
            b"type" if self.version == 2 => self.type_(&rest, start)?,
            b"annotate" => self.annotate(&rest, start)?,
            b"include" if self.version == 2 => {
                let name = String::from_utf8_lossy(&rest.bytes).trim_end().to_owned();
                self.file(&name, rest.place(0), depth + 1)?;
            }
            other => {
                let name = String::from_utf8_lossy(other);
                return Err((
                    start,
                    format!("there is no `{name}=` in a rule base of version {}", self.version),
                ));
            }
        }
        Ok(())
    }

    fn rule(&mut self, text: &Text, start: Place) -> Result<(), Wrong> {
        let Some(colon) = text.bytes.iter().position(|byte| *byte == b':') else {
            return Err((start, "a rule is written as rule=TAG,TAG:DESCRIPTION".to_owned()));
        };
        let tags = String::from_utf8_lossy(&text.bytes[..colon]);
        let tags = tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        if colon + 1 == text.bytes.len() {
            return Err((text.place(colon), "the rule has no description".to_owned()));
        }
        let mut whole = self.prefix.clone();
        whole.append(&text.part(colon + 1));
        if whole.bytes.len() > RULE_MOST || self.rules.len() >= RULES_MOST {
            let message = format!("more than {RULE_MOST} bytes in a rule, or more than {RULES_MOST} rules");
            return Err((start, message));
        }
        let number = self.rules.len() as u32;
        self.rules.push(Tagged { tags, of: self.annotations.len() - 1 });
        let root = self.builder.root;
        let end = rule::add(&mut self.builder, &whole, root, self.version)?;
        self.descents.extend(self.builder.wanted.drain(..).map(|(name, root)| (name, root, start)));
        self.builder.ends(end, number);
        Ok(())
    }

    fn type_(&mut self, text: &Text, start: Place) -> Result<(), Wrong> {
        let colon = text.bytes.iter().position(|byte| *byte == b':');
        let name = colon.map(|colon| String::from_utf8_lossy(&text.bytes[..colon]).into_owned());
        let is_type =
            |name: &String| name.len() > 1 && name.starts_with('@') && !name.contains(char::is_whitespace);
        let (Some(colon), Some(name)) = (colon, name.filter(is_type)) else {
            return Err((start, "a type is written as type=@NAME:DESCRIPTION".to_owned()));
        };
        if text.bytes.len() > RULE_MOST {
            return Err((start, format!("more than {RULE_MOST} bytes in a type")));
        }
        let root = self.builder.type_named(&name);
        let end = rule::add(&mut self.builder, &text.part(colon + 1), root, self.version)?;
        self.builder.ends(end, SOME_RULE);
        Ok(())
    }

    fn annotate(&mut self, text: &Text, start: Place) -> Result<(), Wrong> {
        let bytes = &text.bytes;
        let blank = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            at
        };
        let name = |from: usize| from + bytes[from..].iter().take_while(|byte| is_name(**byte)).count();
        let owned = |from: usize, to: usize| String::from_utf8_lossy(&bytes[from..to]).into_owned();
        let end = name(0);
        let mut at = blank(end);
        if end == 0 || bytes.get(at) != Some(&b':') {
            return Err((start, "an annotation is written as annotate=TAG:+FIELD=\"VALUE\"".to_owned()));
        }
        let tag = owned(0, end);
        let last = self.annotations.len() - 1;
        let last = &mut self.annotations[last];
        at = blank(at + 1);
        while at < bytes.len() && bytes[at] != b'#' {
            let wrong = || (text.place(at), "here should stand +FIELD=\"VALUE\"".to_owned());
            if bytes[at] != b'+' {
                return Err(wrong());
            }
            let end = name(at + 1);
            let field = owned(at + 1, end);
            if field.is_empty() || bytes.get(end) != Some(&b'=') {
                return Err(wrong());
            }
            let open = blank(end + 1);
            if bytes.get(open) != Some(&b'"') {
                return Err(wrong());
            }
            let close = bytes[open + 1..].iter().position(|byte| *byte == b'"');
            let close = close.map_or(bytes.len(), |len| open + 1 + len);
            last.entry(tag.clone()).or_default().push((field, owned(open + 1, close)));
            at = blank((close + 1).min(bytes.len()));
        }
        Ok(())
    }
}

/// The next command, what follows it, and how many lines it takes. A field may go on over line ends.
fn command(rest: &[u8], file: u16, first: u32) -> Result<(Text, &[u8], u32), Wrong> {
    let mut text = Text::default();
    let (mut line, mut column, mut inside) = (first, 1, false);
    let mut at = 0;
    while at < rest.len() {
        let place = Place { file, line, column };
        match rest[at] {
            b'\n' => {
                (line, column) = (line + 1, 1);
                at += 1;
                if inside && begins_rule(&rest[at..]) {
                    let message =
                        "this rule goes on in a line that begins with rule=; is a % missing?".to_owned();
                    return Err((text.place(0), message));
                }
                if !inside {
                    break;
                }
                continue;
            }
            b'#' if text.bytes.is_empty() => {
                let end = memchr::memchr(b'\n', &rest[at..]).map_or(rest.len(), |len| at + len);
                at = end;
                continue;
            }
            byte => {
                inside ^= byte == b'%';
                text.push(byte, place);
                if text.bytes.len() > RULE_MOST {
                    return Err((text.place(0), format!("a rule has more than {RULE_MOST} bytes")));
                }
            }
        }
        column += 1;
        at += 1;
    }
    if inside {
        return Err((text.place(0), "a field is not closed by %".to_owned()));
    }
    Ok((text, &rest[at..], line - first))
}

/// Whether the next line that says something is a rule.
fn begins_rule(rest: &[u8]) -> bool {
    let mut lines = rest.split(|byte| *byte == b'\n');
    let says = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"#");
    lines.find(says).is_some_and(|line| line.starts_with(b"rule="))
}
