//! Answers a question from the snapshot: follows aliases inside the zone, refers to delegated servers, lets profiles
//! decide, and says no with the zone's SOA.

use std::net::IpAddr;

use super::message::{ExtendedError, Full, Message, Placed, Section};
use super::query::{FoldedName, HEADER, Query, Rcode};
use crate::model::{Family, MAX_NAME, Name, RecordSet, RecordType, suffixes};
use crate::routing::{Basis, Draw};
use crate::snapshot::{
    Asker, Choice, Decision, Found, Node, ProfileTable, Snapshot, Worker, ZoneTable,
};

/// The most aliases that one answer follows (as NSD and BIND bound it); what is found until then is sent.
const MAX_LINKS: usize = 16;

/// RFC 8482 4.2: what a question for ANY gets.
const ANY_HINFO: &[u8] = b"\x07RFC8482\x00";
const ANY_TTL: u32 = 3600;

const FAIL_OPEN: ExtendedError =
    ExtendedError::Other("no endpoint is healthy: answering all the same");
const PANIC: ExtendedError =
    ExtendedError::Other("too few endpoints are healthy: all are treated as healthy");
const NONE_HEALTHY: ExtendedError = ExtendedError::Other("no endpoint is healthy");

/// Fills in the answer to a question of class IN. Gives back the zone that answers, unless none does.
pub(super) fn resolve<'s>(
    snapshot: &'s Snapshot,
    worker: Worker,
    client: IpAddr,
    query: &Query<'_>,
    message: &mut Message<'_>,
) -> Option<&'s ZoneTable> {
    let mut name = FoldedName::new(query.name)?;
    let Some(zone) = snapshot.zones.find_for(name.as_wire(), query.record_type) else {
        message.rcode = Rcode::Refused;
        message.extended_error = Some(ExtendedError::NotAuthoritative);
        return None;
    };
    if matches!(query.record_type, RecordType::AXFR | RecordType::IXFR) {
        message.rcode = Rcode::Refused;
        return Some(zone);
    }
    message.authoritative = true;
    let mut chase = Chase {
        snapshot,
        zone,
        worker,
        client,
        message,
        record_type: query.record_type,
        name: &mut name,
        offset: HEADER,
        visited: Vec::new(),
        redirects: Vec::new(),
    };
    for _ in 0..MAX_LINKS {
        match chase.step() {
            Ok(Next::Alias) => {}
            Ok(Next::Done) => break,
            Err(Full) => {
                chase.message.truncated = true;
                break;
            }
        }
    }
    Some(zone)
}

enum Next {
    /// The name was an alias; go on with the name that it leads to.
    Alias,
    Done,
}

/// The way from the question's name along its aliases.
struct Chase<'c, 's, 'b> {
    snapshot: &'s Snapshot,
    zone: &'s ZoneTable,
    worker: Worker,
    client: IpAddr,
    message: &'c mut Message<'b>,
    record_type: RecordType,
    /// The name that is looked up now.
    name: &'c mut FoldedName,
    /// Where it stands in the message.
    offset: usize,
    /// The aliases that led here: one that comes again is the end of a loop.
    visited: Vec<FoldedName>,
    /// The owners of DNAMEs that are in the answer: no record is there twice (RFC 2181 5).
    redirects: Vec<FoldedName>,
}

impl<'s> Chase<'_, 's, '_> {
    fn step(&mut self) -> Result<Next, Full> {
        let zones = &self.snapshot.zones;
        match zones.find_in(self.zone, self.name.as_wire(), self.record_type) {
            Found::Node(node) => self.node(node),
            Found::Cut { suffix, servers } => self.refer(suffix, servers),
            Found::Dname { suffix, set } => self.redirect(suffix, set),
            Found::Nothing => {
                self.message.rcode = Rcode::NxDomain;
                self.negative(u32::MAX)
            }
        }
    }

    fn node(&mut self, node: Node<'s>) -> Result<Next, Full> {
        let profile = node.profile.and_then(|slot| self.snapshot.profiles.get(slot));
        match node.find(RecordType::CNAME) {
            // Beside it a signature and the next name may stand (RFC 4034 3 and 4).
            Some(set) if node.find(self.record_type).is_none() => return self.alias(set),
            _ => {}
        }
        if let Some(profile) = profile.filter(|it| it.answers(self.record_type)) {
            return self.decide(profile);
        }
        if self.record_type == RecordType::ANY && (profile.is_some() || !node.sets.is_empty()) {
            return self.any();
        }
        match node.find(self.record_type) {
            Some(set) => {
                let owner = self.owner(0);
                self.message.set(Section::Answer, owner.placed(self.name), set)?;
                Ok(Next::Done)
            }
            None => self.negative(profile.map_or(u32::MAX, |it| it.profile.ttl)),
        }
    }

