//! What a protocol declares: one constant per folder of `wire` or `connect`, plain data from which configuration checks,
//! documentation, conformance tests and fuzzing are made.

use std::collections::BTreeMap;

use sawlog_model::{Limits, Value};

use crate::config::FluentForm;
use crate::{Filter, Input, Output};

/// Makes an input from checked options.
pub type MakeInput = fn(&Options) -> Result<Box<dyn Input>, ConfigError>;

/// Makes an output from checked options.
pub type MakeOutput = fn(&Options, &crate::Env) -> Result<Box<dyn Output>, ConfigError>;

/// Makes a filter from checked options.
pub type MakeFilter = fn(&Options, &crate::Env) -> Result<Box<dyn Filter>, ConfigError>;

/// What is wrong with options that are each of their kind.
pub type CheckOptions = fn(&Options) -> Vec<WrongOption>;

/// Something wrong in the value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOption {
    /// Which one.
    pub option: &'static str,
    /// Line inside its value, from 0.
    pub line: usize,
    /// What is wrong and what would do.
    pub message: String,
    /// Not wrong, but worth knowing.
    pub note: bool,
}

/// A protocol, an output of another kind, or a filter: whatever a configuration names by a type.
pub struct Protocol {
    /// Its name in configurations (`type = "forward"`).
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Its options.
    pub options: &'static [Opt],
    /// Makes an input from checked options.
    pub input: Option<MakeInput>,
    /// Makes an output from checked options.
    pub output: Option<MakeOutput>,
    /// Whether an output of these options shows rows to nobody on their way: it speaks TLS, or gives them to nothing beyond this
    /// machine. What is to be dispatched over TLS only goes to no other.
    pub private: fn(&Options) -> bool,
    /// Makes a filter from checked options.
    pub filter: Option<MakeFilter>,
    /// Looks at what only the protocol understands of its options (a program, say), when a configuration is read: pure.
    pub check: Option<CheckOptions>,
    /// What Fluentd's configurations call it, and how its options are read from them.
    pub fluent: &'static [FluentForm],
    /// Its decoder, for conformance and fuzzing; `None` where it has none of its own.
    pub decoder: Option<fn(Limits) -> Box<dyn Decoder>>,
    /// Valid streams and what they mean.
    pub samples: &'static [Sample],
}

impl Protocol {
    /// One that has nothing, to begin a constant with.
    pub const EMPTY: Protocol = Protocol {
        name: "",
        summary: "",
        options: &[],
        input: None,
        output: None,
        private: speaks_tls,
        filter: None,
        check: None,
        fluent: &[],
        decoder: None,
        samples: &[],
    };
}

/// Schemes of addresses that are reached over TLS.
const OVER_TLS: [&str; 4] = ["https://", "amqps://", "rediss://", "tls://"];

/// Whether every address of an output is reached over TLS, to a peer whose certificate is looked at. Where addresses have no
/// scheme, the option `tls` says it.
pub fn speaks_tls(options: &Options) -> bool {
    let given = options.0.iter().filter(|(name, _)| name.as_str() != "proxy").flat_map(|(_, values)| values);
    let mut addresses = given.filter(|value| value.contains("://")).peekable();
    let secure = |address: &String| OVER_TLS.iter().any(|scheme| address.starts_with(scheme));
    let over_tls = if addresses.peek().is_some() { addresses.all(secure) } else { options.flag("tls") };
    over_tls && !options.flag("tls_insecure")
}

/// An option of a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opt {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptKind,
    /// What it is where it is not given, as text.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// An option, by what it is, in the order of its fields.
pub const fn opt(name: &'static str, kind: OptKind, default: &'static str, help: &'static str) -> Opt {
    Opt { name, kind, default, help }
}

/// Tables of options, one behind the other, for a protocol that shares options with others:
/// `options: options![OWN, door::OPTIONS]`.
#[macro_export]
macro_rules! options {
    ($($part:expr),+) => {{
        const PARTS: &[&[$crate::Opt]] = &[$($part),+];
        &$crate::concat::<{ $crate::total(PARTS) }>(PARTS)
    }};
}

/// How many options there are in all; for [`options!`].
#[doc(hidden)]
pub const fn total(parts: &[&[Opt]]) -> usize {
    let (mut sum, mut part) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// The options of all parts, of which there are `N`; for [`options!`].
#[doc(hidden)]
pub const fn concat<const N: usize>(parts: &[&[Opt]]) -> [Opt; N] {
    let mut all = [opt("", OptKind::Text, "", ""); N];
    let (mut at, mut part, mut within) = (0, 0, 0);
    while at < N {
        if within == parts[part].len() {
            (part, within) = (part + 1, 0);
        } else {
            all[at] = parts[part][within];
            (at, within) = (at + 1, within + 1);
        }
    }
    all
}

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptKind {
    /// Any text.
    Text,
    /// A list of texts.
    List,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// A number of bytes, such as `64MiB`.
    Bytes,
    /// A time, such as `5s`.
    Duration,
    /// An address to listen on or to connect to.
    Address,
}

/// The options given for one input or output, by name; lists of texts, one for all kinds but lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(pub BTreeMap<String, Vec<String>>);

impl Options {
    /// The text of an option; empty where it is not given.
    pub fn text(&self, name: &str) -> &str {
        self.list(name).first().map_or("", String::as_str)
    }

    /// All texts of a list.
    pub fn list(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether it is `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// A whole number; 0 where it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// A number of bytes; 0 where it is none.
    pub fn bytes(&self, name: &str) -> usize {
        crate::config::bytes(self.text(name)).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
    }

    /// A time; 0 where it is none.
    pub fn duration(&self, name: &str) -> std::time::Duration {
        let nanos = crate::config::duration(self.text(name)).and_then(|nanos| u64::try_from(nanos).ok());
        std::time::Duration::from_nanos(nanos.unwrap_or(0))
    }

    /// An address to listen on: an IP address and a port; without an address or as `*`, all of this machine.
    ///
    /// # Errors
    /// [`ConfigError`] where it is a name or has no port.
    pub fn listen(&self, name: &str) -> Result<std::net::SocketAddr, ConfigError> {
        let text = self.text(name);
        let full = match text.strip_prefix('*').unwrap_or(text) {
            port if port.starts_with(':') => format!("[::]{port}"),
            address => address.replacen("localhost:", "127.0.0.1:", 1),
        };
        full.parse().map_err(|_| {
            ConfigError(format!("`{name} = {text}` is no address to listen on; write it as 127.0.0.1:24224"))
        })
    }
}

/// A configuration that cannot be; the text says what and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// A valid stream of bytes and the events in it.
pub struct Sample {
    /// What it shows.
    pub name: &'static str,
    /// The bytes of one connection.
    pub bytes: &'static [u8],
    /// How many events it holds.
    pub events: usize,
}

/// A decoder of one connection's bytes, fed in pieces of any size.
pub trait Decoder: Send {
    /// Takes the next piece and gives the events that are whole now, in order: tag or source name, and the event.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is to be closed; events before the error were given.
    fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError>;
    /// Bytes it holds of what is not whole yet.
    fn held(&self) -> usize;
}

/// Bytes that are not of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} (byte {at} of the connection)")]
pub struct DecodeError {
    /// One of few fixed words for counters.
    pub reason: &'static str,
    /// What is wrong, in words.
    pub what: String,
    /// Where.
    pub at: u64,
}
