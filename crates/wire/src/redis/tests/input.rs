//! The input against a real Redis.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use sawlog_model::{Limits, Marks};
use sawlog_pipeline::Running;
use sawlog_pipeline::testing::wait_until;
use sawlog_sys::program::{self, Ending};
use sawlog_sys::{Sys, net, task};
use tokio::io::{AsyncWriteExt, BufReader};

use crate::redis::PROTOCOL;
use crate::redis::input::noted;
use crate::redis::resp::{self, Reply};
use crate::testing::{Bench, options_of};

/// What Beaver sends of a line, in both versions of the event, and as it is.
const EVENTS: [&str; 3] = [
    r#"{"env": ["prod"], "tags": ["tag1"], "@version": 1, "@timestamp": "2026-11-20T23:24:37.281Z", "host": "web01", "file": "/a.log", "message": "last é line", "type": "mytype"}"#,
    r#"{"@tags": ["tag1"], "@fields": {"env": ["prod"]}, "@timestamp": "2026-11-20T23:24:38.281Z", "@source_path": "/a.log", "@source": "file:///a.log", "@source_host": "web01", "@message": "of version 0", "@type": "mytype"}"#,
    "[web01] [2026-11-20T23:24:37.281Z] raw",
];

/// A redis-server of a test's own, without a disk.
struct Redis {
    address: String,
    runs: Ending,
    runtime: tokio::runtime::Runtime,
}

impl Redis {
    /// `None` where there is none, which is said.
    fn start(test: &str) -> Option<Redis> {
        let sys = Sys::real();
        let programs = ["/usr/bin/redis-server", "/usr/local/bin/redis-server"];
        let Some(server) = programs.into_iter().find(|path| sys.fs.metadata(Path::new(path)).is_ok()) else {
            println!("SKIPPED {test}: there is no redis-server; install Debian's package of that name");
            return None;
        };
        let runtime = task::runtime("redis", 1).expect("a runtime");
        let port = runtime.block_on(async {
            let listener = net::listen(([127, 0, 0, 1], 0).into()).await.expect("a port");
            listener.local_addr().expect("an address").port()
        });
        let line = format!(
            "exec {server} --port {port} --bind 127.0.0.1 --save '' --requirepass secret </dev/null >/dev/null 2>&1"
        );
        let (tell, told) = mpsc::channel();
        // A program ends with the thread that started it.
        let started = task::spawn("redis", move || {
            let mut process = program::start(&[line], false).expect("a shell");
            tell.send(process.ending()).expect("it is waited for");
            process.wait().expect("it is waited for");
        });
        drop(started.expect("a thread"));
        let redis =
            Redis { address: format!("127.0.0.1:{port}"), runs: told.recv().expect("it runs"), runtime };
        for _ in 0..1_000 {
            if redis.runtime.block_on(net::TcpStream::connect(&redis.address)).is_ok() {
                return Some(redis);
            }
            task::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not start");
    }

    fn ask(&self, words: &[&str]) -> Reply {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.runtime.block_on(async {
            let mut stream =
                BufReader::new(net::TcpStream::connect(&self.address).await.expect("a connection"));
            let commands = [resp::command(&[b"AUTH", b"secret"]), resp::command(&words)].concat();
            stream.write_all(&commands).await.expect("it is sent");
            assert_eq!(resp::read(&mut stream, 100).await, Ok(Reply::Done));
            resp::read(&mut stream, 1 << 20).await.expect("an answer")
        })
    }

    fn push(&self, list: &str, events: &[&str]) {
        assert_eq!(self.ask(&[&["RPUSH", list], events].concat()), Reply::Done);
    }

    fn keys(&self) -> Reply {
        self.ask(&["KEYS", "*"])
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.runs.force();
    }
}

/// Starts an input.
fn run(bench: &Bench, redis: &Redis, given: &[(&str, &[&str])]) -> Running {
    let to = format!("redis://:secret@{}", redis.address);
    let options = options_of(&PROTOCOL, &[&[("to", &[&*to][..]), ("reconnect", &["1s"])], given].concat());
    let input = PROTOCOL.input.expect("an input")(&options).expect("an input");
    input.start(bench.pipeline.intake("redis"), bench.env.clone()).expect("it starts")
}

/// Rows once there are so many: what their source is called (3 is the tenant), the line, and whether it was no event.
fn rows(bench: &Bench, count: usize) -> Vec<(String, String, bool)> {
    bench.output.wait_for(|lines| lines.len() >= count);
    let rows = bench.output.rows();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let rows: Vec<_> =
        rows.iter().map(|row| (row.name.clone(), text(&row.raw), row.marks.has(Marks::UNPARSED))).collect();
    assert_eq!(rows.len(), count, "{rows:?}");
    rows
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{{\"n\":{number}}}")).collect()
}

fn lines(bench: &Bench, count: usize) -> Vec<String> {
    rows(bench, count).into_iter().map(|(_, line, _)| line).collect()
}

#[test]
fn beavers_events_in_lists_become_rows() {
    let Some(redis) = Redis::start("redis: lists") else { return };
    redis.push("logstash:a", &EVENTS[..2]);
    redis.push("b", &EVENTS[2..]);
    let bench = Bench::start(Limits::default());
    let running = run(&bench, &redis, &[("key", &["logstash:a", "b"]), ("tag", &["beaver.${key}"])]);
    let mut found = rows(&bench, 3);
    found.sort();
    let row = |name: &str, line: &str, raw| (name.to_owned(), line.to_owned(), raw);
    assert_eq!(
        found,
        [
            row("redis@3:beaver.b@", EVENTS[2], true),
            row(
                "redis@3:beaver.logstash:a@web01",
                r#"{"env":["prod"],"tags":["tag1"],"@version":"1","@timestamp":"2026-11-20T23:24:37.281Z","host":"web01","file":"/a.log","message":"last é line","type":"mytype"}"#,
                false
            ),
            row(
                "redis@3:beaver.logstash:a@web01",
                r#"{"tags":["tag1"],"env":["prod"],"@timestamp":"2026-11-20T23:24:38.281Z","path":"/a.log","host":"web01","message":"of version 0","type":"mytype","@version":"1"}"#,
                false
            ),
        ]
    );
    assert_eq!(bench.errors(), [("malformed".to_owned(), 1)]);
    wait_until("nothing is left", || redis.keys() == Reply::List(Vec::new()));
    bench.env.stop.request();
    (running.join)();
}

#[test]
fn what_was_taken_is_stored_once_whatever_crashes() {
    let Some(redis) = Redis::start("redis: a crash") else { return };
    let given: &[(&str, &[&str])] = &[("key", &["k"])];
    let bench = Bench::start(Limits::default());
    let running = run(&bench, &redis, given);
    let all = numbered(0..3_000);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    redis.push("k", &all[..2_500]);
    assert_eq!(lines(&bench, 2_500), all[..2_500], "in their order");
    wait_until("nothing is left", || redis.keys() == Reply::List(Vec::new()));
    let left = bench.crash();
    bench.env.stop.request();
    (running.join)();
    // As a crash leaves it after the fsync of a batch, or before that of the next.
    let name = format!("redis:{}/k", redis.address);
    let (id, stored) = left.pipeline.intake("redis").note(&name).and_then(noted).expect("a note");
    redis.push(&format!("k:sawlog:{id:032x}:{stored}"), &all[2_400..2_500]);
    redis.push(&format!("k:sawlog:{id:032x}:{}", stored + 1), &all[2_500..2_800]);
    redis.push("k", &all[2_800..]);
    let running = run(&left, &redis, given);
    assert_eq!(lines(&left, 3_000), all);
    wait_until("nothing is left", || redis.keys() == Reply::List(Vec::new()));
    left.env.stop.request();
    (running.join)();
}

#[test]
fn a_server_that_ends_is_called_again() {
    let Some(redis) = Redis::start("redis: a connection that ends") else { return };
    let bench = Bench::start(Limits::default());
    let running = run(&bench, &redis, &[("key", &["k"])]);
    redis.push("k", &["{\"n\":1}"]);
    rows(&bench, 1);
    assert_eq!(redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]), Reply::Done);
    redis.push("k", &["{\"n\":2}"]);
    assert_eq!(lines(&bench, 2), ["{\"n\":1}", "{\"n\":2}"]);
    bench.wait_for_error("connection");
    // What is no list is told, and waited for.
    redis.ask(&["SET", "k", "text"]);
    bench.wait_for_error("refused");
    redis.ask(&["DEL", "k"]);
    redis.push("k", &["{\"n\":3}"]);
    rows(&bench, 3);
    bench.env.stop.request();
    (running.join)();
}

