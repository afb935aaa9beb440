//! What the fuzz targets hold Farol to. `tests/corpus.rs` holds it to the same with the inputs in `corpus/`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a check that fails is what fuzzing looks for"
)]

#[path = "../../tests/common/answering.rs"]
mod answering;

use std::cell::RefCell;

use answering::{CLIENT, UDP_SIZE, answerer, load};
use domain::base::Message;
use domain::base::wire::ParseError;
use farol::dns::{Answerer, Over};
use farol::model::Model;

const CONFIG: &str = include_str!("farol.toml");
const ZONE: &str = include_str!("z.zone");
const INNER: &str = include_str!("in.z.zone");
/// The names asked for of what a zone file or a configuration made.
const ASKED: usize = 12;
/// Types that make a difference.
const TYPES: [u16; 16] = [1, 28, 2, 5, 6, 12, 15, 16, 33, 39, 43, 65, 252, 255, 41, 65_400];
/// Labels of names in the zones of the target `responder`.
const LABELS: [&[u8]; 16] = [
    b"z", b"in", b"www", b"app", b"*", b"wild", b"dn", b"long", b"sub", b"ns", b"ent", b"a", b"c0",
    b"loop", b"big", b"Nosuch",
];

/// Any octets at all are a packet.
pub fn packet(data: &[u8]) {
    thread_local! {
        static ANSWERER: RefCell<Answerer> = RefCell::new(fixed());
    }
    ANSWERER.with_borrow_mut(|it| ask(it, data));
}

/// A question that is well-formed, or nearly so, made of names that lead somewhere. The octets choose among them.
pub fn responder(data: &[u8]) {
    thread_local! {
        static ANSWERER: RefCell<Answerer> = RefCell::new(fixed());
    }
    if let Some(packet) = made(data) {
        ANSWERER.with_borrow_mut(|it| ask(it, &packet));
    }
}

/// A zone file. What is taken is asked for.
pub fn zone(data: &[u8]) {
    if generates_many(data) {
        return;
    }
    let config = b"[[zone]]\nname = 'z.'\nnameservers = 'ns.z.'\nfile = 'z.zone'\n";
    let apex = b"[[zone]]\nname = 'z.'\nfile = 'z.zone'\n";
    for config in [&config[..], apex] {
        let other: (&str, &[u8]) = ("other.zone", b"other A 192.0.2.1\n");
        if let Ok(settings) = load(&[("farol.toml", config), ("z.zone", data), other]) {
            ask_all(&settings.model);
        }
    }
}

/// Whether a `$GENERATE` may make tens of thousands of records. It is bounded at a million, which takes seconds and tells
/// nothing more than ten.
fn generates_many(data: &[u8]) -> bool {
    let generates = data.windows(9).any(|it| it.eq_ignore_ascii_case(b"$GENERATE"));
    let numbers = data.split(|it| !it.is_ascii_digit());
    let number = |it: &[u8]| std::str::from_utf8(it).ok()?.parse::<u64>().ok();
    generates && numbers.filter_map(number).any(|it| (10_000..2_000_000).contains(&it))
}

/// A configuration; its first line may say in which format it is: `toml`, `yaml` or `json`.
pub fn configuration(data: &[u8]) {
    let line = data.split(|it| *it == b'\n').next().unwrap_or_default();
    let rest = data.get(line.len() + 1..).unwrap_or_default();
    let (name, text) = match line {
        b"yaml" => ("farol.yaml", rest),
        b"json" => ("farol.json", rest),
        b"toml" => ("farol.toml", rest),
        _ => ("farol.toml", data),
    };
    if let Ok(settings) = load(&[(name, text), ("z.zone", ZONE.as_bytes())]) {
        ask_all(&settings.model);
    }
}

/// Answers from zones and profiles with something of everything.
fn fixed() -> Answerer {
    let files: [(&str, &[u8]); 3] = [
        ("farol.toml", CONFIG.as_bytes()),
        ("in.z.zone", INNER.as_bytes()),
        ("z.zone", ZONE.as_bytes()),
    ];
    let settings = load(&files).unwrap_or_else(|it| panic!("{it}"));
    answerer(&settings.model)
}

