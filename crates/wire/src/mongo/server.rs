//! The servers of a deployment: connecting to the one that takes writes, proving who we are, and asking it. Knows nothing of what
//! is asked.

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::Value;
use sawlog_sys::Sys;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::answer;
use super::message::{self, ANSWER_MOST, Command};
use super::scram::Scram;
use crate::shared::dial::Dial;
use crate::shared::stream::Stream;
use crate::shared::tls::Connector;

/// Longest answer before it is known who answers, bytes.
const GREETING_MOST: usize = 64 << 10;

/// Who asks.
pub(super) struct Login {
    pub user: String,
    pub password: String,
    /// Database that knows the user.
    pub source: String,
}

/// All servers, and the connection to the one that takes writes.
pub(super) struct Servers {
    /// `HOST:PORT`, those that are configured.
    pub nodes: Vec<String>,
    pub connector: Option<Connector>,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    pub login: Option<Login>,
    /// Name of the replica set that it must be; empty where it may be any.
    pub replica_set: String,
    pub sys: Sys,
    pub kept: Mutex<Option<Connection>>,
}

/// A connection over which writes go.
pub(super) struct Connection {
    stream: BufReader<Stream>,
    to: String,
    last: i32,
}

impl Servers {
    /// Asks the server that takes writes; once more over a new connection where the one that was kept has ended meanwhile.
    ///
    /// # Errors
    /// In words, with the server: it cannot be reached, or does not answer. What an answer says is not looked at.
    pub async fn ask(&self, command: &Command) -> Result<Value, String> {
        let mut kept = self.kept.lock().await;
        if let Some(mut connection) = kept.take()
            && let Ok(answer) = connection.ask(command, self.request_timeout, ANSWER_MOST).await
        {
            // After a failure another server may be the one to ask, or somebody else's rights hold.
            *kept = Some(connection).filter(|_| answer::is_fine(&answer));
            return Ok(answer);
        }
        let mut connection = self.connect().await?;
        let answer = connection.ask(command, self.request_timeout, ANSWER_MOST).await;
        let answer = answer.map_err(|why| format!("{}: {why}", connection.to))?;
        *kept = Some(connection).filter(|_| answer::is_fine(&answer));
        Ok(answer)
    }

    /// Connects to the first server that takes writes: one of those that are configured, or that one of them names.
    async fn connect(&self) -> Result<Connection, String> {
        let mut left: Vec<String> = self.nodes.iter().rev().cloned().collect();
        let (mut asked, mut why) = (Vec::new(), String::new());
        while let Some(to) = left.pop() {
            if asked.contains(&to) {
                continue;
            }
            match self.greet(&to).await {
                Ok((mut connection, None)) => {
                    let admitted = self.prove(&mut connection).await;
                    return admitted.map(|()| connection).map_err(|why| format!("{to}: {why}"));
                }
                Ok((_, Some(primary))) => {
                    why = format!("{to} does not take writes");
                    left.extend(Some(primary).filter(|primary| !primary.is_empty()));
                }
                Err(words) => why = format!("{to}: {words}"),
            }
            asked.push(to);
        }
        Err(why)
    }

    /// Connects to one server. Where it does not take writes: the one that does, as far as it knows.
    async fn greet(&self, to: &str) -> Result<(Connection, Option<String>), String> {
        let dial =
            Dial { to: to.to_owned(), connector: self.connector.clone(), patience: self.connect_timeout };
        let stream = BufReader::new(dial.connect().await?);
        let mut connection = Connection { stream, to: to.to_owned(), last: 0 };
        let hello = |name| Command::new(&[(name, Value::Int(1)), ("client", client())], "admin");
        let mut answer = connection.ask(&hello("hello"), self.connect_timeout, GREETING_MOST).await?;
        if answer::is_unknown(&answer) {
            answer = connection.ask(&hello("isMaster"), self.connect_timeout, GREETING_MOST).await?;
        }
        if !answer::is_fine(&answer) {
            return Err(answer::words(&answer));
        }
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        if !self.replica_set.is_empty() && text("setName") != self.replica_set {
            return Err(format!("it is not of the replica set `{}`", self.replica_set));
        }
        let says = |name: &str| answer.get(name) == Some(&Value::Bool(true));
        let other = !(says("isWritablePrimary") || says("ismaster"));
        Ok((connection, other.then(|| text("primary").to_owned())))
    }

    /// Proves who we are, and that the server knows it.
    async fn prove(&self, connection: &mut Connection) -> Result<(), String> {
        let Some(login) = &self.login else { return Ok(()) };
        let scram = Scram::new(&login.user, self.sys.random.id());
        let begin = [
            ("saslStart", Value::Int(1)),
            ("mechanism", Value::Str("SCRAM-SHA-256".to_owned())),
            ("payload", Value::Bin(scram.first().into_bytes())),
            ("options", Value::Map(vec![(Value::Str("skipEmptyExchange".to_owned()), Value::Bool(true))])),
        ];
        let said = self.say(connection, &begin, &login.source).await?;
        let proof = scram.prove(&login.password, &text_of(&said))?;
        let said = self.goes_on(connection, login, &said, proof.says.into_bytes()).await?;
        if text_of(&said) != proof.expects {
            return Err("it does not know the password itself: it is another than it seems to be".to_owned());
        }
        if said.get("done") == Some(&Value::Bool(true)) {
            return Ok(());
        }
        self.goes_on(connection, login, &said, Vec::new()).await.map(|_| ())
    }

    async fn goes_on(
        &self,
        connection: &mut Connection,
        login: &Login,
        said: &Value,
        payload: Vec<u8>,
    ) -> Result<Value, String> {
        let id = said.get("conversationId").cloned().unwrap_or(Value::Int(1));
        let entries =
            [("saslContinue", Value::Int(1)), ("conversationId", id), ("payload", Value::Bin(payload))];
        self.say(connection, &entries, &login.source).await
    }

    async fn say(
        &self,
        connection: &mut Connection,
        entries: &[(&str, Value)],
        database: &str,
    ) -> Result<Value, String> {
        let command = Command::new(entries, database);
        let answer = connection.ask(&command, self.connect_timeout, GREETING_MOST).await?;
        if answer::is_fine(&answer) { Ok(answer) } else { Err(answer::words(&answer)) }
    }
}

fn text_of(said: &Value) -> String {
    match said.get("payload") {
        Some(Value::Bin(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

/// What servers write into their logs of who has connected.
fn client() -> Value {
    let text = |text: &str| Value::Str(text.to_owned());
    let driver = vec![(text("name"), text("sawlog")), (text("version"), text(env!("CARGO_PKG_VERSION")))];
    let system = vec![(text("type"), text(std::env::consts::OS))];
    Value::Map(vec![(text("driver"), Value::Map(driver)), (text("os"), Value::Map(system))])
}

impl Connection {
    async fn ask(&mut self, command: &Command, patience: Duration, most: usize) -> Result<Value, String> {
        self.last = self.last.wrapping_add(1);
        let id = self.last;
        let exchange = async {
            self.stream.write_all(&command.message(id)).await.map_err(|error| error.to_string())?;
            self.stream.flush().await.map_err(|error| error.to_string())?;
            message::read(&mut self.stream, id, most).await
        };
        timeout(patience, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}

/// The servers, as a future may hold them.
pub(super) type Shared = Arc<Servers>;
