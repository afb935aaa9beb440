//! Reloads, restarts and starts that must fail.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};

use common::daemon::{Daemon, Home};
use common::dns::Query;
use common::loopback;
use common::site::Site;
use rustix::process::Signal;
use serde_json::json;

const APP: &str = "app.gtm.example.";
const ZONE: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
";

/// A profile with these endpoints: name, address that is answered, site that is probed.
fn config(name: &str, endpoints: &[(&str, &str, &Site)]) -> String {
    let endpoints: String = endpoints
        .iter()
        .map(|(name, target, site)| {
            let address = site.address;
            format!("[[profile.endpoint]]\nname = '{name}'\nsite = 'seattle'\ntarget = '{target}'\naddress = '{address}'\n")
        })
        .collect();
    let profile = format!(
        "[[profile]]\nname = '{name}'\nmethod = 'priority'\nmonitor = {{ interval = '1s' }}\n"
    );
    profile + &endpoints
}

#[test]
fn overrides_survive_a_crash() {
    let site = Site::start();
    let endpoints = [("first", "192.0.2.1", &site), ("second", "192.0.2.2", &site)];
    let www = config("www.gtm.example.", &[("first", "192.0.2.3", &site)]);
    let mut daemon = Daemon::start(&(ZONE.to_owned() + &config(APP, &endpoints) + &www));
    let first = format!("/v1/profiles/{APP}/endpoints/first");
    for weight in [7, 9] {
        let body = json!({"weight": weight, "enabled": false, "reason": "change 4711"});
        daemon.api.must("PATCH", &first, &body.to_string());
        daemon = daemon.crash_and_restart();
        let endpoint = daemon.endpoint(APP, "first");
        assert_eq!((&endpoint["weight"], &endpoint["enabled"]), (&json!(weight), &json!(false)));
        assert_eq!(endpoint["overrides"][0]["reason"], "change 4711");
        assert_eq!(daemon.answers(APP, "A"), ["192.0.2.2"]);
    }
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    daemon = daemon.crash_and_restart();
    assert_eq!(daemon.status("www.gtm.example.", "first"), "Drained");
    // Also when it was told to stop.
    let daemon = daemon.stop().start();
    assert_eq!(daemon.status("www.gtm.example.", "first"), "Drained");
    daemon.stop();
}

#[test]
fn a_broken_configuration_keeps_what_runs() {
    let site = Site::start();
    let good = ZONE.to_owned() + &config(APP, &[("first", "192.0.2.1", &site)]);
    let daemon = Daemon::start(&good).ready();
    let before = daemon.api.must("GET", "/v1/profiles", "")["profiles"][0]["endpoints"].clone();
    daemon.home.write(
        "farol.toml",
        &good.replace("interval", "intervall").replace("192.0.2.1", "192.0.2.999"),
    );
    let refused = daemon.reload("reload_refused")["message"].as_str().unwrap().to_owned();
    for error in
        ["intervall: no such key; did you mean `interval`?", "found \"192.0.2.999\"", "farol.toml:"]
    {
        assert!(refused.contains(error), "{refused}");
    }
    let response = daemon.api.post("/v1/reload", "");
    assert!((400..500).contains(&response.status), "{}", response.body);
    assert!(response.body.contains("intervall"), "{}", response.body);
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.1"]);
    let after = daemon.api.must("GET", "/v1/profiles", "")["profiles"][0]["endpoints"].clone();
    assert_eq!(after[0]["since"], before[0]["since"]);
    let metrics = daemon.api.get("/metrics").body;
    assert!(metrics.contains("\nfarol_config_reload_success 0\n"), "{metrics}");

    daemon.home.write("farol.toml", &good.replace("192.0.2.1", "192.0.2.9"));
    daemon.reload("reloaded");
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.9"]);
    assert!(daemon.api.get("/metrics").body.contains("\nfarol_config_reload_success 1\n"));
}

