use std::path::Path;
use std::time::Duration;

use super::*;
use crate::model::{Profile, Verdict};
use crate::settings::load_text;
use crate::snapshot::{AnswerCounters, EndpointFacts, ProfileTable, SiteState, Snapshot};

/// More profiles than fit one piece of a scrape.
const PROFILES: usize = 1000;

/// Many profiles over one site, whose first endpoints are down.
fn metrics(per_endpoint: bool) -> Metrics {
    let mut config =
        "[[zone]]\nname = 'z.'\nnameservers = 'ns.'\n[[site]]\nname = 'west'\n".to_owned();
    for at in 0..PROFILES {
        config += &format!(
            "[[profile]]\nname = 'p{at}.z.'\nmethod = 'priority'\nendpoint = [\n\
             {{ name = 'a', site = 'west', target = '192.0.2.1' }}, {{ name = 'b', target = '192.0.2.2' }}]\n"
        );
    }
    let model = load_text(Path::new("farol.toml"), &config).unwrap().model;
    let table = |profile: &Arc<Profile>| {
        let facts = [Verdict::Degraded, Verdict::Unknown]
            .map(|verdict| EndpointFacts { verdict, ..EndpointFacts::default() });
        let counters = Arc::new(AnswerCounters::new(1, Box::new([0; 3]), 1));
        ProfileTable::new(profile.clone(), facts.into(), counters, None, Timestamp(0))
    };
    let snapshot = Snapshot {
        profiles: model.profiles.iter().map(table).collect(),
        sites: model.sites.iter().map(|it| SiteState { site: it.clone(), drained: None }).collect(),
        ..Snapshot::default()
    };
    let live = Arc::new(Live::new(Arc::new(snapshot), 1));
    let exposure = Arc::new(Exposure::new(per_endpoint, false));
    Metrics::new(Registry::new(), live, Arc::new(DnsCounters::new(1)), exposure, Timestamp(0))
}

fn scrape(metrics: &Metrics) -> Vec<String> {
    metrics.scrape(Moment(Duration::from_secs(31)), true).unwrap().collect()
}

#[test]
fn a_large_scrape_comes_in_small_pieces_that_make_one_text() {
    let pieces = scrape(&metrics(true));
    let longest = pieces.iter().map(String::len).max().unwrap();
    assert!(pieces.len() > 20 && longest < 32 * 1024, "{} of {longest}", pieces.len());
    let text = pieces.concat();
    let mut families: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            families.push(head.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            assert!(line.starts_with(families.last().unwrap()), "{line} is not with its family");
        }
    }
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "each family begins once");
    let series = |start: &str| text.lines().filter(|it| it.starts_with(start)).count();
    assert_eq!(series("farol_endpoint_status{"), 2 * 7 * PROFILES);
    assert_eq!(series("farol_profile_fail_open{"), PROFILES);
}

#[test]
fn totals_stay_when_series_of_endpoints_are_off() {
    let metrics = metrics(false);
    let text = scrape(&metrics).concat();
    for line in [
        "farol_endpoints{status=\"Degraded\"} 1000",
        "farol_endpoints{status=\"CheckingEndpoint\"} 1000",
        "farol_endpoints{status=\"Online\"} 0",
        "farol_profiles{status=\"Degraded\"} 1000",
        "farol_profiles_fail_open 0",
        "farol_site_endpoints{site=\"west\",status=\"Degraded\"} 1000",
        "farol_site_endpoints{site=\"west\",status=\"Online\"} 0",
        "farol_verdicts_stale 1000",
        "farol_overrides{kind=\"weight\"} 0",
        "farol_ready 1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("profile=\""), "{text}");
    metrics.exposure.set(true, true);
    assert!(scrape(&metrics).concat().contains("profile=\"p0.z.\""));
    assert!(metrics.are_protected());
}
