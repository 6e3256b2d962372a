//! The servers of an output, and which of them is to get a message. Knows nothing of connections.

use sawlog_model::SourceId;
use sawlog_pipeline::{ConfigError, Options};
use xxhash_rust::xxh3::xxh3_64;

use crate::forward::notation::Entry;

/// What may be said of a server.
const KEYS: &[&str] = &["name", "weight", "standby", "shared_key", "username", "password"];

/// Weight of a server that says none, as Fluentd has it.
const WEIGHT: u32 = 60;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Host and port.
    pub address: String,
    /// Name that its certificate must have; the host where it has none.
    pub name: String,
    pub weight: u32,
    /// It is used only while others are away.
    pub standby: bool,
    pub shared_key: String,
    pub user: String,
    pub password: String,
}

impl Server {
    fn read(text: &str, options: &Options) -> Result<Server, ConfigError> {
        let entry = Entry::read(text, KEYS)?;
        let host = entry.name.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let Some((host, _)) = host else {
            return Err(ConfigError(format!("the server `{}` has no port; write HOST:PORT", entry.name)));
        };
        let or = |key: &str| entry.get(key).unwrap_or_else(|| options.text(key)).to_owned();
        let number =
            |text: &str| text.parse().map_err(|_| ConfigError(format!("`weight={text}` is no number")));
        Ok(Server {
            name: entry.get("name").unwrap_or(host.trim_matches(['[', ']'])).to_owned(),
            weight: entry.get("weight").map_or(Ok(WEIGHT), number)?,
            standby: entry.get("standby") == Some("true"),
            shared_key: or("shared_key"),
            user: or("username"),
            password: or("password"),
            address: entry.name,
        })
    }
}

/// The servers that the options name: those of `servers`, else the one of `to`.
///
/// # Errors
/// [`ConfigError`] where one cannot be, or none is there to be used.
pub(super) fn read(options: &Options) -> Result<Vec<Server>, ConfigError> {
    let given: Vec<&str> =
        options.list("servers").iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
    let texts = if given.is_empty() { vec![options.text("to")] } else { given };
    let servers: Vec<Server> =
        texts.into_iter().map(|text| Server::read(text, options)).collect::<Result<_, _>>()?;
    if !servers.iter().any(|server| !server.standby && server.weight > 0) {
        return Err(ConfigError("no server is used: one must have a weight and be no standby".to_owned()));
    }
    Ok(servers)
}

/// By what messages are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spread {
    /// In turns, by weight.
    Turns,
    /// Each source has its server, chosen by weight: a lane's marks are the receiver's.
    Sources,
}

struct Candidate {
    key: u64,
    weight: u32,
    standby: bool,
    available: bool,
    /// What it is owed by those that had their turn.
    credit: i64,
}

/// Chooses servers.
pub(super) struct Choice {
    candidates: Vec<Candidate>,
    spread: Spread,
}

impl Choice {
    pub(super) fn new(servers: &[Server], spread: Spread) -> Choice {
        let candidate = |server: &Server| Candidate {
            key: xxh3_64(server.address.as_bytes()),
            weight: server.weight,
            standby: server.standby,
            available: true,
            credit: 0,
        };
        Choice { candidates: servers.iter().map(candidate).collect(), spread }
    }

    pub(super) fn is_available(&self, server: usize) -> bool {
        self.candidates[server].available
    }

    pub(super) fn set_available(&mut self, server: usize, available: bool) {
        self.candidates[server].available = available;
    }

    /// Those that are used: the available ones, with as many standbys as make good for the weight that is away. None
    /// where nobody is available.
    fn active(&self) -> Vec<usize> {
        let numbered = || self.candidates.iter().enumerate().filter(|(_, candidate)| candidate.weight > 0);
        let regular = || numbered().filter(|(_, candidate)| !candidate.standby);
        let up = regular().filter(|(_, candidate)| candidate.available);
        let mut active: Vec<usize> = up.map(|(index, _)| index).collect();
        let away = regular().filter(|(_, candidate)| !candidate.available);
        let mut lost: i64 = away.map(|(_, candidate)| i64::from(candidate.weight)).sum();
        for (index, candidate) in numbered().filter(|(_, candidate)| candidate.standby && candidate.available)
        {
            if lost > 0 {
                active.push(index);
                lost -= i64::from(candidate.weight);
            }
        }
        active
    }

    /// Whether a server other than this one is used now.
    pub(super) fn has_other(&self, server: usize) -> bool {
        self.active().iter().any(|active| *active != server)
    }

