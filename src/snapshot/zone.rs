use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::counters::WorkerCounters;
use crate::model::{
    MAX_NAME, Name, NameRef, Profile, RecordSet, RecordSets, RecordType, Zone, suffixes,
};

/// The most labels that a name of 255 octets can have, and the root.
const MAX_LABELS: usize = MAX_NAME / 2 + 1;

/// Whoever writes the configuration chooses the names, and no stranger does: so a hash that costs little is good enough.
type Names<T> = HashMap<Name, T, FixedState>;

/// A zone made ready for lookups: every name that exists, empty non-terminals too, with its record sets and its profile.
#[derive(Debug)]
pub struct ZoneTable {
    /// The zone as configured.
    pub zone: Arc<Zone>,
    /// Answers by rcode.
    pub responses: Arc<WorkerCounters>,
    /// Names that exist without having static records: those of profiles and empty non-terminals.
    others: Vec<Name>,
    places: HashTable<Place>,
}

/// A name that exists, and what isn't said by the zone itself. There may be very many, so it is small.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Which one of the zone's owners, and behind those, of the other names.
    index: u32,
    profile: Option<u32>,
    is_in_sight: bool,
}

/// What exists at one name.
#[derive(Clone, Copy, Debug)]
pub struct Node<'z> {
    /// The static record sets.
    pub sets: RecordSets<'z>,
    /// The slot of the profile that owns A and AAAA here, or everything where it answers with CNAME.
    pub profile: Option<u32>,
    /// Whether all of it is seen: it is no delegation, and below no delegation and no DNAME.
    is_in_sight: bool,
}

impl<'z> Node<'z> {
    /// The static set of this type.
    pub fn find(self, record_type: RecordType) -> Option<RecordSet<'z>> {
        self.sets.find(record_type)
    }
}

/// What a zone says of a name. Lengths tell the name's suffix: its last so many octets.
#[derive(Debug)]
pub enum Found<'z> {
    /// The name exists, or a wildcard stands for it.
    Node(Node<'z>),
    /// The name is at or below a delegation.
    Cut {
        /// The length of the delegated name.
        suffix: usize,
        /// Its nameservers.
        servers: RecordSet<'z>,
    },
    /// The name is below a DNAME.
    Dname {
        /// The length of the DNAME's owner.
        suffix: usize,
        /// The record that redirects.
        set: RecordSet<'z>,
    },
    /// The name does not exist.
    Nothing,
}

impl ZoneTable {
    /// Makes a zone ready. `profiles` are those inside it, each with its slot.
    pub fn new<'p>(
        zone: Arc<Zone>,
        profiles: impl IntoIterator<Item = (u32, &'p Profile)>,
        responses: Arc<WorkerCounters>,
    ) -> Self {
        let places = HashTable::with_capacity(zone.owners());
        let mut table = Self { zone, responses, others: Vec::new(), places };
        for (index, (owner, _)) in (0..).zip(table.zone.iter()) {
            let place = Place { index, profile: None, is_in_sight: true };
            // There is room for all, so none is moved.
            table.places.insert_unique(hash(owner.as_wire()), place, |_| 0);
        }
        for (slot, profile) in profiles {
            table.add(profile.name.borrowed());
            if let Some(place) = table.place_mut(profile.name.as_wire()) {
                place.profile = Some(slot);
            }
        }
        let zone = table.zone.clone();
        for (owner, _) in zone.iter() {
            table.add_above(owner);
        }
        for owner in table.others.clone() {
            table.add_above(owner.borrowed());
        }
        table.others.shrink_to_fit();
        table.hide();
        table
    }

    /// Adds a name that exists, unless it is there.
    fn add(&mut self, name: NameRef<'_>) -> bool {
        let is_new = self.node(name.as_wire()).is_none();
        if is_new {
            let index = (self.zone.owners() + self.others.len()) as u32;
            self.others.push(name.to_name());
            let place = Place { index, profile: None, is_in_sight: true };
            let (zone, others) = (&self.zone, &self.others);
            let rehash = |it: &Place| hash(at(zone, others, it.index).0);
            self.places.insert_unique(hash(name.as_wire()), place, rehash);
        }
        is_new
    }

    /// Adds the names between this one and the apex, which is there.
    fn add_above(&mut self, name: NameRef<'_>) {
        let apex = self.zone.name().as_wire().len();
        let above = name.lineage().skip(1).take_while(|it| it.as_wire().len() > apex);
        if name.is_within(self.zone.name()) {
            for it in above {
                if !self.add(it) {
                    break;
                }
            }
        }
    }

