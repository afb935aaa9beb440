//! Kubernetes API servers of many sites in one process: what the companion asks of them, from objects in memory, over plain HTTP on
//! loopback addresses. Controllers are none; whatever is applied is ready at once.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod control;
mod defaults;
mod discovery;
mod fields;
mod kinds;
mod managers;
mod merge;
mod patch;
mod path;
mod selector;
mod server;
mod site;
mod store;
mod watch;
mod write;

use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use server::World;
use site::Site;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// How many API servers.
    #[arg(long, default_value_t = 50)]
    sites: usize,
    /// Milliseconds before each answer.
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Tell what is served group by group, as servers before 1.26 do.
    #[arg(long)]
    old_discovery: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let world = World::new(Duration::from_millis(arguments.latency), arguments.old_discovery);
    let world = Arc::new(world);
    let mut tasks = JoinSet::new();
    let (mut sites, mut told) = (Vec::new(), Vec::new());
    for number in 0..arguments.sites {
        let site = Arc::new(Site::new(number));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        told.push(json!({"address": listener.local_addr()?.to_string(), "uid": site.uid()}));
        tasks.spawn(server::serve(listener, Arc::clone(&world), Arc::clone(&site)));
        sites.push(site);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", json!({"control": listener.local_addr()?.to_string(), "sites": told}));
    std::io::stdout().flush()?;
    tasks.spawn(control::serve(listener, world, sites));
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
