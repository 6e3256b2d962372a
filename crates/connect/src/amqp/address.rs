//! Where a broker is and who asks: `amqp://USER:PASSWORD@HOST:PORT/VHOST`. Knows nothing of connections.

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

/// A broker's address. Its `Debug` is not derived: the password must not come into a message.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    user: String,
    password: String,
    pub vhost: String,
    /// `amqps`.
    pub tls: bool,
}

impl Address {
    /// Reads an address. The virtual host is the path without its first slash, `/` where that is empty.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "write it as amqp://USER:PASSWORD@HOST:PORT/VHOST";
        let (scheme, rest) = text.split_once("://").ok_or(form)?;
        let tls = match scheme {
            "amqp" | "pyamqp" | "librabbitmq" => false,
            "amqps" => true,
            other => return Err(format!("there is no `{other}://`: {form}")),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if path.contains('?') {
            return Err("parameters behind `?` are not read: there are options for them".to_owned());
        }
        let (user, place) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match place.strip_prefix('[').and_then(|place| place.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None if tls => 5671,
            None => 5672,
            Some(port) => port.parse().map_err(|_| format!("`{port}` is no port: {form}"))?,
        };
        let vhost = if path.is_empty() { "/".to_owned() } else { decoded(path)? };
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Address {
            host: host.to_owned(),
            port,
            user: decoded(user)?,
            password: decoded(password)?,
            vhost,
            tls,
        })
    }

    /// As the client library has it.
    pub fn uri(&self, heartbeat: u16) -> AMQPUri {
        AMQPUri {
            scheme: if self.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: self.user.clone(), password: self.password.clone() },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString { heartbeat: Some(heartbeat), ..AMQPQueryString::default() },
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(f, "{host}:{}/{}", self.port, self.vhost)
    }
}

/// Without the `%` forms of a URI.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.ok_or("a `%` is followed by two digits: write `%25` for the sign itself")?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| "what stands for `%…` is no UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_clients_write_them() {
        let shown = |text: &str| {
            let address = Address::parse(text).map_err(|_| ())?;
            Ok::<_, ()>((address.to_string(), address.user, address.password, address.tls))
        };
        let is = |shown: &str, user: &str, password: &str, tls| {
            Ok::<_, ()>((shown.to_owned(), user.to_owned(), password.to_owned(), tls))
        };
        assert_eq!(shown("amqp://localhost/"), is("localhost:5672//", "guest", "guest", false));
        assert_eq!(shown("amqp://"), is("127.0.0.1:5672//", "guest", "guest", false));
        assert_eq!(shown("amqps://u:p%40@h/v%2fw"), is("h:5671/v/w", "u", "p@", true));
        assert_eq!(shown("amqp://u:p@[::1]:7/logs"), is("[::1]:7/logs", "u", "p", false));
        assert_eq!(shown("amqp://h//v"), is("h:5672//v", "guest", "guest", false));
        for wrong in
            ["localhost", "http://h", "amqp://h:x/", "amqp://h/%zz", "amqp://h/%", "amqp://h/?heartbeat=1"]
        {
            assert_eq!(shown(wrong), Err(()), "{wrong}");
        }
    }
}
