//! gdnsd's service types: how something is monitored.

use std::collections::HashMap;

use super::vscf::Node;
use crate::import::draft::{Monitor, Probe, is_host};
use crate::import::report::Report;

/// gdnsd's defaults.
const INTERVAL: u64 = 10;
const UP_THRESH: u32 = 20;
const DOWN_THRESH: u32 = 10;
/// What Farol's loader takes.
const MOST_STATUSES: usize = 8;

/// What a service type says of everything that it watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Always up, or up because nobody can say.
    Up,
    Down,
    Probed(Monitor),
}

/// The service types by name, with the two that gdnsd has by itself.
pub(super) struct Services(HashMap<String, Service>);

impl Services {
    pub(super) fn read(configuration: &Node, report: &mut Report) -> Self {
        let mut services: HashMap<String, Service> =
            [("up".to_owned(), Service::Up), ("down".to_owned(), Service::Down)].into();
        let table = configuration.get("service_types").and_then(Node::hash);
        for (name, node) in table.into_iter().flatten() {
            services.insert(name.clone(), service(name, node, report));
        }
        Self(services)
    }

    /// What several service types come to: the worst of them counts in gdnsd; Farol has one probe for an endpoint.
    pub(super) fn join(&self, names: &[String], place: &str, report: &mut Report) -> Service {
        let mut joined = Service::Up;
        for name in names {
            let Some(service) = self.0.get(name) else {
                report.unsupported(
                    place,
                    format!("the service type {name}"),
                    "service_types has none of this name",
                    "correct it, and import again",
                );
                continue;
            };
            joined = match (joined, service) {
                (Service::Down, _) | (_, Service::Down) => Service::Down,
                (Service::Up, other) => other.clone(),
                (known, Service::Up) => known,
                (known, other) if known == *other => known,
                (known, _) => {
                    report.unsupported(
                        place,
                        format!("the second service type {name}"),
                        "an endpoint of Farol's has one monitor; the first service type that probes is taken",
                        "have the site answer one probe for all of them, or write a program (protocol = \"exec\")",
                    );
                    known
                }
            };
        }
        joined
    }
}

fn service(name: &str, node: &Node, report: &mut Report) -> Service {
    let place = format!("service type {name}");
    let text = |key: &str| node.get(key).and_then(Node::text);
    let plugin = text("plugin").unwrap_or_default();
    let mut known = vec!["plugin", "up_thresh", "ok_thresh", "down_thresh", "interval", "timeout"];
    let service = match plugin {
        "http_status" => {
            known.extend(["port", "url_path", "vhost", "ok_codes"]);
            report.same(&place, "http_status → protocol = \"http\": port, url_path → path, vhost → host, ok_codes → expected_status");
            if !text("vhost").is_some_and(is_host) {
                report.differs(
                    &place,
                    "http_status without a vhost that is a name in full",
                    "gdnsd sends no Host header then; Farol sends the profile's name",
                    "set host in the monitor, if the site minds",
                );
            }
            Service::Probed(Monitor {
                protocol: Some(Probe::Http),
                port: number(node, "port", &place, report).or(Some(80)),
                host: text("vhost").filter(|it| is_host(it)).map(str::to_owned),
                path: Some(path(text("url_path").unwrap_or("/"))),
                expected_status: statuses(node, &place, report),
                ..Monitor::default()
            })
        }
        "tcp_connect" => {
            known.push("port");
            report.same(&place, "tcp_connect → protocol = \"tcp\"");
            match number(node, "port", &place, report) {
                Some(port) => Service::Probed(Monitor {
                    protocol: Some(Probe::Tcp),
                    port: Some(port),
                    ..Monitor::default()
                }),
                None => {
                    report.unsupported(
                        &place,
                        "tcp_connect without a port",
                        "a probe needs one; its endpoints count as healthy",
                        "write a monitor",
                    );
                    Service::Up
                }
            }
        }
        "static" => {
            known.extend(["state", "ttl"]);
            report.same(&place, "static: up → protocol = \"none\", down → enabled = false");
            if text("state").is_some_and(|it| it.eq_ignore_ascii_case("down")) {
                Service::Down
            } else {
                Service::Up
            }
        }
        "extmon" => {
            known.extend(["cmd", "direct", "max_proc"]);
            report.unsupported(
                &place,
                "extmon",
                "its command is written for gdnsd's helper; its endpoints count as healthy meanwhile",
                "write a monitor with protocol = \"exec\" and command = [...]: the program finds the address in FAROL_ADDRESS, not at %%ITEM%%",
            );
            Service::Up
        }
        "extfile" => {
            known.extend(["file", "direct", "def_down", "def_ttl"]);
            report.unsupported(
                &place,
                "extfile",
                "Farol reads no file of states; its endpoints count as healthy meanwhile",
                "write a monitor with protocol = \"push\" and report over the API, or force states: `farol endpoint set … --forced down`",
            );
            Service::Up
        }
        other => {
            report.unsupported(
                &place,
                format!("the monitoring plugin {other}"),
                "this import doesn't know it; its endpoints count as healthy",
                "write a monitor",
            );
            Service::Up
        }
    };
    for (key, _) in node.hash().into_iter().flatten().filter(|it| !known.contains(&it.0.as_str())) {
        report.unsupported(&place, format!("`{key}`"), "this import doesn't know it", "");
    }
    match service {
        Service::Probed(monitor) => Service::Probed(timing(node, monitor, &place, report)),
        other => other,
    }
}

