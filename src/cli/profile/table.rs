use crate::api::view;
use crate::cli::output::{percent, table};

const HEADER: [&str; 6] = ["PROFILE", "STATUS", "METHOD", ">TTL", ">HEALTHY", "NOTE"];

pub(super) fn profile_table(profiles: &[view::Profile]) -> String {
    match profiles {
        [] => "No profile fits.".to_owned(),
        all => table(&HEADER, all.iter().map(row).collect()),
    }
}

fn row(it: &view::Profile) -> Vec<String> {
    let healthy = it.endpoints.iter().filter(|it| is_healthy(it)).count();
    vec![
        it.name.clone(),
        it.status.clone(),
        it.method.clone(),
        format!("{}s", it.effective_ttl),
        format!("{healthy}/{}", it.endpoints.len()),
        notes(it).join(", "),
    ]
}

/// What else there is to know about a profile's status.
pub(in crate::cli) fn notes(profile: &view::Profile) -> Vec<&'static str> {
    let notes = [(profile.fail_open, "failing open"), (profile.awaits_failback, "awaits failback")];
    notes.into_iter().filter(|it| it.0).map(|it| it.1).collect()
}

/// The same with the zone that each is in, where its answers go, and what operators changed and may change.
pub(super) fn wide_table(profiles: &[view::Profile], zones: &[String]) -> String {
    let row = |it: &view::Profile| {
        let in_zone = |zone: &&String| it.name == **zone || it.name.ends_with(&format!(".{zone}"));
        let zone = zones.iter().filter(in_zone).max_by_key(|it| it.len());
        let shares = it.endpoints.iter().map(|it| format!("{} {}", it.name, percent(it.share)));
        let fields = |overrides: &[view::Override]| {
            overrides.iter().map(|it| it.field.as_str()).collect::<Vec<_>>().join(", ")
        };
        let own = Some(fields(&it.overrides)).filter(|it| !it.is_empty());
        let overridden = it.endpoints.iter().filter(|it| !it.overrides.is_empty());
        let of_endpoints = overridden.map(|it| format!("{}: {}", it.name, fields(&it.overrides)));
        let overrides = own.into_iter().chain(of_endpoints);
        let more = [
            zone.cloned().unwrap_or_default(),
            shares.collect::<Vec<_>>().join(", "),
            overrides.collect::<Vec<_>>().join("; "),
            guardrails(it),
        ];
        row(it).into_iter().chain(more).collect()
    };
    let header = [&HEADER[..], &["ZONE", "SHARES", "OVERRIDES", "GUARDRAILS"]].concat();
    match profiles {
        [] => profile_table(profiles),
        all => table(&header, all.iter().map(row).collect()),
    }
}

/// "min_sites 2, max_weight_step 20".
pub(super) fn guardrails(profile: &view::Profile) -> String {
    let Some(rules) = &profile.guardrails else { return String::new() };
    let rules = [
        ("min_healthy_endpoints", rules.min_healthy_endpoints.map(u32::from)),
        ("min_sites", rules.min_sites.map(u32::from)),
        ("min_capacity", rules.min_capacity.map(u32::from)),
        ("max_weight_step", rules.max_weight_step.map(u32::from)),
    ];
    let set = rules.into_iter().filter_map(|(key, it)| Some(format!("{key} {}", it?)));
    set.collect::<Vec<_>>().join(", ")
}

/// Whether an endpoint is one that answers may name without failing open.
pub(in crate::cli) fn is_healthy(endpoint: &view::Endpoint) -> bool {
    matches!(endpoint.status.as_str(), "Online" | "Unmonitored" | "CheckingEndpoint")
}

#[cfg(test)]
mod tests {
    use super::super::super::endpoint::samples;
    use super::*;

    #[test]
    fn a_list_counts_the_healthy() {
        let lines = [
            "PROFILE           STATUS    METHOD    TTL  HEALTHY  NOTE",
            "app.gtm.example.  Degraded  weighted  30s      1/2  failing open",
        ];
        let profile = view::Profile { fail_open: true, ..samples::profile() };
        assert_eq!(profile_table(&[profile]), lines.join("\n"));
    }

    #[test]
    fn a_wide_list_has_zones_shares_and_rules() {
        let guardrails = view::Guardrails {
            min_healthy_endpoints: None,
            min_sites: Some(2),
            min_capacity: None,
            max_weight_step: Some(20),
        };
        let profile = view::Profile { guardrails: Some(guardrails), ..samples::profile() };
        let zones = ["example.", "gtm.example.", "m.example."].map(str::to_owned);
        let text = wide_table(&[profile], &zones);
        let line = "app.gtm.example.  Degraded  weighted  30s      1/2  gtm.example.  seattle 60 %, orlando 40 %  \
                    orlando: weight  min_sites 2, max_weight_step 20";
        assert!(text.ends_with(line), "{text}");
    }
}
