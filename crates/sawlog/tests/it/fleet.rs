//! BlueOx's topology: ten local `oxd --forward` take the events of applications, a central one stores them. The centre is killed
//! and cut off again and again, and nothing is lost or doubled; what waits meanwhile is bounded as it was asked for.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sawlog_sys::sim::Dice;

use crate::agent::{self, Agent};
use crate::node::{self, Node};

const LOCALS: u64 = 10;

/// How many events all local nodes send, and while how many troubles; `SAWLOG_SLOW` makes it what a busy day brings.
fn size() -> (u64, u64) {
    if std::env::var_os("SAWLOG_SLOW").is_some() { (1_000_000, 100) } else { (20_000, 8) }
}

/// A binary under the name `oxd`.
fn as_oxd(binary: &Path, dir: &Path) -> Command {
    std::fs::create_dir_all(dir).unwrap();
    let link = dir.join("oxd");
    if std::fs::symlink_metadata(&link).is_err() {
        symlink(binary, &link).unwrap();
    }
    let mut command = Command::new(link);
    command.args(["--control=127.0.0.1:0", "--collect=127.0.0.1:0", "--data"]).arg(dir.join("data"));
    command
}

/// The central node: `oxd`, a link to `sawlog`.
pub fn centre(dir: &Path) -> Node {
    let mut command = as_oxd(&node::program(), dir);
    command.args(["--http", "127.0.0.1:0"]);
    Node::launch(&mut command, &dir.join("data"))
}

/// A local node: `oxd --forward`, a link to `sawlog-agent`.
fn local(dir: &Path, to: u16, arguments: &[&str]) -> Agent {
    let mut command = as_oxd(&agent::program(), dir);
    command.arg(format!("--forward=127.0.0.1:{to}")).args(arguments);
    Agent::launch(command)
}

/// What a wire between the local nodes and the centre does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Passes,
    /// Connections are made, and nothing comes through.
    Holds,
    /// There are no connections.
    Cut,
}

/// A wire that can be cut: a port, and what is done with what comes there.
struct Wire {
    port: u16,
    state: Arc<State>,
}

