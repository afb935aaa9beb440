//! A bad network between the prober and its sites: as long as no more is lost than the thresholds promise to ride out, no
//! endpoint is called Degraded, and when everything is lost, all are, in time.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::daemon::Daemon;
use common::namespace::{inside, must, must_read};
use common::program::Program;
use common::relay::Relay;
use common::site::Site;
use common::{wait_for, wait_until};
use serde_json::Value;

/// Of a hundred packets in each direction, so many are lost.
const LOSS: u8 = 10;
/// How many false alarms may be expected in the whole run.
const FALSE_ALARMS: f64 = 1e-6;
/// For so long packets are lost.
const RUN: Duration = Duration::from_secs(15);

/// How endpoints are probed, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Probing {
    endpoints: u16,
    /// The first of their ports.
    port: u16,
    interval: u64,
    timeout: u64,
}

/// Short time-outs, in which a lost packet is not sent again, and long ones, in which it is sent twice more.
const PROBINGS: [Probing; 2] = [
    Probing { endpoints: 40, port: 8000, interval: 900, timeout: 600 },
    Probing { endpoints: 100, port: 8100, interval: 4000, timeout: 3500 },
];

impl Probing {
    /// The chance that a probe fails: every SYN that is sent in time, or the answer to it, is lost. TCP repeats a SYN after
    /// one second and then after twice as long each time (RFC 6298). Linux does so at least as often, and repeats the answer
    /// too, which makes failures rarer than this.
    fn chance_of_failure(self, loss: f64) -> f64 {
        let mut failed = 1.0;
        let (mut sent, mut wait) = (0, 1000);
        while sent < self.timeout {
            failed *= 1.0 - (1.0 - loss) * (1.0 - loss);
            sent += wait;
            wait *= 2;
        }
        failed
    }

    /// The fewest tolerated failures with which no more false alarms are to be expected than that: every probe may be the
    /// last of a run of failures, one longer than what is tolerated.
    fn tolerated_failures(self, loss: f64, alarms: f64) -> i32 {
        let shortest = Duration::from_millis(self.fast_interval().min(self.interval)).mul_f64(0.9);
        let probes =
            f64::from(self.endpoints) * (RUN.as_secs_f64() / shortest.as_secs_f64()).ceil();
        let chance = self.chance_of_failure(loss);
        (0..).find(|it| probes * chance.powi(it + 1) < alarms).unwrap()
    }

    /// The least that is no shorter than a probe.
    fn fast_interval(self) -> u64 {
        self.timeout
    }

    /// How long an endpoint that fails can be taken for Online (docs/BEHAVIOUR.md).
    fn promise(self, tolerated: i32) -> Duration {
        let millis = |it: u64| Duration::from_millis(it);
        let tolerated = u32::try_from(tolerated).unwrap();
        millis(self.interval).mul_f64(1.1)
            + (millis(self.fast_interval()) * tolerated).mul_f64(1.1)
            + millis(self.timeout)
    }
}

#[test]
fn thresholds_follow_from_the_loss() {
    let probing = |endpoints, interval, timeout| Probing { endpoints, port: 0, interval, timeout };
    let close = |left: f64, right: f64| (left - right).abs() < 1e-12;
    // 10 % lost each way: 81 % of the attempts get through.
    assert!(close(probing(1, 1000, 999).chance_of_failure(0.1), 0.19));
    assert!(close(probing(1, 1000, 1001).chance_of_failure(0.1), 0.19 * 0.19));
    assert!(close(probing(1, 9000, 3500).chance_of_failure(0.1), 0.19 * 0.19 * 0.19));
    assert!(close(probing(1, 9000, 5000).chance_of_failure(0.0), 0.0));
    assert!(close(probing(1, 9000, 5000).chance_of_failure(1.0), 1.0));
    // 17 probes of one endpoint: 17 × 0.19 = 3.2, 17 × 0.19² = 0.61.
    let one = probing(1, 1000, 999);
    assert_eq!(one.tolerated_failures(0.1, 1.0), 1);
    assert_eq!(one.promise(2), Duration::from_micros(1_100_000 + 2_197_800 + 999_000));
}

/// What is known of every endpoint: its name and status.
fn statuses(daemon: &Daemon) -> HashMap<String, String> {
    let profiles = daemon.api.must("GET", "/v1/profiles", "");
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let endpoints = profiles["profiles"].as_array().unwrap().iter();
    let endpoints = endpoints.flat_map(|it| it["endpoints"].as_array().unwrap());
    endpoints.map(|it| (text(&it["name"]), text(&it["status"]))).collect()
}

