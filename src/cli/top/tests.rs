use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::super::endpoint::samples;
use super::draw::{Colours, draw};
use super::fetch::{Seen, Start, Wanted, worst};
use super::keys::Key;
use super::state::{Message, Order, State, Then};
use crate::api::view;

fn status() -> view::Status {
    let status = serde_json::json!({
        "version": "0.1.0", "started": "2026-05-01T12:00:00Z", "ready": true, "generation": 7,
        "zones": ["gtm.example."], "profiles": 2, "endpoints": {"Online": 3, "Degraded": 1},
        "failing_open": [], "degraded": [{"profile": "app.gtm.example.", "endpoint": "seattle"}],
        "drained_sites": ["rio"], "overridden": [], "state": {"well": true, "files": [], "set_aside": []},
    });
    serde_json::from_value(status).unwrap()
}

/// app with a failing endpoint that was named so often, and www, where all is well.
fn profiles(answers: [u64; 2]) -> Vec<view::Profile> {
    let mut app = samples::profile();
    for (endpoint, answers) in app.endpoints.iter_mut().zip(answers) {
        endpoint.answers = answers;
    }
    let www = view::Profile {
        name: "www.gtm.example.".to_owned(),
        status: "Online".to_owned(),
        endpoints: vec![view::Endpoint { share: None, answers: 0, ..samples::endpoint("rio") }],
        ..samples::profile()
    };
    vec![www, app]
}

struct Bed {
    state: State,
    /// Seconds.
    now: u64,
}

impl Bed {
    fn new() -> Self {
        let mut state = State::new("http://h", String::new());
        assert_eq!(state.update(Message::Size(12)), Then::Look);
        Self { state, now: 0 }
    }

    /// Looks at what is wanted, and two seconds go by.
    fn look(&mut self, answers: [u64; 2], next: Option<Start>) {
        let of = self.state.wanted();
        let mut profiles = profiles(answers);
        if let Wanted::Profile(name) = &of {
            profiles.retain(|it| it.name == *name);
        }
        let seen = Seen { of, status: status(), profiles, next };
        self.state.update(Message::Seen(Box::new(seen), Duration::from_secs(self.now)));
        self.now += 2;
    }

    fn press(&mut self, keys: &[Key]) -> Then {
        keys.iter().fold(Then::Show, |_, it| self.state.update(Message::Pressed(*it)))
    }

    fn terminal(&self, colours: bool) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(120, 12)).unwrap();
        let colours = Colours::with(colours);
        terminal.draw(|frame| draw(&self.state, colours, frame)).unwrap();
        terminal
    }

    /// The lines on the screen.
    fn lines(&self) -> Vec<String> {
        let terminal = self.terminal(true);
        let buffer = terminal.backend().buffer();
        let line = |y| -> String { (0..120).map(|x| buffer[(x, y)].symbol()).collect() };
        (0..12).map(|y| line(y).trim_end().to_owned()).collect()
    }
}

#[test]
fn profiles_are_shown_with_shares_as_configured_and_as_they_are() {
    let mut bed = Bed::new();
    bed.look([1000, 1000], None);
    bed.look([1150, 1050], None);
    let lines = [
        "farol at http://h: 2 profiles, 4 endpoints: 1 Degraded, 3 Online · worst first, page 1",
        "1 Degraded · drained: rio",
        "",
        "PROFILE           STATUS    METHOD    HEALTHY  ANSWERS/S  SHARE (REALISED)                          NOTE",
        "app.gtm.example.  Degraded  weighted      1/2      100.0  seattle 60 % (75 %), orlando 40 % (25 %)  1 override",
        "www.gtm.example.  Online    weighted      1/1        0.0  rio - (-)",
    ];
    let mut expected: Vec<String> = lines.iter().map(|it| (*it).to_owned()).collect();
    expected.resize(11, String::new());
    expected.push("enter endpoints   / filter   ? keys   q quit".to_owned());
    assert_eq!(bed.lines(), expected);
}

#[test]
fn a_profile_opens_and_closes() {
    let mut bed = Bed::new();
    bed.look([1000, 1000], None);
    assert_eq!(bed.press(&[Key::Down, Key::Up, Key::Enter]), Then::Look);
    assert_eq!(bed.state.wanted(), Wanted::Profile("app.gtm.example.".to_owned()));
    bed.look([1020, 1060], None);
    let lines = bed.lines();
    assert!(lines[0].ends_with(" · app.gtm.example."), "{lines:?}");
    assert!(
        lines[3].starts_with(
            "ENDPOINT  SITE     STATUS    SINCE  WEIGHT  SHARE  REALISED  ANSWERS/S  NOTE"
        ),
        "{lines:?}"
    );
    assert!(
        lines[4].starts_with("seattle   seattle  Degraded  ")
            && lines[4].ends_with("60   60 %      25 %       10.0  connect: refused"),
        "{lines:?}"
    );
    assert!(lines[5].contains("   40*   40 %      75 %       30.0"), "{lines:?}");
    assert_eq!(lines[11], "esc back   ? keys   q quit");
    assert_eq!(bed.press(&[Key::Back]), Then::Look);
    assert!(matches!(bed.state.wanted(), Wanted::Page { .. }));
    assert_eq!(bed.press(&[Key::Letter('q')]), Then::Quit);
}

