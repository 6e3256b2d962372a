//! A pipeline for tests of inputs: a journal in a temporary directory, and an output that keeps rows in memory. Knows nothing
//! of protocols.

use std::sync::Arc;

use sawlog_journal::Journal;
use sawlog_model::{Access, AccessError, Limits, Right, Tenant};
use sawlog_pipeline::testing::{Collect, copy_dir};
use sawlog_pipeline::{Env, Output, Pipeline, PipelineOptions};
use sawlog_sys::task::{self, Stop};
use sawlog_sys::{Sys, net};

/// Lets everybody send, for tenant 3.
pub struct Anyone;

impl Access for Anyone {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant(3))
    }
}

/// What an input or output is given beside its options.
pub fn env(runtime: &tokio::runtime::Runtime, limits: Limits) -> Env {
    Env {
        name: "test".into(),
        sys: Sys::real(),
        runtime: runtime.handle().clone(),
        limits,
        stop: Stop::default(),
        access: Arc::new(Anyone),
    }
}

/// A running pipeline.
pub struct Bench {
    pub runtime: tokio::runtime::Runtime,
    pub pipeline: Pipeline,
    pub output: Arc<Collect>,
    pub env: Env,
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn start(limits: Limits) -> Bench {
        Bench::over(tempfile::tempdir().expect("a directory"), Collect::new("collect"), limits)
    }

    fn over(dir: tempfile::TempDir, output: Arc<Collect>, limits: Limits) -> Bench {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let env = env(&runtime, limits);
        let (journal, _) = Journal::open(&env.sys, dir.path(), Default::default()).expect("a journal");
        let outputs = vec![output.clone() as Arc<dyn Output>];
        let pipeline =
            Pipeline::start(&env.sys, journal, outputs, PipelineOptions::default()).expect("a pipeline");
        Bench { runtime, pipeline, output, env, dir }
    }

    /// Goes on as if the machine had crashed now, over what is left of journal and output.
    pub fn crash(&self) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        copy_dir(&self.env.sys, self.dir.path(), dir.path());
        Bench::over(dir, self.output.crashed(), self.env.limits)
    }

    /// What inputs counted as wrong, by reason.
    pub fn errors(&self) -> Vec<(String, u64)> {
        let parts = self.pipeline.status().parts();
        parts.into_iter().filter(|part| part.role == "input").flat_map(|part| part.errors).collect()
    }

    /// Waits until something was counted under `reason`, up to ten seconds.
    pub fn wait_for_error(&self, reason: &str) {
        for _ in 0..1_000 {
            if self.errors().iter().any(|(have, _)| have == reason) {
                return;
            }
            task::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no error `{reason}`, but {:?}", self.errors());
    }

    /// A connection to a listener of this machine.
    pub fn connect(&self, address: std::net::SocketAddr) -> net::TcpStream {
        self.runtime.block_on(net::TcpStream::connect(address)).expect("it listens")
    }
}
