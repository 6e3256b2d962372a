//! Files of HDFS: their length, making, adding to and cutting them. What has a body is asked of the name node first, which names
//! the data node. Knows nothing of rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hyper::{Method, StatusCode, Uri};
use sawlog_model::Limits;
use sawlog_model::value::{Value, parse_json};
use sawlog_pipeline::{Env, Options};
use sawlog_sys::task::Stop;

use crate::shared::dial::wait;
use crate::shared::http_client::{Answered, Client, connector, percent};

/// Longest answer that is read, bytes.
const ANSWER_MOST: usize = 64 << 10;

/// The files of a cluster.
pub(super) struct Files {
    /// To name nodes, and to data nodes.
    clients: [Arc<Client>; 2],
    nodes: Vec<String>,
    current: AtomicUsize,
    user: String,
    httpfs: bool,
    runtime: tokio::runtime::Handle,
    stop: Stop,
}

impl Files {
    pub fn new(options: &Options, env: &Env) -> Result<Files, String> {
        let mut nodes = Vec::new();
        for node in options.list("namenode") {
            let node = node.trim_end_matches('/');
            let fits = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/";
            if !node.parse::<Uri>().is_ok_and(|uri| fits(&uri)) {
                return Err(format!("`namenode = {node}`: write it as http://HOST:PORT"));
            }
            nodes.push(node.to_owned());
        }
        if nodes.is_empty() {
            return Err("`namenode` must name one".to_owned());
        }
        let secure = nodes.iter().any(|node| node.starts_with("https"));
        let client = |reuse| {
            Ok::<_, String>(Arc::new(Client {
                connector: connector(options, secure, &env.sys)?,
                proxy: None,
                open_timeout: options.duration("open_timeout"),
                tls_timeout: options.duration("open_timeout"),
                read_timeout: options.duration("read_timeout"),
                answer_most: ANSWER_MOST,
                reuse,
                kept: Default::default(),
            }))
        };
        Ok(Files {
            clients: [client(true)?, client(false)?],
            nodes,
            current: AtomicUsize::new(0),
            user: options.text("username").to_owned(),
            httpfs: options.flag("httpfs"),
            runtime: env.runtime.clone(),
            stop: env.stop.clone(),
        })
    }

    /// The length of a file; `None` where there is none.
    pub fn len(&self, path: &str) -> Result<Option<u64>, String> {
        let answer = self.ask(Method::GET, path, "GETFILESTATUS", "")?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let length = fine(path, &answer)?.get("FileStatus").and_then(|status| match status.get("length") {
            Some(Value::Int(length)) => u64::try_from(*length).ok(),
            _ => None,
        });
        length.map(Some).ok_or_else(|| format!("{path}: no length in {}", answer.words()))
    }

    /// Makes a file; one that is there is replaced.
    pub fn create(&self, path: &str, body: Bytes) -> Result<(), String> {
        self.send(Method::PUT, path, "CREATE", "&overwrite=true", body)
    }

    /// Adds to the end of a file.
    pub fn append(&self, path: &str, body: Bytes) -> Result<(), String> {
        self.send(Method::POST, path, "APPEND", "", body)
    }

    /// Cuts a file; `false` where that is under way.
    pub fn truncate(&self, path: &str, length: u64) -> Result<bool, String> {
        let answer = self.ask(Method::POST, path, "TRUNCATE", &format!("&newlength={length}"))?;
        Ok(fine(path, &answer)?.get("boolean") == Some(&Value::Bool(true)))
    }

    /// Two steps: where to, and there.
    fn send(&self, method: Method, path: &str, what: &str, more: &str, body: Bytes) -> Result<(), String> {
        let asked = self.ask(method.clone(), path, what, more)?;
        let place = asked.headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let place = place.filter(|_| asked.status.is_redirection());
        let Some(place) = place else {
            fine(path, &asked)?;
            return Err(format!("{path}: the server does not say where to: {}", asked.status));
        };
        let place: Uri = place.parse().map_err(|_| format!("`{place}` is no address"))?;
        if place.scheme_str() != Some("https") && self.nodes.iter().all(|node| node.starts_with("https")) {
            return Err(format!("{path}: the name node is asked over TLS and leads to {place}, without"));
        }
        let answer = self.go(1, method, place, body)?;
        fine(path, &answer).map(|_| ())
    }

    /// Asks the name node; the next one where this one is on standby or does not answer.
    fn ask(&self, method: Method, path: &str, what: &str, more: &str) -> Result<Answered, String> {
        let name: String = path.split('/').skip(1).map(|part| format!("/{}", percent(part))).collect();
        let user =
            if self.user.is_empty() { String::new() } else { format!("&user.name={}", percent(&self.user)) };
        let data = if self.httpfs && matches!(what, "CREATE" | "APPEND") { "&data=false" } else { "" };
        let mut why = String::new();
        for _ in 0..self.nodes.len() {
            let current = self.current.load(Ordering::Relaxed) % self.nodes.len();
            let text = format!("{}/webhdfs/v1{name}?op={what}{user}{more}{data}", self.nodes[current]);
            let uri: Uri = text.parse().map_err(|_| format!("`{text}` is no address"))?;
            match self.go(0, method.clone(), uri, Bytes::new()) {
                Ok(answer) if answer.words().contains("StandbyException") => why = answer.words(),
                Ok(answer) => return Ok(answer),
                Err(words) => why = words,
            }
            self.current.store(current + 1, Ordering::Relaxed);
        }
        Err(why)
    }

    fn go(&self, client: usize, method: Method, uri: Uri, body: Bytes) -> Result<Answered, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let client = self.clients[client].clone();
        let shown = format!("{}{}", uri.authority().map_or("", |authority| authority.as_str()), uri.path());
        let asked = async move { client.request(method, &uri, headers, body).await };
        match wait(&self.runtime, &self.stop, asked) {
            Some(answer) => answer.map_err(|failure| format!("{shown}: {failure}")),
            None => Err("no answer before the end".to_owned()),
        }
    }
}

/// What an answer says, where all is well.
fn fine(path: &str, answer: &Answered) -> Result<Value, String> {
    if !answer.status.is_success() {
        return Err(format!("{path}: {} {}", answer.status, answer.words()));
    }
    Ok(parse_json(&answer.body, &Limits::default()).unwrap_or(Value::Nil))
}
