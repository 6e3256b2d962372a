//! Rows to an HTTP server, as Fluentd's `http` sends them: see README.md. Knows nothing of where rows come from.

mod options;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use sawlog_model::{Batch, Limits};
use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, OutputError, Protocol};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;

use crate::shared::chunks::Times;
use crate::shared::dial::wait;
use crate::shared::formatter::Formatter;
use crate::shared::held::{AtOnce, HandOn, Progress};
use crate::shared::http_client::{self, Answered, Client, Failure, basic, header, percent, zip};
use crate::shared::placeholders::{Key, Keys, Placeholders};
use crate::shared::record::tag;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "http",
    summary: "Sends rows to an HTTP server.",
    options: options::OPTIONS,
    output: Some(make),
    fluent: &[FluentForm { role: Role::Match, names: &["http"], read: options::from_fluent }],
    ..Protocol::EMPTY
};

struct HttpOutput {
    endpoint: Placeholders,
    /// The host that the endpoint names, where no row decides on it; else those that rows may choose.
    hosts: Vec<String>,
    method: Method,
    headers: HeaderMap,
    made_headers: Vec<(HeaderName, Placeholders)>,
    json_array: bool,
    gzip: bool,
    retryable: Vec<u16>,
    keys: Keys,
    limit: usize,
    formatter: Formatter,
    client: Arc<Client>,
    progress: Progress,
    runtime: tokio::runtime::Handle,
    stop: Stop,
    sys: Sys,
    limits: Limits,
}

/// What is sent at once.
struct Post {
    key: Key,
    body: Vec<u8>,
    /// Places of its rows in the batch.
    rows: Vec<usize>,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let wrong = |name: &'static str| move |message: String| ConfigError(format!("`{name}`: {message}"));
    let text = options.text("endpoint");
    let endpoint = Placeholders::parse(text).map_err(wrong("endpoint"))?;
    let hosts = hosts(text, options).map_err(wrong("endpoint"))?;
    let method = match options.text("http_method").to_ascii_lowercase().as_str() {
        "" | "post" => Method::POST,
        "put" => Method::PUT,
        other => return Err(ConfigError(format!("`http_method = {other}`: there are post and put"))),
    };
    let formatter = Formatter::new(options, "json", env.limits)?;
    let json_array = options.flag("json_array");
    if json_array && formatter.name() != "json" {
        return Err(ConfigError("`json_array` needs the format `json`".to_owned()));
    }
    let headers = fixed_headers(options, &formatter, json_array)?;
    let mut made_headers = Vec::new();
    for text in options.list("headers_from_placeholders") {
        let (name, value) = header(text).map_err(wrong("headers_from_placeholders"))?;
        made_headers.push((name, Placeholders::parse(&value).map_err(wrong("headers_from_placeholders"))?));
    }
    let codes = options.list("retryable_response_codes").iter().map(|code| code.trim().parse());
    let retryable = codes.collect::<Result<Vec<u16>, _>>();
    let retryable = retryable
        .map_err(|_| ConfigError("`retryable_response_codes` are numbers, such as 503".to_owned()))?;
    let gzip = match options.text("compress") {
        "" | "text" => false,
        "gzip" => true,
        other => return Err(ConfigError(format!("`compress = {other}`: there are text and gzip"))),
    };
    let times = Times::new(options)?;
    let texts: Vec<&Placeholders> = made_headers.iter().map(|(_, text)| text).chain([&endpoint]).collect();
    let settings = times.settings(options, Default::default(), &texts, None)?;
    if settings.keys.time.is_none() && texts.iter().any(|text| text.has_time()) {
        return Err(ConfigError("letters of a time need `time` among the keys of chunks".to_owned()));
    }
    let connector = http_client::connector(options, text.starts_with("https:"), &env.sys);
    let wait = |name: &str| Some(options.duration(name)).filter(|time| !time.is_zero());
    let client = Client {
        connector: connector.map_err(ConfigError)?,
        proxy: http_client::proxy(options.text("proxy")).map_err(wrong("proxy"))?,
        open_timeout: wait("open_timeout").unwrap_or(DEFAULT_TIMEOUT),
        tls_timeout: wait("ssl_timeout").unwrap_or(DEFAULT_TIMEOUT),
        read_timeout: wait("read_timeout").unwrap_or(DEFAULT_TIMEOUT),
        answer_most: ANSWER_MOST,
        reuse: true,
        kept: Default::default(),
    };
    let output = HttpOutput {
        endpoint,
        hosts,
        method,
        headers,
        made_headers,
        json_array,
        gzip,
        retryable,
        keys: settings.keys,
        limit: options.bytes("buffer.chunk_limit_size").max(1),
        formatter,
        client: Arc::new(client),
        progress: Progress::default(),
        runtime: env.runtime.clone(),
        stop: env.stop.clone(),
        sys: env.sys.clone(),
        limits: env.limits,
    };
    Ok(Box::new(AtOnce::new(&env.name, output)))
}

/// Longest answer that is read, bytes.
const ANSWER_MOST: usize = 64 << 10;

