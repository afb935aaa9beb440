//! Writes databases in MaxMind's format (version 2.0, <https://maxmind.github.io/MaxMind-DB/>): IPv6 trees with IPv4 at ::/96,
//! which 2002::/16 and ::ffff:0:0/96 lead to as well.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

#[derive(Clone, Copy)]
enum Slot {
    Empty,
    Node(usize),
    /// An offset in the data section.
    Data(usize),
}

/// The octets of a database with these records, each for a network such as "192.0.2.0/24"; none lies in another. `built` is
/// in seconds since 1970.
pub(crate) fn database(kind: &str, built: u64, records: &[(&str, Value)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[Slot::Empty; 2]], Vec::new());
    for (network, record) in records {
        let (address, length) = network.split_once('/').unwrap();
        let length: usize = length.parse().unwrap();
        let (bits, length) = match address.parse().unwrap() {
            IpAddr::V4(it) => (u128::from(it.to_bits()), 96 + length),
            IpAddr::V6(it) => (it.to_bits(), length),
        };
        let offset = data.len();
        encode(record, &mut data);
        put(&mut nodes, bits, length, Slot::Data(offset));
    }
    if let Some(v4) = v4_root(&nodes) {
        put(&mut nodes, 0x2002 << 112, 16, Slot::Node(v4));
        put(&mut nodes, 0xffff << 32, 96, Slot::Node(v4));
    }
    let mut out = Vec::new();
    for slot in nodes.iter().flatten() {
        let value = match slot {
            Slot::Empty => nodes.len(),
            Slot::Node(node) => *node,
            Slot::Data(offset) => nodes.len() + 16 + offset,
        };
        out.extend(u32::try_from(value).unwrap().to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = json!({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": built, "database_type": kind,
        "description": {}, "ip_version": 6, "languages": [], "node_count": nodes.len(), "record_size": 32,
    });
    encode(&metadata, &mut out);
    out
}

fn bit(bits: u128, index: usize) -> usize {
    usize::from(bits >> (127 - index) & 1 == 1)
}

fn put(nodes: &mut Vec<[Slot; 2]>, bits: u128, length: usize, slot: Slot) {
    let mut at = 0;
    for index in 0..length - 1 {
        let side = bit(bits, index);
        at = match nodes[at][side] {
            Slot::Node(next) => next,
            Slot::Data(_) => panic!("a network lies in another"),
            Slot::Empty => {
                nodes.push([Slot::Empty; 2]);
                let next = nodes.len() - 1;
                nodes[at][side] = Slot::Node(next);
                next
            }
        };
    }
    nodes[at][bit(bits, length - 1)] = slot;
}

fn v4_root(nodes: &[[Slot; 2]]) -> Option<usize> {
    (0..96).try_fold(0, |at, _| match nodes[at][0] {
        Slot::Node(next) => Some(next),
        _ => None,
    })
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => {
            head(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Number(number) => {
            head(3, 8, out);
            out.extend(number.as_f64().unwrap().to_be_bytes());
        }
        Value::Array(items) => {
            head(11, items.len(), out);
            items.iter().for_each(|it| encode(it, out));
        }
        Value::Object(map) => object(map, out),
        Value::Null | Value::Bool(_) => panic!("not needed"),
    }
}

fn object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    head(7, map.len(), out);
    for (key, value) in map {
        encode(&Value::from(key.as_str()), out);
        match value.as_u64() {
            Some(number) => integer(key, number, out),
            None => encode(value, out),
        }
    }
}

/// A whole number, of which some keys want a type of their own.
fn integer(key: &str, number: u64, out: &mut Vec<u8>) {
    let (kind, size) = match key {
        "build_epoch" => (9, 8),
        "node_count" => (6, 4),
        _ => (5, 2),
    };
    head(kind, size, out);
    out.extend(&number.to_be_bytes()[8 - size..]);
}

/// The control octets of a value: its type and size.
fn head(kind: u8, size: usize, out: &mut Vec<u8>) {
    let short = u8::try_from(size.min(29)).unwrap();
    if kind <= 7 {
        out.push(kind << 5 | short)
    } else {
        out.extend([short, kind - 7])
    }
    if size >= 29 {
        out.push(u8::try_from(size - 29).unwrap());
    }
}
