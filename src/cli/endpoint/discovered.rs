use crate::api::view;
use crate::cli::output::{ago, one_line};

/// What an endpoint's cluster tells of its addresses, why they may be wrong, and what it says of the pods behind them.
pub(super) fn cells(discovered: Option<&view::Discovered>) -> [String; 3] {
    let Some(it) = discovered else { return Default::default() };
    let stale = it.stale.as_ref();
    let stale = stale.map(|it| format!("since {}: {}", it.since, one_line(&it.reason)));
    [addresses(it), stale.unwrap_or_default(), it.workload.as_ref().map(pods).unwrap_or_default()]
}

fn addresses(it: &view::Discovered) -> String {
    match &it.at {
        Some(at) => format!("by {}, {}", one_line(&it.from), ago(at)),
        None => format!("nothing so far, by {}", one_line(&it.from)),
    }
}

fn pods(it: &view::Workload) -> String {
    let counted = match (it.ready, it.pods) {
        (Some(_), Some(0)) => "no pods".to_owned(),
        (Some(ready), Some(all)) => format!("{ready} of {all} pods ready"),
        _ => format!("unknown ({})", one_line(it.reason.as_deref().unwrap_or_default())),
    };
    let meaning = if it.required { "required" } else { "only shown" };
    format!("{}: {counted} since {}, {meaning}", one_line(&it.service), it.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_tells_of_addresses_and_pods() {
        let time = "2026-05-01T12:00:00Z".to_owned();
        let known = view::Workload {
            service: "edge/web".to_owned(),
            required: true,
            readiness: "ready".to_owned(),
            ready: Some(2),
            pods: Some(3),
            reason: None,
            since: time.clone(),
        };
        let none = view::Workload { ready: Some(0), pods: Some(0), ..known.clone() };
        let reason = Some("the cluster is\nunreachable".to_owned());
        let unknown =
            view::Workload { required: false, ready: None, pods: None, reason, ..known.clone() };
        let from = "service edge/web of sea, port 80".to_owned();
        let stale = view::StaleAddresses { since: time, reason: "gone".to_owned() };
        let bare = view::Discovered {
            from,
            addresses: Vec::new(),
            at: None,
            stale: Some(stale),
            workload: None,
        };
        let so_far = "nothing so far, by service edge/web of sea, port 80";
        let gone = "since 2026-05-01T12:00:00Z: gone";
        for (workload, expected) in [
            (None, ""),
            (Some(known), "edge/web: 2 of 3 pods ready since 2026-05-01T12:00:00Z, required"),
            (Some(none), "edge/web: no pods since 2026-05-01T12:00:00Z, required"),
            (
                Some(unknown),
                "edge/web: unknown (the cluster is unreachable) since 2026-05-01T12:00:00Z, only shown",
            ),
        ] {
            let it = view::Discovered { workload, ..bare.clone() };
            assert_eq!(cells(Some(&it)), [so_far, gone, expected]);
        }
        assert_eq!(cells(None), ["", "", ""]);
    }
}
