//! Patterns of paths: `*` and `?` within a name, `[a-z]`, `{a,b}`, and `**` for any number of directories. `*` and `**`
//! take no name that begins with a dot. Knows nothing of what the files are for.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use sawlog_sys::{Entry, Fs};

/// Deepest directory below the fixed part of a pattern that is looked into.
const DEPTH: usize = 64;
/// Most patterns that braces make of one.
const ALTERNATIVES: usize = 1000;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// The directory that all matches lie below.
    root: PathBuf,
    parts: Vec<Part>,
    /// The path, where the pattern has no wildcard: where that is a directory, everything below it is meant.
    literal: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Any number of directories.
    Dirs,
    /// One name.
    Name(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    One(char),
    Any,
    Many,
    Set { not: bool, ranges: Vec<(char, char)> },
}

impl Pattern {
    /// Reads a pattern; braces make several.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn parse(text: &str) -> Result<Vec<Pattern>, String> {
        let mut texts = Vec::new();
        expand(text, &mut texts)?;
        texts.iter().map(|text| Self::parse_one(text)).collect()
    }

    fn parse_one(text: &str) -> Result<Pattern, String> {
        let mut root = PathBuf::new();
        let mut parts = Vec::new();
        for component in Path::new(text).components() {
            let name = match component {
                Component::Normal(name) => name.to_string_lossy(),
                Component::CurDir => continue,
                other if parts.is_empty() => {
                    root.push(other);
                    continue;
                }
                _ => return Err(format!("`{text}`: `..` cannot follow a wildcard")),
            };
            if name == "**" {
                if parts.last() != Some(&Part::Dirs) {
                    parts.push(Part::Dirs);
                }
            } else if parts.is_empty() && !name.contains(['*', '?', '[']) {
                root.push(&*name);
            } else {
                parts.push(Part::Name(tokens(&name).map_err(|what| format!("`{text}`: {what}"))?));
            }
        }
        if parts.last() == Some(&Part::Dirs) {
            parts.push(Part::Name(vec![Token::Many]));
        }
        let literal = parts.is_empty().then(|| root.clone());
        if literal.is_some() {
            let name = root.file_name().ok_or_else(|| format!("`{text}` is no file; write `{text}**`"))?;
            parts.push(Part::Name(name.to_string_lossy().chars().map(Token::One).collect()));
            root.pop();
        }
        Ok(Pattern { root, parts, literal })
    }

    /// A pattern of everything below a directory.
    fn below(dir: &Path) -> Pattern {
        let parts = vec![Part::Dirs, Part::Name(vec![Token::Many])];
        Pattern { root: dir.to_owned(), parts, literal: None }
    }

    /// Whether the path matches.
    pub(crate) fn matches(&self, path: &Path) -> bool {
        if self.literal.as_ref().is_some_and(|dir| Self::below(dir).matches(path)) {
            return true;
        }
        let Ok(rest) = path.strip_prefix(&self.root) else { return false };
        let names: Vec<_> = rest.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        matches_parts(&self.parts, &names)
    }

    /// Adds matching files to `files` and the directories in which new ones may come to `dirs`. What cannot be read is
    /// passed over.
    pub(crate) fn walk(&self, fs: &dyn Fs, files: &mut BTreeSet<PathBuf>, dirs: &mut BTreeSet<PathBuf>) {
        let mut seen = BTreeSet::new();
        let root = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        walk(fs, root, &self.parts, DEPTH, &mut seen, files, dirs);
        if let Some(dir) = &self.literal
            && fs.metadata(dir).is_ok_and(|metadata| metadata.is_dir)
        {
            Self::below(dir).walk(fs, files, dirs);
        }
    }
}

fn matches_parts(parts: &[Part], names: &[&str]) -> bool {
    match (parts.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Part::Dirs, _)), None) => false,
        (Some((Part::Dirs, rest)), _) => {
            let here = matches_parts(rest, names);
            here || names
                .split_first()
                .is_some_and(|(first, others)| !first.starts_with('.') && matches_parts(parts, others))
        }
        (Some((Part::Name(tokens), rest)), Some((name, others))) => {
            matches_name(tokens, name) && matches_parts(rest, others)
        }
        _ => false,
    }
}

