//! Flags as programs in Go take them: `-name value`, `-name=value`, with one dash or two, until the first argument that is
//! none; a flag without a value is `true`. Knows nothing of any program.

use anyhow::{Result, anyhow, bail};

/// A flag: its name, whether it takes a value, and a sentence.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) takes: bool,
    pub(crate) help: &'static str,
}

/// What was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Given {
    values: Vec<(&'static str, String)>,
    /// Arguments after the flags.
    pub(crate) rest: Vec<String>,
}

impl Given {
    /// The value of a flag, the last one where it was given several times.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
    }

    /// A number of at least one.
    pub(crate) fn count(&self, name: &str, default: usize) -> Result<usize> {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| anyhow!("-{name} takes a number of at least 1"))
    }
}

/// Reads arguments; `-h`, `-help` give `help` where no flag has that name.
pub(crate) fn read(arguments: Vec<std::ffi::OsString>, flags: &[Flag]) -> Result<Given> {
    let mut given = Given::default();
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let name = argument.strip_prefix("--").or(argument.strip_prefix('-')).filter(|name| !name.is_empty());
        let Some(name) = name else {
            given.rest = std::iter::once(argument).chain(arguments).collect();
            break;
        };
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let flag = flags.iter().find(|flag| flag.name == name);
        match flag {
            None if matches!(name, "h" | "help") => given.values.push(("help", "true".to_owned())),
            None => bail!("there is no flag -{name}\n{}", usage(flags)),
            Some(flag) if flag.takes => {
                let value = value.or_else(|| arguments.next());
                let value = value.ok_or_else(|| anyhow!("-{name} needs a value\n{}", usage(flags)))?;
                given.values.push((flag.name, value));
            }
            Some(flag) => given.values.push((flag.name, value.unwrap_or_else(|| "true".to_owned()))),
        }
    }
    Ok(given)
}

/// One line for each flag.
pub(crate) fn usage(flags: &[Flag]) -> String {
    let line = |flag: &Flag| {
        format!("  -{}{}\n        {}", flag.name, if flag.takes { " VALUE" } else { "" }, flag.help)
    };
    flags.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] =
        &[Flag { name: "c", takes: true, help: "" }, Flag { name: "no-packed", takes: false, help: "" }];

    fn given(arguments: &[&str]) -> Result<Given> {
        read(arguments.iter().map(Into::into).collect(), FLAGS)
    }

    #[test]
    fn one_dash_or_two_and_values_in_both_forms() {
        for arguments in
            [["-c", "f"].as_slice(), &["--c", "f"], &["-c=f"], &["--c=f"], &["-c", "x", "-c", "f"]]
        {
            assert_eq!(given(arguments).unwrap().get("c"), Some("f"), "{arguments:?}");
        }
        let all = given(&["-no-packed", "tag", "-c", "5"]).unwrap();
        assert_eq!((all.get("no-packed"), all.get("c")), (Some("true"), None));
        assert_eq!(all.rest, ["tag", "-c", "5"], "flags end at the first argument");
        assert_eq!(given(&["-h"]).unwrap().get("help"), Some("true"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(given(&["-d"]).unwrap_err().to_string().starts_with("there is no flag -d"));
        assert!(given(&["-c"]).unwrap_err().to_string().starts_with("-c needs a value"));
        assert!(given(&["-c=0"]).unwrap().count("c", 1).is_err());
    }
}
