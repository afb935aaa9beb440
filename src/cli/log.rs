//! Logs on standard error.

use std::io::{self, IsTerminal};
use std::panic::{PanicHookInfo, set_hook};

use anyhow::Context;
use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// How logs look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Human,
    /// One JSON object per line
    Json,
}

/// Logs that are being written.
pub(super) struct Logs {
    /// How many lines were lost.
    pub(super) lost: ErrorCounter,
    /// Writes what is left when it is dropped.
    _guard: WorkerGuard,
}

/// Sends logs to standard error, panics too. `filter` is a level, or directives like `farol=debug,hyper=info`.
///
/// They are written by a thread of its own: whoever logs never waits for who reads. What doesn't fit while nobody reads is lost,
/// and counted.
pub(super) fn start_logs(format: LogFormat, filter: &str) -> anyhow::Result<Logs> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("--log-level: `{filter}` is no level; write error, warn, info, debug or trace")
    })?;
    let (writer, guard) = tracing_appender::non_blocking(io::stderr());
    let logs = Logs { lost: writer.error_counter(), _guard: guard };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let ansi = io::stderr().is_terminal();
    let started = match format {
        LogFormat::Human => builder.with_ansi(ansi).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logs could not be started: {error}"))?;
    set_hook(Box::new(log_panic));
    Ok(logs)
}

/// A panic is a fault in Farol; whoever contains it says what it meant.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let why = match panic.payload().downcast_ref::<String>() {
        Some(text) => text,
        None => panic.payload().downcast_ref::<&str>().copied().unwrap_or_default(),
    };
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    tracing::error!(event = "panic", why, place, thread, "panicked at {place}: {why}");
}
