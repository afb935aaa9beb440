//! The generator of `benches/dns/run`, and the bare loop that it compares servers with: what moving the same packets costs
//! when nothing is looked up. Each is one thread; the script gives each a processor of its own.

#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod ask_tcp;
mod ask_udp;
mod bare;
mod mutate;
mod packets;
mod queries;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use queries::Queries;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Ask over UDP, with a bounded number of questions under way, as fast as answers come.
    Udp(Asking),
    /// Ask over UDP at an even rate, and tell how long answers take.
    Pace {
        #[command(flatten)]
        asking: Asking,
        /// Questions per second.
        #[arg(long, default_value_t = 10_000)]
        rate: u32,
    },
    /// Ask over TCP, with a bounded number of questions under way on each connection.
    Tcp(Asking),
    /// Send packets over UDP that are nearly queries.
    Mutate {
        #[command(flatten)]
        asking: Asking,
        /// How many.
        #[arg(long, default_value_t = 10_000_000)]
        count: u64,
    },
    /// Answer over UDP and TCP at this address: each question gets itself back, with one address.
    Bare { listen: SocketAddr },
}

#[derive(clap::Args)]
struct Asking {
    /// Where the server is.
    server: SocketAddr,
    /// Queries in wire format, each with its length in two octets before it, as over TCP.
    queries: PathBuf,
    /// How long to ask.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Sockets or connections to ask from.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Questions under way at each of them.
    #[arg(long, default_value_t = 16)]
    in_flight: usize,
}

impl Asking {
    fn duration(&self) -> Result<Duration> {
        Ok(Duration::try_from_secs_f64(self.seconds)?)
    }
}

fn main() -> Result<()> {
    match Arguments::parse().job {
        Job::Udp(asking) => ask_udp::flood(&asking, &Queries::read(&asking.queries)?),
        Job::Pace { asking, rate } => {
            ask_udp::pace(&asking, &Queries::read(&asking.queries)?, rate)
        }
        Job::Mutate { asking, count } => {
            mutate::mutate(&asking, &Queries::read(&asking.queries)?, count)
        }
        Job::Tcp(asking) => ask_tcp::ask(&asking, &Queries::read(&asking.queries)?),
        Job::Bare { listen } => bare::serve(listen),
    }
}
