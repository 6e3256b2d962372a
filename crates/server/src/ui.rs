//! The pages: their files, embedded. Knows nothing of what they do; a test fails on a file in `ui/` that is not listed.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(crate) struct File {
    /// Its name, which is also its path below `/ui/`.
    pub(crate) name: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(File { name: $name, bytes: include_bytes!(concat!("../ui/", $name)) },)*]
    };
}

/// Every file of the page.
pub(crate) const FILES: &[File] = files![
    "index.html",
    "admin.css",
    "admin.html",
    "admin.js",
    "app.css",
    "app.js",
    "api.js",
    "charts.js",
    "dom.js",
    "fields.js",
    "finder.js",
    "format.js",
    "heights.js",
    "histogram.js",
    "keys.js",
    "lang.js",
    "list.js",
    "live.js",
    "loggers.css",
    "loggers.html",
    "loggers.js",
    "login.css",
    "login.html",
    "login.js",
    "parts.js",
    "record.js",
    "rows.js",
    "state.js",
    "table.js",
    "teach.js",
    "text.js",
    "time.js",
    "timemenu.js",
    "tree.js",
];

/// The file that `/` shows.
pub(crate) const INDEX: &str = "index.html";

/// The file that `/login` shows.
pub(crate) const LOGIN: &str = "login.html";

/// Pages that ask for a right to read, by their paths.
pub(crate) const PAGES: &[(&str, &str)] =
    &[("/", INDEX), ("/loggers/", "loggers.html"), ("/admin", "admin.html")];

impl File {
    fn content_type(&self) -> &'static str {
        match self.name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }

    /// A tag that changes with the bytes.
    fn tag(&self) -> String {
        format!("\"{:016x}\"", fnv(self.bytes))
    }

    /// The file, or word that the browser has it already.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response {
        let tag = self.tag();
        let known = headers.get(header::IF_NONE_MATCH).is_some_and(|have| have.as_bytes() == tag.as_bytes());
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.content_type())], self.bytes).into_response()
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        // Asked again at every load, so that a page never runs against another version's API.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Bytes of all files of the page at `/`.
#[cfg(test)]
pub(crate) fn weight() -> usize {
    let others = ["loggers.", "admin.", "login."];
    let ours = FILES.iter().filter(|file| !others.iter().any(|other| file.name.starts_with(other)));
    ours.map(|file| file.bytes.len()).sum()
}
