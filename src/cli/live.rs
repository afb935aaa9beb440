//! `--watch`: looks again whenever something has happened, and every few seconds, until Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use ratatui::crossterm::{cursor, execute, terminal};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::client::{Client, ClientOptions, EventStream, Failure, Output};
use super::{complain, write_line};

/// How long to wait before a daemon that has gone is looked for again.
const RETRY: Duration = Duration::from_secs(1);
/// Looks are so far apart at least, however much happens.
const SHORTEST: Duration = Duration::from_millis(250);

/// Whether to look once, or again and again.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Watch {
    /// Look again when something has happened, and every so many seconds, until Ctrl-C
    #[arg(long, short, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
          value_parser = clap::value_parser!(u16).range(1..=3600))]
    watch: Option<u16>,
}

/// What a look found: the API's JSON, and what is made of it for people.
pub(super) struct Look {
    json: String,
    table: Box<dyn FnOnce() -> String>,
}

impl Look {
    pub(super) fn new(json: String, table: impl FnOnce() -> String + 'static) -> Self {
        Self { json, table: Box::new(table) }
    }
}

impl Watch {
    pub(super) fn is_on(self) -> bool {
        self.watch.is_some()
    }

    /// Looks once, or for as long as somebody watches.
    pub(super) fn run(
        self,
        options: &ClientOptions,
        look: impl AsyncFn(&Client, Output) -> anyhow::Result<Look>,
    ) -> anyhow::Result<()> {
        options.run(async |client, output| match self.watch {
            Some(seconds) => {
                let every = Duration::from_secs(seconds.into());
                let mut stop = Stop::listen()?;
                tokio::select! {
                    biased;
                    () = stop.told() => Ok(()),
                    ended = follow(&client, output, every, look) => ended,
                }
            }
            None => {
                let Look { json, table } = look(&client, output).await?;
                output.show(&json, table)
            }
        })
    }
}

/// Ctrl-C and SIGTERM, which end well what only watches.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("could not listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    pub(super) async fn told(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ends when nobody reads what is shown, or the first look finds nobody. Later a daemon that has gone is waited for.
async fn follow(
    client: &Client,
    output: Output,
    every: Duration,
    look: impl AsyncFn(&Client, Output) -> anyhow::Result<Look>,
) -> anyhow::Result<()> {
    let mut news = News::default();
    // It has begun before the first look, so that nothing is missed between the two.
    news.listen(client).await;
    let mut screen = Screen::open(output, look(client, output).await?)?;
    while screen.is_read() {
        let looked = Instant::now();
        news.wait(every).await;
        sleep_until(looked + SHORTEST).await;
        loop {
            news.listen(client).await;
            match look(client, output).await {
                Ok(found) => break screen.show(found)?,
                Err(error) if error.downcast_ref().is_some_and(Failure::is_lost) => {
                    screen.lost()?;
                    sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Whether something has happened.
#[derive(Default)]
struct News(Option<EventStream>);

impl News {
    /// Listens, unless it does. Where that fails, the next look tells why.
    async fn listen(&mut self, client: &Client) {
        if self.0.is_none() {
            self.0 = client.listen(&[], None).await.ok();
        }
    }

    /// Ends when something has happened, or after so long.
    async fn wait(&mut self, longest: Duration) {
        let Some(stream) = &mut self.0 else { return sleep(longest).await };
        let happened = async {
            // What has no kind only says that the connection stands.
            while let Some(event) = stream.next().await {
                if !event.kind.is_empty() {
                    return true;
                }
            }
            false
        };
        if timeout(longest, happened).await == Ok(false) {
            self.0 = None;
        }
    }
}

/// Where it is shown: on a terminal in place, or one after the other.
struct Screen {
    output: Output,
    in_place: bool,
    shown: String,
    is_lost: bool,
    is_read: bool,
}

impl Screen {
    fn open(output: Output, first: Look) -> anyhow::Result<Self> {
        let in_place = io::stdout().is_terminal() && output.is_for_people();
        let mut screen =
            Self { output, in_place, shown: String::new(), is_lost: false, is_read: true };
        if in_place {
            execute!(
                io::stdout(),
                terminal::EnterAlternateScreen,
                cursor::Hide,
                terminal::DisableLineWrap
            )?;
        }
        screen.show(first)?;
        Ok(screen)
    }

    fn is_read(&self) -> bool {
        self.is_read
    }

    /// Shows what is different; on a terminal all of it, since times go on.
    fn show(&mut self, look: Look) -> anyhow::Result<()> {
        self.is_lost = false;
        let text = self.output.line(&look.json, look.table)?;
        if self.in_place {
            self.shown = text;
            return self.draw("");
        }
        if text != self.shown {
            let separator = match self.output {
                _ if self.shown.is_empty() => String::new(),
                Output::Json => String::new(),
                Output::Yaml => "---\n".to_owned(),
                Output::Table | Output::Wide => format!("\n--- {}\n", now()),
            };
            self.is_read = write_line(&format!("{separator}{text}")).is_ok();
            self.shown = text;
        }
        Ok(())
    }

    /// Says once that nobody answers any more.
    fn lost(&mut self) -> anyhow::Result<()> {
        const TOLD: &str = "the connection was lost; it will be made again";
        if self.in_place {
            self.draw(TOLD)?;
        } else if !self.is_lost {
            complain(&format!("farol: {TOLD}"));
        }
        self.is_lost = true;
        Ok(())
    }

    fn draw(&self, trouble: &str) -> anyhow::Result<()> {
        let (_, height) = terminal::size().unwrap_or((80, 24));
        let text = in_place(&self.shown, &format!("{}  {trouble}", now()), height.into());
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("could not write")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.in_place {
            let _ = execute!(
                io::stdout(),
                terminal::EnableLineWrap,
                cursor::Show,
                terminal::LeaveAlternateScreen
            );
        }
    }
}

/// The time of day, to the second.
fn now() -> String {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Writes over what a terminal shows: each line to its end, and nothing below the last.
fn in_place(text: &str, head: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // The head, an empty line, and no line's end after the last, which would scroll.
    let room = height.saturating_sub(2).max(1);
    let (shown, more) = match lines.len() <= room {
        true => (lines.len(), String::new()),
        false => (room - 1, format!("… {} more lines", lines.len() + 1 - room)),
    };
    let more = Some(more.as_str()).filter(|it| !it.is_empty());
    let body = lines.get(..shown).unwrap_or_default().iter().copied().chain(more);
    let all: Vec<&str> = [head.trim_end(), ""].into_iter().chain(body).collect();
    format!("\x1b[H{}\x1b[K\x1b[J", all.join("\x1b[K\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_written_over_and_never_scrolls() {
        let plain = |text: &str, height| {
            let drawn = in_place(text, "12:00  ", height);
            drawn.replace("\x1b[H", "").replace("\x1b[K", "").replace("\x1b[J", "")
        };
        assert_eq!(plain("a\nb\n", 24), "12:00\r\n\r\na\r\nb");
        assert_eq!(plain("a\nb", 4), "12:00\r\n\r\na\r\nb");
        assert_eq!(plain("a\nb\nc", 4), "12:00\r\n\r\na\r\n… 2 more lines");
        assert_eq!(plain("a\nb\nc", 1), "12:00\r\n\r\n… 3 more lines");
    }
}
