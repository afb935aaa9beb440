//! Reloads every tenth of a second under a load of queries: every answer is wholly of one configuration, and none is lost.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::daemon::{Daemon, Home};
use common::dns::{Query, Reply, ask_tcp, connect};
use serde_json::json;

const RELOADS: u32 = 120;
const EVERY: Duration = Duration::from_millis(100);
const UDP_CLIENTS: usize = 4;
const TCP_CLIENTS: usize = 2;
/// Queries that a client has on their way at a time.
const BURST: u16 = 16;

/// What is asked: names that both configurations have, and some that only one has.
const ASKED: [(&str, &str); 8] = [
    ("app.gtm.example.", "A"),
    ("app.gtm.example.", "AAAA"),
    ("shared.gtm.example.", "A"),
    ("x.wild.gtm.example.", "A"),
    ("old.gtm.example.", "A"),
    ("new0.gtm.example.", "A"),
    ("new49.gtm.example.", "A"),
    ("gtm.example.", "SOA"),
];

/// What a query with this number asks.
fn question(id: u16) -> usize {
    usize::from(id) % ASKED.len()
}

/// A configuration that differs from the other in addresses, their number, TTLs, methods, endpoints, zone data and names.
fn config(is_new: bool) -> String {
    let mut config = format!(
        "[server]\nworkers = 2\n[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns{}.example.'\n",
        u8::from(is_new)
    );
    let mut profile = |name: &str, method: &str, ttl: u32, endpoints: &[&[&str]]| {
        config += &format!(
            "[[profile]]\nname = '{name}'\nmethod = '{method}'\nttl = {ttl}\nmonitor = {{ protocol = 'none' }}\n"
        );
        for (number, targets) in endpoints.iter().enumerate() {
            config += &format!(
                "[[profile.endpoint]]\nname = 'e{number}'\ntarget = {targets:?}\nweight = 10\n"
            );
        }
    };
    if is_new {
        profile(
            "app.gtm.example.",
            "priority",
            20,
            &[&["198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8:2::1"]],
        );
        let shares: &[&[&str]] =
            &[&["198.51.100.10", "198.51.100.11"], &["198.51.100.20", "198.51.100.21"]];
        profile("shared.gtm.example.", "weighted", 60, shares);
        profile("*.wild.gtm.example.", "priority", 7, &[&["198.51.100.40"]]);
        for number in 0..50 {
            profile(&format!("new{number}.gtm.example."), "priority", 5, &[&["198.51.100.50"]]);
        }
    } else {
        profile(
            "app.gtm.example.",
            "priority",
            10,
            &[&["192.0.2.1", "192.0.2.2", "2001:db8:1::1", "2001:db8:1::2"]],
        );
        let shares: &[&[&str]] = &[&["192.0.2.10"], &["192.0.2.20"], &["192.0.2.30"]];
        profile("shared.gtm.example.", "weighted", 30, shares);
        profile("*.wild.gtm.example.", "weighted", 3, &[&["192.0.2.40", "192.0.2.41"]]);
        profile("old.gtm.example.", "priority", 5, &[&["192.0.2.50"]]);
    }
    config
}

/// Everything but the number that a client gave its query. The order of records is no part of an answer.
fn content(reply: Reply) -> Reply {
    let mut reply = Reply { id: 0, ..reply };
    reply.answer.sort();
    reply
}

/// All answers that a configuration gives to each question.
fn answers(daemon: &Daemon) -> Vec<BTreeSet<String>> {
    let all = |(name, record_type): (&str, &str)| {
        let ask = |_| format!("{:?}", content(daemon.ask(&Query::new(name, record_type))));
        (0..100).map(ask).collect()
    };
    ASKED.map(all).to_vec()
}

/// Puts a configuration in the place of the other at once, as an operator's tool does.
fn write(home: &Home, config: &str) {
    home.write("next.toml", config);
    fs::rename(home.path("next.toml"), home.path("farol.toml")).unwrap();
}

