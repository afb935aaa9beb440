use crate::model::{Addresses, Family, Name};

/// Where choosing an endpoint leads: all that a decision looks at of it, in one place.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// To its addresses, of which there is one at least.
    Addresses(Answer),
    /// To its name, by a CNAME record.
    Alias(Name),
    /// To the profile in this slot.
    Profile(u32),
    /// To nothing of this family.
    Nothing,
}

/// Address records ready to be copied into an answer: each starts with a pointer to the name of the question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many records there are.
    pub count: u16,
    /// The records in wire format. The first two octets of each are [`QUESTION`].
    pub wire: Box<[u8]>,
    /// The octets of one record.
    pub record_length: usize,
    /// Seconds that resolvers may keep them.
    pub ttl: u32,
}

/// A compression pointer to the name that follows the header (RFC 1035 4.1.4).
pub const QUESTION: [u8; 2] = [0xc0, 12];

impl Answer {
    /// The addresses of one family, each with this TTL.
    pub fn new(addresses: &Addresses, family: Family, ttl: u32) -> Self {
        let mut wire = Vec::new();
        let mut count = 0;
        let mut push = |data: &[u8]| {
            wire.extend_from_slice(&QUESTION);
            wire.extend_from_slice(&family.record_type().0.to_be_bytes());
            wire.extend_from_slice(&1_u16.to_be_bytes());
            wire.extend_from_slice(&ttl.to_be_bytes());
            wire.extend_from_slice(&(data.len() as u16).to_be_bytes());
            wire.extend_from_slice(data);
            count += 1;
        };
        let record_length = 12
            + match family {
                Family::V4 => {
                    addresses.v4.iter().for_each(|it| push(&it.octets()));
                    4
                }
                Family::V6 => {
                    addresses.v6.iter().for_each(|it| push(&it.octets()));
                    16
                }
            };
        Self { count, wire: wire.into(), record_length, ttl }
    }
}
