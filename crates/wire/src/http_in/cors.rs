//! Which web pages may send. Knows nothing of events.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, VARY,
};
use hyper::{Method, StatusCode};
use sawlog_pipeline::{ConfigError, Options};

use crate::shared::web::{Answer, Asked};

/// What the options allow.
#[derive(Clone, Debug)]
pub(super) struct Cors {
    origins: Vec<String>,
    credentials: bool,
}

impl Cors {
    /// Reads them.
    ///
    /// # Errors
    /// [`ConfigError`] where every page could act with the cookies of whoever looks at it.
    pub fn read(options: &Options) -> Result<Self, ConfigError> {
        let cors = Cors {
            origins: options.list("cors_allow_origins").to_vec(),
            credentials: options.flag("cors_allow_credentials"),
        };
        let named = cors.origins.iter().any(|origin| origin != "*");
        if cors.credentials && (!named || cors.origins.iter().any(|origin| origin == "*")) {
            let words =
                "`cors_allow_credentials` needs `cors_allow_origins` that name their origins, without `*`";
            return Err(ConfigError(words.to_owned()));
        }
        Ok(cors)
    }

    /// An answer where the request is none that brings events: a page that may not send, or asks whether it may.
    pub fn answer(&self, asked: &Asked) -> Option<Answer> {
        let origin = asked.header("origin");
        let forbidden = Answer::text(StatusCode::FORBIDDEN, "this page may not send here");
        if asked.method == Method::OPTIONS {
            if origin.is_empty() || !self.allows(origin) {
                return Some(forbidden);
            }
            let headers = asked.header("access-control-request-headers").to_owned();
            let answer = Answer { status: StatusCode::OK, ..Answer::default() }
                .with(ACCESS_CONTROL_ALLOW_METHODS, "POST")
                .with(ACCESS_CONTROL_ALLOW_HEADERS, headers);
            return Some(self.mark(answer, origin));
        }
        let asks = !self.origins.is_empty() && !origin.is_empty();
        (asks && !self.allows(origin)).then_some(forbidden)
    }

    /// The answer with what tells a browser that the page may see it.
    pub fn mark(&self, answer: Answer, origin: &str) -> Answer {
        if origin.is_empty() || !self.allows(origin) {
            return answer;
        }
        let answer = if self.origins.iter().any(|have| have == "*") {
            answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        } else {
            answer.with(ACCESS_CONTROL_ALLOW_ORIGIN, origin).with(VARY, "Origin")
        };
        if self.credentials { answer.with(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true") } else { answer }
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|have| match have.split_once('*') {
            None => have == origin,
            Some((before, after)) => {
                let inside = origin.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                // A star stands for a part of a host's name, or for everything.
                inside.is_some_and(|inside| have == "*" || (!inside.is_empty() && !inside.contains('/')))
            }
        })
    }
}