fn matches_name(tokens: &[Token], name: &str) -> bool {
    if name.starts_with('.') && matches!(tokens.first(), Some(Token::Many | Token::Any)) {
        return false;
    }
    // One place to go back to is enough: a later `*` can take whatever an earlier one could.
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut token, mut back) = (0, 0, None);
    while at < name.len() {
        match tokens.get(token) {
            Some(Token::Many) => {
                back = Some((token, at));
                token += 1;
            }
            Some(one) if takes(one, name[at]) => (at, token) = (at + 1, token + 1),
            _ => {
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                (at, token) = (from + 1, star + 1);
            }
        }
    }
    tokens[token..].iter().all(|token| *token == Token::Many)
}

fn takes(token: &Token, c: char) -> bool {
    match token {
        Token::One(one) => *one == c,
        Token::Any => true,
        Token::Many => false,
        Token::Set { not, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *not,
    }
}

fn tokens(name: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '?' => Token::Any,
            '*' if out.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '[' => set(&mut chars)?,
            '\\' => Token::One(chars.next().unwrap_or('\\')),
            other => Token::One(other),
        });
    }
    Ok(out)
}

fn set(chars: &mut std::str::Chars<'_>) -> Result<Token, String> {
    let (mut ranges, mut not, mut first) = (Vec::new(), false, true);
    loop {
        let c = chars.next().ok_or("`[` is not closed")?;
        match c {
            '!' | '^' if first && !not => {
                not = true;
                continue;
            }
            ']' if !first => return Ok(Token::Set { not, ranges }),
            from => {
                let mut ahead = chars.clone();
                let to = match (ahead.next(), ahead.next()) {
                    (Some('-'), Some(to)) if to != ']' => {
                        *chars = ahead;
                        to
                    }
                    _ => from,
                };
                ranges.push((from, to));
            }
        }
        first = false;
    }
}

/// Replaces the first pair of braces by each of its alternatives, and so on.
fn expand(text: &str, out: &mut Vec<String>) -> Result<(), String> {
    let Some(open) = text.find('{') else {
        out.push(text.to_owned());
        return if out.len() > ALTERNATIVES {
            Err("too many alternatives in braces".to_owned())
        } else {
            Ok(())
        };
    };
    let (mut depth, mut from, mut parts) = (0, open + 1, Vec::new());
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            parts.push(&text[from..at]);
            return parts
                .iter()
                .try_for_each(|part| expand(&format!("{}{part}{}", &text[..open], &text[at + 1..]), out));
        }
    }
    Err(format!("`{text}`: `{{` is not closed"))
}

fn walk(
    fs: &dyn Fs,
    dir: &Path,
    parts: &[Part],
    depth: usize,
    seen: &mut BTreeSet<(u64, u64, usize)>,
    files: &mut BTreeSet<PathBuf>,
    dirs: &mut BTreeSet<PathBuf>,
) {
    // A link to a directory above would go round for ever.
    let Ok(metadata) = fs.metadata(dir) else { return };
    if depth == 0 || !metadata.is_dir || !seen.insert((metadata.filesystem, metadata.inode, parts.len())) {
        return;
    }
    dirs.insert(dir.to_owned());
    let Ok(entries) = fs.list(dir) else { return };
    let mut step = |parts: &[Part], entry: &Entry, name: &str| match parts {
        [Part::Name(tokens)] if !entry.is_dir && matches_name(tokens, name) => {
            files.insert(entry.path.clone());
        }
        [Part::Name(tokens), rest @ ..] if entry.is_dir && !rest.is_empty() && matches_name(tokens, name) => {
            walk(fs, &entry.path, rest, depth - 1, seen, files, dirs);
        }
        _ => {}
    };
    for entry in &entries {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        step(parts, entry, &name);
        if let [Part::Dirs, rest @ ..] = parts {
            step(rest, entry, &name);
        }
    }
    if parts.first() == Some(&Part::Dirs) {
        let below = |entry: &&Entry| {
            entry.is_dir && !entry.path.file_name().unwrap_or_default().to_string_lossy().starts_with('.')
        };
        for entry in entries.iter().filter(below) {
            walk(fs, &entry.path, parts, depth - 1, seen, files, dirs);
        }
    }
}
