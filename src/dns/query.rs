//! A borrowed view of a query packet; nothing is copied.

use super::client_subnet::ClientSubnet;
use super::cookies::Cookie;
use crate::metrics::DropReason;
use crate::model::{MAX_NAME, RecordType};

/// The octets of a message's header.
pub(super) const HEADER: usize = 12;

/// The classes that Farol tells apart (RFC 1035 3.2.4).
pub(super) const CLASS_IN: u16 = 1;
pub(super) const CLASS_CHAOS: u16 = 3;

/// The code of a name server's identifier (RFC 5001 2.3).
pub(super) const OPTION_NSID: u16 = 3;
/// The code of a client's network (RFC 7871 6).
pub(super) const OPTION_CLIENT_SUBNET: u16 = 8;
/// The code of cookies (RFC 7873 4).
pub(super) const OPTION_COOKIE: u16 = 10;
/// The code of TCP keepalive (RFC 7828 3.1).
pub(super) const OPTION_TCP_KEEPALIVE: u16 = 11;

/// The code of padding (RFC 7830 3).
pub(super) const OPTION_PADDING: u16 = 12;

/// Response codes (RFC 1035 4.1.1, RFC 6672, RFC 6891, RFC 7873).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    BadVers = 16,
    BadCookie = 23,
}

/// What a packet turned out to be.
#[derive(Debug)]
pub(super) enum Packet<'p> {
    /// Must not be answered: too short, or an answer itself.
    Ignored(DropReason),
    /// To be answered without a look at any zone.
    Bare(Bare<'p>),
    /// A question that can be answered.
    Query(Query<'p>),
}

/// What is answered by an error alone, and the part of it that the answer repeats.
#[derive(Debug)]
pub(super) struct Bare<'p> {
    /// NOERROR for who asks for nothing but a cookie (RFC 7873 5.4).
    pub(super) rcode: Rcode,
    pub(super) header: Header,
    /// The question as sent, where it could be read.
    pub(super) question: Option<&'p [u8]>,
    pub(super) edns: Option<Edns>,
}

/// What an answer takes from the query's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) id: [u8; 2],
    pub(super) opcode: u8,
    pub(super) recursion_desired: bool,
}

/// One well-formed question.
#[derive(Debug)]
pub(super) struct Query<'p> {
    pub(super) header: Header,
    /// Name, type and class as sent.
    pub(super) question: &'p [u8],
    /// The question's name as sent, in wire format.
    pub(super) name: &'p [u8],
    pub(super) record_type: RecordType,
    pub(super) class: u16,
    pub(super) edns: Option<Edns>,
}

/// What the query's OPT record says (RFC 6891).
#[derive(Clone, Copy, Debug)]
pub(super) struct Edns {
    /// The largest UDP answer that the client takes, at least 512.
    pub(super) size: u16,
    pub(super) dnssec_ok: bool,
    /// Whether the client understands TCP keepalive (RFC 7828).
    pub(super) keepalive: bool,
    /// Whether the client pads, and wants answers padded (RFC 7830).
    pub(super) padding: bool,
    /// The network that the query is asked for (RFC 7871).
    pub(super) subnet: Option<ClientSubnet>,
    /// Whether the client wants to know which server this is (RFC 5001).
    pub(super) nsid: bool,
    /// The client's cookie (RFC 7873).
    pub(super) cookie: Option<Cookie>,
}

/// The octets that are folded at a time.
const WORD: usize = size_of::<u64>();

/// A name in wire format, lower case, kept without an allocation.
#[derive(Clone)]
pub(super) struct FoldedName {
    /// Room for the longest name, in whole words.
    octets: [u8; MAX_NAME.next_multiple_of(WORD)],
    length: u8,
}

impl FoldedName {
    /// Takes a name in wire format that is known to be one; none when it is too long.
    pub(super) fn new(wire: &[u8]) -> Option<Self> {
        let length = u8::try_from(wire.len()).ok()?;
        let mut name = Self { octets: [0; MAX_NAME.next_multiple_of(WORD)], length };
        name.octets.get_mut(..wire.len())?.copy_from_slice(wire);
        let (words, _) = name.octets.as_chunks_mut::<WORD>();
        for word in words.iter_mut().take(wire.len().div_ceil(WORD)) {
            *word = lower_case(u64::from_ne_bytes(*word)).to_ne_bytes();
        }
        Some(name)
    }

