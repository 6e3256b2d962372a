//! The options of configured parsers, and making a [`Spec`] of them: everything is checked here. Knows nothing of texts.

use std::path::Path;
use std::sync::Arc;

use regex_automata::meta::Regex;
use sawlog_model::Limits;
use sawlog_pipeline::{ConfigError, Opt, OptKind, Options, opt};
use sawlog_sys::Sys;

use super::convert::{self, Conversions};
use super::expression::Expression;
use super::fields::detects_structured;
use super::strptime::Format;
use super::time::How;
use super::{Joins, Plan, Spec, Type, Unmatched};
use crate::format::lognorm::RuleBase;
use crate::format::zone::Clock;
use crate::shared::ruby_regex;

/// The options, for protocols that read lines or texts.
pub const OPTIONS: &[Opt] = &[
    opt(
        "parse.type",
        OptKind::Text,
        "auto",
        "regexp, json, nginx, apache2, apache_error, syslog, ltsv, csv, tsv, multiline, none, msgpack, logfmt, lognorm; auto: detected.",
    ),
    opt("parse.rulebase", OptKind::Text, "", "File with a rule base of liblognorm, for lognorm."),
    opt("parse.expression", OptKind::Text, "", "Expression with named groups, as /…/imx or without slashes."),
    opt("parse.time_key", OptKind::Text, "", "Field of the time; empty: that of the type, `time` for most."),
    opt("parse.time_type", OptKind::Text, "", "string, unixtime, float or mixed; empty: that of the type."),
    opt(
        "parse.time_format",
        OptKind::Text,
        "",
        "How the time is written, as strptime reads it: %d/%b/%Y:%H:%M:%S %z.",
    ),
    opt("parse.time_format_fallbacks", OptKind::List, "", "Other formats of the time, for time_type mixed."),
    opt(
        "parse.timezone",
        OptKind::Text,
        "",
        "Zone of times without one: a name, +09:00 or local; empty: that of the input.",
    ),
    opt("parse.keep_time_key", OptKind::Bool, "false", "Whether the field of the time stays in the record."),
    opt(
        "parse.estimate_current_event",
        OptKind::Bool,
        "true",
        "Whether a line without a time has that of its reading.",
    ),
    opt(
        "parse.types",
        OptKind::List,
        "",
        "Types of fields: size:integer, paid:bool, at:time:%s, list:array:|.",
    ),
    opt("parse.null_value_pattern", OptKind::Text, "", "Expression of texts that stand for null."),
    opt("parse.null_empty_string", OptKind::Bool, "false", "Whether empty texts stand for null."),
    opt("parse.keys", OptKind::List, "", "Names of the columns, for csv and tsv."),
    opt(
        "parse.delimiter",
        OptKind::Text,
        "",
        "What stands between fields, for csv, tsv and ltsv; \\t is a tab.",
    ),
    opt("parse.delimiter_pattern", OptKind::Text, "", "The same as an expression, for ltsv."),
    opt("parse.label_delimiter", OptKind::Text, ":", "What stands between label and value, for ltsv."),
    opt("parse.message_key", OptKind::Text, "message", "Name of the only field, for none."),
    opt("parse.message_format", OptKind::Text, "rfc3164", "rfc3164, rfc5424 or auto, for syslog."),
    opt("parse.with_priority", OptKind::Bool, "false", "Whether <34> stands before the line, for syslog."),
    opt(
        "parse.rfc5424_time_format",
        OptKind::Text,
        "%Y-%m-%dT%H:%M:%S.%L%z",
        "Format of the time, for syslog of RFC 5424.",
    ),
    opt(
        "parse.format_firstline",
        OptKind::Text,
        "",
        "Expression of lines that begin an event, for multiline.",
    ),
    opt("parse.join_before", OptKind::Text, "", "Expression of lines that belong to the line before them."),
    opt("parse.join_after", OptKind::Text, "", "Expression of lines that the next line belongs to."),
    opt(
        "parse.unmatched",
        OptKind::Text,
        "keep",
        "What becomes of lines that are not of this form: keep (whole, marked), drop (counted), emit (as unmatched_line).",
    ),
];

