//! The forward protocol: its samples, and both sides over real sockets with a real journal behind.

mod fluent_bit;
mod input;
mod node;
mod output;
mod servers;
mod source;

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&super::PROTOCOL, 1), Ok(()));
}