    fn decide(&mut self, profile: &'s ProfileTable) -> Result<Next, Full> {
        if self.message.truncated {
            // Nobody is told of an endpoint, so none is drawn or counted.
            return Ok(Next::Done);
        }
        let counting = &mut Counting(self.worker);
        let decision = self.snapshot.decide(profile, self.record_type, self.client, counting);
        let answers = matches!(decision.choice, Choice::Endpoints(_) | Choice::Fallback);
        self.message.scope = self.message.scope.max(decision.scope);
        let error = match decision.basis {
            Basis::Healthy | Basis::NoneInService => None,
            Basis::Panic => Some(PANIC),
            Basis::NoneHealthy => Some(if answers { FAIL_OPEN } else { NONE_HEALTHY }),
        };
        // Where one profile leads to another, the first that has something to say is heard.
        self.message.extended_error = self.message.extended_error.or(error);
        if let Some(target) = decision.alias() {
            let next = self.alias_to(target.as_wire(), decision.ttl)?;
            // Whoever asks for the alias itself has it.
            return Ok(if self.record_type == RecordType::CNAME { Next::Done } else { next });
        }
        match decision.choice {
            Choice::Endpoints(_) | Choice::Fallback => {
                let owner = self.owner(0);
                let owner = owner.placed(self.name);
                self.message.whole(|message| addresses(message, owner, &decision))?;
                Ok(Next::Done)
            }
            // Where addresses take the place of an alias, there is something.
            Choice::NoData if self.record_type == RecordType::ANY => self.any(),
            Choice::NoData => self.negative(decision.ttl),
            Choice::ServFail => {
                self.message.rcode = Rcode::ServFail;
                self.message.authoritative = false;
                Ok(Next::Done)
            }
        }
    }

    /// Answers for all that is at a name, which has no CNAME (RFC 8482 4.2).
    fn any(&mut self) -> Result<Next, Full> {
        let owner = self.owner(0);
        let owner = owner.placed(self.name);
        self.message.record(Section::Answer, owner, RecordType::HINFO, ANY_TTL, ANY_HINFO)?;
        Ok(Next::Done)
    }

    /// Answers with a CNAME, and goes on with its target where that is in the zone.
    fn alias(&mut self, set: RecordSet<'_>) -> Result<Next, Full> {
        let Some(target) = set.first() else { return Ok(Next::Done) };
        self.alias_to(target, set.ttl)
    }

    fn alias_to(&mut self, target: &[u8], ttl: u32) -> Result<Next, Full> {
        let owner = self.owner(0);
        let owner = owner.placed(self.name);
        self.offset =
            self.message.record(Section::Answer, owner, RecordType::CNAME, ttl, target)?;
        let Some(name) = FoldedName::new(target) else { return Ok(Next::Done) };
        self.visited.push(std::mem::replace(self.name, name));
        let is_loop = self.visited.iter().any(|it| it.as_wire() == self.name.as_wire());
        let zone = self.snapshot.zones.find(self.name.as_wire());
        let is_here = zone.is_some_and(|it| it.zone.name() == self.zone.zone.name());
        // ANY is never followed through an alias (RFC 8482).
        let goes_on = is_here && !is_loop && self.record_type != RecordType::ANY;
        Ok(if goes_on { Next::Alias } else { Next::Done })
    }

