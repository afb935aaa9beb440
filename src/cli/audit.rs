use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{ClientOptions, Output};
use super::layers::Layers;
use super::live::{Look, Watch};
use super::output::{count, one_line, table};
use crate::api::view;
use crate::store::{Values, Verification, verify};

/// How long a daemon that stores a change may take until its lines are in the log.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Look at what was changed, by whom and why, and find out whether somebody altered the log of it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol audit list
  farol audit list --profile app.gtm.example --limit 10
  farol audit list --by ann --output json
  farol audit verify                         # on the daemon's machine
  farol audit verify --dir /backup/farol")]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What was done, the newest first
    List(List),
    /// Find out whether a line of the log was altered or removed, without asking a daemon
    Verify(Verify),
}

#[derive(Args, Debug)]
struct List {
    #[command(flatten)]
    client: ClientOptions,
    #[command(flatten)]
    watch: Watch,
    /// Only what was done to this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only what was done to this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Only what this author did
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// So many at most, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only those with a lower number, to look further back
    #[arg(long, value_name = "NUMBER")]
    before: Option<u32>,
}

#[derive(Args, Debug)]
struct Verify {
    /// The configuration that names the state directory; may be given several times
    #[arg(long, value_name = "FILE|DIR", default_value = "/etc/farol/")]
    config: Vec<PathBuf>,
    /// The state directory itself; then no configuration is read
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How it is shown
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

impl Audit {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.verb {
            Verb::List(list) => list.run(),
            Verb::Verify(verify) => verify.run(),
        }
    }
}

impl List {
    fn run(self) -> anyhow::Result<ExitCode> {
        let named = [("profile", self.profile), ("site", self.site), ("by", self.by)];
        let mut query: Vec<(&str, String)> =
            named.into_iter().filter_map(|(key, it)| Some((key, it?))).collect();
        query.push(("limit", self.limit.to_string()));
        query.extend(self.before.map(|it| ("before", it.to_string())));
        self.watch.run(&self.client, async |client, _| {
            let answer = client.query::<view::Audit>(&["audit"], &query).await?;
            Ok(Look::new(answer.text, move || audit_table(&answer.value)))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    fn run(self) -> anyhow::Result<ExitCode> {
        let dir = match self.dir {
            Some(dir) => dir,
            None => crate::settings::load(&Layers::default().over(self.config))?.state.dir,
        };
        let mut found = verify(&dir)?;
        if found.faults.iter().all(|it| it.line.is_none()) && !found.faults.is_empty() {
            std::thread::sleep(UNDER_WAY);
            found = verify(&dir)?;
        }
        let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
        let (first, last) = found.span.unzip();
        let document =
            json!({"lines": found.lines, "first": first, "last": last, "faults": faults});
        self.output.show(&document.to_string(), || in_words(&found))?;
        Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn in_words(found: &Verification) -> String {
    let span = found.span.map(|(first, last)| format!(", numbers {first} to {last}"));
    let files = count(found.files.len(), "file");
    let lines = count(usize::try_from(found.lines).unwrap_or(usize::MAX), "line");
    let read = format!("{lines} in {files}{}", span.unwrap_or_default());
    if found.faults.is_empty() {
        return format!("ok: {read}; none was altered or removed");
    }
    let faults: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    format!("{}\nThe log was tampered with, or the disk is failing: {read}", faults.join("\n"))
}

fn audit_table(audit: &view::Audit) -> String {
    if audit.entries.is_empty() {
        return "Nothing was changed yet, as far as this goes.".to_owned();
    }
    let row = |it: &view::AuditEntry| {
        let names = [&it.profile, &it.endpoint, &it.site];
        let names: Vec<&str> = names.into_iter().filter_map(|it| it.as_deref()).collect();
        let number = it.change.map(|it| format!("change {it}"));
        let refused = Some(&it.outcome).filter(|it| *it != "made");
        let notes = [number.as_ref(), refused, it.reason.as_ref()];
        let notes: Vec<String> = notes.into_iter().flatten().map(|it| one_line(it)).collect();
        vec![
            it.number.to_string(),
            it.at.clone(),
            it.by.clone(),
            it.from.map(|it| it.to_string()).unwrap_or_default(),
            it.action.clone(),
            names.join(" "),
            changes(&it.before, &it.after),
            notes.join("; "),
        ]
    };
    let header = [">NUMBER", "AT", "BY", "FROM", "ACTION", "WHAT", "CHANGE", "NOTE"];
    let table = table(&header, audit.entries.iter().map(row).collect());
    match audit.next {
        Some(next) => format!("{table}\n\nOlder ones: --before {next}"),
        None => table,
    }
}

/// "weight configured → 20, forced down → configured".
fn changes(before: &Values, after: &Values) -> String {
    let value = |values: &Values, field: &str| match values.get(field) {
        None | Some(serde_json::Value::Null) => "configured".to_owned(),
        Some(serde_json::Value::String(text)) => one_line(text),
        Some(other) => other.to_string(),
    };
    let change = |(field, _): (&String, _)| match before.contains_key(field) {
        true => format!("{field} {} → {}", value(before, field), value(after, field)),
        false => format!("{field} {}", value(after, field)),
    };
    after.iter().map(change).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_shown_by_field() {
        let values = |text: &str| -> Values { serde_json::from_str(text).unwrap() };
        let before = values(r#"{"weight": null, "forced": "down", "enabled": true}"#);
        let after = values(r#"{"weight": 20, "forced": null, "enabled": false}"#);
        assert_eq!(
            changes(&before, &after),
            "weight configured → 20, forced down → configured, enabled true → false"
        );
        assert_eq!(changes(&Values::new(), &values(r#"{"generation": 7}"#)), "generation 7");
    }
}
