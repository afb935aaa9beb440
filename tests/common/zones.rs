//! Random zones, and questions that go where it matters in them. Few labels, so that names meet: wildcards, empty
//! non-terminals, delegations with and without glue, aliases in chains and circles.

use std::collections::BTreeSet;

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What no zone here holds.
pub(crate) const ELSEWHERE: &str = "x.elsewhere.";
/// The SOA that every zone here has, its TTL, and how long its negative answers hold.
pub(crate) const SOA: &str = "ns.elsewhere. h.elsewhere. 1 7200 900 1209600 60";
pub(crate) const SOA_TTL: u32 = 3600;
pub(crate) const NEGATIVE_TTL: u32 = 60;

/// One record, as text. Names are absolute and in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) owner: String,
    pub(crate) record_type: &'static str,
    pub(crate) data: String,
}

impl Line {
    /// The TTL is the type's, so that it is one for a set.
    pub(crate) fn ttl(&self) -> u32 {
        let types = TYPES.iter().position(|it| *it == self.record_type);
        types.map_or(SOA_TTL, |it| 300 + u32::try_from(it).unwrap())
    }

    /// The data if it is a name.
    pub(crate) fn target(&self) -> Option<&str> {
        ["NS", "CNAME", "DNAME"].contains(&self.record_type).then_some(&*self.data)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.owner, self.ttl(), self.record_type, self.data)
    }
}

/// A zone with SOA and NS first.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    pub(crate) apex: String,
    pub(crate) lines: Vec<Line>,
}

impl Zone {
    pub(crate) fn text(&self) -> String {
        self.lines.iter().map(|it| format!("{it}\n")).collect()
    }

    /// Names that a question may lead somewhere with: owners, what they lie below, and where records lead.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = BTreeSet::from([ELSEWHERE.to_owned()]);
        for line in &self.lines {
            names.extend(line.target().map(str::to_owned));
            let mut at = Some(&*line.owner);
            while let Some(name) = at.filter(|it| is_within(it, &self.apex)) {
                names.insert(name.to_owned());
                at = parent(name);
            }
        }
        names.into_iter().collect()
    }
}

