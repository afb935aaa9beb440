//! Clients that ask for too much, by what they get. What is asked in one batch is asked at one moment.

use super::*;
use crate::dns::cookies::COOKIE;
use crate::dns::rate_limit::RateLimits;
use crate::dns::responder::Limiting;
use crate::metrics::{AnswerClass, CookieStanding, DropReason, Limited};
use crate::settings::RateLimit;

const TCP: Way = Way::Tcp { keepalive: 1 };
const CLIENT_COOKIE: [u8; 12] = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];

/// One of everything in a second; every second one beyond that slips.
fn limits() -> RateLimit {
    RateLimit {
        responses_per_second: 1,
        nxdomains_per_second: 1,
        errors_per_second: 1,
        window: std::time::Duration::from_secs(3600),
        slip: 2,
        ipv4_prefix: 24,
        ipv6_prefix: 56,
        exempt: Box::default(),
    }
}

fn limited(limits: &RateLimit, rest: Policy) -> (Responder, Arc<DnsCounters>) {
    let policy = Policy { rate_limit: Some(RateLimits::new(limits)), ..rest };
    let (responder, counters) = responder_with(&model(ZONE), |_| Verdict::Unknown, policy);
    (responder.limiting(Limiting::new([3; 16])), counters)
}

/// Asks everything in one batch, each from its own address.
fn batch_from<'p>(
    responder: &mut Responder,
    packets: impl IntoIterator<Item = (&'p str, &'p Vec<u8>)>,
    way: Way,
) -> Vec<Vec<u8>> {
    let mut answering = responder.enter();
    let mut answer = vec![0; 65_535];
    let mut respond = |(client, packet): (&str, &Vec<u8>)| {
        let length = answering.respond(packet, client.parse().unwrap(), way, &mut answer);
        answer[..length].to_vec()
    };
    packets.into_iter().map(&mut respond).collect()
}

/// Asks everything in one batch.
fn batch(responder: &mut Responder, client: &str, packets: &[Vec<u8>], way: Way) -> Vec<Vec<u8>> {
    batch_from(responder, packets.iter().map(|it| (client, it)), way)
}

/// The rcode, and what follows: `cut` for an empty truncated answer; nothing at all for silence.
fn word(answer: &[u8]) -> String {
    if answer.is_empty() {
        return "-".to_owned();
    }
    let message = Message::from_octets(answer).unwrap();
    let counts = message.header_counts();
    let records = counts.ancount() + counts.nscount() + counts.arcount();
    let records = records - u16::from(message.opt().is_some());
    match (message.header().tc(), records) {
        (true, 0) => format!("{} cut", message.opt_rcode()),
        _ => message.opt_rcode().to_string(),
    }
}

