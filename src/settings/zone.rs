//! Zones: their own records, made or from a file.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::files::Library;
use super::problem::{Log, Place, Problem};
use super::reader::{Section, text};
use super::tree::{Node, quoted};
use super::zone_file::{Line, Spot, ZoneFile};
use crate::model::{Name, NameError, NameRef, Record, RecordType, Records, Zone, ZoneError};

const MAX_NAMESERVERS: usize = 32;
/// How many warnings one zone may have: who meant a thing so a thousand times, meant it.
const MOST_WARNINGS: usize = 100;
const TTL: u32 = 3600;
const REFRESH: u32 = 3600;
const RETRY: u32 = 600;
const EXPIRE: u32 = 604_800;
const MINIMUM: u32 = 60;

/// A zone that was read, except for what depends on the names of its profiles.
pub(super) struct ZoneDraft<'a> {
    pub(super) name: Name,
    pub(super) section: Section<'a>,
    apex: Option<Apex>,
    file: Option<ZoneFile>,
    /// Something was wrong, so nothing can be said about what is missing.
    broken: bool,
}

/// The records that Farol makes.
struct Apex {
    nameservers: Vec<Name>,
    ttl: u32,
    mname: Name,
    rname: Name,
    /// None: worked out from everything else.
    serial: Option<u32>,
    /// Refresh, retry, expire, minimum.
    times: [u32; 4],
}

/// The last line that has a record of this owner and type, or of this owner: of two things that exclude each other, more
/// often the newer is the slip.
type Lines<'a> = HashMap<(NameRef<'a>, Option<RecordType>), Spot>;

impl<'a> ZoneDraft<'a> {
    /// Reads one `[[zone]]`. None without a usable name; what else is wrong is only told to the log.
    pub(super) fn read(section: Section<'a>, library: &Library<'_>, log: &Log) -> Option<Self> {
        let errors = log.errors();
        section.require("name");
        let name: Option<Name> = section.parse("name", str::parse);
        let apex = apex(&section, name.as_ref());
        let file = name.as_ref().and_then(|name| file(&section, name, library, log));
        let mut draft = Self { name: name?, section, apex, file, broken: false };
        draft.check_apex_is_written_once(log);
        draft.broken = log.errors() > errors;
        Some(draft)
    }

