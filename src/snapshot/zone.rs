use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::counters::WorkerCounters;
use crate::model::{MAX_NAME, Name, Profile, RecordSet, RecordType, Zone, suffixes};

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
    nodes: Names<Node>,
}

/// What exists at one name.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The static record sets.
    pub sets: Box<[RecordSet]>,
    /// The slot of the profile that owns A and AAAA here, or everything where it answers with CNAME.
    pub profile: Option<u32>,
    /// Whether all of it is seen: it is no delegation, and below no delegation and no DNAME.
    is_in_sight: bool,
}

impl Node {
    /// The static set of this type.
    pub fn find(&self, record_type: RecordType) -> Option<&RecordSet> {
        self.sets.iter().find(|it| it.record_type == record_type)
    }
}

/// What a zone says of a name. Lengths tell the name's suffix: its last so many octets.
#[derive(Debug)]
pub enum Found<'z> {
    /// The name exists, or a wildcard stands for it.
    Node(&'z Node),
    /// The name is at or below a delegation.
    Cut {
        /// The length of the delegated name.
        suffix: usize,
        /// Its nameservers.
        servers: &'z RecordSet,
    },
    /// The name is below a DNAME.
    Dname {
        /// The length of the DNAME's owner.
        suffix: usize,
        /// The record that redirects.
        set: &'z RecordSet,
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
        let mut nodes: Names<Node> = HashMap::default();
        for (owner, sets) in zone.records() {
            nodes.entry(owner.clone()).or_default().sets = sets.clone().into();
        }
        for (slot, profile) in profiles {
            nodes.entry(profile.name.clone()).or_default().profile = Some(slot);
        }
        let owners: Vec<Name> = nodes.keys().cloned().collect();
        for owner in owners {
            let mut above = owner.parent();
            while let Some(name) = above.filter(|it| it.is_within(zone.name())) {
                above = name.parent();
                if nodes.contains_key(&name) {
                    break;
                }
                nodes.insert(name, Node::default());
            }
        }
        nodes.shrink_to_fit();
        let names: Vec<Name> = nodes.keys().cloned().collect();
        let mut table = Self { zone, responses, nodes };
        for name in names {
            let is_in_sight =
                matches!(table.descend(name.as_wire(), RecordType::A), Found::Node(_));
            if let Some(node) = table.nodes.get_mut(&name) {
                node.is_in_sight = is_in_sight;
            }
        }
        table
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
        let had = self.nodes.values().filter(|it| it.profile.is_some()).count();
        all && had == expected && *self.zone == *zone
    }

    /// What exists at exactly this name (wire format, lower case), whether or not a delegation hides it.
    pub fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The node at the apex.
    pub fn apex(&self) -> Option<&Node> {
        self.node(self.zone.name().as_wire())
    }

    /// Looks a name of this zone up (wire format, lower case), by RFC 1034 4.3.2 and RFC 4592.
    pub fn find(&self, name: &[u8], record_type: RecordType) -> Found<'_> {
        match self.nodes.get(name) {
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
            let Some(next) = self.nodes.get(suffix) else { return self.wildcard(encloser) };
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
        self.nodes.get(&name[..length]).map_or(Found::Nothing, Found::Node)
    }
}

/// Every zone by its apex. The deepest one that holds a name answers for it.
#[derive(Debug, Default)]
pub struct Zones {
    tables: Names<Arc<ZoneTable>>,
    most_labels: usize,
    /// Names between a zone's apex and that of a zone around it. Who denies them denies the inner zone too (RFC 8020).
    between: HashSet<Name, FixedState>,
    /// What is at such a name of which the outer zone has nothing.
    nothing: Node,
}

impl Zones {
    /// Gathers the zones.
    pub fn new(tables: impl IntoIterator<Item = impl Into<Arc<ZoneTable>>>) -> Self {
        let by_apex = |it: Arc<ZoneTable>| (it.zone.name().clone(), it);
        let tables: Names<_> = tables.into_iter().map(|it| by_apex(it.into())).collect();
        let most_labels = tables.keys().map(|it| it.labels().count()).max().unwrap_or_default();
        let mut between = HashSet::default();
        for apex in tables.keys() {
            let above = || std::iter::successors(apex.parent(), Name::parent);
            if above().any(|it| tables.contains_key(&it)) {
                between.extend(above().take_while(|it| !tables.contains_key(it)));
            }
        }
        Self { tables, most_labels, between, nothing: Node::default() }
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
                Found::Node(&self.nothing)
            }
            found => found,
        }
    }

    /// The deepest zone that holds this name (wire format, lower case).
    pub fn find(&self, name: &[u8]) -> Option<&Arc<ZoneTable>> {
        let labels = suffixes(name).count().saturating_sub(1);
        let suffixes = suffixes(name).skip(labels.saturating_sub(self.most_labels));
        suffixes.into_iter().find_map(|suffix| self.tables.get(suffix))
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
