//! The responder beside one that is worked out the slow way: random zones and profiles, random questions, random flags and
//! options. What differs is shrunk to the least zone and question that show it.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeSet;

use common::answering::{self, CLIENT, ID, UDP_SIZE};
use common::dns::{Edns, Query, Reply, canonical};
use common::naive::{Meaning, PROFILE_ADDRESSES, PROFILE_TTL, Profile, Served, answer};
use common::zones::{ELSEWHERE, Line, Question, Zone, is_within, questions, zone};
use farol::dns::Over;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The zones that may be there: one in another, one whose name only ends like another's.
const APEXES: [(&str, usize); 4] = [("z.", 30), ("a.z.", 12), ("b.c.z.", 12), ("zz.", 4)];
const QUESTIONS: usize = 60;
const CASES: u32 = 200;

const NSID: u16 = 3;
const CLIENT_SUBNET: u16 = 8;
const COOKIE: u16 = 10;
const KEEPALIVE: u16 = 11;
const EXTENDED_ERROR: u16 = 15;
const UNKNOWN: u16 = 65_001;

/// How something is asked.
#[derive(Clone, Debug)]
struct Manner {
    id: u16,
    /// RD, AD, CD and the like.
    flags: u16,
    opcode: u16,
    class: u16,
    questions: u16,
    edns: Option<Edns>,
}

fn manner() -> impl Strategy<Value = Manner> {
    let option = select(vec![
        (NSID, vec![]),
        (CLIENT_SUBNET, vec![0, 1, 24, 0, 192, 0, 2]),
        (COOKIE, b"farolfar".to_vec()),
        (KEEPALIVE, vec![]),
        (UNKNOWN, vec![1, 2, 3]),
    ]);
    let size = select(&[0, 511, 512, 513, 600, 1231, 1232, 1233, 4096, u16::MAX][..]);
    let version = prop_oneof![9 => Just(0_u8), 1 => 1..=255_u8];
    let edns = (size, version, any::<u16>(), vec(option, 0..6)).prop_map(
        |(size, version, flags, mut options)| {
            let mut seen = BTreeSet::new();
            options.retain(|(code, _)| seen.insert(*code));
            Edns { size, version, flags, options }
        },
    );
    let opcode = prop_oneof![19 => Just(0_u16), 1 => 1..16_u16];
    let class = prop_oneof![19 => Just(1_u16), 1 => select(&[0, 2, 3, 4, 254, 255][..])];
    let number = prop_oneof![19 => Just(1_u16), 1 => select(&[0, 2, 3][..])];
    let edns = proptest::option::of(edns);
    (any::<u16>(), any::<u16>(), opcode, class, number, edns).prop_map(
        |(id, flags, opcode, class, questions, edns)| Manner {
            id,
            // All but QR and the opcode.
            flags: flags & 0x07ff,
            opcode,
            class,
            questions,
            edns,
        },
    )
}

fn profile() -> impl Strategy<Value = (usize, String, Option<String>)> {
    let path = || vec(select(&["a.", "b.", "c.", "d."][..]), 0..3).prop_map(|it| it.concat());
    let owner = (select(&["", "", "*."][..]), path()).prop_map(|(star, it)| format!("{star}{it}"));
    let alias = proptest::option::of(prop_oneof![
        path().prop_map(|it| format!("{it}z.")),
        Just(ELSEWHERE.to_owned())
    ]);
    (0..APEXES.len(), owner, alias)
}

/// Zones with their profiles: each profile in the deepest zone, where nothing keeps it from answering.
fn served() -> impl Strategy<Value = Vec<Served>> {
    let [first, others @ ..] = APEXES.map(|(apex, lines)| zone(apex, lines));
    let others = others.map(proptest::option::of);
    (first, others, vec(profile(), 0..6)).prop_map(|(first, others, profiles)| {
        let zones = std::iter::once(first).chain(others.into_iter().flatten());
        let mut served: Vec<Served> =
            zones.map(|zone| Served { zone, profiles: Vec::new() }).collect();
        for (at, path, alias) in profiles {
            let name = format!("{path}{}", APEXES[at].0);
            let holding = served.iter_mut().filter(|it| is_within(&name, &it.zone.apex));
            let deepest = holding.max_by_key(|it| it.zone.apex.len());
            let Some(zone) = deepest else { continue };
            if may_answer(zone, &name, alias.as_deref()) {
                zone.profiles.push(Profile { name, alias });
            }
        }
        served
    })
}

fn may_answer(served: &Served, name: &str, alias: Option<&str>) -> bool {
    let hides = |it: &Line| match it.record_type {
        "NS" => it.owner != served.zone.apex && is_within(name, &it.owner),
        "DNAME" => it.owner != name && is_within(name, &it.owner),
        _ => false,
    };
    let excludes = |it: &Line| {
        it.owner == name && (alias.is_some() || ["A", "AAAA", "CNAME"].contains(&it.record_type))
    };
    let lines = &served.zone.lines;
    let is_apex = name == served.zone.apex;
    let is_fine = alias.is_none_or(|it| it != name && !is_apex);
    is_fine
        && !lines.iter().any(|it| hides(it) || excludes(it))
        && !served.profiles.iter().any(|it| it.name == name)
}

