use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{Arg, Args, Command};
use tokio_util::sync::CancellationToken;

use super::companion::with_fleet;
use super::daemon::{Daemon, Source};
use super::layers::Layers;
use super::signals::Signals;
use super::{LogFormat, Logs, complain, start_logs};
use crate::control::load_from;

/// Run the daemon: probe the sites, answer DNS queries, serve the API
///
/// Runs until SIGTERM or SIGINT. SIGHUP reads the configuration anew: all of it is taken, or what runs is kept.
#[derive(Args, Debug)]
pub(super) struct Serve {
    /// A configuration file in TOML, YAML or JSON, or a directory of them; may be given several times
    #[arg(long, value_name = "FILE|DIR", default_value = "/etc/farol/")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    layers: Layers,
    /// Don't notice changes of the configuration's files; SIGHUP and `farol reload` read them anew
    #[arg(long, env = "FAROL_NO_WATCH", value_parser = Switch)]
    no_watch: bool,
    /// How logs look on standard error
    #[arg(long, value_enum, default_value = "human", env = "FAROL_LOG_FORMAT")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or directives by module
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "FAROL_LOG")]
    log_level: String,
}

/// A flag that a variable may stand for. An empty one is as if it were not set, which is how it is unset where it can't be
/// removed: in a unit's drop-in, say.
#[derive(Clone)]
struct Switch;

impl TypedValueParser for Switch {
    type Value = bool;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<bool, clap::Error> {
        match value.is_empty() {
            true => Ok(false),
            false => BoolishValueParser::new().parse_ref(command, arg, value),
        }
    }
}

/// How much less of a processor everything but answering gets, by the scheduler's scale from 0 to 19.
const NICE: i32 = 5;

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let logs = start_logs(self.log_format, &self.log_level)?;
        let is_json = self.log_format == LogFormat::Json;
        match self.serve(&logs) {
            // What reads objects, one a line, gets the last word so too.
            Err(error) if is_json => {
                tracing::error!(event = "failed", "{error:#}");
                Ok(ExitCode::FAILURE)
            }
            ended => ended,
        }
    }

    fn serve(self, logs: &Logs) -> anyhow::Result<ExitCode> {
        let watched = if self.no_watch { Vec::new() } else { self.config.clone() };
        let load = with_fleet(load_from(self.layers.over(self.config)));
        let (settings, reading) = match load(Arc::default()) {
            (Ok(settings), reading) => (settings, reading),
            (Err(problems), _) if self.log_format == LogFormat::Json => bail!("{problems}"),
            (Err(problems), _) => {
                complain(&problems.to_string());
                return Ok(ExitCode::FAILURE);
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .on_thread_start(step_back)
            .build();
        let runtime = runtime.context("could not start the async runtime")?;
        let served = runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let stop = CancellationToken::new();
            let daemon = Daemon::start(settings, Source { load, reading, watched }, logs)?;
            let control = daemon.control().clone();
            let running = daemon.run(stop.clone());
            tokio::pin!(running);
            tokio::select! {
                ended = &mut running => ended?,
                () = signals.obey(control) => stop.cancel(),
            }
            if stop.is_cancelled() {
                tokio::select! {
                    ended = running => ended?,
                    () = signals.insist() => return Ok(ExitCode::FAILURE),
                }
            }
            tracing::info!(event = "stopped", "stopped");
            Ok(ExitCode::SUCCESS)
        });
        // A file that is still being read for a reload keeps nobody waiting.
        runtime.shutdown_background();
        served
    }
}

/// Lets the calling thread wait for those that answer queries where processors are short. Probes that are late for it are
/// void, and changes come a little later; an answer that is late is a time-out.
fn step_back() {
    let _ = rustix::process::nice(NICE);
}
