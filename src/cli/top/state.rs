//! What is shown, and what keys and looks make of it. It has no clock, no terminal and no client.

use std::time::Duration;

use super::super::profile::is_healthy;
use super::fetch::{Seen, Start, Wanted};
use super::keys::Key;
use super::rates::Rates;
use crate::api::view;

/// Lines that are no rows: head, state, header and foot.
pub(super) const FRAME: u16 = 5;

/// In which order profiles are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that are not well first; of a filtered page, the worst of it.
    Worst,
    /// The configuration's.
    Configured,
    /// The busiest of the page first: which are the busiest of all nobody knows who has not seen all.
    Busiest,
}

/// What has happened.
#[derive(Debug)]
pub(super) enum Message {
    Pressed(Key),
    /// The terminal has so many lines now.
    Size(u16),
    /// What a look has shown at this time.
    Seen(Box<Seen>, Duration),
    /// A look has failed.
    Lost(String),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Show,
    /// Something else is to be shown, which has to be looked at first.
    Look,
    Quit,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct State {
    pub(super) server: String,
    pub(super) order: Order,
    pub(super) filter: String,
    /// Whether letters go to the filter.
    pub(super) is_typing: bool,
    pub(super) shows_help: bool,
    /// The profile whose endpoints are shown.
    pub(super) opened: Option<String>,
    pub(super) selected: usize,
    pub(super) seen: Option<Seen>,
    pub(super) rates: Rates,
    /// Why the last look failed.
    pub(super) trouble: Option<String>,
    /// The pages up to this one.
    pages: Vec<Start>,
    rows: usize,
}

impl State {
    pub(super) fn new(server: &str, filter: String) -> Self {
        let mut state = Self {
            server: server.to_owned(),
            order: Order::Worst,
            filter,
            is_typing: false,
            shows_help: false,
            opened: None,
            selected: 0,
            seen: None,
            rates: Rates::default(),
            trouble: None,
            pages: Vec::new(),
            rows: 1,
        };
        state.go_to_first_page();
        state
    }

    /// What a look has to be of.
    pub(super) fn wanted(&self) -> Wanted {
        match &self.opened {
            Some(name) => Wanted::Profile(name.clone()),
            None => Wanted::Page {
                start: self.pages.last().cloned().unwrap_or(Start::After(None)),
                worst_first: self.has_worst_first(),
                filter: self.filter.clone(),
                rows: self.rows,
            },
        }
    }

    /// The number of the page that is shown, from 1.
    pub(super) fn page(&self) -> usize {
        self.pages.len()
    }

    /// The profiles of the page, in order.
    pub(super) fn profiles(&self) -> &[view::Profile] {
        self.seen.as_ref().map(|it| it.profiles.as_slice()).unwrap_or_default()
    }

    pub(super) fn update(&mut self, message: Message) -> Then {
        match message {
            Message::Pressed(Key::Interrupt) => Then::Quit,
            Message::Pressed(_) if self.shows_help => {
                self.shows_help = false;
                Then::Show
            }
            Message::Pressed(key) if self.is_typing => self.typed(key),
            Message::Pressed(key) => self.pressed(key),
            Message::Size(lines) => {
                let rows = usize::from(lines.saturating_sub(FRAME)).clamp(1, 1000);
                if std::mem::replace(&mut self.rows, rows) == rows {
                    Then::Show
                } else {
                    Then::Look
                }
            }
            Message::Seen(seen, at) => {
                self.see(*seen, at);
                Then::Show
            }
            Message::Lost(why) => {
                self.trouble = Some(why);
                Then::Show
            }
        }
    }

    fn has_worst_first(&self) -> bool {
        // The filter is the daemon's, which knows no order but its own.
        self.order == Order::Worst && self.filter.is_empty()
    }

    fn go_to_first_page(&mut self) {
        let first = if self.has_worst_first() { Start::Worst(0) } else { Start::After(None) };
        (self.pages, self.selected) = (vec![first], 0);
    }