    /// Answers with a DNAME and the CNAME that follows from it (RFC 6672 3.1).
    fn redirect(&mut self, suffix: usize, set: RecordSet<'_>) -> Result<Next, Full> {
        let owner = self.owner(suffix);
        let placed = owner.placed(self.name);
        if !self.redirects.iter().any(|it| it.as_wire() == placed.wire) {
            self.message.set(Section::Answer, placed, set)?;
            self.redirects.extend(FoldedName::new(placed.wire));
        }
        let Some(target) = set.first() else { return Ok(Next::Done) };
        let kept = self.name.as_wire().len() - suffix;
        let mut redirected = Vec::with_capacity(kept + target.len());
        redirected.extend_from_slice(self.name.as_wire().get(..kept).unwrap_or_default());
        redirected.extend_from_slice(target);
        if redirected.len() > MAX_NAME {
            self.message.rcode = Rcode::YxDomain;
            return Ok(Next::Done);
        }
        let next = self.alias_to(&redirected, set.ttl)?;
        // The CNAME that follows from a DNAME is one like any other.
        Ok(if self.record_type == RecordType::CNAME { Next::Done } else { next })
    }

    /// Refers to the servers of a delegated name, with the addresses that the zone has for them. Addresses of servers
    /// below the cut can't be learned elsewhere: they fit, or the answer is truncated (RFC 9471).
    fn refer(&mut self, suffix: usize, servers: RecordSet<'_>) -> Result<Next, Full> {
        if self.offset == HEADER {
            self.message.authoritative = false;
        }
        let cut = self.name.as_wire();
        let cut = cut.get(cut.len() - suffix..).unwrap_or_default().to_vec();
        let owner = self.owner(suffix);
        let placed = owner.placed(self.name);
        let message = &mut *self.message;
        let mut offsets = Vec::with_capacity(servers.data().count());
        message.whole(|message| {
            for data in servers.data() {
                let section = Section::Authority;
                offsets.push(message.record(section, placed, RecordType::NS, servers.ttl, data)?);
            }
            Ok(())
        })?;
        for (data, offset) in servers.data().zip(offsets) {
            let Ok(server) = Name::from_wire(data) else { continue };
            let Some(node) = self.zone.node(server.as_wire()) else { continue };
            let is_needed = suffixes(server.as_wire()).any(|it| it == cut);
            let owner = Placed { offset, wire: server.as_wire() };
            let sets = Family::ALL.iter().filter_map(|family| node.find(family.record_type()));
            for set in sets {
                match message.set(Section::Additional, owner, set) {
                    Err(full) if is_needed => return Err(full),
                    _ => {}
                }
            }
        }
        Ok(Next::Done)
    }

    /// Says no, with the SOA that tells how long that holds (RFC 2308).
    fn negative(&mut self, most: u32) -> Result<Next, Full> {
        let soa = self.zone.apex().and_then(|it| it.find(RecordType::SOA));
        let Some(data) = soa.and_then(RecordSet::first) else { return Ok(Next::Done) };
        let ttl = self.zone.zone.soa().negative_ttl.min(most);
        let owner = self.owner(self.zone.zone.name().as_wire().len());
        self.message.record(
            Section::Authority,
            owner.placed(self.name),
            RecordType::SOA,
            ttl,
            data,
        )?;
        Ok(Next::Done)
    }

    /// The last `suffix` octets of the name that is looked up now; 0 for all of it.
    fn owner(&self, suffix: usize) -> Owner {
        let length = self.name.as_wire().len();
        let start = if suffix == 0 { 0 } else { length.saturating_sub(suffix) };
        Owner { offset: self.offset + start, start }
    }
}

/// A suffix of the name that is looked up now, by where it stands.
#[derive(Clone, Copy)]
struct Owner {
    offset: usize,
    start: usize,
}

impl Owner {
    fn placed(self, name: &FoldedName) -> Placed<'_> {
        let wire = name.as_wire().get(self.start..).unwrap_or_default();
        Placed { offset: self.offset, wire }
    }
}

/// Adds the records that were decided for.
fn addresses(
    message: &mut Message<'_>,
    owner: Placed<'_>,
    decision: &Decision<'_>,
) -> Result<(), Full> {
    for answer in decision.answers() {
        message.ready(owner, answer, decision.ttl)?;
    }
    Ok(())
}

/// Draws for a worker, and counts what was chosen.
struct Counting(Worker);

impl Asker for Counting {
    fn draw(&mut self, table: &ProfileTable, family: Family) -> Draw {
        table.counters.draw(self.0, family)
    }

    fn chose(&mut self, table: &ProfileTable, choice: &Choice) {
        match choice {
            Choice::Endpoints(pick) => {
                pick.members().for_each(|it| table.counters.count(self.0, it));
            }
            Choice::Fallback => table.counters.count_fallback(self.0),
            Choice::NoData | Choice::ServFail => {}
        }
    }
}
