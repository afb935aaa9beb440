//! Unbound, the resolver that clients really ask, in front of the daemon.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::dns::{Query, RD, Reply, client, exchange};
use common::program::Program;
use common::site::Site;
use common::{free_address, wait_for, wait_until};

/// Starts Unbound with the daemon as the server of its zone; gives where it listens.
fn unbound(daemon: &Daemon) -> (Program, SocketAddr) {
    unbound_with(daemon, "iterator", "")
}

/// The same with these modules and these further lines of its configuration.
fn unbound_with(daemon: &Daemon, modules: &str, more: &str) -> (Program, SocketAddr) {
    let (address, server) = (free_address(), daemon.dns[0]);
    let (host, port) = (address.ip(), address.port());
    let directory = daemon.home.path("unbound");
    fs::create_dir(&directory).unwrap();
    let config = format!(
        r#"server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface: {host}@{port}
  port: {port}
  do-ip6: no
  num-threads: 1
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  module-config: "{modules}"
  {more}
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
remote-control:
  control-enable: no
stub-zone:
  name: "gtm.example."
  stub-addr: {}@{}
"#,
        server.ip(),
        server.port(),
        directory = directory.display(),
    );
    let file = directory.join("unbound.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new("unbound");
    let program = Program::start(command.arg("-d").arg("-c").arg(file), &directory.join("log"));
    (program, address)
}

/// Asks the resolver once; nothing while it is starting.
fn try_ask(resolver: SocketAddr, name: &str) -> Option<Reply> {
    let query = Query { flags: RD, ..Query::new(name, "A") };
    exchange(&client(resolver), &query.wire()).ok().map(|it| Reply::read(&it))
}

fn ask(resolver: SocketAddr, name: &str) -> Vec<String> {
    let reply = wait_for("answer of the resolver", || try_ask(resolver, name));
    assert_eq!(reply.head(), "NOERROR rd ra", "{reply:?}");
    reply.data()
}

const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.gtm.example.'\n";

#[test]
fn clients_of_a_resolver_get_the_weights() {
    const NAMES: u32 = 1000;
    let config = format!(
        "{ZONE}
        [[profile]]
        name = '*.app.gtm.example.'
        method = 'weighted'
        monitor = {{ protocol = 'none' }}
        endpoint = [
            {{ name = 'seattle', target = '192.0.2.1', weight = 60 }},
            {{ name = 'orlando', target = '192.0.2.2', weight = 30 }},
            {{ name = 'dublin', target = '192.0.2.3', weight = 10 }},
        ]
        "
    );
    let daemon = Daemon::start(&config);
    let (_unbound, resolver) = unbound(&daemon);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..NAMES {
        // Names of its own, so that no answer comes from the resolver's cache.
        for address in ask(resolver, &format!("user{number}.app.gtm.example.")) {
            *seen.entry(address).or_default() += 1;
        }
    }
    println!("of {NAMES} answers by weight 60, 30, 10: {seen:?}");
    for (address, weight) in [("192.0.2.1", 60), ("192.0.2.2", 30), ("192.0.2.3", 10)] {
        let (expected, count) = (NAMES * weight / 100, seen[address]);
        assert!(count.abs_diff(expected) <= NAMES / 50, "{address}: {count}, not about {expected}");
    }
}

#[test]
fn clients_of_a_resolver_are_led_away_from_a_failed_site() {
    let (mut first, second) = (Site::start(), Site::start());
    let endpoint = |name: &str, site: &Site| {
        format!(
            "{{ name = '{name}', target = '{}', address = '{}' }}",
            site.address.ip(),
            site.address
        )
    };
    let config = format!(
        "{ZONE}
        [[profile]]
        name = 'app.gtm.example.'
        method = 'priority'
        ttl = 1
        monitor = {{ interval = '500ms', tolerated_failures = 1, flap = {{ count = 0 }} }}
        endpoint = [{}, {}]
        ",
        endpoint("first", &first),
        endpoint("second", &second)
    );
    let daemon = Daemon::start(&config).ready();
    let (_unbound, resolver) = unbound(&daemon);
    let leads_to =
        |site: &Site| ask(resolver, "app.gtm.example.") == [site.address.ip().to_string()];
    wait_until("first site", || leads_to(&first));
    first.kill();
    wait_until("second site", || leads_to(&second));
    first.revive();
    wait_until("first site again", || leads_to(&first));
}

#[test]
fn clients_of_one_resolver_get_what_is_for_their_own_networks() {
    let config = format!(
        "{ZONE}
        [[profile]]
        name = 'app.gtm.example.'
        method = 'subnet'
        ttl = 300
        monitor = {{ protocol = 'none' }}
        endpoint = [
            {{ name = 'one', target = '192.0.2.1', subnets = '127.7.0.0/16' }},
            {{ name = 'two', target = '192.0.2.2', subnets = '127.8.0.0/16' }},
            {{ name = 'others', target = '192.0.2.3' }},
        ]
        "
    );
    let daemon = Daemon::start(&config);
    let names_networks = format!("send-client-subnet: {}", daemon.dns[0].ip());
    let (_unbound, resolver) = unbound_with(&daemon, "subnetcache iterator", &names_networks);
    let query = Query { flags: RD, ..Query::new("app.gtm.example.", "A") }.wire();
    let ask_from = |client: &str| {
        let socket = UdpSocket::bind((client, 0)).unwrap();
        socket.connect(resolver).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        let reply = wait_for("answer of the resolver", || {
            Some(Reply::read(&exchange(&socket, &query).ok()?))
        });
        reply.data()
    };
    // The second time it answers from its cache, by the scopes that it was told.
    for _ in 0..2 {
        for (client, expected) in [
            ("127.7.0.1", "192.0.2.1"),
            ("127.7.200.1", "192.0.2.1"),
            ("127.8.3.1", "192.0.2.2"),
            ("127.9.0.1", "192.0.2.3"),
        ] {
            assert_eq!(ask_from(client), [expected], "{client}");
        }
    }
}

#[test]
fn clients_of_a_resolver_are_led_to_a_name() {
    let config = format!(
        "{ZONE}file = 'zone'
        [[profile]]
        name = 'www.gtm.example.'
        method = 'priority'
        endpoint = [{{ name = 'a', target = 'place.gtm.example.', monitor = {{ protocol = 'none' }} }}]
        "
    );
    let home = Home::new(&config);
    home.write("zone", "place 60 A 192.0.2.1\nplace 60 AAAA 2001:db8::1\nplace 60 TXT here\n");
    let daemon = home.start();
    let (_unbound, resolver) = unbound(&daemon);
    for (record_type, data) in [("A", "192.0.2.1"), ("AAAA", "2001:db8::1"), ("TXT", "here")] {
        let query = Query { flags: RD, ..Query::new("www.gtm.example.", record_type) };
        let reply = wait_for("answer of the resolver", || {
            exchange(&client(resolver), &query.wire()).ok().map(|it| Reply::read(&it))
        });
        let answers = reply.data();
        assert_eq!(answers.len(), 2, "{reply:?}");
        assert_eq!(answers[0], "place.gtm.example.", "{reply:?}");
        assert!(answers[1].contains(data), "{reply:?}");
    }
}