    fn see(&mut self, mut seen: Seen, at: Duration) {
        self.trouble = None;
        self.rates.note(at, &seen.profiles);
        match self.order {
            // A look at one profile is in order.
            _ if matches!(seen.of, Wanted::Profile(_)) => {}
            Order::Worst => seen.profiles.sort_by_key(severity),
            Order::Configured => {}
            Order::Busiest => seen.profiles.sort_by(|one, other| {
                let rate = |it| self.rates.profile(it).unwrap_or_default();
                rate(other).total_cmp(&rate(one))
            }),
        }
        let chosen = self.profiles().get(self.selected).map(|it| it.name.clone());
        let same_page = self.seen.as_ref().is_some_and(|it| it.of == seen.of);
        let at = seen.profiles.iter().position(|it| Some(&it.name) == chosen.as_ref());
        if let Some(at) = at.filter(|_| same_page) {
            self.selected = at;
        }
        if self.opened.is_none() {
            self.selected = self.selected.min(seen.profiles.len().saturating_sub(1));
        }
        self.seen = Some(seen);
    }

    fn typed(&mut self, key: Key) -> Then {
        match key {
            Key::Letter(letter) => self.filter.push(letter),
            Key::Erase => drop(self.filter.pop()),
            Key::Back => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => {
                self.is_typing = false;
                return Then::Show;
            }
        }
        self.go_to_first_page();
        Then::Look
    }

    fn pressed(&mut self, key: Key) -> Then {
        let last = self.profiles().len().saturating_sub(1);
        match key {
            Key::Letter('q') => return Then::Quit,
            Key::Letter('?' | 'h') => self.shows_help = true,
            Key::Back | Key::Erase if self.opened.is_some() => {
                self.opened = None;
                return Then::Look;
            }
            _ if self.opened.is_some() => {}
            Key::Letter('/') => self.is_typing = true,
            Key::Back if !self.filter.is_empty() => {
                self.filter.clear();
                self.go_to_first_page();
                return Then::Look;
            }
            Key::Letter('w') => return self.sort(Order::Worst),
            Key::Letter('c') => return self.sort(Order::Configured),
            Key::Letter('b') => return self.sort(Order::Busiest),
            Key::Up | Key::Letter('k') => self.selected = self.selected.saturating_sub(1),
            Key::Down | Key::Letter('j') => self.selected = (self.selected + 1).min(last),
            Key::Enter => {
                let chosen = self.profiles().get(self.selected).map(|it| it.name.clone());
                self.opened = chosen;
                return if self.opened.is_some() { Then::Look } else { Then::Show };
            }
            Key::PageDown | Key::Letter(' ') => {
                let next = self.seen.as_ref().and_then(|it| it.next.clone());
                let Some(next) = next.filter(|it| self.pages.last() != Some(it)) else {
                    return Then::Show;
                };
                self.pages.push(next);
                self.selected = 0;
                return Then::Look;
            }
            Key::PageUp if self.pages.len() > 1 => {
                self.pages.pop();
                self.selected = 0;
                return Then::Look;
            }
            Key::Home | Key::Letter('g') => {
                self.go_to_first_page();
                return Then::Look;
            }
            _ => {}
        }
        Then::Show
    }

    fn sort(&mut self, order: Order) -> Then {
        self.order = order;
        self.go_to_first_page();
        Then::Look
    }
}

/// How bad it is, the worst first.
fn severity(profile: &view::Profile) -> u8 {
    let any = |is: fn(&view::Endpoint) -> bool| profile.endpoints.iter().any(is);
    match () {
        () if profile.fail_open => 0,
        () if profile.enabled && !any(is_healthy) => 1,
        () if any(|it| it.status == "Degraded") => 2,
        () if profile.awaits_failback || any(|it| it.stale) => 3,
        () if any(|it| it.drained || !it.overrides.is_empty()) => 4,
        () => 5,
    }
}
