//! How events travel: to a receiver that takes them, closes, lies or is not there. That what is sent is what a real forward
//! input reads is tested beside the agent.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::turn;
use crate::answer::{Answer, Unread};
use crate::{ConfigureError, Options, Stats, Stream, context, flush, shutdown, stats, tcp};

const PATIENCE: Duration = Duration::from_secs(30);

/// A message as it came.
#[derive(Debug)]
struct Message {
    tag: String,
    entries: Vec<u8>,
    size: u64,
    chunk: String,
}

/// What a receiver does with the message of a number, from 0.
#[derive(Clone, Copy)]
enum Reply {
    Ack,
    Close,
    Say(&'static [u8]),
}

/// Listens at a port; gives the messages.
fn receive(reply: fn(usize) -> Reply) -> (Options, Receiver<Message>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let options = Options::to(listener.local_addr().unwrap().to_string());
    (options, serve(listener, reply))
}

fn serve(listener: TcpListener, reply: fn(usize) -> Reply) -> Receiver<Message> {
    let (tell, told) = channel();
    let number = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, tell, number) = (stream.unwrap(), tell.clone(), number.clone());
            // A sender that goes away in the middle is none of this thread's business.
            std::thread::spawn(move || answer(stream, &tell, &number, reply));
        }
    });
    told
}

fn answer(
    stream: TcpStream,
    tell: &Sender<Message>,
    number: &AtomicUsize,
    reply: fn(usize) -> Reply,
) -> std::io::Result<()> {
    let mut from = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    loop {
        let message = read(&mut from)?;
        let chunk = message.chunk.clone();
        tell.send(message).map_err(std::io::Error::other)?;
        match reply(number.fetch_add(1, Ordering::Relaxed)) {
            Reply::Close => return Ok(()),
            Reply::Say(bytes) => to.write_all(bytes)?,
            Reply::Ack => {
                let mut ack = Vec::new();
                rmp::encode::write_map_len(&mut ack, 1).unwrap();
                rmp::encode::write_str(&mut ack, "ack").unwrap();
                rmp::encode::write_str(&mut ack, &chunk).unwrap();
                to.write_all(&ack)?;
            }
        }
    }
}

fn read(from: &mut impl Read) -> std::io::Result<Message> {
    fn text(from: &mut impl Read) -> std::io::Result<String> {
        let length = rmp::decode::read_str_len(from).map_err(std::io::Error::other)?;
        let mut text = vec![0; length as usize];
        from.read_exact(&mut text)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }
    assert_eq!(rmp::decode::read_array_len(from).map_err(std::io::Error::other)?, 3);
    let tag = text(from)?;
    let mut entries = vec![0; rmp::decode::read_bin_len(from).map_err(std::io::Error::other)? as usize];
    from.read_exact(&mut entries)?;
    assert_eq!(rmp::decode::read_map_len(from).map_err(std::io::Error::other)?, 2);
    assert_eq!(text(from)?, "size");
    let size = rmp::decode::read_int(from).map_err(std::io::Error::other)?;
    assert_eq!(text(from)?, "chunk");
    Ok(Message { tag, entries, size, chunk: text(from)? })
}

fn send(name: &'static str, count: usize) {
    (0..count).for_each(|number| context(name).set("number", number));
}

fn counts() -> Stats {
    stats().expect("it is configured")
}

/// Waits for what another thread does.
fn until(words: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{words}: {:?}", stats());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn events_of_a_tag_travel_together_and_in_order() {
    let _turn = turn();
    let (mut options, told) = receive(|_| Reply::Ack);
    options.chunk_bytes = 2000;
    let _guard = options.configure().unwrap();
    send("request", 100);
    assert!(flush(PATIENCE));
    assert_eq!(counts(), Stats { accepted: 100, acknowledged: 100, ..Stats::default() });
    let messages: Vec<Message> = told.try_iter().collect();
    assert!(messages.len() > 3, "cut where a chunk has its bytes");
    assert!(messages.iter().all(|message| message.tag == "request"));
    assert_eq!(messages.iter().map(|message| message.size).sum::<u64>(), 100);
    let all: Vec<u8> = messages.into_iter().flat_map(|message| message.entries).collect();
    let numbers = (0u8..100).filter_map(|number| {
        let needle = [b"\xa6number", &[number][..]].concat();
        all.windows(needle.len()).position(|window| window == needle)
    });
    let places: Vec<usize> = numbers.collect();
    assert!(places.len() == 100 && places.is_sorted());
}

