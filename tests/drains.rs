//! A drain that tells the truth: until when answers named a site, for how long they may be kept, and what it still gets.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use common::cli::{Run, check};
use common::daemon::Daemon;
use common::program::Program;
use common::{free_address, wait_until};
use serde_json::Value;

fn config(sites: &str) -> String {
    format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        {sites}
        [[profile]]
        name = 'app.gtm.example.'
        method = 'weighted'
        ttl = 2
        monitor = {{ protocol = 'none' }}
        endpoint = [
            {{ name = 'west', site = 'seattle', target = '192.0.2.1' }},
            {{ name = 'east', site = 'orlando', target = '192.0.2.2' }},
        ]
        "
    )
}

const SITES: &str = "
    [[site]]
    name = 'seattle'
    [[site]]
    name = 'orlando'
";

fn farol(daemon: &Daemon, args: &[&str]) -> Run {
    let (server, token) =
        (format!("http://{}", daemon.api.address), daemon.home.path("state/admin.token"));
    let environment = [("FAROL_SERVER", &*server), ("FAROL_TOKEN_FILE", token.to_str().unwrap())];
    common::cli::farol(args, &environment)
}

fn drain(daemon: &Daemon, site: &str) -> Value {
    let sites = daemon.api.must("GET", "/v1/sites", "");
    let mut sites = sites["sites"].as_array().unwrap().iter();
    sites.find(|it| it["name"] == site).unwrap()["drain"].clone()
}

#[test]
fn who_waits_hears_until_when_answers_are_kept() {
    let daemon = Daemon::start(&config(SITES));
    assert_eq!(drain(&daemon, "seattle"), Value::Null);
    let waited = farol(&daemon, &["site", "drain", "seattle", "--wait", "--reason", "work"]);
    check(&waited, 0, &["in service → drained", "seattle is safe."]);
    for said in ["answers stopped at ", "the longest answer out there is kept for 3 s; safe at "] {
        assert!(waited.err.contains(said), "{}", waited.err);
    }
    let drain = drain(&daemon, "seattle");
    assert_eq!((&drain["safe"], &drain["longest_ttl_seconds"]), (&true.into(), &0.0.into()));
    let endpoint = daemon.endpoint("app.gtm.example.", "west");
    assert_eq!(endpoint["cached_until"], drain["safe_at"]);
    assert_eq!(daemon.endpoint("app.gtm.example.", "east")["cached_until"], Value::Null);
}

#[test]
fn a_site_that_is_answered_with_all_the_same_is_not_safe() {
    let daemon = Daemon::start(&config(SITES));
    daemon.api.must("POST", "/v1/sites/orlando/drain", "");
    let waited = farol(&daemon, &["site", "drain", "seattle", "--wait", "--timeout", "1s"]);
    check(&waited, 1, &["seattle is not safe yet; it stays drained"]);
    let said = "1 endpoint still answered with, app.gtm.example. west first";
    assert!(waited.err.contains(said), "{}", waited.err);
    let drain = drain(&daemon, "seattle");
    assert_eq!((&drain["stopped"], &drain["safe_at"]), (&Value::Null, &Value::Null));
    assert_eq!(drain["still_answered"][0]["endpoint"], "west");
}

#[test]
fn prometheus_has_the_last_word_where_it_is_asked() {
    let address = free_address();
    let query = |site: &str, query: &str| {
        format!(
            "[[site]]\nname = '{site}'\nrequests = {{ prometheus = 'http://{address}/', query = '{query}', quiet = 3 }}\n"
        )
    };
    let sites = query("seattle", "vector(3)") + &query("orlando", "vector(5)");
    let daemon = Daemon::start(&config(&sites));
    daemon.api.must("POST", "/v1/sites/orlando/drain", "");
    wait_until("a reason", || drain(&daemon, "orlando")["requests"]["error"].is_string());
    assert_eq!(drain(&daemon, "orlando")["safe"], false);

    let file = daemon.home.path("prometheus.yml");
    fs::write(&file, "scrape_configs: []\n").unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", daemon.home.path("tsdb").display()));
    command.arg(format!("--web.listen-address={address}"));
    let _prometheus = Program::start(&mut command, &daemon.home.path("prometheus.log"));
    wait_until("Prometheus", || TcpStream::connect(address).is_ok());

    wait_until("a value", || drain(&daemon, "orlando")["requests"]["value"] == 5.0);
    wait_until("the end of the last answer", || {
        drain(&daemon, "orlando")["longest_ttl_seconds"] == 0.0
    });
    assert_eq!(drain(&daemon, "orlando")["safe"], false, "it gets more than is quiet");
    daemon.api.must("POST", "/v1/sites/orlando/undrain", "");
    daemon.api.must("POST", "/v1/sites/seattle/drain", "");
    wait_until("quiet", || drain(&daemon, "seattle")["safe"] == true);
}
