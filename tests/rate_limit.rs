//! Networks that ask for too much over UDP, and how real clients among them are answered all the same.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::process::Command;
use std::time::Instant;

use common::daemon::{Daemon, Home};
use common::dns::{APP, Edns, Query, Reply, ask_tcp, connect};
use common::program::run;
use common::wait_until;

const NAME: &str = "app.gtm.example.";
/// One answer in a second, and a debt that may outlast every test.
const LIMIT: &str = "responses_per_second = 1\nwindow = '1h'\n";
const FLOOD: u64 = 50;

fn unlimited() -> String {
    format!("[server]\nworkers = 1\n{APP}")
}

fn config(limit: &str) -> String {
    format!("{}[rate_limit]\n{limit}", unlimited())
}

fn metric(daemon: &Daemon, series: &str) -> u64 {
    let metrics = daemon.api.get("/metrics").body;
    let prefix = format!("{series} ");
    metrics.lines().find_map(|it| it.strip_prefix(&prefix)).unwrap().parse().unwrap()
}

fn limited(daemon: &Daemon, class: &str, action: &str) -> u64 {
    let labels = format!("class=\"{class}\",action=\"{action}\"");
    metric(daemon, &format!("farol_dns_rate_limited_total{{{labels}}}"))
}

fn responses(daemon: &Daemon, zone: &str, rcode: &str) -> u64 {
    metric(daemon, &format!("farol_dns_responses_total{{zone=\"{zone}\",rcode=\"{rcode}\"}}"))
}

/// What came of a flood.
struct Outcome {
    replies: Vec<Reply>,
    dropped: u64,
    slipped: u64,
}

impl Outcome {
    fn whole(&self) -> u64 {
        self.replies.iter().filter(|it| !it.flags.contains("tc")).count() as u64
    }
}

