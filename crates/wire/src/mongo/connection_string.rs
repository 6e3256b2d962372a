//! Whom to ask, of options or of a connection string (`mongodb://…`). Knows nothing of what is said to them.

use std::time::Duration;

use sawlog_model::Value;
use sawlog_pipeline::{Env, Options};
use tokio::sync::Mutex;

use super::server::{Login, Servers};
use crate::shared::http_client::unpercent;
use crate::shared::tls;

/// Port of servers that say none.
const PORT: u16 = 27017;

/// Whom to ask, where rows go, and what servers are to have done before they answer.
pub(super) struct Target {
    pub servers: Servers,
    pub database: String,
    pub concern: Option<Value>,
}

/// What options say, and a connection string over them.
struct Given {
    nodes: Vec<String>,
    user: String,
    password: String,
    database: String,
    auth_source: String,
    replica_set: String,
    write_concern: String,
    journaled: bool,
    /// How long servers may take for that, milliseconds.
    within: Option<i64>,
    connect_timeout: Duration,
    request_timeout: Duration,
    /// The options with what the string says of TLS.
    options: Options,
}

/// Reads the options.
///
/// # Errors
/// In words, where they cannot be.
pub(super) fn target(options: &Options, env: &Env) -> Result<Target, String> {
    let given = Given::of(options)?;
    if given.nodes.is_empty() {
        return Err("`hosts` must name a server".to_owned());
    }
    if given.database.is_empty() {
        return Err("`database` must name one, or `connection_string` must".to_owned());
    }
    Ok(Target {
        concern: given.concern()?,
        servers: Servers {
            connector: tls::connector(&given.options, &env.sys)?,
            login: given.login(),
            nodes: given.nodes,
            connect_timeout: given.connect_timeout,
            request_timeout: given.request_timeout,
            replica_set: given.replica_set,
            sys: env.sys.clone(),
            kept: Mutex::default(),
        },
        database: given.database,
    })
}

fn nodes<'a>(given: impl Iterator<Item = &'a str>) -> Vec<String> {
    let with_port = |node: &str| {
        let has_port = node.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        if has_port { node.to_owned() } else { format!("{node}:{PORT}") }
    };
    given.filter(|node| !node.is_empty()).map(with_port).collect()
}

/// Whether it is spoken to over TLS, to servers whose certificates are looked at.
pub(super) fn is_private(options: &Options) -> bool {
    Given::of(options).is_ok_and(|given| given.options.flag("tls") && !given.options.flag("tls_insecure"))
}

impl Given {
    fn of(options: &Options) -> Result<Given, String> {
        let text = |name: &str| options.text(name).to_owned();
        let mut given = Given {
            nodes: nodes(options.list("hosts").iter().map(String::as_str)),
            user: text("user"),
            password: text("password"),
            database: text("database"),
            auth_source: text("auth_source"),
            replica_set: text("replica_set"),
            write_concern: text("write_concern"),
            journaled: options.flag("journaled"),
            within: None,
            connect_timeout: options.duration("connect_timeout"),
            request_timeout: options.duration("request_timeout"),
            options: options.clone(),
        };
        match options.text("connection_string") {
            "" => {}
            string => given.read(string).map_err(|what| format!("`connection_string`: {what}"))?,
        }
        Ok(given)
    }

    /// Reads `mongodb://[USER:PASSWORD@]HOST[:PORT][,…][/DATABASE][?OPTION=VALUE&…]`.
    fn read(&mut self, string: &str) -> Result<(), String> {
        if string.starts_with("mongodb+srv://") {
            return Err("servers are not asked of DNS here: write them as mongodb://HOST,HOST".to_owned());
        }
        let rest = string.strip_prefix("mongodb://").ok_or("write it as mongodb://HOST[:PORT]/DATABASE")?;
        let (rest, more) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        self.nodes = nodes(hosts.split(','));
        if !login.is_empty() {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (self.user, self.password) = (unpercent(user), unpercent(password));
        }
        if !database.is_empty() {
            self.database = unpercent(database);
        }
        more.split('&').filter(|option| !option.is_empty()).try_for_each(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            self.option(name, unpercent(value))
        })
    }

    fn option(&mut self, name: &str, value: String) -> Result<(), String> {
        let flag = || match value.as_str() {
            "true" | "false" => Ok(value == "true"),
            _ => Err(format!("`{name}={value}` is neither true nor false")),
        };
        let number = || value.parse::<u32>().map_err(|_| format!("`{name}={value}` is no whole number"));
        let time = || number().map(|millis| Duration::from_millis(millis.into()));
        let mut set =
            |ours: &str, value: &str| self.options.0.insert(ours.to_owned(), vec![value.to_owned()]);
        match name.to_ascii_lowercase().as_str() {
            "authsource" => self.auth_source = value,
            "authmechanism" if value == "SCRAM-SHA-256" => {}
            "replicaset" => self.replica_set = value,
            "w" => self.write_concern = value,
            "journal" | "j" => self.journaled = flag()?,
            "wtimeoutms" => self.within = Some(number()?.into()),
            "connecttimeoutms" => self.connect_timeout = time()?,
            "sockettimeoutms" => self.request_timeout = time()?,
            "tls" | "ssl" => drop(set("tls", &flag()?.to_string())),
            "tlscafile" => drop(set("tls_ca", &value)),
            "tlscertificatekeyfile" => {
                set("tls_cert", &value);
                set("tls_key", &value);
            }
            "tlsinsecure" | "tlsallowinvalidcertificates" => drop(set("tls_insecure", &flag()?.to_string())),
            "tlsallowinvalidhostnames" => drop(set("tls_verify_hostname", &(!flag()?).to_string())),
            // What is said of reading, of pools of connections and of how a library tries again.
            "appname"
            | "readpreference"
            | "readconcernlevel"
            | "maxpoolsize"
            | "minpoolsize"
            | "maxidletimems"
            | "retrywrites"
            | "retryreads"
            | "serverselectiontimeoutms"
            | "heartbeatfrequencyms"
            | "compressors"
            | "localthresholdms"
            | "waitqueuetimeoutms" => {}
            _ => return Err(format!("there is no option `{name}` here, or not with that value")),
        }
        Ok(())
    }

    fn login(&self) -> Option<Login> {
        let literal = (!self.database.contains(['$', '%'])).then_some(self.database.as_str());
        let source = match self.auth_source.as_str() {
            "" => literal.unwrap_or("admin"),
            source => source,
        };
        let login =
            || Login { user: self.user.clone(), password: self.password.clone(), source: source.to_owned() };
        (!self.user.is_empty()).then(login)
    }

    /// What servers are to have done; none where it is left to them.
    fn concern(&self) -> Result<Option<Value>, String> {
        let mut entries = Vec::new();
        let mut set = |name: &str, value: Value| entries.push((Value::Str(name.to_owned()), value));
        match self.write_concern.as_str() {
            "" => {}
            "majority" => set("w", Value::Str("majority".to_owned())),
            "0" => return Err("`write_concern = 0`: nobody would tell what was lost".to_owned()),
            text => match text.parse::<u8>() {
                Ok(count) => set("w", Value::Int(count.into())),
                Err(_) => return Err(format!("`write_concern = {text}` is neither a number nor `majority`")),
            },
        }
        if self.journaled {
            set("j", Value::Bool(true));
        }
        if let Some(within) = self.within {
            set("wtimeout", Value::Int(within));
        }
        Ok(Some(entries).filter(|entries| !entries.is_empty()).map(Value::Map))
    }
}