/// nginx's access log as Fluentd's parser of that name reads it.
const NGINX: &str = r#"^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>[^"]*?)(?: +\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^"]*)" "(?<agent>[^"]*)"(?:\s+"?(?<http_x_forwarded_for>[^"]*)"?)?)?$"#;
/// Apache's, with quotes behind backslashes.
const APACHE2: &str = r#"^(?<host>[^ ]*) [^ ]* (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>(?:[^"]|\\.)*?)(?: +\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>(?:[^"]|\\.)*)" "(?<agent>(?:[^"]|\\.)*)")?$"#;
const APACHE_ERROR: &str = r"^\[[^ ]* (?<time>[^\]]*)\] \[(?<level>[^\]]*)\](?: \[pid (?<pid>[^\]]*)\])?(?: \[client (?<client>[^\]]*)\])? (?<message>.*)$";
const ACCESS_TIME: &str = "%d/%b/%Y:%H:%M:%S %z";
const RFC3164: &str = r"(?<host>[^ ]*) (?<ident>[^ :\[]*)(?:\[(?<pid>[0-9]+)\])?(?:[^:]*:)? *(?<message>.*)$";
const RFC5424: &str = r"(?<time>[^ ]+) (?<host>[!-~]{1,255}) (?<ident>[!-~]{1,48}) (?<pid>[!-~]{1,128}) (?<msgid>[!-~]{1,32}) (?<extradata>-|(?:\[(?:[^\\]|\\.)*?\])+)(?: (?<message>.+))?\z";

impl Spec {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// [`ConfigError`] names the option and what is wrong.
    pub fn from_options(options: &Options) -> Result<Spec, ConfigError> {
        let unmatched = match options.text("parse.unmatched") {
            "" | "keep" => Unmatched::Keep,
            "drop" => Unmatched::Drop,
            "emit" => Unmatched::Emit,
            other => return wrong("unmatched", &format!("`{other}` is none of keep, drop and emit")),
        };
        let name = options.text("parse.type");
        if matches!(name, "" | "auto") {
            let given = |name: &&&str| !options.text(&format!("parse.{name}")).is_empty();
            return match ["expression", "time_format", "types", "keys", "format_firstline"].iter().find(given)
            {
                Some(name) => wrong(name, "has no meaning without `parse.type`"),
                None => Ok(Spec { plan: None, unmatched }),
            };
        }
        let (name, mut kind) = kind(name, options)?;
        // What the expression of nginx itself converts is nothing; dashes stay dashes.
        let zone = Some(options.text("parse.timezone")).filter(|zone| !zone.is_empty());
        if Clock::new(zone, 0).is_err() {
            return wrong(
                "timezone",
                "there is no such zone; give a name such as Europe/Zurich, an offset such as +02:00, or local",
            );
        }
        let null = convert::null(options.text("parse.null_value_pattern"));
        let types = convert::types(options.list("parse.types"));
        let conversions = Conversions {
            types: types.or_else(|error| wrong("types", &error))?,
            null: null.or_else(|error| wrong("null_value_pattern", &error))?,
            null_empty: options.flag("parse.null_empty_string"),
        };
        let mut plan = Plan {
            name,
            time_key: time_key(name, options),
            keep_time_key: options.flag("parse.keep_time_key"),
            estimate_current_event: options.text("parse.estimate_current_event") != "false",
            how: how(name, options)?,
            zone: zone.map(str::to_owned),
            conversions,
            joins: Joins { before: joined("join_before", options)?, after: joined("join_after", options)? },
            kind: Type::Json,
        };
        if let Type::Syslog { .. } = kind
            && options.flag("parse.with_priority")
        {
            plan.conversions.types.push(("pri".to_owned(), convert::Type::Integer));
        }
        std::mem::swap(&mut plan.kind, &mut kind);
        Ok(Spec { plan: Some(Arc::new(plan)), unmatched })
    }
}

fn wrong<T>(name: &str, message: &str) -> Result<T, ConfigError> {
    Err(ConfigError(format!("`parse.{name}`: {message}")))
}

/// The expression of lines that belong together with others.
fn joined(name: &str, options: &Options) -> Result<Option<Regex>, ConfigError> {
    match options.text(&format!("parse.{name}")) {
        "" => Ok(None),
        text => ruby_regex::compile(text).map(Some).or_else(|error| wrong(name, &error)),
    }
}

