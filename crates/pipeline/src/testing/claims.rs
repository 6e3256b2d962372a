//! Whether options that protocols say they have are real: each of ours is named by a test, and each of Fluentd's means
//! something or is told to mean nothing. Knows nothing of what options do.

use std::path::{Path, PathBuf};

use sawlog_sys::{Fs, Sys};

use crate::config::{Element, ElementReader, FluentForm, Given, Pair, Role};
use crate::{Opt, Protocol};

/// A file of source: what of it is built into the program, and what are tests.
struct Source {
    /// The folder below the source's root, with what is in it.
    folder: PathBuf,
    program: String,
    tests: String,
}

/// Options of the protocols that no test names: neither one in the folder in which such a protocol is, nor in that in which the
/// option is declared. `src` is the folder of the crate's source; tests in `more` folders count for all.
///
/// # Panics
/// Where the source cannot be read.
pub fn unnamed(protocols: &[&Protocol], src: &Path, more: &[PathBuf]) -> Vec<String> {
    let fs = Sys::real().fs;
    let mut sources = Vec::new();
    read(&*fs, src, src, &mut sources);
    let mut everywhere = Vec::new();
    more.iter().for_each(|folder| read(&*fs, folder, folder, &mut everywhere));
    let everywhere: String =
        everywhere.iter().map(|source| format!("{}{}", source.program, source.tests)).collect();
    // A table of options may be shared by several protocols; one of them is enough.
    let near = |option: &Opt, source: &Source| {
        let of = protocols.iter().filter(|protocol| protocol.options.contains(option));
        of.into_iter().any(|protocol| source.program.contains(&format!("name: \"{}\"", protocol.name)))
            || source.program.contains(&format!("\"{}\"", option.name))
    };
    let mut missing = Vec::new();
    for (protocol, option) in
        protocols.iter().flat_map(|protocol| protocol.options.iter().map(move |o| (protocol, o)))
    {
        let folders: Vec<&Path> =
            sources.iter().filter(|source| near(option, source)).map(|source| &*source.folder).collect();
        let mut tests = sources.iter().filter(|source| folders.iter().any(|f| source.folder.starts_with(f)));
        if !tests.any(|source| names(&source.tests, option.name)) && !names(&everywhere, option.name) {
            missing.push(format!("{} {}", protocol.name, option.name));
        }
    }
    missing
}

fn read(fs: &dyn Fs, root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs.list(folder).expect("the folder can be read") {
        if entry.is_dir {
            read(fs, root, &entry.path, sources);
            continue;
        }
        let Ok(text) = String::from_utf8(fs.read(&entry.path).expect("the file can be read")) else {
            continue;
        };
        let below = entry.path.strip_prefix(root).expect("it is below the root");
        let is_test = |part: &std::ffi::OsStr| {
            let stem = Path::new(part).file_stem();
            ["tests", "samples"].iter().any(|name| stem.is_some_and(|stem| stem == *name))
        };
        let at = match below.iter().any(is_test) {
            true => 0,
            false => text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len()),
        };
        // Tests stand in a folder beside what they are of.
        let mut folder = below.parent().unwrap_or(below).to_owned();
        while folder.file_name().is_some_and(|name| name == "tests") {
            folder.pop();
        }
        let (program, tests) = text.split_at(at);
        sources.push(Source { folder, program: program.to_owned(), tests: tests.to_owned() });
    }
}

/// Whether the text has the name as a word, or that of an option of a group without the group's.
fn names(text: &str, name: &str) -> bool {
    let part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let word = |name: &str| {
        text.match_indices(name).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + name.len()..]);
            !before.ends_with(|before| part(before) || before == '.') && !after.starts_with(part)
        })
    };
    word(name) || name.split_once('.').is_some_and(|(_, rest)| word(rest))
}

/// Values of which one at least is none that an option has by itself.
const VALUES: &[&str] = &[
    "true",
    "false",
    "7",
    "3s",
    "9k",
    "x",
    "/x",
    "[\"a\",\"b\"]",
    "127.0.0.1:9",
    "utf-16le",
    "tls",
    "udp",
    "12:34",
    "+02:00",
    "{\"a\":\"b\"}",
];

/// Options of Fluentd's configurations that are asked for and say nothing: no value of them changes what an element means, and
/// none is told to be wrong or without an effect. Some say something only beside others: `beside` has such, each tried by itself.
pub fn idle(protocols: &[&Protocol], beside: &[&[(&str, &str)]]) -> Vec<String> {
    let mut found = Vec::new();
    for form in protocols.iter().flat_map(|protocol| protocol.fluent) {
        let empty: &[(&str, &str)] = &[];
        let bases = || std::iter::once(empty).chain(beside.iter().copied());
        let mut asked: Vec<&str> = bases().flat_map(|base| meaning(form, base, None).2).collect();
        asked.sort_unstable();
        asked.dedup();
        for key in asked {
            let says = bases().any(|base| {
                let (given, findings, _) = meaning(form, base, None);
                VALUES.iter().map(|value| Some((key, Some(*value)))).chain([Some((key, None))]).any(|more| {
                    let (other, told, _) = meaning(form, base, more);
                    other != given
                        || told.len() > findings.len() && told.iter().any(|message| message.contains(key))
                })
            });
            if !says {
                let role = match form.role {
                    Role::Source => "source",
                    Role::Filter => "filter",
                    Role::Match => "match",
                };
                found.push(format!("<{role}> {} {key}", form.names[0]));
            }
        }
    }
    found
}

/// What an element of these pairs means, with one more pair, or, where that has no value, element inside; what is told of it, and
/// what was asked for.
fn meaning(
    form: &FluentForm,
    base: &[(&str, &str)],
    more: Option<(&str, Option<&str>)>,
) -> (Given, Vec<String>, Vec<&'static str>) {
    let pair =
        |(key, value): (&str, &str)| Pair { key: key.to_owned(), value: value.to_owned(), ..Pair::default() };
    let mut element = Element { pairs: base.iter().copied().map(pair).collect(), ..Element::default() };
    match more {
        Some((key, Some(value))) => {
            element.pairs.retain(|pair| pair.key != key);
            element.pairs.push(pair((key, value)));
        }
        Some((name, None)) => {
            let pairs = vec![pair(("a", "b"))];
            element.children.push(Element { name: name.to_owned(), pairs, ..Element::default() });
        }
        None => {}
    }
    let mut findings = Vec::new();
    let mut reader = ElementReader::new(&element, &mut findings);
    let given = (form.read)(&mut reader);
    let asked = reader.asked().to_vec();
    (given, findings.into_iter().map(|finding| finding.message).collect(), asked)
}
