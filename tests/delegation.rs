//! Unbound and BIND as resolvers, with all that makes resolvers strict, on their way from the root through a delegation to
//! Farol and beyond: a root on NSD, a parent and a child on Knot, over IPv4 alone and over IPv6 alone.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::dns::{Edns, Query, RD, Reply, client, connect, exchange, next_reply};
use common::namespace::{inside, must};
use common::program::Program;
use common::servers::{self, ZoneFile, wait_for_zones};
use common::wait_for;

/// Who is at which address; all at port 53, which delegations lead to.
const ROOT: u16 = 1;
const PARENT: u16 = 2;
const FAROL: u16 = 3;
const CHILD: u16 = 4;
const RESOLVER: u16 = 5;

/// A family of addresses in which everybody is.
#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn address(self, of: u16) -> IpAddr {
        match self {
            Self::V4 => format!("127.53.0.{of}").parse().unwrap(),
            Self::V6 => format!("fd53::{of}").parse().unwrap(),
        }
    }

    fn socket(self, of: u16) -> SocketAddr {
        SocketAddr::new(self.address(of), 53)
    }

    /// An address record.
    fn glue(self, owner: &str, of: u16) -> String {
        let record_type = if matches!(self, Self::V4) { "A" } else { "AAAA" };
        format!("{owner} {record_type} {}\n", self.address(of))
    }
}

fn zone(apex: &str, server: &str, more: &str) -> String {
    format!(
        "$ORIGIN {apex}\n$TTL 300\n@ SOA {server} h.example. 1 3600 600 604800 60\n@ NS {server}\n{more}"
    )
}

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    file = 'gtm'
    [[zone]]
    name = 'in.gtm.example.'
    file = 'in'
    [[zone]]
    name = 'un.told.gtm.example.'
    file = 'told'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'a', target = ['192.0.2.1', '2001:db8::1'] }]
    [[profile]]
    name = 'svc.eu.apps.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'a', target = '192.0.2.2' }]
    [[profile]]
    name = 'led.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'a', target = 'www.in.gtm.example.' }]
";
const RECORDS: &str = "
www           CNAME app
*.wild        TXT wild
leaf.ent      TXT leaf
moved         DNAME ent
svc           HTTPS 1 . alpn=h2
odd           TYPE65400 \\# 2 0102
in            NS ns
child         NS ns.child
to-child      CNAME www.child
";

/// What is asked, the head of the answer, and a part of every record's data in it.
const ROWS: &[(&str, &str, &str, &[&str])] = &[
    ("app.gtm.example.", "A", "NOERROR", &["192.0.2.1"]),
    ("app.gtm.example.", "AAAA", "NOERROR", &["2001:db8::1"]),
    ("app.gtm.example.", "TXT", "NOERROR", &[]),
    ("svc.eu.apps.gtm.example.", "A", "NOERROR", &["192.0.2.2"]),
    ("eu.apps.gtm.example.", "A", "NOERROR", &[]),
    ("led.gtm.example.", "A", "NOERROR", &["www.in.gtm.example", "192.0.2.3"]),
    ("www.gtm.example.", "A", "NOERROR", &["app.gtm.example", "192.0.2.1"]),
    ("x.wild.gtm.example.", "TXT", "NOERROR", &["wild"]),
    ("f.e.d.c.b.a.wild.gtm.example.", "TXT", "NOERROR", &["wild"]),
    ("wild.gtm.example.", "TXT", "NOERROR", &[]),
    ("leaf.ent.gtm.example.", "TXT", "NOERROR", &["leaf"]),
    ("ent.gtm.example.", "TXT", "NOERROR", &[]),
    ("missing.gtm.example.", "A", "NXDOMAIN", &[]),
    ("below.missing.gtm.example.", "A", "NXDOMAIN", &[]),
    ("leaf.moved.gtm.example.", "TXT", "NOERROR", &["ent.gtm.example", "leaf.ent", "leaf"]),
    ("gone.moved.gtm.example.", "TXT", "NXDOMAIN", &["ent.gtm.example", "gone.ent"]),
    ("svc.gtm.example.", "HTTPS", "NOERROR", &["1 . alpn=h2"]),
    ("odd.gtm.example.", "TYPE65400", "NOERROR", &["\\# 2"]),
    ("www.in.gtm.example.", "A", "NOERROR", &["192.0.2.3"]),
    ("missing.in.gtm.example.", "A", "NXDOMAIN", &[]),
    ("www.un.told.gtm.example.", "A", "NOERROR", &["192.0.2.5"]),
    ("www.child.gtm.example.", "A", "NOERROR", &["192.0.2.4"]),
    ("missing.child.gtm.example.", "A", "NXDOMAIN", &[]),
    ("to-child.gtm.example.", "A", "NOERROR", &["www.child.gtm.example", "192.0.2.4"]),
    ("child.gtm.example.", "DS", "NOERROR", &[]),
    ("gtm.example.", "NS", "NOERROR", &["ns.gtm.example"]),
    ("gtm.example.", "SOA", "NOERROR", &["ns.gtm.example"]),
];
/// The strings of a set that no datagram takes.
const BIG: usize = 20;

