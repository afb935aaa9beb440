//! Writes an answer, section by section, into a buffer that its owner reuses. Whole record sets or none: what does not fit
//! is taken back.

use super::cookies::COOKIE;
use super::query::{
    CLASS_CHAOS, CLASS_IN, Edns, HEADER, Header, OPTION_CLIENT_SUBNET, OPTION_COOKIE, OPTION_NSID,
    OPTION_PADDING, OPTION_TCP_KEEPALIVE, Rcode,
};
use crate::model::{RecordSet, RecordType};
use crate::snapshot::Answer;

/// The size for clients that don't say (RFC 1035 2.3.4).
pub(super) const UDP_SIZE_WITHOUT_EDNS: usize = 512;
/// An OPT record without options.
const OPT_LENGTH: usize = 11;
/// A TCP keepalive option with a timeout (RFC 7828 3.1).
const KEEPALIVE_LENGTH: usize = 6;
/// The code of extended errors (RFC 8914 2).
const OPTION_EXTENDED_ERROR: u16 = 15;
/// An option's code and length.
const OPTION_HEADER: usize = 4;
/// Answers that are padded have a multiple of so many octets (RFC 8467 4.1).
const PADDING_BLOCK: usize = 468;
/// Zeroes to pad with (RFC 7830 3).
static PADDING: [u8; PADDING_BLOCK] = [0; PADDING_BLOCK];
/// Where in a record its TTL is, when its owner is a pointer.
const TTL: std::ops::Range<usize> = 6..10;
/// Pointers reach no further (RFC 1035 4.1.4).
const MAX_POINTER: usize = 0x3fff;

/// Extended DNS errors that Farol gives (RFC 8914 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtendedError {
    /// 0, with a text.
    Other(&'static str),
    /// 20: no zone of ours.
    NotAuthoritative,
    /// 21: an opcode or a type that Farol doesn't do.
    NotSupported,
}

impl ExtendedError {
    fn code(self) -> u16 {
        match self {
            Self::Other(_) => 0,
            Self::NotAuthoritative => 20,
            Self::NotSupported => 21,
        }
    }

    /// The octets of the option.
    fn length(self) -> usize {
        6 + self.text().len()
    }

    fn text(self) -> &'static str {
        match self {
            Self::Other(text) => text,
            Self::NotAuthoritative | Self::NotSupported => "",
        }
    }
}

/// The sections that records go to, by their place among the header's counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

/// A name that stands in the message already, at this offset, uncompressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'n> {
    pub(super) offset: usize,
    pub(super) wire: &'n [u8],
}

/// There is no room left.
#[derive(Debug)]
pub(super) struct Full;

/// An answer under way.
pub(super) struct Message<'b> {
    buffer: &'b mut [u8],
    length: usize,
    /// Where the message must end.
    size: usize,
    /// Where records must end for now: an OPT record has to fit behind them.
    limit: usize,
    counts: [u16; 4],
    /// The OPT record to answer with, when the query had one.
    edns: Option<&'b Edns>,
    keepalive: Option<u16>,
    /// The UDP size to advertise.
    udp_size: u16,
    pub(super) rcode: Rcode,
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    pub(super) extended_error: Option<ExtendedError>,
    /// The length of the prefix of the client's network that the answer is for (RFC 7871); 0 is everyone.
    pub(super) scope: u8,
    /// What a client that sent a cookie gets back (RFC 7873).
    pub(super) cookie: [u8; COOKIE],
    /// Which server this is, for a client that asks (RFC 5001).
    pub(super) nsid: Option<&'b str>,
    /// Whether a client that pads gets a padded answer (RFC 7830): only where nobody on the way can read it.
    pub(super) padded: bool,
}

impl<'b> Message<'b> {
    /// Starts an answer that repeats the question. `keepalive` (in units of 100 ms) goes to TCP clients that asked for it.
    /// `udp_size` is advertised to those with EDNS. `buffer` holds at least 512 octets.
    #[inline]
    pub(super) fn new(
        buffer: &'b mut [u8],
        size: usize,
        question: &[u8],
        edns: Option<&'b Edns>,
        keepalive: Option<u16>,
        udp_size: u16,
    ) -> Self {
        let keepalive = keepalive.filter(|_| edns.is_some_and(|it| it.keepalive));
        let opt = edns.map_or(0, |edns| {
            OPT_LENGTH
                + keepalive.map_or(0, |_| KEEPALIVE_LENGTH)
                + edns.subnet.as_ref().map_or(0, |it| OPTION_HEADER + it.length())
                + edns.cookie.as_ref().map_or(0, |_| OPTION_HEADER + COOKIE)
        });
        let size = size.min(buffer.len());
        let mut message = Self {
            buffer,
            length: HEADER,
            size,
            limit: size.saturating_sub(opt),
            counts: [0; 4],
            edns,
            keepalive,
            udp_size,
            rcode: Rcode::NoError,
            authoritative: false,
            truncated: false,
            extended_error: None,
            scope: 0,
            cookie: [0; COOKIE],
            nsid: None,
            padded: false,
        };
        if !question.is_empty() && message.put(question).is_ok() {
            message.counts[0] = 1;
        }
        message
    }

