//! What an address of ALCO's asks, in the query language. Knows nothing of answers.

use sawlog_model::time::SECOND;
use sawlog_model::{Nanos, TimeRange};

use crate::error::ApiError;
use crate::loggers::Logger;
use crate::params::Params;
use crate::times;

/// Parameters that are no columns.
pub(super) const OWN: [&str; 10] =
    ["search", "start_ts", "end_ts", "columns", "context", "live", "page", "cursor", "format", "page_size"];

const DAY: Nanos = 86_400 * SECOND;

/// What is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// A search without pipes.
    pub(super) search: String,
    pub(super) range: TimeRange,
    /// The words that are to be marked in answers, in lower case: one phrase.
    pub(super) phrase: Vec<String>,
}

/// A text as the query language has it, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A field's name as the query language has it.
fn field(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if !name.is_empty() && name.bytes().all(plain) { name.to_owned() } else { quoted(name) }
}

/// What a search box holds: terms of one phrase, and `@field=value` or `@field="a value"`.
fn box_of(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut words, mut fields) = (Vec::new(), Vec::new());
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find([' ', ',', '\t', '\n']).unwrap_or(rest.len());
        let named = rest.strip_prefix('@').and_then(|rest| rest.split_once('='));
        rest = match named.filter(|(name, _)| !name.is_empty() && !name.contains([' ', ','])) {
            Some((name, value)) => {
                let quoted = value.strip_prefix('"').and_then(|value| value.split_once('"'));
                let plain = || value.split_at(value.find([' ', ',']).unwrap_or(value.len()));
                let (value, after) = quoted.unwrap_or_else(plain);
                fields.push((name.to_owned(), value.to_owned()));
                after
            }
            None => {
                words.push(rest[..end].to_owned());
                &rest[end..]
            }
        };
        rest = rest.trim_start_matches([' ', ',', '\t', '\n']);
    }
    words.retain(|word| !word.is_empty());
    (words, fields)
}

impl Question {
    /// What the parameters ask of a logger.
    ///
    /// # Errors
    /// Where a time is none.
    pub(super) fn read(logger: &Logger, params: &Params, now: Nanos) -> Result<Question, ApiError> {
        let mut terms = Vec::new();
        if !logger.selector.trim().is_empty() {
            terms.push(format!("({})", logger.selector));
        }
        let (words, fields) = box_of(params.text("search").unwrap_or_default());
        let phrase: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
        if !phrase.is_empty() {
            terms.push(format!("message:{}", quoted(&phrase.join(" "))));
        }
        for (name, value) in &fields {
            terms.push(format!("{}:in({})", field(name), quoted(value)));
        }
        for (name, value) in params.each() {
            if OWN.contains(&name) || value.is_empty() {
                continue;
            }
            let (name, values) = match name.strip_suffix("__in") {
                Some(name) => (name, value.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
                None => (name, quoted(value)),
            };
            terms.push(format!("{}:in({values})", field(name)));
        }
        let search = if terms.is_empty() { "*".to_owned() } else { terms.join(" ") };
        Ok(Question { search, range: range(logger, params, now)?, phrase })
    }
}

fn range(logger: &Logger, params: &Params, now: Nanos) -> Result<TimeRange, ApiError> {
    let read = |name: &str, open: Nanos| match params.text(name) {
        None => Ok(open),
        Some(text) => times::time(text, now).ok_or_else(|| {
            ApiError::bad(format!("{name} is {text:?}, which is no time."), "Write 2026-11-20 10:02:17.")
        }),
    };
    let kept = match logger.days {
        0 => i64::MIN,
        days => now.saturating_sub(Nanos::from(days).saturating_mul(DAY)),
    };
    let end = read("end_ts", i64::MAX)?;
    let start = read("start_ts", i64::MIN)?.max(kept).min(end);
    Ok(TimeRange { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = 1_763_632_937 * SECOND;

    fn question(logger: &Logger, query: &str) -> Question {
        let uri = format!("/grep/web/?{query}").parse().expect("an address");
        Question::read(logger, &Params::of_uri(&uri), NOW).expect("a question")
    }

    #[test]
    fn addresses_ask_what_they_asked_before() {
        let logger = Logger { selector: "_tag:logstash".to_owned(), days: 30, ..Logger::default() };
        for (query, wanted) in [
            ("", "(_tag:logstash)"),
            ("search=Bad,gateway+502", "(_tag:logstash) message:\"bad gateway 502\""),
            ("levelname=ERROR", "(_tag:logstash) levelname:in(\"ERROR\")"),
            (
                "levelname__in=ERROR,INFO&host=a",
                "(_tag:logstash) levelname:in(\"ERROR\", \"INFO\") host:in(\"a\")",
            ),
            (
                "search=a+%40user%3Djoe+%40path%3D%22x+y%22+b",
                "(_tag:logstash) message:\"a b\" user:in(\"joe\") path:in(\"x y\")",
            ),
            ("req%20id=1%22)%20OR%20*", "(_tag:logstash) \"req id\":in(\"1\\\") OR *\")"),
            ("columns=a,b&context=y&page=2&format=json&cursor=1.2", "(_tag:logstash)"),
        ] {
            assert_eq!(question(&logger, query).search, wanted, "{query}");
        }
        let all = Logger::default();
        assert_eq!(question(&all, "").search, "*");
        assert_eq!(question(&all, "search=A+b").phrase, ["a", "b"]);
    }

    #[test]
    fn times_are_bounded_by_the_days_that_are_kept() {
        let logger = Logger { days: 1, ..Logger::default() };
        let range = |query: &str| question(&logger, query).range;
        let whole = TimeRange { start: NOW - DAY, end: i64::MAX };
        assert_eq!(range(""), whole);
        assert_eq!(range("start_ts=2025-01-01+00:00:00"), whole);
        let start = NOW - 17 * SECOND;
        assert_eq!(
            range("start_ts=2025-11-20+10:02:00&end_ts=2025-11-20+10:02:17"),
            TimeRange { start, end: NOW }
        );
        let uri = "/grep/web/?start_ts=soon".parse().expect("an address");
        assert!(Question::read(&logger, &Params::of_uri(&uri), NOW).is_err());
    }
}
