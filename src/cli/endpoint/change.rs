use super::{Clear, Client, Field, Forced, Found, Set, Which, find};
use crate::api::view;
use crate::cli::client::{ChangeOptions, Failure, Output, Seen, UndoOptions};
use crate::cli::output::{ending, list, percent};

pub(super) async fn set(client: &Client, output: Output, set: Set) -> anyhow::Result<()> {
    let patch = view::EndpointPatch {
        weight: set.weight.map(|it| Some(it.into())),
        priority: set.priority.map(|it| Some(it.into())),
        enabled: set.enabled.map(Some),
        forced: set.forced.map(|it| match it {
            Forced::Up => Some("up".to_owned()),
            Forced::Down => Some("down".to_owned()),
            Forced::None => None,
        }),
        expires: set.expires,
        ..own(set.change, set.undo)
    };
    change(client, output, &set.which, set.if_match, |_| Some(patch.clone())).await
}

pub(super) async fn clear(client: &Client, output: Output, clear: Clear) -> anyhow::Result<()> {
    let patch = |before: &view::Endpoint| {
        let in_force = |name: &str| before.overrides.iter().any(|it| it.field == name);
        let is_cleared = |field: Field, name: &str| match clear.field.as_slice() {
            [] => in_force(name),
            named => named.contains(&field),
        };
        let patch = view::EndpointPatch {
            weight: is_cleared(Field::Weight, "weight").then_some(None),
            priority: is_cleared(Field::Priority, "priority").then_some(None),
            enabled: is_cleared(Field::Enabled, "enabled").then_some(None),
            forced: is_cleared(Field::Forced, "forced").then_some(None),
            ..own(clear.change.clone(), clear.undo.clone())
        };
        (!clear.field.is_empty() || !before.overrides.is_empty()).then_some(patch)
    };
    change(client, output, &clear.which, clear.if_match.clone(), patch).await
}

/// A change of nothing, but for what comes beside every change.
fn own(options: ChangeOptions, undo: UndoOptions) -> view::EndpointPatch {
    let ChangeOptions { reason, dry_run, override_guardrail } = options;
    let UndoOptions { confirm_within, undo_if_worse } = undo;
    view::EndpointPatch {
        reason,
        dry_run,
        override_guardrail,
        confirm_within,
        undo_if_worse,
        ..view::EndpointPatch::default()
    }
}

/// Changes what was seen, and tells what that did; looks again if somebody else was faster, unless the operator said what
/// must have been seen. There may be nothing to change.
async fn change(
    client: &Client,
    output: Output,
    which: &Which,
    if_match: Option<String>,
    patch: impl Fn(&view::Endpoint) -> Option<view::EndpointPatch>,
) -> anyhow::Result<()> {
    let path = ["profiles", &which.profile, "endpoints", &which.endpoint];
    let mut seen = Seen::new(if_match);
    loop {
        let Found { etag, answer: before } = find(client, which).await?;
        let Some(patch) = patch(&before.value) else {
            let nothing = "No override is in force: nothing to clear.";
            return output.show(&before.text, || nothing.to_owned());
        };
        let etag = seen.expects(&etag);
        match client.patch::<view::Changed<view::Endpoint>>(&path, &patch, Some(&etag)).await {
            Err(Failure::Changed { .. }) if seen.may_look_again() => {}
            answer => {
                let answer = answer?;
                let report = || report(&which.profile, &before.value, &answer.value);
                return output.show(&answer.text, report);
            }
        }
    }
}

/// What a change did: every value that is another one now.
fn report(
    profile: &str,
    before: &view::Endpoint,
    changed: &view::Changed<view::Endpoint>,
) -> String {
    let now = &changed.now;
    let forced = |it: &view::Endpoint| it.forced.clone().unwrap_or_else(|| "none".to_owned());
    let change = |before: String, now: String| match before == now {
        true => String::new(),
        false => format!("{before} → {now}"),
    };
    let changes = list(&[
        ("  weight", change(before.weight.to_string(), now.weight.to_string())),
        ("  priority", change(before.priority.to_string(), now.priority.to_string())),
        ("  enabled", change(before.enabled.to_string(), now.enabled.to_string())),
        ("  forced", change(forced(before), forced(now))),
        ("  status", change(before.status.clone(), now.status.clone())),
        ("  share", change(percent(before.share), percent(now.share))),
    ]);
    let changes = match changes.as_str() {
        "" => "  no value is another one now\n".to_owned(),
        _ => changes,
    };
    format!(
        "{profile} {}\n{changes}{}",
        now.name,
        ending(changed.generation, changed.dry_run, changed.pending.as_ref())
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[track_caller]
    fn check(now: view::Endpoint, lines: &[&str]) {
        let changed = view::Changed { generation: 7, dry_run: false, pending: None, now };
        let text = report("app.gtm.example", &samples::endpoint("seattle"), &changed);
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_report_shows_what_is_another_one_now() {
        let now = samples::endpoint("seattle");
        let end = "Every worker answers by it since generation 7.";
        check(now.clone(), &["app.gtm.example seattle", "  no value is another one now", end]);
        let forced = Some("down".to_owned());
        let now = view::Endpoint { weight: 20, share: Some(12.5), forced, ..now };
        let lines = [
            "app.gtm.example seattle",
            "  weight  60 → 20",
            "  forced  none → down",
            "  share   60 % → 12.5 %",
            end,
        ];
        check(now, &lines);
    }
}