    /// Adds a whole record set, or nothing.
    pub(super) fn set(
        &mut self,
        section: Section,
        owner: Placed<'_>,
        set: RecordSet<'_>,
    ) -> Result<(), Full> {
        self.whole(|message| {
            for data in set.data() {
                message.record(section, owner, set.record_type, set.ttl, data)?;
            }
            Ok(())
        })
    }

    /// Adds one record of class IN. Gives back where its data begins.
    pub(super) fn record(
        &mut self,
        section: Section,
        owner: Placed<'_>,
        record_type: RecordType,
        ttl: u32,
        data: &[u8],
    ) -> Result<usize, Full> {
        self.record_of_class(section, owner, (record_type, CLASS_IN), ttl, data)
    }

    /// Adds a TXT record of class CHAOS, which nobody should keep.
    pub(super) fn chaos_text(&mut self, owner: Placed<'_>, data: &[u8]) -> Result<usize, Full> {
        self.record_of_class(Section::Answer, owner, (RecordType::TXT, CLASS_CHAOS), 0, data)
    }

    fn record_of_class(
        &mut self,
        section: Section,
        owner: Placed<'_>,
        (record_type, class): (RecordType, u16),
        ttl: u32,
        data: &[u8],
    ) -> Result<usize, Full> {
        let length = u16::try_from(data.len()).map_err(|_| Full)?;
        self.whole(|message| {
            message.owner(owner)?;
            message.put(&record_type.0.to_be_bytes())?;
            message.put(&class.to_be_bytes())?;
            message.put(&ttl.to_be_bytes())?;
            message.put(&length.to_be_bytes())?;
            let offset = message.length;
            message.put(data)?;
            message.counts[section as usize] += 1;
            Ok(offset)
        })
    }

    /// Adds records that are ready to send, or nothing. They may be kept for `ttl` seconds.
    pub(super) fn ready(
        &mut self,
        owner: Placed<'_>,
        answer: &Answer,
        ttl: u32,
    ) -> Result<(), Full> {
        let offset = u16::try_from(owner.offset).map_err(|_| Full)?;
        if owner.offset > MAX_POINTER {
            return Err(Full);
        }
        let start = self.length;
        self.put(&answer.wire)?;
        if owner.offset != HEADER || answer.ttl != ttl {
            let (pointer, ttl) = ((0xc000 | offset).to_be_bytes(), ttl.to_be_bytes());
            let records = self.buffer.get_mut(start..self.length).unwrap_or_default();
            for record in records.chunks_exact_mut(answer.record_length) {
                record[..2].copy_from_slice(&pointer);
                record[TTL].copy_from_slice(&ttl);
            }
        }
        self.counts[Section::Answer as usize] += answer.count;
        Ok(())
    }

    /// Runs a few additions, and takes all of them back when one does not fit.
    pub(super) fn whole<T>(
        &mut self,
        add: impl FnOnce(&mut Self) -> Result<T, Full>,
    ) -> Result<T, Full> {
        let before = (self.length, self.counts);
        let added = add(self);
        if added.is_err() {
            (self.length, self.counts) = before;
        }
        added
    }

    /// Truncates an answer that nothing was added to: no record fits any more, and none of what is only a courtesy.
    pub(super) fn slip(&mut self) {
        self.truncated = true;
        self.size -= self.limit.saturating_sub(self.length);
        self.limit = self.length;
    }

    /// Ends the message and gives its length.
    pub(super) fn finish(mut self, header: Header) -> usize {
        self.put_opt();
        let rcode = self.rcode as u16;
        let flags0 = 0x80
            | header.opcode << 3
            | u8::from(self.authoritative) << 2
            | u8::from(self.truncated) << 1
            | u8::from(header.recursion_desired);
        let mut wire = [0; HEADER];
        wire[..2].copy_from_slice(&header.id);
        wire[2] = flags0;
        wire[3] = (rcode & 0x0f) as u8;
        for (room, count) in wire[4..].chunks_exact_mut(2).zip(self.counts) {
            room.copy_from_slice(&count.to_be_bytes());
        }
        self.buffer[..HEADER].copy_from_slice(&wire);
        self.length
    }

