//! Lines and options in, records out.

use sawlog_model::time::rfc3339;
use sawlog_model::value::{Value, render};
use sawlog_model::{Batch, Limits, Marks};
use sawlog_pipeline::config::{Element, ElementReader, Pair};
use sawlog_pipeline::{Options, Protocol};

use super::super::{OPTIONS, Spec, from_fluent};
use crate::format::{More, Parser, Settings};
use crate::shared::record;

const PROTOCOL: Protocol = Protocol { name: "test", options: OPTIONS, ..Protocol::EMPTY };

fn options(given: &[(&str, &str)]) -> Options {
    let given: Vec<(String, Vec<String>)> =
        given.iter().map(|(name, value)| (format!("parse.{name}"), vec![(*value).to_owned()])).collect();
    let given: Vec<(&str, Vec<String>)> =
        given.iter().map(|(name, values)| (name.as_str(), values.clone())).collect();
    sawlog_pipeline::config::options(&PROTOCOL, &given).unwrap()
}

fn parse(given: &[(&str, &str)], bytes: &str) -> Batch {
    let spec = Spec::from_options(&options(given)).unwrap();
    parse_by(spec, bytes)
}

fn parse_by(spec: Spec, bytes: &str) -> Batch {
    // 2013-12-10T00:00:00Z.
    let settings =
        Settings { parse: Some(spec), reference: 1_386_633_600_000_000_000, ..Settings::default() };
    let mut parser = Parser::new(settings, Limits::default());
    let buffer = bytes::Bytes::copy_from_slice(bytes.as_bytes());
    let parsed = parser.parse(&buffer, 0, More::No);
    assert_eq!(parsed.consumed, bytes.len());
    let buffer = parsed.whole(buffer);
    Batch { buffer, rows: parsed.rows, slots: parsed.slots, names: parser.names(), ..Batch::default() }
}

/// Time and record of each row, as they go to Fluentd.
fn records(batch: &Batch) -> Vec<String> {
    let limits = Limits::default();
    let shown = |row: sawlog_model::RowRef<'_>| {
        let mut line = Vec::new();
        render(&Value::Map(record::entries(row, &limits)), &mut line);
        let mut packed = Vec::new();
        record::write_msgpack(row, &limits, &mut packed);
        let (value, _) = crate::shared::msgpack::value(&packed, &limits).unwrap();
        let mut again = Vec::new();
        render(&value, &mut again);
        assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&again));
        let marks = row.row().marks;
        let time = if marks.has(Marks::NO_TIME) { "-".to_owned() } else { rfc3339(row.row().time) };
        format!("{time} {}", String::from_utf8_lossy(&line))
    };
    batch.iter().map(shown).collect()
}

fn one(given: &[(&str, &str)], line: &str) -> String {
    records(&parse(given, line)).join(" | ")
}

