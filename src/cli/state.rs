use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::client::Output;
use super::layers::Layers;
use super::output::{count, one_line, table};
use super::{complain, say};
use crate::clock::rfc3339;
use crate::health::Timeline;
use crate::model::{Stamp, Timestamp};
use crate::store::{Backup, Contents, IssuedToken, Store, replace_file};

/// Back up, restore and look at the state directory, without asking a daemon.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol state show
  farol state backup farol-state.json      # also while the daemon runs
  farol state backup - | ssh gtm2 'cat >farol-state.json'
  farol state restore farol-state.json     # after the daemon was stopped")]
pub(super) struct State {
    /// The configuration that names the state directory; may be given several times
    #[arg(long, value_name = "FILE|DIR", default_value = "/etc/farol/", global = true)]
    config: Vec<PathBuf>,
    /// The state directory itself; then no configuration is read
    #[arg(long, value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What is stored: operators' changes, last verdicts, timelines
    Show {
        /// How it is shown
        #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "table")]
        output: Output,
    },
    /// Write everything but the API's token into one file
    Backup {
        /// The file, which must not exist; - is standard output
        file: PathBuf,
    },
    /// Put what is in a backup in the place of what is stored, of which copies are kept; the directory must exist
    Restore {
        /// The file; - is standard input
        file: PathBuf,
    },
}

