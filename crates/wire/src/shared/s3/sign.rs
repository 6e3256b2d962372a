//! Signatures of requests by AWS Signature Version 4. Knows nothing of what is asked.

use std::fmt::Write;

use hyper::header::{HeaderMap, HeaderValue};
use jiff::tz::TimeZone;
use sawlog_model::Nanos;
use sha2::{Digest, Sha256};

use crate::shared::hmac::hmac;
use crate::shared::strftime::TimeFormat;

/// Who asks.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub key_id: String,
    pub secret: String,
    /// Of a session; empty where there is none.
    pub token: String,
}

impl Credentials {
    /// Those of the variables that AWS's own programs read; empty where there are none.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Credentials {
        let text = |name| variable(name).unwrap_or_default();
        Credentials {
            key_id: text("AWS_ACCESS_KEY_ID"),
            secret: text("AWS_SECRET_ACCESS_KEY"),
            token: text("AWS_SESSION_TOKEN"),
        }
    }
}

/// SHA-256 of a body that is there.
pub(super) fn sum(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Bytes as digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is signed of a request.
pub(super) struct Signed<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// Percent-encoded.
    pub path: &'a str,
    /// Percent-encoded pairs by their names; empty where there are none.
    pub query: &'a str,
    /// The body's [`sum`].
    pub sum: &'a str,
    pub region: &'a str,
}

/// Adds the headers that say who asks for it. All of `headers` are signed, too.
pub(super) fn sign(request: &Signed<'_>, who: &Credentials, now: Nanos, headers: &mut HeaderMap) {
    let stamp = TimeFormat::new("%Y%m%dT%H%M%SZ", TimeZone::UTC).text(now);
    let day = &stamp[..8];
    let sum = request.sum;
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("x-amz-date", &stamp);
    set("x-amz-content-sha256", sum);
    if !who.token.is_empty() {
        set("x-amz-security-token", &who.token);
    }
    let mut lines: Vec<(String, String)> = vec![("host".to_owned(), request.host.to_owned())];
    for (name, value) in headers.iter() {
        let value = String::from_utf8_lossy(value.as_bytes());
        lines.push((name.as_str().to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")));
    }
    lines.sort();
    let names = lines.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let listed: String = lines.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical =
        format!("{}\n{}\n{}\n{listed}\n{names}\n{sum}", request.method, request.path, request.query);
    let scope = format!("{day}/{}/s3/aws4_request", request.region);
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mut key = hmac(format!("AWS4{}", who.secret).as_bytes(), day.as_bytes());
    for part in [request.region, "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, text.as_bytes()));
    let credential = format!("{}/{scope}", who.key_id);
    let value =
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        headers.insert(hyper::header::AUTHORIZATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_documentation() {
        // "GET Object" among the examples of Amazon's documentation of signatures in headers.
        let who = Credentials {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: String::new(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("range", HeaderValue::from_static("bytes=0-9"));
        let request = Signed {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: "",
            sum: &sum(b""),
            region: "us-east-1",
        };
        sign(&request, &who, 1_369_353_600_000_000_000, &mut headers);
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(
            authorization
                .ends_with("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
            "{authorization}"
        );
        assert!(authorization.contains("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"));
        // "Get Bucket (List Objects)" among them.
        let mut headers = HeaderMap::new();
        let request = Signed { path: "/", query: "max-keys=2&prefix=J", ..request };
        sign(&request, &who, 1_369_353_600_000_000_000, &mut headers);
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(
            authorization
                .ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            "{authorization}"
        );
    }
}
