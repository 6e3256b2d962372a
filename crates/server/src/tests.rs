//! Tests of the parts that need no store: times, parameters, the door, the list of routes, the page's files.

use std::collections::BTreeSet;

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use sawlog_model::Right;
use sawlog_model::time::SECOND;

use crate::Hosts;
use crate::api::{Method, ROUTES};
use crate::params::Params;
use crate::{door, times, ui};

const NOW: i64 = 1_763_632_937 * SECOND;

#[test]
fn times_are_read_in_every_form() {
    let whole = 1_763_632_937 * SECOND;
    for (text, expected) in [
        ("now", NOW),
        ("1763632937", whole),
        ("1763632937.25", whole + SECOND / 4),
        ("1763632937250", whole + SECOND / 4),
        ("1763632937250001", whole + SECOND / 4 + 1_000),
        ("1763632937250000001", whole + SECOND / 4 + 1),
        ("2025-11-20T10:02:17Z", whole),
        ("2025-11-20T11:02:17+01:00", whole),
        ("2025-11-20 10:02:17", whole),
        ("2025-11-20", whole - (10 * 3600 + 2 * 60 + 17) * SECOND),
        ("2h", NOW - 7_200 * SECOND),
        ("-15m", NOW - 900 * SECOND),
        ("now-1d", NOW - 86_400 * SECOND),
        ("now+1h30m", NOW + 5_400 * SECOND),
    ] {
        assert_eq!(times::time(text, NOW), Some(expected), "{text}");
    }
    for text in ["", "h", "-5", "2x", "yesterday", "now-", "2025-13-01", "99999999999999999999", "1h m"] {
        assert_eq!(times::time(text, NOW), None, "{text}");
    }
}

#[test]
fn steps_are_handy_and_make_no_more_bars_than_asked() {
    for (span, bars, expected) in [
        (3_600 * SECOND, 60, 60 * SECOND),
        (3_601 * SECOND, 60, 120 * SECOND),
        (1, 60, 1_000_000),
        (86_400 * SECOND, 100, 900 * SECOND),
        (266 * 364 * 86_400 * SECOND, 10, 27 * 364 * 86_400 * SECOND),
    ] {
        assert_eq!(times::step(span, bars), expected, "{span} {bars}");
    }
    assert!(times::step(i64::MAX, 60) > i64::MAX / 61);
}

#[test]
fn parameters_that_a_route_does_not_have_are_refused() {
    let params = Params::of_uri(&"/api/v1/search?query=a%20b&star=1h".parse::<Uri>().expect("a path"));
    let search = ROUTES.iter().find(|route| route.path == "/api/v1/search").expect("there is a search");
    let refusal = params.check(search.params).expect_err("star is none");
    assert!(refusal.error.contains("star") && refusal.remedy.contains("start"), "{refusal:?}");
    assert_eq!(params.text("query"), Some("a b"));
}

#[test]
fn parameters_come_in_forms_and_objects() {
    let of = |content_type: &'static str, body: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Params::of_body(&headers, body.as_bytes())
    };
    let form = of("application/x-www-form-urlencoded; charset=utf-8", "query=a+b&limit=5").expect("a form");
    let object = of("application/json", r#"{"query":"a b","limit":5}"#).expect("an object");
    assert_eq!(form, object);
    assert_eq!(form.count("limit").expect("a number"), Some(5));
    assert!(of("text/xml", "<a/>").is_err());
    assert!(of("application/json", "[1]").is_err());
}

#[test]
fn only_names_of_this_machine_are_answered_on_loopback() {
    let allowed = |hosts: &Hosts, host: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        door::check_host(hosts, &headers).is_ok()
    };
    for host in [
        "localhost",
        "LOCALHOST:7514",
        "127.0.0.1:7514",
        "127.8.9.1",
        "[::1]:7514",
        "a.localhost:1",
        "localhost.",
    ] {
        assert!(allowed(&Hosts::Loopback, host), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:7514", "10.0.0.1", "[fe80::1]:7514", ""] {
        assert!(!allowed(&Hosts::Loopback, host), "{host}");
    }
    let named = Hosts::Named(vec!["logs.example".into()]);
    assert!(allowed(&named, "logs.example:7514") && allowed(&named, "localhost"));
    assert!(!allowed(&named, "other.example"));
    assert!(allowed(&Hosts::Any, "whatever.example"));
}

#[test]
fn pages_of_other_sites_are_refused() {
    let passes = |pairs: &[(&'static str, &'static str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        door::check_origin(&headers).is_ok()
    };
    assert!(passes(&[]), "a program");
    assert!(passes(&[
        ("host", "localhost:7514"),
        ("origin", "http://localhost:7514"),
        ("sec-fetch-site", "same-origin")
    ]));
    assert!(!passes(&[("host", "localhost:7514"), ("origin", "http://evil.example")]));
    assert!(!passes(&[("host", "localhost:7514"), ("origin", "http://localhost:8080")]));
    assert!(!passes(&[("host", "localhost:7514"), ("origin", "null")]));
    assert!(!passes(&[("host", "localhost:7514"), ("sec-fetch-site", "cross-site")]));
}

#[test]
fn routes_are_listed_once_and_explain_themselves() {
    let mut seen = BTreeSet::new();
    for route in ROUTES {
        assert!(seen.insert(route.path), "{} comes twice", route.path);
        assert!(route.summary.ends_with('.') && !route.methods.is_empty(), "{}", route.path);
        assert!(route.params.iter().all(|param| param.help.ends_with('.')), "{}", route.path);
        let changes = matches!(route.needs, Some(Right::Node | Right::Write | Right::Ingest));
        assert!(!changes || route.methods == [Method::Post], "{} changes state and is no POST", route.path);
    }
}

#[test]
fn every_file_of_the_page_is_listed() {
    let sys = sawlog_sys::Sys::real();
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let listed: BTreeSet<_> = ui::FILES.iter().map(|file| file.name.to_owned()).collect();
    let there: BTreeSet<_> = sys
        .fs
        .list(&dir)
        .expect("the page's directory")
        .into_iter()
        .filter_map(|entry| Some(entry.path.file_name()?.to_str()?.to_owned()))
        // Only the type checker reads it.
        .filter(|name| name != "tsconfig.json")
        .collect();
    assert_eq!(listed, there);
    assert!(listed.contains(ui::LOGIN) && ui::PAGES.iter().all(|(_, name)| listed.contains(*name)));
    assert!(ui::weight() <= 150_000, "the page weighs {} bytes", ui::weight());
}
