//! What clients and the server may say of themselves: cookies, sizes, names; by other people's clients too.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::process::Command;

use common::daemon::{Daemon, Home};
use common::dns::{APP, Edns, Query, Reply};
use common::program::run;
use common::wait_until;
use socket2::{Domain, Socket, Type};

const OLD: &str = "00112233445566778899aabbccddeeff";
const NEW: &str = "ffeeddccbbaa99887766554433221100";
const CLIENT_PART: [u8; 8] = *b"farolfar";

fn config(server: &str) -> String {
    format!("[server]\n{server}\n{APP}")
}

fn ask(daemon: &Daemon, cookie: &[u8]) -> Reply {
    let options = vec![(10, cookie.to_vec())];
    let edns = Edns { size: 1232, options, ..Edns::default() };
    daemon.ask(&Query::new("app.gtm.example.", "A").edns(edns))
}

fn cookie(daemon: &Daemon) -> Vec<u8> {
    let cookie = ask(daemon, &CLIENT_PART).option(10).unwrap().to_vec();
    assert_eq!(cookie.len(), 24);
    cookie
}

/// How many cookies were worth this.
fn counted(daemon: &Daemon, server_part: &str) -> u64 {
    metric(daemon, &format!("farol_dns_cookies_total{{server_part=\"{server_part}\"}}"))
}

fn dropped(daemon: &Daemon, reason: &str) -> u64 {
    metric(daemon, &format!("farol_dns_dropped_total{{reason=\"{reason}\"}}"))
}

fn metric(daemon: &Daemon, series: &str) -> u64 {
    let metrics = daemon.api.get("/metrics").body;
    let prefix = format!("{series} ");
    metrics.lines().find_map(|it| it.strip_prefix(&prefix)).unwrap().parse().unwrap()
}

