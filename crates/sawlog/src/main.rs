//! The binary with everything: command line, wiring, signals, exit codes. What a command does stands in its own file of
//! `cmd/`; this one only says which there are and turns their outcome into an exit code.

mod cmd;
mod node;
mod reach;
mod records;
mod store_output;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Follows log files and takes events, keeps them small, finds them fast.
#[derive(Parser)]
#[command(name = "sawlog", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(cmd::run::Run),
    Check(cmd::check::Check),
    Convert(cmd::convert::Convert),
    Import(cmd::import::Import),
    Search(cmd::search::Search),
    Sql(cmd::sql::Sql),
    Tail(cmd::tail::Tail),
    Events(cmd::events::Events),
    Watch(cmd::watch::Watch),
    Tap(cmd::tap::Tap),
    Tenant(cmd::tenant::TenantCommand),
    Token(cmd::token::TokenCommand),
    User(cmd::user::UserCommand),
    Export(cmd::export::Export),
    Normalize(cmd::normalize::Normalize),
    Status(cmd::status::Status),
    Logger(cmd::logger::Logger),
    Dead(cmd::dead::DeadCommand),
    Reload(cmd::reload::Reload),
    Shutdown(cmd::shutdown::Shutdown),
    Store(cmd::store::StoreCommand),
    Completions(cmd::completions::Completions),
    Ox(cmd::ox::Ox),
    Man(cmd::man::Man),
}

fn main() -> ExitCode {
    if let Some(ended) = cmd::ox::called() {
        return ended;
    }
    let result = match Cli::parse().command {
        Command::Ox(command) => return command.run(),
        Command::Run(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Convert(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Search(command) => command.run(),
        Command::Sql(command) => command.run(),
        Command::Tail(command) => command.run(),
        Command::Events(command) => command.run(),
        Command::Watch(command) => command.run(),
        Command::Tap(command) => command.run(),
        Command::Tenant(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::User(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Normalize(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Logger(command) => command.run(),
        Command::Dead(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::Shutdown(command) => command.run(),
        Command::Store(command) => command.run(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output (`head`, `less`) may stop reading when it has seen enough: that is no failure.
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sawlog: {error:#}");
            ExitCode::FAILURE
        }
    }
}