/// Whether a name is the other one or below it.
pub(crate) fn is_within(name: &str, above: &str) -> bool {
    above == "." || name.strip_suffix(above).is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

pub(crate) fn parent(name: &str) -> Option<&str> {
    match name.split_once('.') {
        Some((_, "")) if name == "." => None,
        Some((_, "")) => Some("."),
        Some((_, rest)) => Some(rest),
        None => None,
    }
}

const TYPES: [&str; 14] = [
    "A",
    "AAAA",
    "TXT",
    "MX",
    "SRV",
    "CNAME",
    "DNAME",
    "NS",
    "DS",
    "HTTPS",
    "SVCB",
    "CAA",
    "PTR",
    "TYPE65400",
];
/// The types, the more frequent the more often.
const FREQUENT: [&str; 14] = [
    "A", "A", "A", "AAAA", "TXT", "TXT", "CNAME", "CNAME", "CNAME", "CNAME", "DNAME", "NS", "NS",
    "MX",
];
/// What is asked for besides: types that no zone here has, and such as only questions have.
const ASKED: [&str; 8] = ["SOA", "NS", "DS", "ANY", "TYPE65401", "AXFR", "IXFR", "CNAME"];

/// Labels below an apex.
fn path(shortest: usize) -> impl Strategy<Value = String> {
    let label = select(&["a", "a", "b", "b", "c", "d", "*"][..]);
    vec(label, shortest..4).prop_map(|it| it.iter().map(|it| format!("{it}.")).collect())
}

fn target(apex: String) -> impl Strategy<Value = String> {
    prop_oneof![
        8 => path(0).prop_map(move |it| format!("{it}{apex}")),
        1 => Just(ELSEWHERE.to_owned()),
    ]
}

fn line(apex: String) -> impl Strategy<Value = Line> {
    let record_type = prop_oneof![3 => select(&FREQUENT[..]), 1 => select(&TYPES[..])];
    (path(0), record_type, target(apex.clone()), 1..5_u8).prop_map(
        move |(path, record_type, target, number)| {
            let data = match record_type {
                "A" => format!("192.0.2.{number}"),
                "AAAA" => format!("2001:db8::{number}"),
                // The longer ones make answers that a small datagram doesn't take.
                "TXT" => format!("\"text{}\"", number.to_string().repeat(1 << (2 * number - 1))),
                "MX" => format!("{number} {target}"),
                "SRV" => format!("0 {number} 53 {target}"),
                "HTTPS" | "SVCB" => format!("{number} {target} alpn=h2"),
                "CAA" => format!("0 issue \"ca{number}.example\""),
                "DS" => format!("{number} 8 2 {}", "0a".repeat(32)),
                "TYPE65400" => format!("\\# 3 01 02 0{number}"),
                _ => target,
            };
            Line { owner: format!("{path}{apex}"), record_type, data }
        },
    )
}

/// A zone that every server takes.
pub(crate) fn zone(apex: &str, lines: usize) -> impl Strategy<Value = Zone> + use<> {
    let apex = apex.to_owned();
    vec(line(apex.clone()), 1..lines).prop_map(move |lines| {
        let owner = || apex.clone();
        let mut kept = vec![
            Line { owner: owner(), record_type: "SOA", data: SOA.to_owned() },
            Line { owner: owner(), record_type: "NS", data: "ns.elsewhere.".to_owned() },
        ];
        for line in lines {
            if is_allowed(&kept, &line, &apex) {
                kept.push(line);
            }
        }
        Zone { apex: owner(), lines: kept }
    })
}

/// Whether a record may stand beside those that are there. What servers don't agree on, and no RFC decides, is left out:
/// wildcards with NS (RFC 4592 4.2) or DNAME (4.4). A delegation with DNAME is nothing (RFC 6672 2.3).
fn is_allowed(kept: &[Line], line: &Line, apex: &str) -> bool {
    let Line { owner, record_type, .. } = line;
    let at_apex = owner == apex;
    let beside = || kept.iter().filter(|it| it.owner == *owner);
    let has = |record_type| beside().any(|it| it.record_type == record_type);
    let is_below_dname = kept
        .iter()
        .any(|it| it.record_type == "DNAME" && it.owner != *owner && is_within(owner, &it.owner));
    let fits = match *record_type {
        "CNAME" => beside().next().is_none(),
        "DNAME" => {
            let is_bare = !kept.iter().any(|it| it.owner != *owner && is_within(&it.owner, owner));
            is_bare && !has("DNAME") && (at_apex || !has("NS")) && !owner.starts_with("*.")
        }
        "NS" => !at_apex && !has("DNAME") && !owner.starts_with("*."),
        "DS" => !at_apex && !owner.starts_with("*."),
        _ => true,
    };
    fits && !is_below_dname && !has("CNAME") && !kept.contains(line)
}

/// A question; names keep the case that they are asked in.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) name: String,
    pub(crate) record_type: String,
}

/// Questions around these names.
pub(crate) fn questions(
    names: Vec<String>,
    number: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<Question>> {
    let record_type = prop_oneof![
        2 => select(&FREQUENT[..]),
        2 => select(&TYPES[..]),
        1 => select(&ASKED[..])
    ];
    let question = (any::<Index>(), path(0), 0..4_u8, any::<u8>(), record_type);
    let question = question.prop_map(move |(name, path, longer, case, record_type)| {
        let name = name.get(&names);
        let path = if longer == 0 { &path } else { "" };
        let name = format!("{path}{}", name.trim_start_matches('.'));
        let upper = |at: usize, it: char| {
            if case >> (at % 8) & 1 == 1 { it.to_ascii_uppercase() } else { it }
        };
        let name = name.char_indices().map(|(at, it)| upper(at, it)).collect();
        Question { name, record_type: record_type.to_owned() }
    });
    vec(question, number)
}
