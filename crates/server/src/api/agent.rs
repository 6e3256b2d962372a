//! `/bin/sawlog-agent`: the program for leaf nodes, so that a machine that reaches this node needs nothing else.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::error::ApiError;

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/bin/sawlog-agent",
    needs: None,
    summary: "Gives the program for leaf nodes, as it lies beside the node's own.",
    params: &[],
    takes: Takes::Params,
    gives: "application/octet-stream",
    handle: |shared, call| Box::pin(agent(shared, call)),
};

async fn agent(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let none = || {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "This node has no sawlog-agent to give.",
            "Put the executable beside that of sawlog, or install the package.",
        )
    };
    // A query's place: programs are large, and who asks for them can wait.
    let _turn = shared.turn(&call).await?;
    let path = shared.node.settings.agent.clone().ok_or_else(none)?;
    let fs = shared.node.sys.fs.clone();
    let read = tokio::task::spawn_blocking(move || fs.read(&path)).await;
    let bytes = read.ok().and_then(Result::ok).ok_or_else(none)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"sawlog-agent\""),
    ];
    Ok((headers, bytes).into_response())
}