/// The sum of all series that begin so.
fn sum(daemon: &Daemon, prefix: &str) -> u64 {
    let metrics = daemon.api.get("/metrics").body;
    let series = metrics.lines().filter(|it| it.starts_with(prefix));
    series.map(|it| it.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Sends all queries at once, and takes every answer to them.
fn flood(daemon: &Daemon, class: &str, all: &[Query]) -> Outcome {
    let limited = |action| limited(daemon, class, action);
    let sent = || sum(daemon, "farol_dns_responses_total{");
    let before = [sent(), limited("dropped"), limited("slipped")];
    let client = daemon.client();
    for query in all {
        client.send(&query.wire()).unwrap();
    }
    let many = all.len() as u64;
    wait_until("fate of all queries", || {
        sent() - before[0] + limited("dropped") - before[1] == many
    });
    let [dropped, slipped] = [limited("dropped") - before[1], limited("slipped") - before[2]];
    let mut answer = [0; 4096];
    let mut receive = || {
        let length = client.recv(&mut answer).unwrap();
        Reply::read(&answer[..length])
    };
    let replies = (0..many - dropped).map(|_| receive()).collect();
    Outcome { replies, dropped, slipped }
}

/// Floods until the debt outlasts whatever a test does in the next minutes.
fn sink(daemon: &Daemon) {
    let query = vec![Query::new(NAME, "A"); FLOOD as usize];
    (0..6).for_each(|_| drop(flood(daemon, "positive", &query)));
}

/// No more than a second's answers for each second, and of the others every second one truncated.
#[track_caller]
fn check_limit(outcome: &Outcome, started: Instant) {
    let whole = outcome.whole();
    assert!(whole >= 1 && whole <= 1 + started.elapsed().as_secs(), "{whole}");
    assert_eq!(whole + outcome.dropped + outcome.slipped, FLOOD);
    assert_eq!(outcome.slipped, (FLOOD - whole) / 2);
    for reply in outcome.replies.iter().filter(|it| it.flags.contains("tc")) {
        let records = reply.answer.len() + reply.authority.len() + reply.additional.len();
        assert_eq!((reply.question.len(), records), (1, 0));
    }
}

#[test]
fn a_network_is_limited_and_real_clients_in_it_are_answered() {
    let daemon = Daemon::start(&config(LIMIT));
    let query = Query::new(NAME, "A").size(1232);
    let (started, log) = (Instant::now(), daemon.logged());
    let outcome = flood(&daemon, "positive", &vec![query.clone(); FLOOD as usize]);
    check_limit(&outcome, started);
    // What was dropped is no answer.
    assert_eq!(responses(&daemon, "gtm.example.", "NOERROR"), FLOOD - outcome.dropped);
    // And what slipped names nobody.
    assert_eq!(sum(&daemon, "farol_answers_total{"), outcome.whole());
    let event = daemon.event("rate_limited", log);
    assert_eq!((&event["network"], &event["class"]), (&"127.0.0.0/24".into(), &"positive".into()));
    sink(&daemon);
    let events = daemon.log().matches(r#""event":"rate_limited""#).count() as u64;
    assert!(events <= 1 + started.elapsed().as_secs() / 10, "{events}");

    // Who is told that the answer is truncated asks over TCP, and learns a cookie there.
    let mut stream = connect(daemon.dns[0]);
    let edns = |cookie: &[u8]| Edns {
        size: 1232,
        options: vec![(10, cookie.to_vec())],
        ..Edns::default()
    };
    let mut cookie = b"farolfar".to_vec();
    for _ in 0..FLOOD {
        let reply = ask_tcp(&mut stream, &query.clone().edns(edns(&cookie))).unwrap();
        assert_eq!(
            (reply.head().as_str(), reply.data()),
            ("NOERROR aa", vec!["192.0.2.10".to_owned()])
        );
        cookie = reply.option(10).unwrap().to_vec();
    }
    let known = vec![query.clone().edns(edns(&cookie)); FLOOD as usize];
    let outcome = flood(&daemon, "positive", &known);
    assert_eq!((outcome.whole(), outcome.dropped, outcome.slipped), (FLOOD, 0, 0));
    // A cookie without the server's part shows nothing, and is not needed for a truncated answer to bring one.
    let outcome = flood(&daemon, "positive", &vec![query.edns(edns(b"farolfar")); 2]);
    assert_eq!((outcome.whole(), outcome.dropped, outcome.slipped), (0, 1, 1));
    assert_eq!(outcome.replies[0].option(10).unwrap().len(), 24);
    daemon.stop();
}

#[test]
fn random_names_and_errors_share_their_accounts() {
    let daemon = Daemon::start(&config(LIMIT));
    let names = |suffix: &str| -> Vec<Query> {
        (0..FLOOD).map(|it| Query::new(&format!("x{it}.{suffix}"), "A")).collect()
    };
    for (class, suffix, zone, rcode) in [
        ("nxdomain", "gtm.example.", "gtm.example.", "NXDOMAIN"),
        ("error", "elsewhere.", "", "REFUSED"),
    ] {
        let started = Instant::now();
        let outcome = flood(&daemon, class, &names(suffix));
        check_limit(&outcome, started);
        assert!(outcome.replies.iter().all(|it| it.rcode == rcode));
        assert_eq!(responses(&daemon, zone, rcode), FLOOD - outcome.dropped);
    }
    // A name that exists has its own.
    assert_eq!(daemon.answers(NAME, "A"), ["192.0.2.10"]);
    assert_eq!(
        (limited(&daemon, "positive", "dropped"), limited(&daemon, "positive", "slipped")),
        (0, 0)
    );
    daemon.stop();
}

#[test]
fn limits_come_change_and_go_at_a_reload() {
    let home = Home::new(&unlimited());
    let daemon = home.start();
    let query = vec![Query::new(NAME, "A"); FLOOD as usize];
    for (text, limits) in [
        (unlimited(), None),
        (config(LIMIT), Some(2)),
        (config(&format!("{LIMIT}exempt = ['192.0.2.0/24', '127.0.0.0/16']\n")), None),
        (config(&format!("{LIMIT}exempt = '192.0.2.0/24'\nslip = 0\n")), Some(0)),
        (unlimited(), None),
    ] {
        daemon.home.write("farol.toml", &text);
        daemon.reload("reloaded");
        let outcome = flood(&daemon, "positive", &query);
        match limits {
            None => assert_eq!(outcome.whole(), FLOOD, "{text}"),
            Some(0) => assert_eq!((outcome.dropped, outcome.slipped), (FLOOD, 0), "still in debt"),
            Some(_) => {
                assert!(outcome.slipped > 0 && outcome.dropped > 0);
                sink(&daemon);
            }
        }
    }
    daemon.home.write("farol.toml", &config("slip = 2\n"));
    let refused = daemon.reload("reload_refused")["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("rate_limit.responses_per_second: is missing; write"), "{refused}");
    daemon.stop();
}

#[test]
fn other_peoples_clients_go_over_to_tcp() {
    let daemon = Daemon::start(&config(&format!("{LIMIT}slip = 1\n")));
    sink(&daemon);
    let (address, port) = (format!("@{}", daemon.dns[0].ip()), daemon.dns[0].port().to_string());
    for program in ["dig", "kdig"] {
        let mut command = Command::new(program);
        let slipped = limited(&daemon, "positive", "slipped");
        command.args([&address, "-p", &port, NAME, "A"]);
        command.args(if program == "dig" { &["+nocookie"][..] } else { &["+nocookie", "+edns"] });
        let seen = String::from_utf8(run(&mut command, "").stdout).unwrap();
        assert!(seen.contains("192.0.2.10"), "{program}: {seen}");
        assert_eq!(limited(&daemon, "positive", "slipped"), slipped + 1, "{program}");
    }
    daemon.stop();
}
