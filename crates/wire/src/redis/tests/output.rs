//! What goes over the wire, and what becomes of each kind of answer.

use std::sync::mpsc::{Receiver, channel};

use sawlog_model::Limits;
use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::task;
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

use std::time::Duration;

use sawlog_pipeline::{Output, OutputError};
use std::sync::Arc;
use tokio::io::{AsyncWriteExt, BufReader};

use crate::redis::PROTOCOL;
use crate::redis::output::make;
use crate::shared::stream::Stream;
use crate::testing::{env, options_of, rows};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that reads whole commands and answers each in turn with these lines, then with `:1`; an empty one ends the
/// connection.
struct Scripted {
    address: String,
    came: Receiver<Vec<String>>,
}

impl Scripted {
    fn start(runtime: &Runtime, answers: &[&'static str]) -> Scripted {
        let (tell, came) = channel();
        let listener = runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut answers = Vec::from(answers).into_iter();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(Stream::Tcp(stream));
                while let Some(command) = read_command(&mut stream).await {
                    tell.send(command).unwrap();
                    let answer = answers.next().unwrap_or(":1");
                    if answer.is_empty() {
                        break;
                    }
                    stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            }
        });
        Scripted { address, came }
    }

    fn commands(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.came.recv_timeout(PATIENCE).expect("a command").join(" ")).collect()
    }
}

/// Reads `*2`, then of each part its length and so many bytes.
async fn read_command(stream: &mut BufReader<Stream>) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for _ in 0..number(stream, b'*').await? {
        let mut part = vec![0; number(stream, b'$').await? + 2];
        stream.read_exact(&mut part).await.ok()?;
        parts.push(String::from_utf8(part.strip_suffix(b"\r\n")?.to_vec()).unwrap());
    }
    Some(parts)
}

async fn number(stream: &mut BufReader<Stream>, sign: u8) -> Option<usize> {
    use tokio::io::AsyncBufReadExt;
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).await.ok()?;
    let text = line.strip_prefix(&[sign])?.strip_suffix(b"\r\n")?;
    std::str::from_utf8(text).unwrap().parse().ok()
}

fn made(runtime: &Runtime, given: &[(&str, &[&str])]) -> Box<dyn Output> {
    make(&options_of(&PROTOCOL, given), &env(runtime, Limits::default()))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn take(output: &dyn Output) -> Result<(), OutputError> {
    let batch = rows("app", &[r#"{"n":1}"#, r#"{"n":2,"text":"é\r\n"}"#]);
    output.take(Arc::new(batch), Origin::Journal { at: Lsn(1), next: Lsn(2), position: None })
}

#[test]
fn events_are_pushed_to_each_list_after_the_greeting() {
    let runtime = task::runtime("test", 2).unwrap();
    let server = Scripted::start(&runtime, &["+OK", "+OK"]);
    let to = format!("redis://me:pa:ss@{}/3", server.address);
    let output = made(&runtime, &[("to", &[&to]), ("key", &["a", "b"])]);
    take(&*output).unwrap();
    take(&*output).unwrap();
    let [one, two] = [r#"{"n":1}"#, r#"{"n":2,"text":"é\r\n"}"#];
    let pushed =
        [("a", one), ("b", one), ("a", two), ("b", two)].map(|(key, value)| format!("RPUSH {key} {value}"));
    assert_eq!(server.commands(2), ["AUTH me pa:ss", "SELECT 3"]);
    assert_eq!(server.commands(8), [&pushed[..], &pushed[..]].concat(), "over one connection");
    assert_eq!(output.cursor(), Lsn(2));
}

#[test]
fn events_are_published() {
    let runtime = task::runtime("test", 2).unwrap();
    let server = Scripted::start(&runtime, &["+OK"]);
    let to = format!("redis://:secret@{}", server.address);
    let output = made(&runtime, &[("to", &[&to]), ("data_type", &["channel"]), ("key", &["c"])]);
    take(&*output).unwrap();
    assert_eq!(server.commands(2), ["AUTH secret", r#"PUBLISH c {"n":1}"#]);
}

#[test]
fn what_may_pass_is_tried_again_and_what_may_not_is_refused() {
    let runtime = task::runtime("test", 2).unwrap();
    let server =
        Scripted::start(&runtime, &[":1", "-OOM command not allowed", "-WRONGTYPE no list", ":2", "", "+OK"]);
    let to = format!("redis://{}", server.address);
    let output = made(&runtime, &[("to", &[&to])]);
    let failed = take(&*output).unwrap_err();
    assert!(matches!(&failed, OutputError::Later(why) if why.contains("OOM")), "{failed}");
    assert_eq!(output.cursor(), Lsn(0));
    let failed = take(&*output).unwrap_err();
    assert!(matches!(&failed, OutputError::Refused(why) if why.contains("WRONGTYPE")), "{failed}");
    // The connection ends in the middle, and is made anew.
    take(&*output).unwrap();
    assert_eq!(
        server.commands(4),
        [r#"RPUSH sawlog {"n":1}"#, "RPUSH sawlog {\"n\":2,\"text\":\"é\\r\\n\"}"].repeat(2)
    );
}

#[test]
fn servers_are_used_in_turns_and_one_that_is_away_is_passed_over() {
    let runtime = task::runtime("test", 2).unwrap();
    let (one, two) = (Scripted::start(&runtime, &[]), Scripted::start(&runtime, &[]));
    let nobody = runtime.block_on(async {
        let listener = sawlog_sys::net::listen(([127, 0, 0, 1], 0).into()).await.unwrap();
        listener.local_addr().unwrap().to_string()
    });
    let to = [&nobody, &one.address, &two.address].map(|address| format!("redis://{address}"));
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let output = made(&runtime, &[("to", &to)]);
    for _ in 0..4 {
        take(&*output).unwrap();
    }
    assert!(one.commands(2).len() + two.commands(2).len() == 4, "both were used");
    let alone = made(&runtime, &[("to", &[&format!("redis://{nobody}")])]);
    assert!(matches!(take(&*alone), Err(OutputError::Later(why)) if why.contains("refused")));
}

#[test]
fn what_is_no_address_or_kind_is_refused() {
    let runtime = task::runtime("test", 1).unwrap();
    for (given, part) in [
        (("to", "http://x"), "redis://"),
        (("to", "redis://"), "redis://"),
        (("to", "redis://u@h"), "redis://"),
        (("to", "redis://h/x"), "redis://"),
        (("data_type", "set"), "list and channel"),
    ] {
        let options = options_of(&PROTOCOL, &[(given.0, &[given.1])]);
        let refused = make(&options, &env(&runtime, Limits::default())).err().expect("refused").0;
        assert!(refused.contains(part), "{refused}");
    }
}