#[test]
fn an_expression_gives_its_groups_without_the_time() {
    let spec = [
        ("type", "regexp"),
        (
            "expression",
            r#"/^(?<host>[^ ]*) \[(?<time>[^\]]*)\] (?<code>\d+)(?: (?<size>\d+))? (?<rest>.*)$/"#,
        ),
        ("time_format", "%d/%b/%Y:%H:%M:%S %z"),
    ];
    let line = "h [03/Dec/2013:16:29:19 +0700] 200 5 a b";
    assert_eq!(one(&spec, line), r#"2013-12-03T09:29:19Z {"host":"h","code":"200","size":"5","rest":"a b"}"#);
    let without = "h [03/Dec/2013:16:29:19 +0700] 200 a b\r\n";
    assert_eq!(one(&spec, without), r#"2013-12-03T09:29:19Z {"host":"h","code":"200","rest":"a b"}"#);
    let kept = [&spec[..], &[("keep_time_key", "true"), ("types", "code:integer")]].concat();
    let wanted = r#"2013-12-03T09:29:19Z {"host":"h","time":"03/Dec/2013:16:29:19 +0700","code":200,"size":"5","rest":"a b"}"#;
    assert_eq!(one(&kept, line), wanted);
    let batch = parse(&spec, line);
    assert_eq!(batch.row(0).raw(), line.as_bytes(), "the line stays whole");
}

#[test]
fn python_s_groups_and_escapes_and_searches_from_anywhere() {
    let spec =
        [("type", "regexp"), ("expression", r#"(?P<path>[^\"]*?) \"(?P<agent>[^\"]*)\""#), ("time_key", "t")];
    assert_eq!(one(&spec, r#"GET /a "cur l" x"#), r#"- {"path":"GET /a","agent":"cur l"}"#);
    let nested = [("type", "regexp"), ("expression", "x(?<all>(?<a>[0-9]+)-(?<b>[0-9]+))")];
    assert_eq!(one(&nested, "wx1-22 "), r#"- {"a":"1","b":"22","all":"1-22"}"#);
    let flags = [("type", "regexp"), ("expression", "/LEVEL=(?<level> \\w+ ) # a word/ix")];
    assert_eq!(one(&flags, "a level=warn"), r#"- {"level":"warn"}"#);
}

#[test]
fn another_time_key_and_times_that_are_none() {
    let spec = [
        ("type", "regexp"),
        ("expression", "^(?<at>[^ ]*) (?<time>.*)$"),
        ("time_key", "at"),
        ("time_type", "unixtime"),
    ];
    assert_eq!(one(&spec, "1386088159 x"), r#"2013-12-03T16:29:19Z {"time":"x"}"#);
    let batch = parse(&spec, "soon x\n");
    assert!(batch.rows[0].marks.has(Marks::UNPARSED));
    assert_eq!(one(&spec, "soon x\n"), r#"- {"message":"soon x"}"#);
    let strict = [("type", "regexp"), ("expression", "^(?<a>.*)$"), ("estimate_current_event", "false")];
    assert!(parse(&strict, "x\n").rows[0].marks.has(Marks::UNPARSED), "no time, and none is to be made up");
}

#[test]
fn lines_that_do_not_match() {
    let with = |unmatched| [("type", "regexp"), ("expression", "^a(?<x>.)$"), ("unmatched", unmatched)];
    assert_eq!(one(&with("keep"), "ab\nno\n"), r#"- {"x":"b"} | - {"message":"no"}"#);
    assert_eq!(one(&with("emit"), "ab\nno\n"), r#"- {"x":"b"} | - {"unmatched_line":"no"}"#);
    assert_eq!(one(&with("drop"), "ab\nno\nac\n"), r#"- {"x":"b"} | - {"x":"c"}"#);
    let settings =
        Settings { parse: Some(Spec::from_options(&options(&with("drop"))).unwrap()), ..Settings::default() };
    let parsed = Parser::new(settings, Limits::default()).parse(&"ab\nno\nac\nnot\n".into(), 0, More::No);
    assert_eq!((parsed.dropped, parsed.consumed), ((2, Some(9..12)), 13));
}

#[test]
fn types_and_nulls() {
    let spec = [
        ("type", "ltsv"),
        (
            "types",
            "a:integer,b:float,c:bool,d:array:|,e:time:%Y-%m-%d,f:string,g:array,h:time:+09:00:%Y-%m-%d",
        ),
        ("null_value_pattern", "^-$"),
        ("null_empty_string", "true"),
    ];
    for (line, record) in [
        ("a:12\tb:1.5\tc:true\tf:7", r#"{"a":12,"b":1.5,"c":true,"f":"7"}"#),
        ("a:12ab\tb:3\tc:Yes", r#"{"a":12,"b":3.0,"c":true}"#),
        ("a:007\tb:x\tc:no", r#"{"a":7,"b":0.0,"c":false}"#),
        ("a:x\tb:2.5s", r#"{"a":0,"b":2.5}"#),
        ("a: -5\tb:.5", r#"{"a":-5,"b":0.5}"#),
        ("a:1_000", r#"{"a":1000}"#),
        ("a:-\tb:\tz:-", r#"{"a":null,"b":null,"z":null}"#),
        ("d:x|y||\tg:1,2", r#"{"d":["x","y"],"g":["1","2"]}"#),
        (
            "e:2013-12-03\th:2013-12-03",
            r#"{"e":{"$time":"1386028800000000000"},"h":{"$time":"1385996400000000000"}}"#,
        ),
        ("e:x", r#"{"e":null}"#),
    ] {
        assert_eq!(one(&spec, line), format!("- {record}"), "{line:?}");
    }
    let json = [("type", "json"), ("types", r#"{"a":"integer","b":"string"}"#)];
    assert_eq!(one(&json, r#"{"a":"12","b":5,"c":"x"}"#), r#"- {"a":12,"b":"5","c":"x"}"#);
}

#[test]
fn json_lines_without_their_time() {
    assert_eq!(
        one(&[("type", "json")], r#"{"time":1386088159.25,"a":{"time":1}}"#),
        r#"2013-12-03T16:29:19.250Z {"a":{"time":1}}"#
    );
    let spec = [("type", "json"), ("time_key", "at"), ("time_format", "%d/%b/%Y:%H:%M:%S %z")];
    let line = r#"{"at":"03\/Dec\/2013:16:29:19 +0700","time":"x","b":[1]}"#;
    assert_eq!(one(&spec, line), r#"2013-12-03T09:29:19Z {"time":"x","b":[1]}"#);
    let kept = [&spec[..], &[("keep_time_key", "true")]].concat();
    let wanted = r#"2013-12-03T09:29:19Z {"at":"03/Dec/2013:16:29:19 +0700","time":"x","b":[1]}"#;
    assert_eq!(one(&kept, line), wanted);
    assert_eq!(
        one(&[("type", "json")], r#"{"timestamp":"2013-12-03T16:29:19Z"}"#),
        r#"- {"timestamp":"2013-12-03T16:29:19Z"}"#
    );
    assert!(parse(&spec, "[1]").rows[0].marks.has(Marks::UNPARSED));
}

#[test]
fn web_servers() {
    let line =
        r#"127.0.0.1 - frank [03/Dec/2013:16:29:19 +0700] "GET /a?b=c HTTP/1.1" 200 777 "-" "Mozilla""#;
    let fields = r#""remote":"127.0.0.1","host":"-","user":"frank","method":"GET","path":"/a?b=c","code":"200","size":"777""#;
    let rest = r#","referer":"-","agent":"Mozilla"}"#;
    assert_eq!(one(&[("type", "nginx")], line), format!("2013-12-03T09:29:19Z {{{fields}{rest}"));
    let short = line.replace(r#" "-" "Mozilla""#, "");
    assert_eq!(one(&[("type", "nginx")], &short), format!("2013-12-03T09:29:19Z {{{fields}}}"));
    let long = format!("{line} \"10.0.0.1\"");
    let more = r#","referer":"-","agent":"Mozilla","http_x_forwarded_for":"10.0.0.1"}"#;
    assert_eq!(one(&[("type", "nginx")], &long), format!("2013-12-03T09:29:19Z {{{fields}{more}"));
    let apache = r#"192.168.0.1 - - [28/Feb/2013:12:00:00 +0900] "GET / HTTP/1.1" 200 - "-" "a \"b\" c""#;
    let wanted = r#"2013-02-28T03:00:00Z {"host":"192.168.0.1","user":null,"method":"GET","path":"/","code":200,"size":null,"referer":null,"agent":"a \\\"b\\\" c"}"#;
    assert_eq!(one(&[("type", "apache2")], apache), wanted);
    let bare = r#"1.1.1.1 - u [28/Feb/2013:12:00:00 +0900] "GET" 0 7"#;
    let wanted = r#"2013-02-28T03:00:00Z {"host":"1.1.1.1","user":"u","method":"GET","path":null,"code":null,"size":7,"referer":null,"agent":null}"#;
    assert_eq!(one(&[("type", "apache2")], bare), wanted);
    let error = "[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] client denied by server configuration";
    let wanted = r#"2000-10-11T14:32:52Z {"level":"error","client":"127.0.0.1","message":"client denied by server configuration"}"#;
    assert_eq!(one(&[("type", "apache_error"), ("time_format", "%b %d %H:%M:%S %Y")], error), wanted);
}

#[test]
fn syslog_of_both_kinds() {
    let old = "Feb 28 12:00:00 192.168.0.1 fluentd[11111]: [error] Syslog test";
    let wanted = r#"2013-02-28T12:00:00Z {"host":"192.168.0.1","ident":"fluentd","pid":"11111","message":"[error] Syslog test"}"#;
    assert_eq!(one(&[("type", "syslog")], old), wanted);
    let with = [("type", "syslog"), ("with_priority", "true"), ("message_format", "auto")];
    let wanted = wanted.replace('{', r#"{"pri":6,"#);
    assert_eq!(one(&with, &format!("<6>{old}")), wanted);
    let new = r#"<16>1 2013-02-28T12:00:00.003Z 192.168.0.1 fluentd 11111 ID24224 [e@20224 class="high]"][x] Hi, [from]"#;
    let wanted = r#"2013-02-28T12:00:00.003Z {"pri":16,"host":"192.168.0.1","ident":"fluentd","pid":"11111","msgid":"ID24224","extradata":"[e@20224 class=\"high]\"][x]","message":"Hi, [from]"}"#;
    assert_eq!(one(&with, new), wanted);
    let plain = [("type", "syslog"), ("message_format", "rfc5424")];
    let line = "2013-02-28T12:00:00+09:00 h app - - - text";
    let wanted = r#"2013-02-28T03:00:00Z {"host":"h","ident":"app","pid":"-","msgid":"-","extradata":"-","message":"text"}"#;
    assert_eq!(one(&plain, line), wanted);
}

#[test]
fn separated_values() {
    let csv = [("type", "csv"), ("keys", "time,host,b,c"), ("time_key", "time")];
    let line = r#"2013/02/28 12:00:00,192.168.0.1,,"x, ""y""""#;
    assert_eq!(one(&csv, line), r#"2013-02-28T12:00:00Z {"host":"192.168.0.1","b":null,"c":"x, \"y\""}"#);
    assert_eq!(one(&[("type", "csv"), ("keys", "a,b,c")], "1,\"\""), r#"- {"a":"1","b":"","c":null}"#);
    assert_eq!(one(&[("type", "csv"), ("keys", "a")], "1,2,3"), r#"- {"a":"1"}"#);
    assert_eq!(one(&[("type", "csv"), ("keys", "a,b"), ("delimiter", ";")], "1;2"), r#"- {"a":"1","b":"2"}"#);
    assert!(parse(&[("type", "csv"), ("keys", "a,b")], "1,x\"y").rows[0].marks.has(Marks::UNPARSED));
    assert_eq!(one(&[("type", "tsv"), ("keys", "a,b,c")], "1\t\tx\ty"), r#"- {"a":"1","b":"","c":"x\ty"}"#);
    assert_eq!(one(&[("type", "tsv"), ("keys", "a,b")], "1"), r#"- {"a":"1","b":null}"#);
    let ltsv = [("type", "ltsv"), ("delimiter_pattern", r"/\s+/"), ("label_delimiter", "=")];
    assert_eq!(one(&ltsv, "a=1  b=x=y c a=2"), r#"- {"b":"x=y","a":"2"}"#);
    assert_eq!(one(&[("type", "ltsv")], "time:2013-02-28 12:00:00\tx:"), r#"2013-02-28T12:00:00Z {"x":""}"#);
}

#[test]
fn texts_that_are_one_field_and_pairs() {
    assert_eq!(one(&[("type", "none")], "a b\r\n"), r#"- {"message":"a b"}"#);
    assert_eq!(one(&[("type", "none"), ("message_key", "log")], "a b"), r#"- {"log":"a b"}"#);
    let line = "time=2013-02-28T12:00:00Z level=info msg=\"a b\"";
    assert_eq!(one(&[("type", "logfmt")], line), r#"2013-02-28T12:00:00Z {"level":"info","msg":"a b"}"#);
}

#[test]
fn texts_of_several_lines() {
    let spec = [
        ("type", "multiline"),
        ("format_firstline", r"/^\d{4}-/"),
        ("expression", r"/^(?<time>\d{4}-\d\d-\d\d) (?<level>\w+) (?<message>.*)/m"),
        ("time_format", "%Y-%m-%d"),
        ("unmatched", "drop"),
    ];
    let text = "lost\n2013-12-03 INFO a\n b\r\n\n2013-12-04 WARN c\n";
    let wanted = r#"2013-12-03T00:00:00Z {"level":"INFO","message":"a\n b\r\n"} | 2013-12-04T00:00:00Z {"level":"WARN","message":"c"}"#;
    assert_eq!(one(&spec, text), wanted);
    let until = [("type", "multiline"), ("expression", r"/^begin\n(?<x>.*)\nend$/m")];
    assert_eq!(one(&until, "begin\na\nend\nbegin\nb\nend\n"), r#"- {"x":"a"} | - {"x":"b"}"#);
    let settings =
        Settings { parse: Some(Spec::from_options(&options(&spec)).unwrap()), ..Settings::default() };
    let mut parser = Parser::new(settings, Limits::default());
    let buffer = bytes::Bytes::from("2013-12-03 INFO a\n b\n2013-12-04 WARN c\n");
    let held = parser.parse(&buffer, 0, More::Yes);
    assert_eq!((held.rows.len(), held.consumed), (1, 21), "the last one may go on");
    let rest = parser.parse(&buffer.slice(21..), 21, More::Pause);
    assert_eq!((rest.rows.len(), rest.rows[0].offset), (1, 21));
}

#[test]
fn lines_that_belong_together_by_what_they_look_like() {
    let before = [("type", "none"), ("join_before", r"^\s")];
    assert_eq!(one(&before, "a\n b\n\tc\nd\n"), r#"- {"message":"a\n b\n\tc"} | - {"message":"d"}"#);
    assert_eq!(one(&before, " lost\n b\nd"), r#"- {"message":" lost\n b"} | - {"message":"d"}"#);
    let after = [("type", "none"), ("join_after", r"\\$")];
    assert_eq!(one(&after, "a\\\nb\nc\n"), r#"- {"message":"a\\\nb"} | - {"message":"c"}"#);
    let error = Spec::from_options(&options(&[("type", "none"), ("join_after", "(")])).unwrap_err().0;
    assert!(error.contains("`parse.join_after`"), "{error}");
}

#[test]
fn packed_maps() {
    let spec =
        Spec::from_options(&options(&[("type", "msgpack"), ("time_key", "t"), ("time_type", "unixtime")]))
            .unwrap();
    assert!(!spec.reads_lines());
    let mut reader = spec.reader(None, 0, Limits::default()).unwrap();
    let (mut slots, mut made) = (Vec::new(), Vec::new());
    let packed = b"\x83\xa1t\xa4 100\xa1a\x05\xa1b\xa1x";
    let text = reader.read(packed, 0, 100, &mut slots, &mut made).unwrap();
    assert_eq!(text.time, Some(100_000_000_000));
    let shown: Vec<(&str, &[u8])> = slots
        .iter()
        .map(|slot| {
            (&**reader.names().name(slot.name), &made[slot.start as usize - 100..][..slot.len as usize])
        })
        .collect();
    assert_eq!(shown, [("t", &b" 100"[..]), ("a", b"5"), ("b", b"x")]);
    assert!(reader.read(b"\x05", 0, 1, &mut slots, &mut made).is_none());
    assert_eq!(slots.len(), 3);
}

#[test]
fn wrong_options_are_told_by_their_names() {
    for (given, words) in [
        (&[("type", "nginxx")][..], "did you mean `nginx`"),
        (&[("type", "regexp")], "`parse.expression`: is missing"),
        (&[("type", "regexp"), ("expression", "(a")], "unclosed group"),
        (&[("type", "regexp"), ("expression", "(a)")], "no named group"),
        (&[("type", "regexp"), ("expression", "(?<a>x)(?<a>y)")], "`parse.expression`"),
        (&[("type", "regexp"), ("expression", "(?<a>x)(?=y)")], "looking ahead"),
        (&[("type", "json"), ("time_format", "%Y%q")], "`parse.time_format`"),
        (&[("type", "json"), ("time_type", "x")], "`parse.time_type`"),
        (&[("type", "json"), ("timezone", "Mars/City")], "`parse.timezone`"),
        (&[("type", "json"), ("types", "a:int")], "write name:type"),
        (&[("type", "json"), ("null_value_pattern", "(")], "`parse.null_value_pattern`"),
        (&[("type", "csv")], "`parse.keys`"),
        (&[("type", "multiline")], "format1"),
        (&[("type", "syslog"), ("message_format", "x")], "`parse.message_format`"),
        (&[("type", "json"), ("unmatched", "x")], "`parse.unmatched`"),
        (&[("expression", "(?<a>x)")], "without `parse.type`"),
    ] {
        let error = Spec::from_options(&options(given)).unwrap_err().0;
        assert!(error.contains(words), "{error}");
    }
    assert!(Spec::from_options(&options(&[])).unwrap().is_auto());
}

fn element(name: &str, pairs: &[(&str, &str)], children: Vec<Element>) -> Element {
    let pair = |(number, (key, value)): (usize, &(&str, &str))| Pair {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        line: number + 2,
        ..Pair::default()
    };
    let pairs = pairs.iter().enumerate().map(pair).collect();
    Element { name: name.to_owned(), pairs, children, line: 1, ..Element::default() }
}

/// The parser of an element, with what was found wrong and noted.
fn fluent(element: &Element) -> (Options, Vec<String>) {
    let mut findings = Vec::new();
    let mut reader = ElementReader::new(element, &mut findings);
    let given = from_fluent(&mut reader);
    reader.finish();
    let found = findings.iter().map(|finding| format!("{} {}", finding.line, finding.message)).collect();
    (sawlog_pipeline::config::options(&PROTOCOL, &given).unwrap(), found)
}

#[test]
fn sections_and_flat_options_of_fluentd() {
    let line = r#"h - f [03/Dec/2013:16:29:19 +0000] "GET / HTTP/1.1" 200 7"#;
    for source in [
        element(
            "source",
            &[],
            vec![element("parse", &[("@type", "nginx"), ("types", "size:integer")], vec![])],
        ),
        element("source", &[("format", "nginx"), ("types", "size:integer")], vec![]),
    ] {
        let (options, found) = fluent(&source);
        assert!(found.is_empty(), "{found:?}");
        let batch = parse_by(Spec::from_options(&options).unwrap(), line);
        assert!(records(&batch)[0].ends_with(r#""code":"200","size":7}"#), "{:?}", records(&batch));
    }
    let flat = element(
        "source",
        &[("format", "/^(?<time>[^ ]*) (?<x>.*)$/"), ("time_format", "%s"), ("utc", "true")],
        vec![],
    );
    let (options, found) = fluent(&flat);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((options.text("parse.timezone"), options.text("parse.unmatched")), ("UTC", "drop"));
    let batch = parse_by(Spec::from_options(&options).unwrap(), "1386088159 y\nno\n");
    assert_eq!(records(&batch), [r#"2013-12-03T16:29:19Z {"x":"y"}"#]);
    let lines = [
        ("@type", "multiline"),
        ("format_firstline", "/^a/"),
        ("format1", "/^a(?<x>.*)\\n/"),
        ("format2", "/b(?<y>.*)/"),
    ];
    let (options, found) = fluent(&element("source", &[], vec![element("parse", &lines, vec![])]));
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(
        records(&parse_by(Spec::from_options(&options).unwrap(), "a1\nb2\n")),
        [r#"- {"x":"1","y":"2"}"#]
    );
    let (options, _) =
        fluent(&element("source", &[("format", "csv"), ("keys", "a,b"), ("localtime", "true")], vec![]));
    assert_eq!((options.list("parse.keys").len(), options.text("parse.timezone")), (2, "local"));
}

#[test]
fn what_is_wrong_in_a_section_is_told_where_it_stands() {
    let parse = element(
        "parse",
        &[("@type", "regexp"), ("expression", "(a"), ("timeout", "5"), ("tims", "x")],
        vec![],
    );
    let (_, found) = fluent(&element("source", &[], vec![parse]));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("4 `timeout` has no effect"), "{found:?}");
    assert!(found[1].starts_with("3 `expression`"), "{found:?}");
    assert!(found[2].starts_with("5 <parse> has no option `tims`"), "{found:?}");
    let (_, found) = fluent(&element("source", &[], vec![element("parse", &[("@type", "grok")], vec![])]));
    assert!(found[0].starts_with("2 `@type`: there is no parser `grok`"), "{found:?}");
}

#[test]
fn times_may_be_in_one_of_several_forms() {
    let mixed = [
        ("type", "json"),
        ("time_type", "mixed"),
        ("time_format", "%d/%b/%Y %H:%M:%S"),
        ("time_format_fallbacks", "unixtime"),
        ("timezone", "+09:00"),
    ];
    let lines = "{\"time\":\"03/Dec/2013 16:29:19\",\"a\":1}\n{\"time\":1386088159,\"a\":2}\n";
    assert_eq!(one(&mixed, lines), r#"2013-12-03T07:29:19Z {"a":1} | 2013-12-03T16:29:19Z {"a":2}"#);
    let syslog = [
        ("type", "syslog"),
        ("message_format", "rfc5424"),
        ("with_priority", "true"),
        ("rfc5424_time_format", "%Y-%m-%d_%H:%M:%S"),
        ("timezone", "UTC"),
    ];
    let told = one(&syslog, "<16>1 2013-12-03_16:29:19 h app 1 ID - text\n");
    assert!(told.starts_with("2013-12-03T16:29:19Z {\"pri\":16,\"host\":\"h\""), "{told}");
}
