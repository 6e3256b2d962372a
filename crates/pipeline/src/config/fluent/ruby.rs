//! The few expressions that configurations embed as `#{…}`: variables of the environment, the host's name, defaults. Knows
//! nothing of where they stand; anything else is refused, since there is no Ruby here.

use super::Surroundings;

/// What an expression gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Embedded {
    /// A text.
    Text(String),
    /// Nothing, which is written as an empty text.
    Nil,
    /// The option is to be as if it were not given.
    Absent,
}

const REMEDY: &str = "there is no Ruby here: put the value into a variable of the environment and write ENV['NAME'] \
     (also understood: ENV.fetch('NAME', 'default'), hostname, Socket.gethostname, worker_id, use_default, use_nil, texts, ||)";

/// The length of the expression that `text` (what follows `#{`) begins with, without its closing brace.
pub(super) fn length(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

/// The value of an expression.
///
/// # Errors
/// In words, where it is anything but what is understood.
pub(super) fn value(code: &str, around: &Surroundings) -> Result<Embedded, String> {
    let refuse = || format!("`#{{{code}}}` cannot be run; {REMEDY}");
    let mut rest = code.trim();
    loop {
        let (value, after) = term(rest, around).ok_or_else(refuse)?;
        match after.trim_start().strip_prefix("||") {
            Some(more) if value == Embedded::Nil => rest = more.trim_start(),
            // What stands behind `||` is looked at, too: a mistake there shall not wait for the variable to go.
            Some(more) => {
                self::value(more, around).map_err(|_| refuse())?;
                return Ok(value);
            }
            None if after.trim().is_empty() => return Ok(value),
            None => return Err(refuse()),
        }
    }
}

fn term<'t>(text: &'t str, around: &Surroundings) -> Option<(Embedded, &'t str)> {
    let variable = |name: String| (around.variable)(&name).map_or(Embedded::Nil, Embedded::Text);
    if let Some(rest) = text.strip_prefix("ENV[") {
        let (name, rest) = quoted(rest.trim_start())?;
        return Some((variable(name), rest.trim_start().strip_prefix(']')?));
    }
    if let Some(rest) = text.strip_prefix("ENV.fetch(") {
        let (name, rest) = quoted(rest.trim_start())?;
        let rest = rest.trim_start();
        let (fallback, rest) = match rest.strip_prefix(',') {
            Some(more) => {
                let (fallback, rest) = term(more.trim_start(), around)?;
                (fallback, rest.trim_start().strip_prefix(')')?)
            }
            None => block(rest.strip_prefix(')')?, around)?,
        };
        let value = variable(name);
        return Some((if value == Embedded::Nil { fallback } else { value }, rest));
    }
    if text.starts_with(['"', '\'']) {
        let (text, rest) = quoted(text)?;
        return (!text.contains("#{")).then_some((Embedded::Text(text), rest));
    }
    let end =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let value = match word {
        "hostname" | "Socket.gethostname" => Embedded::Text(around.host.clone()),
        "worker_id" => Embedded::Text("0".to_owned()),
        "use_default" | "use_nil" => Embedded::Absent,
        "nil" => Embedded::Nil,
        "true" | "false" => Embedded::Text(word.to_owned()),
        number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Embedded::Text(number.to_owned())
        }
        _ => return None,
    };
    Some((value, rest.strip_prefix("()").unwrap_or(rest)))
}

/// `{ "default" }` behind `ENV.fetch('NAME')`; nothing where it is left out.
fn block<'t>(text: &'t str, around: &Surroundings) -> Option<(Embedded, &'t str)> {
    match text.trim_start().strip_prefix('{') {
        Some(inner) => {
            let (value, rest) = term(inner.trim_start(), around)?;
            Some((value, rest.trim_start().strip_prefix('}')?))
        }
        None => Some((Embedded::Nil, text)),
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let end = text[1..].find(quote)? + 1;
    let inner = &text[1..end];
    (!inner.contains('\\')).then(|| (inner.to_owned(), &text[end + 1..]))
}
