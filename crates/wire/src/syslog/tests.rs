//! Messages over real sockets, with a real journal behind.

use sawlog_model::{ENCRYPTED, FieldValue, Fields, Marks};

use super::PROTOCOL;
use super::samples::SAMPLES;
use crate::shared::door::testing::{Listening, shown, source};
use crate::shared::tls::tests::Certificates;

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&PROTOCOL, 1), Ok(()));
}

/// What `logger` of util-linux 2.38 sends.
const RFC5424: &str = "<134>1 2026-11-20T23:51:31.118469+00:00 vm myapp 7 ID47 [timeQuality tzKnown=\"1\"][meniscus@1 tenant=\"1022\"] hi";
const SHOWN: &str = "syslog.local0.info | pri=134 host=vm app=myapp pid=7 msgid=ID47 sd.timeQuality.tzKnown=1 sd.meniscus@1.tenant=1022 message=hi";

#[test]
fn both_forms_over_every_framing() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.datagram(RFC5424.as_bytes());
    assert_eq!(node.rows(1), [SHOWN]);
    node.send(format!("{RFC5424}\n<13>Nov 20 23:51:31 vm myapp[3]: hello bsd\n").as_bytes());
    assert_eq!(
        node.rows(2),
        [SHOWN, "syslog.user.notice | pri=13 host=vm app=myapp pid=3 message=hello bsd"]
    );
    node.send(format!("{} {RFC5424}{} {RFC5424}\n", RFC5424.len(), RFC5424.len() + 1).as_bytes());
    assert_eq!(node.rows(2), [SHOWN, SHOWN]);
    let newline = format!("{RFC5424}\n");
    let lines = node.output.wait_for_rows(5);
    assert_eq!(
        (lines[0].as_str(), lines[1].as_str()),
        (RFC5424, newline.as_str()),
        "the line is kept as it came"
    );
    assert_eq!(node.errors(), []);
}

#[test]
fn a_row_has_its_time_place_and_source() {
    let node = Listening::start(&PROTOCOL, &[("timezone", "+02:00")]);
    let before = node.env.sys.clock.now();
    node.datagram(RFC5424.as_bytes());
    node.each_row(1, |row| {
        assert_eq!((row.time(), row.batch.tenant.0), (1_795_218_691_118_469_000, 3));
        assert_eq!(row.batch.source.facts.name, "syslog@3:127.0.0.1");
        let context: Vec<_> = row.batch.context.iter().collect();
        let wanted = [
            ("_tag", "syslog.local0.info"),
            ("_host", "127.0.0.1"),
            ("facility", "local0"),
            ("severity", "info"),
        ];
        assert_eq!(context, wanted);
    });
    // The year is the latest that fits, the zone the one given.
    node.datagram(b"<13>Jan  2 03:04:05 vm a: b");
    let year = sawlog_model::time::rfc3339(before)[..4].to_owned();
    node.each_row(1, |row| {
        let text = sawlog_model::time::rfc3339(row.time());
        assert!(text.ends_with("-01-02T01:04:05Z") && text[..4] <= *year, "{text}");
    });
    node.datagram("\u{feff}<11>1 - h - - - - \u{feff}caf\u{e9}".as_bytes());
    node.each_row(1, |row| {
        assert_eq!(shown(row), "syslog.user.err | pri=11 host=h message=caf\u{e9}");
        assert!(row.marks().has(Marks::NO_TIME) && row.time() == row.received() && row.time() >= before);
    });
}

#[test]
fn fields_for_priority_and_sender() {
    let keys = [
        ("facility_key", "fac"),
        ("severity_key", "sev"),
        ("source_address_key", "ip"),
        ("source_hostname_key", "from"),
    ];
    let options = [&keys[..], &[("tag", "s"), ("resolve_hostname", "true")]].concat();
    let node = Listening::start(&PROTOCOL, &options);
    node.datagram(b"<13>Nov 20 23:51:31 vm a: b");
    node.each_row(1, |row| {
        let wanted =
            "s.user.notice | pri=13 host=vm app=a message=b fac=user sev=notice from=localhost ip=127.0.0.1";
        assert_eq!(shown(row), wanted);
        assert_eq!(row.batch.context.get("_host"), Some("localhost"));
    });
    let node = Listening::start(&PROTOCOL, &[("source_hostname_key", "from")]);
    node.datagram(b"<13>Nov 20 23:51:31 vm a: b");
    assert!(node.rows(1)[0].ends_with(" from=127.0.0.1"), "without asking, the address");
}

