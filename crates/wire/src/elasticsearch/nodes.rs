//! The servers that are asked, in turns, and how. Knows nothing of what is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Uri};
use sawlog_pipeline::{ConfigError, Env, Options};
use sawlog_sys::Sys;

use crate::shared::http_client::{Answered, Client, Failure, basic, connector, header, unpercent, zip};

/// A node that failed is asked last for so long.
const AWAY: Duration = Duration::from_secs(5);
/// Longest answer that is read, bytes: some hundred for each document that was refused.
const ANSWER_MOST: usize = 64 << 20;

/// One server.
pub(super) struct Node {
    base: String,
    headers: HeaderMap,
    client: Client,
    away_until: Mutex<Duration>,
}

/// All of them.
pub(super) struct Nodes {
    list: Vec<Arc<Node>>,
    next: AtomicUsize,
    level: Option<Compression>,
    sys: Sys,
}

impl Nodes {
    pub fn new(options: &Options, env: &Env) -> Result<Nodes, ConfigError> {
        let level = match options.text("compression_level") {
            "" | "no_compression" => None,
            "best_speed" => Some(Compression::fast()),
            "default_compression" => Some(Compression::default()),
            "best_compression" => Some(Compression::best()),
            other => {
                return Err(ConfigError(format!(
                    "`compression_level = {other}`: there are no_compression, best_speed, default_compression and \
                     best_compression"
                )));
            }
        };
        let node = |host: &String| {
            Node::new(host, level.is_some(), options, env)
                .map(Arc::new)
                .map_err(|message| ConfigError(format!("`hosts`: {message}")))
        };
        let list = options.list("hosts").iter().filter(|host| !host.is_empty()).map(node);
        let list = list.collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() {
            return Err(ConfigError("`hosts` must name a node".to_owned()));
        }
        Ok(Nodes { list, next: AtomicUsize::new(0), level, sys: env.sys.clone() })
    }

    /// The nodes, from the next one on; those that failed lately last.
    pub fn in_turn(&self) -> Vec<Arc<Node>> {
        let mut nodes = self.list.clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % nodes.len();
        nodes.rotate_left(first);
        let now = self.sys.clock.monotonic();
        nodes.sort_by_key(|node| *node.away() > now);
        nodes
    }

    /// This one did not answer.
    pub fn failed(&self, node: &Node) {
        *node.away() = self.sys.clock.monotonic() + AWAY;
    }

    /// A body as it goes out.
    pub fn pack(&self, body: &[u8]) -> Result<Bytes, String> {
        let Some(level) = self.level.filter(|_| !body.is_empty()) else {
            return Ok(Bytes::copy_from_slice(body));
        };
        zip(body, level).map(Bytes::from).map_err(|error| error.to_string())
    }
}

impl Node {
    fn new(host: &str, packed: bool, options: &Options, env: &Env) -> Result<Node, String> {
        let wrong = || format!("`{host}`: write it as http://[USER:PASSWORD@]HOST[:PORT][/PATH]");
        let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
        let default_port = match scheme {
            "http" => 9200,
            "https" => 443,
            _ => return Err(wrong()),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) =
            authority.rsplit_once('@').map_or(("", authority), |(login, rest)| (login, rest));
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { String::new() } else { format!(":{default_port}") };
        let base = format!("{scheme}://{address}{port}/{path}");
        let base = base.trim_end_matches('/').to_owned();
        base.parse::<Uri>().ok().filter(|uri| uri.host().is_some()).ok_or_else(wrong)?;
        let login = match (login, options.text("user")) {
            ("", "") => None,
            ("", user) => Some(basic(user, options.text("password"))),
            (login, _) => {
                let (user, password) = login.split_once(':').unwrap_or((login, ""));
                Some(basic(&unpercent(user), &unpercent(password)))
            }
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
        let headers = headers(login, packed, options.list("custom_headers"))?;
        Ok(Node { base, headers, client, away_until: Mutex::default() })
    }

    /// Its address, without a password.
    pub fn shown(&self) -> &str {
        &self.base
    }

    /// Sends a request.
    pub async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answered, Failure> {
        let uri: Uri = format!("{}{path}", self.base)
            .parse()
            .map_err(|_| Failure::Connect(format!("`{path}` is no path")))?;
        let mut headers = self.headers.clone();
        if body.is_empty() {
            headers.remove(CONTENT_ENCODING);
        }
        self.client.request(method, &uri, headers, body).await
    }

    fn away(&self) -> MutexGuard<'_, Duration> {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn headers(login: Option<HeaderValue>, packed: bool, more: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(login) = login {
        headers.insert(AUTHORIZATION, login);
    }
    for text in more {
        let (name, text) = header(text)?;
        let value = HeaderValue::from_str(&text);
        headers.insert(name, value.map_err(|_| format!("`{text}` can be no value of a header"))?);
    }
    Ok(headers)
}
