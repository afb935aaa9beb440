//! The command line: one file per noun, or per verb that needs none.

mod check;
mod client;
mod completions;
mod context;
mod daemon;
mod demo;
mod ending;
mod endpoint;
mod explain;
mod gauges;
mod layers;
mod limits;
mod listening;
mod log;
mod opening;
mod output;
mod probing;
mod profile;
mod pulse;
mod reload;
mod serve;
mod signals;
mod site;
mod state;
mod status;
mod systemd;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use self::log::{LogFormat, start_logs};

/// A global traffic manager: DNS that answers with endpoints that are healthy and wanted.
///
/// Exit codes: 0 when it went well, 1 when not, 2 for a command line that makes no sense; `status` has its own.
#[derive(Debug, Parser)]
#[command(name = "farol", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Each has its text at its own arguments.
#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Serve),
    Check(check::Check),
    Demo(demo::Demo),
    Status(status::Status),
    Profile(profile::Profile),
    Endpoint(endpoint::Endpoint),
    Site(site::Site),
    State(state::State),
    Explain(explain::Explain),
    Reload(reload::Reload),
    Context(context::Context),
    Completions(completions::Completions),
}

/// Runs the program. What went wrong goes to standard error, with its causes.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.verb {
        Verb::Serve(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Status(verb) => verb.run(),
        Verb::Profile(verb) => verb.run(),
        Verb::Endpoint(verb) => verb.run(),
        Verb::Site(verb) => verb.run(),
        Verb::State(verb) => verb.run(),
        Verb::Explain(verb) => verb.run(),
        Verb::Reload(verb) => verb.run(),
        Verb::Context(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("farol: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard output. A reader that has gone away (`farol … | head`) is no error.
fn say(text: &str) -> anyhow::Result<()> {
    match write_line(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("could not write to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard output, for those who go on only while somebody reads it.
fn write_line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

/// Writes a line to standard error; there is nowhere to complain about failing at that.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