fn words(answers: &[Vec<u8>]) -> String {
    answers.iter().map(|it| word(it)).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(questions: &[(&str, u16)], expected: &str) {
    let (mut responder, _) = limited(&limits(), policy());
    let packets: Vec<_> = questions.iter().map(|(name, it)| query(name, *it, 0, &[])).collect();
    let answers = batch(&mut responder, "192.0.2.1", &packets, Way::Udp);
    assert_eq!(words(&answers), expected, "{questions:?}");
}

#[test]
fn answers_count_for_names_that_exist_or_else_for_the_zone() {
    const A: u16 = 1;
    const TXT: u16 = 16;
    for (questions, expected) in [
        (&[("app.z.", A); 4][..], "NOERROR, -, NOERROR cut, -"),
        // Each name that exists for itself, in whatever case and of whatever type.
        (&[("app.z.", A), ("txt.z.", TXT), ("APP.Z.", TXT)], "NOERROR, NOERROR, -"),
        (
            &[("ent.z.", A), ("a.ent.z.", TXT), ("z.", A), ("wild.z.", A)],
            "NOERROR, NOERROR, NOERROR, NOERROR",
        ),
        (&[("nowhere.z.", A), ("alias.z.", A), ("app.z.", A)], "NXDOMAIN, NOERROR, NOERROR"),
        // Names that are made up count together.
        (
            &[("x1.z.", A), ("x2.z.", A), ("y.x3.z.", TXT), ("z.", A)],
            "NXDOMAIN, -, NXDOMAIN cut, NOERROR",
        ),
        (&[("1.wild.z.", A), ("2.wild.z.", A), ("3.4.wild.z.", TXT)], "NOERROR, -, NOERROR cut"),
        (&[("*.wild.z.", A), ("1.wild.z.", A)], "NOERROR, NOERROR"),
        (&[("1.dn.z.", A), ("2.dn.z.", A), ("1.wild.z.", A)], "NXDOMAIN, -, NOERROR cut"),
        (
            &[("1.sub.z.", A), ("2.sub.z.", A), ("ns.sub.z.", A), ("sub.z.", 43)],
            "NOERROR, -, NOERROR cut, NOERROR",
        ),
        // Errors, whatever for.
        (
            &[("a.elsewhere.", A), ("b.", A), ("z.", 252), ("z.", 249), ("z.", 128)],
            "REFUSED, -, REFUSED cut, -, FORMERR cut",
        ),
    ] {
        check(questions, expected);
    }
}

#[test]
fn whatever_no_zone_answers_counts_together() {
    let (mut responder, counters) = limited(&limits(), policy());
    let good = query("app.z.", 1, 0, &[]);
    let faulty = good[..good.len() - 1].to_vec();
    let opcode = [&[1, 2, 0x20], &good[3..]].concat();
    let version = query("app.z.", 1, 0, &[&opt(1232, 1, 0, &[])]);
    let mut chaos = query("version.bind.", 16, 0, &[]);
    *chaos.last_mut().unwrap() = 3;
    let bare =
        [&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &opt(1232, 0, 0, &CLIENT_COOKIE)].concat();
    let packets = [faulty, opcode, version, chaos, bare, good];
    let answers = batch(&mut responder, "192.0.2.1", &packets, Way::Udp);
    assert_eq!(words(&answers), "FORMERR, -, BADVERS cut, -, NOERROR cut, NOERROR");
    let count = |what| counters.count_limited(AnswerClass::Error, what);
    assert_eq!((count(Limited::Dropped), count(Limited::Slipped)), (2, 2));
    assert_eq!(counters.count_queries(), 6);
    assert_eq!(counters.count_dropped(DropReason::Short), 0);
}

#[test]
fn what_the_server_says_of_itself_is_cut_too() {
    let identity = Identity { version: Some("farol".to_owned()), id: None };
    let (mut responder, _) =
        limited(&RateLimit { slip: 1, ..limits() }, Policy { identity, ..policy() });
    let mut chaos = query("version.bind.", 16, 0, &[]);
    *chaos.last_mut().unwrap() = 3;
    let answers = batch(&mut responder, "192.0.2.1", &[chaos.clone(), chaos], Way::Udp);
    assert_eq!(words(&answers), "NOERROR, NOERROR cut");
}

#[test]
fn networks_are_limited_and_neighbours_are_not() {
    let (mut responder, counters) = limited(&limits(), policy());
    let packet = query("app.z.", 1, 0, &[]);
    let asked = [
        ("192.0.2.1", "NOERROR"),
        ("192.0.2.200", "-"),
        ("::ffff:192.0.2.3", "NOERROR cut"),
        ("192.0.3.1", "NOERROR"),
        ("2001:db8::1", "NOERROR"),
        ("2001:db8:0:ff::1", "-"),
        ("2001:db8:0:100::1", "NOERROR"),
    ];
    let packets = asked.map(|(client, _)| (client, &packet));
    let answers = batch_from(&mut responder, packets, Way::Udp);
    for (answer, (client, expected)) in answers.iter().zip(asked) {
        assert_eq!(word(answer), expected, "{client}");
    }
    let count = |what| counters.count_limited(AnswerClass::Positive, what);
    assert_eq!((count(Limited::Dropped), count(Limited::Slipped)), (2, 1));
}

#[test]
fn a_good_cookie_or_an_exempt_address_escapes() {
    let exempt = Box::from(["198.51.100.0/25".parse().unwrap()]);
    let (mut responder, counters) = limited(&RateLimit { exempt, slip: 1, ..limits() }, policy());
    let learning = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &CLIENT_COOKIE)]);
    // So many that the debt outlasts this test.
    let answers = batch(&mut responder, "192.0.2.1", &vec![learning; 1000], Way::Udp);
    assert_eq!(words(&answers[..2]), "NOERROR, NOERROR cut", "who has no server cookie is limited");
    // The cookie is in the truncated answer too, behind the OPT record's own octets and the option's head.
    let cookie = answers[1][answers[1].len() - COOKIE..].to_vec();
    let mut option = vec![0, 10, 0, COOKIE as u8];
    option.extend(&cookie);
    let known = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &option)]);
    let answers = batch(&mut responder, "192.0.2.1", &vec![known.clone(); 20], Way::Udp);
    assert!(answers.iter().all(|it| word(it) == "NOERROR"));
    assert_eq!(counters.count_cookies(CookieStanding::Valid), 20);
    // The same cookie is worth nothing to a neighbour.
    assert_eq!(words(&batch(&mut responder, "192.0.2.2", &[known], Way::Udp)), "NOERROR cut");
    let plain = vec![query("app.z.", 1, 0, &[]); 3];
    for (client, expected) in [
        ("198.51.100.127", "NOERROR, NOERROR, NOERROR"),
        ("198.51.100.128", "NOERROR, NOERROR cut, NOERROR cut"),
    ] {
        assert_eq!(words(&batch(&mut responder, client, &plain, Way::Udp)), expected, "{client}");
    }
}

