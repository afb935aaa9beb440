//! Plans as people read them: what is done, with the fields that change; folded, or with all of what is new or goes.

use std::fmt::Write;

use serde_json::Value;

use crate::cli::output::wants_colour;
use crate::fleet::report::{AppPlan, ChangeReport, FleetPlan, SitePlan, StepReport};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";
/// Characters of a value on a line.
const WIDTH: usize = 60;
/// Lines around a changed one in a text of many lines.
const AROUND: usize = 2;

/// How much is shown of what is new or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Its name.
    Folded,
    /// All of it.
    Whole,
}

/// A plan as people read it.
pub(super) fn plan_text(plan: &FleetPlan, detail: Detail) -> String {
    let mut text = Text { out: String::new(), colours: wants_colour(), detail };
    plan.sites.iter().for_each(|it| text.site(it));
    text.line(0, "", &summary(plan));
    text.out
}

/// "2 to create, 1 to change, 12 as they are wanted".
pub(super) fn summary(plan: &FleetPlan) -> String {
    let apps = || plan.sites.iter().flat_map(|it| &it.apps);
    let count =
        |action: &str| apps().flat_map(|it| &it.steps).filter(|it| it.action == action).count();
    let unchanged: usize = apps().map(|it| it.unchanged).sum();
    let refused: usize = apps().map(|it| it.refused.len()).sum();
    let troubled = plan.sites.iter().filter(|it| it.error.is_some()).count();
    let failed = apps().filter(|it| it.error.is_some()).count();
    let parts = [
        (count("create"), "to create"),
        (count("change"), "to change"),
        (count("hand over"), "to hand over to autoscalers"),
        (count("delete"), "to delete"),
        (refused, "refused"),
        (failed, "apps without a plan"),
        (troubled, "sites that can't be worked with"),
    ];
    let mut said: Vec<String> =
        parts.iter().filter(|it| it.0 > 0).map(|(count, what)| format!("{count} {what}")).collect();
    said.push(format!("{unchanged} as they are wanted"));
    said.join(", ")
}

struct Text {
    out: String,
    colours: bool,
    detail: Detail,
}

impl Text {
    fn site(&mut self, site: &SitePlan) {
        match (&site.cluster, &site.error) {
            (_, Some(trouble)) => {
                self.line(0, RED, &format!("{}: the cluster {}", site.site, trouble.message));
            }
            (cluster, None) => {
                let version = cluster.as_ref().map(|it| it.version.as_str()).unwrap_or_default();
                self.line(0, "", &format!("{} ({version})", site.site));
            }
        }
        site.apps.iter().for_each(|it| self.app(it));
        self.out.push('\n');
    }

    fn app(&mut self, app: &AppPlan) {
        if let Some(error) = &app.error {
            self.line(1, "", &app.app);
            error.lines().for_each(|it| self.line(2, RED, &format!("! {it}")));
            return;
        }
        let is_quiet = app.steps.is_empty() && app.refused.is_empty();
        let quiet = if is_quiet {
            format!(": {} as they are wanted", app.unchanged)
        } else {
            String::new()
        };
        self.line(1, "", &format!("{}{quiet}", app.app));
        app.steps.iter().for_each(|it| self.step(it));
        for it in &app.refused {
            self.line(2, RED, &format!("! {}: {}", it.object, it.why));
        }
        for it in &app.stays {
            self.line(2, YELLOW, &format!("? {} stays: {}", it.object, it.why));
        }
        for it in &app.skipped {
            self.line(2, YELLOW, &format!("? {}: {}", it.object, it.why));
        }
        if !is_quiet && app.unchanged > 0 {
            self.line(2, "", &format!("= {} as they are wanted", app.unchanged));
        }
    }

    fn step(&mut self, step: &StepReport) {
        let (sign, colour) = match step.action.as_str() {
            "create" => ("+", GREEN),
            "delete" => ("-", RED),
            // Where the set's members are is the companion's own affair.
            "record" => return,
            "hand over" => {
                let what =
                    format!("~ {}: its replicas stay until its autoscaler has them", step.object);
                return self.line(2, YELLOW, &what);
            }
            _ => ("~", YELLOW),
        };
        self.line(2, colour, &format!("{sign} {}", step.object));
        for change in &step.changes {
            match change.path.is_empty() {
                true if self.detail == Detail::Folded => {}
                true => self.whole(change, sign, colour),
                false => self.change(change),
            }
        }
    }

    /// An object that is new or goes, as YAML.
    fn whole(&mut self, change: &ChangeReport, sign: &str, colour: &'static str) {
        let Some(value) = change.after.as_ref().or(change.before.as_ref()) else { return };
        let yaml = serde_saphyr::to_string(value).unwrap_or_else(|_| value.to_string());
        for line in yaml.lines() {
            self.line(3, colour, &format!("{sign} {line}"));
        }
    }