fn expression(name: &str, text: &str, dot_all: bool) -> Result<Expression, ConfigError> {
    let expression = Expression::new(text, dot_all).or_else(|error| wrong(name, &error))?;
    if expression.groups.is_empty() {
        return wrong(name, &format!("`{text}` has no named group; write one as (?<name>…)"));
    }
    Ok(expression)
}

fn kind(name: &str, options: &Options) -> Result<(&'static str, Type), ConfigError> {
    let given = options.text("parse.expression");
    let keys = || match options.list("parse.keys") {
        [] => wrong("keys", "csv and tsv need the names of the columns"),
        keys => Ok(keys.iter().flat_map(|key| key.split(',')).map(|key| key.trim().to_owned()).collect()),
    };
    let delimiter = |default: &str| match options.text("parse.delimiter") {
        "" => default.as_bytes().to_vec(),
        text => text.replace("\\t", "\t").into_bytes(),
    };
    Ok(match name {
        "regexp" | "regex" if given.is_empty() => return wrong("expression", "is missing"),
        "regexp" | "regex" => ("regexp", Type::Regexp(expression("expression", given, false)?)),
        "nginx" => {
            let text = if given.is_empty() { NGINX } else { given };
            ("nginx", Type::Regexp(expression("expression", text, false)?))
        }
        "apache2" | "apache" => ("apache2", Type::Apache2(expression("expression", APACHE2, false)?)),
        "apache_error" => ("apache_error", Type::Regexp(expression("expression", APACHE_ERROR, false)?)),
        "syslog" => ("syslog", syslog(options)?),
        "json" => ("json", Type::Json),
        "logfmt" => ("logfmt", Type::Logfmt),
        "ltsv" => ("ltsv", ltsv(options, delimiter("\t"))?),
        "csv" => ("csv", Type::Csv { keys: keys()?, cut: delimiter(",") }),
        "tsv" => ("tsv", Type::Tsv { keys: keys()?, cut: delimiter("\t") }),
        "multiline" if given.is_empty() => return wrong("expression", "is missing: give format1 and so on"),
        "multiline" => {
            let first = options.text("parse.format_firstline");
            let first = if first.is_empty() {
                None
            } else {
                Some(ruby_regex::compile(first).or_else(|error| wrong("format_firstline", &error))?)
            };
            ("multiline", Type::Multiline { first, expression: expression("expression", given, true)? })
        }
        "none" => ("none", Type::None { key: options.text("parse.message_key").to_owned() }),
        "msgpack" => ("msgpack", Type::Msgpack),
        "lognorm" => ("lognorm", Type::Lognorm(Box::new(rule_base(options.text("parse.rulebase"))?))),
        other => {
            let known = [
                "auto",
                "regexp",
                "json",
                "nginx",
                "apache2",
                "apache_error",
                "syslog",
                "ltsv",
                "csv",
                "tsv",
                "multiline",
                "none",
                "msgpack",
                "logfmt",
                "lognorm",
            ];
            let near = sawlog_pipeline::config::suggestion(other, known.into_iter());
            return wrong("type", &format!("there is no parser `{other}`{near}"));
        }
    })
}

fn rule_base(path: &str) -> Result<RuleBase, ConfigError> {
    if path.is_empty() {
        return wrong("rulebase", "is missing: the file with the rules");
    }
    RuleBase::read(&Sys::real(), Path::new(path), Limits::default())
        .or_else(|error| wrong("rulebase", &error.to_string()))
}

fn ltsv(options: &Options, cut: Vec<u8>) -> Result<Type, ConfigError> {
    let pattern = match options.text("parse.delimiter_pattern") {
        "" => None,
        text => Some(ruby_regex::compile(text).or_else(|error| wrong("delimiter_pattern", &error))?),
    };
    let label = match options.text("parse.label_delimiter") {
        "" => b":".to_vec(),
        text => text.replace("\\t", "\t").into_bytes(),
    };
    Ok(Type::Ltsv { cut, label, pattern })
}

