//! How rows find their way, what becomes of buffers, and what the author of a configuration is told of it.

use std::time::Duration;

use super::*;
use crate::config::{Action, FluentForm, Known, OutputSection, Overflow, QueueOptions, Role, Target};
use crate::{ConfigError, Opt, OptKind, Protocol, TagPattern};

const fn opt(name: &'static str, kind: OptKind, default: &'static str) -> Opt {
    Opt { name, kind, default, help: "" }
}

const TAIL: Protocol = Protocol {
    name: "tail",
    options: &[
        opt("paths", OptKind::List, ""),
        opt("tag", OptKind::Text, ""),
        opt("rescan", OptKind::Duration, "60s"),
        opt("expression", OptKind::Text, ""),
    ],
    input: Some(|_| Ok(Box::new(crate::config::tests::Never))),
    fluent: &[FluentForm {
        role: Role::Source,
        names: &["tail"],
        read: |reader| {
            let mut options = Vec::new();
            let rescan = reader.time("refresh_interval").map(crate::config::duration_text);
            options.extend(rescan.map(|text| ("rescan", vec![text])));
            options.extend(reader.text("expression").map(|text| ("expression", vec![text.to_owned()])));
            reader.required("path");
            options.extend(reader.list("path").map(|paths| ("paths", paths)));
            options.push(("tag", vec![reader.required("tag").to_owned()]));
            options
        },
    }],
    ..Protocol::EMPTY
};

const OUT: Protocol = Protocol {
    name: "out",
    options: &[
        opt("to", OptKind::Address, "127.0.0.1:1"),
        opt("buffer.timekey", OptKind::Duration, ""),
        opt("buffer.keys", OptKind::List, ""),
        opt("buffer.chunk_limit_size", OptKind::Bytes, ""),
    ],
    output: Some(|_, _| Err(ConfigError(String::new()))),
    fluent: &[FluentForm {
        role: Role::Match,
        names: &["out", "outer"],
        read: |reader| reader.text("to").map(|to| ("to", vec![to.to_owned()])).into_iter().collect(),
    }],
    ..Protocol::EMPTY
};

const DROP: Protocol = Protocol {
    name: "grep",
    filter: Some(|_, _| Err(ConfigError(String::new()))),
    fluent: &[FluentForm { role: Role::Filter, names: &["grep"], read: |_| Vec::new() }],
    ..Protocol::EMPTY
};

const KNOWN: Known<'static> = Known {
    protocols: &[&TAIL, &OUT, &DROP],
    settings: &[("data", OptKind::Text, ""), ("status", OptKind::Address, "")],
};

fn read_as(text: &str, compat: Compat) -> (Config, Vec<(usize, bool, String)>) {
    let fs = Sys::real().fs;
    let path = Path::new("/none/fluent.conf");
    let (config, findings) = super::read(&*fs, path, text, KNOWN, compat, &Surroundings::default());
    (config, findings.into_iter().map(|finding| (finding.line, finding.note, finding.message)).collect())
}

fn read(text: &str) -> Config {
    let (config, told) = read_as(text, Compat::Fluentd);
    assert_eq!(told, [], "{text}");
    again(&config);
    config
}

/// What is converted to `sawlog.toml` is read back as the same configuration.
fn again(config: &Config) {
    let text = crate::config::write(config, KNOWN);
    let back = crate::config::read(&text, KNOWN.protocols, KNOWN.settings)
        .unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    assert_eq!(without_lines(back), without_lines(config.clone()), "{text}");
}

fn without_lines(mut config: Config) -> Config {
    fn target(to: &mut Target) {
        match to {
            Target::Output(output) => {
                output.section.line = 0;
                output.secondary.iter_mut().for_each(|section| section.line = 0);
            }
            Target::Label(_) => {}
            Target::OneOf(all) => all.iter_mut().for_each(|(_, to)| target(to)),
        }
    }
    config.inputs.iter_mut().for_each(|input| input.line = 0);
    for step in &mut config.steps {
        match &mut step.action {
            Action::Filter(section) => section.line = 0,
            Action::Send { to, .. } => target(to),
        }
    }
    config
}

