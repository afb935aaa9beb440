//! Other people's authoritative servers, as Debian has them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::dns::{Query, Reply, client, exchange};
use super::program::Program;
use super::wait_until;

/// A zone's name and file.
pub(crate) type ZoneFile = (String, PathBuf);
/// Starts a server at these addresses, in a directory that it makes for itself.
pub(crate) type Start = fn(&[SocketAddr], &Path, &[ZoneFile]) -> Program;

/// A free port on the one loopback address that every server takes: BIND listens only at what an interface has.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Waits until a server answers for these zones.
#[track_caller]
pub(crate) fn wait_for_zones(server: SocketAddr, zones: &[ZoneFile]) {
    for (name, _) in zones {
        let query = Query::new(name, "SOA").wire();
        wait_until("answer of a server", || {
            let answer = exchange(&client(server), &query);
            answer.is_ok_and(|it| Reply::read(&it).head() == "NOERROR aa")
        });
    }
}

fn each<T>(of: &[T], text: impl Fn(&T) -> String) -> String {
    of.iter().map(text).collect()
}

fn start(program: &str, args: &[&str], directory: &Path, config: &str) -> Program {
    let file = directory.join("config");
    fs::write(&file, config).unwrap();
    Program::start(Command::new(program).args(args).arg(file), &directory.join("log"))
}

pub(crate) fn knot(at: &[SocketAddr], directory: &Path, zones: &[ZoneFile]) -> Program {
    fs::create_dir(directory).unwrap();
    let path = directory.display();
    let listen: Vec<String> = at.iter().map(|it| format!("{}@{}", it.ip(), it.port())).collect();
    let config = format!(
        "server:\n  rundir: \"{path}\"\n  listen: {listen:?}\nlog:\n- target: stderr\n  any: info\ndatabase:\n  storage: \"{path}\"\n\
         template:\n- id: default\n  semantic-checks: off\n  journal-content: none\n  zonefile-sync: -1\nzone:\n{}",
        each(zones, |(name, file)| format!("- domain: {name}\n  file: {file:?}\n")),
    );
    start("knotd", &["-c"], directory, &config)
}

pub(crate) fn nsd(at: &[SocketAddr], directory: &Path, zones: &[ZoneFile]) -> Program {
    fs::create_dir(directory).unwrap();
    let config = format!(
        "server:\n{1} username: \"\"\n chroot: \"\"\n zonesdir: \"\"\n database: \"\"\n pidfile: \"\"\n \
         xfrdfile: \"\"\n xfrdir: \"{0}\"\n zonelistfile: \"{0}/zones\"\n cookie-secret-file: \"{0}/cookies\"\n \
         server-count: 1\n minimal-responses: yes\nremote-control:\n control-enable: no\n{2}",
        directory.display(),
        each(at, |it| format!(" ip-address: {}@{}\n", it.ip(), it.port())),
        each(zones, |(name, file)| format!("zone:\n name: {name}\n zonefile: {file:?}\n")),
    );
    start("nsd", &["-d", "-c"], directory, &config)
}

pub(crate) fn bind(at: &[SocketAddr], directory: &Path, zones: &[ZoneFile]) -> Program {
    fs::create_dir(directory).unwrap();
    let listen = |it: &SocketAddr| {
        let option = if it.is_ipv4() { "listen-on" } else { "listen-on-v6" };
        format!("{option} port {} {{ {}; }}; ", it.port(), it.ip())
    };
    let others = if at.iter().any(SocketAddr::is_ipv6) { "" } else { "listen-on-v6 { none; };" };
    let config = format!(
        "options {{ directory {directory:?}; {}{others} pid-file none; session-keyfile none; recursion no; \
         dnssec-validation no; check-names primary ignore; check-integrity no; minimal-responses yes; zero-no-soa-ttl no; }};\ncontrols {{ }};\n{}",
        each(at, listen),
        each(zones, |(name, file)| format!("zone {name:?} {{ type primary; file {file:?}; }};\n")),
    );
    start("named", &["-g", "-c"], directory, &config)
}
