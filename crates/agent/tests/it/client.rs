//! The Rust library of application events, against a real forward input.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sawlog_client::{Options, Value, context, flush, log, stats};

const PATIENCE: Duration = Duration::from_secs(30);

const CONFIG: &str = "\
<source>
  @type forward
  bind 127.0.0.1
  port 0
  <security>
    self_hostname receiver
    shared_key open
    user_auth true
    <user>
      username web
      password sesame
    </user>
  </security>
</source>
<match **>
  @type stdout
</match>
";

struct Agent {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Agent {
    fn start(dir: &std::path::Path) -> Agent {
        std::fs::write(dir.join("fluent.conf"), CONFIG).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sawlog-agent"));
        command.args(["run", "--data", "data", "-c", "fluent.conf"]).current_dir(dir).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let ready = lines.recv_timeout(PATIENCE).unwrap();
        let address = ready.split_whitespace().find_map(|word| Some(word.split_once('=')?.1.to_owned()));
        Agent { child, lines, address: address.unwrap_or_else(|| panic!("no address in {ready}")) }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands between two texts.
fn between<'a>(line: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = line.split_once(before).unwrap_or_else(|| panic!("no {before} in {line}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after} in {rest}")).0
}

#[test]
fn events_pass_the_handshake_and_keep_their_types_and_their_tree() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Agent::start(dir.path());
    let mut options = Options::to(agent.address.clone());
    options.shared_key = Some("open".to_owned());
    options.user = "web".to_owned();
    options.password = "wrong".to_owned();
    let refused = options.clone().configure().unwrap();
    drop(context("lost"));
    assert!(!flush(Duration::from_secs(2)));
    let trouble = stats().unwrap().trouble.expect("a word on why");
    assert!(trouble.contains("refuses"), "{trouble}");
    drop(refused);

    options.password = "sesame".to_owned();
    let _guard = options.configure().unwrap();
    {
        let request = context("request");
        request.set("small", -1);
        request.set("large", u64::MAX);
        request.set("share", 0.25);
        request.set("text", "é\n");
        request.set("bytes", Value::Bytes(vec![0, 255]));
        request.set("none", None::<bool>);
        request.set("nested.list", vec![Value::from(true), Value::from(300), Value::from(vec![1u64 << 40])]);
        request.set("long", "x".repeat(70_000));
        log("ERROR", "app", "it failed");
    }
    assert!(flush(PATIENCE), "{:?}", stats());
    let lines: Vec<String> = (0..2).map(|_| agent.lines.recv_timeout(PATIENCE).unwrap()).collect();
    let one = |tag: &str| lines.iter().find(|line| line.contains(&format!(" {tag}: "))).unwrap().as_str();
    let (request, line) = (one("request"), one("request.log"));
    let body = request.split_once("\"body\":").unwrap().1;
    let expected = r#"{"small":-1,"large":18446744073709551615,"share":0.25,"text":"é\n","bytes":"#;
    assert!(body.starts_with(expected), "{}", &body[..200]);
    let rest = format!(
        r#""none":null,"nested":{{"list":[true,300,[1099511627776]]}},"long":"{}"}}}}"#,
        "x".repeat(70_000)
    );
    assert!(body.ends_with(&rest), "{}", &body[..300]);
    assert_eq!(between(line, r#""parent":""#, "\""), between(request, r#""span":""#, "\""));
    assert_eq!(between(line, r#""id":""#, "\""), between(request, r#""id":""#, "\""));
    assert!(!request.contains(r#""parent":"#), "it is the top");
    assert_eq!(between(request, r#""pid":"#, ","), std::process::id().to_string());
    let [start, end] =
        ["start", "end"].map(|key| between(request, &format!(r#""{key}":"#), ",").parse::<f64>().unwrap());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(start <= end && now - start < 120.0, "{start} {end} {now}");
    assert!(line.ends_with(r#""body":{"name":"app","level":"ERROR","msg":"it failed"}}"#), "{line}");
}