fn timing(node: &Node, monitor: Monitor, place: &str, report: &mut Report) -> Monitor {
    let interval: u64 = number(node, "interval", place, report).unwrap_or(INTERVAL).max(1);
    let timeout =
        number(node, "timeout", place, report).map_or(interval * 500, |it: u64| it * 1000);
    let up: u32 = number(node, "up_thresh", place, report).unwrap_or(UP_THRESH);
    let down: u32 = number(node, "down_thresh", place, report).unwrap_or(DOWN_THRESH);
    report.same(
        place,
        "interval, timeout; down_thresh - 1 → tolerated_failures, up_thresh → required_successes",
    );
    report.differs(
        place,
        "down_thresh and ok_thresh",
        "gdnsd counts failures with successes between them until ok_thresh successes in a row; Farol counts failures in a row, and holds down what flaps",
        "",
    );
    report.differs(
        place,
        "how soon a verdict turns",
        "while results speak against a verdict, Farol probes at fast_interval; gdnsd keeps its interval",
        "set fast_interval = interval for gdnsd's pace",
    );
    for (key, value, most) in [("up_thresh", up, 20), ("down_thresh", down, 21)] {
        if value > most {
            report.differs(
                place,
                format!("{key} = {value} → {most}"),
                "it is the most that Farol takes",
                "",
            );
        }
    }
    Monitor {
        interval: Some(interval),
        timeout: Some(timeout.min(interval * 1000 - 100).max(1)),
        tolerated_failures: u8::try_from(down.clamp(1, 21) - 1).ok(),
        required_successes: u8::try_from(up.clamp(1, 20)).ok(),
        ..monitor
    }
}

fn number<T: std::str::FromStr>(
    node: &Node,
    key: &str,
    place: &str,
    report: &mut Report,
) -> Option<T> {
    let written = node.get(key)?;
    let number = written.text().and_then(|it| it.parse().ok());
    if number.is_none() {
        report.unsupported(
            place,
            format!("`{key}` is {}", written.kind()),
            "it is no such number; gdnsd's default is taken",
            "",
        );
    }
    number
}

fn path(text: &str) -> String {
    if text.starts_with('/') { text.to_owned() } else { format!("/{text}") }
}

fn statuses(node: &Node, place: &str, report: &mut Report) -> Vec<String> {
    let written: Vec<&str> = node.get("ok_codes").map(Node::texts).unwrap_or_default();
    let is_final = |it: &&str| it.parse().is_ok_and(|it: u16| (200..=599).contains(&it));
    let (good, bad): (Vec<&str>, Vec<&str>) = written.iter().copied().partition(is_final);
    for it in bad.into_iter().chain(good.iter().skip(MOST_STATUSES).copied()) {
        report.unsupported(
            place,
            format!("the status {it}"),
            "Farol takes 8 final statuses, from 200 to 599",
            "write ranges",
        );
    }
    good.into_iter().take(MOST_STATUSES).map(str::to_owned).collect()
}
