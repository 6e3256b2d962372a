//! A bucket: where it is, how it is asked, and what the output of the name does with it. Knows nothing of rows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use sawlog_pipeline::Options;
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;
use tokio::runtime::Handle;

use super::sign::{self, Credentials, Signed, sign};
use crate::shared::dial::wait;
use crate::shared::http_client::{Answered, Client, Failure, Reading, connector, percent};

/// Longest answer that is read, bytes.
pub(super) const ANSWER_MOST: usize = 8 << 20;
/// Metadata of an object that says which chunk it is.
pub(crate) const CHUNK: &str = "x-amz-meta-sawlog-chunk";

/// The bucket.
pub(crate) struct Bucket {
    client: Arc<Client>,
    /// `http` or `https`, the host with its port, and the path of the bucket.
    scheme: String,
    authority: String,
    base: String,
    region: String,
    credentials: Credentials,
    runtime: Handle,
    stop: Stop,
    sys: Sys,
}

/// What came of putting an object.
#[derive(Debug, PartialEq)]
pub(crate) enum Put {
    /// It is there.
    Done,
    /// Another one of the name was there before.
    Taken,
    /// There is no bucket.
    NoBucket,
}

/// Where a bucket is and who asks.
pub(crate) struct Place<'a> {
    pub name: &'a str,
    pub region: &'a str,
    /// `http[s]://HOST[:PORT]`; empty for Amazon's.
    pub endpoint: &'a str,
    /// The bucket stands in the path and not in the name of the host.
    pub in_path: bool,
    /// Without a key requests are not signed.
    pub credentials: Credentials,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    /// Options of TLS.
    pub tls: &'a Options,
}

