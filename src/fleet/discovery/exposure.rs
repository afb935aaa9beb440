//! What an object exposes, by its status. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use crate::fleet::spec::Exposed;

/// Addresses of one endpoint that are looked at; as many as one may have.
const MOST: usize = 64;

/// Why an object exposes nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unexposed {
    /// There is no such object.
    #[error("{0} does not exist")]
    Gone(String),
    /// No load balancer has given it an address.
    #[error("{0} has no external address")]
    Empty(String),
    /// It has a name for an address.
    #[error(
        "{object} has a host name for an external address, {name}; write `target = \"{name}\"` for the endpoint, not `discovered`"
    )]
    HostName {
        /// The object.
        object: String,
        /// The name.
        name: String,
    },
    /// What it has is no address that a machine can have.
    #[error("{object} has {address} for an external address, which is none")]
    Garbled {
        /// The object.
        object: String,
        /// What it has.
        address: String,
    },
    /// It doesn't have this port.
    #[error("{object} does not expose port {port}, but {}; mend `port` in the fleet's description", ports(.exposed))]
    Port {
        /// The object.
        object: String,
        /// The port that is wanted.
        port: u16,
        /// Those that it has.
        exposed: BTreeSet<u64>,
    },
}

/// The external addresses of an object, if it is there, and exposes this port: in ascending order, at least one.
pub(super) fn addresses(
    kind: &Exposed,
    object: Option<&Value>,
    port: u16,
) -> Result<Vec<IpAddr>, Unexposed> {
    let shown = shown(kind);
    let Some(object) = object else { return Err(Unexposed::Gone(shown)) };
    let exposed = match kind {
        Exposed::Service(_) => numbers(object, "/spec/ports"),
        Exposed::Gateway(_) => numbers(object, "/spec/listeners"),
        Exposed::Ingress(_) => {
            let is_encrypted = !list(object, "/spec/tls").is_empty();
            [80].into_iter().chain(is_encrypted.then_some(443)).collect()
        }
    };
    if !exposed.contains(&port.into()) {
        return Err(Unexposed::Port { object: shown, port, exposed });
    }
    let (mut found, mut name) = (BTreeSet::new(), None);
    for entry in given(kind, object) {
        match entry {
            Given::Address(text) => match text.parse().ok().filter(is_usable) {
                Some(address) => drop(found.insert(address)),
                None => {
                    return Err(Unexposed::Garbled { object: shown, address: text.to_owned() });
                }
            },
            Given::HostName(text) => name = name.or(Some(text.to_owned())),
        }
    }
    match (found.is_empty(), name) {
        (false, _) => Ok(found.into_iter().take(MOST).collect()),
        (true, Some(name)) => Err(Unexposed::HostName { object: shown, name }),
        (true, None) => Err(Unexposed::Empty(shown)),
    }
}

/// What an object is called: `service ingress-nginx/controller`.
pub(super) fn shown(kind: &Exposed) -> String {
    let (word, it) = match kind {
        Exposed::Service(it) => ("service", it),
        Exposed::Ingress(it) => ("ingress", it),
        Exposed::Gateway(it) => ("gateway", it),
    };
    format!("{word} {}/{}", it.namespace, it.name)
}

