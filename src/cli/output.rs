//! How answers are shown: tables and words for people, the API's JSON or the same in YAML for programs.

use std::io::IsTerminal;

use anyhow::Context;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;

use super::client::Output;
use super::say;
use crate::api::view;
use crate::model::is_hidden;

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const GREY: &str = "\x1b[90m";
const PLAIN: &str = "\x1b[0m";

/// Writes text for people, its known words coloured if standard output is a terminal and `NO_COLOR` is not set.
pub(super) fn show(text: &str) -> anyhow::Result<()> {
    say(&dress(text))
}

/// Text for people as standard output takes it: in colours, or plain.
pub(super) fn dress(text: &str) -> String {
    let text = text.trim_end();
    if wants_colour() { paint(text) } else { text.to_owned() }
}

impl Output {
    /// Shows an answer of the API: its JSON as it is, only laid out for reading, the same in YAML, or what is made of it for
    /// people.
    pub(super) fn show(self, json: &str, table: impl FnOnce() -> String) -> anyhow::Result<()> {
        match self {
            Self::Table | Self::Wide => show(&table()),
            Self::Json => say(&indent(json)),
            Self::Yaml => say(yaml(json)?.trim_end()),
        }
    }

    /// The same as a text of several: JSON is on one line then.
    pub(super) fn line(self, json: &str, table: impl FnOnce() -> String) -> anyhow::Result<String> {
        Ok(match self {
            Self::Table | Self::Wide => dress(&table()),
            Self::Json => json.trim().to_owned(),
            Self::Yaml => yaml(json)?.trim_end().to_owned(),
        })
    }
}

/// The same document in YAML.
fn yaml(json: &str) -> anyhow::Result<String> {
    let document: serde_json::Value =
        serde_json::from_str(json).context("the answer is no JSON")?;
    serde_saphyr::to_string(&document).context("the answer could not be written as YAML")
}

/// Whether standard output is a terminal whose reader hasn't refused colours.
pub(super) fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    std::io::stdout().is_terminal() && !refused
}

/// Colours the words of states, after the layout is done: escapes have no width that a table could know.
fn paint(text: &str) -> String {
    let colour = |word: &str| match word.trim_end_matches([',', ':', ';', '.']) {
        "Online" | "Unmonitored" | "ready" | "well" => Some(GREEN),
        "Degraded" | "DEGRADED" | "refused" | "failing" => Some(RED),
        "Drained" | "drained" | "CheckingEndpoint" | "CheckingEndpoints" | "starting" => {
            Some(YELLOW)
        }
        "Disabled" | "Inactive" => Some(GREY),
        _ => None,
    };
    let paint = |word: &str| match colour(word.trim_end()) {
        Some(colour) => format!("{colour}{word}{PLAIN}"),
        None => word.to_owned(),
    };
    text.split_inclusive([' ', '\n']).map(paint).collect()
}

