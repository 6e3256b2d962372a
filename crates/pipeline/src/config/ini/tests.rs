//! What the ini files of both may hold, and what becomes of it.

use sawlog_sys::{Open, Sys};

use super::*;
use crate::config::{Action, Config, Known, Target, lines, load};
use crate::{ConfigError, Opt, OptKind, Protocol};

const fn opt(name: &'static str, kind: OptKind) -> Opt {
    Opt { name, kind, default: "", help: "" }
}

const TAIL: Protocol = Protocol {
    name: "tail",
    options: &[
        opt("paths", OptKind::List),
        opt("exclude", OptKind::List),
        opt("tag", OptKind::Text),
        opt("host", OptKind::Text),
        opt("from_beginning", OptKind::Bool),
        opt("parse.type", OptKind::Text),
        opt("parse.expression", OptKind::Text),
        opt("parse.time_type", OptKind::Text),
        opt("parse.time_format", OptKind::Text),
        opt("parse.time_format_fallbacks", OptKind::List),
        opt("parse.timezone", OptKind::Text),
        opt("parse.keep_time_key", OptKind::Bool),
        opt("parse.unmatched", OptKind::Text),
        opt("parse.join_before", OptKind::Text),
        opt("parse.join_after", OptKind::Text),
        opt("ignore_empty", OptKind::Bool),
        opt("encoding", OptKind::Text),
        opt("pos_file", OptKind::Text),
        opt("tail_lines", OptKind::Number),
    ],
    input: Some(|_| Ok(Box::new(crate::config::tests::Never))),
    ..Protocol::EMPTY
};
const FORWARD: Protocol = Protocol {
    name: "forward",
    options: &[opt("to", OptKind::Address), opt("lane", OptKind::Bool)],
    output: Some(|_, _| Err(ConfigError(String::new()))),
    ..Protocol::EMPTY
};
/// An output with these options.
const fn out(name: &'static str, options: &'static [Opt]) -> Protocol {
    Protocol { name, options, output: Some(|_, _| Err(ConfigError(String::new()))), ..Protocol::EMPTY }
}

const FORMAT: Opt = opt("format.type", OptKind::Text);
const NEWLINE: Opt = opt("format.add_newline", OptKind::Bool);
const STDOUT: Protocol = out("stdout", &[FORMAT]);
const TCP: Protocol = out(
    "tcp",
    &[
        opt("to", OptKind::Text),
        opt("tls", OptKind::Bool),
        opt("tls_insecure", OptKind::Bool),
        opt("tls_ca", OptKind::List),
        opt("tls_cert", OptKind::Text),
        opt("tls_key", OptKind::Text),
        FORMAT,
    ],
);
const UDP: Protocol = out("udp", &[opt("to", OptKind::Text), FORMAT, NEWLINE]);
const REDIS: Protocol = out(
    "redis",
    &[opt("to", OptKind::List), opt("key", OptKind::List), opt("data_type", OptKind::Text), FORMAT],
);
const HTTP: Protocol = out(
    "http",
    &[opt("endpoint", OptKind::Text), opt("buffer.chunk_limit_size", OptKind::Bytes), FORMAT, NEWLINE],
);
const AMQP: Protocol = out(
    "amqp",
    &[
        opt("uri", OptKind::Text),
        opt("exchange", OptKind::Text),
        opt("exchange_type", OptKind::Text),
        opt("exchange_durable", OptKind::Bool),
        opt("routing_key", OptKind::Text),
        opt("bind_queue", OptKind::Text),
        opt("durable", OptKind::Bool),
        opt("persistent", OptKind::Bool),
        opt("tls_ca", OptKind::List),
        FORMAT,
    ],
);
const SET: Protocol = Protocol {
    name: "record_transformer",
    options: &[opt("set", OptKind::List)],
    filter: Some(|_, _| Err(ConfigError(String::new()))),
    ..Protocol::EMPTY
};
const KNOWN: Known<'static> =
    Known { protocols: &[&TAIL, &FORWARD, &STDOUT, &TCP, &UDP, &REDIS, &HTTP, &AMQP, &SET], settings: &[] };

struct Dir(tempfile::TempDir);

impl Dir {
    fn new(files: &[(&str, &str)]) -> Dir {
        let (dir, fs) = (tempfile::tempdir().unwrap(), Sys::real().fs);
        for (name, text) in files {
            let path = dir.path().join(name);
            fs.create_dir_all(path.parent().unwrap()).unwrap();
            let text = text.replace("DIR", dir.path().to_str().unwrap());
            fs.open(&path, Open::Create).unwrap().write_at(text.as_bytes(), 0).unwrap();
        }
        Dir(dir)
    }

