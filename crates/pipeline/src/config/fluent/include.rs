//! Which files an `@include` means. Knows nothing of what stands in them.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use sawlog_sys::Fs;

/// Longest pattern, in bytes.
const LENGTH: usize = 4096;
/// Deepest directory that `**` looks into.
const DEPTH: usize = 16;
/// Most files that one include may mean.
const FILES: usize = 1000;
/// Most patterns that braces make of one.
const ALTERNATIVES: usize = 100;

/// The files that `text` means, seen from the directory `base`, sorted. A path without wildcards is always one file,
/// whether it exists or not.
///
/// # Errors
/// In words.
pub(super) fn files(fs: &dyn Fs, base: &Path, text: &str) -> Result<Vec<PathBuf>, String> {
    let path = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:")).unwrap_or(text);
    if path.contains("://") {
        return Err(format!("`{text}` is not fetched; save it as a file and include that"));
    }
    if path.is_empty() || path.len() > LENGTH {
        return Err(format!("a path to include has 1 to {LENGTH} bytes"));
    }
    let mut patterns = Vec::new();
    alternatives(path, &mut patterns)?;
    let mut found = BTreeSet::new();
    for pattern in &patterns {
        let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
        let start = if Path::new(pattern).is_absolute() { PathBuf::new() } else { base.to_owned() };
        walk(fs, start, &parts, 0, &mut found)?;
    }
    Ok(found.into_iter().collect())
}

/// Whether `text` has wildcards.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn walk(
    fs: &dyn Fs,
    dir: PathBuf,
    parts: &[Component<'_>],
    depth: usize,
    found: &mut BTreeSet<PathBuf>,
) -> Result<(), String> {
    if found.len() >= FILES {
        return Err(format!("more than {FILES} files are included at once"));
    }
    let Some((part, rest)) = parts.split_first() else {
        found.insert(dir);
        return Ok(());
    };
    let name = part.as_os_str().to_string_lossy();
    if !matches!(part, Component::Normal(_)) || !is_pattern(&name) {
        return walk(fs, dir.join(part), rest, depth, found);
    }
    // A directory that cannot be read holds nothing that is meant.
    let entries = fs.list(&dir).unwrap_or_default();
    if name == "**" {
        walk(fs, dir, rest, depth, found)?;
        for entry in entries.into_iter().filter(|entry| entry.is_dir && depth < DEPTH) {
            walk(fs, entry.path, parts, depth + 1, found)?;
        }
        return Ok(());
    }
    for entry in entries {
        let own = entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let hidden = own.starts_with('.') && !name.starts_with('.');
        if !hidden && entry.is_dir != rest.is_empty() && fits(name.as_bytes(), own.as_bytes()) {
            walk(fs, entry.path, rest, depth, found)?;
        }
    }
    Ok(())
}

/// `{a,b}` as several texts.
fn alternatives(text: &str, all: &mut Vec<String>) -> Result<(), String> {
    if all.len() >= ALTERNATIVES {
        return Err(format!("`{text}`: the braces make more than {ALTERNATIVES} patterns"));
    }
    let Some((before, inner, after)) = text.find('{').and_then(|open| {
        let close = open + text[open..].find('}')?;
        Some((&text[..open], &text[open + 1..close], &text[close + 1..]))
    }) else {
        all.push(text.to_owned());
        return Ok(());
    };
    inner.split(',').try_for_each(|choice| alternatives(&format!("{before}{choice}{after}"), all))
}

/// Whether a name fits a pattern of `*`, `?` and `[…]`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < name.len() {
        let step = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(&pattern[at..], name[from]),
            Some(byte) if *byte == name[from] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(len), _) => (at, from) = (at + len, from + 1),
            (None, Some((star_at, taken))) => {
                star = Some((star_at, taken + 1));
                (at, from) = (star_at + 1, taken + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The length of the `[…]` that `pattern` begins with, where `byte` is in it.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let close = 2 + pattern.get(2..)?.iter().position(|byte| *byte == b']')?;
    let not = matches!(pattern[1], b'!' | b'^');
    let inner = &pattern[1 + usize::from(not)..close];
    let mut within = false;
    let mut at = 0;
    while at < inner.len() {
        match inner[at..] {
            [low, b'-', high, ..] => {
                within |= (low..=high).contains(&byte);
                at += 3;
            }
            _ => {
                within |= inner[at] == byte;
                at += 1;
            }
        }
    }
    (within != not).then_some(close + 1)
}