#[test]
fn what_is_no_syslog_is_kept_or_dropped_and_counted() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.send(b"garbage\n\n<13>\n<13>Nov 20 23:51:31 vm a: b\n");
    assert_eq!(node.rows(3).len(), 3);
    let node_lines = node.output.wait_for_rows(3);
    assert_eq!(node_lines, ["garbage\n", "<13>\n", "<13>Nov 20 23:51:31 vm a: b\n"]);
    let node = Listening::start(&PROTOCOL, &[("emit_unmatched_lines", "false")]);
    node.send(b"garbage\n<13>Nov 20 23:51:31 vm a: b\n");
    assert_eq!(node.rows(1), ["syslog.user.notice | pri=13 host=vm app=a message=b"]);
    assert_eq!(node.errors(), [("unmatched".to_owned(), 1)]);
    let node = Listening::start(&PROTOCOL, &[("tag", "t")]);
    node.datagram(b"garbage");
    assert_eq!(node.rows(1), ["t.unmatched | message=garbage"]);
}

#[test]
fn transports_framings_and_lengths_are_as_the_options_say() {
    let node = Listening::start(&PROTOCOL, &[("transports", "udp")]);
    let refused = node.runtime.block_on(sawlog_sys::net::TcpStream::connect(node.address));
    assert!(refused.is_err(), "no TCP");
    let node = Listening::start(
        &PROTOCOL,
        &[("transports", "tcp"), ("frame_type", "traditional"), ("delimiter", "\\0")],
    );
    node.send(b"12 <13>Nov 20 23:51:31 vm a: b\n\0<13>Nov 20 23:51:31 vm a: c\0");
    node.rows(2);
    assert_eq!(node.output.wait_for_rows(2)[0], "12 <13>Nov 20 23:51:31 vm a: b\n");
    let node = Listening::start(&PROTOCOL, &[("frame_type", "octet_count"), ("message_length_limit", "30")]);
    node.send(b"34 <13>Nov 20 23:51:31 vm a: b123456727 <13>Nov 20 23:51:31 vm a: c");
    let mut rows = Vec::new();
    node.each_row(3, |row| rows.push((row.raw().to_vec(), row.marks().has(Marks::CONTINUES))));
    let row = |text: &str, goes_on| (text.as_bytes().to_vec(), goes_on);
    assert_eq!(
        rows,
        [
            row("<13>Nov 20 23:51:31 vm a: b123", true),
            row("4567", false),
            row("<13>Nov 20 23:51:31 vm a: c", false)
        ]
    );
    node.send(b"<13>Nov 20 23:51:31 vm a: b\n");
    node.wait_for_error("framing");
    for (name, value) in
        [("transports", "sctp"), ("frame_type", "x"), ("delimiter", ""), ("timezone", "Nowhere")]
    {
        let options = sawlog_pipeline::config::options(&PROTOCOL, &[(name, vec![value.to_owned()])]).unwrap();
        assert!((PROTOCOL.input.unwrap())(&options).is_err(), "{name} = {value}");
    }
}

#[test]
fn messages_come_over_tls() {
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let node = Listening::start(&PROTOCOL, &[("tls_cert", &cert), ("tls_key", &key), ("transports", "tcp")]);
    node.send_over_tls(&ca, format!("{} {RFC5424}", RFC5424.len()).as_bytes());
    assert_eq!(node.rows(1), [SHOWN]);
    node.send(format!("{RFC5424}\n").as_bytes());
    node.wait_for_error("tls");
    let transport = format!(
        "<transport tls>\ncert_path {cert}\nprivate_key_path {key}\nclient_cert_auth true\nca_path {ca}\nmin_version TLS1_3\n</transport>"
    );
    let (options, findings) = source(&PROTOCOL, &format!("@type syslog\ntag s\n{transport}"));
    assert_eq!(findings, [] as [&str; 0]);
    let given =
        format!("tls_cert={cert} tls_client_ca={ca} tls_key={key} tls_min_version=1.3 transports=tcp");
    assert!(options.ends_with(&given), "{options}");
    let (_, findings) = source(&PROTOCOL, "@type syslog\ntag s\n<transport tls>\n</transport>");
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[test]
fn a_message_that_the_end_cuts_off_is_kept() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.send(b"60 <13>Nov 20 23:51:31 vm a: b");
    assert_eq!(node.rows(1), ["syslog.user.notice | pri=13 host=vm app=a message=b"]);
    node.send(b"<13>Nov 20 23:51:31 vm a: c");
    assert_eq!(node.rows(1), ["syslog.user.notice | pri=13 host=vm app=a message=c"]);
}

