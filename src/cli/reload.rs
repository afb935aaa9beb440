use std::process::ExitCode;

use clap::Args;

use super::client::ClientOptions;
use super::output::{acknowledged, list};
use crate::api::view;

/// Have the daemon read its configuration anew: all of it is taken, or what runs is kept.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol check /etc/farol/ && farol reload")]
pub(super) struct Reload {
    #[command(flatten)]
    client: ClientOptions,
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client.run(async |client, output| {
            let answer = client.post::<view::Reloaded>(&["reload"], &(), None).await?;
            output.show(&answer.text, || render(&answer.value))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Names that are shown of each kind; `--output json` has all.
const NAMES: usize = 20;

fn some(names: &[String]) -> String {
    let (shown, more) = names.split_at(names.len().min(NAMES));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    shown.join(", ") + &more
}

fn render(it: &view::Reloaded) -> String {
    let zones = if it.zones_or_sites_changed { "changed" } else { "" };
    let changes = list(&[
        ("  added", some(&it.added)),
        ("  removed", some(&it.removed)),
        ("  changed", some(&it.changed)),
        ("  zones or sites", zones.to_owned()),
        ("  settings", some(&it.settings)),
    ]);
    let mut text = match changes.as_str() {
        "" => "Reloaded; nothing is different.\n".to_owned(),
        changes => format!("Reloaded.\n{changes}"),
    };
    for (title, names) in [
        ("Overrides stay in force over the configuration:", &it.overridden),
        ("Overrides are kept for what the configuration doesn't have:", &it.unmatched_overrides),
        ("Changed, but read at the start only; restart for them:", &it.needs_restart),
        ("Taken, but look after this:", &it.warnings),
    ] {
        if !names.is_empty() {
            let names: String = names.iter().map(|it| format!("  {it}\n")).collect();
            text.push_str(&format!("{title}\n{names}"));
        }
    }
    text + &acknowledged(it.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_names_are_shown_and_no_more() {
        let names = |count| vec!["a.".to_owned(); count];
        assert_eq!(some(&names(2)), "a., a.");
        assert!(some(&names(20)).ends_with(", a."));
        assert!(some(&names(23)).ends_with(", a. and 3 more"));
    }

    #[test]
    fn a_reload_says_what_is_different() {
        let same = view::Reloaded {
            generation: 7,
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
            zones_or_sites_changed: false,
            settings: Vec::new(),
            overridden: Vec::new(),
            unmatched_overrides: Vec::new(),
            needs_restart: Vec::new(),
            warnings: Vec::new(),
        };
        let end = "Every worker answers by it since generation 7.";
        assert_eq!(render(&same), format!("Reloaded; nothing is different.\n{end}"));
        let damaged =
            view::Reloaded { warnings: vec!["geo.mmdb is damaged".to_owned()], ..same.clone() };
        let lines = [
            "Reloaded; nothing is different.",
            "Taken, but look after this:",
            "  geo.mmdb is damaged",
            end,
        ];
        assert_eq!(render(&damaged), lines.join("\n"));
        let other = view::Reloaded {
            added: vec!["a.".to_owned(), "b.".to_owned()],
            settings: vec!["server.listen".to_owned()],
            overridden: vec!["a. seattle: weight 9 over 1".to_owned()],
            needs_restart: vec!["state.dir".to_owned()],
            ..same
        };
        let lines = [
            "Reloaded.",
            "  added     a., b.",
            "  settings  server.listen",
            "Overrides stay in force over the configuration:",
            "  a. seattle: weight 9 over 1",
            "Changed, but read at the start only; restart for them:",
            "  state.dir",
            end,
        ];
        assert_eq!(render(&other), lines.join("\n"));
    }
}
