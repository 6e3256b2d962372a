//! Requests as a server gets them, what its answers mean for each row, names of indices, and what Fluentd's form means.

use std::collections::VecDeque;
use std::sync::Arc;

use sawlog_model::{Limits, SourceId};
use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::{Open, Sys};

use super::*;
use crate::shared::web_server::{Came, Reply, WebServer};
use crate::testing::{env, fluent, lines, options_of, rows};

/// A server that answers with these, then as if all were well.
fn server(replies: Vec<Reply>) -> WebServer {
    let replies = Mutex::new(VecDeque::from(replies));
    WebServer::start(move |came| Some(replies.lock().unwrap().pop_front().unwrap_or_else(|| fine(came))))
}

/// Says of every document that it is there.
fn fine(came: &Came) -> Reply {
    let documents = came.2.iter().filter(|byte| **byte == b'\n').count() / 2;
    items(&vec![r#"{"index":{"status":201}}"#; documents])
}

fn items(items: &[&str]) -> Reply {
    Reply::new(200, format!("{{\"items\":[{}]}}", items.join(",")))
}

fn output(server: &WebServer, given: &[(&str, &[&str])]) -> Box<dyn Output> {
    let host = format!("http://{}", server.address);
    let options = options_of(&PROTOCOL, &[&[("hosts", &[host.as_str()][..])], given].concat());
    make(&options, &env(&server.runtime, Limits::default())).unwrap_or_else(|error| panic!("{error}"))
}

fn origin() -> Origin {
    Origin::Journal { at: Lsn(1), next: Lsn(2), position: None }
}

fn batch() -> Arc<Batch> {
    Arc::new(rows("app.web", &[r#"{"u":"x/y","n":1}"#, r#"{"u":"Z","n":2}"#, r#"{"n":"three"}"#]))
}

/// The lines of a request's body.
fn body(came: &Came) -> Vec<String> {
    let text = String::from_utf8(came.2.clone()).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

/// The lines with the ids taken out.
fn without_ids(lines: &[String]) -> Vec<String> {
    let strip = |line: &String| match line.find(",\"_id\":\"") {
        Some(at) => format!("{}{}", &line[..at], &line[at + 8 + line[at + 8..].find('"').unwrap() + 1..]),
        None => line.clone(),
    };
    lines.iter().map(strip).collect()
}

#[test]
fn a_batch_is_a_request_with_ids_that_stay() {
    let server = server(Vec::new());
    let output =
        output(&server, &[("user", &["me"]), ("password", &["secret"]), ("custom_headers", &["X-A: b"])]);
    output.take(batch(), origin()).unwrap();
    let first = server.next();
    assert!(first.0.starts_with("POST /_bulk?filter_path=items"), "{}", first.0);
    for header in ["content-type: application/json", "authorization: Basic bWU6c2VjcmV0", "x-a: b"] {
        assert!(first.1.iter().any(|have| have == header), "{header} in {:?}", first.1);
    }
    let lines = body(&first);
    assert_eq!(
        without_ids(&lines),
        [
            r#"{"index":{"_index":"sawlog"}}"#,
            r#"{"u":"x/y","n":1}"#,
            r#"{"index":{"_index":"sawlog"}}"#,
            r#"{"u":"Z","n":2}"#,
            r#"{"index":{"_index":"sawlog"}}"#,
            r#"{"n":"three"}"#
        ]
    );
    assert_eq!((output.cursor(), output.keeps_positions()), (Lsn(2), false));
    // The same rows have the same ids, others and those of another output have others.
    output.take(batch(), origin()).unwrap();
    assert_eq!(body(&server.next()), lines);
    let mut other = Batch::clone(&batch());
    Arc::make_mut(&mut other.source).id = SourceId(9);
    output.take(Arc::new(other), origin()).unwrap();
    let others = body(&server.next());
    assert_ne!(others[0], lines[0]);
    assert_ne!(lines[0], lines[2]);
    let options = options_of(&PROTOCOL, &[("hosts", &[server.address.as_str()])]);
    let named = env(&server.runtime, Limits::default()).named("other");
    make(&options, &named).unwrap().take(batch(), origin()).unwrap();
    assert_ne!(body(&server.next())[0], lines[0]);
}

#[test]
fn each_document_has_its_own_fate() {
    let server = server(vec![
        items(&[
            r#"{"index":{"status":201}}"#,
            r#"{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}"#,
            r#"{"index":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"no long"}}}"#,
        ]),
        items(&[r#"{"index":{"status":403,"error":{"type":"cluster_block_exception","reason":"disk"}}}"#]),
    ]);
    let output = output(&server, &[]);
    let later = output.take(batch(), origin());
    assert!(
        matches!(&later, Err(OutputError::Later(reason)) if reason.contains("429 es_rejected")),
        "{later:?}"
    );
    assert_eq!(body(&server.next()).len(), 6);
    let later = output.take(batch(), origin());
    assert!(matches!(&later, Err(OutputError::Later(reason)) if reason.contains("disk")), "{later:?}");
    let again = body(&server.next());
    assert_eq!(again[1], r#"{"u":"Z","n":2}"#);
    assert_eq!(again.len(), 2, "what was held or refused is not sent again");
    match output.take(batch(), origin()) {
        Err(OutputError::RefusedRows { reason, rows }) => {
            assert_eq!((reason.as_str(), rows), ("400 mapper_parsing_exception: no long", vec![2]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(output.cursor(), Lsn(2));
}

#[test]
fn what_exists_is_held_where_it_is_created() {
    let exists = || items(&[r#"{"create":{"status":409}}"#; 3]);
    let server = server(vec![exists(), exists()]);
    output(&server, &[("write_operation", &["create"])]).take(batch(), origin()).unwrap();
    assert_eq!(without_ids(&body(&server.next()))[0], r#"{"create":{"_index":"sawlog"}}"#);
    assert!(matches!(output(&server, &[]).take(batch(), origin()), Err(OutputError::Refused(_))));
}

#[test]
fn answers_to_the_whole_request() {
    for status in [401, 403, 404, 429, 500, 502, 503] {
        let server = server(vec![Reply::new(status, "words")]);
        let taken = output(&server, &[]).take(batch(), origin());
        assert!(
            matches!(&taken, Err(OutputError::Later(reason)) if reason.contains("words")),
            "{status}: {taken:?}"
        );
    }
    for nonsense in ["", "<html>", "{}", r#"{"items":[]}"#, r#"{"items":[1,2,3]}"#] {
        let server = server(vec![Reply::new(200, nonsense)]);
        assert!(
            matches!(output(&server, &[]).take(batch(), origin()), Err(OutputError::Later(_))),
            "{nonsense}"
        );
    }
    let server = server(vec![Reply::new(400, "no bulk")]);
    let taken = output(&server, &[]).take(batch(), origin());
    assert!(matches!(&taken, Err(OutputError::Refused(reason)) if reason.contains("no bulk")), "{taken:?}");
}

#[test]
fn what_is_too_large_is_sent_in_parts() {
    let large = || Reply::new(413, "too large");
    let server = server(vec![large(), items(&[r#"{"index":{"status":201}}"#]), large(), large()]);
    let output = output(&server, &[]);
    // Three, one of them, the other two, the first of these alone, the second alone.
    match output.take(batch(), origin()) {
        Err(OutputError::RefusedRows { reason, rows }) => {
            assert!(reason.contains("413"), "{reason}");
            assert_eq!(rows, [1]);
        }
        other => panic!("{other:?}"),
    }
    let sent: Vec<usize> = (0..5).map(|_| body(&server.next()).len() / 2).collect();
    assert_eq!(sent, [3, 1, 2, 1, 1]);
}

#[test]
fn bodies_are_bounded_and_packed() {
    let all = server(Vec::new());
    output(&all, &[("bulk_message_request_threshold", &["120B"])]).take(batch(), origin()).unwrap();
    let sent: Vec<usize> = (0..3).map(|_| body(&all.next()).len()).collect();
    assert_eq!(sent, [2, 2, 2]);
    let packed = server(vec![items(&[r#"{"index":{"status":201}}"#; 3])]);
    output(&packed, &[("compression_level", &["best_speed"])]).take(batch(), origin()).unwrap();
    let came = packed.next();
    assert!(came.1.iter().any(|header| header == "content-encoding: gzip"));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&came.2[..]), &mut text).unwrap();
    assert_eq!(text.lines().count(), 6);
}

#[test]
fn days_times_and_tags() {
    let server = server(Vec::new());
    let send = |given: &[(&str, &[&str])], batch: Batch| {
        output(&server, given).take(Arc::new(batch), origin()).unwrap();
        without_ids(&body(&server.next())).concat()
    };
    // The rows are of 2017-11-28T02:43:13.814351757Z.
    let one = || rows("app.web", &[r#"{"n":1}"#]);
    assert_eq!(
        send(&[("logstash_format", &["true"]), ("logstash_prefix", &["app"])], one()),
        r#"{"index":{"_index":"app-2017.11.28"}}{"n":1,"@timestamp":"2017-11-28T02:43:13.814351757Z"}"#
    );
    assert_eq!(
        send(
            &[
                ("logstash_format", &["true"]),
                ("logstash_prefix", &["x.${tag[1]}"]),
                ("logstash_prefix_separator", &["_"]),
                ("logstash_dateformat", &["%Y%m"]),
                ("time_precision", &["3"]),
                ("include_tag_key", &["true"]),
                ("tag_key", &["@tag"]),
            ],
            one()
        ),
        r#"{"index":{"_index":"x.web_201711"}}{"n":1,"@timestamp":"2017-11-28T02:43:13.814Z","@tag":"app.web"}"#
    );
    let timed = || rows("t", &[r#"{"at":"2020-01-02T03:04:05+01:00","n":1}"#]);
    assert_eq!(
        send(&[("logstash_format", &["true"]), ("time_key", &["at"]), ("time_precision", &["0"])], timed()),
        r#"{"index":{"_index":"logstash-2020.01.02"}}{"at":"2020-01-02T03:04:05+01:00","n":1,"@timestamp":"2020-01-02T02:04:05Z"}"#
    );
    let enough = [
        ("include_timestamp", &["true"][..]),
        ("time_key", &["at"]),
        ("time_key_exclude_timestamp", &["true"]),
    ];
    assert_eq!(
        send(&enough, timed()),
        r#"{"index":{"_index":"sawlog"}}{"at":"2020-01-02T03:04:05+01:00","n":1}"#
    );
    let own = rows("t", &[r#"{"@timestamp":"2020-01-02T03:04:05Z","tag":"old"}"#]);
    assert_eq!(
        send(&[("logstash_format", &["true"]), ("include_tag_key", &["true"])], own),
        r#"{"index":{"_index":"logstash-2020.01.02"}}{"@timestamp":"2020-01-02T03:04:05Z","tag":"t"}"#
    );
    assert_eq!(
        send(&[("include_timestamp", &["true"])], lines("t", &["a \"line\""])),
        r#"{"index":{"_index":"sawlog"}}{"message":"a \"line\"","@timestamp":"2017-11-28T02:43:13.814351757Z"}"#
    );
    assert_eq!(
        send(&[("index_name", &["a-%Y-%m"]), ("buffer.timekey_zone", &["Asia/Tokyo"])], one()),
        r#"{"index":{"_index":"a-2017-11"}}{"n":1}"#
    );
    // Eighteen hours later it is another month in one of the zones.
    let mut late = one();
    late.rows[0].time = 1_512_086_400_000_000_000 - 3_600_000_000_000;
    let name = [("index_name", &["a-%m"][..])];
    let zoned = |zone: (&'static str, &'static [&'static str])| send(&[name[0], zone], late.clone());
    assert!(zoned(("buffer.timekey_zone", &["Asia/Tokyo"])).contains("a-12"));
    assert!(zoned(("buffer.timekey_use_utc", &["true"])).contains("a-11"));
    let local = [("logstash_format", &["true"][..]), ("utc_index", &["false"])];
    let machine = crate::shared::strftime::TimeFormat::new("%Y.%m.%d", jiff::tz::TimeZone::system());
    assert!(send(&local, late.clone()).contains(&machine.text(late.rows[0].time)));
}

#[test]
fn ids_routing_keys_and_pipelines() {
    let server = server(Vec::new());
    let given: &[(&str, &[&str])] = &[
        ("id_key", &["$.k.id"]),
        ("routing_key", &["r"]),
        ("pipeline", &["p q"]),
        ("remove_keys", &["secret", "$.k.id"]),
        ("write_operation", &["upsert"]),
    ];
    let records = [r#"{"k":{"id":"i1","x":1},"r":"R","secret":"s"}"#, r#"{"n":1}"#];
    let taken = output(&server, given).take(Arc::new(rows("t", &records)), origin());
    assert!(
        matches!(&taken, Err(OutputError::RefusedRows { rows, reason }) if *rows == [1] && reason.contains("no id")),
        "{taken:?}"
    );
    let came = server.next();
    assert!(came.0.contains("&pipeline=p%20q"), "{}", came.0);
    assert_eq!(
        body(&came),
        [
            r#"{"update":{"_index":"sawlog","_id":"i1","routing":"R"}}"#,
            r#"{"doc":{"k":{"x":1},"r":"R"},"doc_as_upsert":true}"#
        ]
    );
    let update = [("id_key", &["n"][..]), ("write_operation", &["update"])];
    output(&server, &update).take(Arc::new(rows("t", &[r#"{"n":1}"#])), origin()).unwrap();
    assert_eq!(body(&server.next()), [r#"{"update":{"_index":"sawlog","_id":"1"}}"#, r#"{"doc":{"n":1}}"#]);
}

#[test]
fn what_rows_say_stays_behind_the_literal_beginning() {
    let server = server(Vec::new());
    let given: &[(&str, &[&str])] = &[("index_name", &["app-${who}"])];
    let hostile = r#"{"who":"../.KIBANA*, a?x=1#<now>|\"y\""}"#;
    output(&server, given).take(Arc::new(rows("t", &[hostile])), origin()).unwrap();
    let first = body(&server.next()).remove(0);
    assert!(first.starts_with(r#"{"index":{"_index":"app-.._.kibana__"#), "{first}");
    assert!(
        !first["{\"index\":{\"_index\":\"".len()..]
            .split('"')
            .next()
            .unwrap()
            .contains(['*', '/', ',', '#', ' '])
    );
    let long = format!(r#"{{"who":"{}"}}"#, "x".repeat(5000));
    output(&server, given).take(Arc::new(rows("t", &[&long])), origin()).unwrap();
    assert!(body(&server.next()).remove(0).len() < 300);
    let chosen: &[(&str, &[&str])] = &[("target_index_key", &["to"]), ("allowed_indices", &["app-", "web-"])];
    let records = [r#"{"to":"WEB-1","n":1}"#, r#"{"to":".security","n":2}"#, r#"{"n":3}"#];
    let taken = output(&server, chosen).take(Arc::new(rows("t", &records)), origin());
    assert!(
        matches!(&taken, Err(OutputError::RefusedRows { rows, reason }) if *rows == [1] && reason.contains("allowed")),
        "{taken:?}"
    );
    assert_eq!(
        without_ids(&body(&server.next())),
        [r#"{"index":{"_index":"web-1"}}"#, r#"{"n":1}"#, r#"{"index":{"_index":"sawlog"}}"#, r#"{"n":3}"#]
    );
    let by_tag: &[(&str, &[&str])] = &[("index_name", &["${tag}"]), ("allowed_indices", &["app"])];
    output(&server, by_tag).take(batch(), origin()).unwrap();
    assert_eq!(without_ids(&body(&server.next()))[0], r#"{"index":{"_index":"app.web"}}"#);
}

#[test]
fn templates_are_there_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    let sys = Sys::real();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        sys.fs.open(&path, Open::New).unwrap().write_at(text.as_bytes(), 0).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (one, two) = (file("one", r#"{"index_patterns":["<<P>>-*"]}"#), file("two", "{}"));
    let answers = server(vec![
        Reply::new(503, "not yet"),
        Reply::new(404, ""),
        Reply::new(200, "{}"),
        Reply::new(200, ""),
    ]);
    let second = format!("second: {two}");
    let given: &[(&str, &[&str])] = &[
        ("template_name", &["first one"]),
        ("template_file", &[one.as_str()]),
        ("templates", &[second.as_str()]),
        ("customize_template", &["<<P>>: app"]),
    ];
    let output = output(&answers, given);
    assert!(matches!(output.take(batch(), origin()), Err(OutputError::Later(_))));
    output.take(batch(), origin()).unwrap();
    output.take(batch(), origin()).unwrap();
    let came: Vec<Came> = (0..6).map(|_| answers.next()).collect();
    let lines: Vec<&str> = came.iter().map(|came| came.0.trim_end_matches(" HTTP/1.1")).collect();
    let bulk = lines[5];
    assert!(bulk.starts_with("POST /_bulk"));
    assert_eq!(
        lines[..4],
        [
            "HEAD /_template/second",
            "HEAD /_template/second",
            "PUT /_template/second",
            "HEAD /_template/first%20one"
        ]
    );
    assert_eq!(came[2].2, b"{}");
    let overwrite: &[(&str, &[&str])] = &[
        ("templates", &[second.as_str()]),
        ("template_overwrite", &["true"]),
        ("use_legacy_template", &["false"]),
    ];
    let answers = server(vec![Reply::new(200, "{}")]);
    super::tests::output(&answers, overwrite).take(batch(), origin()).unwrap();
    assert!(answers.next().0.starts_with("PUT /_index_template/second"));
}

#[test]
fn the_next_node_is_asked_where_one_is_gone() {
    let server = server(Vec::new());
    let there = format!("http://{}/base/", server.address);
    let options = options_of(&PROTOCOL, &[("hosts", &["http://127.0.0.1:1", there.as_str()])]);
    let output = make(&options, &env(&server.runtime, Limits::default())).unwrap();
    output.take(batch(), origin()).unwrap();
    output.take(batch(), origin()).unwrap();
    assert!(server.next().0.starts_with("POST /base/_bulk"));
    let nobody = options_of(&PROTOCOL, &[("hosts", &["http://127.0.0.1:1"])]);
    let nobody = make(&nobody, &env(&server.runtime, Limits::default())).unwrap();
    assert!(matches!(nobody.take(batch(), origin()), Err(OutputError::Later(_))));
    nobody.take(Arc::default(), origin()).unwrap();
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "host es1\nport 9201\nscheme https\npath /p\nuser u\npassword w\nindex_name a.%Y\nlogstash_format true\n\
                logstash_prefix l\nlogstash_prefix_separator _\nlogstash_dateformat %Y\nutc_index false\ninclude_timestamp true\n\
                time_key t\ntime_key_exclude_timestamp true\ntime_precision 3\ninclude_tag_key true\ntag_key k\nid_key i\n\
                routing_key r\npipeline p\nremove_keys a,b\nwrite_operation create\ntemplate_name n\ntemplate_file f\n\
                templates {\"x\":\"y\"}\ntemplate_overwrite true\ncustomize_template {\"w\":\"z\"}\nuse_legacy_template false\n\
                custom_headers {\"A\":\"b\"}\nbulk_message_request_threshold 1m\ncompression_level best_speed\nrequest_timeout 5s\n\
                ssl_verify false\nca_file /ca\nclient_cert /c\nclient_key /k\nssl_version TLSv1_2\ntarget_index_key ti\n\
                allowed_indices a,b\ntype_name _doc\nreload_connections false\nreconnect_on_error true";
    let options = fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    for (name, is) in [
        ("hosts", "https://es1:9201/p"),
        ("user", "u"),
        ("password", "w"),
        ("index_name", "a.%Y"),
        ("logstash_format", "true"),
        ("logstash_prefix", "l"),
        ("logstash_prefix_separator", "_"),
        ("logstash_dateformat", "%Y"),
        ("utc_index", "false"),
        ("include_timestamp", "true"),
        ("time_key", "t"),
        ("time_key_exclude_timestamp", "true"),
        ("time_precision", "3"),
        ("include_tag_key", "true"),
        ("tag_key", "k"),
        ("id_key", "i"),
        ("routing_key", "r"),
        ("pipeline", "p"),
        ("remove_keys", "a|b"),
        ("write_operation", "create"),
        ("template_name", "n"),
        ("template_file", "f"),
        ("templates", "x: y"),
        ("template_overwrite", "true"),
        ("customize_template", "w: z"),
        ("use_legacy_template", "false"),
        ("custom_headers", "A: b"),
        ("bulk_message_request_threshold", "1MiB"),
        ("compression_level", "best_speed"),
        ("request_timeout", "5s"),
        ("tls_insecure", "true"),
        ("tls_ca", "/ca"),
        ("tls_cert", "/c"),
        ("tls_key", "/k"),
        ("tls_min_version", "1.2"),
        ("target_index_key", "ti"),
        ("allowed_indices", "a|b"),
    ] {
        assert_eq!(options.list(name).join("|"), is, "{name}");
    }
    let options =
        fluent(&PROTOCOL, "match", "hosts a:1,https://u:p@b:2/x,c\nbulk_message_request_threshold -1")
            .unwrap();
    assert_eq!(options.list("hosts"), ["http://a:1", "https://u:p@b:2/x", "http://c:9200"]);
    assert_eq!(options.text("index_name"), "fluentd");
    assert!(fluent(&PROTOCOL, "match", "enable_ilm true").is_err());
}

#[test]
fn what_cannot_be_is_refused() {
    let server = server(Vec::new());
    let refused = |given: &[(&str, &[&str])]| {
        let made = make(&options_of(&PROTOCOL, given), &env(&server.runtime, Limits::default()));
        made.err().expect("it cannot be").to_string()
    };
    assert!(refused(&[("hosts", &["ftp://x"])]).contains("http://"));
    assert!(refused(&[("hosts", &[])]).contains("name a node"));
    assert!(refused(&[("index_name", &["${tag}"])]).contains("allowed_indices"));
    assert!(refused(&[("target_index_key", &["x"])]).contains("allowed_indices"));
    assert!(
        refused(&[("logstash_format", &["true"]), ("logstash_prefix", &["${x}"])])
            .contains("allowed_indices")
    );
    assert!(refused(&[("write_operation", &["delete"])]).contains("upsert"));
    assert!(refused(&[("write_operation", &["update"])]).contains("id_key"));
    assert!(refused(&[("time_precision", &["10"])]).contains("9"));
    assert!(refused(&[("compression_level", &["x"])]).contains("best_speed"));
    assert!(refused(&[("template_name", &["x"])]).contains("together"));
    assert!(refused(&[("templates", &["x: /nowhere"])]).contains("/nowhere"));
    assert!(refused(&[("custom_headers", &["x"])]).contains("NAME: VALUE"));
}