/// Asks for names of every zone and profile, and for names below them.
fn ask_all(model: &Model) {
    let mut answerer = answerer(model);
    let owners = model.zones.iter().flat_map(|it| it.iter().map(|it| it.0).take(ASKED));
    let profiles = model.profiles.iter().map(|it| it.name.borrowed()).take(ASKED);
    for name in owners.chain(profiles) {
        let below = [b"\x05below", name.as_wire()].concat();
        for name in [name.as_wire(), &below] {
            // Below the longest names there is nothing.
            let types = TYPES.iter().filter(|_| name.len() <= 255);
            for record_type in types {
                let mut packet = vec![0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
                packet.extend_from_slice(name);
                packet.extend_from_slice(&record_type.to_be_bytes());
                packet.extend_from_slice(&[0, 1]);
                ask(&mut answerer, &packet);
            }
        }
    }
}

/// A query by the octets: flags, how many labels, each label, type, EDNS or not, and what is left as options.
fn made(data: &[u8]) -> Option<Vec<u8>> {
    let (&[flags0, flags1, labels, kind, edns, size], mut rest) = data.split_first_chunk::<6>()?;
    let counts = if edns & 1 == 1 { [0, 1, 0, 0, 0, 0, 0, 1] } else { [0, 1, 0, 0, 0, 0, 0, 0] };
    // Nearly always a query for an answer.
    let flags0 = if flags0 & 0xf8 == 0xf8 { flags0 & 0x7f } else { flags0 & 0x07 };
    let mut packet = [&[7, 7, flags0, flags1], &counts[..]].concat();
    for _ in 0..labels % 12 {
        let (choice, others) = rest.split_first()?;
        rest = others;
        let label = LABELS[usize::from(choice % 16)];
        // Some labels are as long as they may be.
        let label = if choice & 0xc0 == 0xc0 { &[b'x'; 63][..] } else { label };
        packet.push(u8::try_from(label.len()).ok()?);
        packet.extend_from_slice(label);
    }
    packet.extend_from_slice(b"\x01z\x00");
    packet.extend_from_slice(&TYPES[usize::from(kind % 16)].to_be_bytes());
    packet.extend_from_slice(&[0, if kind & 0xf0 == 0xf0 { 3 } else { 1 }]);
    if edns & 1 == 1 {
        let version = if edns & 0xf0 == 0xf0 { 1 } else { 0 };
        packet.extend_from_slice(&[0, 0, 41, size, 0, 0, version, edns & 0x80, 0]);
        packet.extend_from_slice(&u16::try_from(rest.len()).ok()?.to_be_bytes());
        packet.extend_from_slice(rest);
    }
    Some(packet)
}

/// Asks over both ways, and holds the answers to what every answer is.
fn ask(answerer: &mut Answerer, packet: &[u8]) {
    let whole = answerer.answer(packet, CLIENT, Over::Tcp);
    let answer = answerer.answer(packet, CLIENT, Over::Udp);
    let is_query = packet.len() >= 12 && packet[2] & 0x80 == 0;
    assert_eq!((whole.is_some(), answer.is_some()), (is_query, is_query), "silence");
    let (Some(whole), Some(answer)) = (whole, answer) else { return };
    assert!(answer.len() <= UDP_SIZE.into(), "{} octets", answer.len());
    for answer in [&whole, &answer] {
        assert_eq!(answer[..2], packet[..2], "the identifier");
        assert_eq!(answer[2] & 0xf9, 0x80 | packet[2] & 0x79, "QR, opcode, RD");
        assert_eq!(answer[3] & 0xf0, 0, "RA, Z, AD, CD");
        let message = Message::from_octets(answer.as_slice()).expect("a header");
        let counts = message.header_counts();
        assert!(counts.qdcount() <= 1);
        let (mut question, ..) = message.sections().expect("sections");
        if counts.qdcount() == 1 {
            question.next().expect("a question").expect("a question that can be read");
            let end = question.pos();
            assert_eq!(answer[12..end], packet[12..end], "the question comes back");
        }
        assert_eq!(end(&message).expect("records"), answer.len(), "nothing behind the records");
    }
    let is_cut = answer[2] & 2 != 0;
    assert!(whole[2] & 2 == 0, "nothing is cut over TCP");
    assert!(is_cut || (answer[3] & 0xf) == whole[3] & 0xf, "one rcode");
    assert!(!is_cut || whole.len() > 512, "what fits is not cut");
}

/// Reads all records; gives where the last ends.
fn end(message: &Message<&[u8]>) -> Result<usize, ParseError> {
    let (_, answer, authority, mut additional) = message.sections()?;
    for record in answer.chain(authority) {
        record?;
    }
    for record in additional.by_ref() {
        record?;
    }
    Ok(additional.pos())
}
