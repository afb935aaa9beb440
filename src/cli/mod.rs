//! The command line: one file per noun, or per verb that needs none.

mod check;
mod client;
mod daemon;
mod demo;
mod ending;
mod endpoint;
mod explain;
mod output;
mod profile;
mod reload;
mod rooms;
mod serve;
mod signals;
mod site;
mod status;
mod systemd;
mod watch;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

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
    Explain(explain::Explain),
    Reload(reload::Reload),
}

/// How logs look.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// For people
    Human,
    /// One JSON object per line
    Json,
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
        Verb::Explain(verb) => verb.run(),
        Verb::Reload(verb) => verb.run(),
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

/// Sends logs to standard error. `filter` is a level, or directives like `farol=debug,hyper=info`.
fn start_logs(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter).with_context(|| {
        format!("--log-level: `{filter}` is no level; write error, warn, info, debug or trace")
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let ansi = io::stderr().is_terminal();
    let started = match format {
        LogFormat::Human => builder.with_ansi(ansi).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logs could not be started: {error}"))
}
