//! A DNS client. Questions are written octet by octet, also wrong ones; answers are read with the `domain` crate, which has
//! no part in how Farol answers.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};

use domain::base::iana::{Class, Rtype};
use domain::base::opt::UnknownOptData;
use domain::base::{Message, ParsedName, RecordSection};
use domain::rdata::AllRecordData;

use super::PATIENCE;

/// A zone with a profile, app.gtm.example., whose one endpoint is 192.0.2.10.
pub(crate) const APP: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    [[profile.endpoint]]
    name = 'here'
    target = '192.0.2.10'
";

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) id: u16,
    /// The header's second word; QR, opcode, RD….
    pub(crate) flags: u16,
    pub(crate) name: String,
    pub(crate) record_type: u16,
    pub(crate) class: u16,
    /// How often the question is repeated.
    pub(crate) questions: u16,
    pub(crate) edns: Option<Edns>,
}

/// The OPT record of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edns {
    pub(crate) size: u16,
    pub(crate) version: u8,
    pub(crate) flags: u16,
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

/// The recursion-desired flag.
pub(crate) const RD: u16 = 0x0100;

impl Query {
    #[track_caller]
    pub(crate) fn new(name: &str, record_type: &str) -> Self {
        let record_type = record_type.parse::<Rtype>().expect("a record type").to_int();
        Self {
            id: 4711,
            flags: 0,
            name: name.into(),
            record_type,
            class: 1,
            questions: 1,
            edns: None,
        }
    }

    pub(crate) fn opcode(self, opcode: u16) -> Self {
        Self { flags: self.flags | opcode << 11, ..self }
    }

    pub(crate) fn edns(self, edns: Edns) -> Self {
        Self { edns: Some(edns), ..self }
    }

    /// With an OPT record that takes answers of this size.
    pub(crate) fn size(self, size: u16) -> Self {
        self.edns(Edns { size, ..Edns::default() })
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        let additional = u16::from(self.edns.is_some());
        let header = [self.id, self.flags, self.questions, 0, 0, additional];
        let mut wire: Vec<u8> = header.iter().flat_map(|it| it.to_be_bytes()).collect();
        for _ in 0..self.questions {
            for label in self.name.split('.').filter(|it| !it.is_empty()) {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend_from_slice(label.as_bytes());
            }
            wire.push(0);
            wire.extend_from_slice(&self.record_type.to_be_bytes());
            wire.extend_from_slice(&self.class.to_be_bytes());
        }
        if let Some(edns) = &self.edns {
            let mut options = Vec::new();
            for (code, data) in &edns.options {
                options.extend_from_slice(&code.to_be_bytes());
                options.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
                options.extend_from_slice(data);
            }
            wire.extend_from_slice(&[0, 0, 41]);
            wire.extend_from_slice(&edns.size.to_be_bytes());
            wire.extend_from_slice(&[0, edns.version]);
            wire.extend_from_slice(&edns.flags.to_be_bytes());
            wire.extend_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
            wire.extend_from_slice(&options);
        }
        wire
    }

    /// With the length before it, as TCP wants it.
    pub(crate) fn framed(&self) -> Vec<u8> {
        framed(&self.wire())
    }
}

pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes(), message].concat()
}

/// An answer, read whole. Records are text: `name TTL type data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) id: u16,
    pub(crate) rcode: String,
    /// Those that are set: `aa tc rd ra z ad cd`.
    pub(crate) flags: String,
    /// The questions' names and types, in the answer's own spelling.
    pub(crate) question: Vec<String>,
    pub(crate) answer: Vec<String>,
    pub(crate) authority: Vec<String>,
    /// Without the OPT record.
    pub(crate) additional: Vec<String>,
    pub(crate) opt: Option<ReplyOpt>,
    pub(crate) length: usize,
}

/// The OPT record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyOpt {
    pub(crate) version: u8,
    pub(crate) size: u16,
    pub(crate) dnssec_ok: bool,
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

impl Reply {
    #[track_caller]
    pub(crate) fn read(wire: &[u8]) -> Self {
        Self::try_read(wire).unwrap_or_else(|it| panic!("{it}: {wire:02x?}"))
    }

