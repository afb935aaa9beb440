use crate::api::view;
use crate::cli::output::{one_line, seconds, table};

/// A line for each time that an endpoint came into another status, the latest last.
pub(super) fn history(timeline: &view::Timeline) -> String {
    let row = |it: &view::Turn| {
        let phase = it.phase.clone().unwrap_or_default();
        vec![it.at.clone(), it.from.clone(), lasted(it), it.to.clone(), phase, why(it)]
    };
    match timeline.turns.as_slice() {
        [] => "It has been in one status since it is known.".to_owned(),
        turns => {
            table(&["TIME", "FROM", "FOR", "TO", "PHASE", "WHY"], turns.iter().map(row).collect())
        }
    }
}

/// "42s", "3m": how long it had been what it was.
pub(in crate::cli) fn lasted(turn: &view::Turn) -> String {
    turn.lasted_seconds.map(|it| seconds(it as i64)).unwrap_or_default()
}

pub(in crate::cli) fn why(turn: &view::Turn) -> String {
    let by = turn.by.as_deref().unwrap_or_default();
    let change = turn.change.as_deref().unwrap_or_default();
    let reason = turn.reason.as_deref().map(|it| format!(": {it}")).unwrap_or_default();
    let words = match turn.cause.as_str() {
        "probe" => format!("probe{reason}"),
        "profile" => format!("{}{reason}", turn.profile.as_deref().unwrap_or_default()),
        "change" => format!("{by} changed {change}{reason}"),
        "expiry" => format!("the time of {by}'s change was over: {change}"),
        "start" => "found at the daemon's start".to_owned(),
        other => other.to_owned(),
    };
    one_line(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_why() {
        let text = |it: &str| Some(it.to_owned());
        let turn = |from: &str, to: &str, cause: &str| view::Turn {
            at: "2026-05-01T12:00:00Z".to_owned(),
            from: from.to_owned(),
            lasted_seconds: None,
            to: to.to_owned(),
            cause: cause.to_owned(),
            phase: None,
            profile: None,
            change: None,
            by: None,
            reason: None,
        };
        let turns = vec![
            view::Turn {
                lasted_seconds: Some(7300.5),
                phase: text("connect"),
                reason: text("connect: refused"),
                ..turn("Online", "Degraded", "probe")
            },
            view::Turn {
                by: text("ann"),
                change: text("site sea: drained"),
                reason: text("new\nfirewall"),
                ..turn("Degraded", "Drained", "change")
            },
            turn("Drained", "Online", "reload"),
            view::Turn {
                profile: text("eu.z."),
                reason: text("rio is Degraded: status 503, expected 200"),
                ..turn("Online", "Degraded", "profile")
            },
        ];
        let lines = [
            "TIME                  FROM      FOR  TO        PHASE    WHY",
            "2026-05-01T12:00:00Z  Online    2h   Degraded  connect  probe: connect: refused",
            "2026-05-01T12:00:00Z  Degraded       Drained            ann changed site sea: drained: new firewall",
            "2026-05-01T12:00:00Z  Drained        Online             reload",
            "2026-05-01T12:00:00Z  Online         Degraded           eu.z.: rio is Degraded: status 503, expected 200",
        ];
        assert_eq!(history(&view::Timeline { turns }), lines.join("\n"));
        assert!(history(&view::Timeline { turns: Vec::new() }).starts_with("It has been"));
    }
}
