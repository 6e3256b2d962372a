//! From inputs to outputs without losing or doubling: the contract of protocols, and the core that journals,
//! acknowledges, pushes back and recovers. Knows nothing of any protocol, nor of the store: that is one more [`Output`].

pub mod config;
pub mod conform;
mod intake;
mod output;
pub mod protocol;

pub use intake::{DeliveryError, Env, Input, Intake, Running};
pub use output::{Origin, Output, OutputError};
pub use protocol::{ConfigError, DecodeError, Decoder, Opt, OptKind, Options, Protocol, Sample};
