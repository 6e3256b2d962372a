//! `/api/v1/dead…`: rows that outputs refused, and what becomes of them. Who owns the node has all, others their own.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use sawlog_model::time::rfc3339;
use sawlog_model::{Right, Tenant};
use serde_json::json;

use crate::api::{Call, Method, Route, Shared, Takes};
use crate::contract::{Control, DeadLetters, DeadOutcome};
use crate::error::ApiError;
use crate::params::{Kind, Param};

pub(crate) const LIST: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/dead",
    needs: Some(Right::Read),
    summary: "Lists dead letters with their lines, the oldest first: all for who owns the node, else the caller's own.",
    params: &[&OUTPUT, &NUMBERS, &LIMIT],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(list(shared, call)),
};

pub(crate) const REPLAY: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/dead/replay",
    needs: Some(Right::Admin),
    summary: "Sends dead letters on their way again, to the outputs that did not get them.",
    params: &[&OUTPUT, &NUMBERS],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| {
        Box::pin(change(shared, call, |control, of, which| control.replay_dead(of, which)))
    },
};

pub(crate) const DROP: Route = Route {
    methods: &[Method::Post],
    path: "/api/v1/dead/drop",
    needs: Some(Right::Admin),
    summary: "Lets go of dead letters for good.",
    params: &[&OUTPUT, &NUMBERS],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, call| Box::pin(change(shared, call, |control, of, which| control.drop_dead(of, which))),
};

const OUTPUT: Param = Param {
    name: "output",
    kind: Kind::Text,
    help: "Those of this output; all where neither it nor numbers are given.",
};

const NUMBERS: Param =
    Param { name: "numbers", kind: Kind::Text, help: "Those with these numbers, with commas between." };

const LIMIT: Param =
    Param { name: "limit", kind: Kind::Count, help: "At most so many letters; 100 where it is not given." };

/// Most letters of an answer.
const MOST: u64 = 1_000;

/// Whose letters are meant.
fn of(call: &Call) -> Option<Tenant> {
    (!call.whole).then_some(call.tenant)
}

fn failed(words: String) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, words, "Ask again; no letter is lost.")
}

async fn list(shared: Arc<Shared>, call: Call) -> Result<Response, ApiError> {
    let most = call.params.count("limit")?.unwrap_or(100).min(MOST) as usize;
    let letters = shared.node.control.dead(of(&call), which(&call)?, most).await.map_err(failed)?;
    let table = shared.node.tenancy.table();
    let shown = letters.into_iter().map(|letter| {
        json!({
            "number": letter.number, "time": rfc3339(letter.time), "tenant": table.name(letter.tenant),
            "output": letter.output, "why": letter.why, "reason": letter.reason, "records": letter.lines.len(),
            "lines": letter.lines,
        })
    });
    Ok(Json(json!({ "letters": shown.collect::<Vec<_>>() })).into_response())
}

/// What is done to letters, of one tenant or of all.
type Act = fn(&dyn Control, Option<Tenant>, DeadLetters) -> Outcome;
type Outcome = BoxFuture<'static, Result<DeadOutcome, String>>;

async fn change(shared: Arc<Shared>, call: Call, act: Act) -> Result<Response, ApiError> {
    let outcome = act(&*shared.node.control, of(&call), which(&call)?).await.map_err(failed)?;
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