#[test]
fn what_is_not_acknowledged_is_sent_again_under_its_id() {
    let _turn = turn();
    let (mut options, told) = receive(|number| if number < 2 { Reply::Close } else { Reply::Ack });
    options.interval = Duration::from_secs(3600);
    let _guard = options.configure().unwrap();
    send("request", 3);
    assert!(flush(PATIENCE));
    let messages: Vec<Message> = told.try_iter().collect();
    assert_eq!(messages.len(), 3);
    assert!(messages.iter().all(|message| message.chunk == messages[0].chunk && message.size == 3));
    assert_eq!(counts().trouble, None);
}

#[test]
fn a_receiver_that_is_silent_gets_all_again_over_another_connection() {
    let _turn = turn();
    let (mut options, told) = receive(|number| if number == 0 { Reply::Say(b"") } else { Reply::Ack });
    options.ack_timeout = Duration::from_millis(200);
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    options.connect = Some(Arc::new(move |address, patience| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(tcp(address, patience)?) as Box<dyn Stream>)
    }));
    let _guard = options.configure().unwrap();
    send("request", 1);
    assert!(flush(PATIENCE));
    let chunks: Vec<String> = told.try_iter().map(|message| message.chunk).collect();
    assert!(chunks.len() >= 2 && chunks.iter().all(|chunk| *chunk == chunks[0]));
    assert_eq!(connections.load(Ordering::Relaxed), chunks.len());
}

#[test]
fn a_connector_that_panics_is_asked_again() {
    let _turn = turn();
    let (mut options, told) = receive(|_| Reply::Ack);
    let asked = AtomicUsize::new(0);
    options.connect = Some(Arc::new(move |address, patience| {
        assert!(asked.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
        Ok(Box::new(tcp(address, patience)?) as Box<dyn Stream>)
    }));
    let _guard = options.configure().unwrap();
    send("request", 1);
    assert!(flush(PATIENCE));
    assert_eq!(told.try_iter().count(), 1);
}

#[test]
fn without_a_receiver_the_queue_fills_and_drops_are_counted_and_told() {
    let _turn = turn();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut options = Options::to(address.to_string());
    options.queue_bytes = 20_000;
    let _guard = options.configure().unwrap();
    let begun = Instant::now();
    send("request", 1000);
    assert!(begun.elapsed() < Duration::from_secs(5), "nobody waits for the network");
    let full = counts();
    assert!(full.accepted > 50 && full.accepted + full.dropped == 1000, "{full:?}");
    until("the trouble is told", || counts().trouble.is_some());
    assert!(!flush(Duration::from_millis(50)));
    let Ok(listener) = TcpListener::bind(address) else {
        println!("SKIPPED the return of the receiver: another program took its port");
        return;
    };
    let told = serve(listener, |_| Reply::Ack);
    until("what waited is sent", || counts().waiting() == 0);
    send("request", 1);
    assert!(flush(PATIENCE));
    let messages: Vec<Message> = told.try_iter().collect();
    let report = messages.iter().find(|message| message.tag == "sawlog.dropped").expect("a report of drops");
    let needle = [b"\xa5count\xcd", &(full.dropped as u16).to_be_bytes()[..]].concat();
    assert!(report.entries.windows(needle.len()).any(|window| window == needle));
    assert_eq!(counts().acknowledged, full.accepted + 2);
}

#[test]
fn the_guard_sends_what_waits() {
    let _turn = turn();
    let (mut options, told) = receive(|_| Reply::Ack);
    options.interval = Duration::from_secs(3600);
    options.exit_timeout = PATIENCE;
    let guard = options.configure().unwrap();
    send("request", 2);
    drop(guard);
    assert_eq!(told.try_iter().map(|message| message.size).sum::<u64>(), 2);
    assert!(stats().is_none());
    send("request", 1);
    assert_eq!(shutdown(PATIENCE), 0, "nothing is sent any more");
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let _turn = turn();
    // It is connected to, and never answers.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let guard = Options::to(listener.local_addr().unwrap().to_string()).configure().unwrap();
    send("request", 2);
    let begun = Instant::now();
    assert_eq!(shutdown(Duration::from_millis(100)), 2);
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(guard);
}

#[test]
fn receivers_that_speak_something_else_are_told_and_tried_again() {
    for (said, trouble) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak the forward protocol"),
        (b"\x92\xa4HELO\x81\xa5nonce\xa1a", "wants a shared key"),
        (b"\x81\xa3ack\xa5other\x81\xa3ack\xc0", "does not speak the forward protocol"),
    ] {
        let _turn = turn();
        static SAID: std::sync::Mutex<&[u8]> = std::sync::Mutex::new(b"");
        *SAID.lock().unwrap() = said;
        let (options, _told) =
            receive(|number| if number < 3 { Reply::Say(*SAID.lock().unwrap()) } else { Reply::Ack });
        let _guard = options.configure().unwrap();
        send("request", 1);
        until(trouble, || counts().trouble.is_some_and(|told| told.contains(trouble)));
        assert!(flush(PATIENCE));
    }
}