#[test]
fn channels_are_listened_to_by_name_and_by_pattern() {
    let Some(redis) = Redis::start("redis: channels") else { return };
    for (data_type, key, channel) in [("channel", "c", "c"), ("pattern", "app.*", "app.web")] {
        let bench = Bench::start(Limits::default());
        let running =
            run(&bench, &redis, &[("data_type", &[data_type]), ("key", &[key]), ("tag", &["${key}"])]);
        let subscribed = || {
            let shown = format!("{:?}", redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]));
            shown.len() > format!("{:?}", Reply::Value(Vec::new())).len()
        };
        wait_until("it listens", subscribed);
        redis.ask(&["PUBLISH", channel, EVENTS[0]]);
        redis.ask(&["PUBLISH", "other", EVENTS[0]]);
        redis.ask(&["PUBLISH", channel, EVENTS[2]]);
        let found = rows(&bench, 2);
        assert_eq!(found[0].0, format!("redis@3:{channel}@web01"));
        assert_eq!(found[1], (format!("redis@3:{channel}@"), EVENTS[2].to_owned(), true));
        bench.env.stop.request();
        (running.join)();
        wait_until("it listens no more", || !subscribed());
    }
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    for (name, value, wanted) in [
        ("key", "", "`to` and `key` must name"),
        ("data_type", "stream", "there are list, channel and pattern"),
        ("local_time", "Mars/Base", "there is no such zone"),
    ] {
        let made = PROTOCOL.input.expect("an input")(&options_of(&PROTOCOL, &[(name, &[value])]));
        let Err(error) = made else { panic!("{name}") };
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
