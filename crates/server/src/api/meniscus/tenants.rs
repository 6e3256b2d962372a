//! `/v1/tenant`: making a tenant and showing it.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{Refused, address, answer, body, kept, located, producers, route, text, tokens};
use crate::api::{Call, Method, Route, Shared, tenants as own};

pub(super) const CREATE: Route = route(
    &[Method::Post],
    "/v1/tenant",
    "Meniscus: makes a tenant of {\"tenant\": {\"tenant_id\", \"tenant_name\"}}.",
    |shared, call| Box::pin(async move { answer(create(shared, call).await) }),
);

pub(super) const SHOW: Route = route(
    &[Method::Get],
    "/v1/tenant/{id}",
    "Meniscus: shows a tenant with its producers and token.",
    |shared, call| Box::pin(async move { answer(show(shared, call).await) }),
);

async fn create(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let given = body(&call, "tenant")?;
    let id = text(&given, "tenant_id")?;
    let title = given.get("tenant_name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
    if shared.node.tenancy.table().tenant(&id).is_some() {
        return Err(Refused::bad(format!("Tenant with tenant_id {id} already exists")));
    }
    let name = id.clone();
    let made = own::changing(&shared, move |tenancy| {
        if let Some(first) = own::make(tenancy, &name, &title)? {
            // This API has no place for it; whoever owns the node finds it in its directory.
            tenancy.leave(&first).map_err(crate::kept::ChangeError::Disk)?;
        }
        Ok(())
    });
    made.await.map_err(|error| Refused(error.status, error.error))?;
    Ok(located(StatusCode::CREATED, &[&id]))
}

async fn show(shared: Arc<Shared>, call: Call) -> Result<Response, Refused> {
    let name = address(&call.path).0;
    let shown = kept(&shared, &call, move |kept, table| {
        let entry = table.tenant(&name).and_then(|tenant| table.tenants.get(&tenant.0));
        let title = entry.map(|entry| entry.title.clone()).filter(|title| !title.is_empty());
        Ok(json!({ "tenant": {
            "tenant_id": name,
            "tenant_name": title.unwrap_or_else(|| name.clone()),
            "event_producers": producers::shown(kept),
            "token": tokens::shown(kept),
        } }))
    });
    Ok(Json(shown.await?).into_response())
}