#[test]
fn answers_are_read_within_bounds() {
    let texts: &[(&[u8], Result<(), Unread>)] = &[
        (b"", Err(Unread::Short)),
        (b"\x81\xa3ack\xa1a", Ok(())),
        (b"\x81\xa3ack\xa2a", Err(Unread::Short)),
        (b"\xdc\xff\xff\xc0", Err(Unread::Short)),
        (b"\xdd\xff\xff\xff\xff", Err(Unread::Foreign)),
        (b"\xc6\xff\xff\xff\xff", Err(Unread::Foreign)),
        (b"\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", Err(Unread::Foreign)),
    ];
    for (text, expected) in texts {
        assert_eq!(Answer::read(text).map(|_| ()), *expected, "{text:x?}");
    }
    let endless = [b"\xdc\xff\xff", &vec![0xc0; (64 << 10) - 3][..]].concat();
    assert!(Answer::read(&endless) == Err(Unread::Foreign));
    let mut bytes = [0u8; 64];
    for _ in 0..20_000 {
        bytes.iter_mut().for_each(|byte| *byte = crate::chance::bits() as u8);
        crate::fuzz::answer(&bytes);
    }
}

#[test]
#[cfg(unix)]
fn the_child_of_a_fork_sends_its_own_and_only_that() {
    let _turn = turn();
    let (mut options, told) = receive(|_| Reply::Ack);
    options.interval = Duration::from_secs(3600);
    let _guard = options.configure().unwrap();
    let parents = context("parents");
    send("parents", 3);
    #[expect(unsafe_code, reason = "there is no other way to fork")]
    // SAFETY: the child uses nothing that a thread which is not there may hold: the tests that use this crate take turns.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let number = context("child");
        drop(parents);
        drop(number);
        let good = flush(PATIENCE) && counts().accepted == 1;
        #[expect(unsafe_code, reason = "the tests must not go on in the child")]
        // SAFETY: it ends the process.
        unsafe {
            libc::_exit(if good { 0 } else { 1 })
        }
    }
    let mut status = 0;
    until("the child ends", || {
        #[expect(unsafe_code, reason = "it is no child of the standard library")]
        // SAFETY: it writes where it is told to, and `child` is one of this process.
        let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        ended == child
    });
    assert_eq!(status, 0, "the child's events are acknowledged");
    drop(parents);
    assert!(flush(PATIENCE));
    let mut tags: Vec<(String, u64)> = told.try_iter().map(|message| (message.tag, message.size)).collect();
    tags.sort();
    assert_eq!(tags, [("child".to_owned(), 1), ("parents".to_owned(), 4)]);
}

#[test]
fn addresses_are_read() {
    let _turn = turn();
    let configured = |address: &str| Options::to(address).configure().map(drop);
    for good in ["logs.example", "logs.example:1", "127.0.0.1:24224", "::1", "[::1]", "[::1]:24224"] {
        assert_eq!(configured(good), Ok(()), "{good}");
    }
    for bad in ["", ":1", "a:", "a:0", "a:65536", "a:b", "[::1", "[::1]x", "a b"] {
        assert_eq!(configured(bad), Err(ConfigureError::Address(bad.to_owned())), "{bad}");
    }
}