/// As in Ruby's client.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The hosts that requests may go to.
fn hosts(endpoint: &str, options: &Options) -> Result<Vec<String>, String> {
    let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
    let rest = rest.ok_or("it must begin with http:// or https://")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains("${") || authority.contains('%') {
        let allowed = options.list("allowed_hosts");
        if allowed.is_empty() {
            return Err(
                "where rows choose the host, `allowed_hosts` must name those that they may choose".to_owned()
            );
        }
        return Ok(allowed.to_vec());
    }
    let uri: Uri = format!("http://{authority}/").parse().map_err(|_| format!("`{authority}` is no host"))?;
    Ok(uri.host().map(str::to_owned).into_iter().collect())
}

fn fixed_headers(
    options: &Options,
    formatter: &Formatter,
    json_array: bool,
) -> Result<HeaderMap, ConfigError> {
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| ConfigError(format!("`{text}` can be no value of a header")))
    };
    let mut headers = HeaderMap::new();
    for text in options.list("headers") {
        let (name, text) = header(text).map_err(|message| ConfigError(format!("`headers`: {message}")))?;
        headers.insert(name, value(&text)?);
    }
    let kind = match options.text("content_type") {
        "" if json_array => "application/json",
        "" => formatter.content_type(),
        given => given,
    };
    headers.insert(CONTENT_TYPE, value(kind)?);
    if options.text("compress") == "gzip" {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let user = options.text("auth.username");
    if !user.is_empty() {
        headers.insert(AUTHORIZATION, basic(user, options.text("auth.password")));
    }
    Ok(headers)
}

/// What rows say, so that it is within one header.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

impl HttpOutput {
    /// The requests that a batch makes, in order.
    fn posts(&self, batch: &Batch) -> Vec<Post> {
        let keys = self.keys.of_batch(batch, &self.limits);
        let tag = tag(batch);
        let mut posts: Vec<Post> = Vec::new();
        let mut open: HashMap<Key, usize> = HashMap::new();
        let mut event = Vec::new();
        for (index, row) in batch.iter().enumerate() {
            event.clear();
            self.formatter.write(row, &tag, &mut event);
            if self.json_array {
                event.truncate(event.trim_ascii_end().len());
            }
            let key = keys.key(row);
            let place = open.get(&key).copied();
            let room = |place: &usize| posts[*place].body.len() + event.len() <= self.limit;
            let place = match place.filter(room) {
                Some(place) => place,
                None => {
                    posts.push(Post { key: key.clone(), body: Vec::new(), rows: Vec::new() });
                    open.insert(key, posts.len() - 1);
                    posts.len() - 1
                }
            };
            posts[place].rows.push(index);
            let body = &mut posts[place].body;
            if self.json_array {
                body.push(if body.is_empty() { b'[' } else { b',' });
            }
            body.extend_from_slice(&event);
        }
        if self.json_array {
            posts.iter_mut().for_each(|post| post.body.push(b']'));
        }
        posts
    }

    fn send(&self, post: Post) -> Result<(), OutputError> {
        let refused = |message: String| OutputError::Refused(message);
        let id = format!("{:032x}", self.sys.random.id());
        let text = self.endpoint.expand(&self.keys, &post.key, &id, percent);
        let uri: Uri = text.parse().map_err(|_| refused(format!("`{text}` is no address")))?;
        let host = uri.host().unwrap_or_default();
        if !self.hosts.iter().any(|allowed| allowed == host) {
            return Err(refused(format!("`{host}` is not among the allowed hosts")));
        }
        let mut headers = self.headers.clone();
        for (name, value) in &self.made_headers {
            let value = value.expand(&self.keys, &post.key, &id, plain);
            let value = HeaderValue::from_bytes(value.as_bytes());
            headers.insert(name, value.map_err(|error| refused(format!("{name}: {error}")))?);
        }
        let body = if self.gzip {
            zip(&post.body, flate2::Compression::fast()).map_err(|error| refused(error.to_string()))?
        } else {
            post.body
        };
        let (client, method) = (self.client.clone(), self.method.clone());
        let asked = async move { client.request(method, &uri, headers, Bytes::from(body)).await };
        match wait(&self.runtime, &self.stop, asked) {
            Some(answered) => self.judge(answered, &text),
            None => Err(OutputError::Later(format!("{text}: no answer before the end"))),
        }
    }

    fn judge(&self, answer: Result<Answered, Failure>, to: &str) -> Result<(), OutputError> {
        match answer {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => {
                let message = format!("{to}: {} {}", answer.status, answer.words());
                let again = self.retryable.contains(&answer.status.as_u16());
                Err(if again { OutputError::Later(message) } else { OutputError::Refused(message) })
            }
            Err(failure) => Err(OutputError::Later(format!("{to}: {failure}"))),
        }
    }
}

impl HandOn for HttpOutput {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let mut progress = self.progress.of(batch);
        for mut post in self.posts(batch) {
            let rows = std::mem::take(&mut post.rows);
            if rows.iter().all(|row| progress.is_settled(*row)) {
                continue;
            }
            match self.send(post) {
                Err(OutputError::Later(message)) => return Err(OutputError::Later(message)),
                Err(other) => progress.refuse(rows, &other.to_string()),
                Ok(()) => progress.settle(rows),
            }
        }
        progress.finish()
    }
}
