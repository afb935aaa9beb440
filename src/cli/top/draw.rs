//! How it looks.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState};

use super::super::endpoint::note;
use super::super::output::{count, lasting};
use super::super::profile::{is_healthy, notes};
use super::keys::HELP;
use super::state::{Order, State};
use crate::api::view;

/// Whether states have colours. Every one has its word as well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours(bool);

impl Colours {
    /// Unless NO_COLOR says no.
    pub(super) fn wanted() -> Self {
        Self(std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()))
    }

    #[cfg(test)]
    pub(super) fn with(colours: bool) -> Self {
        Self(colours)
    }

    fn of(self, word: &str) -> Style {
        let colour = match word {
            "Online" | "Unmonitored" => Color::Green,
            "Degraded" | "trouble" => Color::Red,
            "Drained" | "CheckingEndpoint" | "CheckingEndpoints" => Color::Yellow,
            "Disabled" | "Inactive" => Color::DarkGray,
            _ => Color::Reset,
        };
        if self.0 { Style::new().fg(colour) } else { Style::new() }
    }
}

/// Draws everything.
pub(super) fn draw(state: &State, colours: Colours, frame: &mut Frame<'_>) {
    let line = Constraint::Length(1);
    let lines = Layout::vertical([line, line, line, Constraint::Fill(1), line]);
    let [head, summary, _, body, foot] = lines.areas(frame.area());
    frame.render_widget(Paragraph::new(title(state)), head);
    frame.render_widget(Paragraph::new(trouble(state, colours)), summary);
    match &state.opened {
        Some(_) => endpoints(state, colours, frame, body),
        None => profiles(state, colours, frame, body),
    }
    frame.render_widget(Paragraph::new(keys(state)), foot);
    if state.shows_help {
        help(frame);
    }
}

fn title(state: &State) -> Line<'_> {
    let Some(seen) = &state.seen else { return Line::raw(&state.server) };
    let status = &seen.status;
    let total = status.endpoints.values().sum();
    let states = status.endpoints.iter().map(|(state, number)| format!("{number} {state}"));
    let what = match &state.opened {
        Some(name) => name.clone(),
        None => {
            let order = match state.order {
                Order::Worst => "worst first",
                Order::Configured => "in order",
                Order::Busiest => "busiest of the page first",
            };
            format!("{order}, page {}", state.page())
        }
    };
    let text = format!(
        " at {}: {}, {}: {} · {what}",
        state.server,
        count(status.profiles, "profile"),
        count(total, "endpoint"),
        states.collect::<Vec<_>>().join(", ")
    );
    Line::from(vec![Span::styled("farol", Modifier::BOLD), Span::raw(text)])
}

/// What is not well of the whole daemon, or why nobody knows.
fn trouble(state: &State, colours: Colours) -> Line<'_> {
    if let Some(why) = &state.trouble {
        return Line::styled(format!("what stands below is old: {why}"), colours.of("trouble"));
    }
    let Some(seen) = &state.seen else { return Line::default() };
    let status = &seen.status;
    let numbers = [
        (status.failing_open.len(), "failing open"),
        (status.degraded.len(), "Degraded"),
        (status.stale.len(), "unheard of"),
        (status.certificates.len(), "with a certificate that expires soon"),
        (status.overridden.len(), "with overrides"),
    ];
    let mut parts: Vec<String> =
        numbers.iter().filter(|it| it.0 > 0).map(|(number, of)| format!("{number} {of}")).collect();
    if !status.drained_sites.is_empty() {
        parts.push(format!("drained: {}", status.drained_sites.join(", ")));
    }
    if status.refused_reload.is_some() {
        parts.push("a reload was refused".to_owned());
    }
    if !status.state.well {
        parts.push("the state directory wants looking after".to_owned());
    }
    match parts.as_slice() {
        [] => Line::styled("all is well", colours.of("Online")),
        parts if status.failing_open.is_empty() && status.degraded.is_empty() => {
            Line::raw(parts.join(" · "))
        }
        parts => Line::styled(parts.join(" · "), colours.of("trouble")),
    }
}

fn profiles(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    const HEADER: [&str; 7] =
        ["PROFILE", "STATUS", "METHOD", "HEALTHY", "ANSWERS/S", "SHARE (REALISED)", "NOTE"];
    let row = |it: &view::Profile| {
        let healthy = it.endpoints.iter().filter(|it| is_healthy(it)).count();
        let shares = it.endpoints.iter().map(|endpoint| {
            let realised = state.rates.share(it, &endpoint.name);
            format!("{} {} ({})", endpoint.name, whole(endpoint.share), whole(realised))
        });
        [
            it.name.clone(),
            it.status.clone(),
            it.method.clone(),
            format!("{healthy}/{}", it.endpoints.len()),
            rate(state.rates.profile(it)),
            shares.collect::<Vec<_>>().join(", "),
            all_notes(it),
        ]
    };
    let rows: Vec<_> = state.profiles().iter().map(row).collect();
    if rows.is_empty() {
        let text = if state.seen.is_some() { "No profile fits." } else { "" };
        return frame.render_widget(Paragraph::new(text), area);
    }
    grid(HEADER, &rows, Some(state.selected), colours, frame, area);
}

