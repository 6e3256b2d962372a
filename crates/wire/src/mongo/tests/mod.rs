//! Insertions as a server gets them, what its answers mean for each row, names of collections, who asks and whom, and what Fluentd's
//! form means.

mod deployment;
mod options;

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sawlog_model::{SourceId, value};
use sawlog_pipeline::{Lsn, Origin};

use self::deployment::{Came, Deployment, failed, fine, map, told};
use super::bson::Keys;
use super::*;
use crate::shared::hmac::{hmac, stretched};
use crate::shared::tls;
use crate::testing::{env, lines, options_of, rows};

/// A server that answers insertions with these, then as if all were well.
fn server(answers: Vec<Option<Value>>) -> Deployment {
    let answers = Mutex::new(VecDeque::from(answers));
    Deployment::start(move |came| match came.name() {
        "hello" => None,
        _ => answers.lock().unwrap().pop_front().unwrap_or_else(|| Some(fine())),
    })
}

/// Options beside those that each output needs.
type Given<'a> = &'a [(&'a str, &'a [&'a str])];

fn output(server: &Deployment, given: Given<'_>) -> Box<dyn Output> {
    let to: [(&str, &[&str]); 3] =
        [("hosts", &[&server.address]), ("database", &["logs"]), ("collection", &["web"])];
    let options = options_of(&PROTOCOL, &[&to[..], given].concat());
    make(&options, &env(&server.runtime, Limits::default())).unwrap_or_else(|error| panic!("{error}"))
}

fn origin() -> Origin {
    Origin::Journal { at: Lsn(1), next: Lsn(2), position: None }
}

fn batch() -> Arc<Batch> {
    Arc::new(rows("app.web", &[r#"{"n":1}"#, r#"{"n":2}"#, r#"{"n":3}"#]))
}

/// The numbers in the documents of an insertion.
fn numbers(came: &Came) -> Vec<i64> {
    let number = |document: &Value| match document.get("n") {
        Some(Value::Int(number)) => *number,
        other => panic!("{other:?}"),
    };
    came.documents.iter().map(number).collect()
}

/// A document as text, without the time that it was given.
fn shown(document: &Value) -> String {
    let mut line = Vec::new();
    value::render(document, &mut line);
    String::from_utf8(line).unwrap()
}

const BARE: [(&str, &[&str]); 2] = [("include_time_key", &["false"]), ("id_of_address", &["false"])];

#[test]
fn a_batch_is_an_insertion_with_ids_that_stay() {
    let server = server(Vec::new());
    let output = output(&server, &[]);
    output.take(batch(), origin()).unwrap();
    let came = server.next();
    assert_eq!((came.name(), came.text("insert"), came.text("$db")), ("insert", "web", "logs"));
    assert_eq!(came.command.get("ordered"), Some(&Value::Bool(false)));
    assert_eq!(came.command.get("writeConcern"), Some(&map([("j", Value::Bool(true))])));
    assert_eq!(numbers(&came), [1, 2, 3]);
    assert_eq!(came.documents[1].get("time"), Some(&Value::Time(1_511_836_993_814_000_000)));
    let ids = |came: &Came| -> Vec<Value> {
        came.documents.iter().map(|document| document.get("_id").unwrap().clone()).collect()
    };
    let first = ids(&came);
    assert_eq!((output.cursor(), output.keeps_positions()), (Lsn(2), false));
    // The same rows have the same ids, others and those of another output have others.
    output.take(batch(), origin()).unwrap();
    assert_eq!(ids(&server.next()), first);
    let mut other = Batch::clone(&batch());
    Arc::make_mut(&mut other.source).id = SourceId(9);
    output.take(Arc::new(other), origin()).unwrap();
    assert_ne!(ids(&server.next()), first);
    assert_ne!(first[0], first[1]);
    let to = [("hosts", &[server.address.as_str()][..]), ("database", &["logs"]), ("collection", &["web"])];
    let named = env(&server.runtime, Limits::default()).named("other");
    make(&options_of(&PROTOCOL, &to), &named).unwrap().take(batch(), origin()).unwrap();
    assert_ne!(ids(&server.next()), first);
    // UUIDs of a layout of ours.
    let Value::Bin(id) = &first[0] else { panic!("{first:?}") };
    assert_eq!((id.len(), id[6] >> 4, id[8] >> 6), (16, 8, 2));
}

#[test]
fn values_keep_their_types() {
    let server = server(Vec::new());
    let record = concat!(
        r#"{"i":-5,"u":18446744073709551615,"f":1.5,"g":{"$f32":0.5},"t":true,"z":null,"s":"é\u0000x","#,
        r#""b":{"$bin":"/wA="},"d":{"$time":"1441588984250123456"},"e":{"$ext":[-2,"AQI="]},"l":[1,[],{"k":"v"}],"#,
        r#""m":{"$map":[[1,"x"]]},"i":7}"#
    );
    output(&server, &BARE).take(Arc::new(rows("a", &[record])), origin()).unwrap();
    let mut wanted = Vec::new();
    let decimal = (u128::from(u64::MAX) | (0x3040 << 112)).to_le_bytes();
    let text = |text: &str| Value::Str(text.to_owned());
    wanted.push(("u", Value::Bin(decimal.to_vec())));
    wanted.push(("f", Value::Float(1.5)));
    wanted.push(("g", Value::Float(0.5)));
    wanted.push(("t", Value::Bool(true)));
    wanted.push(("z", Value::Nil));
    wanted.push(("s", text("é\0x")));
    wanted.push(("b", Value::Bin(vec![255, 0])));
    wanted.push(("d", Value::Time(1_441_588_984_250_000_000)));
    wanted.push(("e", Value::Bin(vec![254, 1, 2])));
    wanted.push(("l", Value::List(vec![Value::Int(1), Value::List(vec![]), map([("k", text("v"))])])));
    wanted.push(("m", map([("1", text("x"))])));
    wanted.push(("i", Value::Int(7)));
    let wanted = wanted.into_iter().map(|(key, value)| (text(key), value)).collect();
    assert_eq!(server.next().documents, [Value::Map(wanted)]);
    // Lines in which nothing was found.
    output(&server, &BARE).take(Arc::new(lines("a", &["a line"])), origin()).unwrap();
    assert_eq!(shown(&server.next().documents[0]), r#"{"message":"a line"}"#);
}

#[test]
fn the_bytes_are_as_bson_has_them() {
    // {"a": {"b": [true, 5]}} by the specification.
    let inner = map([("b", Value::List(vec![Value::Bool(true), Value::Int(5)]))]);
    let mut out = Vec::new();
    let entries = [(Value::Str("a".to_owned()), inner)];
    bson::write(None, &entries, &Keys::default(), &mut out).unwrap();
    let list = b"\x14\0\0\0\x080\0\x01\x121\0\x05\0\0\0\0\0\0\0\0";
    let inner = [b"\x1c\0\0\0\x04b\0", &list[..], b"\0"].concat();
    assert_eq!(out, [b"\x24\0\0\0\x03a\0", &inner[..], b"\0"].concat());
    for broken in [&out[..out.len() - 1], &out[1..], b"", b"\x05\0\0\0\x01", b"\xff\xff\xff\xff\0"] {
        assert!(bson::read(broken).is_err(), "{broken:?}");
    }
}

#[test]
fn keys_dates_and_what_is_put_in() {
    let server = server(Vec::new());
    let send = |given: &[(&str, &[&str])], record: &str| {
        output(&server, &[&BARE[1..], given].concat())
            .take(Arc::new(rows("app.web", &[record])), origin())
            .unwrap();
        shown(&server.next().documents[0])
    };
    let bare = BARE[0];
    let record = r#"{"a.b":{"$c.d":[{"$e":1}]},"a_b":2}"#;
    assert_eq!(send(&[bare], record), record);
    assert_eq!(send(&[bare, ("replace_dot_in_key_with", &["_"])], record), r#"{"a_b":2}"#);
    assert_eq!(
        send(&[bare, ("replace_dollar_in_key_with", &["S"])], record),
        r#"{"a.b":{"Sc.d":[{"Se":1}]},"a_b":2}"#
    );
    let time = r#"{"$time":"1511836993814000000"}"#;
    assert_eq!(send(&[("time_key", &["at"])], r#"{"at":5}"#), format!(r#"{{"at":{time}}}"#));
    assert_eq!(
        send(
            &[
                bare,
                ("include_tag_key", &["true"]),
                ("tag_key", &["of"]),
                ("hostname_key", &["h"]),
                ("hostname", &["web1"])
            ],
            "{}"
        ),
        r#"{"h":"web1","of":"app.web"}"#
    );
    let dates = [bare, ("date_keys", &["a", "$.m.b", "c", "d", "e", "none"])];
    let record =
        r#"{"a":1511836993,"m":{"b":1511836993814},"c":"2017-11-28T02:43:13.814Z","d":"1511836993","e":"x"}"#;
    let second = r#"{"$time":"1511836993000000000"}"#;
    assert_eq!(
        send(&dates, record),
        format!(r#"{{"a":{second},"m":{{"b":{time}}},"c":{time},"d":null,"e":null}}"#)
    );
    let numbers = [dates[0], dates[1], ("parse_string_number_date", &["true"])];
    assert_eq!(
        send(&numbers, r#"{"d":"1511836993","a":1511836993.814}"#),
        format!(r#"{{"d":{second},"a":{time}}}"#)
    );
}

#[test]
fn each_document_has_its_own_fate() {
    let server = server(vec![
        Some(told(&[(1, 112, "conflict"), (2, 121, "no such document")])),
        Some(told(&[(0, 11000, "E11000 duplicate key error index: _id_ dup key")])),
    ]);
    let output = output(&server, &[]);
    let later = output.take(batch(), origin());
    assert!(matches!(&later, Err(OutputError::Later(reason)) if reason == "112: conflict"), "{later:?}");
    assert_eq!(numbers(&server.next()), [1, 2, 3]);
    match output.take(batch(), origin()) {
        Err(OutputError::RefusedRows { reason, rows }) => {
            assert_eq!((reason.as_str(), rows), ("121: no such document", vec![2]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(numbers(&server.next()), [2], "what is there or refused is not sent again");
    assert_eq!(output.cursor(), Lsn(2));
}

#[test]
fn an_answer_that_is_lost_doubles_nothing() {
    let there =
        |index| (index, 11000, "E11000 duplicate key error collection: logs.web index: _id_ dup key: { … }");
    let server = server(vec![None, None, Some(told(&[there(0), there(1), there(2)]))]);
    let output = output(&server, &[]);
    // The first time over a new connection; the second over another, since none was kept.
    let cut = output.take(batch(), origin());
    assert!(matches!(&cut, Err(OutputError::Later(reason)) if reason.contains("closed")), "{cut:?}");
    assert!(output.take(batch(), origin()).is_err());
    output.take(batch(), origin()).unwrap();
    assert_eq!(output.cursor(), Lsn(2));
    // Over a connection that was kept and has ended meanwhile it is sent once more at once.
    let server = self::server(vec![Some(fine()), None]);
    let output = self::output(&server, &[]);
    (0..2).for_each(|_| output.take(batch(), origin()).unwrap());
    assert_eq!([server.next(), server.next(), server.next()].map(|came| numbers(&came).len()), [3, 3, 3]);
}

#[test]
fn another_document_of_an_id_or_of_an_index_of_the_users_is_a_dead_letter() {
    let own = Arc::new(rows("a", &[r#"{"_id":"mine","n":1}"#, r#"{"n":2}"#]));
    let pattern = |key| {
        map([
            ("keyPattern", map([(key, Value::Int(1))])),
            ("index", Value::Int(1)),
            ("code", Value::Int(11000)),
        ])
    };
    let by_pattern =
        |key| Some(map([("writeErrors", Value::List(vec![pattern(key)])), ("ok", Value::Int(1))]));
    let server = server(vec![
        Some(told(&[(0, 11000, "E11000 index: _id_ dup key"), (1, 11000, "E11000 index: _id_ dup key")])),
        by_pattern("n"),
        by_pattern("_id"),
        Some(told(&[(1, 11000, "E11000 index: n_1 dup key")])),
    ]);
    let output = output(&server, &[]);
    let refused = |rows: &[usize]| {
        let taken = output.take(own.clone(), origin());
        let told = match &taken {
            Ok(()) => &[][..],
            Err(OutputError::RefusedRows { rows, .. }) => rows,
            other => panic!("{other:?}"),
        };
        assert_eq!(told, rows, "{taken:?}");
    };
    [&[0][..], &[1], &[], &[1]].into_iter().for_each(refused);
    assert_eq!(server.next().documents[0].get("_id").and_then(Value::as_str), Some("mine"));
}

#[test]
fn answers_to_the_whole_insertion() {
    for (code, words) in [(13, "not allowed"), (2, "no journal"), (10107, "not primary"), (9001, "socket")] {
        let server = server(vec![Some(failed(code, words))]);
        let taken = output(&server, &[]).take(batch(), origin());
        let told = format!("{code} Name: {words}");
        assert!(matches!(&taken, Err(OutputError::Later(reason)) if *reason == told), "{taken:?}");
    }
    // Too few servers have it in time: it is there all the same, and sent again until it is sure.
    let concern = map([("code", Value::Int(64)), ("errmsg", Value::Str("waiting".to_owned()))]);
    let unsure = map([("n", Value::Int(3)), ("writeConcernError", concern), ("ok", Value::Int(1))]);
    let server = self::server(vec![Some(unsure)]);
    let output = output(&server, &[]);
    let taken = output.take(batch(), origin());
    assert!(matches!(&taken, Err(OutputError::Later(reason)) if reason == "64: waiting"), "{taken:?}");
    output.take(batch(), origin()).unwrap();
    // Nonsense is no answer.
    let server = self::server(vec![Some(told(&[(3, 121, "of none")]))]);
    assert!(matches!(self::output(&server, &[]).take(batch(), origin()), Err(OutputError::Later(_))));
}

#[test]
fn a_document_that_spoils_an_insertion_is_found() {
    let server = Deployment::start(|came| {
        let spoils = came.documents.iter().any(|document| document.get("n") == Some(&Value::Int(2)));
        Some(if spoils { failed(22, "no document") } else { fine() })
    });
    match output(&server, &[]).take(batch(), origin()) {
        Err(OutputError::RefusedRows { reason, rows }) => {
            assert_eq!((reason.as_str(), rows), ("22 Name: no document", vec![1]));
        }
        other => panic!("{other:?}"),
    }
    let sent: Vec<Vec<i64>> = (0..5).map(|_| numbers(&server.next())).collect();
    assert_eq!(sent, [&[1, 2, 3][..], &[1], &[2, 3], &[2], &[3]]);
}

#[test]
fn what_can_be_no_document_is_not_sent() {
    let server = server(Vec::new());
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let fits = format!("{{\"a\":{}{}}}", "[".repeat(99), "]".repeat(99));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(document::DOCUMENT_MOST));
    let batch = Arc::new(rows("a", &[&deep, &fits, r#"{"a\u0000b":1}"#, &long, r#"{"n":5}"#]));
    match output(&server, &[]).take(batch, origin()) {
        Err(OutputError::RefusedRows { rows, .. }) => assert_eq!(rows, [0, 2, 3]),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.next().documents.len(), 2);
}

#[test]
fn names_of_collections() {
    let server = server(Vec::new());
    let go = |given: &[(&str, &[&str])], tag: &str, record: &str| {
        let taken = output(&server, given).take(Arc::new(rows(tag, &[record])), origin());
        taken.map(|()| {
            let came = server.next();
            format!("{}/{}", came.text("$db"), came.text("insert"))
        })
    };
    let mapped: [(&str, &[&str]); 2] = [("tag_mapped", &["true"]), ("remove_tag_prefix", &["app."])];
    assert_eq!(go(&mapped[..1], "app.web", "{}").unwrap(), "logs/app.web");
    assert_eq!(go(&mapped, "app.web", "{}").unwrap(), "logs/web");
    assert_eq!(go(&mapped, "app..", "{}").unwrap(), "logs/web", "the collection that is named");
    assert_eq!(go(&[("collection", &["${tag}"])], "..", "{}").unwrap(), "logs/untagged");
    let fields: [(&str, &[&str]); 3] = [
        ("database", &["of_${x}"]),
        ("collection", &["c.%Y%m%d.${tag[1]}"]),
        ("buffer.timekey_use_utc", &["true"]),
    ];
    assert_eq!(
        go(&fields, "app.web", r#"{"x":"admin.$cmd /a"}"#).unwrap(),
        "of_admin__cmd__a/c.20171128.web"
    );
    assert_eq!(go(&[("collection", &["a_${x}"])], "a", r#"{"x":"$x\u0000"}"#).unwrap(), "logs/a__x_");
    let refused: [(Given<'_>, &str, &str); 4] = [
        (&[("database", &["${x}"])], "a", r#"{"x":"admin"}"#),
        (&[("database", &["${x}"])], "a", "{}"),
        (&mapped[..1], "system.users", "{}"),
        (&[("collection", &["${x}${x}${x}"])], "a", &format!("{{\"x\":\"{}\"}}", "y".repeat(300))),
    ];
    for (given, tag, record) in refused {
        let taken = go(given, tag, record);
        assert!(
            matches!(&taken, Err(OutputError::Refused(reason)) if reason.contains("no name")),
            "{taken:?}"
        );
    }
    let both = Arc::new(rows("a", &[r#"{"x":"p"}"#, r#"{"x":"q"}"#, r#"{"x":"p"}"#]));
    output(&server, &[("collection", &["${x}"])]).take(both, origin()).unwrap();
    let mut came =
        [server.next(), server.next()].map(|came| (came.text("insert").to_owned(), came.documents.len()));
    came.sort();
    assert_eq!(came, [("p".to_owned(), 2), ("q".to_owned(), 1)]);
}

#[test]
fn collections_are_made_where_they_are_to_be_special() {
    let server = server(vec![Some(failed(48, "it is there"))]);
    let given: [(&str, &[&str]); 4] = [
        ("capped", &["true"]),
        ("capped_size", &["1MiB"]),
        ("capped_max", &["9"]),
        ("expire_after", &["1h"]),
    ];
    let output = output(&server, &given);
    (0..2).for_each(|_| output.take(batch(), origin()).unwrap());
    let came: Vec<Came> = (0..4).map(|_| server.next()).collect();
    assert_eq!(
        shown(&came[0].command),
        r#"{"create":"web","capped":true,"size":1048576,"max":9,"$db":"logs"}"#
    );
    assert_eq!(
        shown(&came[1].command),
        r#"{"createIndexes":"web","indexes":[{"key":{"time":1},"name":"time_1","expireAfterSeconds":3600}],"$db":"logs"}"#
    );
    assert_eq!([came[2].name(), came[3].name()], ["insert", "insert"]);
}

#[test]
fn the_server_that_takes_writes_is_found() {
    let primary = server(Vec::new());
    let to = primary.address.clone();
    let second = Deployment::start(move |_| {
        let to = Value::Str(to.clone());
        Some(map([("isWritablePrimary", Value::Bool(false)), ("primary", to), ("ok", Value::Int(1))]))
    });
    let away = "127.0.0.1:1";
    output(&primary, &[("hosts", &[away, &second.address])]).take(batch(), origin()).unwrap();
    assert_eq!(numbers(&primary.next()), [1, 2, 3]);
    let named = |name: &str| output(&primary, &[("replica_set", &[name])]).take(batch(), origin());
    named("rs0").unwrap();
    let other = named("rs1");
    assert!(matches!(&other, Err(OutputError::Later(reason)) if reason.contains("rs1")), "{other:?}");
    // A server of before 4.4 knows another word for the greeting.
    let old = Deployment::start(|came| {
        Some(if came.name() == "hello" { failed(59, "no such command") } else { fine() })
    });
    output(&old, &[]).take(batch(), origin()).unwrap();
    assert_eq!([old.next(), old.next()].map(|came| came.name().to_owned()), ["isMaster", "insert"]);
    let nobody = Deployment::start(|_| Some(map([("ismaster", Value::Bool(false)), ("ok", Value::Int(1))])));
    let taken = output(&nobody, &[]).take(batch(), origin());
    assert!(matches!(&taken, Err(OutputError::Later(reason)) if reason.contains("take writes")), "{taken:?}");
}

/// A server whose user `me` has the password `secret`, after RFC 5802 from the server's side.
fn guarded() -> Deployment {
    const SALT: &[u8] = b"a salt of theirs";
    let said = Mutex::new(String::new());
    Deployment::start(move |came| {
        let Some(Value::Bin(payload)) = came.command.get("payload") else { return Some(fine()) };
        let payload = String::from_utf8(payload.clone()).unwrap();
        let mut said = said.lock().unwrap();
        let says = |text: &str, done: bool| {
            Some(map([
                ("conversationId", Value::Int(4)),
                ("done", Value::Bool(done)),
                ("payload", Value::Bin(text.as_bytes().to_vec())),
                ("ok", Value::Int(1)),
            ]))
        };
        if came.name() == "saslStart" {
            let bare = payload.strip_prefix("n,,").unwrap();
            let nonce = bare.strip_prefix("n=me,r=").unwrap();
            let first = format!("r={nonce}theirs,s={},i=4096", STANDARD.encode(SALT));
            *said = format!("{bare},{first}");
            return says(&first, false);
        }
        assert_eq!(came.command.get("conversationId"), Some(&Value::Int(4)));
        let Some((without, proof)) = payload.split_once(",p=") else { return says("", true) };
        let all = format!("{said},{without}");
        let salted = stretched(b"secret", SALT, 4096);
        let key = hmac(&salted, b"Client Key");
        let stored: [u8; 32] =
            sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), key)).into();
        let mut found = hmac(&stored, all.as_bytes());
        found.iter_mut().zip(STANDARD.decode(proof).unwrap()).for_each(|(byte, proof)| *byte ^= proof);
        if found != key {
            return Some(failed(18, "Authentication failed."));
        }
        let server = hmac(&hmac(&salted, b"Server Key"), all.as_bytes());
        says(&format!("v={}", STANDARD.encode(server)), false)
    })
}

#[test]
fn who_asks_is_proved() {
    let server = guarded();
    let login = |password: &str, more: &[(&str, &[&str])]| {
        let given = [("user", &["me"][..]), ("password", &[password])];
        output(&server, &[&given[..], more].concat()).take(batch(), origin())
    };
    login("secret", &[]).unwrap();
    let came: Vec<Came> = (0..4).map(|_| server.next()).collect();
    let names: Vec<_> = came.iter().map(|came| (came.name(), came.text("$db"))).collect();
    assert_eq!(
        names,
        [("saslStart", "logs"), ("saslContinue", "logs"), ("saslContinue", "logs"), ("insert", "logs")]
    );
    assert_eq!(came[0].text("mechanism"), "SCRAM-SHA-256");
    login("secret", &[("auth_source", &["admin"])]).unwrap();
    assert_eq!(server.next().text("$db"), "admin");
    let wrong = login("wrong", &[]);
    let is_told =
        |reason: &str| reason.contains("18 Name: Authentication failed.") && !reason.contains("wrong");
    assert!(matches!(&wrong, Err(OutputError::Later(reason)) if is_told(reason)), "{wrong:?}");
    // One that takes any proof and knows no password.
    let liar = Deployment::start(|came| {
        let Some(Value::Bin(payload)) = came.command.get("payload") else { return Some(fine()) };
        let payload = String::from_utf8(payload.clone()).unwrap();
        let text = match payload.strip_prefix("n,,n=me,r=") {
            Some(nonce) => format!("r={nonce}x,s=c2FsdA==,i=4096"),
            None => "v=AAAA".to_owned(),
        };
        let payload = Value::Bin(text.into_bytes());
        Some(map([("payload", payload), ("done", Value::Bool(true)), ("ok", Value::Int(1))]))
    });
    let given = [("user", &["me"][..]), ("password", &["secret"])];
    let taken = output(&liar, &given).take(batch(), origin());
    assert!(matches!(&taken, Err(OutputError::Later(reason)) if reason.contains("another")), "{taken:?}");
}

#[test]
fn tls_goes_round_it() {
    let certificates = tls::tests::Certificates::new(&["localhost"]);
    let sys = sawlog_sys::Sys::real();
    let given =
        [("tls_cert", certificates.path("localhost.pem")), ("tls_key", certificates.path("localhost.key"))];
    let owned: Vec<_> = given.iter().map(|(name, path)| (*name, [path.as_str()])).collect();
    let listed: Vec<(&str, &[&str])> = owned.iter().map(|(name, path)| (*name, &path[..])).collect();
    let acceptor = tls::acceptor(&options_of(&PROTOCOL, &listed), &sys).unwrap().unwrap();
    let server = Deployment::over(
        |_| Some(fine()),
        move |stream| {
            let acceptor = acceptor.clone();
            async move { tls::accept(&acceptor, stream).await.ok() }
        },
    );
    let ca = certificates.path("ca.pem");
    let port = server.address.rsplit(':').next().unwrap();
    let string = format!("mongodb://localhost:{port}/logs?tls=true&tlsCAFile={ca}");
    output(&server, &[("connection_string", &[&string])]).take(batch(), origin()).unwrap();
    assert_eq!(numbers(&server.next()), [1, 2, 3]);
    let plain = output(&server, &[]).take(batch(), origin());
    assert!(matches!(plain, Err(OutputError::Later(_))), "{plain:?}");
}

/// Answers to the first message, as messages.
pub fn answer_seeds() -> Vec<Vec<u8>> {
    let all_types = map([
        ("f", Value::Float(-1.5)),
        ("t", Value::Time(1_511_836_993_814_000_000)),
        ("b", Value::Bin(vec![1, 2])),
        ("l", Value::List(vec![Value::Nil, Value::Bool(true), map([("u", Value::UInt(u64::MAX))])])),
    ]);
    let seed = |answer: Value| {
        let Value::Map(entries) = answer else { panic!("{answer:?}") };
        let entries: Vec<_> =
            entries.iter().map(|(key, value)| (key.as_str().unwrap(), value.clone())).collect();
        let mut message = Command::new(&entries, "x").message(1);
        message.copy_within(4..8, 8);
        message
    };
    [fine(), told(&[(0, 11000, "_id_"), (2, 121, "no")]), failed(13, "not allowed"), all_types]
        .map(seed)
        .to_vec()
}

#[test]
fn seeds_are_answers() {
    for seed in answer_seeds() {
        let mut left = &seed[..];
        let read = message::read(&mut left, 1, 1 << 10);
        let answer = sawlog_sys::task::runtime("test", 1).unwrap().block_on(read).unwrap();
        check_answer(&answer);
        assert!(left.is_empty());
    }
}