#[track_caller]
fn output(program: &str, daemon: &Daemon, arguments: &[&str]) -> String {
    let (address, port) = (daemon.dns[0].ip().to_string(), daemon.dns[0].port().to_string());
    let mut command = Command::new(program);
    command.args([&format!("@{address}"), "-p", &port]).args(arguments);
    let output = run(&mut command, "");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn instances_with_one_secret_accept_each_others_cookies() {
    let shared = config(&format!("cookie_secrets = '{OLD}'\nrequire_server_cookie = true"));
    let (one, other) = (Daemon::start(&shared), Daemon::start(&shared));
    let alone = Daemon::start(&config("require_server_cookie = true"));
    let cookie = cookie(&one);
    for (daemon, rcode) in [(&one, "NOERROR"), (&other, "NOERROR"), (&alone, "BADCOOKIE")] {
        let reply = ask(daemon, &cookie);
        assert_eq!(reply.rcode, rcode);
        let (same, accepted) = (reply.option(10) == Some(&cookie), rcode == "NOERROR");
        assert_eq!((same, reply.answer.len()), (accepted, usize::from(accepted)));
    }
    assert_eq!((counted(&other, "valid"), counted(&alone, "bad")), (1, 1));
    assert_eq!((counted(&one, "none"), counted(&other, "none")), (1, 0));
}

#[test]
fn secrets_rotate_at_a_reload_and_are_shown_nowhere() {
    let text = |secrets: &str| config(&format!("cookie_secrets = [{secrets}]"));
    let home = Home::new(&text("'${file:secret}'")).environment(&[("FAROL_LOG", "trace")]);
    home.write("secret", &format!("{OLD}\n"));
    let daemon = home.start();
    let first = cookie(&daemon);
    // The next secret is believed, then signs, then is the only one.
    for (secrets, first_stays, is_valid) in [
        (format!("'${{file:secret}}', '{NEW}'"), true, true),
        (format!("'{NEW}', '${{file:secret}}'"), false, true),
        (format!("'{NEW}'"), false, false),
    ] {
        let (log, valid) = (daemon.logged(), counted(&daemon, "valid"));
        daemon.home.write("farol.toml", &text(&secrets));
        daemon.event("reloaded", log);
        let reply = ask(&daemon, &first);
        assert_eq!(reply.option(10) == Some(&first), first_stays, "{secrets}");
        assert_eq!(counted(&daemon, "valid") > valid, is_valid, "{secrets}");
    }
    let log = daemon.logged();
    daemon.home.write("farol.toml", &text(&format!("'{NEW}0'")));
    let refused = daemon.event("reload_refused", log)["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("server.cookie_secrets: write 32 hexadecimal digits"), "{refused}");
    let everything = daemon.log() + &daemon.api.get("/v1/status").body;
    assert!(!everything.contains(OLD) && !everything.contains(NEW), "a secret is shown");
    daemon.stop();
}

#[test]
fn other_peoples_clients_learn_and_use_cookies() {
    let daemon = Daemon::start(&config("require_server_cookie = true"));
    // dig learns a cookie by BADCOOKIE, asks again by itself, and checks that its own part came back.
    let seen = output("dig", &daemon, &["+cookie", "+tries=1", "app.gtm.example.", "A"]);
    assert!(seen.contains("status: NOERROR") && seen.contains("192.0.2.10"), "{seen}");
    assert!(seen.contains("(good)"), "{seen}");
    let seen = output("kdig", &daemon, &["+cookie", "+badcookie", "app.gtm.example.", "A"]);
    assert!(seen.contains("192.0.2.10") && seen.contains("COOKIE: "), "{seen}");
    // Without a question, which dig calls its header only.
    let seen = output("dig", &daemon, &["+cookie", "+header-only", "+qr"]);
    assert!(seen.contains("status: NOERROR") && seen.contains("(good)"), "{seen}");
    assert_eq!(counted(&daemon, "valid"), 2);
    daemon.stop();
}

#[test]
fn clients_of_every_make_read_the_answers() {
    let home = Home::new(&format!("{APP}\n[[zone]]\nname = 'z.'\nfile = 'z.zone'\n"));
    let big: String = (0..30).map(|it| format!("big TXT \"{it} {}\"\n", "x".repeat(60))).collect();
    let records = "www CNAME app.gtm.example.\n*.wild TXT wild\ndn DNAME wild\nsub NS ns.sub\nns.sub A 192.0.2.53\nsvc HTTPS 1 . alpn=h2\n";
    home.write(
        "z.zone",
        &format!("$TTL 60\n@ SOA ns.sub h 1 2 3 4 5\n@ NS ns.elsewhere.\n{records}{big}"),
    );
    let daemon = home.start();
    // kdig, drill and delv, in this order: what each has to say.
    let rows: &[(&str, &str, [&str; 3])] = &[
        ("app.gtm.example.", "A", ["192.0.2.10", "192.0.2.10", "192.0.2.10"]),
        ("APP.gtm.example.", "A", ["192.0.2.10", "192.0.2.10", "192.0.2.10"]),
        ("x.wild.z.", "TXT", ["\"wild\"", "\"wild\"", "\"wild\""]),
        ("a.dn.z.", "TXT", ["DNAME\twild.z.", "DNAME\twild.z.", "dname\twild.z."]),
        ("svc.z.", "HTTPS", ["alpn=h2", "alpn=", "alpn=\"h2\""]),
        ("wild.z.", "A", ["status: NOERROR", "rcode: NOERROR", ";-$nxrrset"]),
        ("no.z.", "A", ["status: NXDOMAIN", "rcode: NXDOMAIN", ";-$nxdomain"]),
        ("big.z.", "TXT", ["\"29 xxx", "\"29 xxx", "\"29 xxx"]),
        ("x.sub.z.", "A", ["192.0.2.53", "192.0.2.53", ""]),
    ];
    for (name, record_type, [by_kdig, by_drill, by_delv]) in rows {
        let asked = [*name, *record_type];
        for arguments in [&["+edns", "+dnssec"][..], &["+tcp"]] {
            let seen = output("kdig", &daemon, &[arguments, &asked].concat());
            assert!(seen.contains(by_kdig) && !seen.contains("WARNING"), "{name} {seen}");
        }
        for way in ["-u", "-t"] {
            let seen = output("drill", &daemon, &[&["-a", way], &asked[..]].concat());
            assert!(seen.contains(by_drill) || *name == "big.z." && way == "-u", "{name} {seen}");
        }
        // It resolves by itself, without validation, as these zones aren't signed.
        let seen = output("delv", &daemon, &[&["-i"], &asked[..]].concat());
        assert!(seen.to_lowercase().contains(by_delv), "{name} {seen}");
    }
    daemon.stop();
}

#[test]
fn the_id_and_the_size_are_told_to_who_asks_and_change_at_a_reload() {
    let daemon = Daemon::start(&config("id = 'ns1'\nudp_size = 4096"));
    let asked = || {
        let options = vec![(3, vec![])];
        let edns = Edns { size: 1232, options, ..Edns::default() };
        let reply = daemon.ask(&Query::new("app.gtm.example.", "A").edns(edns));
        let id = reply.option(3).map(|it| String::from_utf8(it.to_vec()).unwrap());
        (id, reply.opt.unwrap().size)
    };
    assert_eq!(asked(), (Some("ns1".to_owned()), 4096));
    let seen = output("dig", &daemon, &["+nsid", "app.gtm.example.", "A"]);
    assert!(seen.contains("(\"ns1\")"), "{seen}");
    let seen = output("kdig", &daemon, &["+nsid", "app.gtm.example.", "A"]);
    assert!(seen.contains("\"ns1\""), "{seen}");
    let reply = daemon.ask(&Query::new("app.gtm.example.", "A").size(1232));
    assert_eq!(reply.option(3), None, "only who asks is told");
    let log = daemon.logged();
    daemon.home.write("farol.toml", &config("udp_size = 512"));
    daemon.event("reloaded", log);
    assert_eq!(asked(), (None, 512));
    daemon.stop();
}

#[test]
fn nothing_is_sent_to_where_we_listen_ourselves() {
    let daemon = Home::new(APP).listen(&["127.0.0.1:0", "127.0.0.2:0"]).start();
    // Shares an address with the daemon, as nobody else's socket can, and asks at the other one.
    let forger = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    forger.set_reuse_port(true).unwrap();
    forger.bind(&daemon.dns[1].into()).unwrap();
    let query = Query::new("app.gtm.example.", "A").wire();
    for _ in 0..10 {
        forger.send_to(&query, &daemon.dns[0].into()).unwrap();
    }
    wait_until("dropped queries", || dropped(&daemon, "own_address") == 10);
    assert_eq!(dropped(&daemon, "response"), 0, "no answer went to ourselves");
    drop(forger);
    assert_eq!(daemon.answers("app.gtm.example.", "A"), ["192.0.2.10"]);
    daemon.stop();
}