    fn put_opt(&mut self) {
        let Some(edns) = self.edns else { return };
        self.limit = self.size;
        let keepalive = self.keepalive.map_or(0, |_| KEEPALIVE_LENGTH);
        let subnet = edns.subnet.as_ref().map_or(0, |it| OPTION_HEADER + it.length());
        let cookie = edns.cookie.as_ref().map_or(0, |_| OPTION_HEADER + COOKIE);
        let needed = keepalive + subnet + cookie;
        let room = self.size.saturating_sub(self.length + OPT_LENGTH + needed);
        // These are courtesies: they go where there is room.
        let nsid = self.nsid.filter(|it| edns.nsid && OPTION_HEADER + it.len() <= room);
        let for_nsid = nsid.map_or(0, |it| OPTION_HEADER + it.len());
        let error = self.extended_error.filter(|it| for_nsid + it.length() <= room);
        let options = needed + for_nsid + error.map_or(0, ExtendedError::length);
        let length = self.length + OPT_LENGTH + options;
        let padding = (self.padded && edns.padding).then(|| padding(length, self.size)).flatten();
        let options = options + padding.map_or(0, |it| OPTION_HEADER + it);
        let extended_rcode = (self.rcode as u16 >> 4) as u8;
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        let added = self.whole(|message| {
            message.put(&[0])?;
            message.put(&RecordType::OPT.0.to_be_bytes())?;
            message.put(&message.udp_size.to_be_bytes())?;
            message.put(&[extended_rcode, 0, flags, 0])?;
            message.put(&(options as u16).to_be_bytes())?;
            if let Some(timeout) = message.keepalive {
                message.put(&OPTION_TCP_KEEPALIVE.to_be_bytes())?;
                message.put(&[0, 2])?;
                message.put(&timeout.to_be_bytes())?;
            }
            if let Some(subnet) = &edns.subnet {
                let (data, length) = subnet.answer(message.scope);
                message.put(&OPTION_CLIENT_SUBNET.to_be_bytes())?;
                message.put(&(length as u16).to_be_bytes())?;
                message.put(data.get(..length).unwrap_or_default())?;
            }
            if edns.cookie.is_some() {
                let cookie = message.cookie;
                message.put(&OPTION_COOKIE.to_be_bytes())?;
                message.put(&(COOKIE as u16).to_be_bytes())?;
                message.put(&cookie)?;
            }
            if let Some(nsid) = nsid {
                message.put(&OPTION_NSID.to_be_bytes())?;
                message.put(&(nsid.len() as u16).to_be_bytes())?;
                message.put(nsid.as_bytes())?;
            }
            if let Some(error) = error {
                message.put(&OPTION_EXTENDED_ERROR.to_be_bytes())?;
                message.put(&(2 + error.text().len() as u16).to_be_bytes())?;
                message.put(&error.code().to_be_bytes())?;
                message.put(error.text().as_bytes())?;
            }
            if let Some(padding) = padding {
                message.put(&OPTION_PADDING.to_be_bytes())?;
                message.put(&(padding as u16).to_be_bytes())?;
                message.put(PADDING.get(..padding).unwrap_or_default())?;
            }
            Ok(())
        });
        if added.is_ok() {
            self.counts[Section::Additional as usize] += 1;
        }
    }

    fn owner(&mut self, owner: Placed<'_>) -> Result<(), Full> {
        match u16::try_from(owner.offset) {
            Ok(offset) if owner.offset <= MAX_POINTER => self.put(&(0xc000 | offset).to_be_bytes()),
            _ => self.put(owner.wire),
        }
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), Full> {
        let end = self.length + octets.len();
        if end > self.limit {
            return Err(Full);
        }
        let room = self.buffer.get_mut(self.length..end).ok_or(Full)?;
        room.copy_from_slice(octets);
        self.length = end;
        Ok(())
    }
}

/// The octets of padding for a message that has so many without the option; none where the option does not fit.
fn padding(length: usize, size: usize) -> Option<usize> {
    let length = length + OPTION_HEADER;
    let room = size.checked_sub(length)?;
    Some((length.next_multiple_of(PADDING_BLOCK) - length).min(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_padded_to_blocks_as_far_as_they_fit() {
        for (length, size, expected) in [
            (12, 65_535, Some(452)),
            (463, 65_535, Some(1)),
            (464, 65_535, Some(0)),
            (465, 65_535, Some(467)),
            // The last whole block ends at 65,520.
            (65_517, 65_535, Some(14)),
            (65_531, 65_535, Some(0)),
            (65_532, 65_535, None),
        ] {
            assert_eq!(padding(length, size), expected, "{length}");
        }
    }
}