    pub(super) fn as_wire(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// Eight octets with their ASCII letters in lower case.
fn lower_case(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let ascii = word & (EACH * 0x7f);
    // The top bit of each octet tells whether it is at least `A`, and whether it is beyond `Z`; no sum reaches the next octet.
    let from_a = ascii + EACH * (0x80 - b'A' as u64);
    let beyond_z = ascii + EACH * (0x7f - b'Z' as u64);
    let is_upper = (from_a ^ beyond_z) & !word & (EACH * 0x80);
    word | is_upper >> 2
}

/// Reads a packet. Total: whatever the octets, there is one thing to do.
#[inline]
pub(super) fn read(packet: &[u8]) -> Packet<'_> {
    let Some((header, rest)) = packet.split_first_chunk::<HEADER>() else {
        return Packet::Ignored(DropReason::Short);
    };
    let [id0, id1, flags0, _, qd0, qd1, an0, an1, ns0, ns1, ar0, ar1] = *header;
    if flags0 & 0x80 != 0 {
        return Packet::Ignored(DropReason::Response);
    }
    let header = Header {
        id: [id0, id1],
        opcode: flags0 >> 3 & 0x0f,
        recursion_desired: flags0 & 0x01 != 0,
    };
    let questions = u16::from_be_bytes([qd0, qd1]);
    let others = [[an0, an1], [ns0, ns1]].map(u16::from_be_bytes);
    let others = others.into_iter().map(u32::from).sum();
    let additional = u16::from_be_bytes([ar0, ar1]).into();
    let bare = |rcode, question, edns| Packet::Bare(Bare { rcode, header, question, edns });

    let mut reader = Reader { packet, rest };
    let mut asked = None;
    for _ in 0..questions {
        let Some(question) = reader.question() else {
            return bare(Rcode::FormErr, None, None);
        };
        asked.get_or_insert(question);
    }
    let question = asked.as_ref().map(|it| it.wire);
    let records =
        if others + additional == 0 { Ok(None) } else { reader.records(others, additional) };
    let edns = match records {
        Ok(edns) => edns,
        Err(rcode) if header.opcode == 0 => return bare(rcode, question, None),
        Err(_) => None,
    };
    match asked {
        _ if header.opcode != 0 => bare(Rcode::NotImp, question, edns.map(|it| it.edns)),
        _ if edns.as_ref().is_some_and(|it| it.version > 0) => {
            bare(Rcode::BadVers, question, edns.map(|it| it.edns))
        }
        Some(asked) if questions == 1 && reader.rest.is_empty() => {
            let (record_type, class) = (RecordType(asked.record_type), asked.class);
            let edns = edns.map(|it| it.edns);
            let (question, name) = (asked.wire, asked.name);
            Packet::Query(Query { header, question, name, record_type, class, edns })
        }
        _ if questions == 1 => bare(Rcode::FormErr, question, edns.map(|it| it.edns)),
        None if reader.rest.is_empty()
            && edns.as_ref().is_some_and(|it| it.edns.cookie.is_some()) =>
        {
            bare(Rcode::NoError, None, edns.map(|it| it.edns))
        }
        _ => bare(Rcode::FormErr, None, edns.map(|it| it.edns)),
    }
}

struct Question<'p> {
    wire: &'p [u8],
    name: &'p [u8],
    record_type: u16,
    class: u16,
}

struct VersionedEdns {
    version: u8,
    edns: Edns,
}

/// Walks through a packet. `rest` is what has not been read.
struct Reader<'p> {
    packet: &'p [u8],
    rest: &'p [u8],
}

