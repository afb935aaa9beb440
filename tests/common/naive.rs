//! What should be answered, worked out the slow way: RFC 1034 4.3.2, RFC 4592 and RFC 6672 over plain lists of records, each
//! rule in the words of its RFC, and nothing prepared.

use std::collections::BTreeSet;

use super::dns::canonical;
use super::zones::{Line, NEGATIVE_TTL, Zone, is_within, parent};

/// The most aliases that are followed.
const MOST_LINKS: usize = 16;
/// The TTL of what profiles answer.
pub(crate) const PROFILE_TTL: u32 = 30;
/// The most octets of a name, as text with the dot at the end: one less than on the wire.
const MOST_NAME: usize = 254;

/// What an answer says. Records are text: `name TTL type data`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) rcode: String,
    pub(crate) authoritative: bool,
    /// In the order of the chain.
    pub(crate) answer: Vec<String>,
    pub(crate) authority: BTreeSet<String>,
    /// Addresses that can't be learned elsewhere.
    pub(crate) glue: BTreeSet<String>,
    /// Addresses that may be left out.
    pub(crate) courtesy: BTreeSet<String>,
}

impl Meaning {
    /// With records that compare as text.
    pub(crate) fn canonical(self) -> Self {
        let set = |it: BTreeSet<String>| it.iter().map(|it| canonical(it)).collect();
        Self {
            answer: self.answer.iter().map(|it| canonical(it)).collect(),
            authority: set(self.authority),
            glue: set(self.glue),
            courtesy: set(self.courtesy),
            ..self
        }
    }
}

/// A zone, and which of its names have their addresses from profiles.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) zone: Zone,
    pub(crate) profiles: Vec<Profile>,
}

/// What a profile with one endpoint answers.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// The endpoint's name, or none for an endpoint of one address of each family.
    pub(crate) alias: Option<String>,
}

pub(crate) const PROFILE_ADDRESSES: [(&str, &str); 2] =
    [("A", "198.51.100.1"), ("AAAA", "2001:db8:1::1")];

impl Served {
    /// Every record with its TTL, those of profiles too.
    fn records(&self) -> Vec<(Line, u32)> {
        let written = self.zone.lines.iter().map(|it| (it.clone(), it.ttl()));
        let of_profile = |it: &Profile| {
            let line = |record_type, data: &str| {
                let owner = it.name.clone();
                (Line { owner, record_type, data: data.to_owned() }, PROFILE_TTL)
            };
            match &it.alias {
                Some(target) => vec![line("CNAME", target)],
                None => PROFILE_ADDRESSES.iter().map(|(kind, data)| line(kind, data)).collect(),
            }
        };
        written.chain(self.profiles.iter().flat_map(of_profile)).collect()
    }

    /// A name exists when it, or one below it, has records (RFC 4592 2.2.2).
    fn exists(&self, name: &str) -> bool {
        self.records().iter().any(|(it, _)| is_within(&it.owner, name))
    }

    fn has(&self, name: &str, record_type: &str) -> bool {
        self.zone.lines.iter().any(|it| it.owner == name && it.record_type == record_type)
    }

    /// The name and all above it in the zone, from the apex down.
    fn way_to<'n>(&self, name: &'n str) -> Vec<&'n str> {
        let mut way: Vec<&str> = std::iter::successors(Some(name), |it| parent(it))
            .take_while(|it| is_within(it, &self.zone.apex))
            .collect();
        way.reverse();
        way
    }

    /// The delegation that a name is at or below. Its DS belong to this side of it (RFC 4035 3.1.4.1).
    fn cut<'n>(&self, name: &'n str, asked: &str) -> Option<&'n str> {
        let way = self.way_to(name).into_iter().skip(1);
        way.into_iter().find(|it| self.has(it, "NS") && !(asked == "DS" && *it == name))
    }

    /// The DNAME that a name is below.
    fn dname<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.way_to(name).into_iter().find(|it| *it != name && self.has(it, "DNAME"))
    }

    /// Whose records a name has: its own, or those of the wildcard below its closest encloser (RFC 4592 3.3.1).
    fn source(&self, name: &str) -> Option<String> {
        if self.exists(name) {
            return Some(name.to_owned());
        }
        let encloser = self.way_to(name).into_iter().rfind(|it| self.exists(it))?;
        Some(format!("*.{encloser}")).filter(|it| self.exists(it))
    }

    fn soa(&self, most: u32) -> BTreeSet<String> {
        let soa = &self.zone.lines[0];
        let ttl = NEGATIVE_TTL.min(most);
        BTreeSet::from([format!("{} {ttl} SOA {}", self.zone.apex, soa.data)])
    }
}

/// The zone that knows of a name: the deepest that holds it.
fn deepest<'z>(zones: &'z [Served], name: &str) -> Option<&'z Served> {
    let holding = zones.iter().filter(|it| is_within(name, &it.zone.apex));
    holding.max_by_key(|it| it.zone.apex.len())
}

