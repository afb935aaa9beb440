use std::collections::HashSet;
use std::fmt;

use super::{NameRef, Record, RecordType};

/// Every record set of a zone by owner. Each owner has a part of one run of octets: its name behind the name's length, then
/// its sets by type. A set has its type, TTL and length, then each record's data behind the data's length. So a zone of very
/// many names is two allocations, and a name lies beside its records.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Nodes {
    octets: Box<[u8]>,
    /// Where each owner's part begins, in canonical order of octets.
    starts: Box<[usize]>,
    /// How many records there are.
    records: usize,
}

/// All record sets of one name, by type.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordSets<'z>(&'z [u8]);

/// All records of one type at one name (RFC 2181 5).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordSet<'z> {
    /// The records' type.
    pub record_type: RecordType,
    /// Seconds that a resolver may keep the set.
    pub ttl: u32,
    /// Each record's data behind its length.
    records: &'z [u8],
}

impl Nodes {
    /// Gathers records. Equal ones count once; those of one set get the lowest of their TTLs (RFC 2181 5.2).
    pub(super) fn gather(mut records: Vec<Record<'_>>) -> Self {
        // This keeps the order that records of one set are written in.
        records.sort_by_key(|it| (it.owner, it.record_type));
        let (mut octets, mut starts, mut count) = (Vec::new(), Vec::new(), 0);
        for node in records.chunk_by(|a, b| a.owner == b.owner) {
            let owner = node.first().map(|it| it.owner.as_wire()).unwrap_or_default();
            starts.push(octets.len());
            octets.push(owner.len() as u8);
            octets.extend_from_slice(owner);
            for set in node.chunk_by(|a, b| a.record_type == b.record_type) {
                count += put(set, &mut octets);
            }
        }
        Self { octets: octets.into(), starts: starts.into(), records: count }
    }

    /// How many owners there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// How many records they have.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// An owner and its sets, by its place in canonical order.
    pub(super) fn get(&self, index: usize) -> Option<(NameRef<'_>, RecordSets<'_>)> {
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.octets.len());
        let (length, part) = self.octets.get(start..end)?.split_first()?;
        let (owner, sets) = part.split_at_checked(usize::from(*length))?;
        Some((NameRef::of(owner), RecordSets(sets)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NameRef<'_>, RecordSets<'_>)> {
        (0..self.len()).filter_map(|it| self.get(it))
    }

    /// The sets of exactly this name; none if it has no records.
    pub(super) fn find(&self, owner: NameRef<'_>) -> RecordSets<'_> {
        self.place(owner).ok().and_then(|it| self.get(it)).map(|it| it.1).unwrap_or_default()
    }

    /// A name's place among the owners, or that which it would have.
    pub(super) fn place(&self, owner: NameRef<'_>) -> Result<usize, usize> {
        let name = |start: &usize| {
            let part = self.octets.get(*start..).unwrap_or_default();
            let (length, part) = part.split_first().unwrap_or((&0, &[]));
            NameRef::of(part.get(..usize::from(*length)).unwrap_or_default())
        };
        self.starts.binary_search_by(|it| name(it).cmp(&owner))
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Adds a set: each record once, in the order of their first appearance. Gives their number.
fn put(set: &[Record<'_>], octets: &mut Vec<u8>) -> usize {
    let Some(first) = set.first() else { return 0 };
    let ttl = set.iter().map(|it| it.ttl).min().unwrap_or(first.ttl);
    octets.extend(first.record_type.0.to_be_bytes());
    octets.extend(ttl.to_be_bytes());
    let at = octets.len();
    octets.extend([0; size_of::<usize>()]);
    // A zone may have very many records at one name.
    let (mut seen, mut count) = (HashSet::new(), 0);
    for Record { data, .. } in set.iter().filter(|it| set.len() == 1 || seen.insert(it.data)) {
        octets.extend((data.len() as u16).to_be_bytes());
        octets.extend_from_slice(data);
        count += 1;
    }
    let length = octets.len() - at - size_of::<usize>();
    if let Some(room) = octets.get_mut(at..).and_then(|it| it.first_chunk_mut()) {
        *room = length.to_be_bytes();
    }
    count
}

impl<'z> RecordSets<'z> {
    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Each set, by rising type.
    pub fn iter(self) -> impl Iterator<Item = RecordSet<'z>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (record_type, tail) = rest.split_first_chunk()?;
            let (ttl, tail) = tail.split_first_chunk()?;
            let (length, tail) = tail.split_first_chunk()?;
            let (records, tail) = tail.split_at_checked(usize::from_be_bytes(*length))?;
            rest = tail;
            let record_type = RecordType(u16::from_be_bytes(*record_type));
            Some(RecordSet { record_type, ttl: u32::from_be_bytes(*ttl), records })
        })
    }

    /// The set of this type.
    pub fn find(self, record_type: RecordType) -> Option<RecordSet<'z>> {
        self.iter().find(|it| it.record_type == record_type)
    }

    /// Whether there is a set of this type.
    pub fn has(self, record_type: RecordType) -> bool {
        self.find(record_type).is_some()
    }
}

impl<'z> RecordSet<'z> {
    /// Each record's data in uncompressed wire format, in the order in which they are written.
    pub fn data(self) -> impl Iterator<Item = &'z [u8]> {
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let (data, tail) = tail.split_at_checked(u16::from_be_bytes(*length).into())?;
            rest = tail;
            Some(data)
        })
    }

    /// The first record's data.
    pub fn first(self) -> Option<&'z [u8]> {
        self.data().next()
    }
}

impl fmt::Debug for RecordSets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for RecordSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data: Vec<_> = self.data().map(|it| it.escape_ascii().to_string()).collect();
        write!(f, "{} {} {data:?}", self.ttl, self.record_type)
    }
}