/// Steps in few words: label, pattern, what and whether it is the last.
fn ways(config: &Config) -> Vec<String> {
    fn words(target: &Target) -> String {
        match target {
            Target::Output(output) => output.section.options.text("to").to_owned(),
            Target::Label(label) => format!("label {label}"),
            Target::OneOf(all) => {
                let all = all.iter().map(|(weight, to)| format!("{weight}*{}", words(to)));
                format!("one of {}", all.collect::<Vec<_>>().join(" "))
            }
        }
    }
    let words = config.steps.iter().map(|step| {
        let what = match &step.action {
            Action::Filter(section) => format!("filter {}", section.name),
            Action::Send { to, last: true } => words(to),
            Action::Send { to, last: false } => format!("{} and on", words(to)),
        };
        format!("{}|{}|{what}", step.label, step.tags)
    });
    words.collect()
}

fn output(lines: &str) -> (OutputSection, Vec<(usize, bool, String)>) {
    let (config, told) = read_as(&format!("<match **>\n@type out\n{lines}\n</match>"), Compat::Fluentd);
    again(&config);
    let output = config.outputs().first().map(|output| (*output).clone());
    (output.unwrap_or_else(|| panic!("{told:?}")), told)
}

#[test]
fn sources_and_matches_become_inputs_and_steps_in_order() {
    let config = read(
        "<match a.**>\n@type out\nto h:1\n</match>\n<filter b.*>\ntype grep\n@id g\n</filter>\n\
         <match b.* c>\n@type outer\n@id o\nto h:2\n</match>\n\
         <source>\n@type tail\n@id t\npath /x,/y\ntag b.x\nrefresh_interval 90\n@label @L\n</source>\n\
         <label @L>\n<filter>\n@type grep\n</filter>\n<match **>\n@type relabel\n@label @ROOT\n</match>\n</label>\n",
    );
    assert_eq!(ways(&config), ["|a.**|h:1", "|b.*|filter g", "|b.* c|h:2", "@L|**|filter ", "@L|**|label "]);
    let input = &config.inputs[0];
    assert_eq!((&*input.kind, &*input.name, &*input.label, input.line), ("tail", "t", "@L", 14));
    assert_eq!(
        (input.options.list("paths"), input.options.text("rescan")),
        (&["/x".to_owned(), "/y".to_owned()][..], "90s")
    );
    assert_eq!(config.outputs()[1].section.name, "o");
    assert!(config.only_listed, "what Fluentd would not store is not stored");
}

#[test]
fn a_copy_sends_to_all_its_stores_and_only_the_last_ends_the_way() {
    let (config, told) = read_as(
        "<match a>\n@type copy\ncopy_mode deep\n<store ignore_error>\n@type out\nto h:1\n</store>\n\
         <store>\n@type copy\n<store>\n@type relabel\n@label @X\n</store>\n</store>\n<store>\n@type out\nto h:2\n</store>\n</match>\n\
         <label @X>\n<match>\n@type roundrobin\n<store>\n@type out\nto h:3\nweight 3\n</store>\n<store>\n@type out\nto h:4\n</store>\n\
         </match>\n</label>",
        Compat::Fluentd,
    );
    again(&config);
    assert_eq!(ways(&config), ["|a|h:1 and on", "|a|label @X and on", "|a|h:2", "@X|**|one of 3*h:3 1*h:4"]);
    assert_eq!(told.iter().map(|(line, note, _)| (*line, *note)).collect::<Vec<_>>(), [(3, true), (4, true)]);
}

#[test]
fn a_buffer_decides_on_the_queue_and_the_retries() {
    let (out, told) = output(
        "<buffer tag, time>\ntotal_limit_size 1g\noverflow_action drop_oldest_chunk\nretry_wait 2s\n\
         retry_exponential_backoff_base 3\nretry_max_interval 1m\nretry_max_times 5\nretry_timeout 1h\n\
         timekey 1d\nchunk_limit_size 8MB\n</buffer>",
    );
    assert_eq!(told, []);
    let wanted = QueueOptions {
        limit: Some(1 << 30),
        overflow: Overflow::DropOldest,
        retry_wait: Duration::from_secs(2),
        retry_max_wait: Duration::from_secs(60),
        retry_growth: 300,
        retry_times: Some(5),
        retry_time: Some(Duration::from_secs(3600)),
    };
    assert_eq!(out.queue, wanted);
    let options = &out.section.options;
    assert_eq!((options.text("buffer.timekey"), options.text("buffer.chunk_limit_size")), ("1d", "8MiB"));
    assert_eq!(options.list("buffer.keys"), ["tag", "time"]);
}

