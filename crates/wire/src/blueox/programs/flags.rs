//! Options as Python's argparse takes them: `--name value`, `--name=value`, unambiguous beginnings of names, `-n value`,
//! `-nvalue`, several letters behind one dash, anywhere among the other arguments. Knows nothing of any program.

use super::{Failure, usage};

/// An option.
pub(super) struct Flag {
    pub short: char,
    pub long: &'static str,
    /// What its value is called; empty where it takes none.
    pub value: &'static str,
    pub help: &'static str,
}

/// No short form.
pub(super) const NONE: char = '\0';

/// Which events are read, for programs that read them.
pub(super) const TYPE_NAME: Flag = Flag {
    short: 'n',
    long: "type-name",
    value: "TYPE",
    help: "only this type; TYPE* for all that begin so",
};

/// Whose stream is read, for programs that read one.
pub(super) const HOST: Flag = Flag {
    short: 'H',
    long: "host",
    value: "HOST[:PORT]",
    help: "the live stream of this node (its control port, 3513; BLUEOX_CLIENT_HOST, else 127.0.0.1)",
};

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    values: Vec<(&'static str, String)>,
    /// Arguments that are no options.
    pub rest: Vec<String>,
}

impl Given {
    /// The value of an option, the last one where it was given several times.
    pub fn get(&self, long: &str) -> Option<&str> {
        self.values.iter().rev().find(|(have, _)| *have == long).map(|(_, value)| value.as_str())
    }

    /// All its values.
    pub fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        self.values.iter().filter(move |(have, _)| *have == long).map(|(_, value)| value.as_str())
    }

    /// Whether it was given.
    pub fn has(&self, long: &str) -> bool {
        self.get(long).is_some()
    }

    /// A whole number.
    pub fn number(&self, long: &str, default: u64) -> Result<u64, Failure> {
        let Some(text) = self.get(long) else { return Ok(default) };
        text.parse().map_err(|_| usage(format!("--{long}: `{text}` is no whole number")))
    }
}

/// Reads arguments; `None` where `-h` asked for help, which was printed.
pub(super) fn read(head: &str, arguments: &[String], flags: &[Flag]) -> Result<Option<Given>, Failure> {
    let mut given = Given::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            given.rest.extend(arguments.cloned());
            break;
        }
        if let Some(name) = argument.strip_prefix("--") {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            if name == "help" {
                println!("{}", help(head, flags));
                return Ok(None);
            }
            let flag = find(name, flags)?;
            let value = match (flag.value.is_empty(), value) {
                (true, Some(_)) => return Err(usage(format!("--{}: takes no value", flag.long))),
                (true, None) => String::new(),
                (false, value) => value.or_else(|| arguments.next().cloned()).ok_or_else(|| missing(flag))?,
            };
            given.values.push((flag.long, value));
        } else if let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let mut rest = letters.chars();
            while let Some(letter) = rest.next() {
                let flag = flags.iter().find(|flag| flag.short == letter);
                if letter == 'h' && flag.is_none() {
                    println!("{}", help(head, flags));
                    return Ok(None);
                }
                let flag = flag.ok_or_else(|| usage(format!("there is no option -{letter}")))?;
                if flag.value.is_empty() {
                    given.values.push((flag.long, String::new()));
                    continue;
                }
                let attached = rest.as_str();
                let value = match attached.is_empty() {
                    false => attached.strip_prefix('=').unwrap_or(attached).to_owned(),
                    true => arguments.next().cloned().ok_or_else(|| missing(flag))?,
                };
                given.values.push((flag.long, value));
                break;
            }
        } else {
            given.rest.push(argument.clone());
        }
    }
    Ok(Some(given))
}

fn missing(flag: &Flag) -> Failure {
    usage(format!("--{} needs a value", flag.long))
}

fn find<'a>(name: &str, flags: &'a [Flag]) -> Result<&'a Flag, Failure> {
    if let Some(flag) = flags.iter().find(|flag| flag.long == name) {
        return Ok(flag);
    }
    let mut begin = flags.iter().filter(|flag| flag.long.starts_with(name));
    match (begin.next(), begin.next()) {
        (Some(flag), None) => Ok(flag),
        (None, _) => Err(usage(format!("there is no option --{name}"))),
        (Some(one), Some(other)) => {
            Err(usage(format!("--{name} could be --{} or --{}", one.long, other.long)))
        }
    }
}

fn help(head: &str, flags: &[Flag]) -> String {
    let mut out = head.to_owned();
    for flag in flags {
        let short = if flag.short == NONE { String::new() } else { format!("-{}, ", flag.short) };
        let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value) };
        out.push_str(&format!("\n  {short}--{}{value}\n        {}", flag.long, flag.help));
    }
    out
}