/// Lays out JSON without reading more into it than it says: keys keep their order, numbers their digits.
fn indent(json: &str) -> String {
    let (mut out, mut depth) = (String::with_capacity(json.len() * 2), 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    for letter in json.chars() {
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        match letter {
            '{' | '[' => {
                depth += 1;
                out.push(letter);
                line(&mut out, depth);
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if out.trim_end().ends_with(['{', '[']) {
                    out.truncate(out.trim_end().len()); // an empty one stays on its line
                } else {
                    line(&mut out, depth);
                }
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            it if it.is_ascii_whitespace() => {}
            it => {
                in_string = it == '"';
                out.push(it);
            }
        }
    }
    out
}

/// Rows under a heading. A column whose name begins with `>` is aligned to the right, as numbers are; a column in which
/// no row has anything is left out.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let is_used = |at: &usize| rows.iter().any(|row| row.get(*at).is_some_and(|it| !it.is_empty()));
    let used: Vec<usize> = (0..header.len()).filter(is_used).collect();
    let pick = |row: &[String]| -> Vec<String> {
        used.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect()
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let names: Vec<String> = header.iter().map(|it| it.trim_start_matches('>').into()).collect();
    table.set_header(pick(&names));
    table.add_rows(rows.iter().map(|row| pick(row)));
    for (column, at) in table.column_iter_mut().zip(&used) {
        column.set_padding((0, 2));
        if header.get(*at).is_some_and(|it| it.starts_with('>')) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Names and what belongs to them, one a line or more; empty ones are left out.
pub(super) fn list(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<_> = pairs.iter().filter(|it| !it.1.is_empty()).collect();
    let width = pairs.iter().map(|it| it.0.chars().count()).max().unwrap_or_default();
    let under = format!("\n{:width$}  ", "");
    let line = |value: &str| value.replace('\n', &under);
    pairs.iter().map(|(name, value)| format!("{name:width$}  {}\n", line(value))).collect()
}

/// "60 %", "33.33 %"; "-" where the share depends on who asks.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |it| format!("{it} %"))
}

/// "3m ago" for a time in RFC 3339; what is no time is shown as it is.
pub(super) fn ago(time: &str) -> String {
    age(time, Timestamp::now()).map_or_else(|| time.to_owned(), |it| format!("{it} ago"))
}

/// "3m" since a time in RFC 3339; what is no time is shown as it is.
pub(super) fn lasting(since: &str) -> String {
    age(since, Timestamp::now()).unwrap_or_else(|| since.to_owned())
}

/// "3m" for a time in RFC 3339 that lies before `now`.
pub(super) fn age(time: &str, now: Timestamp) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    Some(seconds(now.as_second() - time.as_second()))
}

/// "42s", "3m", "5h", "12d": the largest unit says enough.
pub(super) fn seconds(seconds: i64) -> String {
    match seconds.max(0) {
        it @ 0..60 => format!("{it}s"),
        it @ 60..3600 => format!("{}m", it / 60),
        it @ 3600..86_400 => format!("{}h", it / 3600),
        it => format!("{}d", it / 86_400),
    }
}

/// "1 endpoint", "2 endpoints".
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// "weight 20 by admin, 3m ago, until 2026-05-01T12:00:00Z: less load".
pub(super) fn override_in_words(it: &view::Override) -> String {
    let value = it.value.as_str().map_or_else(|| it.value.to_string(), str::to_owned);
    format!(
        "{} {value} {}",
        it.field,
        by(&it.by, &it.at, it.expires.as_deref(), it.reason.as_deref())
    )
}

/// "by admin, 3m ago, until 2026-05-01T12:00:00Z: less load".
pub(super) fn by(author: &str, at: &str, expires: Option<&str>, reason: Option<&str>) -> String {
    let until = expires.map(|it| format!(", until {it}")).unwrap_or_default();
    let reason = reason.map(|it| format!(": {}", one_line(it))).unwrap_or_default();
    format!("by {author}, {}{until}{reason}", ago(at))
}

/// Text of others, which may hold anything, on one line and without what is not to be seen.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|it| if is_hidden(it) { ' ' } else { it }).collect()
}

/// How a change ends its report: it was made, or would be like that.
pub(super) fn ending(
    generation: u64,
    dry_run: bool,
    pending: Option<&view::PendingChange>,
) -> String {
    if dry_run {
        return "Nothing was changed: this is what would be.".to_owned();
    }
    let made = acknowledged(generation);
    match pending {
        None => made,
        Some(pending) => format!("{made}\n{}", held(pending)),
    }
}

/// How changes may be undone by themselves yet.
fn held(pending: &view::PendingChange) -> String {
    let view::PendingChange { id, until, needs_confirmation, undo_if_worse, .. } = pending;
    let worse = if *undo_if_worse { ", and undone at once if health gets worse" } else { "" };
    match needs_confirmation {
        true => {
            format!("It is undone at {until}{worse}, unless you run: farol change confirm {id}")
        }
        false => format!("It is watched until {until}{worse}. To undo it: farol change undo {id}"),
    }
}

/// How a change that was made ends its report.
pub(super) fn acknowledged(generation: u64) -> String {
    format!("Every worker answers by it since generation {generation}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_and_leave_out_empty_columns() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![row(["seattle", "", "60 %"]), row(["rio", "", "6.67 %"])];
        let lines = ["NAME      SHARE", "seattle    60 %", "rio      6.67 %"];
        assert_eq!(table(&["NAME", "NOTE", ">SHARE"], rows), lines.join("\n"));
    }

    #[test]
    fn lists_are_aligned() {
        let pairs = [("a", "x\ny".to_owned()), ("none", String::new()), ("bcd", "z".to_owned())];
        assert_eq!(list(&pairs), "a    x\n     y\nbcd  z\n");
    }

    #[test]
    fn json_keeps_what_it_says() {
        let json = r#"{"b":[],"a":{"x":"{\"[,:","y":[1.50,null]},"z":{}}"#;
        let lines = [
            "{",
            "  \"b\": [],",
            "  \"a\": {",
            "    \"x\": \"{\\\"[,:\",",
            "    \"y\": [",
            "      1.50,",
            "      null",
            "    ]",
            "  },",
            "  \"z\": {}",
            "}",
        ];
        assert_eq!(indent(json), lines.join("\n"));
    }

    #[test]
    fn yaml_says_what_json_says() {
        let json =
            r#"{"name":"no","a":[],"b":[{"x":1.5,"y":null},{"x":"1.5","y":true}],"t":"a: b\nc"}"#;
        let lines = [
            "name: \"no\"",
            "a: []",
            "b:",
            "- x: 1.5",
            "  \"y\": null",
            "- x: \"1.5\"",
            "  \"y\": true",
            "t: |-",
            "  a: b",
            "  c",
        ];
        assert_eq!(yaml(json).unwrap().lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn ages_are_short() {
        for (age, text) in [(-5, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")] {
            assert_eq!(seconds(age), text);
        }
        let now: Timestamp = "2026-05-01T12:00:00Z".parse().unwrap();
        assert_eq!(age("2026-05-01T11:56:30.5Z", now).as_deref(), Some("3m"));
        assert_eq!(age("soon", now), None);
    }

    #[test]
    fn colours_keep_the_layout() {
        let plain = "seattle  Degraded  60 %\norlando  Online";
        let painted = paint(plain);
        assert!(painted.contains("\x1b[31mDegraded \x1b[0m 60 %"), "{painted:?}");
        let bare = [RED, GREEN, PLAIN].iter().fold(painted, |text, it| text.replace(it, ""));
        assert_eq!(bare, plain);
    }

    #[test]
    fn foreign_text_stays_on_its_line() {
        assert_eq!(one_line("a\n\x1b[31mb"), "a  [31mb");
    }
}