struct State {
    to: AtomicU16,
    mode: Mutex<Mode>,
    changed: Condvar,
    /// Bytes that came through, in both directions.
    bytes: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    fn new() -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            to: AtomicU16::new(1),
            mode: Mutex::new(Mode::Cut),
            changed: Condvar::new(),
            bytes: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let own = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                own.clone().serve(stream);
            }
        });
        Wire { port, state }
    }

    /// Where it leads from now on.
    fn lead_to(&self, port: u16) {
        self.state.to.store(port, Ordering::Relaxed);
    }

    fn set(&self, mode: Mode) {
        *lock(&self.state.mode) = mode;
        self.state.changed.notify_all();
        if mode == Mode::Cut {
            lock(&self.state.open).drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn serve(self: Arc<Self>, here: TcpStream) {
        if *lock(&self.mode) == Mode::Cut {
            return;
        }
        let Ok(there) = TcpStream::connect(("127.0.0.1", self.to.load(Ordering::Relaxed))) else { return };
        let both = [(here.try_clone(), there.try_clone()), (there.try_clone(), here.try_clone())];
        lock(&self.open).extend([here, there]);
        for (from, to) in both {
            let state = self.clone();
            thread::spawn(move || state.pump(&mut from.unwrap(), &mut to.unwrap()));
        }
    }

    fn pump(&self, from: &mut TcpStream, to: &mut TcpStream) {
        let mut piece = [0; 16 << 10];
        while let Ok(count @ 1..) = std::io::Read::read(from, &mut piece) {
            let held = self.changed.wait_while(lock(&self.mode), |mode| *mode == Mode::Holds);
            drop(held.unwrap_or_else(PoisonError::into_inner));
            if to.write_all(&piece[..count]).is_err() {
                break;
            }
            self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}

/// An application: pushes events as the original client does, and waits where nobody takes them.
pub struct Application {
    stream: TcpStream,
    host: String,
    sent: u64,
    bytes: u64,
}

impl Application {
    pub fn new(port: u16, host: &str) -> Application {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut greeting = [0; 64];
        (greeting[0], greeting[8], greeting[9], greeting[10], greeting[11]) = (0xff, 1, 0x7f, 3, 1);
        greeting[12..16].copy_from_slice(b"NULL");
        stream.write_all(&greeting).unwrap();
        stream.write_all(b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH").unwrap();
        Application { stream, host: host.to_owned(), sent: 0, bytes: 0 }
    }

    /// Sends so many more events, numbered on.
    pub fn send(&mut self, count: u64) -> std::io::Result<()> {
        let mut out = Vec::new();
        for number in self.sent..self.sent + count {
            let kind = if number % 5 == 4 { "request" } else { "request.sql" };
            self.frames(kind, number, &mut out).expect("memory");
        }
        self.stream.write_all(&out)?;
        self.bytes += out.len() as u64;
        self.sent += count;
        Ok(())
    }

    /// META and DATA of one event.
    fn frames(&self, kind: &str, number: u64, out: &mut Vec<u8>) -> Result<(), rmp::encode::ValueWriteError> {
        use rmp::encode::{write_f64, write_map_len, write_str, write_uint};
        let end = 1_795_217_048.0 + number as f64 / 1_000.0;
        out.extend([1, 137, 3]);
        out.extend(end.to_be_bytes());
        for name in [self.host.as_str(), kind] {
            let mut field = [0; 64];
            field[0] = name.len() as u8;
            field[1..=name.len()].copy_from_slice(name.as_bytes());
            out.extend(field);
        }
        let mut data = Vec::new();
        write_map_len(&mut data, 7)?;
        for (key, value) in [
            ("id", format!("{:08x}{:024x}", 1_795_217_048_u32, number / 5).as_str()),
            ("type", kind),
            ("host", &self.host),
        ] {
            write_str(&mut data, key)?;
            write_str(&mut data, value)?;
        }
        write_str(&mut data, "pid")?;
        write_uint(&mut data, 4711)?;
        for (key, value) in [("start", end - 0.002), ("end", end)] {
            write_str(&mut data, key)?;
            write_f64(&mut data, value)?;
        }
        write_str(&mut data, "body")?;
        write_map_len(&mut data, 3)?;
        write_str(&mut data, "n")?;
        write_uint(&mut data, number)?;
        write_str(&mut data, "query")?;
        write_str(&mut data, "SELECT name, price FROM item WHERE id = ? AND state <> 'sold'")?;
        write_str(&mut data, "execute")?;
        write_f64(&mut data, 0.001 + (number * 7919 % 1_000) as f64 / 1e6)?;
        out.push(if data.len() < 256 { 0 } else { 2 });
        match u8::try_from(data.len()) {
            Ok(len) => out.push(len),
            Err(_) => out.extend((data.len() as u64).to_be_bytes()),
        }
        out.extend(data);
        Ok(())
    }
}

/// Waits until the centre has so many events; panics where it has more, or has not got them in time.
fn wait_for_events(centre: &Node, count: u64, patience: Duration) {
    let until = Instant::now() + patience;
    loop {
        let answer = centre.search("type:request* | stats count() as n");
        let found = answer.first().and_then(|row| row["n"].as_u64()).unwrap_or(0);
        if found == count {
            return;
        }
        assert!(found < count, "{} events more than were sent", found - count);
        assert!(Instant::now() < until, "{found} of {count} events");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Every number of every host is there, once.
fn assert_each_once(centre: &Node, hosts: u64, each: u64) {
    let query = "type:request* | stats count() as events, count_distinct(body.n) as numbers, min(body.n) as first, \
                 max(body.n) as last by (host)";
    let rows = centre.search(query);
    assert_eq!(rows.len() as u64, hosts);
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap_or(-1.0) as i64;
        let found = ["events", "numbers", "first", "last"].map(number);
        let each = each as i64;
        assert_eq!(found, [each, each, 0, each - 1], "{row}");
    }
}

#[test]
fn a_centre_that_is_killed_and_cut_off_gets_every_event_of_ten_nodes_once() {
    let (events, troubles) = size();
    let each = events / LOCALS;
    let folder = tempfile::tempdir().unwrap();
    let at_centre = folder.path().join("centre");
    let wire = Wire::new();
    let locals: Vec<Agent> = (0..LOCALS)
        .map(|number| local(&folder.path().join(format!("local-{number}")), wire.port, &[]))
        .collect();
    // Applications send their next slice when the next trouble begins.
    let round = Arc::new(AtomicU64::new(0));
    let applications: Vec<_> = locals
        .iter()
        .enumerate()
        .map(|(number, local)| {
            let (round, mut application) =
                (round.clone(), Application::new(local.port("blueox"), &format!("web-{number}")));
            thread::spawn(move || {
                for slice in 0..troubles {
                    while round.load(Ordering::Relaxed) <= slice {
                        thread::sleep(Duration::from_millis(2));
                    }
                    let upto = each * (slice + 1) / troubles;
                    application.send(upto - application.sent).unwrap();
                }
                application
            })
        })
        .collect();
    let mut dice = Dice(0xb1e);
    let began = Instant::now();
    let mut node = centre(&at_centre);
    wire.lead_to(node.port("blueox"));
    wire.set(Mode::Passes);
    for trouble in 0..troubles {
        round.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(dice.below(600) as u64));
        match trouble % 3 {
            // Killed; its connections break. It comes back at another address.
            0 => {
                node.kill();
                thread::sleep(Duration::from_millis(dice.below(300) as u64));
                node = centre(&at_centre);
                wire.lead_to(node.port("blueox"));
            }
            // Cut off: what it acknowledged may not have been heard.
            1 => {
                wire.set(Mode::Cut);
                thread::sleep(Duration::from_millis(dice.below(500) as u64));
                wire.set(Mode::Passes);
            }
            // Nothing comes through, then all of it, or the connections are gone.
            _ => {
                wire.set(Mode::Holds);
                thread::sleep(Duration::from_millis(dice.below(500) as u64));
                if dice.below(2) == 0 {
                    wire.set(Mode::Cut);
                }
                wire.set(Mode::Passes);
            }
        }
    }
    let _open: Vec<Application> = applications.into_iter().map(|thread| thread.join().unwrap()).collect();
    wait_for_events(&node, each * LOCALS, Duration::from_secs(600));
    println!("{} events in {:.0} s", each * LOCALS, began.elapsed().as_secs_f64());
    assert_each_once(&node, LOCALS, each);
    // What local nodes still have to say when they end, they have said before.
    locals.into_iter().for_each(Agent::stop);
    assert_each_once(&node, LOCALS, each);
    node.shut_down();
}

#[test]
fn a_queue_on_disk_is_bounded_and_its_senders_wait() {
    const LIMIT: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::new();
    let at = folder.path().join("local");
    let local = local(&at, wire.port, &["--queue-limit=1MiB"]);
    let port = local.port("blueox");
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let application = thread::spawn({
        let (sent, stop) = (sent.clone(), stop.clone());
        move || {
            let mut application = Application::new(port, "web-0");
            while !stop.load(Ordering::Relaxed) {
                application.send(20).unwrap();
                sent.store(application.sent, Ordering::Relaxed);
            }
            application
        }
    });
    let queued = || {
        let mut command = Command::new(agent::program());
        command.args(["status", "--data"]).arg(at.join("data"));
        let status: serde_json::Value = serde_json::from_slice(&node::succeed(&mut command)).unwrap();
        let parts = status["parts"].as_array().unwrap_or_else(|| panic!("{status}")).clone();
        let output = parts.into_iter().find(|part| part["role"] == "output").unwrap();
        (output["queue_bytes"].as_u64().unwrap(), output["state"].as_str().unwrap().to_owned())
    };
    // It is full when nothing more is taken for a second.
    let until = Instant::now() + Duration::from_secs(60);
    let mut before = 0;
    while queued().0 <= LIMIT || sent.load(Ordering::Relaxed) > before {
        assert!(Instant::now() < until, "the sender never waits: {:?}", queued());
        before = sent.load(Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
    }
    // The last frame may go beyond it, by what a connection reads at once.
    let (bytes, state) = queued();
    assert!((LIMIT..LIMIT + (1 << 20)).contains(&bytes), "{bytes}");
    assert_eq!(state, "retrying");
    let on_disk = bytes_below(&at.join("data"));
    assert!(on_disk < 8 * LIMIT, "{on_disk} bytes of files");

    let node = centre(&folder.path().join("centre"));
    wire.lead_to(node.port("blueox"));
    wire.set(Mode::Passes);
    stop.store(true, Ordering::Relaxed);
    let application = application.join().unwrap();
    assert!(application.sent > before, "it went on");
    wait_for_events(&node, application.sent, Duration::from_secs(60));
    assert_each_once(&node, 1, application.sent);
    local.stop();
    node.shut_down();
}

/// Seconds that the processor worked for a process, of its system and its own.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, in hundredths.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
fn compression_is_a_choice_and_costs_what_it_costs() {
    let each = size().0 / LOCALS;
    let folder = tempfile::tempdir().unwrap();
    println!("| compress | wire bytes per byte | CPU s per GB, ten local nodes | centre |");
    let mut sizes = Vec::new();
    for compress in ["text", "lz4", "zstd", "gzip"] {
        let folder = folder.path().join(compress);
        let wire = Wire::new();
        let node = centre(&folder.join("centre"));
        wire.lead_to(node.port("blueox"));
        wire.set(Mode::Passes);
        let locals: Vec<Agent> = (0..LOCALS)
            .map(|number| {
                let dir = folder.join(format!("local-{number}"));
                local(&dir, wire.port, &[&format!("--compress={compress}")])
            })
            .collect();
        let applications = locals.iter().enumerate().map(|(number, local)| {
            let mut application = Application::new(local.port("blueox"), &format!("web-{number}"));
            thread::spawn(move || {
                while application.sent < each {
                    application.send(100.min(each - application.sent)).unwrap();
                }
                application
            })
        });
        let threads: Vec<_> = applications.collect();
        let open: Vec<Application> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        wait_for_events(&node, each * LOCALS, Duration::from_secs(600));
        assert_each_once(&node, LOCALS, each);
        let given: u64 = open.iter().map(|application| application.bytes).sum();
        let (wire, of) = (wire.state.bytes.load(Ordering::Relaxed) as f64 / given as f64, given as f64 / 1e9);
        let local: f64 = locals.iter().map(|local| cpu_seconds(local.pid())).sum();
        println!("| {compress} | {wire:.3} | {:.1} | {:.1} |", local / of, cpu_seconds(node.pid()) / of);
        sizes.push(wire);
        locals.into_iter().for_each(Agent::stop);
        node.shut_down();
    }
    assert!(sizes[1] < 0.5 * sizes[0] && sizes[2] < sizes[1] && sizes[3] < sizes[1], "{sizes:?}");
}

/// Bytes of all files below a directory, as the disk has them.
fn bytes_below(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.blocks() * 512 }
        })
        .sum()
}