#[test]
fn who_has_to_learn_a_cookie_is_limited_as_by_errors() {
    let rest = Policy { require_server_cookie: true, ..policy() };
    let (mut responder, _) = limited(&limits(), rest);
    let learning = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &CLIENT_COOKIE)]);
    let packets = [learning.clone(), learning.clone(), learning, query("app.z.", 1, 0, &[])];
    let answers = batch(&mut responder, "192.0.2.1", &packets, Way::Udp);
    assert_eq!(words(&answers), "BADCOOKIE, -, BADCOOKIE cut, NOERROR");
}

#[test]
fn a_truncated_answer_has_the_question_and_little_else() {
    let identity = Identity { version: None, id: Some("x".repeat(255)) };
    let (mut responder, _) =
        limited(&RateLimit { slip: 1, ..limits() }, Policy { identity, ..policy() });
    // NSID is asked for, and the error has an extended one.
    let packet = query("Elsewhere.", 1, 1, &[&opt(4096, 0, 0x80, &[0, 3, 0, 0])]);
    let answers = batch(&mut responder, "192.0.2.1", &[packet.clone(), packet.clone()], Way::Udp);
    let question = HEADER..HEADER + 15;
    assert!(answers[0].len() > 270);
    assert_eq!(answers[1].len(), question.end + 11);
    assert_eq!(answers[1][question.clone()], packet[question]);
    assert_eq!(shown(&answers[1]), "REFUSED tc rd");
    let opt = Message::from_octets(&*answers[1]).unwrap().opt().unwrap();
    assert!(opt.dnssec_ok() && opt.opt().is_empty());
}

#[test]
fn who_is_where_it_says_is_never_limited() {
    // TCP's worker keeps no accounts.
    let policy = Policy { rate_limit: Some(RateLimits::new(&limits())), ..policy() };
    let (mut responder, counters) = responder_with(&model(ZONE), |_| Verdict::Unknown, policy);
    let packets = vec![query("app.z.", 1, 0, &[]); 50];
    let answers = batch(&mut responder, "192.0.2.1", &packets, TCP);
    assert!(answers.iter().all(|it| word(it) == "NOERROR"));
    assert_eq!(counters.count_limited(AnswerClass::Positive, Limited::Dropped), 0);
}

#[test]
fn without_limits_nothing_is_limited() {
    let (responder, _) = responder_with(&model(ZONE), |_| Verdict::Unknown, policy());
    let mut responder = responder.limiting(Limiting::new([3; 16]));
    let packets = vec![query("x.z.", 1, 0, &[]); 50];
    let answers = batch(&mut responder, "192.0.2.1", &packets, Way::Udp);
    assert!(answers.iter().all(|it| word(it) == "NXDOMAIN"));
}
