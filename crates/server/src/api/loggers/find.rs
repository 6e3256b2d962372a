//! `/api/grep/LOGGER/`: rows as ALCO's API gives them: oldest first, a hundred at once, with a cursor to the next.

use std::sync::Arc;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sawlog_model::{Nanos, Right, TimeRange};
use serde_json::{Map, Value, json};

use super::question::Question;
use super::{JSON, asked, counted, logger_of};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;
use crate::loggers::Logger;
use crate::params::{ANY, Kind, Param};
use crate::times;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/api/grep/{logger}/",
    needs: Some(Right::Read),
    summary: "Rows of a logger, oldest first, as ALCO gives them. Any other parameter asks for the values of a column.",
    params: &[&SEARCH, &START_TS, &END_TS, &CURSOR, &ANY],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(find(shared, call)),
};

/// As ALCO calls its parameters.
pub(super) const SEARCH: Param =
    Param { name: "search", kind: Kind::Text, help: "Words of one phrase; @field=value asks for a field." };
pub(super) const START_TS: Param =
    Param { name: "start_ts", kind: Kind::Time, help: "First time, as 2026-11-20 10:02:17 (UTC)." };
pub(super) const END_TS: Param =
    Param { name: "end_ts", kind: Kind::Time, help: "First time that is not wanted any more." };
const CURSOR: Param =
    Param { name: "cursor", kind: Kind::Text, help: "What `next` or `previous` of another answer says." };

/// Rows of an answer.
const PAGE: usize = 100;

/// Most rows of one and the same time that a cursor passes over.
const MOST_SKIPPED: usize = 100_000;

/// Where a page begins: at a time, behind so many of the rows of that time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cursor {
    time: Nanos,
    skip: usize,
}

impl Cursor {
    fn read(text: &str) -> Option<Cursor> {
        let (time, skip) = text.split_once('.')?;
        let cursor = Cursor { time: time.parse().ok()?, skip: skip.parse().ok()? };
        (cursor.skip <= MOST_SKIPPED).then_some(cursor)
    }
}

async fn find(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let logger = logger_of(&shared, &call, "/api/grep/")?;
    let question = Question::read(&logger, &call.params, call.now)?;
    let wrong =
        |text: &str| ApiError::bad(format!("cursor is {text:?}, which is none."), "Ask without a cursor.");
    let cursor = match call.params.text("cursor") {
        Some(text) => Some(Cursor::read(text).ok_or_else(|| wrong(text))?),
        None => None,
    };
    let mut range = question.range;
    let skip = cursor.map_or(0, |cursor| cursor.skip);
    if let Some(cursor) = cursor {
        range.start = range.start.max(cursor.time).min(range.end);
    }
    let rows = rows(&shared, &call, &question.search, range, skip + PAGE + 1).await?;
    let previous = match cursor {
        Some(cursor) => before(&shared, &call, &question.search, question.range, cursor).await?,
        None => None,
    };
    let page = page(&logger, &question, &rows, skip);
    let [next, previous] = [page.next, previous].map(|cursor| cursor.map(|cursor| address(&call, cursor)));
    Ok(Json(json!({ "next": next, "previous": previous, "results": page.results })).into_response())
}

/// The first rows of a search by time.
pub(super) async fn rows(
    shared: &Arc<Shared>,
    call: &Call,
    search: &str,
    range: TimeRange,
    limit: usize,
) -> Result<Vec<Map<String, Value>>, ApiError> {
    asked(shared, call, format!("{search} | sort _time, _source, _epoch, _offset | limit {limit}"), range)
        .await
}

/// Where the page before one begins that begins at a cursor; `None` where there is none.
async fn before(
    shared: &Arc<Shared>,
    call: &Call,
    search: &str,
    range: TimeRange,
    cursor: Cursor,
) -> Result<Option<Cursor>, ApiError> {
    let Cursor { time, skip } = cursor;
    if skip >= PAGE {
        return Ok(Some(Cursor { time, skip: skip - PAGE }));
    }
    let earlier = TimeRange { start: range.start, end: time };
    let query = format!("{search} | sort _time desc | limit {} | fields _time", PAGE - skip);
    let times: Vec<Nanos> = asked(shared, call, query, earlier).await?.iter().map(time_of).collect();
    let Some(first) = times.last().copied() else {
        return Ok((skip > 0).then_some(Cursor { time, skip: 0 }));
    };
    // Of the rows of that time the page has the last ones.
    let same = TimeRange { start: first, end: first + 1 };
    let all = counted(&asked(shared, call, format!("{search} | stats count() as n"), same).await?);
    let of_page = times.iter().filter(|time| **time == first).count();
    Ok(Some(Cursor { time: first, skip: all.saturating_sub(of_page) }))
}

