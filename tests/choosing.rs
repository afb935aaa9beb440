//! How profiles choose, seen by who asks and by who operates: manual failback, TTLs in doubt, clients' networks.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::program::run;
use common::site::Site;
use common::{wait_for, wait_to_see, wait_until};

const APP: &str = "app.gtm.example.";
const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n";

fn endpoint(name: &str, site: &Site) -> String {
    let (target, address) = (site.address.ip(), site.address);
    format!("{{ name = '{name}', target = '{target}', address = '{address}' }}")
}

/// Runs the command line against a daemon; what it says, and whether it succeeded.
fn farol(daemon: &Daemon, args: &[&str]) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    command.env("FAROL_SERVER", format!("http://{}", daemon.api.address));
    command.env("FAROL_TOKEN", token.trim()).env("HOME", "/nonexistent");
    let output = run(command.args(args), "");
    let text = |octets| String::from_utf8(octets).unwrap();
    (text(output.stdout) + &text(output.stderr), output.status.success())
}

#[test]
fn what_has_recovered_waits_for_farol_profile_failback_also_over_a_crash() {
    let (mut first, second) = (Site::start(), Site::start());
    let config = format!(
        "{ZONE}
        [monitor.site]
        interval = '500ms'
        tolerated_failures = 0
        required_successes = 1
        flap = {{ count = 0 }}
        [[profile]]
        name = '{APP}'
        method = 'priority'
        failback = 'manual'
        monitor = 'site'
        endpoint = [{}, {}]
        [[profile]]
        name = 'www.gtm.example.'
        method = 'priority'
        monitor = 'site'
        endpoint = [{}]
        ",
        endpoint("first", &first),
        endpoint("second", &second),
        endpoint("only", &second),
    );
    let mut daemon = Daemon::start(&config).ready();
    let by = |site: &Site| vec![site.address.ip().to_string()];
    wait_to_see(&by(&first), || daemon.answers(APP, "A"));
    first.kill();
    wait_to_see(&by(&second), || daemon.answers(APP, "A"));
    first.revive();
    let awaits = |daemon: &Daemon| {
        let profile = daemon.api.must("GET", &format!("/v1/profiles/{APP}"), "");
        (profile["awaits_failback"] == true).then(|| profile["active_priority"].clone())
    };
    assert_eq!(wait_for("awaited failback", || awaits(&daemon)), 2);
    assert_eq!(daemon.event("failback_awaited", 0)["profile"], APP);
    let state = daemon.home.path("state/overrides.json");
    wait_until("failover on the disk", || {
        fs::read_to_string(&state).is_ok_and(|it| it.contains("serving"))
    });

    daemon = daemon.crash_and_restart().ready();
    assert_eq!(wait_for("awaited failback", || awaits(&daemon)), 2);
    assert_eq!(daemon.answers(APP, "A"), by(&second));
    let metric = format!("farol_profile_awaits_failback{{profile=\"{APP}\"}}");
    assert!(daemon.api.get("/metrics").body.contains(&format!("{metric} 1\n")));
    let (shown, _) = farol(&daemon, &["profile", "show", APP]);
    assert!(shown.contains(&format!("a higher one waits for `farol profile failback {APP}`")));

    let failback = ["profile", "failback", "app.gtm.example", "--reason", "looked at it"];
    let (said, done) = farol(&daemon, &failback);
    assert!(done && said.contains("failed back, priority 2 → 1\n"), "{said}");
    assert_eq!(daemon.answers(APP, "A"), by(&first));
    assert!(daemon.api.get("/metrics").body.contains(&format!("{metric} 0\n")));
    assert_eq!(daemon.event("change", 0)["reason"], "looked at it");
    daemon = daemon.crash_and_restart().ready();
    assert_eq!(daemon.answers(APP, "A"), by(&first));
    let (said, done) = farol(&daemon, &failback);
    assert!(done && said.contains("nothing to fail back, priority 1 serves\n"), "{said}");
    let (said, done) = farol(&daemon, &["profile", "failback", "www.gtm.example"]);
    assert!(!done && said.contains("fails back by itself"), "{said}");
    let refused = daemon.api.post("/v1/profiles/www.gtm.example/failback", "");
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(daemon.api.post("/v1/profiles/no.gtm.example/failback", "").status, 404);
}

