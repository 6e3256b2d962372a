//! The list of formats, and choosing one of them by the first lines of a source. A new format is its own file and a line
//! here.

use std::sync::Arc;

use sawlog_model::Names;

use super::access::Access;
use super::container::{Cri, Docker, is_cri, is_docker};
use super::json::{Json, is_object};
use super::line::{Format, Line, Out};
use super::logfmt::{Logfmt, is_logfmt};
use super::ltsv::{Ltsv, is_ltsv};
use super::mysql_slow::{MysqlSlow, is_slow_query};
use super::nginx_error::{NginxError, is_nginx_error};
use super::syslog::{Syslog, is_syslog};
use super::text::{Habit, Text};
use super::w3c::{W3c, is_header};
use super::zone::Clock;

/// The first lines of a source, without terminators, blank ones left out.
pub(super) struct Sample<'a> {
    pub lines: Vec<&'a [u8]>,
    /// How many of them have a time near their start.
    timed: usize,
}

impl<'a> Sample<'a> {
    pub fn new(lines: Vec<&'a [u8]>) -> Self {
        let lines: Vec<&[u8]> = lines.into_iter().filter(|line| !line.trim_ascii().is_empty()).collect();
        let habit = Habit::default();
        let timed = lines.iter().filter(|line| habit.find(line).is_some()).count();
        Sample { lines, timed }
    }

    /// How many of a hundred lines are such.
    fn share(&self, is_such: impl Fn(&[u8]) -> bool) -> u32 {
        percent(self.lines.iter().filter(|line| is_such(line)).count(), self.lines.len())
    }

    /// The same of the lines that have a time: the others go on with the one before.
    fn share_of_timed(&self, is_such: impl Fn(&[u8]) -> bool) -> u32 {
        percent(self.lines.iter().filter(|line| is_such(line)).count(), self.timed)
    }
}

fn percent(part: usize, whole: usize) -> u32 {
    (part * 100).checked_div(whole).map_or(0, |percent| percent.min(100) as u32)
}

/// A format as the list has it.
pub(super) struct Definition {
    pub name: &'static str,
    /// How many of a hundred lines it reads.
    score: fn(&Sample<'_>) -> u32,
    /// A reader of it, given the first lines where there are any.
    make: fn(&mut Names, &Sample<'_>) -> Box<dyn Format>,
}

/// All formats; of two that read as many lines, the earlier is taken.
pub(super) const FORMATS: &[Definition] = &[
    Definition {
        name: "docker",
        score: |sample| sample.share(|line| is_docker(line) && is_object(line)),
        make: |names, _| Box::new(Docker::new(names)),
    },
    Definition { name: "json", score: |sample| sample.share(is_object), make: |_, _| Box::new(Json::new()) },
    Definition {
        name: "access",
        score: |sample| reads(sample, |names| Box::new(Access::new(names))),
        make: |names, _| Box::new(Access::new(names)),
    },
    Definition {
        name: "nginx-error",
        score: |sample| sample.share_of_timed(is_nginx_error),
        make: |names, _| Box::new(NginxError::new(names)),
    },
    Definition {
        name: "w3c",
        score: |sample| if sample.lines.iter().any(|line| is_header(line)) { 100 } else { 0 },
        make: |names, _| Box::new(W3c::new(names)),
    },
    Definition {
        name: "mysql-slow",
        score: |sample| {
            if sample.lines.iter().filter(|line| is_slow_query(line)).count() > 1 { 100 } else { 0 }
        },
        make: |names, _| Box::new(MysqlSlow::new(names)),
    },
    Definition {
        name: "cri",
        score: |sample| sample.share(is_cri),
        make: |names, _| Box::new(Cri::new(names)),
    },
    Definition { name: "ltsv", score: |sample| sample.share(is_ltsv), make: |_, _| Box::new(Ltsv) },
    Definition { name: "logfmt", score: |sample| sample.share(is_logfmt), make: |_, _| Box::new(Logfmt) },
    Definition {
        name: "syslog",
        score: |sample| sample.share_of_timed(is_syslog),
        make: |names, _| Box::new(Syslog::new(names)),
    },
    Definition {
        name: "text",
        score: |_| 0,
        make: |names, sample| Box::new(Text::new(names, Habit::learn(&sample.lines))),
    },
];

/// How many of a hundred lines a reader finds a time in.
fn reads(sample: &Sample<'_>, make: fn(&mut Names) -> Box<dyn Format>) -> u32 {
    let mut names = Names::default();
    let mut format = make(&mut names);
    let (mut names, mut slots) = (Arc::new(names), Vec::new());
    let mut clock = Clock::utc(i64::MAX / 2);
    let limits = sawlog_model::Limits::default();
    let mut read = 0;
    for bytes in &sample.lines {
        slots.clear();
        let (mut made, base) = (Vec::new(), usize::MAX);
        let mut out = Out {
            slots: &mut slots,
            names: &mut names,
            clock: &mut clock,
            limits: &limits,
            made: &mut made,
            base,
        };
        read += usize::from(format.read(Line { bytes, start: 0 }, &mut out).time.is_some());
    }
    percent(read, sample.lines.len())
}

/// The least share of lines, in a hundred, that a format must read.
const ENOUGH: u32 = 50;

/// The number of the format that reads the most lines; the last of the list where none reads enough.
pub(super) fn choose(sample: &Sample<'_>) -> (usize, bool) {
    let mut best = (FORMATS.len() - 1, ENOUGH - 1);
    for (number, format) in FORMATS.iter().enumerate() {
        let score = (format.score)(sample);
        if score > best.1 {
            best = (number, score);
        }
    }
    (best.0, best.1 >= ENOUGH)
}

/// The number of the format of this name, by which people also know it.
pub(super) fn by_name(name: &str) -> Option<usize> {
    let name = match name {
        "nginx" | "apache" | "combined" | "common" | "apache2" => "access",
        "log4j" | "logback" | "glog" | "klog" | "postgres" | "mongodb" | "plain" => "text",
        "rfc3164" | "rfc5424" => "syslog",
        "iis" | "zeek" => "w3c",
        name => name,
    };
    FORMATS.iter().position(|format| format.name == name)
}

/// A reader of the format of this number.
pub(super) fn make(number: usize, names: &mut Names, sample: &Sample<'_>) -> Box<dyn Format> {
    (FORMATS[number].make)(names, sample)
}
