//! Files as a cluster gets them, in two steps; what was begun and lost is cut off and added once; what Fluentd's form means.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sawlog_model::{Batch, Limits};
use sawlog_pipeline::testing::wait_until;
use sawlog_pipeline::{Lsn, Origin, OutputError};

use super::*;
use crate::shared::web_server::{Came, Reply, WebServer};
use crate::testing::{env, fluent, options_of, rows};

#[derive(Default)]
struct Cluster {
    files: BTreeMap<String, Vec<u8>>,
    /// Of the next addition so many bytes come, and no answer.
    cut: Option<usize>,
    standby: bool,
    asked: Vec<String>,
}

struct Hdfs {
    cluster: Arc<Mutex<Cluster>>,
    server: WebServer,
    dir: tempfile::TempDir,
}

fn answer(cluster: &mut Cluster, came: &Came) -> Option<Reply> {
    let target = came.0.split(' ').nth(1).unwrap();
    cluster.asked.push(came.0.trim_end_matches(" HTTP/1.1").to_owned());
    let (path, query) = target.split_once('?').unwrap();
    let file = path.trim_start_matches("/data").trim_start_matches("/webhdfs/v1").to_owned();
    let what = query.split('&').find_map(|pair| pair.strip_prefix("op=")).unwrap();
    if std::mem::take(&mut cluster.standby) {
        return Some(Reply::new(403, r#"{"RemoteException":{"exception":"StandbyException"}}"#));
    }
    let to_data = || {
        let host = came.1.iter().find_map(|header| header.strip_prefix("host: ")).unwrap();
        Reply::new(307, "").with(&format!("Location: http://{host}/data{path}?{query}"))
    };
    match what {
        "GETFILESTATUS" => Some(match cluster.files.get(&file) {
            Some(bytes) => Reply::new(200, format!("{{\"FileStatus\":{{\"length\":{}}}}}", bytes.len())),
            None => Reply::new(404, "{}"),
        }),
        "TRUNCATE" => {
            let length = query.split('&').find_map(|pair| pair.strip_prefix("newlength=")).unwrap();
            cluster.files.get_mut(&file).unwrap().truncate(length.parse().unwrap());
            Some(Reply::new(200, "{\"boolean\":true}"))
        }
        "CREATE" | "APPEND" if !path.starts_with("/data") => Some(to_data()),
        "CREATE" | "APPEND" => {
            let bytes = cluster.files.entry(file).or_default();
            if what == "CREATE" {
                bytes.clear();
            }
            match cluster.cut.take() {
                Some(len) => {
                    bytes.extend_from_slice(&came.2[..len.min(came.2.len())]);
                    None
                }
                None => {
                    bytes.extend_from_slice(&came.2);
                    Some(Reply::new(201, ""))
                }
            }
        }
        _ => Some(Reply::new(400, "what?")),
    }
}

impl Hdfs {
    fn new() -> Hdfs {
        let cluster = Arc::new(Mutex::new(Cluster::default()));
        let own = cluster.clone();
        let server = WebServer::start(move |came| answer(&mut own.lock().unwrap(), came));
        Hdfs { cluster, server, dir: tempfile::tempdir().unwrap() }
    }

    fn output(&self, given: &[(&str, &[&str])]) -> Box<dyn Output> {
        let node = format!("http://{}", self.server.address);
        let fixed: &[(&str, &[&str])] = &[
            ("namenode", &[node.as_str()]),
            ("path", &["/logs/${tag}.%Y%m%d.log"]),
            ("buffer.timekey_use_utc", &["true"]),
            ("buffer.flush_mode", &["immediate"]),
            ("format.type", &["json"]),
        ];
        let env = sawlog_pipeline::Env {
            dir: self.dir.path().to_owned(),
            ..env(&self.server.runtime, Limits::default())
        };
        make(&options_of(&PROTOCOL, &[fixed, given].concat()), &env).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until the cluster is like this.
    fn until(&self, is: impl Fn(&Cluster) -> bool) {
        wait_until("the cluster", || is(&self.cluster.lock().unwrap()));
    }

    fn has(&self, path: &str, text: &str) {
        self.until(|cluster| cluster.files.get(path).is_some_and(|bytes| bytes == text.as_bytes()));
    }
}

fn take(output: &dyn Output, at: u64, batch: Batch) {
    let origin = Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None };
    output.take(Arc::new(batch), origin).unwrap();
}

#[test]
fn chunks_are_added_in_two_steps() {
    let hdfs = Hdfs::new();
    let output = hdfs.output(&[("username", &["me"])]);
    take(&*output, 1, rows("a/../b", &[r#"{"n":1}"#]));
    hdfs.has("/logs/a_.._b.20171128.log", "{\"n\":1}\n");
    take(&*output, 2, rows("a/../b", &[r#"{"n":2}"#]));
    hdfs.has("/logs/a_.._b.20171128.log", "{\"n\":1}\n{\"n\":2}\n");
    let asked = hdfs.cluster.lock().unwrap().asked.clone();
    assert!(
        asked[1].starts_with("PUT /webhdfs/v1/logs/a_.._b.20171128.log?op=CREATE&user.name=me"),
        "{asked:?}"
    );
    assert!(asked[2].starts_with("PUT /data/webhdfs/v1/logs/"), "{asked:?}");
    assert!(asked.iter().any(|asked| asked.starts_with("POST /data/webhdfs/v1/logs/")), "{asked:?}");
}

#[test]
fn what_was_begun_is_cut_off_and_added_once() {
    for cut in [0, 3, 8] {
        let hdfs = Hdfs::new();
        let output = hdfs.output(&[]);
        take(&*output, 1, rows("t", &[r#"{"n":1}"#]));
        hdfs.has("/logs/t.20171128.log", "{\"n\":1}\n");
        hdfs.cluster.lock().unwrap().cut = Some(cut);
        take(&*output, 2, rows("t", &[r#"{"n":2}"#]));
        hdfs.until(|cluster| cluster.cut.is_none());
        // Another process goes on, where files are called otherwise: what was begun is ended in its own.
        drop(output);
        let output = hdfs.output(&[("path", &["/other/${tag}.log"])]);
        take(&*output, 3, rows("t", &[r#"{"n":3}"#]));
        hdfs.has("/logs/t.20171128.log", "{\"n\":1}\n{\"n\":2}\n");
        hdfs.has("/other/t.log", "{\"n\":3}\n");
    }
}

#[test]
fn a_file_for_each_chunk_packed() {
    let hdfs = Hdfs::new();
    hdfs.cluster.lock().unwrap().standby = true;
    let node = format!("http://{}", hdfs.server.address);
    let given: &[(&str, &[&str])] = &[
        ("append", &["false"]),
        ("compress", &["gzip"]),
        ("path", &["/x/${hostname}/${uuid}"]),
        ("namenode", &[node.as_str(), node.as_str()]),
        ("httpfs", &["true"]),
    ];
    let output = hdfs.output(given);
    take(&*output, 1, rows("t", &[r#"{"n":1}"#]));
    hdfs.until(|cluster| cluster.files.len() == 1);
    let cluster = hdfs.cluster.lock().unwrap();
    let (path, bytes) = cluster.files.iter().next().unwrap();
    assert!(path.starts_with(&format!("/x/{}/b", sawlog_sys::host_name())), "{path}");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap();
    assert_eq!(text, "{\"n\":1}\n");
    assert!(
        cluster.asked.iter().any(|asked| asked.ends_with("&overwrite=true&data=false")),
        "{:?}",
        cluster.asked
    );
}

#[test]
fn what_can_be_no_path_is_a_dead_letter() {
    let hdfs = Hdfs::new();
    let output = hdfs.output(&[("path", &["/logs/${user}/${tag}.log"])]);
    let batch = || Arc::new(rows("t", &[r#"{"user":"a:b/c"}"#, r#"{"n":1}"#, r#"{"user":".."}"#]));
    // Of a file nothing is taken: all of it comes again from the journal.
    let position = sawlog_model::Position { epoch: 1, offset: 9, ..Default::default() };
    let taken = output.take(batch(), Origin::Replayable(position));
    assert!(
        matches!(&taken, Err(OutputError::Refused(reason)) if reason.contains("/logs//t.log")),
        "{taken:?}"
    );
    assert!(output.known_sources().is_empty());
    let origin = || Origin::Journal { at: Lsn(1), next: Lsn(2), position: None };
    let taken = output.take(batch(), origin());
    assert!(matches!(&taken, Err(OutputError::RefusedRows { rows, .. }) if *rows == [1]), "{taken:?}");
    // Nothing of the frame counts before the row is a dead letter: a crash would lose it, or double the others.
    output.flush().unwrap();
    assert_eq!((output.cursor(), hdfs.cluster.lock().unwrap().files.len()), (Lsn(0), 0));
    output.take(Arc::new(Batch::default()), origin()).unwrap();
    hdfs.has("/logs/a_b_c/t.log", "{\"user\":\"a:b/c\"}\n");
    hdfs.has("/logs/__/t.log", "{\"user\":\"..\"}\n");
    assert_eq!(output.cursor(), Lsn(2));
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "host nn\nport 9870\nstandby_namenode nn2:9870\npath /a/%Y.log\nusername u\nappend false\nhttpfs true\ncompress gzip\n\
                open_timeout 1\nread_timeout 2\nssl true\nssl_ca_file /ca\nssl_verify_mode none\nretry_known_errors yes";
    let options = fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    for (name, is) in [
        ("namenode", "https://nn:9870|https://nn2:9870"),
        ("path", "/a/%Y.log"),
        ("username", "u"),
        ("append", "false"),
        ("httpfs", "true"),
        ("compress", "gzip"),
        ("open_timeout", "1s"),
        ("read_timeout", "2s"),
        ("tls_ca", "/ca"),
        ("tls_insecure", "true"),
    ] {
        assert_eq!(options.list(name).join("|"), is, "{name}");
    }
    let wrong = |text: &str| fluent(&PROTOCOL, "match", text).unwrap_err().join("\n");
    assert!(wrong("path /a").contains("HOST:PORT"));
    assert!(wrong("host a").contains("needs `path`"));
    assert!(wrong("host a\npath /a\nkerberos true").contains("not spoken"));
}

#[test]
fn what_cannot_be_is_refused() {
    let server = WebServer::start(|_| None);
    let refused = |given: &[(&str, &[&str])]| {
        let made = make(&options_of(&PROTOCOL, given), &env(&server.runtime, Limits::default()));
        made.err().expect("it cannot be").to_string()
    };
    assert!(refused(&[]).contains("begins with /"));
    assert!(refused(&[("path", &["${tag}"])]).contains("begins with /"));
    assert!(refused(&[("path", &["/a//b"])]).contains("empty"));
    assert!(refused(&[("path", &["/a"]), ("append", &["false"])]).contains("chunk_id"));
    assert!(refused(&[("path", &["/%Y"]), ("buffer.keys", &["tag"])]).contains("`time`"));
    assert!(refused(&[("path", &["/a"]), ("namenode", &["nn:1"])]).contains("http://HOST:PORT"));
    assert!(refused(&[("path", &["/a"]), ("compress", &["snappy"])]).contains("gzip"));
}