#[test]
fn a_reload_under_load_mixes_and_loses_nothing() {
    let daemon = Daemon::start(&config(true));
    let new = answers(&daemon);
    write(&daemon.home, &config(false));
    daemon.reload("reloaded");
    let old = answers(&daemon);
    for ((old, new), asked) in old.iter().zip(&new).zip(ASKED) {
        assert!(old.is_disjoint(new), "{asked:?} tells no configuration from the other: {old:?}");
    }

    let (done, olds, news) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let check = |reply: Reply| {
        let asked = ASKED[question(reply.id)];
        let (old, new) =
            (&old[usize::from(reply.id) % ASKED.len()], &new[usize::from(reply.id) % ASKED.len()]);
        let content = format!("{:?}", content(reply));
        match (old.contains(&content), new.contains(&content)) {
            (true, _) => olds.fetch_add(1, Ordering::Relaxed),
            (_, true) => news.fetch_add(1, Ordering::Relaxed),
            _ => panic!("{asked:?}: {content} is of no configuration"),
        };
    };
    let query = |id: u16| {
        let (name, record_type) = ASKED[question(id)];
        Query { id, ..Query::new(name, record_type) }
    };
    let over_udp = || {
        let socket = daemon.client();
        let mut first = 0_u16;
        while !done.load(Ordering::SeqCst) {
            // A burst fits any socket's buffer, so every query must have its answer; in which order is the workers' affair.
            let mut open: BTreeSet<u16> = (0..BURST).map(|it| first.wrapping_add(it)).collect();
            for id in &open {
                socket.send(&query(*id).wire()).unwrap();
            }
            while !open.is_empty() {
                let mut answer = [0; 4096];
                let length =
                    socket.recv(&mut answer).unwrap_or_else(|it| panic!("{it}: {open:?} are lost"));
                let reply = Reply::read(&answer[..length]);
                assert!(open.remove(&reply.id), "{reply:?} was not asked for");
                check(reply);
            }
            first = first.wrapping_add(BURST);
        }
    };
    let over_tcp = || {
        let mut stream = connect(daemon.dns[0]);
        let mut id = 0_u16;
        while !done.load(Ordering::SeqCst) {
            let reply = ask_tcp(&mut stream, &query(id)).unwrap();
            assert_eq!(reply.id, id);
            check(reply);
            // A new connection now and then: it meets the configuration of its own time.
            if id.is_multiple_of(64) {
                stream = connect(daemon.dns[0]);
            }
            id = id.wrapping_add(1);
        }
    };
    thread::scope(|scope| {
        (0..UDP_CLIENTS).for_each(|_| drop(scope.spawn(over_udp)));
        (0..TCP_CLIENTS).for_each(|_| drop(scope.spawn(over_tcp)));
        // Whatever fails here, the clients must hear of it.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let done = Done(&done);
        let started = Instant::now();
        for number in 1..=RELOADS {
            let is_new = number % 2 == 1;
            write(&daemon.home, &config(is_new));
            if number % 3 == 0 {
                daemon.reload("reloaded");
            } else {
                daemon.api.must("POST", "/v1/reload", "");
            }
            // Once it is acknowledged, nobody is answered by the other.
            let soa = format!("{:?}", content(daemon.ask(&Query::new("gtm.example.", "SOA"))));
            assert!(if is_new { &new } else { &old }[7].contains(&soa), "after the reload: {soa}");
            thread::sleep((started + EVERY * number).saturating_duration_since(Instant::now()));
        }
        drop(done);
    });
    let (olds, news) = (olds.into_inner(), news.into_inner());
    println!(
        "{RELOADS} reloads: {olds} answers of one configuration, {news} of the other, none lost"
    );
    assert!(olds > 1000 && news > 1000, "{olds} {news}");
    let status = daemon.api.must("GET", "/v1/status", "");
    assert_eq!(status["profiles"], json!(4));
    daemon.stop();
}
