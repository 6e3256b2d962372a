//! Bad input beside good: a clear error, a counter, bounded memory, and neighbours that notice nothing.

use crate::forward::Sender;
use crate::node::Node;

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn broken_forward_streams_are_closed_and_counted_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    let mut good = Sender::connect(node.forward).unwrap();
    assert!(good.send("good", 1_700_000_000, 0, 1, "a").unwrap());
    let before = resident(node.pid());
    let bomb = gzip_bomb();
    let mut deep = vec![0x93, 0xa1, b't', 0x01];
    deep.extend(vec![0x91; 200_000]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a reserved marker", vec![0xc1; 64]),
        (
            "an array that claims 2^32 - 1 elements",
            vec![0xdd, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff, 0xff],
        ),
        ("a text that claims 4 GiB", vec![0x93, 0xdb, 0xff, 0xff, 0xff, 0xff, b'x']),
        ("lists in lists", deep),
        ("a gzip bomb", bomb),
        ("not a forward message", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
    ];
    for (name, bytes) in &cases {
        let mut bad = Sender::connect(node.forward).unwrap();
        // The node may close while this is still being sent.
        let _ = bad.send_raw(bytes);
        // Lengths that lie are waited for, and what is no message at all is passed over and counted.
        if !name.contains("claims") && !name.starts_with("not ") {
            assert!(bad.is_closed(), "{name}: the connection stays open");
        }
        assert!(good.send("good", 1_700_000_001, 0, 2, name).unwrap(), "{name}: a neighbour suffers");
    }
    let grown = resident(node.pid()).saturating_sub(before);
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    let metrics = node.get("/metrics");
    let errors: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("sawlog_part_errors_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(errors >= 4.0, "errors are not counted:\n{metrics}");
    assert_eq!(node.search("_tag:good").len(), 1 + cases.len());
    node.shut_down();
}

/// A CompressedPackedForward message whose 1 GiB of zeros is about 1 MB on the wire.
fn gzip_bomb() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zeros.gz");
    let out = std::fs::File::create(&path).unwrap();
    let mut head = std::process::Command::new("head");
    let mut zeros =
        head.args(["-c", "1073741824", "/dev/zero"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let gzip =
        std::process::Command::new("gzip").arg("-1").stdin(zeros.stdout.take().unwrap()).stdout(out).status();
    zeros.wait().unwrap();
    assert!(gzip.unwrap().success());
    let body = std::fs::read(&path).unwrap();
    let mut message = Vec::new();
    rmp::encode::write_array_len(&mut message, 3).unwrap();
    rmp::encode::write_str(&mut message, "bomb").unwrap();
    rmp::encode::write_bin(&mut message, &body).unwrap();
    rmp::encode::write_map_len(&mut message, 1).unwrap();
    rmp::encode::write_str(&mut message, "compressed").unwrap();
    rmp::encode::write_str(&mut message, "gzip").unwrap();
    message
}

#[test]
fn bad_http_bodies_are_kept_or_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), &[]);
    // A line that is not JSON is kept whole; its neighbours are read.
    let (status, answer) = node.ingest("", b"{\"a\":1}\n{broken\n{\"a\":3}\n");
    assert!((200..300).contains(&status), "{status} {answer}");
    assert_eq!(node.wait_for("", 3).len(), 3);
    assert_eq!(node.search("a:=3").len(), 1);
    assert_eq!(node.search("broken").len(), 1);
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let (status, _) = node.ingest("", &deep);
    assert!(status < 500, "deep nesting gives {status}");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    for query in ["(((", "a | nonsense", "/(/", "x:[1"] {
        let mut answer =
            agent.get(format!("{}/api/v1/search", node.http)).query("query", query).call().unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{query}");
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(text.contains("\"error\""), "{text}");
    }
    node.shut_down();
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    // A link to itself cannot be opened, not even by root.
    std::os::unix::fs::symlink(logs.join("loop.log"), logs.join("loop.log")).unwrap();
    std::fs::write(logs.join("good.log"), "2026-01-02 03:04:05 INFO still here\n").unwrap();
    let glob = logs.join("*.log").to_string_lossy().into_owned();
    let node = Node::start(&folder.path().join("data"), &["--tail", &glob]);
    node.wait_for("still", 1);
    node.shut_down();
}

/// A file system of its own that is soon full; taken down when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &std::path::Path) -> Option<SmallDisk> {
        let at = folder.join("disk");
        std::fs::create_dir(&at).unwrap();
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", "size=6m", "sawlog-test"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_makes_senders_wait_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        println!("SKIPPED a_full_disk_makes_senders_wait: a tmpfs cannot be mounted here");
        return;
    };
    let ballast = disk.0.join("ballast");
    let mut node = Node::start(&disk.0.join("data"), &[]);
    assert!(node.ingest("", b"{\"n\":1}\n").0 < 300);
    // What is left of the disk goes.
    let mut left = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut left, &[0; 4096]).is_ok() {}
    let body = format!("{{\"n\":2,\"text\":\"{}\"}}\n", "x".repeat(200_000));
    let (status, answer) = node.ingest("", body.as_bytes());
    assert!(status >= 500, "{status} {answer}");
    assert!(answer.contains("error"), "{answer}");
    assert!(node.is_running());
    assert_eq!(node.search("").len(), 1, "searches go on");
    drop(left);
    std::fs::remove_file(&ballast).unwrap();
    let (status, answer) = node.ingest("", body.as_bytes());
    assert!(status < 300, "{status} {answer}");
    assert_eq!(node.search("").len(), 2);
    node.shut_down();
    drop(disk);
}
