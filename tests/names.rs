//! Targets that are DNS names: another server has the names, and changes them.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::net::IpAddr;

use common::daemon::{Daemon, Home};
use common::site::Site;
use common::{loopback, wait_to_see, wait_until};
use serde_json::{Value, json};

/// A server of example.net. with these records.
struct Upstream(Daemon);

impl Upstream {
    fn start(records: &str) -> Self {
        let home = Home::new(
            "[[zone]]\nname = 'example.net.'\nnameservers = 'ns.elsewhere.'\nfile = 'net.zone'\n",
        );
        home.write("net.zone", records);
        Self(home.args(&["--no-watch"]).start())
    }

    #[track_caller]
    fn change(&self, records: &str) {
        self.0.home.write("net.zone", records);
        self.0.reload("reloaded");
    }
}

/// A daemon with an alias, and with profiles that answer with addresses in its place.
fn daemon(upstream: &Upstream, port: u16) -> Daemon {
    let server = upstream.0.dns[0];
    Daemon::start(&format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.elsewhere.'
        [resolver]
        servers = '{server}'
        timeout = '1s'
        [monitor.fast]
        port = {port}
        interval = '200ms'
        timeout = '150ms'
        tolerated_failures = 1
        required_successes = 1
        flap = {{ count = 0 }}
        [[profile]]
        name = 'alias.gtm.example.'
        method = 'priority'
        monitor = 'fast'
        endpoint = [{{ name = 'a', target = 'www.example.net.' }}]
        [[profile]]
        name = 'flat.gtm.example.'
        method = 'priority'
        flatten = true
        monitor = 'fast'
        endpoint = [{{ name = 'a', target = 'www.example.net.' }}]
        [[profile]]
        name = 'parent.gtm.example.'
        method = 'priority'
        endpoint = [{{ name = 'a', profile = 'alias.gtm.example.' }}]
        [[profile]]
        name = 'both.gtm.example.'
        method = 'weighted'
        flatten = true
        monitor = {{ protocol = 'none' }}
        endpoint = [{{ name = 'a', target = 'both.example.net.' }}]
        "
    ))
}

const ALIAS: &str = "alias.gtm.example.";
const FLAT: &str = "flat.gtm.example.";

fn www(address: IpAddr) -> String {
    format!("www 5 A {address}\nboth 5 A 192.0.2.1\nboth 5 AAAA 2001:db8::1\n")
}

fn resolved(daemon: &Daemon) -> Value {
    daemon.endpoint(ALIAS, "a")["resolved"].clone()
}

#[test]
fn answers_and_probes_follow_a_name() {
    let (site, nobody) = (Site::start(), loopback());
    let home = site.address.ip();
    let upstream = Upstream::start(&www(home));
    let daemon = daemon(&upstream, site.address.port());
    for profile in [ALIAS, FLAT] {
        wait_to_see(&"Online".to_owned(), || daemon.status(profile, "a"));
    }
    for record_type in ["A", "AAAA", "TXT", "CNAME"] {
        for name in [ALIAS, "parent.gtm.example."] {
            assert_eq!(daemon.answers(name, record_type), ["www.example.net."], "{record_type}");
        }
    }
    wait_to_see(&vec![home.to_string()], || daemon.answers(FLAT, "A"));
    assert!(daemon.answers(FLAT, "AAAA").is_empty());
    let both = "both.gtm.example.";
    wait_to_see(&vec!["192.0.2.1".to_owned()], || daemon.answers(both, "A"));
    assert_eq!(daemon.answers(both, "AAAA"), ["2001:db8::1"]);

    let explain = |name: &str| daemon.api.must("GET", &format!("/v1/explain?name={name}"), "");
    let told = explain("parent.gtm.example.");
    assert_eq!((&told["alias"], &told["answers"]), (&"www.example.net.".into(), &json!([])));
    assert_eq!(told["outcome"], "CNAME by priority, through alias.gtm.example.");
    let told = explain(FLAT);
    assert_eq!((&told["alias"], &told["answers"]), (&Value::Null, &json!([home.to_string()])));
    assert_eq!(told["ttl_reason"], "that of the records found for www.example.net.");

    for (profile, answer) in [("parent.gtm.example.", "a/a"), (FLAT, "a")] {
        let body = json!({"profile": profile, "changes": []}).to_string();
        let told = daemon.api.must("POST", "/v1/whatif", &body);
        let shares = &told["rows"][0]["shares"];
        assert_eq!((&shares[0]["answer"], &shares[0]["now"]), (&answer.into(), &json!(100.0)));
    }

    upstream.change(&www(nobody));
    wait_to_see(&vec![nobody.to_string()], || daemon.answers(FLAT, "A"));
    wait_to_see(&"Degraded".to_owned(), || daemon.status(ALIAS, "a"));
    let found = resolved(&daemon);
    assert_eq!(found["addresses"], json!([nobody.to_string()]));
    assert_eq!((&found["ttl_seconds"], &found["last_failure"]), (&json!(5), &Value::Null));
    assert!(found["at"].is_string() && found["asked"] == found["at"], "{found}");
    assert!(found["next"].as_str() > found["asked"].as_str(), "{found}");

    // A chain of aliases, back to where it was.
    upstream.change(&format!("www 5 CNAME place\nplace 5 A {home}\n"));
    wait_to_see(&vec![home.to_string()], || daemon.answers(FLAT, "A"));
    wait_to_see(&"Online".to_owned(), || daemon.status(ALIAS, "a"));
}