/// The servers of all zones but the resolver, as long as they are needed.
struct World {
    daemon: Daemon,
    family: Family,
    _others: [Program; 2],
}

impl World {
    fn start(family: Family) -> Self {
        must("ip link set lo up");
        for number in ROOT..=RESOLVER {
            let (address, length) = match family.address(number) {
                IpAddr::V4(it) => (it.to_string(), 32),
                IpAddr::V6(it) => (it.to_string(), 128),
            };
            must(&format!("ip address add {address}/{length} dev lo"));
        }
        let big: String = (0..BIG).map(|it| format!("big TXT {it}{}\n", "x".repeat(100))).collect();
        let glue = |owner, of| family.glue(owner, of);
        let own = format!("{RECORDS}{big}{}{}", glue("ns", FAROL), glue("ns.child", CHILD));
        let home = Home::new(CONFIG).listen(&[&family.socket(FAROL).to_string()]);
        home.write("gtm", &zone("gtm.example.", "ns.gtm.example.", &own));
        home.write("in", &zone("in.gtm.example.", "ns.gtm.example.", "www A 192.0.2.3\n"));
        home.write("told", &zone("un.told.gtm.example.", "ns.gtm.example.", "www A 192.0.2.5\n"));
        let root = format!("example. NS ns.example.\n{}", glue("ns.example.", PARENT));
        home.write("root", &zone(".", "ns.root.", &(root + &glue("ns.root.", ROOT))));
        let parent = format!("gtm NS ns.gtm\n{}{}", glue("ns.gtm", FAROL), glue("ns", PARENT));
        home.write("parent", &zone("example.", "ns.example.", &parent));
        let child = format!("www A 192.0.2.4\n{}", glue("ns", CHILD));
        home.write("child", &zone("child.gtm.example.", "ns.child.gtm.example.", &child));
        home.write("hints", &format!(". 3600 NS ns.root.\n{}", glue("ns.root. 3600", ROOT)));
        let daemon = home.start();
        let file = |name: &str, file| -> ZoneFile { (name.to_owned(), daemon.home.path(file)) };
        let at_nsd = [file(".", "root")];
        let at_knot = [file("example.", "parent"), file("child.gtm.example.", "child")];
        let knot_at = [PARENT, CHILD].map(|it| family.socket(it));
        let nsd = servers::nsd(&[family.socket(ROOT)], &daemon.home.path("nsd"), &at_nsd);
        let knot = servers::knot(&knot_at, &daemon.home.path("knot"), &at_knot);
        wait_for_zones(family.socket(ROOT), &at_nsd);
        wait_for_zones(knot_at[1], &at_knot);
        Self { daemon, family, _others: [nsd, knot] }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.daemon.home.path(file)
    }

    /// Unbound, with every check on that it has for what servers do wrong.
    fn unbound(&self) -> Program {
        let (directory, hints) = (self.path("unbound"), self.path("hints"));
        fs::create_dir(&directory).unwrap();
        let (v4, v6) = match self.family {
            Family::V4 => ("yes", "no"),
            Family::V6 => ("no", "yes"),
        };
        let config = format!(
            "server:\n directory: {directory:?}\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n use-syslog: no\n logfile: \"\"\n \
             interface: {0}@53\n do-ip4: {v4}\n do-ip6: {v6}\n num-threads: 1\n access-control: 127.0.0.0/8 allow\n \
             access-control: fd53::/16 allow\n do-not-query-localhost: no\n module-config: \"iterator\"\n root-hints: {hints:?}\n \
             qname-minimisation: yes\n qname-minimisation-strict: yes\n use-caps-for-id: yes\n harden-glue: yes\n \
             harden-below-nxdomain: yes\n harden-referral-path: yes\n harden-dnssec-stripped: yes\n harden-large-queries: yes\n \
             harden-short-bufsize: yes\n harden-algo-downgrade: yes\n edns-buffer-size: 1232\n\
             remote-control:\n control-enable: no\n",
            self.family.address(RESOLVER),
        );
        start("unbound", &["-d", "-c"], &directory, &config)
    }