impl Bucket {
    /// # Errors
    /// In words, where such a place cannot be; whether the bucket is there is not looked at.
    pub fn new(place: Place<'_>, runtime: &Handle, stop: &Stop, sys: &Sys) -> Result<Bucket, String> {
        let (name, region) = (place.name, place.region);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(plain) || name.bytes().all(|byte| byte == b'.') {
            return Err(format!("`{name}` is no name of a bucket"));
        }
        let endpoint = match place.endpoint {
            "" => format!("https://s3.{region}.amazonaws.com"),
            given => given.trim_end_matches('/').to_owned(),
        };
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.path() == "/" && uri.query().is_none());
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?.as_str())));
        let parts = parts.filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
        let (scheme, host) = parts.ok_or_else(|| {
            format!("`{endpoint}` is no server of buckets: write it as https://HOST[:PORT]")
        })?;
        let (authority, base) = match place.in_path || name.contains('.') {
            true => (host.to_owned(), format!("/{name}")),
            false => (format!("{name}.{host}"), String::new()),
        };
        if place.credentials.key_id.is_empty() != place.credentials.secret.is_empty() {
            return Err("the id of a key and its secret are given together".to_owned());
        }
        let client = Client {
            connector: connector(place.tls, scheme == "https", sys)?,
            proxy: None,
            open_timeout: place.connect_timeout,
            tls_timeout: place.connect_timeout,
            read_timeout: place.request_timeout,
            answer_most: ANSWER_MOST,
            reuse: true,
            kept: Default::default(),
        };
        Ok(Bucket {
            client: Arc::new(client),
            scheme: scheme.to_owned(),
            authority,
            base,
            region: region.to_owned(),
            credentials: place.credentials,
            runtime: runtime.clone(),
            stop: stop.clone(),
            sys: sys.clone(),
        })
    }

    /// The chunk that the object of a name is; nothing where it says none. `None` where there is no object.
    pub fn chunk_of(&self, name: &str) -> Result<Option<String>, String> {
        let answer = self.ask(Method::HEAD, &path(name), "", HeaderMap::new())?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let chunk = answer.headers.get(CHUNK).and_then(|value| value.to_str().ok());
                Ok(Some(chunk.unwrap_or_default().to_owned()))
            }
            status => Err(format!("{}: {status}", self.shown(name))),
        }
    }

    /// Puts an object.
    pub fn put(&self, name: &str, headers: HeaderMap, body: Bytes) -> Result<Put, String> {
        let sum = sign::sum(&body);
        let (uri, headers) = self.request(&Method::PUT, &path(name), "", &sum, headers)?;
        let (client, to) = (self.client.clone(), uri.clone());
        let asked = async move { client.request(Method::PUT, &to, headers, body).await };
        let answer = self.answer(&uri, asked)?;
        match answer.status {
            status if status.is_success() => Ok(Put::Done),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(Put::Taken),
            StatusCode::NOT_FOUND if answer.words().contains("NoSuchBucket") => Ok(Put::NoBucket),
            status => Err(format!("{}: {status} {}", self.shown(name), answer.words())),
        }
    }

    /// Makes the bucket where it is missing and `make` says so.
    pub fn prepare(&self, make: bool) -> Result<(), String> {
        let there = self.ask(Method::HEAD, "/", "", HeaderMap::new())?;
        match there.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND if make => {
                let made = self.ask(Method::PUT, "/", "", HeaderMap::new())?;
                if made.status.is_success() || made.status == StatusCode::CONFLICT {
                    return Ok(());
                }
                Err(format!("{}: it cannot be made: {} {}", self.shown(""), made.status, made.words()))
            }
            status => Err(format!("{}: {status}", self.shown(""))),
        }
    }

    pub(super) fn shown(&self, name: &str) -> String {
        format!("{}://{}{}/{name}", self.scheme, self.authority, self.base)
    }

    /// Asks without a body, by a path and a query of pairs in the order of their names.
    pub(super) fn ask(
        &self,
        method: Method,
        path: &str,
        query: &str,
        headers: HeaderMap,
    ) -> Result<Answered, String> {
        let (uri, headers) = self.request(&method, path, query, &sign::sum(b""), headers)?;
        let (client, to) = (self.client.clone(), uri.clone());
        self.answer(&uri, async move { client.request(method, &to, headers, Bytes::new()).await })
    }

    /// Puts an object of a body that is read meanwhile.
    pub(super) fn send(&self, path: &str, sum: &str, body: Reading) -> Result<Answered, String> {
        let (uri, headers) = self.request(&Method::PUT, path, "", sum, HeaderMap::new())?;
        let (client, to) = (self.client.clone(), uri.clone());
        self.answer(&uri, async move { client.send(Method::PUT, &to, headers, body).await })
    }

    /// The address of a request, and its headers with the signature.
    fn request(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        sum: &str,
        mut headers: HeaderMap,
    ) -> Result<(Uri, HeaderMap), String> {
        let path = match (self.base.as_str(), path) {
            ("", path) => path.to_owned(),
            (base, "/") => base.to_owned(),
            (base, path) => format!("{base}{path}"),
        };
        let mark = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}://{}{path}{mark}{query}", self.scheme, self.authority);
        let uri: Uri = uri.parse().map_err(|_| format!("`{uri}` is no address"))?;
        if !self.credentials.key_id.is_empty() {
            let request = Signed {
                method: method.as_str(),
                host: &self.authority,
                path: &path,
                query,
                sum,
                region: &self.region,
            };
            sign(&request, &self.credentials, self.sys.clock.now(), &mut headers);
        }
        Ok((uri, headers))
    }

    fn answer(
        &self,
        uri: &Uri,
        asked: impl Future<Output = Result<Answered, Failure>> + Send + 'static,
    ) -> Result<Answered, String> {
        match wait(&self.runtime, &self.stop, asked) {
            Some(answer) => answer.map_err(|failure| format!("{uri}: {failure}")),
            None => Err("no answer before the end".to_owned()),
        }
    }
}

/// The path of an object, percent-encoded.
pub(super) fn path(name: &str) -> String {
    name.split('/').map(|part| format!("/{}", percent(part))).collect()
}

/// A header of a configured value.
pub(crate) fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` can be no value of `{name}`"))?;
    headers.insert(parsed, value);
    Ok(())
}