    /// Finds out which names delegations and DNAMEs hide.
    fn hide(&mut self) {
        let apex = self.zone.name().borrowed();
        let hides = |(owner, sets): (_, RecordSets<'_>)| {
            sets.has(RecordType::DNAME) || owner != apex && sets.has(RecordType::NS)
        };
        if !self.zone.iter().any(hides) {
            return;
        }
        let is_hidden = |place: &Place| {
            let name = at(&self.zone, &self.others, place.index).0;
            !matches!(self.descend(name, RecordType::A), Found::Node(_))
        };
        let hidden: Vec<Place> = self.places.iter().filter(|it| is_hidden(it)).copied().collect();
        for Place { index, .. } in hidden {
            let hash = hash(at(&self.zone, &self.others, index).0);
            if let Some(place) = self.places.find_mut(hash, |it| it.index == index) {
                place.is_in_sight = false;
            }
        }
    }

    /// Whether a zone with these profiles would be made ready as this one is.
    pub fn is_of<'p>(
        &self,
        zone: &Zone,
        profiles: impl IntoIterator<Item = (u32, &'p Profile)>,
    ) -> bool {
        let has = |(slot, profile): (u32, &Profile)| {
            self.node(profile.name.as_wire()).is_some_and(|it| it.profile == Some(slot))
        };
        let mut expected = 0;
        let all = profiles.into_iter().inspect(|_| expected += 1).all(has);
        let had = self.places.iter().filter(|it| it.profile.is_some()).count();
        all && had == expected && *self.zone == *zone
    }

    /// What exists at exactly this name (wire format, lower case), whether or not a delegation hides it.
    pub fn node(&self, name: &[u8]) -> Option<Node<'_>> {
        let mut sets = RecordSets::default();
        let is_it = |place: &Place| {
            // The last one that is asked about is the one that is found.
            let (found, own) = at(&self.zone, &self.others, place.index);
            sets = own;
            found == name
        };
        let Place { profile, is_in_sight, .. } = *self.places.find(hash(name), is_it)?;
        Some(Node { sets, profile, is_in_sight })
    }

    fn place_mut(&mut self, name: &[u8]) -> Option<&mut Place> {
        let (zone, others) = (&self.zone, &self.others);
        self.places.find_mut(hash(name), |it| at(zone, others, it.index).0 == name)
    }

    /// The node at the apex.
    pub fn apex(&self) -> Option<Node<'_>> {
        self.node(self.zone.name().as_wire())
    }

    /// Looks a name of this zone up (wire format, lower case), by RFC 1034 4.3.2 and RFC 4592.
    pub fn find(&self, name: &[u8], record_type: RecordType) -> Found<'_> {
        match self.node(name) {
            Some(node) if node.is_in_sight => Found::Node(node),
            _ => self.descend(name, record_type),
        }
    }

    /// Looks from the apex down, until a delegation, a DNAME, the name itself or the first label that doesn't exist.
    fn descend(&self, name: &[u8], record_type: RecordType) -> Found<'_> {
        let apex = self.zone.name().as_wire();
        let below = name.len().saturating_sub(apex.len());
        let mut starts = [0_u8; MAX_LABELS];
        let mut labels = 0;
        let mut at = 0;
        while at < below {
            if let Some(start) = starts.get_mut(labels) {
                *start = at as u8;
            }
            labels += 1;
            at += 1 + usize::from(name.get(at).copied().unwrap_or_default());
        }
        let mut encloser = apex;
        let Some(mut node) = self.apex() else { return Found::Nothing };
        for start in starts.iter().take(labels).rev() {
            if let Some(set) = node.find(RecordType::DNAME) {
                return Found::Dname { suffix: encloser.len(), set };
            }
            let suffix = name.get(usize::from(*start)..).unwrap_or_default();
            let Some(next) = self.node(suffix) else { return self.wildcard(encloser) };
            node = next;
            encloser = suffix;
            let is_whole = suffix.len() == name.len();
            match node.find(RecordType::NS) {
                // The parent answers for DS at a delegation (RFC 4035 3.1.4.1).
                Some(servers) if !(is_whole && record_type == RecordType::DS) => {
                    return Found::Cut { suffix: suffix.len(), servers };
                }
                _ => {}
            }
        }
        Found::Node(node)
    }

    /// The wildcard directly below the closest encloser, if there is one (RFC 4592 3.3.1).
    fn wildcard(&self, encloser: &[u8]) -> Found<'_> {
        let mut name = [0_u8; MAX_NAME];
        let length = 2 + encloser.len();
        let Some(room) = name.get_mut(..length) else { return Found::Nothing };
        let (star, rest) = room.split_at_mut(2);
        star.copy_from_slice(b"\x01*");
        rest.copy_from_slice(encloser);
        self.node(&name[..length]).map_or(Found::Nothing, Found::Node)
    }
}