impl<'p> Reader<'p> {
    fn take(&mut self, length: usize) -> Option<&'p [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// A question's name has nothing before it to point to, so it is never compressed.
    fn question(&mut self) -> Option<Question<'p>> {
        let mut length = 1;
        loop {
            match *self.rest.get(length - 1)? {
                0 => break,
                label @ 1..=63 => length += 1 + usize::from(label),
                _ => return None,
            }
        }
        if length > MAX_NAME {
            return None;
        }
        let wire = self.take(length + 4)?;
        let (name, fixed) = wire.split_at_checked(length)?;
        let &[t0, t1, c0, c1] = fixed.first_chunk::<4>()?;
        let (record_type, class) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
        Some(Question { wire, name, record_type, class })
    }

    /// Passes over a record's name. A pointer must lead backwards, past the header (RFC 1035 4.1.4). Tells whether the
    /// name is the root, written as such.
    fn skip_name(&mut self) -> Option<bool> {
        let start = self.packet.len() - self.rest.len();
        let mut length = 0;
        loop {
            let label = self.octet()?;
            match label {
                0 => return Some(length == 0),
                1..=63 => self.take(label.into())?,
                0xc0.. => {
                    let target = usize::from(label & 0x3f) << 8 | usize::from(self.octet()?);
                    return (HEADER..start).contains(&target).then_some(false);
                }
                _ => return None,
            };
            length += 1 + usize::from(label);
            if length >= MAX_NAME {
                return None;
            }
        }
    }

    /// Passes over the records after the question; gives back the OPT record, which only the additional section may have,
    /// once.
    fn records(&mut self, others: u32, additional: u32) -> Result<Option<VersionedEdns>, Rcode> {
        let mut edns = None;
        for at in 0..others + additional {
            let is_root = self.skip_name().ok_or(Rcode::FormErr)?;
            let fixed = self.take(10).ok_or(Rcode::FormErr)?;
            let Some(&[t0, t1, c0, c1, _, version, f0, _, l0, l1]) = fixed.first_chunk::<10>()
            else {
                return Err(Rcode::FormErr);
            };
            let data = self.take(u16::from_be_bytes([l0, l1]).into()).ok_or(Rcode::FormErr)?;
            if u16::from_be_bytes([t0, t1]) != RecordType::OPT.0 {
                continue;
            }
            if !is_root || edns.is_some() || at < others {
                return Err(Rcode::FormErr);
            }
            let size = u16::from_be_bytes([c0, c1]).max(512);
            let mut read = Edns {
                size,
                dnssec_ok: f0 & 0x80 != 0,
                keepalive: false,
                padding: false,
                subnet: None,
                nsid: false,
                cookie: None,
            };
            // The options of a version that we don't know may look different.
            if version == 0 {
                read_options(data, &mut read).ok_or(Rcode::FormErr)?;
            }
            edns = Some(VersionedEdns { version, edns: read });
        }
        Ok(edns)
    }
}

/// Takes in the options that mean something here. None when one is malformed, or a client's network is there twice.
fn read_options(mut data: &[u8], edns: &mut Edns) -> Option<()> {
    while !data.is_empty() {
        let (&[c0, c1, l0, l1], rest) = data.split_first_chunk::<4>()?;
        let (option, rest) = rest.split_at_checked(u16::from_be_bytes([l0, l1]).into())?;
        match u16::from_be_bytes([c0, c1]) {
            // What is in it says nothing (RFC 5001 2.1).
            OPTION_NSID => edns.nsid = true,
            OPTION_TCP_KEEPALIVE => edns.keepalive = true,
            OPTION_PADDING => edns.padding = true,
            OPTION_CLIENT_SUBNET => {
                let subnet = ClientSubnet::read(option)?;
                if edns.subnet.replace(subnet).is_some() {
                    return None;
                }
            }
            // Of several only the first counts.
            OPTION_COOKIE if edns.cookie.is_none() => edns.cookie = Some(Cookie::read(option)?),
            _ => {}
        }
        data = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_is_folded_as_ascii_says_whatever_is_beside_it() {
        for octet in 0..=u8::MAX {
            for beside in [0, b'@', b'A', b'Z', b'[', b'z', 0x7f, 0x80, 0xff] {
                let word = [beside, octet, beside, octet, octet, beside, beside, octet];
                let folded = lower_case(u64::from_ne_bytes(word)).to_ne_bytes();
                assert_eq!(folded, word.map(|it| it.to_ascii_lowercase()), "{octet} {beside}");
            }
        }
    }
}
