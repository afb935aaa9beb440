//! `farol top`: profiles and their endpoints, live in a terminal.

mod draw;
mod fetch;
mod keys;
mod rates;
mod state;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};

use self::draw::{Colours, draw};
use self::fetch::fetch;
use self::state::{Message, State, Then};
use self::terminal::Terminal;
use super::client::{Client, ClientOptions, Failure};
use super::complain;
use super::live::Stop;

/// Watch profiles live in a terminal, the worst first: status, answers per second, shares as configured and as they are.
///
/// Only what is shown is asked for, so ten thousand profiles are no more work than ten. Answers per second are those of the last
/// ten seconds. `?` shows the keys; NO_COLOR takes the colours away. Without a terminal use `farol profile list --watch`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol top
  farol top team.example
  farol top --every 5")]
pub(super) struct Top {
    #[command(flatten)]
    client: ClientOptions,
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=60))]
    every: u16,
    /// Only profiles with this in their name, or in that of an endpoint
    text: Option<String>,
}

impl Top {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
            complain("farol: `farol top` wants a terminal; use `farol profile list --watch`");
            return Ok(ExitCode::from(2));
        }
        let every = Duration::from_secs(self.every.into());
        let filter = self.text.unwrap_or_default();
        self.client.run(async |client, _| show(&client, every, filter).await)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Looks, shows and obeys keys until one says to end. Who can't be reached at first is an error; later they are waited for.
async fn show(client: &Client, every: Duration, filter: String) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    let (started, colours) = (Instant::now(), Colours::wanted());
    let mut state = State::new(client.server(), filter);
    state.update(Message::Size(Terminal::height()?));
    let first = fetch(client, state.wanted()).await?;
    state.update(Message::Seen(Box::new(first), started.elapsed()));
    let mut terminal = Terminal::open()?;
    let (mut looking, mut next) = (None, Instant::now() + every);
    loop {
        terminal.draw(|frame| draw(&state, colours, frame))?;
        let message = tokio::select! {
            () = stop.told() => return Ok(()),
            pressed = terminal.pressed() => match pressed {
                Some(message) => message,
                None => return Ok(()),
            },
            looked = finished(&mut looking) => {
                looking = None;
                seen(looked, started.elapsed())?
            }
            () = sleep_until(next), if looking.is_none() => {
                next = Instant::now() + every;
                looking = Some(Box::pin(fetch(client, state.wanted())));
                continue;
            }
        };
        match state.update(message) {
            Then::Quit => return Ok(()),
            Then::Look => {
                // What was asked for before is not wanted any more.
                next = Instant::now() + every;
                looking = Some(Box::pin(fetch(client, state.wanted())));
            }
            Then::Show => {}
        }
    }
}

/// Waits for a look that is under way.
async fn finished<F: Future + Unpin>(looking: &mut Option<F>) -> F::Output {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

/// What a look has shown: who doesn't answer may do so again, who refuses will not.
fn seen(looked: Result<fetch::Seen, Failure>, at: Duration) -> Result<Message, Failure> {
    match looked {
        Ok(seen) => Ok(Message::Seen(Box::new(seen), at)),
        Err(error) if error.is_lost() => Ok(Message::Lost(error.to_string())),
        Err(Failure::Refused { detail }) => Ok(Message::Lost(detail)),
        Err(error) => Err(error),
    }
}
