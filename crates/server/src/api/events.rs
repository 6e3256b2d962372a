//! `/api/v1/events`: application events as trees.

use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use sawlog_model::Right;

use crate::api::{Call, END, Method, Route, START, Shared, Takes, answer};
use crate::error::ApiError;
use crate::events::{self, Ask};
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get, Method::Post],
    path: "/api/v1/events",
    needs: Some(Right::Read),
    summary: "Gives application events as trees, one a line: those in which an event of a type ended, the newest first.",
    params: &[&TYPE, &ID, &START, &END, &LIMIT],
    takes: Takes::Params,
    gives: answer::NDJSON,
    handle: |shared, call| Box::pin(give(shared, call)),
};

const TYPE: Param = Param {
    name: "type",
    kind: Kind::Text,
    help: "A type, with * for any part; several with commas between them; any where it is not given.",
};
const ID: Param =
    Param { name: "id", kind: Kind::Text, help: "The one tree of this id, whatever types it has." };
const LIMIT: Param = Param {
    name: "limit",
    kind: Kind::Count,
    help: "At most so many trees; 20 where it is not given, 1000 at most.",
};

async fn give(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let ask = Ask {
        tenant: call.tenant,
        types: call.params.text("type").unwrap_or_default().to_owned(),
        id: call.params.text("id").map(str::to_owned),
        range: call.params.range(call.now)?,
        limit: call.params.count("limit")?.unwrap_or(20) as usize,
        now: call.now,
    };
    let _turn = shared.turn(&call).await?;
    let trees = shared.in_time(events::trees(&call.engine(&shared), &ask)).await??;
    let lines: String = trees.into_iter().map(|tree| format!("{tree}\n")).collect();
    Ok(([(header::CONTENT_TYPE, answer::NDJSON)], lines).into_response())
}
