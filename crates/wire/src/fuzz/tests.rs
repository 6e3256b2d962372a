//! A moment of seeded damage on each target.

use std::time::Duration;

use sawlog_model::Slot;
use sawlog_sys::sim::{Dice, withstand};

use super::*;

/// A connection to each kind of socket, behind its byte.
fn zmtp_seeds() -> Vec<Vec<u8>> {
    let greeting = [b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".as_slice(), &[0; 48]].concat();
    let ready = |kind: &[u8]| {
        let head = [4, 22 + kind.len() as u8];
        [&head[..], b"\x05READY\x0bSocket-Type\0\0\0", &[kind.len() as u8], kind].concat()
    };
    let three =
        |role: u8, kind: &[u8], rest: &[u8]| [&[role], greeting.as_slice(), &ready(kind), rest].concat();
    vec![
        three(0, b"SUB", b"\0\x08\x01request\x04\x11\x09SUBSCRIBErequest\x04\x07\x06CANCEL\0\x01\0"),
        three(1, b"PUB", b"\x01\x01a\0\x01b"),
        three(2, b"REP", b"\x01\0\0\x01x"),
        three(3, b"REQ", b"\x01\0\0\x0c\x81\xa3cmd\xa6STATUS\x04\x09\x04PING\0dab"),
        b"\x03\x01\0\x01\x01\x0d\0\x81\xa3cmd\xa6STATUS".to_vec(),
        b"\x04\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08\0\0\x01\x04meta\0\x01x".to_vec(),
    ]
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let of = |protocol: &Protocol| protocol.samples.iter().map(|sample| sample.bytes.to_vec()).collect();
    let samples = || forward::PROTOCOL.samples.iter().map(|sample| sample.bytes.to_vec());
    match name {
        "forward" => samples().collect(),
        "fluent_config" => [
            "\0<source>\n  @type tail\n  path \"/a/#{hostname}.log\"\n  tag a\n  <parse>\n    @type none\n  </parse>\n</source>\n\
             <filter a.**>\n @type grep\n <regexp>\n key x\n pattern /y/\n </regexp>\n</filter>\n\
             <match a b.{c,d}.*>\n  @type copy\n  <store>\n    @type stdout\n  </store>\n  <store>\n    @type relabel\n\
             @label @X\n  </store>\n</match>\n@include x/*.conf\n<label @X>\n<match>\n@type forward\n<server>\nhost h\n\
             </server>\n<buffer tag>\nretry_wait 1s\noverflow_action block\n</buffer>\n</match>\n</label>\n",
            "\x02<source>\n type forward\n port 24224\n</source>\n<match a.**>\n type file\n path /x\n buffer_chunk_limit 1m\n</match>\n",
            "\0<source>\n@type forward\n</source>\n<match>\n@type file\npath '/x'\ncompress {\"a\": [1, # c\n\"#{ENV['X'] || 'y'}\"]}\n</match>\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "ini_config" => [
            "[flosculus]\nremote_host = h\n; c\n[log:/a]\ntag: a.b\nformat: (?P<x>.*)\n[log:/b]\ntag = b\nformat = nginx\nremote_port = 1\n",
            "[beaver]\ntransport: stdout\nconfd_path: /none\nformat: json ; inline\n[/a/**/*.log]\ntype: x\ntags: a,b\n\
             add_field: k,v\nexclude: \\.(gz|bz2)$\n  more\n",
            "only_listed = true\n[[filter]]\ntype = \"grep\"\nmatch = \"a.**\"\n[[output]]\ntype = \"file\"\npath = '/x'\nqueue.limit = \"1MiB\"\n\
             [[output]]\n[[output.one_of]]\nweight = 2\ntype = \"stdout\"\n",
            "[[test]]\nname = \"n\"\nline = \"l\"\ntime = 2026-05-01T10:00:00Z\n[[test.expect]]\n\
             record = { a = 0x1f, b = [1.5, \"x\"] }\n[[test]]\nname = \"m\"\nrecord = \"{}\"\ndropped = true\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "redis_answer" => [
            &b"+OK\r\n:7\r\n$5\r\nvalue\r\n$-1\r\n-ERR no\r\n"[..],
            b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n{}\r\n*0\r\n*-1\r\n",
        ]
        .map(<[u8]>::to_vec)
        .to_vec(),
        "mongo_answer" => mongo::tests::answer_seeds(),
        "http_body" => [
            &b"\x00[{\"a\":1},{\"b\":[\"x\"]}]"[..],
            b"\x01{\"a\":1}\n{\"a\":2}\n",
            b"\x02\x81\xa1a\xc3\x92\x81\xa1b\x01\xc0",
            b"\x03time=1.5&msgpack=%81%a1a%ff&json=%7B%22a%22%3A%22x+y%22%7D",
        ]
        .map(<[u8]>::to_vec)
        .to_vec(),
        "forward_ping" => vec![b"\x96\xa4PING\xa3cli\xa1s\xa2d1\xa1u\xa2d2".to_vec()],
        "syslog" => of(&syslog::PROTOCOL),
        "logstash" => of(&logstash::PROTOCOL),
        "blueox" => of(&blueox::PROTOCOL),
        "zmtp" => zmtp_seeds(),
        "gelf" => of(&gelf::PROTOCOL),
        "lines" => of(&socket::TCP),
        "msgpack" => samples().chain([b"\x83\x01\xa1x\xc0\xca\x3f\xc0\0\0\xa4$bin\x81\xa4$map\x90".to_vec()]).collect(),
        "value_parse" => [
            r#"{"a":[1,-2.5e3,"x\ny\u00e9",null,true],"b":{"$map":[[1,{"$bin":"/wA="}],[null,{"$f32":1.5}]]}}"#,
            r#"[{"$time":"1441588984250000000"},{"$ext":[-1,"AQI="]},{"$f64":"fff8000000000001"},{"$f64":"-inf"}]"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "frame" => vec![frame_seed()],
        "payload" => sawlog_pipeline::fuzz::seeds(),
        "sincedb" => vec![include_bytes!("../tail/tests/sincedb.db").to_vec()],
        "chunk_state" => chunks::state::tests::seeds(),
        "transcode" => [
            &b"\x00\x93\xfa\x96\x7b one\nplain\n\x93"[..],
            b"\x02a\0\n\0\x3d\xd8\0\xdeb\0\n\0",
            b"\x04\x1b$B%=\x1b(B\nx\n",
            b"\x01\x84\x31\xa4\x37\n\x81\n",
        ]
        .map(<[u8]>::to_vec)
        .to_vec(),
        "lognorm" => [
            "version=2\ntype=@i:%..:ipv4%\nprefix=%d:date-rfc3164% \nrule=a,b:x %i:@i% %.:name-value-list%\nannotate=a:+f=\"1\"\n\0Nov 20 \
             23:25:54 x 1.2.3.4 a=b c=\"d\"",
            "version=2\nrule=:%{\"name\":\"l\",\"type\":\"repeat\",\"parser\":{\"name\":\".\",\"type\":\"number\"},\"while\":{\"type\":\"literal\",\
             \"text\":\",\"}}%%{\"type\":\"alternative\",\"parser\":[{\"type\":\"json\",\"name\":\"j\"},{\"type\":\"rest\",\"name\":\"r\"}]}%\n\0\
             1,2,3{\"a\":[1]}",
            "rule=a:%a:word% %b:recursive%\nrule=b:%a:char-sep: % %b:recursive:left%\nrule=:%a:word%%left:rest%\nannotate=a:+x=\"y\"\n\0a b c d e f",
            "rule=:%t:tokenized:, :tokenized:\\x3a:number% %r:rest%\nrule=:%t:tokenized:;:descent:rules:r%!\n\x001:2, 3:4 x",
            "rule=:%a:interpret:base16int:char-to:;%;%b:named_suffixed:v:u:,:kb,mb:interpret:float:float%\nrule=:%c:suffixed:;:b;kb:number%%r:rest%\n\0ff;1.5mb",
            "rule=:%a:regex:(a+)+(b):1:2%%r:rest%\nrule=:%t:tokenized:,:regex:[^, ]+%\n\0aaaaaaaab,c",
            "version=2\nrule=:%{\"type\":\"string\",\"name\":\"a\",\"matching.mode\":\"lazy\",\"matching.permitted\":[{\"class\":\"alnum\"}]}%%b:string-to:--%\nrule=:a\nrule=:b\nrule=:%c:rest%\n\0ab--",
            "rule=t: %a:ipv6% [%b:char-to:\\x5d%] %c:iptables%\nrule=: %d:string-to:xy%xy%e:rest%\n\0 ::1 [x] IN=eth0 DF",
            "version=2\nrule=:%c:cef%\nrule=:%c:checkpoint-lea%\nrule=:%c:cisco-interface-spec% %m:mac48%\n\0CEF:0|a|b|c|d|e|f| x=y z=\\=",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "template" => [
            "{\"a\":{\"b\":[1,{\"c\":null}]},\"d e\":\"x\"}\n$.a.b[1].c",
            "{\"a\":{\"b\":[1,2]},\"d e\":\"x\"}\n$['d e']",
            "{\"a\":[[1,2],3]}\n$.a[0][-1]",
            "{\"a\":1}\nx ${record[\"a\"]['b']} ${tag_parts[-1]} ${time} ${hostname} %Y-%m-%d %3N %:z %-e",
            "{\"a\":\"b\"}\n/^(?<x>[^ ]*) \\h{2,}[[:alpha:]]$/im",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "expression" => [
            "^(?<a>[^ ]*) (?<b>[^ ]*?)(?: +(?<c>\\S*))?$\na b c d\n",
            "(?<x>a|b+|(?:c[ab]){2,3})*?(?<y>.*)c\nabacabcacabb c",
            "\"(?<q>(?:[^\"\\\\]|\\\\.)*)\" (?<n>\\d+)\\b\n\"a\\\"b\" 17",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        "strptime" => [
            "%d/%b/%Y:%H:%M:%S %z\n03/Dec/2013:16:29:19 +0700",
            "%a %y%m%e %I.%M %p %s%L%j%Z\nTue 13123 4.29 PM 1386088159123366EST",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        _ => [
            "\u{feff}",
            "127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] \"GET /favicon.ico HTTP/1.1\" 404 198 \"-\" \"Mozilla\"\n",
            "{\"time\":\"2026-11-20T23:24:37.281Z\",\"level\":\"info\",\"a\":{\"b\":[1,2]}}\n{\"x\":\"\\u00e9\"}\r\n",
            "2026-11-20 23:24:37,281 ERROR [main] a.b.C: it failed\njava.lang.X: y\n\tat a.b.C.d(C.java:1)\n",
            "<34>1 2026-11-20T23:24:37Z h app 1 ID [x@1 a=\"b\"] text\n<13>Nov 20 23:24:37 h app[2]: text\n",
            "level=info msg=\"a b\" x=1\nlevel=warn msg=c\n",
        ]
        .map(|text| text.as_bytes().repeat(3))
        .to_vec(),
    }
}

fn frame_seed() -> Vec<u8> {
    let mut batch = Batch { buffer: "GET /a 200\nGET /b 404\n".into(), ..Batch::default() };
    let name = std::sync::Arc::make_mut(&mut batch.names).intern("code");
    for (start, offset) in [(0, 100), (11, 111)] {
        let kind = sawlog_model::Kind::Number;
        batch.slots.push(Slot { start: start + 7, len: 3, name, kind, layout: 0 });
        let (slots_end, marks) = (batch.slots.len() as u32, sawlog_model::Marks(0));
        batch.rows.push(Row { start, len: 11, offset, time: 1, received: 2, slots_end, marks });
    }
    let mut bytes = Vec::new();
    frame::encode(&batch, &mut bytes);
    bytes
}

#[test]
fn seeded_damage_breaks_nothing() {
    for (number, (name, target)) in TARGETS.iter().enumerate() {
        withstand(name, target, &seeds(name), &mut Dice(number as u64), Duration::from_millis(400));
    }
}