#[test]
fn retries_are_without_end_unless_asked_for() {
    let queue = |lines| output(lines).0.queue;
    assert_eq!(queue(""), QueueOptions::default());
    assert_eq!(queue("<buffer>\n</buffer>"), QueueOptions::default());
    assert_eq!(queue("<buffer>\nretry_forever\nretry_max_times 2\n</buffer>").retry_times, None);
    let periodic = queue("<buffer>\nretry_type periodic\nretry_wait 10\n</buffer>");
    assert_eq!((periodic.retry_growth, periodic.retry_max_wait), (100, Duration::from_secs(10)));
    let slow = queue("<buffer>\nretry_wait 2m\n</buffer>");
    assert_eq!((slow.retry_wait, slow.retry_max_wait), (Duration::from_secs(120), Duration::from_secs(120)));
    assert_eq!(queue("<buffer>\noverflow_action throw_exception\n</buffer>").overflow, Overflow::Refuse);
}

#[test]
fn a_secondary_gets_what_fails_for_four_fifths_of_the_tries() {
    let (out, told) = output("<buffer>\nretry_max_times 10\n</buffer>\n<secondary>\nto h:9\n</secondary>");
    assert_eq!(told, []);
    assert_eq!(out.secondary.unwrap().options.text("to"), "h:9", "its type is that of the first");
    assert_eq!((out.queue.retry_times, out.queue.retry_time), (Some(8), None));
    let (out, _) = output("<secondary>\n@type outer\n</secondary>");
    assert_eq!(out.queue.retry_time, Some(Duration::from_secs(72 * 3600 * 4 / 5)));
    let (_, told) = output("<buffer>\nretry_forever true\n</buffer>\n<secondary>\n</secondary>");
    assert!(!told[0].1 && told[0].2.contains("would never get anything"), "{told:?}");
}

#[test]
fn the_flat_options_of_old_versions_are_those_of_a_buffer() {
    let (out, told) = output(
        "buffer_type file\nbuffer_path /x\nbuffer_chunk_limit 4m\nbuffer_queue_limit 10\nretry_limit 7\nretry_wait 3\n\
         max_retry_wait 30s\nbuffer_queue_full_action exception\ntime_slice_format %Y%m%d%H\nflush_interval 5s\nnum_threads 2",
    );
    assert_eq!(
        (out.queue.limit, out.queue.retry_times, out.queue.overflow),
        (Some(40 << 20), Some(7), Overflow::Refuse)
    );
    assert_eq!(
        (out.queue.retry_wait, out.queue.retry_max_wait),
        (Duration::from_secs(3), Duration::from_secs(30))
    );
    let options = &out.section.options;
    assert_eq!((options.text("buffer.timekey"), options.text("buffer.chunk_limit_size")), ("1h", "4MiB"));
    assert_eq!(options.list("buffer.keys"), ["time"]);
    let mut lines: Vec<_> = told.iter().map(|(line, note, _)| (*line, *note)).collect();
    lines.sort_unstable();
    assert_eq!(lines, [(4, true), (12, true), (13, true)], "path, flush_interval and num_threads: {told:?}");
}

#[test]
fn what_has_no_effect_is_told_and_what_is_unknown_refused() {
    let (_, told) = output(
        "<buffer x>\n@type memory\nflush_at_shutdown\nflush_mod lazy\n</buffer>\nlog_level warn\ntoo h:1",
    );
    let words =
        |line| told.iter().find(|(at, ..)| *at == line).map(|(_, note, message)| (*note, message.as_str()));
    assert!(
        words(4).is_some_and(|(note, message)| note && message.contains("the journal on disk is the buffer"))
    );
    assert!(words(5).is_some_and(|(note, _)| note));
    assert!(
        words(6).is_some_and(|(note, message)| !note && message.contains("did you mean `flush_mode`")),
        "{told:?}"
    );
    assert!(words(8).is_some_and(|(note, _)| note));
    assert!(words(9).is_some_and(|(note, message)| !note && message.contains("did you mean `to`")));
}

