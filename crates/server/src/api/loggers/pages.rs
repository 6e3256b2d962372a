//! `/grep/…`: the list of loggers, and the way from ALCO's addresses to the page, which shows what they asked for.

use std::sync::Arc;

use super::find::{END_TS, SEARCH, START_TS, escape, rows, time_of};
use super::question::Question;
use super::{asked, counted, logger_of, no_such, parts};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;
use crate::loggers::{Book, Logger};
use crate::params::ANY;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::time::{SECOND, rfc3339};
use sawlog_model::{Nanos, Right, TimeRange};

const HTML: &str = "text/html; charset=utf-8";

/// What a page without a time shows, and what the list counts.
const LAST: Nanos = 300 * SECOND;

pub(crate) const INDEX: Route = Route {
    methods: &[Method::Get],
    path: "/grep/",
    needs: Some(Right::Read),
    summary: "A page with the loggers, what came in the last five minutes, and the shortcuts.",
    params: &[],
    takes: Takes::Params,
    gives: HTML,
    handle: |shared, call| Box::pin(index(shared, call)),
};

pub(crate) const LOGGER: Route = Route {
    methods: &[Method::Get],
    path: "/grep/{logger}/",
    needs: Some(Right::Read),
    summary: "Leads to the page that shows what an address of ALCO's asked for.",
    params: &[&SEARCH, &START_TS, &END_TS, &ANY],
    takes: Takes::Params,
    gives: HTML,
    handle: |shared, call| Box::pin(logger(shared, call)),
};

pub(crate) const SHORTCUT: Route = Route {
    methods: &[Method::Get],
    path: "/grep/shortcut/{name}/",
    needs: Some(Right::Read),
    summary: "Leads to a shortcut's logger, with the shortcut's parameters.",
    params: &[],
    takes: Takes::Params,
    gives: HTML,
    handle: |shared, call| Box::pin(async move { shortcut(&shared, &call) }),
};

pub(crate) const SHORTCUT_WITH_VALUE: Route = Route {
    path: "/grep/shortcut/{name}/{value}/",
    summary: "The same, with a value for the shortcut's default field.",
    ..SHORTCUT
};

fn to(address: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, address)]).into_response()
}

fn query_of<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A time as ALCO's addresses have it.
fn start_ts(time: Nanos) -> String {
    rfc3339(time.div_euclid(SECOND) * SECOND).replace('T', " ").replace('Z', "")
}

async fn logger(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let logger = logger_of(&shared, &call, "/grep/")?;
    if call.params.text("start_ts").is_none() {
        let start = start_ts(call.now - LAST);
        let query = query_of(call.params.each().chain([("start_ts", start.as_str())]));
        return Ok(to(&format!("{}?{query}", call.path)));
    }
    let mut question = Question::read(&logger, &call.params, call.now)?;
    if call.params.flag("context") {
        // The whole log from the first match on.
        let first = rows(&shared, &call, &question.search, question.range, 1).await?;
        if let Some(first) = first.first() {
            question.range.start = time_of(first);
            question.search = Question::read(&logger, &Default::default(), call.now)?.search;
        }
    }
    let columns = match call.params.text("columns") {
        Some(columns) => columns.to_owned(),
        None => displayed(&logger).join(","),
    };
    let text = |time: Nanos, open: Nanos| if time == open { String::new() } else { rfc3339(time) };
    let TimeRange { start, end } = question.range;
    let (from, until) = (text(start, i64::MIN), text(end, i64::MAX));
    // Values that the page offers at once.
    let filtered: Vec<&str> =
        logger.columns.iter().filter(|column| column.filtered).map(|column| &*column.name).collect();
    let open = filtered.join(",");
    let live = if call.params.flag("live") { "1" } else { "" }.to_owned();
    let pairs = [
        ("q", &question.search),
        ("from", &from),
        ("to", &until),
        ("cols", &columns),
        ("open", &open),
        ("live", &live),
    ];
    let given = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Ok(to(&format!("/?{}", query_of(given.map(|(name, value)| (name, value.as_str()))))))
}

fn displayed(logger: &Logger) -> Vec<&str> {
    let shown =
        logger.columns.iter().filter(|column| column.displayed && !column.excluded && !column.context);
    shown.map(|column| column.name.as_str()).collect()
}

fn shortcut(shared: &Shared, call: &Call) -> Result<Response, ApiError> {
    let parts = parts(&call.path, "/grep/shortcut/");
    let name = parts.first().map(String::as_str).unwrap_or_default();
    let book = shared.node.loggers.book(call.tenant);
    let shortcut = book.shortcuts.get(name).ok_or_else(|| no_such("shortcut", name))?;
    let url = shortcut.url.rsplit_once('?').map_or(shortcut.url.as_str(), |(_, query)| query);
    let mut pairs: Vec<(String, String)> = form_urlencoded::parse(url.as_bytes()).into_owned().collect();
    if let Some(value) = parts.get(1).filter(|_| !shortcut.default_field.is_empty()) {
        pairs.retain(|(name, _)| *name != shortcut.default_field);
        pairs.push((shortcut.default_field.clone(), value.clone()));
    }
    let query = query_of(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mark = if query.is_empty() { "" } else { "?" };
    Ok(to(&format!("/grep/{}/{mark}{query}", shortcut.logger)))
}

async fn index(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let book = shared.node.loggers.book(call.tenant);
    let mut counts = Vec::new();
    for logger in book.loggers.values() {
        counts.push(count(&shared, &call, logger).await?);
    }
    Ok(([(header::CONTENT_TYPE, HTML)], page(&book, &counts)).into_response())
}

/// Rows of the last five minutes.
async fn count(shared: &Arc<Shared>, call: &Call, logger: &Logger) -> Result<usize, ApiError> {
    let search = Question::read(logger, &Default::default(), call.now)?.search;
    let range = TimeRange { start: call.now - LAST, end: i64::MAX };
    let rows = asked(shared, call, format!("{search} | stats count() as n"), range).await?;
    Ok(counted(&rows))
}

fn page(book: &Book, counts: &[usize]) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Loggers - sawlog</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/ui/app.css\">\
         <link rel=\"stylesheet\" href=\"/ui/loggers.css\"></head><body class=\"loggers\"><header id=\"bar\">\
         <h1><a href=\"/\">sawlog</a></h1><span>Loggers</span><a href=\"/loggers/\">Change</a></header><main>",
    );
    if book.loggers.is_empty() {
        out.push_str("<p class=\"none\">There are none yet: <a href=\"/loggers/\">make one</a>.</p>");
    }
    for (logger, count) in book.loggers.values().zip(counts) {
        out.push_str("<details open><summary>");
        escape(&logger.name, &mut out);
        out.push_str(&format!(
            " <small>{count} in 5 minutes</small></summary><p><a href=\"/grep/{0}/\">Current log tail</a> \
             <a href=\"/grep/{0}/?live=1\">Live</a></p><ul>",
            logger.name
        ));
        for shortcut in book.shortcuts.values().filter(|shortcut| shortcut.logger == logger.name) {
            out.push_str(&format!("<li><a href=\"/grep/shortcut/{0}/\">{0}</a> ", shortcut.name));
            escape(&shortcut.description, &mut out);
            out.push_str("</li>");
        }
        out.push_str("</ul></details>");
    }
    out.push_str("</main></body></html>");
    out
}
