//! What keys mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What somebody asks for with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A letter, which is a command, or a part of a filter that is being typed.
    Letter(char),
    Enter,
    Back,
    Erase,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    Interrupt,
}

impl Key {
    /// Nothing for keys that have no meaning, and for those that are let go.
    pub(super) fn of(event: &KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        let is_control = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(match event.code {
            KeyCode::Char('c') if is_control => Self::Interrupt,
            KeyCode::Char(_) if is_control => return None,
            KeyCode::Char(letter) => Self::Letter(letter),
            KeyCode::Enter | KeyCode::Right => Self::Enter,
            KeyCode::Esc | KeyCode::Left => Self::Back,
            KeyCode::Backspace => Self::Erase,
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home => Self::Home,
            _ => return None,
        })
    }
}

/// The keys, as the help shows them.
pub(super) const HELP: [(&str, &str); 10] = [
    ("↑ ↓, k j", "choose a profile"),
    ("enter, →", "its endpoints"),
    ("esc, ←", "back; without a filter"),
    ("PgDn, space", "the next page"),
    ("PgUp, Home", "the page before, the first page"),
    ("/", "only profiles with a text in their name, or in an endpoint's"),
    ("w", "the worst first"),
    ("c", "in the configuration's order"),
    ("b", "the busiest of the page first"),
    ("q, Ctrl-C", "quit"),
];