    fn load(&self) -> Result<(Config, Vec<Finding>), Vec<Finding>> {
        let loaded = load(&Sys::real(), &self.0.path().join("main.ini"), KNOWN, None)?;
        // What is converted is read back as the same, but for its lines.
        let text = crate::config::write(&loaded.config, KNOWN);
        let back =
            crate::config::read(&text, KNOWN.protocols, &[]).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
        assert_eq!(crate::config::write(&back, KNOWN), text);
        Ok((loaded.config, loaded.notes))
    }
}

#[test]
fn flosculus_sends_each_file_to_its_own_or_the_inherited_remote() {
    let dir = Dir::new(&[(
        "main.ini",
        "; comment\n[flosculus]\nremote_host = hub\nremote_port = 24225\n\n[log:/var/log/nginx/a:b.log]\ntag = .app.x.\nformat = nginx\n\
         [log:/b]\ntag: b\nformat: (?P<a>[^ ;]*) ;(?P<time>[^\\]]*)\nremote_host: other\n\
         [log:/c]\ntag: c\nformat: (?P<a>.*)\n",
    )]);
    let (config, notes) = dir.load().unwrap();
    assert_eq!(notes, []);
    let [a, b, c] = &config.inputs[..] else { panic!("{:?}", config.inputs) };
    assert_eq!((a.options.text("paths"), a.options.text("tag")), ("/var/log/nginx/a:b.log", "app.x"));
    assert_eq!((a.options.text("parse.type"), a.options.text("from_beginning")), ("regexp", "false"));
    assert!(a.options.text("parse.expression").starts_with("(?<remote>[^ ]*) (?<host>[^ ]*) "), "nginx");
    assert_eq!(a.options.text("parse.keep_time_key"), "true");
    assert_eq!(b.options.text("parse.expression"), "(?<a>[^ ;]*) ;(?<time>[^\\]]*)");
    assert_eq!(b.options.text("parse.time_format"), "%d/%b/%Y:%H:%M:%S %z");
    assert_eq!(b.options.list("parse.time_format_fallbacks"), ["%d/%b/%Y:%H:%M:%S"]);
    assert_eq!(c.options.text("parse.time_format"), "", "without a time there is nothing to read it by");
    assert_eq!([&*a.label, &*b.label, &*c.label], ["@hub:24225", "@other:24225", "@hub:24225"]);
    let to: Vec<_> = config.steps.iter().map(|step| (&*step.label, config_target(&step.action))).collect();
    assert_eq!(to, [("@hub:24225", "hub:24225"), ("@other:24225", "other:24225")]);
}