/// Of every type, what is explained is what is answered.
#[test]
fn the_fallback_of_an_alias_has_addresses_and_nothing_else() {
    let daemon = Daemon::start(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.elsewhere.'
        [[profile]]
        name = 'spare.gtm.example.'
        method = 'priority'
        monitor = { protocol = 'none' }
        when_none_healthy = 'fallback'
        fallback = ['192.0.2.9', '192.0.2.10']
        endpoint = [{ name = 'a', target = 'www.example.net.' }]
        ",
    );
    let endpoint = "/v1/profiles/spare.gtm.example./endpoints/a";
    daemon.api.must("PATCH", endpoint, "{\"forced\": \"down\"}");
    for (record_type, addresses, outcome) in [
        ("A", &["192.0.2.10", "192.0.2.9"][..], "the fallback addresses"),
        ("AAAA", &[], "NODATA: the fallback has no AAAA record"),
        ("TXT", &[], "NODATA: the fallback has no TXT record"),
        ("CNAME", &[], "NODATA: the fallback has no CNAME record"),
    ] {
        let mut answered = daemon.answers("spare.gtm.example.", record_type);
        answered.sort();
        let query = format!("/v1/explain?name=spare.gtm.example&type={record_type}");
        let told = daemon.api.must("GET", &query, "");
        let mut explained: Vec<String> = serde_json::from_value(told["answers"].clone()).unwrap();
        explained.sort();
        assert_eq!(answered, addresses, "{record_type}");
        assert_eq!(explained, addresses, "{record_type}");
        assert_eq!(told["outcome"], format!("no endpoint is healthy; {outcome}"));
    }
    let answers = "farol_answers_total{profile=\"spare.gtm.example.\",endpoint=\"(fallback)\"} 1";
    assert!(daemon.api.get("/metrics").body.contains(answers), "one of them was an answer");
}

#[test]
fn a_name_that_is_gone_fails_and_its_last_addresses_stay() {
    let site = Site::start();
    let home = site.address.ip();
    let upstream = Upstream::start(&www(home));
    let daemon = daemon(&upstream, site.address.port());
    wait_to_see(&"Online".to_owned(), || daemon.status(FLAT, "a"));
    upstream.change("other 5 A 192.0.2.1\n");
    wait_to_see(&"Degraded".to_owned(), || daemon.status(FLAT, "a"));
    let probe = daemon.endpoint(FLAT, "a")["last_probe"].clone();
    assert_eq!(
        (&probe["phase"], &probe["reason"]),
        (&"resolve".into(), &"resolve: NXDOMAIN".into())
    );
    assert_eq!(daemon.answers(FLAT, "A"), [home.to_string()], "served all the same");
    assert_eq!(daemon.event("target_unresolved", 0)["reason"], "NXDOMAIN");
}

#[test]
fn the_last_good_answer_stays_while_nobody_can_be_asked() {
    let site = Site::start();
    let home = site.address.ip();
    let upstream = Upstream::start(&www(home));
    let daemon = daemon(&upstream, site.address.port());
    wait_to_see(&"Online".to_owned(), || daemon.status(FLAT, "a"));
    let seen = daemon.logged();
    drop(upstream);
    wait_until("trouble with the name", || resolved(&daemon)["error"].is_string());
    let lost = resolved(&daemon);
    assert_eq!(lost["error"], lost["last_failure"]["reason"]);
    assert!(lost["asked"].as_str() > lost["at"].as_str(), "{lost}");
    daemon.event("target_unresolved", seen);
    let probes = site.answered();
    wait_until("further probe", || site.answered() > probes);
    assert_eq!(daemon.status(FLAT, "a"), "Online");
    assert_eq!(daemon.answers(FLAT, "A"), [home.to_string()]);
    let metrics = daemon.api.get("/metrics").body;
    let place = format!("{{profile=\"{FLAT}\",endpoint=\"a\",site=\"\"}}");
    assert!(metrics.contains(&format!("farol_target_resolution_age_seconds{place}")), "{metrics}");
    let failures = format!("farol_target_resolution_failures_total{place} ");
    let failures = metrics.lines().find_map(|it| it.strip_prefix(&failures)).unwrap();
    assert!(failures.parse::<f64>().unwrap() > 0.0, "{failures}");
}
