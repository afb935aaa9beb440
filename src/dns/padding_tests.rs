//! Padding (RFC 7830, RFC 8467), and what else differs where nobody on the way can read.

use super::*;
use crate::metrics::Transport;

const WAYS: [Way; 3] = [
    Way::Encrypted { transport: Transport::Tls, keepalive: Some(100) },
    Way::Encrypted { transport: Transport::Https, keepalive: None },
    Way::Encrypted { transport: Transport::Quic, keepalive: None },
];

#[test]
fn answers_are_padded_for_who_pads_where_nobody_can_read() {
    let mut responder = responder_for(ZONE);
    let padded: &[u8] = &[0, 12, 0, 3, 0, 0, 0];
    for (name, record_type) in [("app.z.", 1), ("big.z.", 16), ("missing.z.", 1), ("x.", 1)] {
        let asks = query(name, record_type, 0, &[&opt(1232, 0, 0, padded)]);
        let plain = query(name, record_type, 0, &[&opt(1232, 0, 0, &[])]);
        for way in WAYS {
            let answer = ask(&mut responder, &asks, way);
            assert_eq!(answer.len() % 468, 0, "{name}");
            assert!(Message::from_octets(&*answer).unwrap().opt().is_some(), "{name}");
            let without = ask(&mut responder, &plain, way);
            assert!(without.len() < answer.len(), "{name}");
        }
        for way in [Way::Udp, Way::Tcp { keepalive: 1 }] {
            let answers = [&asks, &plain].map(|it| ask(&mut responder, it, way).len());
            assert_eq!(answers[0], answers[1], "{name}");
        }
    }
}

#[test]
fn keepalive_is_told_in_tls_and_nowhere_else() {
    let mut responder = responder_for(ZONE);
    let packet = query("app.z.", 1, 0, &[&opt(1232, 0, 0, &[0, 11, 0, 0])]);
    let told = WAYS.map(|it| ask(&mut responder, &packet, it).ends_with(&[0, 11, 0, 2, 0, 100]));
    assert_eq!(told, [true, false, false]);
}

#[test]
fn who_asks_encrypted_needs_no_cookie_and_is_told_everything() {
    let many: String = (0..200).map(|it| format!("many A 192.0.2.{it}\n")).collect();
    let policy = Policy { require_server_cookie: true, ..policy() };
    let model = model(&format!("$TTL 60\n{many}"));
    let mut responder = responder_with(&model, |_| Verdict::Unknown, policy).0;
    let bad = opt(512, 0, 0, &[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    for way in WAYS {
        let answer = ask(&mut responder, &query("many.z.", 1, 0, &[&bad]), way);
        assert!(shown(&answer).starts_with("NOERROR aa |"));
        assert!(answer.len() > 3200);
    }
}