    /// BIND, which goes label by label and gives up where that fails.
    fn bind(&self) -> Program {
        let (directory, hints) = (self.path("bind"), self.path("hints"));
        fs::create_dir(&directory).unwrap();
        let (listen, only) = match self.family {
            Family::V4 => ("listen-on", "-4"),
            Family::V6 => ("listen-on-v6", "-6"),
        };
        let config = format!(
            "options {{ directory {directory:?}; {listen} {{ {}; }}; pid-file none; session-keyfile none; recursion yes; \
             allow-recursion {{ any; }}; qname-minimization strict; dnssec-validation no; empty-zones-enable no; \
             minimal-responses no; }};\ncontrols {{ }};\nzone \".\" {{ type hint; file {hints:?}; }};\n",
            self.family.address(RESOLVER),
        );
        start("named", &[only, "-g", "-c"], &directory, &config)
    }

    fn ask(&self, name: &str, record_type: &str) -> Reply {
        let server = self.family.socket(RESOLVER);
        let edns = Edns { size: 1232, ..Edns::default() };
        let query = Query { flags: RD, ..Query::new(name, record_type) }.edns(edns);
        let reply = wait_for("answer of the resolver", || {
            exchange(&client(server), &query.wire()).ok().map(|it| Reply::read(&it))
        });
        if !reply.flags.contains("tc") {
            return reply;
        }
        let mut stream = connect(server);
        std::io::Write::write_all(&mut stream, &query.framed()).unwrap();
        next_reply(&mut stream).unwrap()
    }

    fn check(&self) {
        for (name, record_type, rcode, parts) in ROWS {
            let reply = self.ask(name, record_type);
            let is_there = |part: &&&str| reply.data().iter().any(|it| it.contains(**part));
            assert_eq!(reply.head(), format!("{rcode} rd ra"), "{name} {record_type} {reply:?}");
            assert_eq!(reply.answer.len(), parts.len(), "{name} {record_type} {reply:?}");
            assert!(parts.iter().all(|it| is_there(&it)), "{name} {record_type} {reply:?}");
        }
        let big: BTreeSet<String> =
            self.ask("big.gtm.example.", "TXT").data().into_iter().collect();
        assert_eq!(big.len(), BIG, "over TCP, where it doesn't fit");
        let tcp = "farol_dns_queries_total{transport=\"tcp\"";
        let metrics = self.daemon.api.get("/metrics").body;
        let over_tcp = metrics.lines().filter(|it| it.starts_with(tcp) && !it.ends_with(" 0"));
        assert!(over_tcp.count() > 0, "the resolver came over TCP");
    }
}

fn start(program: &str, args: &[&str], directory: &Path, config: &str) -> Program {
    let file = directory.join("config");
    fs::write(&file, config).unwrap();
    Program::start(Command::new(program).args(args).arg(file), &directory.join("log"))
}

fn check(test: &str, family: Family, resolver: fn(&World) -> Program) {
    inside(&["--net"], test, || {
        let world = World::start(family);
        let _resolver = resolver(&world);
        world.check();
    });
}

#[test]
fn unbound_resolves_over_ipv4() {
    check("unbound_resolves_over_ipv4", Family::V4, World::unbound);
}

#[test]
fn unbound_resolves_over_ipv6() {
    check("unbound_resolves_over_ipv6", Family::V6, World::unbound);
}

#[test]
fn bind_resolves_over_ipv4() {
    check("bind_resolves_over_ipv4", Family::V4, World::bind);
}

#[test]
fn bind_resolves_over_ipv6() {
    check("bind_resolves_over_ipv6", Family::V6, World::bind);
}
