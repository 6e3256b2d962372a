//! `/api/v1/sql`: rows of an SQL statement as JSON lines.

use std::sync::Arc;

use axum::response::Response;
use sawlog_model::Right;

use crate::api::{Call, Method, Route, Shared, Takes, answer};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get, Method::Post],
    path: "/api/v1/sql",
    needs: Some(Right::Read),
    summary: "Streams the rows of an SQL statement over the table `logs`.",
    params: &[&STATEMENT, &answer::REPORT],
    takes: Takes::Params,
    gives: answer::NDJSON,
    handle: |shared, call| Box::pin(sql(shared, call)),
};

const STATEMENT: Param = Param {
    name: "query",
    kind: Kind::Text,
    help: "The statement, such as SELECT level, count(*) FROM logs GROUP BY level. It must be given.",
};

async fn sql(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let Some(statement) = call.params.text("query") else {
        return Err(ApiError::bad("There is no statement.", "Give it as the parameter query."));
    };
    let turn = shared.turn(&call).await?;
    let answer = shared.in_time(call.engine(&shared).sql(call.tenant, statement, call.now)).await??;
    let report = call.params.flag("report");
    answer::stream(shared, call.timed, turn, answer, report).await
}