    /// The server for the next message of a source. Where none is available, one that will be waited for.
    pub(super) fn choose(&mut self, source: SourceId) -> usize {
        let mut active = self.active();
        let regular = |index: &usize| !self.candidates[*index].standby && self.candidates[*index].weight > 0;
        let all: Vec<usize> = (0..self.candidates.len()).filter(regular).collect();
        if active.is_empty() {
            active.clone_from(&all);
        }
        match self.spread {
            Spread::Turns => self.turn(&active),
            Spread::Sources => {
                let own = self.nearest(&all, source);
                if active.contains(&own) { own } else { self.nearest(&active, source) }
            }
        }
    }

    /// The next in turn: over a round each has as many as its weight says, evenly spread.
    fn turn(&mut self, active: &[usize]) -> usize {
        let mut total = 0;
        for index in active {
            let candidate = &mut self.candidates[*index];
            candidate.credit += i64::from(candidate.weight);
            total += i64::from(candidate.weight);
        }
        let best =
            active.iter().copied().max_by_key(|index| (self.candidates[*index].credit, usize::MAX - index));
        let best = best.unwrap_or_default();
        self.candidates[best].credit -= total;
        best
    }

    /// The one that a source prefers (weighted rendezvous hashing): where one goes away only its sources move.
    fn nearest(&self, among: &[usize], source: SourceId) -> usize {
        let score = |index: usize| {
            let candidate = &self.candidates[index];
            let mut bytes = [0; 24];
            bytes[..8].copy_from_slice(&candidate.key.to_le_bytes());
            bytes[8..].copy_from_slice(&source.0.to_le_bytes());
            let part = ((xxh3_64(&bytes) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            -f64::from(candidate.weight) / part.ln().min(-f64::MIN_POSITIVE)
        };
        let best = among.iter().copied().max_by(|a, b| score(*a).total_cmp(&score(*b)));
        best.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(texts: &[&str]) -> Result<Vec<Server>, ConfigError> {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        read(&Options(
            [("servers".to_owned(), texts), ("shared_key".to_owned(), vec!["k".to_owned()])].into(),
        ))
    }

    fn shares(choice: &mut Choice, of: u128) -> [usize; 3] {
        let mut shares = [0; 3];
        (0..of).for_each(|source| shares[choice.choose(SourceId(source))] += 1);
        shares
    }

    #[test]
    fn what_is_said_of_a_server_is_read() {
        let read = servers(&["[::1]:1?weight=5&standby&name=n&shared_key=x&username=u&password=p", "h:2"])
            .expect("two");
        let wanted = Server {
            address: "[::1]:1".into(),
            name: "n".into(),
            weight: 5,
            standby: true,
            shared_key: "x".into(),
            user: "u".into(),
            password: "p".into(),
        };
        assert_eq!(read[0], wanted);
        assert_eq!((read[1].name.as_str(), read[1].weight, read[1].shared_key.as_str()), ("h", 60, "k"));
        assert!(servers(&["h"]).expect_err("no port").0.contains("HOST:PORT"));
        assert!(servers(&["h:1?standby"]).expect_err("none").0.contains("no server is used"));
        assert!(servers(&["h:1?weight=0"]).is_err());
        assert!(servers(&["h:1?weight=x"]).is_err());
    }

    #[test]
    fn turns_are_by_weight_and_a_standby_fills_in() {
        let servers = servers(&["a:1?weight=10", "b:1?weight=20", "c:1?weight=20&standby"]).expect("three");
        let mut choice = Choice::new(&servers, Spread::Turns);
        assert_eq!(shares(&mut choice, 30), [10, 20, 0]);
        choice.set_available(1, false);
        assert_eq!(shares(&mut choice, 30), [10, 0, 20]);
        choice.set_available(0, false);
        assert_eq!(shares(&mut choice, 30), [0, 0, 30]);
        assert!(!choice.has_other(2) && choice.has_other(0));
        choice.set_available(2, false);
        assert_eq!(shares(&mut choice, 30)[2], 0, "nobody is there: regular ones are waited for");
        choice.set_available(1, true);
        assert_eq!(shares(&mut choice, 30), [0, 30, 0]);
    }

    #[test]
    fn a_source_keeps_its_server_and_moves_only_with_it() {
        let servers = servers(&["a:1?weight=30", "b:1?weight=60", "c:1?weight=60&standby"]).expect("three");
        let mut choice = Choice::new(&servers, Spread::Sources);
        let shared = shares(&mut choice, 3_000);
        assert!((850..1_150).contains(&shared[0]) && shared[2] == 0, "{shared:?}");
        let before: Vec<usize> = (0..3_000).map(|source| choice.choose(SourceId(source))).collect();
        choice.set_available(0, false);
        for (source, before) in before.iter().enumerate() {
            let now = choice.choose(SourceId(source as u128));
            assert_eq!(now == *before, *before == 1, "source {source} went from {before} to {now}");
        }
        choice.set_available(0, true);
        let after: Vec<usize> = (0..3_000).map(|source| choice.choose(SourceId(source))).collect();
        assert_eq!(before, after);
    }
}
