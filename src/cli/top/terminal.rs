//! The terminal: what is drawn and what is pressed. It is as it was before when this goes out of scope.

use std::io::{self, Stdout};
use std::time::Duration;

use anyhow::Context;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::{cursor, execute, terminal};
use ratatui::{Frame, Terminal as Drawer};
use tokio::sync::mpsc;

use super::keys::Key;
use super::state::Message;

/// How often the thread that reads keys looks whether anybody wants them.
const ATTENTIVE: Duration = Duration::from_millis(100);
/// Keys that may wait; whoever presses faster than that waits.
const WAITING: usize = 64;

pub(super) struct Terminal {
    drawer: Drawer<CrosstermBackend<Stdout>>,
    pressed: mpsc::Receiver<Message>,
    _restored: Restored,
}

impl Terminal {
    /// How many lines there are.
    pub(super) fn height() -> anyhow::Result<u16> {
        Ok(terminal::size().context("could not ask for the terminal's size")?.1)
    }

    pub(super) fn open() -> anyhow::Result<Self> {
        let failed = "could not take the terminal";
        let _restored = Restored;
        terminal::enable_raw_mode().context(failed)?;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide).context(failed)?;
        let drawer = Drawer::new(CrosstermBackend::new(io::stdout())).context(failed)?;
        let (sender, pressed) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&sender))
            .context("could not start a thread")?;
        Ok(Self { drawer, pressed, _restored })
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> anyhow::Result<()> {
        self.drawer.draw(draw).context("could not draw")?;
        Ok(())
    }

    /// What happens next at the terminal; nothing when it is gone.
    pub(super) async fn pressed(&mut self) -> Option<Message> {
        self.pressed.recv().await
    }
}

/// Reads keys for as long as somebody wants them.
fn read(pressed: &mpsc::Sender<Message>) {
    while !pressed.is_closed() {
        let event = match event::poll(ATTENTIVE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let message = match event {
            Ok(Event::Key(key)) => Key::of(&key).map(Message::Pressed),
            Ok(Event::Resize(_, height)) => Some(Message::Size(height)),
            Ok(_) => None,
            Err(_) => return,
        };
        if message.is_some_and(|it| pressed.blocking_send(it).is_err()) {
            return;
        }
    }
}

struct Restored;

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
        let _ = execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show);
    }
}