impl State {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let dir = match self.dir {
            Some(dir) => dir,
            None => match crate::settings::load(&Layers::default().over(self.config)) {
                Ok(settings) => settings.state.dir,
                Err(problems) => {
                    complain(&format!(
                        "{problems}\nName the state directory by --dir, or correct this."
                    ));
                    return Ok(ExitCode::FAILURE);
                }
            },
        };
        match self.verb {
            Verb::Show { output } => {
                let contents = Contents::read(&dir)?;
                output.show(&in_json(&contents).to_string(), || in_words(&dir, &contents))
            }
            Verb::Backup { file } => back_up(&dir, &file),
            Verb::Restore { file } => restore(&dir, &file),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

fn is_standard(file: &Path) -> bool {
    file == Path::new("-")
}

fn back_up(dir: &Path, file: &Path) -> anyhow::Result<()> {
    let contents = Contents::read(dir)?;
    let backup = contents.back_up().context("could not make the backup")?;
    if is_standard(file) {
        let mut out = std::io::stdout().lock();
        return out
            .write_all(&backup)
            .and_then(|()| out.flush())
            .context("could not write to standard output");
    }
    if file.symlink_metadata().is_ok() {
        anyhow::bail!("`{}` is there already: name another file, or remove it", file.display());
    }
    replace_file(file, &backup).with_context(|| format!("could not write `{}`", file.display()))?;
    say(&format!("{}: {}", file.display(), summary(&contents)))
}

fn restore(dir: &Path, file: &Path) -> anyhow::Result<()> {
    // Where none is, the name is more likely wrong than new; and who it is for only the operator knows.
    if dir.metadata().is_err_and(|it| it.kind() == ErrorKind::NotFound) {
        let dir = dir.display();
        anyhow::bail!(
            "there is no state directory `{dir}`: name another one, or make this one for the user that Farol runs as: install -d -m 700 -o USER {dir}"
        );
    }
    let mut bytes = Vec::new();
    let read = match is_standard(file) {
        true => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        false => fs::read(file).map(|it| bytes = it),
    };
    read.with_context(|| format!("could not read `{}`", file.display()))?;
    let backup = Backup::open(file, &bytes)?;
    let kept = Store::open(dir)?.restore(&backup.contents)?;
    let made = rfc3339(backup.made);
    say(&format!("{}: {}, as of {made}", dir.display(), summary(&backup.contents)))?;
    kept.iter().try_for_each(|it| say(&format!("kept: {}", it.display())))
}

/// "2 changes, verdicts on 40 endpoints, 3 timelines, 1 token".
fn summary(contents: &Contents) -> String {
    let verdicts = verdicts(contents).count();
    let changes = changes(contents).len();
    format!(
        "{}, verdicts on {}, {}, {}",
        count(changes, "change"),
        count(verdicts, "endpoint"),
        count(timelines(contents), "timeline"),
        count(contents.tokens.as_ref().map_or(0, Vec::len), "token"),
    )
}

/// Every change: what it is on, what it says, and its stamp.
fn changes(contents: &Contents) -> Vec<(String, String, &Stamp)> {
    let Some(overrides) = &contents.overrides else { return Vec::new() };
    let mut changes = Vec::new();
    for (key, it) in &overrides.endpoints {
        changes.extend(it.fields().map(|(it, stamp)| (key.to_string(), it.to_string(), stamp)));
    }
    let drains = overrides.drained_sites.iter();
    changes
        .extend(drains.map(|(site, stamp)| (format!("site {site}"), "drained".to_owned(), stamp)));
    changes
}

/// Every verdict: the endpoint, what it is, when it was true.
fn verdicts(
    contents: &Contents,
) -> impl Iterator<Item = (String, &'static str, Timestamp, &Timeline)> {
    let endpoints = contents.memory.iter().flat_map(|it| &it.endpoints);
    endpoints.filter_map(|it| {
        let known = it.known.as_ref()?;
        Some((it.key.to_string(), known.verdict.label(), known.as_of, &*it.timeline))
    })
}

fn timelines(contents: &Contents) -> usize {
    let endpoints = contents.memory.iter().flat_map(|it| &it.endpoints);
    endpoints.filter(|it| !it.timeline.is_empty()).count()
}

fn in_words(dir: &Path, contents: &Contents) -> String {
    let mut text = format!("{}: {}\n", dir.display(), summary(contents));
    let change = |(on, value, stamp): (String, String, &Stamp)| {
        let expires = stamp.expires.map(rfc3339).unwrap_or_default();
        let reason = one_line(stamp.reason.as_deref().unwrap_or_default());
        vec![on, value, stamp.by.clone(), rfc3339(stamp.at), expires, reason]
    };
    let rows: Vec<_> = changes(contents).into_iter().map(change).collect();
    if !rows.is_empty() {
        text.push_str(&format!(
            "\n{}\n",
            table(&["ON", "CHANGE", "BY", "AT", "UNTIL", "REASON"], rows)
        ));
    }
    let verdict = |(endpoint, verdict, as_of, timeline): (String, &str, Timestamp, &Timeline)| {
        let turned = timeline.last().map(|it| rfc3339(it.at)).unwrap_or_default();
        vec![endpoint, verdict.to_owned(), rfc3339(as_of), turned]
    };
    let rows: Vec<_> = verdicts(contents).map(verdict).collect();
    if !rows.is_empty() {
        text.push_str(&format!("\n{}\n", table(&["ENDPOINT", "VERDICT", "AS OF", "TURNED"], rows)));
    }
    let token = |it: &IssuedToken| {
        let (grant, expires) = (&it.grant, it.expires.map(rfc3339).unwrap_or_default());
        let (name, role) = (grant.name().to_string(), grant.role().label().to_owned());
        vec![it.id.to_string(), name, role, grant.scopes().to_string(), expires]
    };
    let rows: Vec<_> = contents.tokens.iter().flatten().map(token).collect();
    if !rows.is_empty() {
        let header = ["TOKEN", "NAME", "ROLE", "PROFILES", "UNTIL"];
        text.push_str(&format!("\n{}\n", table(&header, rows)));
    }
    text
}

fn in_json(contents: &Contents) -> serde_json::Value {
    let change = |(on, change, stamp): (String, String, &Stamp)| {
        json!({
            "on": on, "change": change, "by": stamp.by, "reason": stamp.reason,
            "at": rfc3339(stamp.at), "expires": stamp.expires.map(rfc3339),
        })
    };
    let verdict = |(endpoint, verdict, as_of, timeline): (String, &str, Timestamp, &Timeline)| {
        let turned = timeline.last().map(|it| rfc3339(it.at));
        json!({"endpoint": endpoint, "verdict": verdict, "as_of": rfc3339(as_of), "turned": turned})
    };
    let token = |it: &IssuedToken| {
        let profiles: Vec<String> = it.grant.scopes().iter().map(ToString::to_string).collect();
        json!({
            "id": it.id.to_string(), "name": it.grant.name().as_str(), "role": it.grant.role().label(),
            "profiles": profiles, "created": rfc3339(it.created), "by": it.by,
            "expires": it.expires.map(rfc3339),
        })
    };
    json!({
        "changes": changes(contents).into_iter().map(change).collect::<Vec<_>>(),
        "verdicts": verdicts(contents).map(verdict).collect::<Vec<_>>(),
        "tokens": contents.tokens.iter().flatten().map(token).collect::<Vec<_>>(),
        "written": contents.memory.as_ref().map(|it| rfc3339(it.written)),
    })
}