/// What these zones answer to a question of class IN.
pub(crate) fn answer(zones: &[Served], name: &str, asked: &str) -> Meaning {
    let name = name.to_ascii_lowercase();
    let head = |rcode: &str| Meaning { rcode: rcode.to_owned(), ..Meaning::default() };
    let Some(mut zone) = deepest(zones, &name) else { return head("REFUSED") };
    if asked == "DS" && name == zone.zone.apex {
        let above = parent(&name).and_then(|it| deepest(zones, it));
        zone = above.filter(|it| it.exists(&name)).unwrap_or(zone);
    }
    if ["AXFR", "IXFR"].contains(&asked) {
        return head("REFUSED");
    }
    let mut chase = Chase { zones, zone, asked, seen: Vec::new(), meaning: head("NOERROR") };
    chase.meaning.authoritative = true;
    let mut next = Some(name);
    for _ in 0..MOST_LINKS {
        let Some(name) = next else { break };
        next = chase.step(name);
    }
    chase.meaning
}

struct Chase<'z> {
    zones: &'z [Served],
    zone: &'z Served,
    asked: &'z str,
    seen: Vec<String>,
    meaning: Meaning,
}

impl Chase<'_> {
    /// Takes one step of RFC 1034 4.3.2; gives the name to go on with.
    fn step(&mut self, name: String) -> Option<String> {
        let (cut, dname) = (self.zone.cut(&name, self.asked), self.zone.dname(&name));
        match (cut, dname) {
            (Some(cut), dname) if dname.is_none_or(|it| cut.len() <= it.len()) => {
                self.refer(cut);
                None
            }
            (_, Some(dname)) => self.redirect(&name, dname),
            _ => self.look_up(name),
        }
    }

    fn look_up(&mut self, name: String) -> Option<String> {
        // What leads to a zone within this one exists, and has nothing of its own (RFC 8020).
        let is_way = |it: &Served| is_within(&it.zone.apex, &name);
        let is_between = !self.zone.exists(&name) && self.zones.iter().any(is_way);
        let source = if is_between { Some(name.clone()) } else { self.zone.source(&name) };
        let Some(source) = source else {
            self.meaning.rcode = "NXDOMAIN".to_owned();
            self.meaning.authority = self.zone.soa(u32::MAX);
            return None;
        };
        let records: Vec<(Line, u32)> =
            self.zone.records().into_iter().filter(|(it, _)| it.owner == source).collect();
        let alias = records.iter().find(|(it, _)| it.record_type == "CNAME");
        if let Some((alias, ttl)) = alias.filter(|_| self.asked != "CNAME") {
            return self.alias(name, &alias.data, *ttl);
        }
        if self.asked == "ANY" && !records.is_empty() {
            self.meaning.answer.push(format!("{name} 3600 HINFO \"RFC8482\" \"\""));
            return None;
        }
        let found = records.iter().filter(|(it, _)| it.record_type == self.asked);
        let found: Vec<String> =
            found.map(|(it, ttl)| format!("{name} {ttl} {} {}", it.record_type, it.data)).collect();
        if found.is_empty() {
            let is_profile = self.zone.profiles.iter().any(|it| it.name == source);
            let most = if is_profile { PROFILE_TTL } else { u32::MAX };
            self.meaning.authority = self.zone.soa(most);
        }
        self.meaning.answer.extend(found);
        None
    }

    fn alias(&mut self, name: String, target: &str, ttl: u32) -> Option<String> {
        self.meaning.answer.push(format!("{name} {ttl} CNAME {target}"));
        self.seen.push(name);
        let zone = deepest(self.zones, target);
        let is_here = zone.is_some_and(|it| it.zone.apex == self.zone.zone.apex);
        let is_answered = ["ANY", "CNAME"].contains(&self.asked);
        let goes_on = is_here && !is_answered && !self.seen.iter().any(|it| it == target);
        goes_on.then(|| target.to_owned())
    }

    fn redirect(&mut self, name: &str, owner: &str) -> Option<String> {
        let lines = self.zone.zone.lines.iter();
        let dname = lines.into_iter().find(|it| it.owner == owner && it.record_type == "DNAME")?;
        let shown = dname.to_string();
        if !self.meaning.answer.contains(&shown) {
            self.meaning.answer.push(shown);
        }
        let target = format!("{}{}", &name[..name.len() - owner.len()], dname.data);
        if target.len() > MOST_NAME {
            self.meaning.rcode = "YXDOMAIN".to_owned();
            return None;
        }
        self.alias(name.to_owned(), &target, dname.ttl())
    }

    fn refer(&mut self, cut: &str) {
        if self.meaning.answer.is_empty() {
            self.meaning.authoritative = false;
        }
        let lines = &self.zone.zone.lines;
        let servers = lines.iter().filter(|it| it.owner == cut && it.record_type == "NS");
        for server in servers {
            self.meaning.authority.insert(server.to_string());
            let is_address = |it: &&Line| ["A", "AAAA"].contains(&it.record_type);
            let addresses = lines.iter().filter(|it| it.owner == server.data).filter(is_address);
            let is_needed = is_within(&server.data, cut);
            let meaning = &mut self.meaning;
            let kept = if is_needed { &mut meaning.glue } else { &mut meaning.courtesy };
            kept.extend(addresses.map(ToString::to_string));
        }
    }
}
