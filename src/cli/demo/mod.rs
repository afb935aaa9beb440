//! `farol demo`: a daemon, the sites that it leads to, and something happening to them, all in one process.

mod asker;
mod authority;
mod config;
mod directory;
mod show;
mod sites;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio_util::sync::CancellationToken;

use self::config::Plan;
use self::directory::Directory;
use self::show::Show;
use self::sites::Sites;
use super::client::{Client, TlsFiles, Token};
use super::daemon::{Daemon, Source};
use super::output::show as print;
use super::signals::Signals;
use super::{LogFormat, Logs, start_logs};
use crate::control::load_from;

/// Run everything on this machine and watch it: three HTTPS sites, a daemon that leads to them, and failures.
///
/// Needs no root and leaves nothing behind. Ends with Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol demo
  farol demo --seconds 30 > demo.txt")]
pub(super) struct Demo {
    /// End by itself after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// What the daemon logs on standard error: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL", default_value = "warn", env = "FAROL_LOG")]
    log_level: String,
}

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let logs = start_logs(LogFormat::Human, &self.log_level)?;
        let directory = Directory::create()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("could not start the async runtime")?;
        runtime.block_on(self.perform(&directory, &logs))?;
        drop(directory);
        print("Goodbye. The demo's directory is removed.")?;
        Ok(ExitCode::SUCCESS)
    }

    async fn perform(&self, directory: &Directory, logs: &Logs) -> anyhow::Result<()> {
        let plan = Plan::read()?;
        let authority = authority::Authority::new()?;
        directory.write(config::CA_FILE, &authority.pem())?;
        let sites = Sites::start(&plan, authority.server(&plan.hosts)?).await?;
        let text = config::adapt(sites.port(), config::free_dns_port(), config::free_api_port())?;
        let file = directory.write("demo.toml", &text)?;

        let load = load_from(vec![file.clone()]);
        let (settings, reading) = load(Arc::default());
        let settings = settings.map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let token_file = settings.state.dir.join("admin.token");
        let mut signals = Signals::listen()?;
        let source = Source { load, reading, watched: Vec::new() };
        let daemon = Daemon::start(settings, source, logs)?;
        let dns = *daemon.dns().first().context("the demo's daemon listens nowhere")?;
        let server = format!("http://{}", daemon.admin());
        let client = Client::new(&server, Token::of(&token_file)?, &TlsFiles::default())?;
        for change in config::ports_that_changed(dns.port(), daemon.admin().port(), sites.port()) {
            print(&change)?;
        }
        print(&what_to_try(dns, client.server(), sites.port(), &token_file, &file))?;

        let stop = CancellationToken::new();
        let told = signals.obey(daemon.control().clone());
        let running = daemon.run(stop.clone());
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => ended?,
            shown = Show::new(client, dns, sites).run() => shown.or_else(unless_unread)?,
            () = told => {}
            () = after(self.seconds) => {}
        }
        stop.cancel();
        running.await
    }
}

/// A reader that has gone away (`farol demo | head`) ends the demo well.
fn unless_unread(error: anyhow::Error) -> anyhow::Result<()> {
    let cause = error.downcast_ref::<io::Error>();
    if cause.is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe) { Ok(()) } else { Err(error) }
}

async fn after(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// Lines to copy into another terminal.
fn what_to_try(
    dns: std::net::SocketAddr,
    server: &str,
    site_port: u16,
    token_file: &Path,
    config: &Path,
) -> String {
    // As it was typed, so that it works from the same directory.
    let farol = std::env::args().next().unwrap_or_else(|| "farol".to_owned());
    let dig = format!("dig @{} -p {}", dns.ip(), dns.port());
    let ca_file = config.with_file_name(config::CA_FILE);
    let (token_file, ca_file, config) = (token_file.display(), ca_file.display(), config.display());
    format!(
        "Farol answers for gtm.example. on {dns}. Three HTTPS sites run on this machine; every few seconds one fails.

Ask it, from another terminal:
  {dig} app.gtm.example
  {dig} www.gtm.example +short
  curl --cacert {ca_file} --resolve app.gtm.example:{site_port}:$({dig} app.gtm.example +short) https://app.gtm.example:{site_port}/
  curl -s {server}/metrics | grep farol_answers_total
  curl -s -H \"Authorization: Bearer $(cat {token_file})\" {server}/v1/profiles/app.gtm.example

Steer it:
  {farol} status --server {server} --token-file {token_file}
  export FAROL_SERVER={server} FAROL_TOKEN_FILE={token_file}
  {farol} endpoint list
  {farol} endpoint set app.gtm.example orlando --weight 60 --reason 'more for orlando'
  {farol} endpoint clear app.gtm.example orlando
  {farol} site drain dublin
  {farol} site undrain dublin
  {farol} explain app.gtm.example
  {farol} reload    # after you have edited {config}
"
    )
}
