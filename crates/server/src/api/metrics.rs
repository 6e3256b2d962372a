//! `/metrics`: counters in Prometheus's text form.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use sawlog_model::time::SECOND;
use sawlog_model::{Metrics, Right};
use sawlog_store::{Shares, Stats};

use crate::api::status::resident_bytes;
use crate::api::{Call, Method, Route, Shared, Takes, all, tenants};
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
    let mut page = Metrics::default();
    if !call.whole {
        store(&mut page, &shared.node.store.stats_of(call.tenant));
        tenants::metrics(&mut page, &shared, Some(call.tenant));
        return Ok(page_of(page));
    }
    page.parts(&shared.node.status.parts());
    store(&mut page, &shared.node.store.stats());
    memory(&mut page, shared.node.store.shares());
    tenants::metrics(&mut page, &shared, None);
    requests(&mut page, &shared);
    page.family("sawlog_uptime_seconds", "gauge", "Seconds since the node came up.");
    page.sample("", &[], call.now.saturating_sub(shared.started) / SECOND);
    if let Some(bytes) = resident_bytes(&*shared.node.sys.fs) {
        page.family("process_resident_memory_bytes", "gauge", "Memory of the process that is in RAM.");
        page.sample("", &[], bytes);
    }
    page.family("sawlog_build_info", "gauge", "Always 1; its label is the version.");
    page.sample("", &[("version", shared.node.settings.version)], 1);
    Ok(page_of(page))
}

fn page_of(page: Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.text).into_response()
}

fn store(page: &mut Metrics, stats: &Stats) {
    let gauges: [(&'static str, &str, u64); 6] = [
        ("sawlog_store_records", "Rows in segments and memtables.", stats.records),
        ("sawlog_store_raw_bytes", "Bytes of their lines.", stats.raw_bytes),
        ("sawlog_store_disk_bytes", "Bytes on disk.", stats.stored_bytes),
        ("sawlog_store_segments", "Segments.", stats.segments),
        ("sawlog_store_open_segments", "Segments whose files are open.", stats.open_segments),
        ("sawlog_store_memtable_bytes", "Bytes of memory in memtables.", stats.memtable_bytes),
    ];
    for (name, help, value) in gauges {
        page.family(name, "gauge", help);
        page.sample("", &[], value);
    }
    let written = [("flush", stats.flushed), ("rewrite", stats.rewritten)];
    let help = "Bytes of lines written to segments; those rewritten (by compaction, deletion, repair) beside those flushed \
                are the write amplification.";
    page.family("sawlog_store_written_raw_bytes_total", "counter", help);
    for (by, written) in written {
        page.sample("", &[("by", by)], written.raw_bytes);
    }
    page.family("sawlog_store_written_bytes_total", "counter", "Bytes of segments written.");
    for (by, written) in written {
        page.sample("", &[("by", by)], written.bytes);
    }
    let read: [(&'static str, &str, u64); 4] = [
        ("sawlog_store_opened_segments_total", "Segments that were opened.", stats.read.opened),
        (
            "sawlog_store_read_bytes_total",
            "Bytes of segments read, by questions and by compaction.",
            stats.read.bytes,
        ),
        ("sawlog_store_unpacked_bytes_total", "The same once they were unpacked.", stats.read.unpacked),
        ("sawlog_store_decoded_columns_total", "Columns of row groups decoded.", stats.read.columns),
    ];
    for (name, help, value) in read {
        page.family(name, "counter", help);
        page.sample("", &[], value);
    }
}

/// The memory that everything shares, by who holds it.
fn memory(page: &mut Metrics, shares: &Shares) {
    let usage = shares.usage();
    page.family("sawlog_memory_held_bytes", "gauge", "Memory of the store by who holds it.");
    for one in &usage {
        page.sample("", &[("by", &one.name)], one.held);
    }
    page.family("sawlog_memory_most_bytes", "gauge", "Memory that each may hold.");
    for one in &usage {
        page.sample("", &[("by", &one.name)], one.most);
    }
    page.family("sawlog_memory_limit_bytes", "gauge", "Memory that all of them may hold together.");
    page.sample("", &[], shares.all.most());
}

fn requests(page: &mut Metrics, shared: &Shared) {
    let routes = || all().zip(&shared.counters);
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

fn durations(page: &mut Metrics, path: &str, counters: &RouteCounters) {
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
