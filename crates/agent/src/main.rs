//! The binary of leaf nodes.

fn main() -> std::process::ExitCode {
    sawlog_agent::main(&[])
}