    fn check_apex_is_written_once(&self, log: &Log) {
        let section = &self.section;
        let (made, file) = (section.find("nameservers").is_some(), section.find("file").is_some());
        if !made && !file {
            section.require("nameservers");
        }
        if !made {
            for key in ["soa", "ttl"].into_iter().filter(|it| section.find(it).is_some()) {
                section.wrong(key, "goes with `nameservers`; write those too, or remove this");
            }
        }
        let Some(file) = self.file.as_ref().filter(|_| made) else { return };
        let is_apex = |it: &Line<Record<'_>>| {
            it.value.owner == self.name.borrowed()
                && matches!(it.value.record_type, RecordType::SOA | RecordType::NS)
        };
        for line in file.lines().filter(is_apex) {
            let message = format!(
                "this {} record and `nameservers` at {} exclude each other; remove one of them",
                line.value.record_type,
                section.place_of("nameservers"),
            );
            log.error(Problem::at(&file.at(line.spot), section.path.as_str(), message));
        }
    }

    /// Makes the zone. `profiles` are the names that it answers by profile, sorted.
    pub(super) fn build(&self, profiles: &[&Name], log: &Log) -> Option<Zone> {
        if self.broken {
            return None;
        }
        let mut made = Records::default();
        if let Some(apex) = &self.apex {
            for server in &apex.nameservers {
                made.add(&self.name, RecordType::NS, apex.ttl, server.as_wire());
            }
            let records = self.records().chain(made.iter());
            let serial = apex.serial.unwrap_or_else(|| hash(apex, records, profiles));
            made.add(&self.name, RecordType::SOA, apex.ttl, &apex.soa(serial));
        }
        match Zone::new(self.name.clone(), self.records().chain(made.iter())) {
            Ok(zone) => Some(zone.written_in(self.file.as_ref().map(|it| it.place().file))),
            Err(errors) => {
                let lines = self.file.as_ref().map(lines).unwrap_or_default();
                for error in errors {
                    let place = self.place_of(&error, &lines);
                    log.error(Problem::at(&place, self.section.path.as_str(), error.to_string()));
                }
                None
            }
        }
    }

    /// The records of the zone's file.
    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.file.iter().flat_map(ZoneFile::records)
    }

    /// Warns of what is allowed in a zone but hardly meant. `profiles` are the names of its profiles.
    pub(super) fn warn(&self, zone: &Zone, profiles: &BTreeSet<Name>, log: &Log) {
        let doubts = zone.doubts(profiles);
        let lines = self.file.as_ref().filter(|_| !doubts.is_empty()).map(lines);
        let place = |owner: &Name, record_type| {
            let spot = lines.as_ref().and_then(|it| it.get(&(owner.borrowed(), Some(record_type))));
            let at = self.file.as_ref().zip(spot).map(|(file, spot)| file.at(*spot));
            at.unwrap_or_else(|| self.section.place_of("nameservers").clone())
        };
        let doubts = doubts.into_iter().map(|it| (place(&it.owner, it.record_type), it.what));
        let repeated = self.file.iter().flat_map(|file| {
            repetitions(file).into_iter().map(|(spot, what)| (file.at(spot), what))
        });
        let warnings: Vec<(Place, String)> = doubts.chain(repeated).collect();
        for (place, what) in warnings.iter().take(MOST_WARNINGS) {
            log.warning(Problem::at(place, self.section.path.as_str(), what));
        }
        if let Some(more) = warnings.len().checked_sub(MOST_WARNINGS).filter(|it| *it > 0) {
            let what = format!("and {more} warnings more");
            log.warning(Problem::at(self.section.place, self.section.path.as_str(), what));
        }
    }

    /// The line of the record that an error is about, else the file, else the table.
    fn place_of(&self, error: &ZoneError, lines: &Lines<'_>) -> Place {
        let Some(file) = &self.file else { return self.section.place.clone() };
        let (owner, record_type) = match error {
            ZoneError::OutOfZone { owner, .. } | ZoneError::BelowDname { owner, .. } => {
                (owner, None)
            }
            ZoneError::MisplacedSoa { owner } => (owner, Some(RecordType::SOA)),
            ZoneError::CnameAndOther { owner, other } => (owner, Some(*other)),
            ZoneError::Several { owner, record_type }
            | ZoneError::TooLarge { owner, record_type, .. }
            | ZoneError::MetaType { owner, record_type } => (owner, Some(*record_type)),
            ZoneError::WildcardNs { owner } => (owner, Some(RecordType::NS)),
            ZoneError::ApexDs => (&self.name, Some(RecordType::DS)),
            ZoneError::AliasedNs(owner) => (owner, Some(RecordType::CNAME)),
            ZoneError::ManySoa(_) | ZoneError::BrokenSoa => (&self.name, Some(RecordType::SOA)),
            _ => return file.place(),
        };
        lines
            .get(&(owner.borrowed(), record_type))
            .map_or_else(|| file.place(), |spot| file.at(*spot))
    }
}

fn lines(file: &ZoneFile) -> Lines<'_> {
    let mut lines = Lines::new();
    for Line { spot, value } in file.lines() {
        lines.insert((value.owner, Some(value.record_type)), spot);
        lines.insert((value.owner, None), spot);
    }
    lines
}

impl Apex {
    fn soa(&self, serial: u32) -> Box<[u8]> {
        let numbers = std::iter::once(serial).chain(self.times);
        let names = self.mname.as_wire().iter().chain(self.rname.as_wire()).copied();
        names.chain(numbers.flat_map(u32::to_be_bytes)).collect()
    }
}

