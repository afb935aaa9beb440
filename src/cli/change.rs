use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::ClientOptions;
use super::output::{by, ending, one_line, table};
use crate::api::view;

/// Look at changes that may be undone by themselves yet; confirm or undo them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol site drain seattle --confirm-within 5m --undo-if-worse
  farol change list
  farol change confirm 7 --reason 'orlando carries it well'
  farol change undo 7")]
pub(super) struct Change {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Changes that wait for their confirmation, or are watched
    List,
    /// Have a change stay
    Confirm(Which),
    /// Undo a change, except for what somebody has changed since
    Undo(Which),
}

#[derive(Args, Debug)]
struct Which {
    /// The change's number, from its report or `farol change list`
    number: u64,
    /// Why, for those who come after
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only tell whether it could be done
    #[arg(long)]
    dry_run: bool,
    /// Pass over the guardrails that don't allow it, for this reason; takes an admin's token
    #[arg(long, value_name = "REASON")]
    override_guardrail: Option<String>,
}

impl Change {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client.run(async |client, output| {
            let (which, verb, done) = match self.verb {
                Verb::List => {
                    let answer = client.get::<view::PendingChanges>(&["changes"]).await?;
                    return output.show(&answer.text, || list(&answer.value));
                }
                Verb::Confirm(which) => (which, "confirm", "confirmed"),
                Verb::Undo(which) => (which, "undo", "undone"),
            };
            let Which { number, reason, dry_run, override_guardrail } = which;
            let body = view::SettleRequest { reason, dry_run, override_guardrail };
            let path = ["changes", &number.to_string(), verb];
            let answer = client.post::<view::Settled>(&path, &body, None).await?;
            let view::Settled { generation, dry_run } = answer.value;
            let end = ending(generation, dry_run, None);
            output.show(&answer.text, || format!("change {number}: {done}\n{end}"))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(changes: &view::PendingChanges) -> String {
    let row = |it: &view::PendingChange| {
        let fate = match (it.needs_confirmation, it.undo_if_worse) {
            (true, false) => "undone then unless confirmed",
            (true, true) => "undone then unless confirmed, or at once if health gets worse",
            (false, _) => "undone if health gets worse by then",
        };
        vec![
            it.id.to_string(),
            it.until.clone(),
            fate.to_owned(),
            one_line(&it.changes.join(", ")),
            by(&it.by, &it.at, None, it.reason.as_deref()),
        ]
    };
    match changes.pending.as_slice() {
        [] => "No change is pending.".to_owned(),
        all => table(&[">CHANGE", "UNTIL", "FATE", "WHAT", "BY"], all.iter().map(row).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_change_is_said() {
        let change = |needs_confirmation, undo_if_worse| view::PendingChange {
            id: 7,
            by: "ann".to_owned(),
            reason: None,
            at: "soon".to_owned(),
            until: "2026-05-01T12:00:00Z".to_owned(),
            needs_confirmation,
            undo_if_worse,
            changes: vec!["site seattle: drained".to_owned()],
        };
        let pending = vec![change(true, false), change(true, true), change(false, true)];
        let text = list(&view::PendingChanges { pending });
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(lines.len(), 3);
        for (line, fate) in lines.iter().zip([
            "undone then unless confirmed  ",
            "undone then unless confirmed, or at once if health gets worse",
            "undone if health gets worse by then",
        ]) {
            assert!(line.contains(fate) && line.contains("site seattle: drained"), "{text}");
        }
        assert_eq!(list(&view::PendingChanges { pending: vec![] }), "No change is pending.");
    }
}
