//! A web server for the tests of outputs that speak HTTP: it tells what came, and answers as it is told to. Knows nothing of
//! any protocol above.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use sawlog_sys::task;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::runtime::Runtime;

/// A request that came: its first line, headers in small letters, and body.
pub type Came = (String, Vec<String>, Vec<u8>);

/// What is answered.
pub struct Reply {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into() }
    }

    /// With one more header.
    pub fn with(mut self, header: &str) -> Reply {
        self.headers.push(header.to_owned());
        self
    }
}

/// What answers a request; nothing ends the connection.
pub type Answers = Arc<dyn Fn(&Came) -> Option<Reply> + Send + Sync>;

/// Serves one connection.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, answers: Answers, tell: Sender<Came>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut first, mut headers) = (String::new(), Vec::new());
        if stream.read_line(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.expect("a header");
            match line.trim_end() {
                "" => break,
                line => headers.push(line.to_owned()),
            }
        }
        if first.starts_with("CONNECT") {
            tell.send((first, headers, Vec::new())).expect("the test waits");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("a connection");
            continue;
        }
        let len =
            headers.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await.expect("a body");
        let came = (first.trim_end().to_owned(), headers, body);
        let reply = answers(&came);
        let is_head = came.0.starts_with("HEAD");
        if tell.send(came).is_err() {
            return;
        }
        let Some(Reply { status, headers, body }) = reply else { return };
        let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        head += "\r\n";
        stream.write_all(head.as_bytes()).await.expect("a connection");
        if !is_head {
            stream.write_all(&body).await.expect("a connection");
        }
    }
}

/// A server on a free port.
pub struct WebServer {
    pub runtime: Runtime,
    pub address: String,
    pub came: Receiver<Came>,
}

impl WebServer {
    pub fn start(answers: impl Fn(&Came) -> Option<Reply> + Send + Sync + 'static) -> WebServer {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let (tell, came) = channel();
        let answers: Answers = Arc::new(answers);
        let listener =
            runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).expect("a listener");
        let address = listener.local_addr().expect("an address").to_string();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), tell.clone()));
            }
        });
        WebServer { runtime, address, came }
    }

    /// The next request.
    pub fn next(&self) -> Came {
        self.came.recv_timeout(Duration::from_secs(60)).expect("a request")
    }
}