#[test]
fn unknown_types_labels_and_sections_are_told_with_the_nearest() {
    let (_, told) = read_as(
        "<source>\n@type tial\n@label @X\n</source>\n<match a>\n@type kafka2\n</match>\n<match b>\n@type relable\n</match>\n\
         <mach c>\n</mach>\n<filter>\n</filter>\n<label X>\n</label>\n<match d>\n@type copy\n</match>\n<match {a>\n@type out\n</match>\n\
         <label @Y>\n<source>\n</source>\n</label>\n<source>\n@type monitor_agent\nport 1\n</source>\n<scoreboard>\n</scoreboard>",
        Compat::Fluentd,
    );
    let parts = [
        (1, "no <label @X>"),
        (1, "did you mean `tail`"),
        (5, "no `kafka2` yet; send to a Fluentd"),
        (8, "did you mean `relabel`"),
        (11, "did you mean `match`"),
        (13, "add `@type"),
        (15, "<label @X>"),
        (17, "no <store>"),
        (20, "a { without its }"),
        (24, "stands outside of labels"),
        (27, "the status page"),
        (31, "--compat ik"),
    ];
    for (line, part) in parts {
        assert!(
            told.iter().any(|(at, _, message)| *at == line && message.contains(part)),
            "{line} {part}: {told:#?}"
        );
    }
    assert_eq!(told.len(), parts.len(), "{told:#?}");
    assert!(told.iter().all(|(line, note, _)| *note == (*line == 27)));
}

#[test]
fn the_system_section_gives_the_data_directory_and_notes() {
    let (config, told) = read_as(
        "<system>\nroot_dir /d\nworkers 4\n<log>\nformat json\n</log>\nwrong 1\n</system>",
        Compat::Fluentd,
    );
    assert_eq!(config.settings["data"], "/d");
    let told: Vec<_> = told.iter().map(|(line, note, _)| (*line, *note)).collect();
    assert_eq!(told, [(3, true), (4, true), (7, false)]);
}

#[test]
fn in_ik_every_match_gets_the_rows() {
    let text = "<source>\ntype tail\npath /x\ntag a.b\nregexp ^(?P<a>.)\nrefresh_interval 1m30s\n</source>\n<match a.**>\ntype out\nbuffer_chunk_limit 1k\n</match>\n\
                <match **>\ntype out\n</match>\n<scoreboard>\ntype html_http\nport 1234\n</scoreboard>\n";
    let (config, told) = read_as(text, Compat::Ik);
    assert_eq!(told, []);
    again(&config);
    assert_eq!(ways(&config), ["|a.**|127.0.0.1:1 and on", "|**|127.0.0.1:1 and on"]);
    assert_eq!(config.steps[0].tags, TagPattern::parse_ik("a.**").unwrap());
    assert_eq!(config.inputs[0].options.text("rescan"), "90s");
    assert_eq!(config.outputs()[0].section.options.text("buffer.chunk_limit_size"), "1000");
    assert_eq!(config.settings["status"], "0.0.0.0:1234");
    assert_eq!(config.inputs[0].options.text("expression"), "^(?<a>.)");
    let refused = read_as(&text.replace("1m30s", "soon"), Compat::Ik).1;
    assert_eq!((refused.len(), refused[0].0), (1, 6));
}

/// Lines of notes that speak of ik.
fn of_ik(matches: &[&str], kind: &str) -> Vec<usize> {
    let text: String =
        matches.iter().map(|pattern| format!("<match {pattern}>\ntype {kind}\n</match>\n")).collect();
    let (_, told) = read_as(&text, Compat::Fluentd);
    told.iter()
        .filter(|(_, note, message)| *note && message.contains("--compat ik"))
        .map(|(line, ..)| *line)
        .collect()
}

#[test]
fn where_ik_would_send_to_both_is_told() {
    assert_eq!(of_ik(&["a.**", "b.**", "**"], "stdout"), [7]);
    assert_eq!(of_ik(&["a.*", "a.b.c", "a.b*"], "file"), [7]);
    assert_eq!(of_ik(&["a.{b,c{d,e}}", "a.cd", "a.c"], "forward"), [4]);
    assert_eq!(of_ik(&["a.**", "a"], "forward"), [4]);
    assert_eq!(of_ik(&["a.*", "a.b.c"], "tail"), []);
    assert_eq!(of_ik(&["**", "a"], "out"), [], "ik has no such output");
}

#[test]
fn what_can_get_nothing_is_told() {
    let (_, told) =
        read_as("<match **>\n@type out\n</match>\n<match a>\n@type out\n</match>", Compat::Fluentd);
    assert_eq!((told.len(), told[0].0, told[0].1), (1, 4, true));
    assert!(told[0].2.contains("<match **> of line 1 takes all"));
}
