//! Errors as HTTP answers: a status and `{"error", "start", "end", "remedy"}`. Knows nothing of routes.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sawlog_model::{IngestError, Over};
use sawlog_query::QueryError;
use sawlog_store::StoreError;
use serde::Serialize;

use crate::kept::ChangeError;

/// An answer that says what went wrong and what would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    /// What is wrong, one sentence.
    pub(crate) error: String,
    /// First byte of the query that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<usize>,
    /// One after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<usize>,
    /// What the caller can do.
    pub(crate) remedy: String,
    /// Seconds after which it is worth to ask again.
    #[serde(skip)]
    pub(crate) wait: Option<u64>,
    /// The same words as Meniscus's API has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<Box<str>>,
    /// Whether the connection ends with it.
    #[serde(skip)]
    pub(crate) ends: bool,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>, remedy: impl Into<String>) -> Self {
        let (error, remedy) = (error.into(), remedy.into());
        ApiError { status, error, start: None, end: None, remedy, wait: None, title: None, ends: false }
    }

    /// A request that is wrong as it is.
    pub(crate) fn bad(error: impl Into<String>, remedy: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, error, remedy)
    }

    /// A request that may succeed later.
    pub(crate) fn later(error: impl Into<String>) -> Self {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, error, "Try again in a few seconds.");
        ApiError { wait: Some(5), ..error }
    }

    /// The same in the form of Meniscus's API.
    pub(crate) fn titled(self) -> Self {
        ApiError { title: Some(self.error.as_str().into()), ..self }
    }

    /// A request of a tenant that is at a limit.
    pub(crate) fn limited(over: Over) -> Self {
        let wait = over.wait.as_secs_f64().ceil().max(1.0) as u64;
        let remedy = format!("Try again in {wait} s, or have the limit changed: GET /api/v1/usage shows it.");
        ApiError { wait: Some(wait), ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, over.reason, remedy) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, wait, ends) = (self.status, self.wait, self.ends);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sawlog\""));
        }
        if ends {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Syntax { start, end, message } => {
                let remedy = "Change the marked part, or put it in quotes to search for it as text.";
                ApiError { start: Some(start), end: Some(end), ..ApiError::bad(message, remedy) }
            }
            QueryError::Budget(message) => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                message,
                "Ask for a shorter time, fewer groups or a smaller limit.",
            ),
            QueryError::Failed(message) => ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                message,
                "See the node's own log and GET /api/v1/status.",
            ),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
            "See the node's own log and GET /api/v1/status.",
        )
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Wrong(words) => ApiError::bad(words, "Change it and send it again."),
            ChangeError::Disk(words) => ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                words,
                "Nothing was changed; see the node's own log.",
            ),
        }
    }
}

impl From<IngestError> for ApiError {
    fn from(error: IngestError) -> Self {
        let text = error.to_string();
        match error {
            IngestError::Malformed(_) => {
                ApiError::bad(text, "Send JSON lines, a JSON array of objects, or lines of text.")
            }
            IngestError::Unsupported(_) => ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                text,
                "Send application/x-ndjson, application/json or text/plain, plain or as gzip or zstd.",
            ),
            IngestError::TooLarge(_) => {
                ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text, "Send fewer events in one request.")
            }
            IngestError::Limited(over) => ApiError::limited(over),
            IngestError::Later(_) => ApiError::later(text),
            IngestError::Failed(_) => ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                text,
                "Keep the events and send them again when the node's disk and log are in order.",
            ),
        }
    }
}