    fn change(&mut self, change: &ChangeReport) {
        let ChangeReport { path, before, after, .. } = change;
        if let (Some(Value::String(before)), Some(Value::String(after))) = (before, after)
            && (before.contains('\n') || after.contains('\n'))
        {
            self.line(3, YELLOW, &format!("{path}:"));
            return self.lines(before, after);
        }
        let shown = |it: &Option<Value>| it.as_ref().map(|it| self.value(it));
        match (shown(before), shown(after)) {
            (Some(before), Some(after)) => {
                self.line(3, YELLOW, &format!("{path}: {before} → {after}"));
            }
            (None, Some(after)) => self.line(3, GREEN, &format!("{path}: + {after}")),
            (Some(before), None) => self.line(3, RED, &format!("{path}: - {before}")),
            (None, None) => {}
        }
    }

    /// The lines of a text that differ, with some around them. Both texts begin and end alike, mostly.
    fn lines(&mut self, before: &str, after: &str) {
        let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
        let head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
        let rest = before.len().min(after.len()) - head;
        let tail = before.iter().rev().zip(after.iter().rev()).take(rest);
        let tail = tail.take_while(|(a, b)| a == b).count();
        for it in &before[head.saturating_sub(AROUND)..head] {
            self.line(4, "", &format!("  {it}"));
        }
        for it in &before[head..before.len() - tail] {
            self.line(4, RED, &format!("- {it}"));
        }
        for it in &after[head..after.len() - tail] {
            self.line(4, GREEN, &format!("+ {it}"));
        }
        for it in before[before.len() - tail..].iter().take(AROUND) {
            self.line(4, "", &format!("  {it}"));
        }
    }

    fn value(&self, value: &Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.char_indices().nth(WIDTH) {
            Some((end, _)) if self.detail == Detail::Folded => format!("{}…", &text[..end]),
            _ => text,
        }
    }

    fn line(&mut self, depth: usize, colour: &str, text: &str) {
        // What a server says is shown as text, not as orders to a terminal.
        let text: String = text
            .chars()
            .map(|it| if it.is_control() && it != '\t' { '\u{fffd}' } else { it })
            .collect();
        let (on, off) = if self.colours && !colour.is_empty() { (colour, PLAIN) } else { ("", "") };
        // Writing to a String never fails.
        let _ = writeln!(self.out, "{}{on}{text}{off}", "  ".repeat(depth));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::report::{ClusterReport, ObjectName, Told, Trouble};

    fn object(kind: &str, name: &str) -> ObjectName {
        ObjectName {
            group: String::new(),
            kind: kind.to_owned(),
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
        }
    }

    fn change(path: &str, before: Option<Value>, after: Option<Value>) -> ChangeReport {
        ChangeReport { path: path.to_owned(), before, after, manager: None }
    }

    fn plan() -> FleetPlan {
        let step = |action: &str, kind: &str, name: &str, changes| StepReport {
            action: action.to_owned(),
            object: object(kind, name),
            changes,
        };
        let app = AppPlan {
            app: "ratings".to_owned(),
            steps: vec![
                step("record", "ConfigMap", "farol-ratings", vec![]),
                step(
                    "create",
                    "Service",
                    "new",
                    vec![change("", None, Some(json!({"kind": "Service"})))],
                ),
                step(
                    "change",
                    "Deployment",
                    "web",
                    vec![
                        change("spec.replicas", Some(json!(2)), Some(json!(3))),
                        change("data.conf", Some(json!("a\nb\nc\nd")), Some(json!("a\nb\nx\nd"))),
                        change("metadata.labels[a.b/c]", Some(json!("\u{1b}[31m")), None),
                    ],
                ),
                step("delete", "ConfigMap", "old", vec![]),
            ],
            unchanged: 4,
            refused: vec![Told { object: object("Secret", "s"), why: "belongs to eve".to_owned() }],
            ..AppPlan::default()
        };
        let cluster = Some(ClusterReport { uid: "u".to_owned(), version: "v1.20.2".to_owned() });
        let seattle =
            SitePlan { site: "seattle".to_owned(), cluster, error: None, apps: vec![app] };
        let trouble =
            Trouble { kind: "unreachable".to_owned(), message: "is unreachable: so".to_owned() };
        let orlando = SitePlan {
            site: "orlando".to_owned(),
            cluster: None,
            error: Some(trouble),
            apps: vec![],
        };
        FleetPlan { sites: vec![seattle, orlando] }
    }

    #[test]
    fn a_plan_is_read_from_the_top() {
        let text = plan_text(&plan(), Detail::Folded);
        let expected = "\
seattle (v1.20.2)
  ratings
    + Service shop/new
    ~ Deployment shop/web
      spec.replicas: 2 → 3
      data.conf:
          a
          b
        - c
        + x
          d
      metadata.labels[a.b/c]: - \u{fffd}[31m
    - ConfigMap shop/old
    ! Secret shop/s: belongs to eve
    = 4 as they are wanted

orlando: the cluster is unreachable: so

1 to create, 1 to change, 1 to delete, 1 refused, 1 sites that can't be worked with, 4 as they are wanted
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_diff_has_all_of_what_is_new() {
        assert!(plan_text(&plan(), Detail::Whole).contains("      + kind: Service\n"));
    }
}
