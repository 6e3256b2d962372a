//! Events of logcollect's form over a real RabbitMQ, as many a second as an installation of ALCO has at most, into a node on
//! one core that is searched meanwhile: `crates/wire/clients/rabbitmq_load.py` does it. Knows nothing of AMQP.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{clients, needs};

/// How long.
const SECONDS: &str = "600";
/// Events a second.
const RATE: &str = "5000";

/// Prints the table.
pub fn run(root: &Path, sawlog: &Path, scratch: &Path) -> Result<()> {
    needs::rabbitmq()?;
    needs::debian(&["taskset"], &["util-linux"])?;
    let folder = root.join("crates/wire/clients");
    let python = clients::environment(root, &folder)?;
    let mut load = Command::new(python);
    load.arg("-B").arg(folder.join("rabbitmq_load.py")).arg(sawlog).arg(scratch).args([SECONDS, RATE]);
    needs::succeed(&mut load)
}
