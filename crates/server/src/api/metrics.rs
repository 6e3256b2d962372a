//! `/metrics`: counters in Prometheus's text form.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::SECOND;
use sawlog_model::{PartStatus, Right};

use crate::api::status::resident_bytes;
use crate::api::{Call, Method, ROUTES, Route, Shared, Takes};
use crate::counters::{CLASSES, RouteCounters};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/metrics",
    needs: Some(Right::Read),
    summary: "Gives the node's counters to Prometheus.",
    params: &[],
    takes: Takes::Params,
    gives: "text/plain",
    handle: |shared, call| Box::pin(metrics(shared, call)),
};

async fn metrics(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let mut page = Page::default();
    parts(&mut page, &shared.node.status.parts());
    store(&mut page, &shared);
    requests(&mut page, &shared);
    page.family("sawlog_uptime_seconds", "gauge", "Seconds since the node came up.");
    page.sample("", &[], call.now.saturating_sub(shared.started) / SECOND);
    if let Some(bytes) = resident_bytes(&*shared.node.sys.fs) {
        page.family("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.");
        page.sample("", &[], bytes);
    }
    page.family("sawlog_build_info", "gauge", "Always 1; its label is the version.");
    page.sample("", &[("version", shared.node.settings.version)], 1);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.text).into_response())
}

/// The text, with the name of the family that is being written.
#[derive(Default)]
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        for (at, (name, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}{name}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

fn parts(page: &mut Page, parts: &[PartStatus]) {
    page.family("sawlog_part_records_total", "counter", "Records that passed an input, filter or output.");
    for part in parts {
        page.sample("", &[("role", part.role), ("part", &part.name)], part.records);
    }
    page.family("sawlog_part_bytes_total", "counter", "Bytes that passed an input, filter or output.");
    for part in parts {
        page.sample("", &[("role", part.role), ("part", &part.name)], part.bytes);
    }
    page.family("sawlog_part_errors_total", "counter", "What could not be taken or parsed, by reason.");
    for part in parts {
        for (reason, count) in &part.errors {
            page.sample("", &[("role", part.role), ("part", &part.name), ("reason", reason)], count);
        }
    }
    page.family(
        "sawlog_part_up",
        "gauge",
        "1 where an input, filter or output runs or waits for work, else 0.",
    );
    for part in parts {
        let up = u8::from(matches!(part.state, "running" | "waiting"));
        page.sample("", &[("role", part.role), ("part", &part.name)], up);
    }
}

fn store(page: &mut Page, shared: &Shared) {
    let stats = shared.node.store.stats();
    let gauges: [(&'static str, &str, u64); 5] = [
        ("sawlog_store_records", "Rows in segments and memtables.", stats.records),
        ("sawlog_store_raw_bytes", "Bytes of their lines.", stats.raw_bytes),
        ("sawlog_store_disk_bytes", "Bytes on disk.", stats.stored_bytes),
        ("sawlog_store_segments", "Segments.", stats.segments),
        ("sawlog_store_memtable_bytes", "Bytes of memory in memtables.", stats.memtable_bytes),
    ];
    for (name, help, value) in gauges {
        page.family(name, "gauge", help);
        page.sample("", &[], value);
    }
}

fn requests(page: &mut Page, shared: &Shared) {
    let routes = || ROUTES.iter().zip(&shared.counters);
    page.family("sawlog_http_requests_total", "counter", "Requests answered, by route and class of status.");
    for (route, counters) in routes() {
        for (class, count) in ["2xx", "3xx", "4xx", "5xx"].into_iter().zip(&counters.by_status) {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                page.sample("", &[("route", route.path), ("status", class)], count);
            }
        }
    }
    page.family("sawlog_http_requests_running", "gauge", "Requests being answered.");
    for (route, counters) in routes() {
        page.sample("", &[("route", route.path)], counters.running.load(Ordering::Relaxed));
    }
    page.family("sawlog_http_request_seconds", "histogram", "Time from a request to the end of its answer.");
    for (route, counters) in routes() {
        durations(page, route.path, counters);
    }
}

fn durations(page: &mut Page, path: &str, counters: &RouteCounters) {
    let mut so_far = 0;
    let bounds = CLASSES.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    let counts: Vec<u64> = counters.by_time.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    if counts.iter().sum::<u64>() == 0 {
        return;
    }
    for (bound, count) in bounds.zip(counts) {
        so_far += count;
        page.sample("_bucket", &[("route", path), ("le", &bound)], so_far);
    }
    page.sample("_sum", &[("route", path)], counters.micros.load(Ordering::Relaxed) as f64 / 1e6);
    page.sample("_count", &[("route", path)], so_far);
}
