//! Objects as a store gets them, a chunk that is put again after its answer was lost, names, and what Fluentd's form means.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use sawlog_model::{Batch, Limits};
use sawlog_pipeline::testing::wait_until;
use sawlog_pipeline::{Lsn, Origin, OutputError};

use super::*;
use crate::shared::web_server::{Came, Reply, WebServer};
use crate::testing::{env, fluent, options_of, rows};

#[derive(Default)]
struct Objects {
    bucket: bool,
    /// By path: headers and body.
    there: BTreeMap<String, (Vec<String>, Vec<u8>)>,
    /// So many answers to PUT are lost.
    lose: usize,
    /// Objects that come into being after somebody looked.
    racing: Vec<String>,
}

/// A store in memory.
struct Store {
    objects: Arc<Mutex<Objects>>,
    server: WebServer,
    dir: tempfile::TempDir,
}

fn answer(objects: &mut Objects, came: &Came) -> Option<Reply> {
    let mut words = came.0.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap().to_owned());
    let has = |header: &str| came.1.iter().any(|have| have == header);
    match (method, path.as_str()) {
        ("HEAD", "/b") => Some(Reply::new(if objects.bucket { 200 } else { 404 }, "")),
        ("PUT", "/b") => {
            objects.bucket = true;
            Some(Reply::new(200, ""))
        }
        ("PUT", _) if !objects.bucket => Some(Reply::new(404, "<Code>NoSuchBucket</Code>")),
        ("HEAD", _) => {
            let reply = objects.there.get(&path).map(|(headers, _)| {
                let mark = headers.iter().find(|header| header.starts_with("x-amz-meta-sawlog-chunk"));
                let reply = Reply::new(200, "");
                mark.into_iter().fold(reply, |reply, mark| reply.with(mark))
            });
            if objects.racing.contains(&path) {
                objects.there.entry(path).or_default();
            }
            Some(reply.unwrap_or(Reply::new(404, "")))
        }
        ("PUT", _) if has("if-none-match: *") && objects.there.contains_key(&path) => {
            Some(Reply::new(412, ""))
        }
        ("PUT", _) => {
            objects.there.insert(path, (came.1.clone(), came.2.clone()));
            if objects.lose > 0 {
                objects.lose -= 1;
                return None;
            }
            Some(Reply::new(200, ""))
        }
        _ => Some(Reply::new(400, "what?")),
    }
}

impl Store {
    fn new(objects: Objects) -> Store {
        let objects = Arc::new(Mutex::new(objects));
        let own = objects.clone();
        let server = WebServer::start(move |came| answer(&mut own.lock().unwrap(), came));
        Store { objects, server, dir: tempfile::tempdir().unwrap() }
    }

    fn output(&self, given: &[(&str, &[&str])]) -> Box<dyn Output> {
        let endpoint = format!("http://{}", self.server.address);
        let fixed: &[(&str, &[&str])] = &[
            ("s3_bucket", &["b"]),
            ("s3_endpoint", &[endpoint.as_str()]),
            ("force_path_style", &["true"]),
            ("aws_key_id", &["K"]),
            ("aws_sec_key", &["S"]),
            ("buffer.timekey_use_utc", &["true"]),
            ("buffer.flush_mode", &["immediate"]),
            ("format.timezone", &["UTC"]),
        ];
        let env = sawlog_pipeline::Env {
            dir: self.dir.path().to_owned(),
            ..env(&self.server.runtime, Limits::default())
        };
        make(&options_of(&PROTOCOL, &[fixed, given].concat()), &env).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The names and texts of objects, once there are so many.
    fn found(&self, count: usize) -> Vec<(String, String)> {
        wait_until("objects", || self.objects.lock().unwrap().there.len() >= count);
        let objects = self.objects.lock().unwrap();
        objects.there.iter().map(|(path, (_, body))| (path.clone(), text(path, body))).collect()
    }
}

fn text(path: &str, body: &[u8]) -> String {
    let mut text = String::new();
    if path.ends_with(".gz") {
        flate2::read::GzDecoder::new(body).read_to_string(&mut text).unwrap();
        return text;
    }
    let body = if path.ends_with(".zst") { zstd::stream::decode_all(body).unwrap() } else { body.to_vec() };
    String::from_utf8(body).unwrap()
}

fn take(output: &dyn Output, at: u64, batch: Batch) {
    let origin = Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None };
    output.take(Arc::new(batch), origin).unwrap();
}

const JSON: (&str, &[&str]) = ("format.type", &["json"]);