/// The most probes of one endpoint of a profile that were void.
fn most_voids(daemon: &Daemon, profile: &str) -> u32 {
    let metrics = daemon.api.get("/metrics").body;
    let of = |it: &&str| {
        it.starts_with("farol_probes_total{")
            && it.contains(profile)
            && it.contains(r#"result="void""#)
    };
    let counts = metrics.lines().filter(of).map(|it| it.rsplit(' ').next().unwrap());
    counts.map(|it| it.parse().unwrap()).max().unwrap()
}

/// Transitions that were logged after so many lines, as endpoint and status.
fn transitions(daemon: &Daemon, seen: usize) -> Vec<(String, String)> {
    let log = daemon.log();
    let events = log.lines().skip(seen).filter_map(|it| serde_json::from_str::<Value>(it).ok());
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let transitions = events.filter(|it| it["event"] == "transition");
    transitions.map(|it| (text(&it["endpoint"]), text(&it["to"]))).collect()
}

/// nginx in a network of its own, which a cable joins to this one.
struct Island {
    nginx: Program,
    _directory: tempfile::TempDir,
}

impl Island {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut listen = String::new();
        for probing in PROBINGS {
            write!(
                listen,
                "listen 0.0.0.0:{}-{}; ",
                probing.port,
                probing.port + probing.endpoints - 1
            )
            .unwrap();
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|it| format!("{it}_temp_path temporary-{it};\n"))
            .concat();
        let config = format!(
            "daemon off; master_process off; user root; pid nginx.pid; error_log stderr;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\naccess_log off;\n{temporary}server {{ {listen} return 200; }}\n}}\n"
        );
        fs::write(directory.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--net", "nginx", "-p"]).arg(directory.path());
        command.args(["-e", "stderr", "-c", "nginx.conf"]);
        let nginx = Program::start(&mut command, &directory.path().join("log"));
        let island = Self { nginx, _directory: directory };
        let network = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
        let process = island.nginx.id().to_string();
        wait_until("network of its own", || network(&process) != network("self"));
        must("ip link set lo up");
        must(&format!("ip link add prober type veth peer name site netns {process}"));
        must("ip address add 192.0.2.1/30 dev prober");
        must("ip link set prober up");
        island.run("ip address add 192.0.2.2/30 dev site", "");
        island.run("ip link set site up", "");
        wait_until("nginx behind the cable", || {
            std::net::TcpStream::connect(("192.0.2.2", PROBINGS[1].port)).is_ok()
        });
        island
    }

    fn run(&self, command: &str, input: &str) -> String {
        must_read(&format!("nsenter --net=/proc/{}/ns/net {command}", self.nginx.id()), input)
    }

    /// Loses so many of a hundred packets in each direction from now on.
    fn lose(&self, percent: u8) {
        let kept = 100 - percent;
        let rules = |device: &str| {
            format!(
                "table inet cable {{}}\ndelete table inet cable\ntable inet cable {{\n chain arriving {{\n \
                 type filter hook input priority 0;\n \
                 iifname \"{device}\" numgen random mod 100 >= {kept} counter drop\n}}\n}}\n"
            )
        };
        must_read("nft -f -", &rules("prober"));
        self.run("nft -f -", &rules("site"));
    }

    /// How many packets were lost in each direction.
    fn lost(&self) -> [u64; 2] {
        let list = "nft list table inet cable";
        [self.run(list, ""), must_read(list, "")].map(|it| {
            let after = it.split("counter packets ").nth(1).unwrap();
            after.split(' ').next().unwrap().parse().unwrap()
        })
    }
}

#[test]
fn loss_below_the_promise_degrades_nobody_and_a_cut_cable_everybody() {
    inside(&["--net"], "loss_below_the_promise_degrades_nobody_and_a_cut_cable_everybody", || {
        let island = Island::start();
        let loss = f64::from(LOSS) / 100.0;
        let tolerated = PROBINGS.map(|it| it.tolerated_failures(loss, FALSE_ALARMS / 2.0));
        let mut config = "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\n".to_owned();
        for (probing, tolerated) in PROBINGS.iter().zip(tolerated) {
            let Probing { endpoints, port, interval, timeout } = *probing;
            let fast = probing.fast_interval();
            write!(
                config,
                "[[profile]]\nname = 'p{port}.z.'\nmethod = 'weighted'\nmonitor = {{ protocol = 'tcp', interval = '{interval}ms', \
                 fast_interval = '{fast}ms', timeout = '{timeout}ms', tolerated_failures = {tolerated}, flap = {{ count = 0 }} }}\n"
            )
            .unwrap();
            for port in port..port + endpoints {
                write!(
                    config,
                    "[[profile.endpoint]]\nname = 'e{port}'\ntarget = '192.0.2.9'\naddress = '192.0.2.2:{port}'\n"
                )
                .unwrap();
            }
        }
        let daemon = Daemon::start(&config);
        // The first result is the verdict, so all begin on a good cable.
        wait_until("Online endpoints", || statuses(&daemon).values().all(|it| it == "Online"));

        let seen = daemon.logged();
        island.lose(LOSS);
        thread::sleep(RUN); // not to wait for anything: for as long as this, nothing must happen
        let lost = island.lost();
        assert!(lost.iter().all(|it| *it > 0), "{lost:?}: nothing was lost, so nothing was tested");
        assert_eq!(transitions(&daemon, seen), [], "false alarms, tolerating {tolerated:?}");
        assert!(statuses(&daemon).values().all(|it| it == "Online"));

        let (seen, cut) = (daemon.logged(), Instant::now());
        island.lose(100);
        let mut took = Vec::new();
        for (probing, tolerated) in PROBINGS.iter().zip(tolerated) {
            let own = |name: &str| {
                let port: u16 = name.trim_start_matches('e').parse().unwrap();
                (probing.port..probing.port + probing.endpoints).contains(&port)
            };
            wait_until("Degraded endpoints", || {
                let of = |it: &&(String, String)| own(&it.0) && it.1 == "Degraded";
                transitions(&daemon, seen).iter().filter(of).count()
                    == usize::from(probing.endpoints)
            });
            // Where this machine was so late that a probe was void, one more had to be waited for; each of the others may have
            // been late by a quarter of its time-out, which is not void yet.
            let probes = u32::try_from(tolerated).unwrap() + 1;
            let voids = most_voids(&daemon, &format!("p{}.z.", probing.port));
            let late = Duration::from_millis(probing.timeout) / 4 * probes
                + Duration::from_millis(probing.interval).mul_f64(1.1) * voids;
            took.push((cut.elapsed(), probing.promise(tolerated), late));
        }
        println!(
            "lost {lost:?} packets; tolerated {tolerated:?}; after the cut, promised, and late at most: {took:?}"
        );
        assert!(took.iter().all(|(took, promised, late)| *took < *promised + *late), "{took:?}");
        let why = daemon.endpoint("p8000.z.", "e8000")["last_probe"]["reason"].clone();
        assert_eq!(why, "connect: timed out after 600 ms");
    });
}

#[test]
fn a_relay_that_delays_and_stalls_within_what_is_tolerated_degrades_nobody() {
    const TIMEOUT: Duration = Duration::from_secs(4);
    const TOLERATED: usize = 2;
    const RELAYS: u32 = 8;
    let site = Site::start();
    // Delays grow from nothing to most of the timeout; after each connection that gets through, as many stall as are tolerated.
    let delay = |number: u32| TIMEOUT.mul_f64(0.7) * number / (RELAYS - 1);
    let relays: Vec<Relay> =
        (0..RELAYS).map(|it| Relay::start(site.address, delay(it), TOLERATED)).collect();
    let stalled = Relay::start(site.address, Duration::ZERO, usize::MAX);
    let mut config = format!(
        "[[zone]]\nname = 'z.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'app.z.'\nmethod = 'weighted'\n\
         monitor = {{ interval = '4500ms', fast_interval = '4s', timeout = '{}s', tolerated_failures = {TOLERATED}, flap = {{ count = 0 }} }}\n",
        TIMEOUT.as_secs()
    );
    for (name, relay) in
        (0..).map(|it| format!("e{it}")).zip(&relays).chain([("stalled".to_owned(), &stalled)])
    {
        let address = relay.address;
        write!(
            config,
            "[[profile.endpoint]]\nname = '{name}'\ntarget = '192.0.2.9'\naddress = '{address}'\n"
        )
        .unwrap();
    }
    let daemon = Daemon::start(&config);
    // From the first connection on it stalls: at once for some, after a while for others.
    wait_until("turns of all relays", || relays.iter().all(|it| it.passed() > 2));
    let seen = transitions(&daemon, 0);
    assert_eq!(seen, [("stalled".to_owned(), "Degraded".to_owned())], "tolerated");
    let why = wait_for("reason", || {
        daemon.endpoint("app.z.", "stalled")["last_probe"]["reason"].as_str().map(str::to_owned)
    });
    assert_eq!(why, "first_byte: timed out after 4 s");
    assert!(statuses(&daemon).iter().all(|(name, it)| (name == "stalled") == (it == "Degraded")));
}