#[test]
fn answers_are_kept_for_less_time_while_an_endpoint_is_in_doubt() {
    let mut site = Site::start();
    let config = format!(
        "{ZONE}
        [[profile]]
        name = '{APP}'
        method = 'weighted'
        ttl = 300
        ttl_min = 7
        monitor = {{ interval = '1s', fast_interval = '1s', timeout = '500ms', tolerated_failures = 20 }}
        endpoint = [{}]
        ",
        endpoint("only", &site)
    );
    let daemon = Daemon::start(&config).ready();
    let ttl = || -> u32 {
        let answer = dig(&daemon, &["A", APP, "+noall", "+answer"]);
        answer.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    wait_to_see(&300, ttl);
    site.kill();
    wait_until("shorter TTL", || (7..=20).contains(&ttl()));
    let profile = daemon.api.must("GET", &format!("/v1/profiles/{APP}"), "");
    assert_eq!((&profile["ttl"], &profile["ttl_min"]), (&300.into(), &7.into()));
    assert!(profile["effective_ttl"].as_u64().unwrap() <= 20, "{profile}");
    site.revive();
    wait_to_see(&300, ttl);
}

/// What dig says of a daemon's answer.
fn dig(daemon: &Daemon, args: &[&str]) -> String {
    ask_with("dig", daemon, args)
}

fn ask_with(program: &str, daemon: &Daemon, args: &[&str]) -> String {
    let (host, port) = (daemon.dns[0].ip(), daemon.dns[0].port());
    let mut command = Command::new(program);
    let output =
        run(command.arg(format!("@{host}")).args(["-p", &port.to_string()]).args(args), "");
    String::from_utf8(output.stdout).unwrap()
}

/// The address that a client's network gets, and the network with the scope of the answer.
fn led(program: &str, daemon: &Daemon, profile: &str, network: &str) -> String {
    let (name, subnet) = (format!("{profile}.gtm.example."), format!("+subnet={network}"));
    let text = ask_with(program, daemon, &["A", &name, &subnet]);
    let find = |of: &str| text.lines().find_map(|it| it.split_once(of)).map(|it| it.1.trim());
    let address = text.lines().find(|it| it.contains("\tA\t") && !it.starts_with(';'));
    let address = address.and_then(|it| it.rsplit('\t').next()).unwrap_or("none");
    let scope = find("CLIENT-SUBNET:").unwrap_or("none");
    format!("{address} for {scope}")
}

const CLIENTS: &str = "
[geo]
latency_table = 'latency.csv'
[[client_network]]
cidr = '10.20.0.0/16'
region = 'US-WA'
site = 'seattle'
[[client_network]]
cidr = '2001:db8:20::/48'
region = 'IE'
[[site]]
name = 'seattle'
location = { latitude = 47.6, longitude = -122.3, region = 'US-WA' }
[[site]]
name = 'dublin'
location = { latitude = 53.3, longitude = -6.3, region = 'IE' }
[[profile]]
name = 'near.gtm.example.'
method = 'performance'
monitor = { protocol = 'none' }
endpoint = [
    { name = 'seattle', site = 'seattle', target = '192.0.2.1' },
    { name = 'dublin', site = 'dublin', target = '192.0.2.2' },
]
[[profile]]
name = 'geo.gtm.example.'
method = 'geographic'
monitor = { protocol = 'none' }
endpoint = [
    { name = 'us', geo = 'US', target = '192.0.2.1' },
    { name = 'world', geo = 'WORLD', target = '192.0.2.2' },
]
[[profile]]
name = 'sub.gtm.example.'
method = 'subnet'
monitor = { protocol = 'none' }
endpoint = [
    { name = 'own', subnets = ['10.20.0.0/16', '10.30.0.0-10.30.0.9'], target = '192.0.2.1' },
    { name = 'others', target = '192.0.2.2' },
]
[[profile]]
name = 'same.gtm.example.'
method = 'weighted'
affinity = { prefix4 = 20 }
monitor = { protocol = 'none' }
endpoint = [{ name = 'a', target = '192.0.2.1' }, { name = 'b', target = '192.0.2.2' }]
";

#[test]
fn a_clients_network_decides_and_answers_say_how_far_they_hold() {
    let home = Home::new(&format!("{ZONE}{CLIENTS}"));
    home.write("latency.csv", "network,seattle,dublin\n203.0.113.0/24,50,5\n");
    let daemon = home.start();
    for program in ["dig", "kdig"] {
        for (profile, network, expected) in [
            ("near", "10.20.1.0/24", "192.0.2.1 for 10.20.1.0/24/16"),
            ("near", "203.0.113.0/25", "192.0.2.2 for 203.0.113.0/25/24"),
            ("geo", "10.20.1.0/24", "192.0.2.1 for 10.20.1.0/24/16"),
            ("geo", "2001:db8:20:1::/64", "192.0.2.2 for 2001:db8:20:1::/64/48"),
            ("geo", "10.21.1.0/24", "192.0.2.2 for 10.21.1.0/24/16"),
            ("sub", "10.20.1.0/24", "192.0.2.1 for 10.20.1.0/24/16"),
            ("sub", "10.30.0.0/24", "192.0.2.1 for 10.30.0.0/24/29"),
            ("sub", "10.30.0.8/32", "192.0.2.1 for 10.30.0.8/32/31"),
            ("sub", "198.51.100.0/24", "192.0.2.2 for 198.51.100.0/24/1"),
        ] {
            let seen = led(program, &daemon, profile, network);
            assert_eq!(seen, expected, "{program} {profile} {network}");
        }
        let kept = led(program, &daemon, "same", "10.20.1.0/24");
        assert!(kept.ends_with(" for 10.20.1.0/24/20"), "{kept}");
        let neighbour = led(program, &daemon, "same", "10.20.2.0/24");
        assert_eq!(kept.split(' ').next(), neighbour.split(' ').next(), "one network of 20 bits");
    }

    // Nobody is believed any more: who asks decides, for everybody that it asks for.
    let untrusting = format!("{ZONE}{CLIENTS}[ecs]\ntrusted = []\n");
    daemon.home.write("farol.toml", &untrusting);
    assert!(daemon.reload("reloaded")["settings"].as_str().unwrap().contains("ecs.trusted"));
    let seen = led("dig", &daemon, "sub", "10.20.1.0/24");
    assert_eq!(seen, "192.0.2.2 for 10.20.1.0/24/0");
    let trusting = untrusting.replace("[]", "['192.0.2.0/24', '127.0.0.0/8']");
    daemon.home.write("farol.toml", &trusting);
    daemon.reload("reloaded");
    let seen = led("dig", &daemon, "sub", "10.20.1.0/24");
    assert_eq!(seen, "192.0.2.1 for 10.20.1.0/24/16");
}
