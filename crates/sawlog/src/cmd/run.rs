//! `sawlog run`: a node, as configured or as the embedded default.

use std::io::Write;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::{Context, Error, Result};
use clap::Args;
use sawlog_pipeline::config::Config;
use sawlog_pipeline::wiring;
use sawlog_sys::Sys;

use super::DataArg;
use crate::node::{Node, Plan, settings};

const HTTP: &str = "127.0.0.1:7514";
const FORWARD: &str = "127.0.0.1:24224";
const SYSLOG: &str = "127.0.0.1:5140";

/// Run a node: follow files, take events, answer questions
#[derive(Args)]
pub(crate) struct Run {
    /// Follow files: a path or pattern, such as '/var/log/**/*.log'; may be given several times
    #[arg(long, value_name = "GLOB")]
    tail: Vec<String>,
    /// Configuration; without one the embedded default: store, page, API, forward, syslog
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    dialect: super::DialectArg,
    /// Where the page and the API listen [default: 127.0.0.1:7514]; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// Where Fluentd's forward protocol is taken [default: 127.0.0.1:24224 without a configuration]; `off` for nowhere
    #[arg(long, value_name = "ADDR")]
    forward: Option<String>,
    /// Where syslog is taken, UDP and TCP [default: 127.0.0.1:5140 without a configuration and --forward]; `off` for nowhere
    #[arg(long, value_name = "ADDR")]
    syslog: Option<String>,
    /// Where to keep the data, over what the configuration says
    #[command(flatten)]
    data: DataArg,
}

impl Run {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let plan = self.plan(&sys)?;
        start(sys, plan)
    }

    fn plan(mut self, sys: &Sys) -> Result<Plan> {
        self.config = self.config.map(std::path::absolute).transpose()?;
        let config = self.configuration(sys)?;
        let http = ["http", "http.listen"].iter().find_map(|name| config.settings.get(*name).cloned());
        let http = self.http.clone().or(http);
        let data = match config.settings.get("data") {
            Some(data) if self.data.is_default() => PathBuf::from(data),
            _ => self.data.data.clone(),
        };
        let http = address(&http.unwrap_or_else(|| HTTP.to_owned()))?;
        let sys = sys.clone();
        Ok(Plan { data, http, read: Box::new(move || self.configuration(&sys)) })
    }

    /// What the file says, and the command line beside it.
    fn configuration(&self, sys: &Sys) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => settings::read(sys, path, self.dialect.compat)?.config,
            None => Config::default(),
        };
        let forward = match (&self.forward, &self.config) {
            (Some(address), _) => Some(address.as_str()).filter(|address| *address != "off"),
            (None, None) => Some(FORWARD),
            (None, Some(_)) => None,
        };
        let syslog = match (&self.syslog, &self.config, &self.forward) {
            (Some(address), ..) => Some(address.as_str()).filter(|address| *address != "off"),
            (None, None, None) => Some(SYSLOG),
            _ => None,
        };
        let listeners =
            [(&sawlog_wire::forward::PROTOCOL, forward), (&sawlog_wire::syslog::PROTOCOL, syslog)];
        for (protocol, listen) in listeners {
            let Some(listen) = listen else { continue };
            config.inputs.retain(|section| section.kind != protocol.name);
            let section = wiring::section(protocol, &[("listen", vec![listen.to_owned()])]);
            config.inputs.push(section.map_err(Error::msg)?);
        }
        if !self.tail.is_empty() {
            let section = wiring::section(&sawlog_wire::tail::PROTOCOL, &[("paths", self.tail.clone())]);
            config.inputs.push(section.map_err(Error::msg)?);
        }
        Ok(config)
    }
}

/// Runs a node until it is asked to stop.
fn start(sys: Sys, plan: Plan) -> Result<()> {
    let data = plan.data.clone();
    let (node, addresses) = Node::start(sys, plan)?;
    let mut line = String::from("sawlog ready");
    for (name, address) in addresses {
        line.push_str(&format!("  {name}={address}"));
    }
    line.push_str(&format!("  data={}", data.display()));
    // Nobody may be there to read it; the node runs all the same.
    let _ = writeln!(std::io::stdout(), "{line}");
    node.wait();
    node.stop()
}

/// Runs a node whose configuration comes from elsewhere than this command's arguments.
pub(super) fn go_on(
    sys: Sys,
    data: PathBuf,
    http: Option<&str>,
    read: Box<dyn Fn() -> Result<Config> + Send + Sync>,
) -> Result<()> {
    let http = address(http.unwrap_or(HTTP))?;
    start(sys, Plan { data, http, read })
}

fn address(text: &str) -> Result<SocketAddr> {
    let mut found =
        text.to_socket_addrs().with_context(|| format!("`{text}` is no address; write 127.0.0.1:7514"))?;
    found.next().with_context(|| format!("`{text}` has no address"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        run: Run,
    }

    /// Kinds of inputs, and where they listen.
    fn inputs(arguments: &[&str]) -> Vec<(String, String)> {
        let line = Line::parse_from([&["sawlog"], arguments].concat());
        let config = line.run.configuration(&Sys::real()).expect("a configuration");
        config
            .inputs
            .iter()
            .map(|input| (input.kind.clone(), input.options.text("listen").to_owned()))
            .collect()
    }

    #[test]
    fn without_a_configuration_forward_and_syslog_are_on() {
        let listens = |kind: &str, at: &str| (kind.to_owned(), at.to_owned());
        let both = [listens("forward", FORWARD), listens("syslog", SYSLOG)];
        assert_eq!(inputs(&[]), both);
        assert_eq!(inputs(&["--syslog", "off"]), both[..1]);
        assert_eq!(inputs(&["--forward", "127.0.0.1:0"]), [listens("forward", "127.0.0.1:0")]);
        let other = inputs(&["--forward", "off", "--syslog", "127.0.0.1:514"]);
        assert_eq!(other, [listens("syslog", "127.0.0.1:514")]);
    }
}