fn syslog(options: &Options) -> Result<Type, ConfigError> {
    let priority = options.flag("parse.with_priority");
    let plain = match priority {
        true => format!(r"^<(?<pri>[0-9]+)>(?<time>[^ ]* {{1,2}}[^ ]* [^ ]*) {RFC3164}"),
        false => format!(r"^(?<time>[^ ]*\s*[^ ]* [^ ]*) {RFC3164}"),
    };
    let structured = match priority {
        true => format!(r"\A<(?<pri>[0-9]{{1,3}})>[1-9][0-9]{{0,2}} {RFC5424}"),
        false => format!(r"\A{RFC5424}"),
    };
    let (only_structured, detect) = match options.text("parse.message_format") {
        "" | "rfc3164" => (false, None),
        "rfc5424" => (true, None),
        "auto" => (false, Some(detects_structured().or_else(|error| wrong("message_format", &error))?)),
        other => return wrong("message_format", &format!("`{other}` is none of rfc3164, rfc5424 and auto")),
    };
    Ok(Type::Syslog {
        plain: Box::new(expression("message_format", &plain, false)?),
        structured: Box::new(expression("message_format", &structured, true)?),
        detect,
        only_structured,
    })
}

/// The field of the time: what is given, or what Fluentd's parser of that name takes.
fn time_key(name: &str, options: &Options) -> Option<String> {
    let fixed = matches!(name, "apache2" | "syslog");
    let given = Some(options.text("parse.time_key")).filter(|key| !key.is_empty() && !fixed);
    let default = !matches!(name, "csv" | "tsv" | "none" | "msgpack" | "lognorm");
    given.or(default.then_some("time")).map(str::to_owned)
}

fn how(name: &str, options: &Options) -> Result<How, ConfigError> {
    let compile =
        |option: &str, text: &str| Format::new(text).map(How::Format).or_else(|error| wrong(option, &error));
    let given = options.text("parse.time_format");
    let fallbacks = options.list("parse.time_format_fallbacks");
    match (name, options.text("parse.time_type")) {
        ("apache2", _) => return compile("time_format", ACCESS_TIME),
        ("syslog", _) => return syslog_time(options),
        (_, "unixtime") => return Ok(How::Unixtime),
        (_, "float") => return Ok(How::Float),
        ("json", "") if given.is_empty() && fallbacks.is_empty() => return Ok(How::Float),
        (_, "mixed") if given.is_empty() && fallbacks.is_empty() => {
            return wrong("time_type", "mixed needs `parse.time_format_fallbacks`");
        }
        (_, "" | "string" | "mixed") => {}
        (_, other) => {
            return wrong("time_type", &format!("`{other}` is none of string, unixtime, float and mixed"));
        }
    }
    let given = if given.is_empty() && name == "nginx" { ACCESS_TIME } else { given };
    let mut all = Vec::new();
    for text in
        [given].into_iter().chain(fallbacks.iter().map(String::as_str)).filter(|text| !text.is_empty())
    {
        all.push(match text {
            "unixtime" => How::Unixtime,
            "float" => How::Float,
            text => compile("time_format", text)?,
        });
    }
    Ok(match all.len() {
        0 => How::Text,
        1 => all.remove(0),
        _ => How::Mixed(all),
    })
}

fn syslog_time(options: &Options) -> Result<How, ConfigError> {
    let given = options.text("parse.time_format");
    let compile =
        |option: &str, text: &str| Format::new(text).map(How::Format).or_else(|error| wrong(option, &error));
    let plain = compile("time_format", if given.is_empty() { "%b %d %H:%M:%S" } else { given })?;
    let structured = match options.text("parse.rfc5424_time_format") {
        "" => "%Y-%m-%dT%H:%M:%S.%L%z",
        text => text,
    };
    let structured = compile("rfc5424_time_format", structured)?;
    let whole = compile("rfc5424_time_format", "%Y-%m-%dT%H:%M:%S%z")?;
    Ok(match options.text("parse.message_format") {
        "rfc5424" if given.is_empty() => How::Mixed(vec![structured, whole]),
        "rfc5424" => How::Mixed(vec![plain, whole]),
        "auto" => How::Mixed(vec![plain, structured, whole]),
        _ => plain,
    })
}
