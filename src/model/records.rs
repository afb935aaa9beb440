use super::name::check_wire;
use super::{Name, NameError, NameRef, RecordType};

/// One record as written in a zone file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'r> {
    /// Whose record it is.
    pub owner: NameRef<'r>,
    /// The record's type.
    pub record_type: RecordType,
    /// Seconds that a resolver may keep it.
    pub ttl: u32,
    /// The data in uncompressed wire format, without its length.
    pub data: &'r [u8],
}

/// Records in the order in which they are written. Their octets lie in one place: a zone may have very many.
#[derive(Clone, Debug, Default)]
pub struct Records {
    octets: Vec<u8>,
    entries: Vec<Entry>,
}

/// A name that [`Records`] hold, which several of them may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    at: usize,
    length: u8,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    owner: Owner,
    /// Where the data begins.
    data: usize,
    length: u16,
    record_type: RecordType,
    ttl: u32,
}

impl Records {
    /// Takes a whole uncompressed name in wire format, for the records that follow.
    ///
    /// # Errors
    /// [`NameError::BadWire`] unless `wire` is exactly one name of at most 255 octets.
    pub fn owner(&mut self, wire: &[u8]) -> Result<Owner, NameError> {
        check_wire(wire)?;
        let last = self.entries.last().map(|it| it.owner);
        if let Some(last) = last.filter(|it| self.name(*it).as_wire().eq_ignore_ascii_case(wire)) {
            return Ok(last);
        }
        let owner = Owner { at: self.octets.len(), length: wire.len() as u8 };
        self.octets.extend(wire.iter().map(u8::to_ascii_lowercase));
        Ok(owner)
    }

    /// Adds a record. No message has room for data of 65,535 octets, so what goes beyond is left out: [`Zone`](super::Zone)
    /// refuses the record anyway.
    pub fn push(&mut self, owner: Owner, record_type: RecordType, ttl: u32, data: &[u8]) {
        let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
        let at = self.octets.len();
        self.octets.extend(data.iter().take(length.into()));
        self.entries.push(Entry { owner, data: at, length, record_type, ttl });
    }

    /// Adds a record of any name.
    pub fn add(&mut self, owner: &Name, record_type: RecordType, ttl: u32, data: &[u8]) {
        if let Ok(owner) = self.owner(owner.as_wire()) {
            self.push(owner, record_type, ttl, data);
        }
    }

    /// Every record.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.entries.iter().map(|it| Record {
            owner: self.name(it.owner),
            record_type: it.record_type,
            ttl: it.ttl,
            data: self.octets.get(it.data..it.data + usize::from(it.length)).unwrap_or_default(),
        })
    }

    fn name(&self, owner: Owner) -> NameRef<'_> {
        let wire = self.octets.get(owner.at..owner.at + usize::from(owner.length));
        NameRef::of(wire.unwrap_or_default())
    }
}
