//! Sections that get nothing because an earlier one takes all, and those that would get rows in ik and not here. Knows nothing
//! of what the sections do.

use std::path::PathBuf;
use std::sync::Arc;

use crate::TagPattern;
use crate::config::Element;

/// Plug-ins that ik has.
const OF_IK: &[&str] = &["forward", "tail", "stdout", "file"];
/// Most alternatives of a pattern that are looked at.
const ALTERNATIVES: usize = 64;
/// Longest pattern that is compared, in bytes.
const LENGTH: usize = 500;
/// Most sections that are compared with one another.
const SECTIONS: usize = 200;

/// Notes: file, line and words.
pub(super) fn told(root: &Element) -> Vec<(Arc<PathBuf>, usize, String)> {
    let mut notes = Vec::new();
    within(root, &mut notes);
    root.children.iter().filter(|child| child.name == "label").for_each(|label| within(label, &mut notes));
    if could_be_ik(root) {
        every_match(root, &mut notes);
    }
    notes
}

fn matches(parent: &Element) -> Vec<&Element> {
    parent.children.iter().filter(|child| child.name == "match").take(SECTIONS).collect()
}

fn pattern(element: &Element) -> &str {
    if element.argument.is_empty() { "**" } else { &element.argument }
}

fn within(parent: &Element, notes: &mut Vec<(Arc<PathBuf>, usize, String)>) {
    let all = matches(parent);
    let taker =
        all.iter().position(|element| TagPattern::parse(pattern(element)).is_ok_and(|tags| tags.is_all()));
    let Some(taker) = taker else { return };
    for element in &all[taker + 1..] {
        let line = all[taker].line;
        let message = format!("this <match> gets nothing: the <match **> of line {line} takes all rows");
        notes.push((element.file.clone(), element.line, message));
    }
}

/// Whether the file could have been written for ik: nothing in it is of a later Fluentd.
fn could_be_ik(root: &Element) -> bool {
    let sections: Vec<&Element> =
        root.children.iter().filter(|child| matches!(child.name.as_str(), "source" | "match")).collect();
    sections.len() == root.children.len()
        && sections.iter().all(|section| {
            section.children.is_empty()
                && section.pairs.iter().all(|pair| !pair.key.starts_with('@'))
                && section.get("type").is_some_and(|kind| OF_IK.contains(&kind))
        })
}

fn every_match(root: &Element, notes: &mut Vec<(Arc<PathBuf>, usize, String)>) {
    let all = matches(root);
    for (index, later) in all.iter().enumerate() {
        let earlier = all[..index].iter().find(|earlier| both(pattern(earlier), pattern(later)));
        if let Some(earlier) = earlier {
            let message = format!(
                "rows that the <match {}> of line {} takes do not come here; ik would send them to both: \
                 read this file with --compat ik if it is ik's",
                pattern(earlier),
                earlier.line
            );
            notes.push((later.file.clone(), later.line, message));
        }
    }
}

/// A part of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    One(char),
    /// Any run without a dot.
    Run,
    /// Anything.
    All,
}

/// Whether a tag can fit both patterns.
fn both(a: &str, b: &str) -> bool {
    if a.len().max(b.len()) > LENGTH {
        return false;
    }
    let (a, b) = (alternatives(a), alternatives(b));
    a.iter().any(|a| b.iter().any(|b| meet(a, b)))
}

fn alternatives(text: &str) -> Vec<Vec<Token>> {
    let mut texts: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let mut all = Vec::new();
    while let Some(text) = texts.pop().filter(|_| all.len() < ALTERNATIVES && texts.len() < ALTERNATIVES) {
        // The innermost braces first: nested ones go one by one.
        let close = text.find('{').and_then(|open| Some(open + text[open..].find('}')?));
        let inner = close.and_then(|close| Some((text[..close].rfind('{')?, close)));
        match inner {
            Some((open, close)) => {
                let (before, after) = (&text[..open], &text[close + 1..]);
                texts.extend(
                    text[open + 1..close].split(',').map(|choice| format!("{before}{choice}{after}")),
                );
            }
            None => {
                // `a.**` and `**.a` fit `a`, too.
                all.extend(text.strip_suffix(".**").map(tokens));
                all.extend(text.strip_prefix("**.").map(tokens));
                all.push(tokens(&text));
            }
        }
    }
    all
}

fn tokens(text: &str) -> Vec<Token> {
    let mut characters = text.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' if characters.next_if_eq(&'*').is_some() => Token::All,
            '*' => Token::Run,
            other => Token::One(other),
        });
    }
    tokens
}

impl Token {
    fn is_wild(self) -> bool {
        !matches!(self, Token::One(_))
    }

    /// Whether it can stand for this one and more.
    fn takes(self, other: Token) -> bool {
        match (self, other) {
            (Token::All, Token::One(_)) => true,
            (Token::Run, Token::One(character)) => character != '.',
            _ => false,
        }
    }
}

/// Whether a text fits both.
fn meet(a: &[Token], b: &[Token]) -> bool {
    // Whether the first i tokens of `a` and j of `b` can stand for the same text, at `i * (b.len() + 1) + j`.
    let width = b.len() + 1;
    let mut reach = vec![false; (a.len() + 1) * width];
    reach[0] = true;
    for at in 0..reach.len() {
        if !reach[at] {
            continue;
        }
        let (next_a, next_b) = (a.get(at / width).copied(), b.get(at % width).copied());
        if let Some(token) = next_a {
            let passed = token.is_wild() || next_b.is_some_and(|other| other.takes(token));
            reach[at + width] |= passed;
        }
        if let Some(token) = next_b {
            let passed = token.is_wild() || next_a.is_some_and(|other| other.takes(token));
            reach[at + 1] |= passed;
        }
        if next_a.is_some() && next_a == next_b {
            reach[at + width + 1] = true;
        }
    }
    reach[reach.len() - 1]
}