#[test]
fn a_row_whose_object_can_have_no_name_is_a_dead_letter() {
    let store = Store::new(Objects::default());
    let path = format!("logs/{}", "${x}".repeat(11));
    let output = store.output(&[("path", &[path.as_str()]), JSON]);
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(200));
    let batch = Arc::new(rows("t", &[r#"{"x":"a"}"#, &long]));
    let origin = || Origin::Journal { at: Lsn(1), next: Lsn(2), position: None };
    let taken = output.take(batch, origin());
    assert!(matches!(&taken, Err(OutputError::RefusedRows { rows, .. }) if *rows == [1]), "{taken:?}");
    output.take(Arc::new(Batch::default()), origin()).unwrap();
    assert_eq!(store.found(1)[0].1, "{\"x\":\"a\"}\n");
}

#[test]
fn a_chunk_is_an_object_of_fluentds_name() {
    let store = Store::new(Objects::default());
    let output = store.output(&[
        ("path", &["logs/${tag}/"]),
        ("acl", &["private"]),
        ("storage_class", &["STANDARD_IA"]),
        ("use_server_side_encryption", &["aws:kms"]),
        ("ssekms_key_id", &["k"]),
        ("s3_metadata", &["Owner: me"]),
        ("aws_session_token", &["T"]),
    ]);
    take(&*output, 1, rows("app", &[r#"{"n":1}"#]));
    let found = store.found(1);
    assert_eq!(
        found,
        [("/b/logs/app/20171128_0.gz".to_owned(), "2017-11-28T02:43:13Z\tapp\t{\"n\":1}\n".to_owned())]
    );
    let objects = store.objects.lock().unwrap();
    let headers = &objects.there["/b/logs/app/20171128_0.gz"].0;
    for header in [
        "content-type: application/x-gzip",
        "x-amz-acl: private",
        "x-amz-storage-class: STANDARD_IA",
        "x-amz-server-side-encryption: aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id: k",
        "x-amz-meta-owner: me",
        "x-amz-security-token: T",
        "if-none-match: *",
    ] {
        assert!(headers.iter().any(|have| have == header), "{header} in {headers:?}");
    }
    let signed = headers.iter().find(|header| header.starts_with("authorization: ")).unwrap();
    assert!(signed.contains("Credential=K/") && signed.contains("/us-east-1/s3/aws4_request"), "{signed}");
}

#[test]
fn numbers_follow_and_what_was_put_is_known_again() {
    let store = Store::new(Objects { bucket: true, lose: 1, ..Objects::default() });
    store.objects.lock().unwrap().there.insert("/b/20171128_0000.json".to_owned(), Default::default());
    store.objects.lock().unwrap().racing.push("/b/20171128_0001.json".to_owned());
    let given = &[JSON, ("store_as", &["json"][..]), ("index_format", &["%04d"])];
    let output = store.output(given);
    take(&*output, 1, rows("a", &[r#"{"n":1}"#]));
    // One was there, one came into being meanwhile, and the answer to the third was lost.
    let found = store.found(3);
    assert_eq!(found[2], ("/b/20171128_0002.json".to_owned(), "{\"n\":1}\n".to_owned()));
    wait_until("the cursor", || output.cursor() >= Lsn(2));
    drop(output);
    let output = store.output(given);
    take(&*output, 2, rows("a", &[r#"{"n":2}"#]));
    let found = store.found(4);
    assert_eq!(found[3], ("/b/20171128_0003.json".to_owned(), "{\"n\":2}\n".to_owned()));
    assert_eq!(found.iter().filter(|(_, text)| text.contains("\"n\":1")).count(), 1);
}

#[test]
fn names_of_every_kind() {
    let store = Store::new(Objects { bucket: true, ..Objects::default() });
    let send = |given: &[(&str, &[&str])], have: usize| {
        let output = store.output(given);
        take(&*output, 1, rows("app.web", &[r#"{"who":"../../x/y"}"#]));
        store.found(have)
    };
    let hostile: &[(&str, &[&str])] = &[
        JSON,
        ("path", &["t/${who}/%H"]),
        ("store_as", &["text"]),
        ("s3_object_key_format", &["%{path}-${tag[1]}.%{file_extension}"]),
        ("buffer.timekey", &["1h"]),
    ];
    assert_eq!(send(hostile, 1)[0].0, "/b/t/.._.._x_y/02-web.txt");
    let random: &[(&str, &[&str])] = &[
        JSON,
        ("check_object", &["false"]),
        ("store_as", &["zstd"]),
        ("s3_object_key_format", &["u/%{time_slice}-%{uuid_flush}-%{hex_random}.%{file_extension}"]),
        ("time_slice_format", &["%Y-%m"]),
    ];
    let (name, text) = send(random, 2).pop().unwrap();
    assert!(name.starts_with("/b/u/2017-11-b") && name.ends_with(".zst"), "{name}");
    assert_eq!(text, "{\"who\":\"../../x/y\"}\n");
    let untimed: &[(&str, &[&str])] = &[
        JSON,
        ("buffer.keys", &["tag"]),
        ("s3_object_key_format", &["z/%{hostname}.%{index}"]),
        ("store_as", &["text"]),
    ];
    assert_eq!(send(untimed, 3).pop().unwrap().0, format!("/b/z/{}.0", sawlog_sys::host_name()));
}

#[test]
fn one_name_is_replaced_only_where_that_is_asked_for() {
    let store = Store::new(Objects { bucket: true, ..Objects::default() });
    let path = "/b/fixed";
    store.objects.lock().unwrap().there.insert(path.to_owned(), Default::default());
    let fixed = [JSON, ("s3_object_key_format", &["fixed"][..]), ("store_as", &["text"])];
    let output = store.output(&fixed);
    take(&*output, 1, rows("a", &[r#"{"n":1}"#]));
    let asked = || store.server.next().0;
    assert_eq!(asked(), "HEAD /b HTTP/1.1");
    assert_eq!(asked(), "HEAD /b/fixed HTTP/1.1");
    // It is looked for again after a second; nothing was put.
    assert_eq!(asked(), "HEAD /b/fixed HTTP/1.1");
    assert_eq!(store.found(1)[0].1, "");
    drop(output);
    let output = store.output(&[&fixed[..], &[("overwrite", &["true"])]].concat());
    wait_until("the object", || store.found(1)[0].1 == "{\"n\":1}\n");
    drop(output);
}

#[test]
fn buckets_are_made_only_where_that_is_asked_for() {
    let store = Store::new(Objects::default());
    let output = store.output(&[JSON, ("auto_create_bucket", &["false"])]);
    take(&*output, 1, rows("a", &[r#"{"n":1}"#]));
    assert_eq!(store.server.next().0, "HEAD /b HTTP/1.1");
    assert_eq!(store.server.next().0, "HEAD /b HTTP/1.1");
    assert!(!store.objects.lock().unwrap().bucket);
    drop(output);
    let output = store.output(&[JSON, ("check_bucket", &["false"])]);
    while !store.server.next().0.starts_with("PUT /b/20171128_0.gz") {}
    drop(output);
    assert!(store.objects.lock().unwrap().there.is_empty());
    let _made = store.output(&[JSON]);
    store.found(1);
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "s3_bucket b\ns3_region r\ns3_endpoint http://h\nforce_path_style true\naws_key_id k\naws_sec_key s\npath p/\n\
                s3_object_key_format %{path}x\ntime_slice_format %Y\nindex_format %03d\nstore_as text\ncheck_object false\n\
                overwrite true\nauto_create_bucket false\ncheck_bucket false\nacl private\nstorage_class S\n\
                use_server_side_encryption AES256\nssekms_key_id i\ns3_metadata {\"a\":\"b\"}\nssl_verify_peer false\n\
                ssl_ca_bundle /ca\nhex_random_length 8\n<format>\n@type json\n</format>";
    let options = fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    for (name, is) in [
        ("s3_bucket", "b"),
        ("s3_region", "r"),
        ("s3_endpoint", "http://h"),
        ("force_path_style", "true"),
        ("aws_key_id", "k"),
        ("aws_sec_key", "s"),
        ("path", "p/"),
        ("s3_object_key_format", "%{path}x"),
        ("time_slice_format", "%Y"),
        ("index_format", "%03d"),
        ("store_as", "text"),
        ("check_object", "false"),
        ("overwrite", "true"),
        ("auto_create_bucket", "false"),
        ("check_bucket", "false"),
        ("acl", "private"),
        ("storage_class", "S"),
        ("use_server_side_encryption", "AES256"),
        ("ssekms_key_id", "i"),
        ("s3_metadata", "a: b"),
        ("tls_insecure", "true"),
        ("tls_ca", "/ca"),
        ("format.type", "json"),
    ] {
        assert_eq!(options.list(name).join("|"), is, "{name}");
    }
    assert!(fluent(&PROTOCOL, "match", "path x").unwrap_err().join("").contains("s3_bucket"));
    assert!(
        fluent(&PROTOCOL, "match", "s3_bucket b\n<assume_role_credentials>\n</assume_role_credentials>")
            .is_err()
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let server = WebServer::start(|_| None);
    let refused = |given: &[(&str, &[&str])]| {
        let fixed: &[(&str, &[&str])] = &[("s3_bucket", &["b"])];
        let made =
            make(&options_of(&PROTOCOL, &[fixed, given].concat()), &env(&server.runtime, Limits::default()));
        made.err().expect("it cannot be").to_string()
    };
    assert!(refused(&[("s3_bucket", &["a/b"])]).contains("bucket"));
    assert!(refused(&[("s3_endpoint", &["x"])]).contains("https://HOST"));
    assert!(refused(&[("aws_key_id", &["x"])]).contains("together"));
    assert!(refused(&[("store_as", &["lzo"])]).contains("gzip"));
    assert!(refused(&[("index_format", &["%s"])]).contains("%04d"));
    assert!(refused(&[("s3_object_key_format", &["%{x}"])]).contains("stands for nothing"));
    assert!(refused(&[("buffer.keys", &["tag"]), ("path", &["%Y"])]).contains("`time`"));
    assert!(refused(&[("s3_metadata", &["x"])]).contains("NAME: VALUE"));
}
