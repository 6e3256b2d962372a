//! Formats, row by row, and all cuts of the bytes.

mod cuts;
mod golden;

use bytes::Bytes;
use sawlog_model::time::rfc3339;
use sawlog_model::{Batch, FieldValue, Fields, Limits, Marks};

use super::{More, Parser, Settings};

/// Now, for tests: 2023-11-14T22:13:20Z.
const NOW: i64 = 1_700_000_000_000_000_000;

fn settings() -> Settings {
    Settings { reference: NOW, fallback: NOW, ..Settings::default() }
}

/// All rows of a source whose bytes are these.
fn parse(settings: Settings, bytes: &[u8]) -> Batch {
    let mut parser = Parser::new(settings, Limits::default());
    let buffer = Bytes::copy_from_slice(bytes);
    let parsed = parser.parse(&buffer, 0, More::No);
    assert_eq!(parsed.consumed, bytes.len());
    Batch { buffer, names: parser.names(), rows: parsed.rows, slots: parsed.slots, ..Batch::default() }
}

/// The row as `time marks | name=value …`, `-` for a time that is not its own.
fn show(batch: &Batch, index: usize) -> String {
    let row = batch.row(index);
    let mut text = match row.row().marks.has(Marks::NO_TIME) {
        true => "-".to_owned(),
        false => rfc3339(row.row().time),
    };
    for (mark, letter) in [(Marks::CONTINUES, 'c'), (Marks::JSON, 'j'), (Marks::UNPARSED, 'u')] {
        if row.row().marks.has(mark) {
            text.push(' ');
            text.push(letter);
        }
    }
    text.push_str(" |");
    row.each_slot(&mut |name, value, printed| {
        assert!(printed);
        let shown = match &value {
            FieldValue::Text(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            FieldValue::Null => "null".to_owned(),
            other => String::from_utf8_lossy(other.text().unwrap_or(b"")).into_owned(),
        };
        text.push_str(&format!(" {name}={shown}"));
    });
    text
}

/// The only row of a line, in the format that is set.
fn one(format: &str, line: &str) -> String {
    assert!(super::format_names().any(|name| name == format), "{format}");
    let batch = parse(Settings { format: Some(format.to_owned()), ..settings() }, line.as_bytes());
    assert_eq!(batch.rows.len(), 1, "{line}");
    show(&batch, 0)
}

#[test]
fn json_values_become_slots() {
    for (line, shown) in [
        (
            r#"{"time":"2023-01-02T03:04:05.678Z","a":1,"b":{"c":"x\ny","d":[1,{"e":2}],"f":{}},"g":null,"h":true}"#,
            r#"2023-01-02T03:04:05.678Z j | time="2023-01-02T03:04:05.678Z" a=1 b.c="x\ny" b.d=[1,{"e":2}] b.f={} g=null h=true"#,
        ),
        (
            r#" { "ts" : 1521911720.600725 , "a.b" : -1.5e3 } "#,
            r#"2018-03-24T17:15:20.600725Z j | ts=1521911720.600725 a.b=-1.5e3"#,
        ),
        (r#"{"Timestamp":1671662142504}"#, r#"2022-12-21T22:35:42.504Z j | Timestamp=1671662142504"#),
        (
            r#"{"@timestamp":"2020-01-01T00:00:00Z","time":"2021-01-01T00:00:00Z"}"#,
            r#"2020-01-01T00:00:00Z j | @timestamp="2020-01-01T00:00:00Z" time="2021-01-01T00:00:00Z""#,
        ),
        (
            r#"{"time":0.5,"date":"2020-01-01 00:00:00 UTC"}"#,
            r#"2020-01-01T00:00:00Z j | time=0.5 date="2020-01-01 00:00:00 UTC""#,
        ),
        (r#"{"time":"1671662142504"}"#, r#"2022-12-21T22:35:42.504Z j | time="1671662142504""#),
        ("{}", "- j |"),
        (
            r#"{"Records":[{"a":{},"eventTime":"2023-07-10T11:42:24Z"}]}"#,
            r#"2023-07-10T11:42:24Z j | Records=[{"a":{},"eventTime":"2023-07-10T11:42:24Z"}]"#,
        ),
        (r#"{"a":"é\u00e9"}"#, r#"- j | a="éé""#),
    ] {
        assert_eq!(one("json", line), shown);
    }
}

#[test]
fn what_is_not_json_is_kept_whole() {
    for line in [
        "",
        "x",
        "[1]",
        "{",
        "{}x",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":"x}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        "{\"a\":\"\t\"}",
        r#"{"a":tru}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1}"#,
        r#"{"a":[{"b"}]}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{"a":+1}"#,
        r#"{"a":1e}"#,
        r#"{"a":[1]]}"#,
    ] {
        assert_eq!(one("json", &format!("{line}\n")), "- u |", "{line}");
    }
}

#[test]
fn json_within_its_limits() {
    let limits = Limits { depth: 3, fields: 2, names: 4, ..Limits::default() };
    let settings = Settings { format: Some("json".to_owned()), ..settings() };
    let mut parser = Parser::new(settings, limits);
    let text = concat!(
        r#"{"a":{"b":{"c":{"d":1}}},"e":1,"f":2}"#,
        "\n",
        r#"{"g":1,"h":2}"#,
        "\n",
        r#"{"i":1,"a":{"j":3}}"#,
        "\n"
    );
    let buffer = Bytes::from_static(text.as_bytes());
    let parsed = parser.parse(&buffer, 0, More::No);
    let batch =
        Batch { buffer, names: parser.names(), rows: parsed.rows, slots: parsed.slots, ..Batch::default() };
    assert_eq!(show(&batch, 0), r#"- j | a.b.c={"d":1} e=1"#);
    assert!(batch.names.len() <= 4);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(one("json", &deep), "- u |");
}

#[test]
fn access_lines() {
    for (line, shown) in [
        (
            r#"5.202.1.6 - - [26/Jan/2019:19:45:25 +0330] "GET /a?b=c HTTP/1.1" 200 30975 "https://x/" "Moz \"y\"" "-""#,
            r#"2019-01-26T16:15:25Z | remote_addr="5.202.1.6" ident="-" user="-" time="26/Jan/2019:19:45:25 +0330" method="GET" path="/a" query="b=c" protocol="HTTP/1.1" status=200 bytes=30975 referer="https://x/" user_agent="Moz \\\"y\\\"" forwarded_for="-""#,
        ),
        (
            r#"189.1.3.17 [08/Aug/2026:00:20:52 +0100] "GET /x HTTP/1.0" 404 - "-" "M" "189.1.3.17""#,
            r#"2026-08-07T23:20:52Z | remote_addr="189.1.3.17" time="08/Aug/2026:00:20:52 +0100" method="GET" path="/x" protocol="HTTP/1.0" status=404 bytes="-" referer="-" user_agent="M" forwarded_for="189.1.3.17""#,
        ),
        (
            r#"localhost:443 1.2.3.4 id me [26/Jul/2023:00:01:26 -0700] "\x16\x03" 400 0 0.004"#,
            r#"2023-07-26T07:01:26Z | host="localhost:443" remote_addr="1.2.3.4" ident="id" user="me" time="26/Jul/2023:00:01:26 -0700" request="\\x16\\x03" status=400 bytes=0 request_time=0.004"#,
        ),
        ("something else", "- u |"),
    ] {
        assert_eq!(one("access", line), shown);
    }
}

#[test]
fn syslog_lines() {
    for (line, shown) in [
        (
            "Nov  3 09:23:38 veridian automount[7998]: lookup(file): x",
            r#"2023-11-03T09:23:38Z | time="Nov  3 09:23:38" host="veridian" app="automount" pid=7998 message="lookup(file): x""#,
        ),
        (
            "<13>Nov 14 23:53:23 vm myapp: hello",
            r#"2023-11-14T23:53:23Z | pri=13 time="Nov 14 23:53:23" host="vm" app="myapp" message="hello""#,
        ),
        (
            "<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [a@1 b=\"c ]\\\"\"][d] hi there",
            r#"2003-10-11T22:14:15.003Z | pri=165 time="2003-10-11T22:14:15.003Z" host="h" app="evntslog" msgid="ID47" sd.a@1.b="c ]\"" message="hi there""#,
        ),
        (
            "<165>1 - - - - - [a@1 b=\"c\" dd=\"e\\]\\n\"][x y=\"\"] \u{feff}hi",
            r#"- | pri=165 sd.a@1.b="c" sd.a@1.dd="e\\]\\n" sd.x.y="" message="hi""#,
        ),
        (
            "2022-06-02T11:58:12.193+02:00 host sshd[1]: a: b",
            r#"2022-06-02T09:58:12.193Z | time="2022-06-02T11:58:12.193+02:00" host="host" app="sshd" pid=1 message="a: b""#,
        ),
        (
            "Jun 14 15:16:01 combo last message repeated 2 times",
            r#"2023-06-14T15:16:01Z | time="Jun 14 15:16:01" host="combo" message="last message repeated 2 times""#,
        ),
    ] {
        assert_eq!(one("syslog", line), shown);
    }
}

#[test]
fn text_lines() {
    for (line, shown) in [
        (
            "- 2023-11-18 16:11:22,704 [main] INFO  o.a.i.ConfigNodeDescriptor:105 - Start to read ",
            r#"2023-11-18T16:11:22.704Z | time="2023-11-18 16:11:22,704" thread="main" level="INFO" logger="o.a.i.ConfigNodeDescriptor:105" message="Start to read ""#,
        ),
        (
            "[2016-12-19 16:32:01,609] INFO [ReplicaFetcherManager on broker 1] Removed x",
            r#"2016-12-19T16:32:01.609Z | time="2016-12-19 16:32:01,609" level="INFO" message="[ReplicaFetcherManager on broker 1] Removed x""#,
        ),
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.MRAppMaster: Created",
            r#"2015-10-18T18:01:47.978Z | time="2015-10-18 18:01:47,978" level="INFO" thread="main" logger="org.apache.MRAppMaster" message="Created""#,
        ),
        (
            "2015-07-29 17:41:44,747 - INFO  [Quorum[myid=1]/0:0:Fast@774] - Note",
            r#"2015-07-29T17:41:44.747Z | time="2015-07-29 17:41:44,747" level="INFO" thread="Quorum[myid=1]/0:0:Fast@774" message="Note""#,
        ),
        (
            "17/06/09 20:10:40 INFO executor.Backend: Registered",
            r#"2017-06-09T20:10:40Z | time="17/06/09 20:10:40" level="INFO" logger="executor.Backend" message="Registered""#,
        ),
        (
            "081109 203615 148 INFO dfs.DataNode$PacketResponder: PacketResponder 1",
            r#"2008-11-09T20:36:15Z | time="081109 203615" pid=148 level="INFO" logger="dfs.DataNode$PacketResponder" message="PacketResponder 1""#,
        ),
        (
            "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok",
            r#"2005-12-04T04:47:44Z | time="Sun Dec 04 04:47:44 2005" level="notice" message="workerEnv.init() ok""#,
        ),
        (
            "MainThread::INFO::2011-12-05 07:04:56,101::vdsm::71::vds::(run) I am",
            r#"2011-12-05T07:04:56.101Z | level="INFO" time="2011-12-05 07:04:56,101" message="vdsm::71::vds::(run) I am""#,
        ),
        (
            "2021-12-03 07:14:48.591 UTC [4913] user=user1,db=mydb LOG:  duration: 1",
            r#"2021-12-03T07:14:48.591Z | time="2021-12-03 07:14:48.591" pid=4913 user="user1" db="mydb" level="LOG" message="duration: 1""#,
        ),
        (
            "2019-06-18T11:58:58.382+0100 I CONTROL  [main] Automatically",
            r#"2019-06-18T10:58:58.382Z | time="2019-06-18T11:58:58.382+0100" level="I" logger="CONTROL" thread="main" message="Automatically""#,
        ),
        (
            "03-17 16:13:38.811  1702  2395 D WindowManager: printF: x",
            r#"2023-03-17T16:13:38.811Z | time="03-17 16:13:38.811" pid=1702 tid=2395 level="D" logger="WindowManager" message="printF: x""#,
        ),
        (
            "I0507 11:59:44.523502    4727 kubelet_getters.go:187] \"Pod\"",
            r#"2023-05-07T11:59:44.523502Z | level="I" time="0507 11:59:44.523502" pid=4727 logger="kubelet_getters.go:187" message="\"Pod\"""#,
        ),
        (
            "2022-06-02T11:58:12.193Z info vpxd[45715] [Originator@6876] x",
            r#"2022-06-02T11:58:12.193Z | time="2022-06-02T11:58:12.193Z" level="info" logger="vpxd" pid=45715 message="[Originator@6876] x""#,
        ),
        (
            "\x1b[2m2022-06-02T11:58:12Z\x1b[0m \x1b[32mINFO\x1b[0m a::b: hi",
            r#"2022-06-02T11:58:12Z | time="2022-06-02T11:58:12Z" level="INFO" logger="a::b" message="hi""#,
        ),
        (
            "2023-01-01 00:00:00 I went home",
            r#"2023-01-01T00:00:00Z | time="2023-01-01 00:00:00" message="I went home""#,
        ),
        (
            "nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-1] x",
            r#"2017-05-16T00:00:00.008Z | time="2017-05-16 00:00:00.008" pid=25746 level="INFO" logger="nova.wsgi" message="[req-1] x""#,
        ),
        ("Hello, World!", r#"- | message="Hello, World!""#),
    ] {
        assert_eq!(one("text", line), shown);
    }
}

#[test]
fn logfmt_and_ltsv_lines() {
    assert_eq!(
        one("logfmt", r#"ts=2024-05-02T12:17:25.606619951Z level=debug n=5 msg="POST \"x\" y" empty= "#),
        r#"2024-05-02T12:17:25.606619951Z | ts="2024-05-02T12:17:25.606619951Z" level="debug" n=5 msg="POST \"x\" y" empty="""#
    );
    for line in ["a=1 b", "=1 b=2", "a=\"x b=2", "a=\"x\"y"] {
        assert_eq!(one("logfmt", line), "- u |", "{line}");
    }
    assert_eq!(
        one("ltsv", "time:[28/Feb/2013:12:00:00 +0900]\thost:1.2.3.4\tstatus:200\treferer:http://x/"),
        r#"2013-02-28T03:00:00Z | time="28/Feb/2013:12:00:00 +0900" host="1.2.3.4" status=200 referer="http://x/""#
    );
    assert_eq!(one("ltsv", "host:1\tx"), "- u |");
}

#[test]
fn container_lines() {
    assert_eq!(
        one("docker", r#"{"log":"a\n","stream":"stdout","time":"2023-01-29T08:43:15.103485158Z"}"#),
        "2023-01-29T08:43:15.103485158Z j | log=\"a\\n\" stream=\"stdout\" time=\"2023-01-29T08:43:15.103485158Z\""
    );
    assert_eq!(
        one("docker", r#"{"log":"a","stream":"stdout","time":"2023-01-29T08:43:15Z"}"#),
        r#"2023-01-29T08:43:15Z c j | log="a" stream="stdout" time="2023-01-29T08:43:15Z""#
    );
    assert_eq!(
        one("cri", "2016-10-06T00:17:09.669794202Z stdout P log content 1"),
        r#"2016-10-06T00:17:09.669794202Z c | time="2016-10-06T00:17:09.669794202Z" stream="stdout" message="log content 1""#
    );
    assert_eq!(
        one("cri", "2016-10-06T00:17:10Z stderr F "),
        r#"2016-10-06T00:17:10Z | time="2016-10-06T00:17:10Z" stream="stderr""#
    );
    assert_eq!(one("cri", "2016-10-06T00:17:10Z stdin F x"), "- u |");
}

#[test]
fn tables_with_a_header() {
    let text = "#Version: 1.0\n#Fields: date time c-ip cs(User-Agent) sc-status\n\
                2015-01-13 00:32:17 1.2.3.4 \"a \"\"b\" 404\n2015-01-13 00:32:18 1.2.3.5 x -\n#Fields: c-ip date  time\n1.2.3.6  2015-01-13  00:32:19\n";
    let zone = Settings { timezone: Some("+05:00".to_owned()), ..settings() };
    let batch = parse(zone, text.as_bytes());
    assert_eq!(show(&batch, 0), "- |");
    assert_eq!(
        show(&batch, 2),
        "2015-01-13T00:32:17Z | time=\"2015-01-13 00:32:17\" c-ip=\"1.2.3.4\" cs(User-Agent)=\"a \\\"\\\"b\" sc-status=404"
    );
    assert_eq!(
        show(&batch, 3),
        r#"2015-01-13T00:32:18Z | time="2015-01-13 00:32:18" c-ip="1.2.3.5" cs(User-Agent)="x" sc-status="-""#
    );
    assert_eq!(show(&batch, 5), r#"2015-01-13T00:32:19Z | c-ip="1.2.3.6" date="2015-01-13" time="00:32:19""#);
    let batch =
        parse(settings(), b"#separator \\x09\n#fields\tts\tid.orig_h\tx\n1320279566.452687\t1.2.3.4\t\n");
    assert_eq!(
        show(&batch, 2),
        r#"2011-11-03T00:19:26.452687Z | ts=1320279566.452687 id.orig_h="1.2.3.4" x="""#
    );
}

#[test]
fn slow_queries() {
    let text = "# Time: 140714 14:16:52\n# User@Host: root[root] @ localhost [127.0.0.1]\n\
                # Query_time: 0.5  Rows_sent: 3\nSELECT 1\n  FROM x;\n\
                # User@Host: a[a] @  [1.2.3.4]\n# Query_time: 2  Rows_sent: 0\nSET timestamp=1405347413;\nSELECT 2;\n\
                # administrator command: Quit;\n";
    let batch = parse(settings(), text.as_bytes());
    assert_eq!(batch.rows.len(), 2);
    assert_eq!(
        show(&batch, 0),
        r#"2014-07-14T14:16:52Z | time="140714 14:16:52" user="root" host="localhost" query_time=0.5 rows_sent=3 message="SELECT 1\n  FROM x;""#
    );
    assert_eq!(
        show(&batch, 1),
        r#"2014-07-14T14:16:53Z | user="a" host="[1.2.3.4]" query_time=2 rows_sent=0 message="SET timestamp=1405347413;\nSELECT 2;\n# administrator command: Quit;""#
    );
}

#[test]
fn nginx_errors() {
    let text = "2026/08/05 00:18:58 [error] 848654#848655: *2188796 FastCGI: \"PHP in /x.php:53\nStack trace:\n  thrown\" \
                while reading, client: 192.168.59.242, server: www.x.com, request: \"GET / HTTP/1.0\", host: \"x\"\n";
    let batch = parse(Settings { format: Some("nginx-error".to_owned()), ..settings() }, text.as_bytes());
    assert_eq!(batch.rows.len(), 1);
    assert_eq!(
        show(&batch, 0),
        "2026-08-05T00:18:58Z | time=\"2026/08/05 00:18:58\" level=\"error\" pid=848654 tid=848655 connection=2188796 \
         message=\"FastCGI: \\\"PHP in /x.php:53\\nStack trace:\\n  thrown\\\" while reading\" client=\"192.168.59.242\" \
         server=\"www.x.com\" request=\"GET / HTTP/1.0\" host=\"x\""
    );
    assert_eq!(
        one("nginx-error", "2026/08/05 00:18:58 [notice] 1#1: signal process started"),
        r#"2026-08-05T00:18:58Z | time="2026/08/05 00:18:58" level="notice" pid=1 tid=1 message="signal process started""#
    );
}

#[test]
fn lines_joined_to_an_event_without_a_message_are_its_message() {
    let batch = parse(settings(), b"2023-01-01 00:00:00\nx\ny\n2023-01-01 00:00:01\n");
    assert_eq!(batch.rows.len(), 2);
    assert_eq!(show(&batch, 0), r#"2023-01-01T00:00:00Z | time="2023-01-01 00:00:00" message="x\ny""#);
    assert_eq!(show(&batch, 1), r#"2023-01-01T00:00:01Z | time="2023-01-01 00:00:01""#);
}

#[test]
fn zones_of_a_source() {
    let at = |zone: &str, line: &str| {
        let settings =
            Settings { timezone: Some(zone.to_owned()), format: Some("text".to_owned()), ..settings() };
        rfc3339(parse(settings, line.as_bytes()).rows[0].time)
    };
    assert_eq!(at("Europe/Zurich", "2023-07-01 12:00:00 x"), "2023-07-01T10:00:00Z");
    assert_eq!(at("Europe/Zurich", "2023-12-01 12:00:00 x"), "2023-12-01T11:00:00Z");
    assert_eq!(at("Europe/Zurich", "2023-07-01 12:00:00+00:00 x"), "2023-07-01T12:00:00Z");
    assert_eq!(at("-03:30", "2023-07-01 12:00:00 x"), "2023-07-01T15:30:00Z");
    assert_eq!(at("Nowhere/Else", "2023-07-01 12:00:00 x"), "2023-07-01T12:00:00Z");
    // Clocks are put back: the first of the two; put forward: as if they were not yet.
    assert_eq!(at("Europe/Zurich", "2023-10-29 02:30:00 x"), "2023-10-29T00:30:00Z");
    assert_eq!(at("Europe/Zurich", "2023-03-26 02:30:00 x"), "2023-03-26T01:30:00Z");
    assert_eq!(at("Europe/Zurich", "Jul  1 12:00:00 x"), "2023-07-01T10:00:00Z");
}

#[test]
fn wrong_settings_are_told() {
    let wrong = Settings { format: Some("jsn".to_owned()), ..Settings::default() };
    assert!(wrong.check().unwrap_err().to_string().contains("json"));
    let wrong = Settings { timezone: Some("Europe/Zurch".to_owned()), ..Settings::default() };
    assert!(wrong.check().is_err());
    let right = Settings {
        format: Some("nginx".to_owned()),
        timezone: Some("Europe/Zurich".to_owned()),
        ..Settings::default()
    };
    assert_eq!(right.check(), Ok(()));
}

#[test]
fn stack_traces_join_the_line_before() {
    let text = "2023-01-01 00:00:00 ERROR a.B: x\njava.lang.E: y\n\tat a.B.c(D.java:1)\r\nCaused by: z\n\n\
                2023-01-01 00:00:01 INFO a.B: ok\n";
    let batch = parse(settings(), text.as_bytes());
    assert_eq!(batch.rows.len(), 2);
    assert_eq!(
        show(&batch, 0),
        r#"2023-01-01T00:00:00Z | time="2023-01-01 00:00:00" level="ERROR" logger="a.B" message="x\njava.lang.E: y\n\tat a.B.c(D.java:1)\r\nCaused by: z""#
    );
    let apart = parse(Settings { multiline: Some(false), ..settings() }, text.as_bytes());
    assert_eq!(apart.rows.len(), 6);
    assert_eq!(apart.rows[2].time, apart.rows[0].time);
    assert_eq!(show(&apart, 2), r#"- | message="\tat a.B.c(D.java:1)""#);
}

#[test]
fn an_event_of_too_many_lines_is_cut() {
    let text = format!("2023-01-01 00:00:00 x\n{}2023-01-01 00:00:01 y\n", " more\n".repeat(2_500));
    let batch = parse(settings(), text.as_bytes());
    assert_eq!(batch.rows.len(), 4);
    let continues: Vec<bool> = batch.rows.iter().map(|row| row.marks.has(Marks::CONTINUES)).collect();
    assert_eq!(continues, [true, true, false, false]);
    assert!(batch.rows[1].marks.has(Marks::NO_TIME));
    assert_eq!(batch.rows.iter().map(|row| row.len as usize).sum::<usize>(), text.len());
}

#[test]
fn a_line_over_the_limit_is_cut() {
    let mut parser = Parser::new(settings(), Limits { event: 10, ..Limits::default() });
    let buffer = Bytes::from_static(b"0123456789abcdefghijXY\nshort\n");
    let parsed = parser.parse(&buffer, 5, More::No);
    let rows: Vec<(u32, u32, u64, bool)> = parsed
        .rows
        .iter()
        .map(|row| (row.start, row.len, row.offset, row.marks.has(Marks::CONTINUES)))
        .collect();
    assert_eq!(rows, [(0, 10, 5, true), (10, 10, 15, true), (20, 3, 25, false), (23, 6, 28, false)]);
}

#[test]
fn a_pause_gives_what_is_there() {
    let mut parser = Parser::new(settings(), Limits::default());
    let buffer = Bytes::from_static(b"2023-01-01 00:00:00 x\n more\nunfini");
    assert_eq!(parser.parse(&buffer, 0, More::Yes).consumed, 0);
    let parsed = parser.parse(&buffer, 0, More::Pause);
    assert_eq!((parsed.rows.len(), parsed.consumed), (1, 28));
    assert_eq!(parser.format(), None);
    let mut parser = Parser::new(settings(), Limits::default());
    let buffer = Bytes::from_static(b"{\"a\":1}\n");
    assert_eq!(parser.parse(&buffer, 0, More::Pause).rows.len(), 1);
    assert_eq!(parser.format(), Some("json"));
}

#[test]
fn a_byte_order_mark_is_of_no_field() {
    let batch = parse(settings(), b"\xEF\xBB\xBF{\"a\":1}\n\xEF\xBB\xBF{\"a\":1}\n");
    assert_eq!(show(&batch, 0), "- j | a=1");
    assert_eq!((batch.rows[0].start, batch.rows[0].len), (0, 11));
    assert_eq!(show(&batch, 1), "- u |");
}

#[test]
fn nonsense_is_no_state() {
    for state in
        [&b""[..], b"\x01", b"\x01\xff", b"\x02\x00", b"\x01\x04\x03xyz", b"\x01\x04\xff", b"\x01\x02abc"]
    {
        let mut parser = Parser::new(settings(), Limits::default());
        parser.restore(state);
        assert_eq!(parser.format(), None);
        let parsed = parser.parse(&Bytes::from_static(b"{\"a\":1}\n"), 0, More::No);
        assert_eq!(parsed.rows.len(), 1);
    }
}