enum Given<'a> {
    Address(&'a str),
    HostName(&'a str),
}

/// What the status says.
fn given<'a>(kind: &Exposed, object: &'a Value) -> Vec<Given<'a>> {
    fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
        entry.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
    }
    let balanced = |entry: &'a Value| {
        let address = text(entry, "ip").map(Given::Address);
        address.or_else(|| text(entry, "hostname").map(Given::HostName))
    };
    let of_gateway = |entry: &'a Value| {
        let value = text(entry, "value")?;
        match text(entry, "type").unwrap_or("IPAddress") {
            "IPAddress" => Some(Given::Address(value)),
            "Hostname" => Some(Given::HostName(value)),
            // Kinds of an implementation's own.
            _ => None,
        }
    };
    match kind {
        Exposed::Gateway(_) => {
            list(object, "/status/addresses").iter().filter_map(of_gateway).collect()
        }
        Exposed::Service(_) | Exposed::Ingress(_) => {
            list(object, "/status/loadBalancer/ingress").iter().filter_map(balanced).collect()
        }
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn numbers(object: &Value, pointer: &str) -> BTreeSet<u64> {
    list(object, pointer).iter().filter_map(|it| it.get("port")?.as_u64()).collect()
}

fn ports(exposed: &BTreeSet<u64>) -> String {
    match exposed.is_empty() {
        true => "none".to_owned(),
        false => exposed.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Whether a machine can have this address.
fn is_usable(address: &IpAddr) -> bool {
    let is_broadcast = matches!(address, IpAddr::V4(it) if it.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !is_broadcast
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(kind: &str, port: u16, object: &Value, expected: Result<&[&str], &str>) {
        let reference = "edge/web".parse().unwrap();
        let kind = match kind {
            "service" => Exposed::Service(reference),
            "ingress" => Exposed::Ingress(reference),
            _ => Exposed::Gateway(reference),
        };
        let found = addresses(&kind, Some(object).filter(|it| !it.is_null()), port);
        let found = found.map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(found.map_err(|it| it.to_string()), expected.map_err(str::to_owned));
    }

    fn balanced(spec: Value, ingress: Value) -> Value {
        json!({ "spec": spec, "status": { "loadBalancer": { "ingress": ingress } } })
    }

    #[test]
    fn a_service_exposes_the_ports_of_its_spec_at_its_load_balancers() {
        let ports = json!({ "ports": [{ "name": "http", "port": 80 }, { "port": 443 }] });
        let service = |ingress| balanced(ports.clone(), ingress);
        let both =
            service(json!([{ "ip": "2001:db8::1" }, { "ip": "192.0.2.1", "ipMode": "VIP" }]));
        check("service", 443, &both, Ok(&["192.0.2.1", "2001:db8::1"]));
        let no_port = "service edge/web does not expose port 8080, but 80, 443; mend `port` in the fleet's description";
        check("service", 8080, &both, Err(no_port));
        let empty = Err("service edge/web has no external address");
        check("service", 80, &service(json!([])), empty);
        check(
            "service",
            80,
            &json!({ "spec": ports.clone(), "status": { "loadBalancer": {} } }),
            empty,
        );
        check("service", 80, &Value::Null, Err("service edge/web does not exist"));
        let none = "service edge/web does not expose port 80, but none; mend `port` in the fleet's description";
        check("service", 80, &json!({}), Err(none));
        let mixed = service(json!([{ "hostname": "lb.example" }, { "ip": "192.0.2.1" }]));
        check("service", 80, &mixed, Ok(&["192.0.2.1"]));
        let named = "service edge/web has a host name for an external address, lb.example; write `target = \"lb.example\"` for the endpoint, not `discovered`";
        check("service", 80, &service(json!([{ "hostname": "lb.example" }])), Err(named));
        for bad in ["0.0.0.0", "224.0.0.1", "lb"] {
            let garbled =
                format!("service edge/web has {bad} for an external address, which is none");
            check("service", 80, &service(json!([{ "ip": bad }])), Err(&garbled));
        }
    }

    #[test]
    fn an_ingress_exposes_443_only_with_tls() {
        let ingress = |spec| balanced(spec, json!([{ "ip": "192.0.2.1" }]));
        check("ingress", 80, &ingress(json!({})), Ok(&["192.0.2.1"]));
        check(
            "ingress",
            443,
            &ingress(json!({ "tls": [{ "secretName": "a" }] })),
            Ok(&["192.0.2.1"]),
        );
        let plain = "ingress edge/web does not expose port 443, but 80; mend `port` in the fleet's description";
        check("ingress", 443, &ingress(json!({})), Err(plain));
    }

    #[test]
    fn a_gateway_exposes_the_ports_of_its_listeners() {
        let gateway = |addresses| json!({ "spec": { "listeners": [{ "port": 443 }] }, "status": { "addresses": addresses } });
        let found = json!([{ "value": "192.0.2.2" }, { "type": "IPAddress", "value": "192.0.2.1" }, { "type": "x/y", "value": "z" }]);
        check("gateway", 443, &gateway(found), Ok(&["192.0.2.1", "192.0.2.2"]));
        let named = gateway(json!([{ "type": "Hostname", "value": "lb.example" }]));
        let refused = "gateway edge/web has a host name for an external address, lb.example; write `target = \"lb.example\"` for the endpoint, not `discovered`";
        check("gateway", 443, &named, Err(refused));
        check("gateway", 443, &gateway(json!([])), Err("gateway edge/web has no external address"));
    }
}
