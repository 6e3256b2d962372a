//! The parameters of a request, from the address or from a form or JSON body, checked against what its route declares.
//! Knows nothing of what they are for.

use axum::http::{HeaderMap, Uri, header};
use sawlog_model::{Nanos, TimeRange};

use crate::error::ApiError;
use crate::times;

/// A parameter of a route: what its value looks like, and what it does.
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
}

/// Names of its own choice: a route that has this one takes any, each any number of times.
pub(crate) const ANY: Param =
    Param { name: "*", kind: Kind::Text, help: "The values of the column of that name." };

/// What a parameter's value looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Text,
    Time,
    Duration,
    Count,
    Flag,
}

/// Names and values as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of the address.
    pub(crate) fn of_uri(uri: &Uri) -> Params {
        Params::of_form(uri.query().unwrap_or_default().as_bytes())
    }

    /// The names that were given.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    fn of_form(bytes: &[u8]) -> Params {
        Params(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Those of a body: a form, or a JSON object of texts, numbers and booleans.
    ///
    /// # Errors
    /// Where the body is neither.
    pub(crate) fn of_body(headers: &HeaderMap, body: &[u8]) -> Result<Params, ApiError> {
        const REMEDY: &str = "Send application/x-www-form-urlencoded or a JSON object.";
        if body.is_empty() {
            return Ok(Params::default());
        }
        match essence(headers).as_str() {
            "application/x-www-form-urlencoded" => Ok(Params::of_form(body)),
            "application/json" => {
                let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body)
                    .map_err(|error| ApiError::bad(format!("The body is no JSON object: {error}"), REMEDY))?;
                let text = |value: serde_json::Value| match value {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                Ok(Params(object.into_iter().map(|(name, value)| (name, text(value))).collect()))
            }
            other => Err(ApiError::bad(
                format!("Parameters cannot be read from a body of type {other:?}."),
                REMEDY,
            )),
        }
    }

    /// Both.
    pub(crate) fn and(mut self, more: Params) -> Params {
        self.0.extend(more.0);
        self
    }

    /// Refuses a name that the route does not have, so that a slip of the pen does not widen a search, and a name that
    /// comes twice.
    ///
    /// # Errors
    /// Names the parameter and those that there are.
    pub(crate) fn check(&self, known: &[&Param]) -> Result<(), ApiError> {
        if known.iter().any(|param| param.name == ANY.name) {
            return Ok(());
        }
        for (at, (name, _)) in self.0.iter().enumerate() {
            let names = || known.iter().map(|param| param.name).collect::<Vec<_>>().join(", ");
            if !known.iter().any(|param| param.name == name) {
                let remedy = if known.is_empty() {
                    "It takes none.".into()
                } else {
                    format!("There are: {}.", names())
                };
                return Err(ApiError::bad(format!("There is no parameter {name:?} here."), remedy));
            }
            if self.0[..at].iter().any(|(before, _)| before == name) {
                return Err(ApiError::bad(format!("The parameter {name:?} comes twice."), "Give it once."));
            }
        }
        Ok(())
    }

    /// Names and values, in the order in which they were given.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a parameter; empty ones count as not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// A whole number.
    ///
    /// # Errors
    /// Where it is none.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let number = text.parse();
        number.map(Some).map_err(|_| {
            ApiError::bad(format!("{name} is {text:?}, which is no whole number."), "Write it in digits.")
        })
    }

    /// Whether it is given and neither `0` nor `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text != "0" && text != "false")
    }

    /// A duration in nanoseconds.
    ///
    /// # Errors
    /// Where it is none, or not above 0.
    pub(crate) fn duration(&self, name: &str) -> Result<Option<Nanos>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match times::duration(text) {
            Some(nanos) if nanos > 0 => Ok(Some(nanos)),
            _ => Err(ApiError::bad(
                format!("{name} is {text:?}, which is no duration."),
                "Write 250ms, 90s, 5m, 1h30m or 7d.",
            )),
        }
    }

    /// `start` and `end`, open where they are not given.
    ///
    /// # Errors
    /// Where one is no time, or `end` is not after `start`.
    pub(crate) fn range(&self, now: Nanos) -> Result<TimeRange, ApiError> {
        let read = |name: &str, open: Nanos| match self.text(name) {
            None => Ok(open),
            Some(text) => times::time(text, now).ok_or_else(|| {
                ApiError::bad(format!("{name} is {text:?}, which is no time."), times::TIME_FORMS)
            }),
        };
        let range = TimeRange { start: read("start", i64::MIN)?, end: read("end", i64::MAX)? };
        if range.start >= range.end {
            return Err(ApiError::bad("end is not after start.", "Give an end that is later than start."));
        }
        Ok(range)
    }
}

/// `Content-Type` without its parameters, in lower case; empty where there is none.
pub(crate) fn essence(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
