use std::net::IpAddr;
use std::sync::Arc;

use super::decision::family_of;
use super::{Asker, Choice, Found, ProfileTable, Snapshot};
use crate::model::{Family, Name, RecordType};
use crate::routing::{Basis, Client, Draw, Located, Relation, Standing, mix};

/// Why a name is answered as it is: the same lookup and the same decision that queries get, seen whole.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The apex of the zone that answers, unless no zone does.
    pub zone: Option<Name>,
    /// What the zone says.
    pub found: Explained,
}

/// What a zone says of a name and a record type.
#[derive(Clone, Debug)]
pub enum Explained {
    /// No zone holds the name: REFUSED.
    NotOurs,
    /// The name does not exist: NXDOMAIN.
    NoSuchName,
    /// The name is delegated to other servers.
    Delegated,
    /// The name lies below a DNAME.
    Redirected,
    /// Zones are not transferred: REFUSED.
    Transfer,
    /// The type is one that no name has records of: FORMERR or NOTIMP.
    Meta,
    /// Every type was asked for: a HINFO record that says no (RFC 8482).
    Any,
    /// The zone has static records of this type.
    Static,
    /// The name is an alias for another one.
    Alias(Name),
    /// The name exists, and has nothing of this type.
    NoData,
    /// A profile answers, perhaps by others that are nested in it.
    Profile {
        /// What each had to say, from the one that was asked to the one that answers.
        levels: Vec<Level>,
        /// The family that decided.
        family: Family,
        /// Seconds that a resolver may keep the answer.
        ttl: u32,
        /// The length of the widest prefix around the client in which every client has the same candidates.
        scope: u8,
    },
}

/// What one profile had to say to a query.
#[derive(Clone, Debug)]
pub struct Level {
    /// The profile; the one asked, which a wildcard may stand at another name than the query's, or one nested in it.
    pub table: Arc<ProfileTable>,
    /// Whether health was heeded.
    pub basis: Basis,
    /// What the draw met.
    pub choice: Choice,
    /// The draw.
    pub draw: Draw,
    /// Where the client is; none where the method did not ask.
    pub located: Option<Located>,
    /// The endpoints, in the profile's order.
    pub endpoints: Vec<Weighed>,
}

/// What an endpoint is to a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighed {
    /// Whether it is a candidate, and if not, why not.
    pub standing: Standing,
    /// The part of this profile's answers to this client that names it, from 0 to 1.
    pub share: f64,
    /// Its place in the method's order for this client, which equally preferred ones share; 0 is first. None where it doesn't
    /// serve the client.
    pub tier: Option<usize>,
    /// What the method found it to be to the client.
    pub relation: Option<Relation>,
}

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The name asked for.
    pub name: &'q Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// Who asks: an address, or the first one of a network.
    pub client: IpAddr,
    /// What chance says to the profile that is asked; those nested in it have draws that follow from it.
    pub draw: Draw,
}

/// Explains what a query gets.
pub fn explain(snapshot: &Snapshot, query: Query<'_>) -> Explanation {
    let Query { name, record_type, .. } = query;
    let Some(zone) = snapshot.zones.find_for(name.as_wire(), record_type) else {
        return Explanation { zone: None, found: Explained::NotOurs };
    };
    let found = match snapshot.zones.find_in(zone, name.as_wire(), record_type) {
        _ if matches!(record_type, RecordType::AXFR | RecordType::IXFR) => Explained::Transfer,
        _ if record_type.is_meta() && record_type != RecordType::ANY => Explained::Meta,
        Found::Nothing => Explained::NoSuchName,
        Found::Cut { .. } => Explained::Delegated,
        Found::Dname { .. } => Explained::Redirected,
        Found::Node(node) => {
            let profile = node.profile.and_then(|slot| snapshot.profiles.get(slot));
            let alias = node.find(RecordType::CNAME).filter(|_| record_type != RecordType::CNAME);
            let target = alias.and_then(|set| Name::from_wire(set.first()?).ok());
            match (profile, target) {
                (Some(table), _) if table.answers(record_type) => {
                    explain_profile(snapshot, table, query)
                }
                (_, Some(target)) => Explained::Alias(target),
                _ if record_type == RecordType::ANY
                    && (profile.is_some() || !node.sets.is_empty()) =>
                {
                    Explained::Any
                }
                _ if node.find(record_type).is_some() => Explained::Static,
                _ => Explained::NoData,
            }
        }
    };
    Explanation { zone: Some(zone.zone.name().clone()), found }
}

fn explain_profile(snapshot: &Snapshot, table: &ProfileTable, query: Query<'_>) -> Explained {
    let Query { record_type, client, draw, .. } = query;
    let family = family_of(record_type);
    let mut witness = Witness { snapshot, family, client, draw, levels: Vec::new() };
    let decision = snapshot.decide(table, record_type, client, &mut witness);
    let (ttl, scope) = (decision.ttl, decision.scope);
    Explained::Profile { levels: witness.levels, family, ttl, scope }
}

/// Asks with one draw for all, and writes down what it hears.
struct Witness<'s> {
    snapshot: &'s Snapshot,
    family: Family,
    client: IpAddr,
    draw: Draw,
    levels: Vec<Level>,
}

impl Witness<'_> {
    /// The draw of the next profile: each has one of its own, the first the one that was given.
    fn next(&self) -> Draw {
        let seed = self.levels.iter().fold(self.draw.seed, |seed, _| mix(seed));
        Draw { seed, ..self.draw }
    }
}

impl Asker for Witness<'_> {
    fn draw(&mut self, _: &ProfileTable, _: Family) -> Draw {
        self.next()
    }

    fn chose(&mut self, table: &ProfileTable, choice: &Choice) {
        let Some(table) = self.snapshot.profile(&table.profile.name).cloned() else { return };
        let client = Client::new(self.client, &self.snapshot.geography);
        let shares = table.shares(self.family, Some(&client)).unwrap_or_default();
        let trace = table.trace(self.family, &client).unwrap_or_default();
        let weighed = |(at, share)| {
            let standing = table.standing(self.family, at)?;
            Some(Weighed { standing, share, tier: trace.tier(at), relation: trace.relation(at) })
        };
        let endpoints = shares.into_iter().enumerate().filter_map(weighed).collect();
        let (basis, draw) = (table.basis(self.family), self.next());
        self.levels.push(Level {
            table,
            basis,
            choice: *choice,
            draw,
            located: trace.located,
            endpoints,
        });
    }
}
