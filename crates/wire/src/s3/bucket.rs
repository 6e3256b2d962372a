//! A bucket: whether an object is there, and putting one. Knows nothing of rows.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use sawlog_pipeline::{Env, Options};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;

use super::sign::{Credentials, Signed, sign};
use crate::shared::dial::wait;
use crate::shared::http_client::{Answered, Client, connector, percent};

/// Longest answer that is read, bytes.
const ANSWER_MOST: usize = 64 << 10;
/// Metadata of an object that says which chunk it is.
pub(super) const CHUNK: &str = "x-amz-meta-sawlog-chunk";

/// The bucket.
pub(super) struct Bucket {
    client: Arc<Client>,
    /// `http` or `https`, the host with its port, and the path of the bucket.
    scheme: String,
    authority: String,
    base: String,
    region: String,
    credentials: Credentials,
    runtime: tokio::runtime::Handle,
    stop: Stop,
    sys: Sys,
}

/// What came of putting an object.
#[derive(Debug, PartialEq)]
pub(super) enum Put {
    /// It is there.
    Done,
    /// Another one of the name was there before.
    Taken,
    /// There is no bucket.
    NoBucket,
}

impl Bucket {
    pub fn new(options: &Options, env: &Env) -> Result<Bucket, String> {
        let name = options.text("s3_bucket");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if name.is_empty() || !name.bytes().all(plain) || name.bytes().all(|byte| byte == b'.') {
            return Err(format!("`s3_bucket = {name}` is no name of a bucket"));
        }
        let region = options.text("s3_region").to_owned();
        let endpoint = match options.text("s3_endpoint") {
            "" => format!("https://s3.{region}.amazonaws.com"),
            given => given.trim_end_matches('/').to_owned(),
        };
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.path() == "/" && uri.query().is_none());
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?.as_str())));
        let parts = parts.filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
        let (scheme, host) =
            parts.ok_or_else(|| format!("`s3_endpoint = {endpoint}`: write it as https://HOST[:PORT]"))?;
        let in_path = options.flag("force_path_style") || name.contains('.');
        let (authority, base) = match in_path {
            true => (host.to_owned(), format!("/{name}")),
            false => (format!("{name}.{host}"), String::new()),
        };
        let client = Client {
            connector: connector(options, scheme == "https", &env.sys)?,
            proxy: None,
            open_timeout: options.duration("connect_timeout"),
            tls_timeout: options.duration("connect_timeout"),
            read_timeout: options.duration("request_timeout"),
            answer_most: ANSWER_MOST,
            reuse: true,
            kept: Default::default(),
        };
        Ok(Bucket {
            client: Arc::new(client),
            scheme: scheme.to_owned(),
            authority,
            base,
            region,
            credentials: credentials(options)?,
            runtime: env.runtime.clone(),
            stop: env.stop.clone(),
            sys: env.sys.clone(),
        })
    }

    /// The chunk that the object of a name is; nothing where it says none. `None` where there is no object.
    pub fn chunk_of(&self, name: &str) -> Result<Option<String>, String> {
        let answer = self.ask(Method::HEAD, &path(name), HeaderMap::new(), Bytes::new())?;
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
        let answer = self.ask(Method::PUT, &path(name), headers, body)?;
        match answer.status {
            status if status.is_success() => Ok(Put::Done),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Ok(Put::Taken),
            StatusCode::NOT_FOUND if answer.words().contains("NoSuchBucket") => Ok(Put::NoBucket),
            status => Err(format!("{}: {status} {}", self.shown(name), answer.words())),
        }
    }

    /// Makes the bucket where it is missing and `make` says so.
    pub fn prepare(&self, make: bool) -> Result<(), String> {
        let there = self.ask(Method::HEAD, "/", HeaderMap::new(), Bytes::new())?;
        match there.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND if make => {
                let made = self.ask(Method::PUT, "/", HeaderMap::new(), Bytes::new())?;
                if made.status.is_success() || made.status == StatusCode::CONFLICT {
                    return Ok(());
                }
                Err(format!("{}: it cannot be made: {} {}", self.shown(""), made.status, made.words()))
            }
            status => Err(format!("{}: {status}", self.shown(""))),
        }
    }

    fn shown(&self, name: &str) -> String {
        format!("{}://{}{}/{name}", self.scheme, self.authority, self.base)
    }

    fn ask(
        &self,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answered, String> {
        let path = match (self.base.as_str(), path) {
            ("", path) => path.to_owned(),
            (base, "/") => base.to_owned(),
            (base, path) => format!("{base}{path}"),
        };
        let uri = format!("{}://{}{path}", self.scheme, self.authority);
        let uri: Uri = uri.parse().map_err(|_| format!("`{uri}` is no address"))?;
        if !self.credentials.key_id.is_empty() {
            let request = Signed {
                method: method.as_str(),
                host: &self.authority,
                path: &path,
                body: &body,
                region: &self.region,
            };
            sign(&request, &self.credentials, self.sys.clock.now(), &mut headers);
        }
        let client = self.client.clone();
        let shown = uri.to_string();
        let asked = async move { client.request(method, &uri, headers, body).await };
        match wait(&self.runtime, &self.stop, asked) {
            Some(answer) => answer.map_err(|failure| format!("{shown}: {failure}")),
            None => Err("no answer before the end".to_owned()),
        }
    }
}

/// The path of an object, percent-encoded.
fn path(name: &str) -> String {
    name.split('/').map(|part| format!("/{}", percent(part))).collect()
}

fn credentials(options: &Options) -> Result<Credentials, String> {
    let text = |option: &str, variable: &str| match options.text(option) {
        "" => std::env::var(variable).unwrap_or_default(),
        given => given.to_owned(),
    };
    let key_id = text("aws_key_id", "AWS_ACCESS_KEY_ID");
    let secret = text("aws_sec_key", "AWS_SECRET_ACCESS_KEY");
    if key_id.is_empty() != secret.is_empty() {
        return Err("`aws_key_id` and `aws_sec_key` are given together".to_owned());
    }
    let token = if options.text("aws_key_id").is_empty() {
        text("aws_session_token", "AWS_SESSION_TOKEN")
    } else {
        options.text("aws_session_token").to_owned()
    };
    Ok(Credentials { key_id, secret, token })
}

/// A header of a configured value.
pub(super) fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let parsed: HeaderName = name.parse().map_err(|_| format!("`{name}` is no name of a header"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("`{value}` can be no value of `{name}`"))?;
    headers.insert(parsed, value);
    Ok(())
}
