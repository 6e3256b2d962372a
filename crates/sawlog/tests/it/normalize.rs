//! Rule bases from outside: the command, a search that brings one, and a node that has some.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::node::{Node, output, sawlog, succeed};

const RULES: &str = "version=2\nprefix=%date:date-rfc3164% %host:word% sshd[%pid:number%]: \n\
     rule=fail:Failed password for %user:word% from %ip:ipv4%\nrule=login:Accepted password for %user:word% from %ip:ipv4%\n";
const LINES: &str = "Nov 20 23:25:54 vm sshd[1]: Failed password for root from 10.0.0.7\n\
     Nov 20 23:25:55 vm sshd[2]: Failed password for bob from 10.0.0.7\n\
     Nov 20 23:25:56 vm sshd[3]: Accepted password for bob from 10.0.0.8\nNov 20 23:25:57 vm cron[4]: something else\n";

fn files(folder: &Path) -> (String, String) {
    std::fs::create_dir(folder.join("rules")).unwrap();
    let (rules, lines) = (folder.join("rules/ssh.rulebase"), folder.join("messages.log"));
    std::fs::write(&rules, RULES).unwrap();
    std::fs::write(&lines, LINES).unwrap();
    (rules.to_str().unwrap().to_owned(), lines.to_str().unwrap().to_owned())
}

fn lines(printed: Vec<u8>) -> Vec<Value> {
    let text = String::from_utf8(printed).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn standard_input_is_read_by_a_rule_base() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, _) = files(folder.path());
    let read = |more: &[&str]| {
        let mut command = sawlog();
        command.args(["normalize", "-r", &rules]).args(more).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(LINES.as_bytes()).unwrap();
        lines(child.wait_with_output().unwrap().stdout)
    };
    let all = read(&[]);
    assert_eq!((&all[0]["user"], &all[0]["event.tags"][0]), (&"root".into(), &"fail".into()));
    assert_eq!(all[3]["unparsed-data"], " cron[4]: something else");
    assert_eq!((all.len(), read(&["-p"]).len(), read(&["-P"]).len()), (4, 3, 1));
    let wrong = output(sawlog().args(["normalize", "-r", "/none"]).stdin(Stdio::null()));
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("/none"));
}

#[test]
fn questions_name_rule_bases() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, messages) = files(folder.path());
    let data = folder.path().join("data");
    succeed(sawlog().args(["import", &messages, "--data"]).arg(&data));
    let query = "* | normalize ssh | filter user:bob | stats count() by ip | sort ip";
    let wanted = [r#"{"ip":"10.0.0.7","count":1}"#, r#"{"ip":"10.0.0.8","count":1}"#];
    let wanted: Vec<Value> = wanted.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let brought = |data: &Path| {
        let mut command = sawlog();
        command.args(["search", query, "--json", "--rulebase", &rules, "--data"]).arg(data);
        command
    };
    assert_eq!(lines(succeed(&mut brought(&data))), wanted);

    let config = folder.path().join("sawlog.toml");
    std::fs::write(&config, format!("rulebases = \"{}\"\n", folder.path().join("rules").display())).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    assert_eq!(node.search(query), wanted);
    let refused = output(&mut brought(&data));
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("`rulebases`"));
    // A question names no file.
    let path = format!("* | normalize \"{rules}\"");
    let asked = output(sawlog().args(["search", &path, "--data"]).arg(&data));
    let told = String::from_utf8_lossy(&asked.stderr);
    assert!(
        !asked.status.success() && told.contains("there is no rule base") && told.contains("ssh"),
        "{told}"
    );
    node.shut_down();

    std::fs::write(folder.path().join("rules/wrong.rb"), "rule=:%x:wrod%\n").unwrap();
    let refused = output(
        sawlog().args(["run", "--http", "127.0.0.1:0", "--config"]).arg(&config).arg("--data").arg(&data),
    );
    assert!(String::from_utf8_lossy(&refused.stderr).contains("wrong.rb:1:7: there is no type `wrod`"));
}