fn config_target(action: &Action) -> &str {
    match action {
        Action::Send { to: Target::Output(output), last: true } => output.section.options.text("to"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flosculus_files_tell_all_that_is_wrong() {
    let dir = Dir::new(&[(
        "main.ini",
        "[log:/a]\ntag = a\nremote_port = x\n[other]\n[log:/b]\nformat = nginx\ntga = b\nnonsense\n",
    )]);
    let told = lines(&dir.load().unwrap_err(), true);
    for (line, part) in [
        (1, "no [flosculus] section"),
        (1, "needs `format`"),
        (3, "`x` is not a whole number"),
        (4, "[log:/path"),
        (5, "this [log:/b] needs `tag`"),
        (7, "did you mean `tag`"),
        (8, "key = value"),
    ] {
        assert!(
            told.lines().any(|told| told.contains(&format!("main.ini:{line}: ")) && told.contains(part)),
            "{line} {part}: {told}"
        );
    }
}

#[test]
fn beaver_follows_its_sections_and_those_of_conf_d() {
    let dir = Dir::new(&[
        (
            "main.ini",
            "[beaver]\nconfd_path: DIR/conf.d\nlogstash_version: 1\nhostname: web01\nrespawn_delay = 3 ; seconds\n\n\
             [/var/log/**/*.log]\ntype: sys\ntags: a,b\nadd_field: env,prod\nexclude: \\.(gz|bz2)$\n\n\
             [/srv/[ab].log]\nstart_position: beginning\nformat: rawjson\n",
        ),
        ("conf.d/2", "[beaver]\nx: y\n[/srv/c.log]\n"),
        ("conf.d/1", "[/srv/[ab].log]\ntype: over\n"),
    ]);
    let (config, notes) = dir.load().unwrap();
    let told: Vec<_> =
        notes.iter().map(|note| (note.file.file_name().unwrap().to_str().unwrap(), note.line)).collect();
    assert_eq!(told, [("main.ini", 5), ("2", 1)], "{notes:#?}");
    let [log, ab, c] = &config.inputs[..] else { panic!("{:?}", config.inputs) };
    assert_eq!(
        (log.options.text("paths"), log.options.text("tag"), log.options.text("host")),
        ("/var/log/**/*.log", "sys", "web01")
    );
    assert_eq!(
        (log.options.text("exclude"), log.options.text("from_beginning")),
        ("/**/*.{gz,bz2}", "false")
    );
    assert_eq!(log.options.text("parse.type"), "none");
    assert_eq!(
        (ab.options.text("tag"), ab.options.text("parse.type")),
        ("over", "none"),
        "conf.d stands for the section"
    );
    assert_eq!((c.options.text("paths"), &*c.label), ("/srv/c.log", ""));
    let [set, on, out] = &config.steps[..] else { panic!("{:?}", config.steps) };
    assert_eq!((&*set.label, &*on.label, &*out.label), ("@/var/log/**/*.log", "@/var/log/**/*.log", ""));
    let Action::Filter(set) = &set.action else { panic!("{set:?}") };
    assert_eq!(set.options.list("set"), ["tags=[\"a\",\"b\"]", "env=[\"prod\"]"]);
    assert_eq!(on.action, Action::Send { to: Target::Label(String::new()), last: true });
    assert_eq!(config.outputs()[0].section.kind, "stdout");
}

#[test]
fn beaver_s_transports_are_outputs() {
    let of = |text: &str| {
        let text = format!("[beaver]\nconfd_path: /none\n{text}\n[/a]\n");
        let (config, notes) = Dir::new(&[("main.ini", &text)]).load().unwrap_or_else(|e| panic!("{e:?}"));
        assert!(notes.is_empty(), "{notes:?}");
        let section = config.outputs()[0].section.clone();
        let given =
            section.options.0.iter().filter(|(_, values)| values.iter().any(|value| !value.is_empty()));
        let given = given.map(|(name, values)| format!("{name}={}", values.join(",")));
        format!("{} {}", section.kind, given.collect::<Vec<_>>().join(" "))
    };
    for (text, wanted) in [
        ("", "stdout format.type=logstash"),
        ("logstash_version: 0", "stdout format.type=logstash_v0"),
        ("transport: tcp\nudp_host: x", "tcp format.type=logstash to=127.0.0.1:9999"),
        (
            "transport: tcp\ntcp_host: h\ntcp_port: 5\ntcp_ssl_enabled: 1\ntcp_ssl_cacert: /ca\nformat: string",
            "tcp format.type=stamped tls=true tls_ca=/ca tls_insecure=false to=h:5",
        ),
        (
            "transport: tcp\ntcp_ssl_enabled: 1\ntcp_ssl_verify: 0\nformat: gelf",
            "tcp format.type=gelf tls=true tls_insecure=true to=127.0.0.1:9999",
        ),
        (
            "transport: udp\nudp_host: h\nformat: raw",
            "udp format.add_newline=false format.type=single_value to=h:9999",
        ),
        (
            "transport: redis",
            "redis data_type=list format.type=logstash key=logstash:beaver to=redis://localhost:6379/0",
        ),
        (
            "transport: redis\nredis_url: redis://a,redis://b\nredis_namespace: k\nredis_data_type: channel\nformat: msgpack",
            "redis data_type=channel format.type=logstash_msgpack key=k to=redis://a,redis://b",
        ),
        (
            "transport: http\nhttp_url: http://h/x\nformat: msgpack\nlogstash_version: 0",
            "http buffer.chunk_limit_size=1 endpoint=http://h/x format.add_newline=false format.type=logstash_v0_msgpack",
        ),
        (
            "transport: rabbitmq",
            "amqp bind_queue=logstash-queue durable=false exchange=logstash-exchange exchange_durable=false exchange_type=direct \
             format.type=logstash persistent=false routing_key=logstash-key uri=amqp://guest:guest@localhost:5672/%2f",
        ),
        (
            "transport: rabbitmq\nrabbitmq_host: h\nrabbitmq_port: 1\nrabbitmq_username: u\nrabbitmq_password: p@/\nrabbitmq_vhost: v\n\
             rabbitmq_queue: q\nrabbitmq_queue_durable: 1\nrabbitmq_exchange: e\nrabbitmq_exchange_type: fanout\n\
             rabbitmq_exchange_durable: 1\nrabbitmq_key: k\nrabbitmq_delivery_mode: 2\nrabbitmq_ssl: 1\nrabbitmq_ssl_cacert: /ca",
            "amqp bind_queue=q durable=true exchange=e exchange_durable=true exchange_type=fanout format.type=logstash persistent=true \
             routing_key=k tls_ca=/ca uri=amqps://u:p%40%2f@h:1/v",
        ),
    ] {
        assert_eq!(of(text), wanted);
    }
}

#[test]
fn beaver_s_files_may_go_out_in_their_own_format_and_to_their_own_key() {
    let text = "[beaver]\nconfd_path: /none\ntransport: redis\n[/a]\nformat: rawjson\n[/b]\nredis_namespace: k\ntags: x\n[/c]\n";
    let (config, notes) = Dir::new(&[("main.ini", text)]).load().unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let labels: Vec<&str> = config.inputs.iter().map(|input| &*input.label).collect();
    assert_eq!(labels, ["@/a", "@/b", ""]);
    let outputs = config.steps.iter().filter_map(|step| match &step.action {
        Action::Send { to: Target::Output(to), .. } => {
            let options = &to.section.options;
            Some((&*step.label, options.text("format.type").to_owned(), options.text("key").to_owned()))
        }
        _ => None,
    });
    let outputs: Vec<_> = outputs.collect();
    let own = |label, key: &str| (label, "logstash".to_owned(), key.to_owned());
    assert_eq!(outputs, [own("@/a", "logstash:beaver"), own("@/b", "k"), own("", "logstash:beaver")]);
}

#[test]
fn beaver_without_sections_follows_its_files_or_its_directory() {
    let of = |text: &str| Dir::new(&[("main.ini", text)]).load().unwrap().0;
    let paths = |config: &Config| -> Vec<String> {
        config.inputs.iter().map(|input| input.options.text("paths").to_owned()).collect()
    };
    assert_eq!(paths(&of("[beaver]\npath: /srv/\nconfd_path: /none\n")), ["/srv/*.log"]);
    let config = of("[beaver]\nfiles: /a,/b*\nsincedb_path: /var/since.db\nconfd_path: /none\n");
    assert_eq!(paths(&config), ["/a", "/b*"]);
    assert!(config.inputs.iter().all(|input| input.options.text("pos_file") == "/var/since.db"));
}

#[test]
fn beaver_s_lines_that_belong_together_and_those_that_are_left_out() {
    let text = "[beaver]\nconfd_path: /none\n[/a]\nmultiline_regex_before: ^\\s\nmultiline_regex_after: ,$\n\
                ignore_empty: 1\ntail_lines: 5\nencoding: shift_jis\n[/b]\nignore_empty: 0\n";
    let (config, notes) = Dir::new(&[("main.ini", text)]).load().unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let [a, b] = &config.inputs[..] else { panic!("{:?}", config.inputs) };
    let joins = (a.options.text("parse.join_before"), a.options.text("parse.join_after"));
    assert_eq!(joins, ("^\\s", ",$"));
    assert_eq!((a.options.text("ignore_empty"), a.options.number("tail_lines")), ("true", 5));
    assert!(!b.options.flag("ignore_empty"));
    assert_eq!([a, b].map(|input| input.options.text("encoding")), ["shift_jis", ""]);
}

#[test]
fn what_beaver_had_and_is_not_here_is_refused() {
    let dir = Dir::new(&[(
        "main.ini",
        "[beaver]\ntransport: kafka\nredis_url: redis://x\nformat: jsn\nconfd_path: /none\n[/a]\nexclude: ^/a/[0-9]+\ndelimiter: x\nstart_position: 5\nadd_field: a\n",
    )]);
    let told = lines(&dir.load().unwrap_err(), true);
    for (line, part) in [
        (1, "no transport `kafka` yet"),
        (4, "did you mean `json`"),
        (7, "cannot be written as a pattern"),
        (8, "only lines are read"),
        (9, "only end and beginning"),
        (10, "by turns"),
    ] {
        assert!(
            told.lines().any(|told| told.contains(&format!("main.ini:{line}: ")) && told.contains(part)),
            "{line} {part}: {told}"
        );
    }
}
