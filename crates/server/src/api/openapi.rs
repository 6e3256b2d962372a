//! `/api/v1/openapi.json`: the list of routes as an OpenAPI document.

use axum::Json;
use axum::response::IntoResponse;
use sawlog_model::Right;
use serde_json::{Map, Value, json};

use crate::api::{Method, Route, Takes, all};
use crate::params::{Kind, Param};

pub(crate) const ROUTE: Route = Route {
    methods: &[Method::Get],
    path: "/api/v1/openapi.json",
    needs: Some(Right::Read),
    summary: "Gives this list as an OpenAPI document.",
    params: &[],
    takes: Takes::Params,
    gives: "application/json",
    handle: |shared, _| {
        Box::pin(async move { Ok(Json(document(shared.node.settings.version)).into_response()) })
    },
};

/// The document.
pub(crate) fn document(version: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in all() {
        // Several routes may stand at one path, with other methods.
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let (Value::Object(path), Value::Object(more)) = (path, operations(route)) {
            path.extend(more);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "sawlog", "version": version },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": error_schema() },
        },
    })
}

fn operations(route: &Route) -> Value {
    let operation = |method: Method| {
        let mut operation = json!({
            "summary": route.summary,
            "description": rights(route.needs),
            "parameters": route.params.iter().map(|param| parameter(param)).collect::<Vec<_>>(),
            "responses": {
                "200": { "description": "Done.", "content": { (route.gives): {} } },
                "default": {
                    "description": "Not done.",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
            },
        });
        if route.needs.is_some() {
            operation["security"] = json!([{ "token": [] }]);
        }
        if matches!(method, Method::Post | Method::Put) {
            operation["requestBody"] = body(route);
        }
        operation
    };
    let named = route.methods.iter().map(|method| (method.name().to_ascii_lowercase(), operation(*method)));
    Value::Object(named.collect())
}

fn rights(needs: Option<Right>) -> &'static str {
    match needs {
        None => "Anybody may ask.",
        Some(Right::Ingest) => "Needs the right to send events, where credentials are configured.",
        Some(Right::Read) => "Needs the right to read, where credentials are configured.",
        Some(Right::Write) => "Needs the right to write, where credentials are configured.",
        Some(Right::Admin) => "Needs an administrator's credential, where credentials are configured.",
        Some(Right::Node) => {
            "Needs the credential of an administrator of the tenant that owns the node, where credentials are configured."
        }
    }
}

fn parameter(param: &Param) -> Value {
    json!({ "name": param.name, "in": "query", "description": param.help, "schema": schema(param.kind) })
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text | Kind::Time | Kind::Duration => json!({ "type": "string" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0 }),
        Kind::Flag => json!({ "type": "string", "enum": ["1", "0"] }),
    }
}

fn body(route: &Route) -> Value {
    if route.takes == Takes::Data {
        let data = json!({ "schema": { "type": "string", "format": "binary" } });
        return json!({
            "required": true,
            "content": { "application/x-ndjson": data, "application/json": data, "text/plain": data },
        });
    }
    let named: Map<String, Value> =
        route.params.iter().map(|param| (param.name.to_owned(), schema(param.kind))).collect();
    let object = json!({ "schema": { "type": "object", "properties": named } });
    json!({ "content": { "application/x-www-form-urlencoded": object, "application/json": object } })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "remedy"],
        "properties": {
            "error": { "type": "string", "description": "What is wrong." },
            "remedy": { "type": "string", "description": "What would do." },
            "start": { "type": "integer", "description": "First byte of the query that is wrong." },
            "end": { "type": "integer", "description": "One after the last." },
        },
    })
}