#[test]
fn only_a_page_is_asked_for() {
    let mut bed = Bed::new();
    let page = |start, worst_first, filter: &str| Wanted::Page {
        start,
        worst_first,
        filter: filter.to_owned(),
        rows: 7,
    };
    assert_eq!(bed.state.wanted(), page(Start::Worst(0), true, ""));
    let next = Start::After(Some("m.gtm.example.".to_owned()));
    bed.look([0, 0], Some(next.clone()));
    assert!(bed.lines()[11].contains("PgDn next page"));
    assert_eq!(bed.press(&[Key::PageDown]), Then::Look);
    assert_eq!(bed.press(&[Key::PageDown]), Then::Show, "the next one is not known yet");
    assert_eq!(bed.state.wanted(), page(next, true, ""));
    bed.look([0, 0], None);
    assert_eq!(bed.press(&[Key::PageDown]), Then::Show, "it is the last");
    assert_eq!(bed.press(&[Key::PageUp]), Then::Look);
    assert_eq!(bed.press(&[Key::PageUp]), Then::Show, "it is the first");
    assert_eq!(bed.press(&[Key::Letter('c')]), Then::Look);
    assert_eq!(bed.state.wanted(), page(Start::After(None), false, ""));

    assert_eq!(bed.press(&[Key::Letter('/')]), Then::Show);
    assert_eq!(bed.press(&[Key::Letter('q'), Key::Letter('x'), Key::Erase]), Then::Look);
    assert_eq!(bed.state.wanted(), page(Start::After(None), false, "q"));
    assert!(bed.lines()[11].starts_with("only with: q_"));
    assert_eq!(bed.press(&[Key::Enter]), Then::Show);
    assert!(bed.lines()[11].starts_with("only with: q   enter endpoints"));
    assert_eq!(bed.press(&[Key::Letter('w')]), Then::Look);
    assert_eq!(
        bed.state.wanted(),
        page(Start::After(None), false, "q"),
        "the daemon filters in its own order"
    );
    assert_eq!(bed.press(&[Key::Back]), Then::Look);
    assert_eq!(bed.state.wanted(), page(Start::Worst(0), true, ""));

    // A terminal of another size shows as many as fit.
    assert_eq!(bed.state.update(Message::Size(12)), Then::Show);
    assert_eq!(bed.state.update(Message::Size(50)), Then::Look);
    assert!(matches!(bed.state.wanted(), Wanted::Page { rows: 45, .. }));
    assert_eq!(bed.state.update(Message::Size(1)), Then::Look);
    assert!(matches!(bed.state.wanted(), Wanted::Page { rows: 1, .. }));
}

#[test]
fn the_order_is_the_one_that_was_chosen_and_the_choice_stays_with_its_profile() {
    let mut bed = Bed::new();
    let names = |bed: &Bed| {
        bed.state.profiles().iter().map(|it| it.name[..3].to_owned()).collect::<Vec<_>>()
    };
    bed.look([0, 0], None);
    assert_eq!(names(&bed), ["app", "www"]);
    bed.press(&[Key::Letter('c')]);
    bed.look([0, 0], None);
    assert_eq!(names(&bed), ["www", "app"]);
    bed.press(&[Key::Letter('b')]);
    assert_eq!(bed.state.order, Order::Busiest);
    bed.look([0, 0], None);
    bed.press(&[Key::Down]);
    let chosen = bed.state.profiles()[1].name.clone();
    bed.look([9, 9], None);
    assert_eq!(names(&bed), ["app", "www"], "it is busy");
    assert_eq!(bed.state.profiles()[bed.state.selected].name, chosen);
}

#[test]
fn the_worst_are_each_named_once() {
    let named = |profile: &str| view::EndpointRef {
        profile: profile.to_owned(),
        endpoint: "e".to_owned(),
        reason: None,
    };
    let status = view::Status {
        failing_open: vec!["c.".to_owned()],
        degraded: vec![named("a."), named("c."), named("a.")],
        stale: vec![named("b."), named("a.")],
        ..status()
    };
    assert_eq!(worst(&status), ["c.", "a.", "b."]);
}

#[test]
fn troubles_and_keys_are_told_in_words_and_colours_are_not_needed() {
    let mut bed = Bed::new();
    bed.look([0, 0], None);
    let has_colours = |bed: &Bed, wanted| {
        let terminal = bed.terminal(wanted);
        terminal.backend().buffer().content.iter().any(|it| it.fg != Color::Reset)
    };
    assert!(has_colours(&bed, true) && !has_colours(&bed, false));
    bed.state.update(Message::Lost("no daemon answers".to_owned()));
    assert_eq!(bed.lines()[1], "what stands below is old: no daemon answers");
    assert!(bed.lines()[4].starts_with("app.gtm.example."));
    bed.look([0, 0], None);
    assert_eq!(bed.lines()[1], "1 Degraded · drained: rio");
    bed.press(&[Key::Letter('?')]);
    assert!(bed.lines().concat().contains("the busiest of the page first"));
    assert_eq!(bed.press(&[Key::Letter('q')]), Then::Show, "any key closes it");
    assert_eq!(bed.press(&[Key::Interrupt]), Then::Quit);
}