/// A name by its place among the zone's owners and the others, and its record sets.
fn at<'z>(zone: &'z Zone, others: &'z [Name], index: u32) -> (&'z [u8], RecordSets<'z>) {
    let index = index as usize;
    if let Some((owner, sets)) = zone.owner(index) {
        return (owner.as_wire(), sets);
    }
    let other = index.checked_sub(zone.owners()).and_then(|it| others.get(it));
    (other.map(Name::as_wire).unwrap_or_default(), RecordSets::default())
}

fn hash(name: &[u8]) -> u64 {
    FixedState::default().hash_one(name)
}

/// Every zone by its apex. The deepest one that holds a name answers for it.
#[derive(Debug)]
pub struct Zones {
    tables: Names<Arc<ZoneTable>>,
    /// Whether there is an apex of so many octets: a suffix of another length need not be looked for.
    lengths: [bool; MAX_NAME + 1],
    /// Names between a zone's apex and that of a zone around it. Who denies them denies the inner zone too (RFC 8020).
    between: HashSet<Name, FixedState>,
}

impl Zones {
    /// Gathers the zones.
    pub fn new(tables: impl IntoIterator<Item = impl Into<Arc<ZoneTable>>>) -> Self {
        let by_apex = |it: Arc<ZoneTable>| (it.zone.name().clone(), it);
        let tables: Names<_> = tables.into_iter().map(|it| by_apex(it.into())).collect();
        let mut lengths = [false; MAX_NAME + 1];
        for apex in tables.keys() {
            lengths.get_mut(apex.as_wire().len()).into_iter().for_each(|it| *it = true);
        }
        let mut between = HashSet::default();
        for apex in tables.keys() {
            let above = || std::iter::successors(apex.parent(), Name::parent);
            if above().any(|it| tables.contains_key(&it)) {
                between.extend(above().take_while(|it| !tables.contains_key(it)));
            }
        }
        Self { tables, lengths, between }
    }

    /// Looks a name up in one of these zones, which it lies in, as [`ZoneTable::find`] does, and as if the zone had delegated
    /// those within it.
    pub fn find_in<'z>(
        &'z self,
        zone: &'z ZoneTable,
        name: &[u8],
        record_type: RecordType,
    ) -> Found<'z> {
        match zone.find(name, record_type) {
            Found::Nothing | Found::Node(_)
                if self.between.contains(name) && zone.node(name).is_none() =>
            {
                Found::Node(Node { sets: RecordSets::default(), profile: None, is_in_sight: true })
            }
            found => found,
        }
    }

    /// The deepest zone that holds this name (wire format, lower case).
    pub fn find(&self, name: &[u8]) -> Option<&Arc<ZoneTable>> {
        let is_one = |it: &&[u8]| self.lengths.get(it.len()).copied().unwrap_or_default();
        suffixes(name).filter(is_one).find_map(|suffix| self.tables.get(suffix))
    }

    /// The zone that answers a question: the deepest that holds the name, but for DS at a zone's apex the zone above it, if
    /// that is ours and knows the name (RFC 4035 3.1.4.1); else it would say that the whole zone doesn't exist.
    pub fn find_for(&self, name: &[u8], record_type: RecordType) -> Option<&Arc<ZoneTable>> {
        let zone = self.find(name)?;
        let asks_parent = record_type == RecordType::DS && zone.zone.name().as_wire() == name;
        let above = suffixes(name).nth(1).filter(|_| asks_parent);
        let parent = above.and_then(|it| self.find(it)).filter(|it| it.node(name).is_some());
        Some(parent.unwrap_or(zone))
    }

    /// The zone of exactly this apex.
    pub fn get(&self, apex: &Name) -> Option<&Arc<ZoneTable>> {
        self.tables.get(apex)
    }

    /// Every zone.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ZoneTable>> {
        self.tables.values()
    }
}

impl Default for Zones {
    fn default() -> Self {
        Self::new(std::iter::empty::<ZoneTable>())
    }
}