#[test]
fn a_reload_swaps_everything_and_keeps_what_is_unchanged() {
    let (up, mut down) = (Site::start(), Site::start());
    down.kill();
    let first = ("first", "192.0.2.1", &down);
    let daemon = Daemon::start(
        &(ZONE.to_owned()
            + &config(APP, &[first, ("second", "192.0.2.2", &up)])
            + &config("old.gtm.example.", &[("only", "192.0.2.3", &up)])),
    )
    .ready();
    let before = daemon.endpoint(APP, "first");
    assert_eq!(before["status"], "Degraded");
    let is_measured = |what: &str| daemon.api.get("/metrics").body.contains(what);
    let gone = ["profile=\"old.gtm.example.\"", "endpoint=\"second\""];
    assert!(gone.iter().all(|it| is_measured(it)));
    daemon.home.write(
        "farol.toml",
        &(ZONE.to_owned()
            + &config(APP, &[first, ("third", "192.0.2.4", &up)])
            + &config("new.gtm.example.", &[("only", "192.0.2.5", &up)])),
    );
    let event = daemon.reload("reloaded");
    assert_eq!(
        (&event["added"], &event["removed"], &event["changed"]),
        (&json!(1), &json!(1), &json!(1))
    );
    // At once, and without a probe in between.
    let after = daemon.endpoint(APP, "first");
    assert_eq!((&after["status"], &after["since"]), (&before["status"], &before["since"]));
    assert_eq!(daemon.answers(APP, "A"), ["192.0.2.4"]);
    assert_eq!(daemon.answers("new.gtm.example.", "A"), ["192.0.2.5"]);
    assert!(is_measured("profile=\"new.gtm.example.\""));
    assert!(!gone.iter().any(|it| is_measured(it)), "what went away is no metric any more");
    let gone = daemon.ask(&Query::new("old.gtm.example.", "A"));
    assert_eq!(gone.head(), "NXDOMAIN aa");
    daemon.stop();
}

#[test]
fn it_stops_well_when_it_is_told_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let daemon = Daemon::start(ZONE);
        daemon.signal(signal);
        daemon.event("stopped", 0);
        daemon.exit();
    }
}

#[test]
fn who_says_so_twice_does_not_wait() {
    let daemon = Daemon::start(ZONE);
    // A client that reads no answers is waited for, for a second.
    let mut client = common::dns::connect(daemon.dns[0]);
    client.set_nonblocking(true).unwrap();
    let queries = Query::new("gtm.example.", "SOA").framed().repeat(1000);
    common::wait_until("full connection", || client.write(&queries).is_err());
    daemon.signal(Signal::TERM);
    daemon.signal(Signal::INT);
    let (code, log) = daemon.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains(r#""event":"stopped_at_once""#), "{log}");
}

#[test]
fn a_port_in_use_is_named_with_the_key_that_sets_it() {
    let udp = UdpSocket::bind((loopback(), 0)).unwrap();
    let tcp = TcpListener::bind((loopback(), 0)).unwrap();
    let (udp, tcp) = (udp.local_addr().map(|it| (udp, it)), tcp.local_addr().map(|it| (tcp, it)));
    let ((_udp, udp), (_tcp, tcp)) = (udp.unwrap(), tcp.unwrap());
    for (home, transport, address, key) in [
        (Home::new(ZONE).listen(&[&udp.to_string()]), "UDP", udp, "server.listen"),
        (Home::new(ZONE).listen(&[&tcp.to_string()]), "TCP", tcp, "server.listen"),
        (Home::new(ZONE).admin(&tcp.to_string()), "TCP", tcp, "admin.listen"),
    ] {
        let said = home.fail_to_start();
        assert!(said.contains(&format!("{transport} {address}")) && said.contains(key), "{said}");
    }
}

#[test]
fn the_token_is_the_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let daemon = Daemon::start(ZONE);
    let mode = fs::metadata(daemon.home.path("state/admin.token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
