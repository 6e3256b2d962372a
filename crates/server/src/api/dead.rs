//! `POST /api/v1/dead/replay` and `/api/v1/dead/drop`: what becomes of rows that outputs refused.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use sawlog_model::Right;
use serde_json::json;

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::contract::{Control, DeadLetters, DeadOutcome};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const REPLAY: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/dead/replay",
    needs: Some(Right::Node),
    summary: "Sends dead letters on their way again, to the outputs that did not get them.",
    params: &[&OUTPUT, &NUMBERS],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(change(shared, call, |control, which| control.replay_dead(which))),
};

pub(crate) const DROP: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/dead/drop",
    needs: Some(Right::Node),
    summary: "Lets go of dead letters for good.",
    params: &[&OUTPUT, &NUMBERS],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(change(shared, call, |control, which| control.drop_dead(which))),
};

const OUTPUT: Param = Param {
    name: "output",
    kind: Kind::Text,
    help: "Those of this output; all where neither it nor numbers are given.",
};

const NUMBERS: Param =
    Param { name: "numbers", kind: Kind::Text, help: "Those with these numbers, with commas between." };

async fn change(
    shared: Arc<Shared>,
    call: Call,
    act: fn(&dyn Control, DeadLetters) -> BoxFuture<'static, Result<DeadOutcome, String>>,
) -> Result<Response, ApiError> {
    let outcome = act(&*shared.node.control, which(&call)?).await.map_err(|words| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, words, "Ask again; no letter is lost.")
    })?;
    let DeadOutcome { letters, records, left } = outcome;
    Ok(Json(json!({ "letters": letters, "records": records, "left": left })).into_response())
}

fn which(call: &Call) -> Result<DeadLetters, ApiError> {
    match (call.params.text("output"), call.params.text("numbers")) {
        (None, None) => Ok(DeadLetters::All),
        (Some(output), None) => Ok(DeadLetters::Of(output.to_owned())),
        (None, Some(numbers)) => {
            let numbers: Result<_, _> = numbers.split(',').map(|number| number.trim().parse()).collect();
            numbers.map(DeadLetters::Numbers).map_err(|_| {
                ApiError::bad(
                    "`numbers` has something that is no number.",
                    "Write 17,42 as `dead list` shows them.",
                )
            })
        }
        (Some(_), Some(_)) => {
            Err(ApiError::bad("Both `output` and `numbers` are given.", "Give one of the two."))
        }
    }
}