/// What is to be known of a profile beside its status.
fn all_notes(profile: &view::Profile) -> String {
    let overridden = profile.endpoints.iter().filter(|it| !it.overrides.is_empty()).count();
    let overridden = (overridden > 0).then(|| count(overridden, "override"));
    let notes = notes(profile).into_iter().map(str::to_owned).chain(overridden);
    notes.collect::<Vec<_>>().join(", ")
}

fn endpoints(state: &State, colours: Colours, frame: &mut Frame<'_>, area: Rect) {
    const HEADER: [&str; 9] =
        ["ENDPOINT", "SITE", "STATUS", "SINCE", "WEIGHT", "SHARE", "REALISED", "ANSWERS/S", "NOTE"];
    let opened = state.profiles().iter().find(|it| Some(&it.name) == state.opened.as_ref());
    let Some(profile) = opened else { return };
    let row = |it: &view::Endpoint| {
        let overridden = it.overrides.iter().any(|it| it.field == "weight");
        [
            it.name.clone(),
            it.site.clone().unwrap_or_default(),
            it.status.clone(),
            lasting(&it.since),
            format!("{}{}", it.weight, if overridden { "*" } else { "" }),
            whole(it.share),
            whole(state.rates.share(profile, &it.name)),
            rate(state.rates.endpoint(&profile.name, &it.name)),
            note(it),
        ]
    };
    let rows: Vec<_> = profile.endpoints.iter().map(row).collect();
    grid(HEADER, &rows, None, colours, frame, area);
}

/// Rows under a heading, each column as wide as what stands in it; the last has the rest.
fn grid<const N: usize>(
    header: [&str; N],
    rows: &[[String; N]],
    selected: Option<usize>,
    colours: Colours,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let width = |at: usize, name: &str| {
        let longest = rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default();
        Constraint::Length(u16::try_from(longest.max(name.len())).unwrap_or(u16::MAX))
    };
    let mut widths: Vec<Constraint> =
        header.iter().enumerate().map(|(at, name)| width(at, name)).collect();
    if let Some(last) = widths.last_mut() {
        *last = Constraint::Fill(1);
    }
    let is_number =
        |at: usize| ["HEALTHY", "ANSWERS/S", "WEIGHT", "SHARE", "REALISED"].contains(&header[at]);
    let cell = |(at, text): (usize, &str)| {
        let alignment = if is_number(at) { Alignment::Right } else { Alignment::Left };
        Cell::new(Line::raw(text.to_owned()).alignment(alignment)).style(colours.of(text))
    };
    let lines = rows.iter().map(|row| {
        Row::new(row.iter().map(String::as_str).enumerate().map(cell).collect::<Vec<_>>())
    });
    let names = Row::new(header.into_iter().enumerate().map(cell).collect::<Vec<_>>());
    let table = Table::new(lines, widths)
        .header(names.style(Modifier::BOLD))
        .column_spacing(2)
        .row_highlight_style(Modifier::REVERSED);
    let mut at = TableState::new().with_selected(selected);
    frame.render_stateful_widget(table, area, &mut at);
}

fn keys(state: &State) -> String {
    let more = state.seen.as_ref().is_some_and(|it| it.next.is_some());
    match (&state.opened, state.is_typing, state.filter.as_str()) {
        (_, true, text) => format!("only with: {text}_   enter keeps it, esc drops it"),
        (Some(_), ..) => "esc back   ? keys   q quit".to_owned(),
        (None, _, text) => {
            let only = Some(text).filter(|it| !it.is_empty());
            let only = only.map(|it| format!("only with: {it}   ")).unwrap_or_default();
            let next = if more { "PgDn next page   " } else { "" };
            format!("{only}enter endpoints   {next}/ filter   ? keys   q quit")
        }
    }
}

fn help(frame: &mut Frame<'_>) {
    let width = HELP.iter().map(|it| it.0.chars().count()).max().unwrap_or_default();
    let lines: Vec<Line<'_>> =
        HELP.iter().map(|(key, does)| Line::raw(format!(" {key:width$}  {does} "))).collect();
    let widest = lines.iter().map(Line::width).max().unwrap_or_default();
    let fits = |it: usize| Constraint::Length(u16::try_from(it + 2).unwrap_or(u16::MAX));
    let area = frame.area().centered(fits(widest), fits(lines.len()));
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys ")), area);
}

/// "80 %"; "-" where nobody can tell.
fn whole(percent: Option<f64>) -> String {
    percent.map_or_else(|| "-".to_owned(), |it| format!("{it:.0} %"))
}

/// "12.5"; "-" before two looks.
fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |it| format!("{it:.1}"))
}
