//! What a context costs the thread that makes it: `cargo bench -p sawlog-client`. Events are sent to a receiver in this
//! process that acknowledges everything; the time of its thread and of the sender's is not in the figures.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "measures on the real machine")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sawlog_client::{Layer, Options, context, flush, set, stats};
use tracing_subscriber::layer::SubscriberExt as _;

const ROUNDS: usize = 25;
const CONTEXTS: u32 = 10_000;

fn main() {
    measure("not configured, no fields", 1, bare);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let mut options = Options::to(listener.local_addr().expect("its address").to_string());
    options.queue_bytes = 256 << 20;
    let guard = options.configure().expect("an address");
    std::thread::spawn(move || {
        listener.incoming().map_while(Result::ok).for_each(|stream| acknowledge(stream).unwrap_or_default())
    });
    measure("sent, no fields", 1, bare);
    measure("sent, three fields", 1, || {
        let request = context("request");
        request.set("user", 7);
        request.set("path", "/a/b");
        request.set("response.status", 200);
    });
    measure("sent, request and .sql", 2, || {
        let _request = context("request");
        let _sql = context(".sql");
        set("query", "SELECT 1");
    });
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Layer::new()), || {
        measure("tracing, request and sql", 2, || {
            let _request = tracing::info_span!("request").entered();
            let _sql = tracing::info_span!("sql", query = "SELECT 1").entered();
        });
    });
    println!("{:?}", stats().expect("it is configured"));
    drop(guard);
}

fn bare() {
    let _request = context("request");
}

/// Nanoseconds per context on the clock: the best and the median round, since a busy machine only ever adds to it.
fn measure(name: &str, contexts: u32, work: impl Fn()) {
    let mut rounds: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        (0..CONTEXTS).for_each(|_| work());
        rounds.push(begin.elapsed() / (CONTEXTS * contexts));
        assert!(flush(Duration::from_secs(30)), "the receiver acknowledges");
    }
    rounds.sort();
    println!(
        "{name:28} {:5} ns (median {:5} ns) per context",
        rounds[0].as_nanos(),
        rounds[ROUNDS / 2].as_nanos()
    );
}

/// Takes chunks as this crate writes them and answers each.
fn acknowledge(mut stream: TcpStream) -> std::io::Result<()> {
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte)?;
        skip(&mut stream)?;
        skip(&mut stream)?;
        stream.read_exact(&mut byte)?;
        let mut chunk = Vec::new();
        for _ in 0..4 {
            chunk = skip(&mut stream)?;
        }
        let mut answer = b"\x81\xa3ack".to_vec();
        answer.push(0xa0 | chunk.len() as u8);
        answer.extend_from_slice(&chunk);
        stream.write_all(&answer)?;
    }
}

/// Reads one text, binary or number; its bytes.
fn skip(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let (head, plain) = match byte[0] {
        code @ 0xa0..=0xbf => (0, usize::from(code & 31)),
        0xc4 | 0xd9 => (1, 0),
        0xc5 | 0xda => (2, 0),
        0xc6 | 0xdb => (4, 0),
        0xcc => (0, 1),
        0xcd => (0, 2),
        0xce => (0, 4),
        _ => (0, 0),
    };
    let mut length = [0; 4];
    stream.read_exact(&mut length[4 - head..])?;
    let mut bytes = vec![0; plain + u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
