//! An agent with an input `beat` and an output `tally`.

mod beat;
mod tally;

fn main() -> std::process::ExitCode {
    sawlog_agent::main(&[&beat::PROTOCOL, &tally::PROTOCOL])
}
