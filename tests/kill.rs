//! The daemon is killed at any moment: nothing that was acknowledged is lost, and nothing is half there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::daemon::{Daemon, Home};
use common::http::Http;
use common::random::Random;
use common::wait_until;
use rustix::process::Signal;
use serde_json::{Value, json};

/// How often the daemon is killed, in so many homes at the same time.
const TRIES: u16 = 200;
const LANES: u16 = 4;
/// Before it is killed, changes stream in for so long at most: some tens of writes to the disk.
const STREAM: Duration = Duration::from_millis(100);
/// One start in four is killed before it is over.
const START: Duration = Duration::from_millis(40);

const APP: &str = "app.gtm.example.";
const CONFIG: &str = "
    [server]
    workers = 1
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'own', target = '192.0.2.1' },
        { name = 'shared', target = '192.0.2.2' },
        { name = 'drained', site = 'seattle', target = '192.0.2.3' },
    ]
";

/// What is changed. Every change has a number, which no other change has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// An endpoint whose weight, priority and state are changed together.
    Endpoint(&'static str),
    /// The site, which odd numbers drain.
    Site,
}

impl Subject {
    /// Makes a change; tells whether it was acknowledged.
    fn change(self, api: &Http, number: u16) -> bool {
        let reason = number.to_string();
        let (method, path, body) = match self {
            Self::Endpoint(name) => {
                let path = format!("/v1/profiles/{APP}/endpoints/{name}");
                let enabled = number.is_multiple_of(2);
                let body = json!({"weight": number, "priority": number, "enabled": enabled, "reason": reason});
                ("PATCH", path, body)
            }
            Self::Site => {
                let verb = if number.is_multiple_of(2) { "undrain" } else { "drain" };
                ("POST", format!("/v1/sites/seattle/{verb}"), json!({"reason": reason}))
            }
        };
        match api.try_send(method, &path, &body.to_string()) {
            Ok(response) => {
                assert_eq!(response.status, 200, "{path} {body}: {}", response.body);
                true
            }
            Err(_) => false,
        }
    }

    /// The number of the change that is in force, all of it; 0 for none.
    fn in_force(self, daemon: &Daemon) -> Number {
        match self {
            Self::Endpoint(name) => {
                let endpoint = daemon.endpoint(APP, name);
                let overrides = endpoint["overrides"].as_array().unwrap();
                if overrides.is_empty() {
                    return Number::Is(0);
                }
                let number = u16::try_from(endpoint["weight"].as_u64().unwrap()).unwrap();
                assert_eq!(endpoint["priority"], number, "half of a change: {endpoint}");
                assert_eq!(endpoint["enabled"], number.is_multiple_of(2), "half: {endpoint}");
                let reason = number.to_string();
                let of = |it: &Value| it["reason"] == *reason;
                assert!(overrides.len() == 3 && overrides.iter().all(of), "half: {endpoint}");
                Number::Is(number)
            }
            Self::Site => {
                let sites = daemon.api.must("GET", "/v1/sites", "");
                let site = &sites["sites"][0];
                let drain = &site["drain"]["reason"];
                assert_eq!(site["drained"], !drain.is_null(), "{site}");
                match drain.as_str() {
                    Some(reason) => Number::Is(reason.parse().unwrap()),
                    None => Number::Even,
                }
            }
        }
    }
}

/// What is known of the number of the change in force.
#[derive(Clone, Copy, Debug)]
enum Number {
    Is(u16),
    /// An undrained site does not tell which change undrained it.
    Even,
}

impl Number {
    fn fits(self, number: u16) -> bool {
        match self {
            Self::Is(it) => it == number,
            Self::Even => number.is_multiple_of(2),
        }
    }
}

/// A change that was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    subject: Subject,
    number: u16,
    sent: Instant,
    acknowledged: Option<Instant>,
}

/// Sends one change after the other until the daemon is gone, or there are no more numbers.
fn stream(api: &Http, subject: Subject, numbers: Range<u16>, count: &AtomicUsize) -> Vec<Sent> {
    let mut changes = Vec::new();
    for number in numbers {
        let sent = Instant::now();
        let acknowledged = subject.change(api, number).then(Instant::now);
        changes.push(Sent { subject, number, sent, acknowledged });
        if acknowledged.is_none() {
            break;
        }
        count.fetch_add(1, Ordering::SeqCst);
    }
    changes
}

/// Whether a change may be in force after all these, of which it is one: nothing later overwrote it.
fn may_be_in_force(change: &Sent, all: &[Sent]) -> bool {
    let overwrites = |it: &&Sent| it.acknowledged.is_some() && Some(it.sent) > change.acknowledged;
    let known = change.acknowledged.is_some();
    !(known && all.iter().any(|it| overwrites(&it)))
}