/// The configuration and its zone files.
fn files(served: &[Served]) -> Vec<(String, String)> {
    let mut config = String::new();
    for Served { zone: Zone { apex, .. }, profiles } in served {
        config += &format!("[[zone]]\nname = '{apex}'\nfile = '{apex}zone'\n");
        for Profile { name, alias } in profiles {
            let addresses = || format!("{:?}", PROFILE_ADDRESSES.map(|(_, address)| address));
            let target = alias.as_ref().map_or_else(addresses, |it| format!("'{it}'"));
            config += &format!(
                "[[profile]]\nname = '{name}'\nmethod = 'priority'\nttl = {PROFILE_TTL}\nmonitor = {{ protocol = 'none' }}\n\
                 endpoint = [{{ name = 'e', target = {target} }}]\n"
            );
        }
    }
    let zones = served.iter().map(|it| (format!("{}zone", it.zone.apex), it.zone.text()));
    std::iter::once(("farol.toml".to_owned(), config)).chain(zones).collect()
}

fn question_and_zones() -> impl Strategy<Value = (Vec<Served>, Vec<(Question, Manner)>)> {
    served().prop_flat_map(|served| {
        let zones = served.iter().flat_map(|it| it.zone.names());
        let profiles = served.iter().flat_map(|it| it.profiles.iter().map(|it| it.name.clone()));
        let names = zones.chain(profiles).chain([".".to_owned(), "z.".to_owned()]).collect();
        let asked = (questions(names, 1..QUESTIONS), vec(manner(), QUESTIONS));
        let asked = asked.prop_map(|(questions, manners)| questions.into_iter().zip(manners));
        (Just(served), asked.prop_map(Iterator::collect))
    })
}

/// What should be answered, whatever is said about the size.
fn expected(served: &[Served], question: &Question, manner: &Manner) -> Meaning {
    let version = manner.edns.as_ref().map_or(0, |it| it.version);
    let has_cookie = |it: &Edns| it.options.iter().any(|(code, _)| *code == COOKIE);
    let rcode = match manner {
        _ if manner.opcode != 0 => "NOTIMP",
        _ if version > 0 => "BADVERS",
        Manner { questions: 0, edns: Some(edns), .. } if has_cookie(edns) => "NOERROR",
        _ if manner.questions != 1 => "FORMERR",
        _ if manner.class != 1 => "REFUSED",
        _ => return answer(served, &question.name, &question.record_type).canonical(),
    };
    Meaning { rcode: rcode.to_owned(), ..Meaning::default() }
}

/// What an answer says, of which the additional section is told apart as the expected one does.
fn seen(reply: &Reply, expected: &Meaning) -> Meaning {
    let lower = |it: &Vec<String>| it.iter().map(|it| canonical(it)).collect::<Vec<_>>();
    let additional = lower(&reply.additional).into_iter();
    let (courtesy, glue) = additional.partition(|it| expected.courtesy.contains(it));
    Meaning {
        rcode: reply.rcode.clone(),
        authoritative: reply.flags.split(' ').any(|it| it == "aa"),
        answer: lower(&reply.answer),
        authority: lower(&reply.authority).into_iter().collect(),
        glue,
        courtesy,
    }
}

/// Whether a part has the whole sets of the other, or none of them.
fn has_whole_sets<'r>(
    part: impl IntoIterator<Item = &'r String>,
    whole: impl IntoIterator<Item = &'r String>,
) -> bool {
    let set = |it: &String| {
        let mut words = it.split(' ');
        [words.next(), words.nth(1)].map(|it| it.unwrap_or_default().to_owned())
    };
    let part: BTreeSet<&String> = part.into_iter().collect();
    let whole: Vec<&String> = whole.into_iter().collect();
    let begun: BTreeSet<_> = part.iter().map(|it| set(it)).collect();
    part.iter().all(|it| whole.contains(it))
        && whole.iter().all(|it| part.contains(it) || !begun.contains(&set(it)))
}

