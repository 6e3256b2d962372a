//! A server of MongoDB's protocol for the tests: it tells what came, and answers as it is told to.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sawlog_model::Value;
use sawlog_sys::task;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;

use crate::mongo::bson::{self, Keys};

/// A command that came, and the documents with it.
#[derive(Debug)]
pub struct Came {
    pub command: Value,
    pub documents: Vec<Value>,
}

impl Came {
    /// Its name, which is its first key.
    pub fn name(&self) -> &str {
        let Value::Map(entries) = &self.command else { panic!("{:?}", self.command) };
        entries[0].0.as_str().expect("a name")
    }

    /// A text of it.
    pub fn text(&self, name: &str) -> &str {
        self.command.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// What answers a command; nothing ends the connection.
pub type Answers = Arc<dyn Fn(&Came) -> Option<Value> + Send + Sync>;

pub struct Deployment {
    pub runtime: Runtime,
    pub address: String,
    pub came: Receiver<Came>,
}

/// A map of names and values.
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

pub fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

/// The answer to a command that was done, and to a greeting.
pub fn fine() -> Value {
    map([("ismaster", Value::Bool(true)), ("setName", text("rs0")), ("ok", Value::Float(1.0))])
}

/// The answer to a command that was not.
pub fn failed(code: i64, words: &str) -> Value {
    map([
        ("ok", Value::Float(0.0)),
        ("errmsg", text(words)),
        ("code", Value::Int(code)),
        ("codeName", text("Name")),
    ])
}

/// An answer to an insertion that tells of some documents.
pub fn told(errors: &[(i64, i64, &str)]) -> Value {
    let error = |(index, code, words): &(i64, i64, &str)| {
        map([("index", Value::Int(*index)), ("code", Value::Int(*code)), ("errmsg", text(words))])
    };
    let errors = errors.iter().map(error).collect();
    map([("n", Value::Int(0)), ("writeErrors", Value::List(errors)), ("ok", Value::Float(1.0))])
}

impl Deployment {
    /// A server; greetings are answered as if all were well, and not told.
    pub fn start(answers: impl Fn(&Came) -> Option<Value> + Send + Sync + 'static) -> Deployment {
        Deployment::over(answers, |stream| std::future::ready(Some(stream)))
    }

    /// The same over what `accept` makes of a connection.
    pub fn over<S, F>(
        answers: impl Fn(&Came) -> Option<Value> + Send + Sync + 'static,
        accept: impl Fn(sawlog_sys::net::TcpStream) -> F + Send + 'static,
    ) -> Deployment
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send,
    {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let (tell, came) = channel();
        let answers: Answers = Arc::new(answers);
        let listener =
            runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(stream) = accept(stream).await {
                    tokio::spawn(serve(stream, answers.clone(), tell.clone()));
                }
            }
        });
        Deployment { runtime, address, came }
    }

    /// The next command that is no greeting.
    pub fn next(&self) -> Came {
        loop {
            let came = self.came.recv_timeout(Duration::from_secs(60)).expect("a command");
            if came.name() != "hello" {
                return came;
            }
        }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers, tell: Sender<Came>) {
    loop {
        let mut head = [0; 16];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let number = |at: usize| i32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        assert_eq!(number(12), 2013);
        let mut body = vec![0; number(0) as usize - 16];
        stream.read_exact(&mut body).await.expect("a body");
        let came = read(&body);
        let answer = match came.name() {
            "hello" => answers(&came).or_else(|| Some(fine())),
            _ => answers(&came),
        };
        if tell.send(came).is_err() {
            return;
        }
        let Some(Value::Map(entries)) = answer else { return };
        let mut document = Vec::new();
        bson::write(None, &entries, &Keys::default(), &mut document).expect("a document");
        let mut out = Vec::new();
        for part in [21 + document.len() as i32, 7, number(4), 2013, 0] {
            out.extend_from_slice(&part.to_le_bytes());
        }
        out.push(0);
        out.extend_from_slice(&document);
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

fn read(body: &[u8]) -> Came {
    let len = |bytes: &[u8]| i32::from_le_bytes(bytes[..4].try_into().expect("four")) as usize;
    assert_eq!((&body[..4], body[4]), (&[0; 4][..], 0));
    let (command, mut rest) = body[5..].split_at(len(&body[5..]));
    let mut documents = Vec::new();
    if let [1, list @ ..] = rest {
        assert_eq!(len(list), list.len());
        rest = list[4..].strip_prefix(b"documents\0").expect("a name");
        while !rest.is_empty() {
            let (document, more) = rest.split_at(len(rest));
            documents.push(bson::read(document).expect("a document"));
            rest = more;
        }
    }
    assert!(rest.is_empty());
    Came { command: bson::read(command).expect("a command"), documents }
}