/// The log has every change that was acknowledged, once, and shows no sign of the crash.
fn check_audit(daemon: &Daemon, sent: &[Sent]) {
    let found = farol::store::verify(&daemon.home.path("state")).unwrap();
    assert_eq!(found.faults, []);
    let log = daemon.api.must("GET", "/v1/audit?limit=1000&by=admin", "");
    let reasons = log["entries"].as_array().unwrap().iter().map(|it| it["reason"].as_str());
    let reasons: Vec<&str> = reasons.flatten().collect();
    for it in sent {
        let reason = it.number.to_string();
        let lines = reasons.iter().filter(|it| **it == reason).count();
        assert!(lines == 1 || it.acknowledged.is_none() && lines == 0, "{lines} lines: {it:?}");
    }
}

/// Kills a daemon again and again; tells how many changes were acknowledged and how many were not.
fn lane(mut random: Random, tries: u16) -> (usize, usize) {
    /// The numbers that each stream of a try has.
    const ROOM: u16 = u16::MAX / (TRIES / LANES) / 4;
    let subjects = [
        Subject::Endpoint("own"),
        Subject::Endpoint("shared"),
        Subject::Endpoint("shared"),
        Subject::Site,
    ];
    let mut home = Home::new(CONFIG);
    // What was in force before the first try, as if it had been sent long ago.
    let begun = Instant::now();
    let nothing = |subject| Sent { subject, number: 0, sent: begun, acknowledged: Some(begun) };
    let mut before: Vec<Sent> = subjects.map(nothing).to_vec();
    let (mut acknowledged, mut open) = (0, 0);
    for number in 0..tries {
        if random.below(4) == 0 {
            home.start_and_kill(random.within(START));
        }
        let daemon = home.start();
        let numbers = |lane: u16| {
            let first = (number * 4 + lane) * ROOM + 1;
            first..first + ROOM
        };
        let count = AtomicUsize::new(0);
        let sent: Vec<Sent> = thread::scope(|scope| {
            let streams: Vec<_> = (0..)
                .zip(subjects)
                .map(|(lane, subject)| {
                    let api = &daemon.api;
                    let count = &count;
                    scope.spawn(move || stream(api, subject, numbers(lane), count))
                })
                .collect();
            // However slow the disk is, there is something to lose in every other try.
            if number.is_multiple_of(2) {
                wait_until("acknowledged change", || count.load(Ordering::SeqCst) > 0);
            }
            thread::sleep(random.within(STREAM));
            daemon.signal(Signal::KILL);
            streams.into_iter().flat_map(|it| it.join().unwrap()).collect()
        });
        acknowledged += sent.iter().filter(|it| it.acknowledged.is_some()).count();
        open += sent.iter().filter(|it| it.acknowledged.is_none()).count();

        let daemon = daemon.crash_and_restart();
        assert!(!daemon.log().contains("state_set_aside"), "the state can't be read");
        let state = fs::read_dir(daemon.home.path("state")).unwrap();
        let mut files: Vec<_> = state.map(|it| it.unwrap().file_name()).collect();
        files.sort();
        let all = ["admin.token", "audit-000000000001.jsonl", "lock", "overrides.json"];
        assert!(files.iter().all(|it| all.iter().any(|known| it == known)), "{files:?}");
        check_audit(&daemon, &sent);
        before.extend(&sent);
        for subject in [subjects[0], subjects[1], subjects[3]] {
            let all: Vec<Sent> =
                before.iter().filter(|it| it.subject == subject).copied().collect();
            let in_force = subject.in_force(&daemon);
            let possible: Vec<&Sent> = all.iter().filter(|it| may_be_in_force(it, &all)).collect();
            let right = possible.iter().find(|it| in_force.fits(it.number));
            assert!(right.is_some(), "{in_force:?} is in force, not one of {possible:?}");
            let now = right.unwrap();
            // From now on this is known: it was there when a client asked.
            let known = Sent { acknowledged: Some(Instant::now()), sent: begun, ..**now };
            before.retain(|it| it.subject != subject);
            before.push(known);
        }
        home = daemon.crash();
    }
    (acknowledged, open)
}

#[test]
fn a_kill_at_any_moment_loses_and_halves_nothing() {
    let mut random = Random::new();
    let (acknowledged, open) = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|_| random.fork())
            .map(|random| scope.spawn(move || lane(random, TRIES / LANES)))
            .collect();
        lanes
            .into_iter()
            .map(|it| it.join().unwrap())
            .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    });
    println!("{TRIES} kills: {acknowledged} changes acknowledged, {open} not");
    // Both kinds were met, or nothing was tested.
    assert!(acknowledged >= usize::from(TRIES / 2) && open > 0, "{acknowledged}, {open}");
}