fn check(
    answerer: &mut farol::dns::Answerer,
    served: &[Served],
    question: &Question,
    manner: &Manner,
) -> Result<(), TestCaseError> {
    let mut query = Query::new(&question.name, &question.record_type).opcode(manner.opcode);
    query = Query { id: manner.id, class: manner.class, questions: manner.questions, ..query };
    query.flags |= manner.flags;
    query.edns = manner.edns.clone();
    let packet = query.wire();
    let expected = expected(served, question, manner);
    let whole = answerer.answer(&packet, CLIENT, Over::Tcp).unwrap();
    for over in [Over::Tcp, Over::Udp] {
        let wire = answerer.answer(&packet, CLIENT, over).unwrap();
        let reply = Reply::try_read(&wire).map_err(TestCaseError::fail)?;
        let seen = seen(&reply, &expected);
        let flags: BTreeSet<&str> = reply.flags.split(' ').filter(|it| !it.is_empty()).collect();
        prop_assert_eq!(reply.id, manner.id);
        prop_assert_eq!(wire[2] >> 3 & 0xf, packet[2] >> 3 & 0xf, "the opcode comes back");
        prop_assert_eq!(flags.contains("rd"), manner.flags & 0x0100 != 0);
        prop_assert!(["ra", "z", "ad", "cd"].iter().all(|it| !flags.contains(it)), "{flags:?}");
        let repeated = if manner.questions == 1 { packet.len() - edns_length(manner) } else { 12 };
        if manner.questions == 1 {
            prop_assert_eq!(&wire[12..repeated], &packet[12..repeated], "the question comes back");
        }
        check_edns(&reply, manner, over, &expected)?;
        let most = match (over, &manner.edns) {
            (Over::Tcp, _) => usize::from(u16::MAX),
            (Over::Udp, None) => 512,
            (Over::Udp, Some(edns)) => edns.size.clamp(512, UDP_SIZE).into(),
        };
        prop_assert!(wire.len() <= most);
        if !flags.contains("tc") {
            let complete = Meaning { courtesy: expected.courtesy.clone(), ..seen.clone() };
            prop_assert_eq!(&complete, &expected, "{:?} {:?}", over, &query);
            prop_assert!(seen.courtesy == expected.courtesy || whole.len() > most);
            continue;
        }
        prop_assert!(whole.len() > most, "truncated, though it fits");
        prop_assert_eq!(seen.authoritative, expected.authoritative);
        prop_assert!(has_whole_sets(&seen.answer, &expected.answer));
        prop_assert!(has_whole_sets(&seen.authority, &expected.authority));
        prop_assert!(has_whole_sets(&seen.glue, &expected.glue));
    }
    Ok(())
}

/// The octets of a query's OPT record.
fn edns_length(manner: &Manner) -> usize {
    let options = |it: &Edns| it.options.iter().map(|(_, data)| 4 + data.len()).sum::<usize>();
    manner.edns.as_ref().map_or(0, |it| 11 + options(it))
}

fn check_edns(
    reply: &Reply,
    manner: &Manner,
    over: Over,
    expected: &Meaning,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(reply.opt.is_some(), manner.edns.is_some());
    let (Some(opt), Some(edns)) = (&reply.opt, &manner.edns) else { return Ok(()) };
    prop_assert_eq!((opt.version, opt.size), (0, UDP_SIZE));
    prop_assert_eq!(opt.dnssec_ok, edns.flags & 0x8000 != 0, "DO comes back");
    let asked = |code| edns.version == 0 && edns.options.iter().any(|it| it.0 == code);
    let got = |code| reply.option(code);
    let cookie = got(COOKIE).map(|it| (&it[..8], it.len()));
    prop_assert_eq!(cookie, asked(COOKIE).then_some((&b"farolfar"[..], 24)));
    // An answer that is the same for everybody.
    let subnet = asked(CLIENT_SUBNET).then_some(&[0, 1, 24, 0, 192, 0, 2][..]);
    prop_assert_eq!(got(CLIENT_SUBNET), subnet);
    prop_assert_eq!(got(KEEPALIVE).is_some(), asked(KEEPALIVE) && over == Over::Tcp);
    prop_assert_eq!(got(UNKNOWN), None);
    let has_room = over == Over::Tcp;
    prop_assert!(got(NSID).is_none_or(|it| asked(NSID) && it == ID.as_bytes()));
    prop_assert!(!has_room || got(NSID).is_some() == asked(NSID));
    let why = match &*expected.rcode {
        "NOTIMP" => Some(&[0, 21][..]),
        "REFUSED" => Some(&[0, 20][..]),
        _ => None,
    };
    prop_assert!(got(EXTENDED_ERROR).is_none_or(|it| Some(it) == why));
    prop_assert!(!has_room || expected.rcode != "NOTIMP" || got(EXTENDED_ERROR) == why);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_responder_means_what_the_rfcs_say((served, asked) in question_and_zones()) {
        let files = files(&served);
        let borrowed: Vec<(&str, &[u8])> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let settings = answering::load(&borrowed).map_err(|it| TestCaseError::fail(it.to_string()))?;
        let mut answerer = answering::answerer(&settings.model);
        for (question, manner) in &asked {
            check(&mut answerer, &served, question, manner).map_err(|error| {
                let text: String = files.iter().map(|(_, text)| text.as_str()).collect();
                TestCaseError::fail(format!("{error}\n{question:?} {manner:?}\n{text}"))
            })?;
        }
    }
}
