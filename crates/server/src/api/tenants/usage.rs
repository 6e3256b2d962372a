//! `/api/v1/usage` and `/api/v1/tenants/limit`: what tenants did by day, and what they may.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use sawlog_model::{Metrics, Right, Tenant};
use serde_json::{Map, Value, json};

use super::{JSON, changing, needed};
use crate::access::{Limits, Usage};
use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;
use crate::kept::ChangeError;
use crate::params::{Kind, Param};

pub(crate) const USAGE: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/usage",
    needs: Some(Right::Read),
    summary: "Says what tenants brought and asked by day, what they hold and what they may: all for who owns the node, else the \
              caller's own.",
    params: &[&DAYS],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(usage(shared, call)),
};

pub(crate) const LIMIT: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/tenants/limit",
    needs: Some(Right::Node),
    summary: "Sets limits of a tenant; those that are not given stay, 0 takes one away.",
    params: &[
        &super::NAME,
        &BYTES,
        &RECORDS,
        &STORED,
        &QUERIES,
        &SECONDS,
        &MEMORY,
        &SOURCES,
        &FIELDS,
        &KEEP_SECONDS,
        &KEEP_BYTES,
    ],
    takes: Takes::Params,
    gives: JSON,
    handle: |shared, call| Box::pin(limit(shared, call)),
};

const DAYS: Param =
    Param { name: "days", kind: Kind::Count, help: "So many days with today; 30 where it is not given." };
pub(super) const BYTES: Param =
    Param { name: "bytes_per_second", kind: Kind::Count, help: "Bytes of lines that it may send a second." };
pub(super) const RECORDS: Param =
    Param { name: "records_per_second", kind: Kind::Count, help: "Records that it may send a second." };
pub(super) const STORED: Param = Param {
    name: "stored_bytes",
    kind: Kind::Count,
    help: "Bytes on disk above which nothing more is taken.",
};
pub(super) const QUERIES: Param =
    Param { name: "queries", kind: Kind::Count, help: "Questions that it may ask at once." };
pub(super) const SECONDS: Param =
    Param { name: "query_seconds", kind: Kind::Count, help: "Seconds that a question may take." };
pub(super) const MEMORY: Param =
    Param { name: "query_memory", kind: Kind::Count, help: "Bytes of memory that a question may use." };
pub(super) const SOURCES: Param =
    Param { name: "sources", kind: Kind::Count, help: "Sources that its rows may come from." };
pub(super) const FIELDS: Param =
    Param { name: "fields", kind: Kind::Count, help: "Names that fields of its rows may have." };
pub(super) const KEEP_SECONDS: Param =
    Param { name: "keep_seconds", kind: Kind::Count, help: "Seconds for which its rows are kept." };
pub(super) const KEEP_BYTES: Param = Param {
    name: "keep_bytes",
    kind: Kind::Count,
    help: "Bytes of segments that are kept; the oldest go first.",
};

async fn usage(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let days = call.params.count("days")?.unwrap_or(30).max(1);
    let days = changing(&shared, move |tenancy| tenancy.usage(days).map_err(ChangeError::Disk)).await?;
    let table = shared.node.tenancy.table();
    let sees = |number: u32| call.whole || number == call.tenant.0;
    let mut tenants = Vec::new();
    let numbers = std::iter::once(0).chain(table.tenants.keys().copied().filter(|number| *number > 0));
    for number in numbers.filter(|number| sees(*number)) {
        let mut limits = table.tenants.get(&number).map(|entry| entry.limits).unwrap_or_default();
        let limits: Map<String, Value> = limits
            .each()
            .into_iter()
            .filter(|(_, limit)| **limit > 0)
            .map(|(name, limit)| (name.to_owned(), (*limit).into()))
            .collect();
        let by_day = days.iter().filter_map(|(day, counts)| {
            let counted = counts.get(&number)?;
            Some(json!({
                "day": day, "records": counted.records, "bytes": counted.bytes, "limited": counted.limited,
                "queries": counted.queries, "query_millis": counted.query_millis,
            }))
        });
        tenants.push(json!({
            "name": table.name(Tenant(number)),
            "stored_bytes": shared.node.store.stats_of(Tenant(number)).stored_bytes,
            "limits": limits,
            "days": by_day.collect::<Vec<_>>(),
        }));
    }
    Ok(Json(json!({ "tenants": tenants })).into_response())
}

async fn limit(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let name = needed(&call, "name")?;
    let mut given = Vec::new();
    for (limit, _) in Limits::default().each() {
        given.extend(call.params.count(limit)?.map(|most| (limit, most)));
    }
    changing(&shared, move |tenancy| {
        tenancy.set_limits(&name, |limits| {
            for (limit, most) in limits.each() {
                given.iter().filter(|(name, _)| *name == limit).for_each(|(_, given)| *most = *given);
            }
            Ok(())
        })
    })
    .await?;
    usage(shared, Call { params: Default::default(), ..call }).await
}

/// Name and help of a family of samples, and what of a tenant's counts it is.
type Family = (&'static str, &'static str, fn(&Usage) -> u64);

/// What tenants did today, for `/metrics`: all, or one.
pub(crate) fn metrics(page: &mut Metrics, shared: &Shared, only: Option<Tenant>) {
    let (counted, table) = (shared.node.tenancy.usage(1), shared.node.tenancy.table());
    let Some((_, counts)) = counted.ok().and_then(|days| days.into_iter().next()) else { return };
    let families: [Family; 4] = [
        ("sawlog_tenant_records_today", "Records that a tenant brought today, UTC.", |usage| usage.records),
        ("sawlog_tenant_bytes_today", "Bytes of their lines.", |usage| usage.bytes),
        ("sawlog_tenant_limited_today", "Records that were put off or refused at a limit.", |usage| {
            usage.limited
        }),
        ("sawlog_tenant_queries_today", "Questions that a tenant asked today, UTC.", |usage| usage.queries),
    ];
    for (name, help, value) in families {
        page.family(name, "gauge", help);
        for (number, usage) in counts.iter().filter(|(number, _)| only.is_none_or(|only| only.0 == **number))
        {
            page.sample("", &[("tenant", table.name(Tenant(*number)))], value(usage));
        }
    }
}
