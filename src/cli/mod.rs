//! The command line: one file per noun, or per verb that needs none.

mod audit;
mod batch;
mod certificate;
mod change;
mod check;
mod client;
mod companion;
mod completions;
mod config;
mod context;
mod daemon;
mod demo;
mod drain;
mod ending;
mod endpoint;
mod events;
mod explain;
mod fleet;
mod gauges;
mod history;
mod import;
mod layers;
mod limits;
mod listening;
mod live;
mod log;
mod man;
mod naming;
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
mod token;
mod top;
mod watch;
mod whatif;
mod zone;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use self::log::{LogFormat, Logs, start_logs};

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
    Import(import::Import),
    Demo(demo::Demo),
    Status(status::Status),
    Top(top::Top),
    Profile(profile::Profile),
    Endpoint(endpoint::Endpoint),
    Site(site::Site),
    Zone(zone::Zone),
    Batch(batch::Batch),
    Change(change::Change),
    History(history::History),
    Events(events::Events),
    Audit(audit::Audit),
    State(state::State),
    Token(token::Token),
    Explain(explain::Explain),
    #[command(name = "whatif")]
    WhatIf(whatif::WhatIf),
    Fleet(fleet::Fleet),
    Reload(reload::Reload),
    Config(config::Config),
    Context(context::Context),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Runs the program. What went wrong goes to standard error, with its causes.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.verb {
        Verb::Serve(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Import(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Status(verb) => verb.run(),
        Verb::Top(verb) => verb.run(),
        Verb::Profile(verb) => verb.run(),
        Verb::Endpoint(verb) => verb.run(),
        Verb::Site(verb) => verb.run(),
        Verb::Zone(verb) => verb.run(),
        Verb::Batch(verb) => verb.run(),
        Verb::Change(verb) => verb.run(),
        Verb::History(verb) => verb.run(),
        Verb::Events(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::State(verb) => verb.run(),
        Verb::Token(verb) => verb.run(),
        Verb::Explain(verb) => verb.run(),
        Verb::WhatIf(verb) => verb.run(),
        Verb::Fleet(verb) => verb.run(),
        Verb::Reload(verb) => verb.run(),
        Verb::Config(verb) => verb.run(),
        Verb::Context(verb) => verb.run(),
        Verb::Completions(verb) => verb.run(),
        Verb::Man(verb) => verb.run(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The commands on a line for a shell, as words. Knows quotes and comments; where files are redirected, it sees commands of
    /// other programs.
    fn commands(line: &str) -> Vec<Vec<String>> {
        let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), String::new());
        let mut quote = None;
        for letter in line.chars().chain(['\n']) {
            match (quote, letter) {
                (Some(open), it) if it == open => quote = None,
                (None, '\'' | '"') => quote = Some(letter),
                (None, '#') if word.is_empty() => break,
                (None, ' ' | '\n' | '|' | '&' | ';' | '<' | '>' | '(' | ')') => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    if letter != ' ' {
                        commands.push(std::mem::take(&mut words));
                    }
                }
                (_, it) => word.push(it),
            }
        }
        commands.push(words);
        commands
    }

    fn examples(command: &clap::Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let own = help.split_once("Examples:\n").map(|it| it.1).unwrap_or_default();
        let own: Vec<_> = own.lines().map(str::to_owned).collect();
        own.into_iter().chain(command.get_subcommands().flat_map(examples)).collect()
    }

    #[test]
    fn every_example_is_a_command_line_that_makes_sense() {
        let examples = examples(&Cli::command());
        assert!(examples.len() > 20, "{examples:?}");
        for example in examples {
            let commands = commands(&example);
            let ours: Vec<_> =
                commands.iter().filter(|it| it.first().is_some_and(|it| it == "farol")).collect();
            assert!(!ours.is_empty(), "{example}");
            for command in ours {
                let parsed = Cli::command().try_get_matches_from(command);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }
}