    /// Reads a whole message; an answer that can't be read, or isn't one, is an error.
    pub(crate) fn try_read(wire: &[u8]) -> Result<Self, String> {
        let failed = |it: &dyn std::fmt::Display| it.to_string();
        let message = Message::from_octets(wire).map_err(|it| failed(&it))?;
        let header = message.header();
        if !header.qr() {
            return Err("it has QR=0".to_owned());
        }
        let (question, answer, authority, additional) =
            message.sections().map_err(|it| failed(&it))?;
        let question: Result<Vec<String>, _> =
            question.map(|it| it.map(|it| format!("{}. {}", it.qname(), it.qtype()))).collect();
        let flags = [
            ("aa", header.aa()),
            ("tc", header.tc()),
            ("rd", header.rd()),
            ("ra", header.ra()),
            ("z", header.z()),
            ("ad", header.ad()),
            ("cd", header.cd()),
        ];
        let set = flags.iter().filter(|(_, set)| *set).map(|(name, _)| *name);
        let opt = message.opt().map(|it| ReplyOpt {
            version: it.version(),
            size: it.udp_payload_size(),
            dnssec_ok: it.dnssec_ok(),
            options: it
                .opt()
                .iter::<UnknownOptData<_>>()
                .map_while(Result::ok)
                .map(|it| (it.code().to_int(), it.data().to_vec()))
                .collect(),
        });
        Ok(Self {
            id: header.id(),
            rcode: message.opt_rcode().to_string(),
            flags: set.collect::<Vec<_>>().join(" "),
            question: question.map_err(|it| failed(&it))?,
            answer: records(answer)?,
            authority: records(authority)?,
            additional: records(additional)?,
            opt,
            length: wire.len(),
        })
    }

    /// The answer's data alone.
    pub(crate) fn data(&self) -> Vec<String> {
        let data = |it: &String| it.splitn(4, ' ').nth(3).unwrap_or_default().to_owned();
        self.answer.iter().map(data).collect()
    }

    /// `NOERROR aa` and the like.
    pub(crate) fn head(&self) -> String {
        format!("{} {}", self.rcode, self.flags).trim_end().to_owned()
    }

    pub(crate) fn option(&self, code: u16) -> Option<&[u8]> {
        let options = &self.opt.as_ref()?.options;
        options.iter().find(|it| it.0 == code).map(|it| &*it.1)
    }
}

fn records(section: RecordSection<'_, &[u8]>) -> Result<Vec<String>, String> {
    let mut texts = Vec::new();
    for record in section {
        let record = record.map_err(|it| it.to_string())?;
        let (owner, ttl, rtype) = (record.owner(), record.ttl().as_secs(), record.rtype());
        let read = record.to_any_record::<AllRecordData<_, ParsedName<_>>>();
        let data = read.map_err(|it| it.to_string())?.into_data();
        if rtype != Rtype::OPT {
            texts.push(format!("{owner}. {ttl} {rtype} {data}"));
        } else if record.class() == Class::IN {
            return Err("an OPT record of class IN".to_owned());
        }
    }
    Ok(texts)
}

/// A record as text, so that it compares: in lower case, and without dots at the end of names, which not every type shows.
pub(crate) fn canonical(record: &str) -> String {
    let words = record.split(' ').map(|it| it.strip_suffix('.').unwrap_or(it));
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// A UDP socket that only hears from this server.
#[track_caller]
pub(crate) fn client(server: SocketAddr) -> UdpSocket {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Sends a packet and waits for the answer to it; answers to earlier ones are passed over.
pub(crate) fn exchange(socket: &UdpSocket, packet: &[u8]) -> std::io::Result<Vec<u8>> {
    socket.send(packet)?;
    let mut answer = [0; 65_535];
    loop {
        let length = socket.recv(&mut answer)?;
        if answer.get(..2) == packet.get(..2) {
            return Ok(answer.get(..length).unwrap_or_default().to_vec());
        }
    }
}

/// A TCP connection to a server.
#[track_caller]
pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The next answer on a TCP connection.
pub(crate) fn next_reply(stream: &mut TcpStream) -> std::io::Result<Reply> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    Reply::try_read(&message).map_err(std::io::Error::other)
}

/// Asks over a TCP connection that is open.
pub(crate) fn ask_tcp(stream: &mut TcpStream, query: &Query) -> std::io::Result<Reply> {
    stream.write_all(&query.framed())?;
    next_reply(stream)
}
