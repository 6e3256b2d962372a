//! `/healthz`: whether the node answers.

use axum::http::header;
use axum::response::IntoResponse;

use crate::api::{Method, Route, Takes};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/healthz",
    needs: None,
    summary: "Says `ok` when the node answers.",
    params: &[],
    takes: Takes::Params,
    gives: "text/plain",
    handle: |_, _| {
        Box::pin(async {
            Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "ok\n").into_response())
        })
    },
};