/// The time of a row.
pub(super) fn time_of(row: &Map<String, Value>) -> Nanos {
    row.get("_time").and_then(Value::as_str).and_then(|text| times::time(text, 0)).unwrap_or_default()
}

struct Page {
    results: Vec<Value>,
    next: Option<Cursor>,
}

fn page(logger: &Logger, question: &Question, rows: &[Map<String, Value>], skip: usize) -> Page {
    let (mut results, mut last) = (Vec::new(), (Nanos::MIN, 0));
    for (index, row) in rows.iter().enumerate().take(skip + PAGE) {
        let time = time_of(row);
        // So many rows of this time stand before it.
        last = if last.0 == time { (time, last.1 + 1) } else { (time, 0) };
        if index >= skip {
            results.push(result(logger, question, row, time.saturating_add(last.1 as Nanos)));
        }
    }
    let more = rows.len() > skip + PAGE;
    Page { results, next: more.then_some(Cursor { time: last.0, skip: last.1 + 1 }) }
}

fn result(logger: &Logger, question: &Question, row: &Map<String, Value>, id: Nanos) -> Value {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let own = ["message", "msg", "log", "body"].into_iter().find(|name| text(name).is_some());
    let line = text(own.unwrap_or("_line")).unwrap_or_default().trim_end();
    let excluded = |name: &str| logger.columns.iter().any(|column| column.name == name && column.excluded);
    let mut js = Map::new();
    for (name, value) in row {
        let known =
            name.starts_with('_') || name == "@timestamp" || name == "@version" || Some(name.as_str()) == own;
        if known || excluded(name) {
            continue;
        }
        let value = match value {
            Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
            plain => plain.clone(),
        };
        js.insert(name.clone(), value);
    }
    json!({
        "id": id,
        "datetime": row.get("_time"),
        "logline": line,
        "logline_snippet": snippet(line, &question.phrase),
        "js": js,
    })
}

/// The text with `<b>` around each place of the phrase; signs of HTML are escaped, since pages put it in as it is.
fn snippet(line: &str, phrase: &[String]) -> String {
    let words = words(line);
    let mut out = String::with_capacity(line.len() + 16);
    let (mut written, mut index) = (0, 0);
    while !phrase.is_empty() && index + phrase.len() <= words.len() {
        let found = &words[index..index + phrase.len()];
        if found.iter().zip(phrase).all(|((start, end), word)| line[*start..*end].to_lowercase() == *word) {
            let (start, end) = (found[0].0, found[found.len() - 1].1);
            escape(&line[written..start], &mut out);
            out.push_str("<b>");
            escape(&line[start..end], &mut out);
            out.push_str("</b>");
            written = end;
            index += phrase.len();
        } else {
            index += 1;
        }
    }
    escape(&line[written..], &mut out);
    out
}

/// First and last byte of each run of letters, digits and what stands within words.
fn words(line: &str) -> Vec<(usize, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    for (at, letter) in line.char_indices() {
        if !(letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.')) {
            continue;
        }
        let end = at + letter.len_utf8();
        match words.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            _ => words.push((at, end)),
        }
    }
    words
}

/// Text as HTML has it.
pub(super) fn escape(text: &str, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
}

/// The same address with another cursor; with the host where the request names it, since scripts ask for it as it is.
fn address(call: &Call, next: Cursor) -> String {
    let others = call.params.each().filter(|(name, _)| *name != "cursor");
    let cursor = format!("{}.{}", next.time, next.skip);
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .append_pair("cursor", &cursor)
        .finish();
    let text = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    match text(header::HOST.as_str()) {
        Some(host) => format!("{scheme}://{host}{}?{query}", call.path),
        None => format!("{}?{query}", call.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_marked_and_the_rest_is_text() {
        let phrase = |text: &str| {
            text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        for (line, words, wanted) in [
            ("Bad Gateway: bad gateway", "bad gateway", "<b>Bad Gateway</b>: <b>bad gateway</b>"),
            ("a <b> c", "c", "a &lt;b&gt; <b>c</b>"),
            ("größe 5", "größe", "<b>größe</b> 5"),
            ("none here", "x", "none here"),
            ("all", "", "all"),
        ] {
            assert_eq!(snippet(line, &phrase(words)), wanted);
        }
    }

    #[test]
    fn cursors_are_read_or_refused() {
        assert_eq!(Cursor::read("12.3"), Some(Cursor { time: 12, skip: 3 }));
        for wrong in ["", "1", "x.1", "1.x", "1.-1", "1.100001"] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
    }
}
