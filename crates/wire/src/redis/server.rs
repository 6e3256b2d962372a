//! A server as configurations name it. Knows nothing of what is asked of it.

use sawlog_pipeline::{Env, Options};

use super::resp;
use crate::shared::dial::Dial;
use crate::shared::tls;

/// Whom to call, and what is said first.
pub(super) struct Called {
    pub dial: Dial,
    /// Commands that come before all others: who we are, and which database.
    pub greeting: Vec<Vec<u8>>,
}

impl Called {
    /// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`.
    ///
    /// # Errors
    /// In words, where that cannot be, or what is said of TLS.
    pub fn read(url: &str, options: &Options, env: &Env) -> Result<Called, String> {
        let wrong = || format!("`{url}`: write it as redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]");
        let (secure, rest) = match url.strip_prefix("rediss://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("redis://").ok_or_else(wrong)?),
        };
        let (rest, db) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = rest.rsplit_once('@').map_or(("", rest), |(login, address)| (login, address));
        if address.is_empty() || !db.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let to = if has_port { address.to_owned() } else { format!("{address}:6379") };
        let mut greeting = Vec::new();
        match login.split_once(':') {
            Some(("", password)) => greeting.push(resp::command(&[b"AUTH", password.as_bytes()])),
            Some((user, password)) => {
                greeting.push(resp::command(&[b"AUTH", user.as_bytes(), password.as_bytes()]));
            }
            None if login.is_empty() => {}
            None => return Err(wrong()),
        }
        if !matches!(db, "" | "0") {
            greeting.push(resp::command(&[b"SELECT", db.as_bytes()]));
        }
        let mut for_tls = options.clone();
        for_tls.0.insert("tls".to_owned(), vec![secure.to_string()]);
        let connector = tls::connector(&for_tls, &env.sys)?;
        let dial = Dial { to, connector, patience: options.duration("connect_timeout") };
        Ok(Called { dial, greeting })
    }
}
