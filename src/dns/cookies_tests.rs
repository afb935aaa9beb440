//! Clients with cookies (RFC 7873), by what they get.

use super::*;
use crate::metrics::CookieStanding;

const TCP: Way = Way::Tcp { keepalive: 1 };
const CLIENT_PART: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn responder(require_server_cookie: bool) -> (Responder, Arc<DnsCounters>) {
    responder_with(&model(""), |_| Verdict::Unknown, Policy { require_server_cookie, ..policy() })
}

/// A cookie as an option.
fn option(cookie: &[u8]) -> Vec<u8> {
    [&[0, 10, 0, cookie.len() as u8], cookie].concat()
}

/// A query without a question.
fn bare(options: &[u8]) -> Vec<u8> {
    [&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &opt(1232, 0, 0, options)].concat()
}

fn with(options: &[u8]) -> Vec<u8> {
    query("app.z.", 1, 0, &[&opt(1232, 0, 0, options)])
}

/// The rcode, the number of answers, and the cookie.
fn asked(responder: &mut Responder, packet: &[u8], way: Way) -> (String, u16, Option<Vec<u8>>) {
    use domain::base::opt::UnknownOptData;
    let octets = ask(responder, packet, way);
    let message = Message::from_octets(&*octets).unwrap();
    let cookie = message.opt().and_then(|it| {
        let options = it.opt().iter::<UnknownOptData<_>>().map(Result::unwrap);
        let mut cookies = options.filter(|it| it.code().to_int() == 10);
        let cookie = cookies.next().map(|it| it.data().to_vec());
        assert!(cookies.next().is_none());
        cookie
    });
    (message.opt_rcode().to_string(), message.header_counts().ancount(), cookie)
}

/// A cookie that is good.
fn good(responder: &mut Responder) -> Vec<u8> {
    let cookie = asked(responder, &bare(&option(&CLIENT_PART)), Way::Udp).2.unwrap();
    assert_eq!(
        (cookie.len(), &cookie[..8], &cookie[8..12]),
        (24, &CLIENT_PART[..], &[1, 0, 0, 0][..])
    );
    cookie
}

#[test]
fn a_client_learns_its_cookie_and_is_known_by_it() {
    for require in [false, true] {
        let (mut responder, _) = responder(require);
        let good = good(&mut responder);
        let mut forged = good.clone();
        forged[23] ^= 1;
        let foreign = [&CLIENT_PART[..], &[9; 8]].concat();
        for (cookie, is_known) in
            [(&good[..], true), (&CLIENT_PART, false), (&forged, false), (&foreign, false)]
        {
            let packet = with(&option(cookie));
            let answered = ("NOERROR".to_owned(), 2, Some(good.clone()));
            let sent_back = ("BADCOOKIE".to_owned(), 0, Some(good.clone()));
            let over_udp = if require && !is_known { &sent_back } else { &answered };
            assert_eq!(&asked(&mut responder, &packet, Way::Udp), over_udp, "{require} {cookie:?}");
            assert_eq!(asked(&mut responder, &packet, TCP), answered, "{require} {cookie:?}");
        }
        // Who has no cookie at all is answered too.
        let plain = query("app.z.", 1, 0, &[]);
        assert_eq!(asked(&mut responder, &plain, Way::Udp), ("NOERROR".to_owned(), 2, None));
    }
}

#[test]
fn a_cookie_may_be_all_that_is_asked_for() {
    let (mut responder, _) = responder(false);
    let good = good(&mut responder);
    let mut forged = good.clone();
    forged[23] ^= 1;
    let mut trailing = bare(&option(&good));
    trailing.push(0);
    for (packet, way, rcode, has_cookie) in [
        (bare(&option(&good)), Way::Udp, "NOERROR", true),
        (bare(&option(&CLIENT_PART)), Way::Udp, "NOERROR", true),
        (bare(&option(&forged)), Way::Udp, "BADCOOKIE", true),
        (bare(&option(&forged)), TCP, "NOERROR", true),
        (bare(&[]), Way::Udp, "FORMERR", false),
        (trailing, Way::Udp, "FORMERR", true),
    ] {
        let expected = (rcode.to_owned(), 0, has_cookie.then(|| good.clone()));
        assert_eq!(asked(&mut responder, &packet, way), expected, "{packet:?}");
    }
}

#[test]
fn cookies_of_wrong_lengths_are_malformed_and_only_the_first_counts() {
    let (mut responder, _) = responder(false);
    for length in 0..60 {
        let packet = with(&option(&vec![5; length]));
        let (rcode, answers, cookie) = asked(&mut responder, &packet, Way::Udp);
        if length == 8 || (16..=40).contains(&length) {
            assert_eq!((rcode.as_str(), answers, cookie.unwrap().len()), ("NOERROR", 2, 24));
        } else {
            assert_eq!((rcode.as_str(), answers, cookie), ("FORMERR", 0, None), "{length}");
        }
    }
    let second = [option(&CLIENT_PART), option(&[9; 3])].concat();
    assert_eq!(asked(&mut responder, &with(&second), Way::Udp).0, "NOERROR");
}

#[test]
fn errors_bring_a_cookie_too_and_it_always_has_its_room() {
    let many: String = (0..90).map(|it| format!("many A 192.0.2.{it}\n")).collect();
    let model = model(&format!("$TTL 60\n{many}"));
    let mut responder = responder_with(&model, |_| Verdict::Unknown, policy()).0;
    let option = option(&CLIENT_PART);
    for (packet, rcode) in [
        (query("elsewhere.", 1, 0, &[&opt(1232, 0, 0, &option)]), "REFUSED"),
        (query("none.z.", 1, 0, &[&opt(1232, 0, 0, &option)]), "NXDOMAIN"),
        (query("z.", 6, 4 << 3, &[&opt(1232, 0, 0, &option)]), "NOTIMP"),
        (query("many.z.", 1, 0, &[&opt(512, 0, 0, &option)]), "NOERROR"),
    ] {
        let (seen, _, cookie) = asked(&mut responder, &packet, Way::Udp);
        assert_eq!((seen.as_str(), cookie.map(|it| it.len())), (rcode, Some(24)), "{rcode}");
    }
}

#[test]
fn cookies_are_counted_by_their_worth() {
    let (mut responder, counters) = responder(false);
    let good = good(&mut responder);
    for cookie in [&good[..], &good, &CLIENT_PART, &[3; 24], &[3; 24], &[3; 30]] {
        asked(&mut responder, &with(&option(cookie)), Way::Udp);
    }
    asked(&mut responder, &query("app.z.", 1, 0, &[]), Way::Udp);
    let count = |it| counters.count_cookies(it);
    let counted = [CookieStanding::Valid, CookieStanding::Bad, CookieStanding::None].map(count);
    assert_eq!(counted, [2, 3, 2]);
}