#[test]
fn a_burst_of_datagrams_arrives_whole() {
    let node = Listening::start(&PROTOCOL, &[]);
    let send = async {
        let socket = sawlog_sys::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for number in 0..2_000 {
            let text = format!("<{}>Nov 20 23:51:31 vm a: number {number}", number % 190);
            socket.send_to(text.as_bytes(), node.address).await.unwrap();
        }
    };
    node.runtime.block_on(send);
    let dropped = |errors: Vec<(String, u64)>| errors.iter().map(|(_, count)| *count as usize).sum::<usize>();
    for _ in 0..1_000 {
        if node.output.lines().len() + dropped(node.errors()) == 2_000 {
            return;
        }
        sawlog_sys::task::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{} rows, {:?}", node.output.lines().len(), node.errors());
}

#[test]
fn the_samples_hold_what_they_say() {
    for sample in SAMPLES {
        let node = Listening::start(&PROTOCOL, &[]);
        node.send(sample.bytes);
        assert_eq!(node.rows(sample.events).len(), sample.events, "{}", sample.name);
    }
}

#[test]
fn fluentds_options_mean_ours() {
    let (options, findings) = source(
        &PROTOCOL,
        "@type syslog
         port 5141
         bind ::1
         tag system
         <transport tcp>
         </transport>
         message_length_limit 4k
         frame_type octet_count
         delimiter \\n
         severity_key level
         facility_key fac
         source_hostname_key from
         source_address_key ip
         emit_unmatched_lines true
         <parse>
           @type syslog
           message_format auto
           timezone +09:00
         </parse>",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let wanted = "delimiter=\\n emit_unmatched_lines=true facility_key=fac frame_type=octet_count listen=[::1]:5141 \
        message_length_limit=4096 parse.message_format=auto parse.timezone=+09:00 parse.type=syslog parse.unmatched=drop \
        parse.with_priority=true resolve_hostname=true severity_key=level source_address_key=ip source_hostname_key=from \
        tag=system transports=tcp";
    assert_eq!(options, wanted);
    let (options, findings) =
        source(&PROTOCOL, "@type syslog\ntag s\npriority_key p\nblocking_timeout 1\nportt 3");
    let wanted = "emit_unmatched_lines=false frame_type=traditional listen=0.0.0.0:5140 message_length_limit=2048 \
        parse.timezone=local parse.type=syslog parse.with_priority=true resolve_hostname=false severity_key=p tag=s transports=udp";
    assert_eq!(options, wanted);
    assert_eq!(findings.len(), 2, "{findings:?}");
    let (_, findings) = source(&PROTOCOL, "@type syslog\n<parse>\n@type nothing\n</parse>");
    assert_eq!(findings.len(), 2, "no tag, no such parser: {findings:?}");
}

#[test]
fn a_parser_finds_what_fluentd_would() {
    let fluentd =
        [("parse.type", "syslog"), ("parse.with_priority", "true"), ("emit_unmatched_lines", "false")];
    let node = Listening::start(&PROTOCOL, &fluentd);
    node.datagram(b"<13>Nov 20 23:51:31 vm myapp[3]: hello bsd\n");
    assert_eq!(node.rows(1), ["syslog.user.notice | host=vm ident=myapp pid=3 message=hello bsd"]);
    node.datagram(b"no priority");
    node.wait_for_error("unmatched");
    let node = Listening::start(&PROTOCOL, &[&fluentd[..], &[("parse.message_format", "auto")]].concat());
    node.datagram(RFC5424.as_bytes());
    let wanted = "syslog.local0.info | host=vm ident=myapp pid=7 msgid=ID47 extradata=[timeQuality tzKnown=\"1\"][meniscus@1 tenant=\"1022\"] message=hi";
    assert_eq!(node.rows(1), [wanted]);
    // Without the priority in what the parser sees, it may be of any type.
    let node = Listening::start(&PROTOCOL, &[("parse.type", "json")]);
    node.datagram(b"<11>{\"a\":{\"b\":1}}\n");
    node.datagram(b"<11>no json");
    assert_eq!(node.rows(2), ["syslog.user.err | a.b=1", "syslog.unmatched |"]);
}

#[test]
fn logger_is_read_in_its_five_framings() {
    let node = Listening::start(&PROTOCOL, &[]);
    let run = |options: &str| {
        let to = format!("-n 127.0.0.1 -P {} -t app {options} hello", node.address.port());
        let line = format!("command -v logger >/dev/null || exit 127; logger {to}");
        let status = sawlog_sys::program::start(&[line], false).unwrap().wait().unwrap();
        if status.code() == Some(127) {
            println!("SKIPPED logger_is_read_in_its_five_framings: there is no `logger`");
            return false;
        }
        assert!(status.success(), "{options}: {status}");
        let row = node.rows(1).remove(0);
        assert!(row.starts_with("syslog.user.notice | pri=13 host=") && row.contains(" app=app "), "{row}");
        assert!(row.ends_with(" message=hello"), "{row}");
        true
    };
    let framings = ["-T", "-T --octet-count", "-T --rfc3164", "-d", "-d --rfc3164"];
    if framings.iter().all(|options| run(options)) {
        assert_eq!(node.errors(), []);
    }
}

#[test]
fn credentials_choose_the_tenant_and_are_not_kept() {
    let node = Listening::with_tenants(&PROTOCOL, &[]);
    let message = |credentials: &str, text: &str| {
        format!("<13>1 2026-11-20T23:51:34Z vm app - - [meniscus@1 {credentials}] {text}")
    };
    let good = message("tenant=\"1022\" token=\"tok\"", "one");
    let other = message("tenant=\"7\" token=\"key\"", "two");
    node.send(format!("{} {good}{} {other}", good.len(), other.len()).as_bytes());
    node.send(format!("{good}\n{other}\n<13>1 2026-11-20T23:51:34Z vm app - - - three\n").as_bytes());
    node.datagram(good.as_bytes());
    let mut rows = Vec::new();
    node.each_row(6, |row| {
        let line = String::from_utf8_lossy(row.raw()).trim_end().to_owned();
        let word = line.rsplit(' ').next().unwrap_or_default().to_owned();
        assert!(!line.contains("tok") && line.contains("app - - - "), "{line}");
        rows.push((row.batch.tenant.0, word, row.batch.source.id));
    });
    rows.sort();
    let seen: Vec<_> = rows.iter().map(|(tenant, word, _)| (*tenant, word.as_str())).collect();
    assert_eq!(seen, [(0, "three"), (1, "one"), (1, "one"), (1, "one"), (2, "two"), (2, "two")]);
    let sources: std::collections::HashSet<_> = rows.iter().map(|(tenant, _, id)| (*tenant, *id)).collect();
    assert_eq!(sources.len(), 3, "a source belongs to one tenant");
    assert_eq!(node.errors(), []);

    for wrong in ["tenant=\"1022\" token=\"key\"", "tenant=\"1\" token=\"tok\"", "tenant=\"1022\"", ""] {
        let long = format!("{}\n{good}\n", message(wrong, &"x".repeat(70_000)));
        node.send(long.as_bytes());
        assert_eq!(node.rows(1).len(), 1, "the next one is taken, and nothing of the refused one");
    }
    assert_eq!(node.errors(), [("denied".to_owned(), 4)]);
}

#[test]
fn credentials_can_be_required_or_left_alone() {
    let plain = "<13>1 2026-11-20T23:51:34Z vm app - - - plain\n";
    let shown = "<13>1 2026-11-20T23:51:34Z vm app - - [meniscus tenant=\"7\" token=\"no\"] shown\n";
    let node = Listening::with_tenants(&PROTOCOL, &[("credentials", "require")]);
    node.send(plain.as_bytes());
    node.wait_for_error("denied");
    let node = Listening::with_tenants(&PROTOCOL, &[("credentials", "ignore")]);
    node.send(shown.as_bytes());
    node.each_row(1, |row| assert_eq!((row.batch.tenant.0, row.raw()), (0, shown.as_bytes())));
    let node = Listening::start(&PROTOCOL, &[("credentials", "require")]);
    node.send(shown.as_bytes());
    node.each_row(1, |row| {
        assert_eq!(row.raw(), shown.as_bytes(), "a node without tenants asks for nothing")
    });
}

#[test]
fn messages_are_of_the_producer_that_their_program_and_text_say() {
    let node = Listening::with_tenants(&PROTOCOL, &[]);
    let message = |program: &str, token: &str, text: &str| {
        format!("<13>1 2026-11-20T23:51:34Z vm {program} - - [meniscus {token}] {text}\n")
    };
    let first = "tenant=\"1022\" token=\"tok\"";
    let sent = [
        message("web", first, "GET /a"),
        message("web", first, "no request"),
        message("app", first, "GET /a"),
        message("web", "tenant=\"7\" token=\"key\"", "GET /a"),
        "<13>Nov 20 23:51:34 vm web[7]: GET /b\n".to_owned(),
    ];
    node.send(sent.concat().as_bytes());
    let mut seen = Vec::new();
    node.each_row(5, |row| {
        let field = |name: &str| match row.field(name)? {
            FieldValue::Text(text) | FieldValue::Number(text) => {
                Some(String::from_utf8_lossy(&text).into_owned())
            }
            other => panic!("{other:?}"),
        };
        let tag = field("_tag").unwrap_or_default();
        let correlation = field("meniscus.correlation.ep_id").zip(field("meniscus.correlation.pattern"));
        let path = field("normalized.apache/x.path").zip(field("normalized.apache/x.size.bytes"));
        seen.push((row.batch.tenant.0, tag, correlation, path));
    });
    seen.sort();
    let pair = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
    let own = ("meniscus.apache_x".to_owned(), pair("3", "apache/x"));
    assert_eq!(
        seen,
        [
            (0, "syslog.user.notice".to_owned(), None, None),
            (1, own.0.clone(), own.1.clone(), None),
            (1, own.0, own.1, pair("/a", "7")),
            (1, "syslog.user.notice".to_owned(), None, None),
            (2, "syslog.user.notice".to_owned(), None, None),
        ]
    );
}

#[test]
fn messages_of_an_encrypted_producer_are_taken_over_tls_only() {
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let message = |program: &str, text: &str| {
        let shown = "[meniscus tenant=\"1022\" token=\"tok\"]";
        format!("<13>1 2026-11-20T23:51:34Z vm {program} - - {shown} {text}\n")
    };
    let plain = Listening::with_tenants(&PROTOCOL, &[]);
    let long = message("vault", &"x".repeat(70_000));
    plain.send((long + &message("web", "GET /a")).as_bytes());
    plain.datagram(message("vault", "secret").as_bytes());
    plain.each_row(1, |row| {
        assert_eq!(row.batch.context.get("_tag"), Some("meniscus.apache_x"), "the other producer's");
        assert_eq!(row.batch.context.get(ENCRYPTED), None);
    });
    plain.wait_for_error("encrypted");
    let counted = || {
        (0..1_000).any(|_| {
            sawlog_sys::task::sleep(std::time::Duration::from_millis(10));
            plain.errors() == [("encrypted".to_owned(), 2)]
        })
    };
    assert!(counted(), "{:?}", plain.errors());
    let given = [("tls_cert", &*cert), ("tls_key", &*key), ("transports", "tcp")];
    let over_tls = Listening::with_tenants(&PROTOCOL, &given);
    over_tls.send_over_tls(&ca, (message("vault", "secret") + &message("web", "GET /a")).as_bytes());
    let mut seen = Vec::new();
    over_tls.each_row(2, |row| {
        let of = |name: &str| row.batch.context.get(name).map(str::to_owned);
        seen.push((of("_tag"), of(ENCRYPTED)));
    });
    seen.sort();
    let tag = |tag: &str| Some(format!("meniscus.{tag}"));
    assert_eq!(seen, [(tag("apache_x"), None), (tag("vault"), Some("true".to_owned()))]);
    assert_eq!(over_tls.errors(), []);
}
