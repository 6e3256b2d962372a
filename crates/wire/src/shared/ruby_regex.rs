//! Regular expressions as Ruby writes them, with the time of a search bounded by the length of the text. What needs
//! backtracking (looking around, references back, atomic groups) is refused. Knows nothing of records.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::Hir;

/// Reads `/expression/flags`, or an expression without slashes.
///
/// # Errors
/// In words, where it is none or needs what is not offered.
pub fn compile(text: &str) -> Result<Regex, String> {
    parts(text, false).map(|(_, regex)| regex)
}

/// The same, with the parts that the expression is made of. `dot_all`: as with the flag `m`.
///
/// # Errors
/// In words, where it is none or needs what is not offered.
pub fn parts(text: &str, dot_all: bool) -> Result<(Hir, Regex), String> {
    let (expression, flags) = split(text);
    let translated = translate(expression)?;
    // In Ruby `^` and `$` stand at every line, and `m` is what others call `s`.
    let mut config = syntax::Config::new().multi_line(true).utf8(false).dot_matches_new_line(dot_all);
    for flag in flags.chars() {
        config = match flag {
            'i' => config.case_insensitive(true),
            'm' => config.dot_matches_new_line(true),
            'x' => config.ignore_whitespace(true),
            'n' | 'u' | 'o' => config,
            other => return Err(format!("`{text}`: a regular expression has no flag `{other}`")),
        };
    }
    // Classes such as \w are of ASCII in Ruby, too. Letters beyond it need the larger tables.
    config =
        config.unicode(!translated.is_ascii() || translated.contains("\\p{") || translated.contains("\\P{"));
    let limits =
        Regex::config().utf8_empty(false).nfa_size_limit(Some(SIZE_MOST)).hybrid_cache_capacity(CACHE);
    let wrong = |told: String| {
        let why = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{text}`: {why}")
    };
    let hir = syntax::parse_with(&translated, &config).map_err(|error| wrong(error.to_string()))?;
    let regex =
        Regex::builder().configure(limits).build_from_hir(&hir).map_err(|error| wrong(error.to_string()))?;
    Ok((hir, regex))
}

/// Largest automaton of one expression, bytes.
const SIZE_MOST: usize = 16 << 20;
/// Most memory that a search keeps for its next one, bytes.
const CACHE: usize = 1 << 20;

fn split(text: &str) -> (&str, &str) {
    let inner = text.strip_prefix('/').and_then(|inner| inner.rsplit_once('/'));
    match inner {
        Some((expression, flags)) if flags.chars().all(|flag| flag.is_ascii_lowercase()) => {
            (expression, flags)
        }
        _ => (text, ""),
    }
}

/// The same expression in the words of `regex-syntax`.
///
/// # Errors
/// In words, where it needs what is not offered.
pub fn translate(expression: &str) -> Result<String, String> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    let mut classes = 0usize;
    while let Some(next) = rest.chars().next() {
        let used = match next {
            '\\' => escape(rest, classes > 0, &mut out)?,
            '[' if rest.starts_with("[:") && classes > 0 => {
                let end = rest.find(":]").map_or(1, |end| end + 2);
                out.push_str(&rest[..end]);
                end
            }
            '[' => {
                classes += 1;
                // A bracket that comes first in a class stands for itself.
                let len = if rest.starts_with("[^]") {
                    3
                } else if rest.starts_with("[]") || rest.starts_with("[^") {
                    2
                } else {
                    1
                };
                out.push_str(&rest[..len]);
                len
            }
            ']' if classes > 0 => {
                classes -= 1;
                out.push(']');
                1
            }
            '(' if classes == 0 => group(rest, &mut out)?,
            '{' if classes == 0 => repetition(rest, &mut out),
            '+' if classes == 0
                && out.ends_with(['*', '+', '?'])
                && !out.ends_with("\\+")
                && !rest.is_empty() =>
            {
                return Err(format!(
                    "`{expression}`: possessive repetition (`{}+`) is not offered; leave the `+` away",
                    &out[out.len() - 1..]
                ));
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    Ok(out)
}

/// What begins with a backslash; gives its length.
fn escape(rest: &str, in_class: bool, out: &mut String) -> Result<usize, String> {
    let Some(escaped) = rest[1..].chars().next() else { return Err("a backslash at the end".to_owned()) };
    match escaped {
        'h' if in_class => out.push_str("0-9a-fA-F"),
        'h' => out.push_str("[0-9a-fA-F]"),
        'H' => out.push_str("[^0-9a-fA-F]"),
        'Z' => out.push_str("\\n?\\z"),
        'e' => out.push_str("\\x1b"),
        '0' => out.push_str("\\x00"),
        'R' => out.push_str("(?:\\r\\n|[\\n\\x0b\\x0c\\r])"),
        'b' if in_class => out.push_str("\\x08"),
        '<' | '>' | '/' | '"' | '\'' | ',' | ':' | ';' | '=' | '!' | '@' | '%' | '`' => out.push(escaped),
        '1'..='9' | 'k' | 'g' => return Err(format!("`\\{escaped}`: references back are not offered")),
        'G' | 'K' | 'X' => return Err(format!("`\\{escaped}` is not offered")),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Ok(1 + escaped.len_utf8())
}

/// What begins with `(`; gives how much of it was taken.
fn group(rest: &str, out: &mut String) -> Result<usize, String> {
    let Some(inner) = rest.strip_prefix("(?") else {
        out.push('(');
        return Ok(1);
    };
    for (sign, what) in [
        ("<=", "looking behind (`(?<=`)"),
        ("<!", "looking behind (`(?<!`)"),
        ("=", "looking ahead (`(?=`)"),
        ("!", "looking ahead (`(?!`)"),
        (">", "an atomic group (`(?>`)"),
        ("(", "a conditional group"),
    ] {
        if inner.starts_with(sign) {
            return Err(format!("{what} is not offered: it would need backtracking"));
        }
    }
    if inner.starts_with('#') {
        return Ok(rest.find(')').map_or(rest.len(), |end| end + 1));
    }
    if let Some(name) = inner.strip_prefix('\'') {
        let end = name.find('\'').ok_or("a group's name is not closed")?;
        out.push_str(&format!("(?<{}>", &name[..end]));
        return Ok(2 + 1 + end + 1);
    }
    let flags = inner.chars().take_while(|flag| matches!(flag, 'i' | 'm' | 'x' | '-')).count();
    out.push_str("(?");
    out.push_str(&inner[..flags].replace('m', "s"));
    Ok(2 + flags)
}

/// What begins with `{`: a repetition, or a brace that stands for itself.
fn repetition(rest: &str, out: &mut String) -> usize {
    let end = rest.find('}').unwrap_or(0);
    let inner = rest.get(1..end).unwrap_or("");
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if inner.is_empty() || inner == "," || !digits(low) || !digits(high) {
        out.push_str("\\{");
        return 1;
    }
    out.push('{');
    if low.is_empty() {
        out.push('0');
    }
    out.push_str(&rest[1..=end]);
    end + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(expression: &str, text: &str) -> bool {
        compile(expression).unwrap_or_else(|error| panic!("{error}")).is_match(text)
    }

    #[test]
    fn expressions_mean_what_they_mean_in_ruby() {
        for (expression, yes, no) in [
            ("/cool/i", "so COOL", "hot"),
            ("^b$", "a\nb\nc", "ab"),
            (r"\Ab\z", "b", "a\nb"),
            (r"b\Z", "ab\n", "b\nc"),
            (r"^\h+$", "c0FFee", "tea"),
            (r"^[\h-]+$", "0-f", "g"),
            ("/a.b/m", "a\nb", "acd"),
            ("/a b # words/x", "ab", "a b"),
            (r"^\/a\/\<b\>$", "/a/<b>", "/a/b"),
            ("(?<x>a){2}", "aa", "a"),
            ("(?'x'a)b", "ab", "b"),
            ("(?m:a.b)", "a\nb", "ab"),
            ("^{a}$", "{a}", "a"),
            ("^a{,2}$", "aa", "aaa"),
            ("^[]a]+$", "]a", "b"),
            ("^[^]]+$", "a", "a]"),
            ("[[:alpha:]]", "x", "1"),
            (r"^\w+$", "word", "wörd"),
            (r"^[äö]$", "ö", "o"),
            ("^(?#a word)a$", "a", "b"),
            ("/", "a/b", "ab"),
        ] {
            assert!(matches(expression, yes), "{expression} on {yes:?}");
            assert!(!matches(expression, no), "{expression} on {no:?}");
        }
        assert!(compile("^$").is_ok_and(|regex| regex.is_match(b"\xff\n")), "bytes need not be UTF-8");
    }

    #[test]
    fn what_needs_backtracking_is_refused_by_its_name() {
        for (expression, words) in [
            ("(?!a)b", "looking ahead"),
            ("(?<=a)b", "looking behind"),
            (r"(a)\1", "references back"),
            ("(?>a)", "atomic"),
            ("a++", "possessive"),
            ("(a", "unclosed group"),
            ("/a/q", "flag `q`"),
        ] {
            let error = compile(expression).expect_err(expression);
            assert!(error.contains(words), "{error}");
        }
    }
}