/// What Farol makes of `nameservers`, `ttl` and `soa`.
fn apex(section: &Section<'_>, zone: Option<&Name>) -> Option<Apex> {
    let nameserver = |node: &Node| match text(node).map(str::parse::<Name>) {
        Some(name) => name.map_err(|it| it.to_string()),
        None => Err(String::new()),
    };
    let nameservers = section.list("nameservers", MAX_NAMESERVERS, nameserver);
    let ttl = section.integer("ttl").unwrap_or(TTL);
    let soa = section.table("soa");
    let soa = soa.as_ref();
    let mname = soa.and_then(|it| it.parse("mname", str::parse));
    let rname = soa.and_then(|it| it.parse("rname", mailbox));
    let serial = soa.and_then(|it| it.integer("serial"));
    let time = |key: &str, default| soa.and_then(|it| it.integer(key)).unwrap_or(default);
    let times = [
        time("refresh", REFRESH),
        time("retry", RETRY),
        time("expire", EXPIRE),
        time("minimum", MINIMUM),
    ];
    let nameservers = nameservers?;
    let mname = mname.or_else(|| nameservers.first().cloned())?;
    let rname = match (rname, hostmaster(zone?)) {
        (Some(rname), _) | (None, Ok(rname)) => rname,
        (None, Err(error)) => {
            section.wrong("name", format!("hostmaster below it {error}; write `soa.rname`"));
            return None;
        }
    };
    Some(Apex { nameservers, ttl, mname, rname, serial, times })
}

fn hostmaster(zone: &Name) -> Result<Name, NameError> {
    Name::from_wire(&[b"\x0ahostmaster", zone.as_wire()].concat())
}

fn mailbox(text: &str) -> Result<Name, String> {
    if text.contains('@') {
        return Err("a dot takes the place of the @".to_owned());
    }
    text.parse().map_err(|it: NameError| it.to_string())
}

fn file(section: &Section<'_>, zone: &Name, library: &Library<'_>, log: &Log) -> Option<ZoneFile> {
    let mut file = section.read("file", |node, _| {
        let path = node.place.resolve(text(node).ok_or_else(String::new)?);
        ZoneFile::read(&path, zone, library)
    })?;
    for Line { spot, value } in std::mem::take(&mut file.bad) {
        let problem = Problem::at(&file.at(spot), section.path.as_str(), value.why);
        log.error(problem.found(quoted(&value.text)));
    }
    Some(file)
}

/// Records that are written twice, and TTLs that differ from those of their set, of which the lowest counts.
fn repetitions(file: &ZoneFile) -> Vec<(Spot, String)> {
    let mut sorted: Vec<Line<Record<'_>>> = file.lines().collect();
    // Stable, so that the first of equals stays the first.
    sorted.sort_by_key(|it| (it.value.owner, it.value.record_type));
    let same = |a: &Line<Record<'_>>, b: &Line<Record<'_>>| {
        (a.value.owner, a.value.record_type) == (b.value.owner, b.value.record_type)
    };
    let mut found = Vec::new();
    for set in sorted.chunk_by(same).filter(|it| it.len() > 1) {
        let mut seen = HashSet::new();
        let first = set.first().map(|it| it.value.ttl);
        for Line { spot, value: Record { owner, record_type, ttl, data } } in set {
            if !seen.insert(data) {
                found.push((
                    *spot,
                    format!("this {record_type} of `{owner}` is written twice; it counts once"),
                ));
            } else if Some(*ttl) != first {
                let lowest = set.iter().map(|it| it.value.ttl).min().unwrap_or_default();
                found.push((*spot, format!(
                    "{record_type} of `{owner}` have different TTLs; all get the lowest, {lowest} (RFC 2181 5.2)"
                )));
            }
        }
    }
    found
}

/// Equal for equal zones, whatever the order of records, so that instances with one configuration agree; never 0.
fn hash<'r>(apex: &Apex, records: impl Iterator<Item = Record<'r>>, profiles: &[&Name]) -> u32 {
    let mut lines: Vec<Vec<u8>> = records.map(canonical).collect();
    lines.push(apex.soa(0).into());
    lines.push(apex.ttl.to_be_bytes().into());
    lines.sort_unstable();
    lines.extend(profiles.iter().map(|it| it.as_wire().to_vec()));
    let lengths_and_lines = lines
        .iter()
        .flat_map(|line| line.len().to_be_bytes().into_iter().chain(line.iter().copied()));
    fnv1a(lengths_and_lines).max(1)
}

/// One record as octets that sort and compare.
fn canonical(record: Record<'_>) -> Vec<u8> {
    let fixed = [record.record_type.0.to_be_bytes().as_slice(), &record.ttl.to_be_bytes()].concat();
    [record.owner.as_wire(), &fixed, record.data].concat()
}

/// The 32-bit FNV-1a hash: fixed for ever, unlike the standard library's.
fn fnv1a(octets: impl Iterator<Item = u8>) -> u32 {
    octets.fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}
