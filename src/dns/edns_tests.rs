//! What EDNS carries: sizes, and who the server is.

use super::*;

/// The data of an option of an answer.
fn option(octets: &[u8], code: u16) -> Option<Vec<u8>> {
    use domain::base::opt::UnknownOptData;
    let opt = Message::from_octets(octets).unwrap().opt()?;
    let mut options = opt.opt().iter::<UnknownOptData<_>>().map(Result::unwrap);
    options.find(|it| it.code().to_int() == code).map(|it| it.data().to_vec())
}

#[test]
fn who_this_is_is_told_to_who_asks_and_only_where_it_is_configured() {
    let asked: &[u8] = &[0, 3, 0, 0];
    let long = "x".repeat(255);
    let deep = format!("{}.z.", ["a".repeat(60).as_str(); 4].join("."));
    for (id, name, size, options, expected) in [
        (Some("ns1"), "app.z.", 1232, asked, Some("ns1")),
        (Some("ns1"), "elsewhere.", 1232, asked, Some("ns1")),
        (Some("ns1"), "app.z.", 1232, &[0, 3, 0, 2, 7, 7], Some("ns1")),
        (Some("ns1"), "app.z.", 1232, &[], None),
        (Some("ns1"), "app.z.", 1232, &[0, 65, 0, 0], None),
        (None, "app.z.", 1232, asked, None),
        (Some(&*long), "app.z.", 512, asked, Some(&*long)),
        // What is asked for has precedence where both don't fit.
        (Some(&*long), &*deep, 512, asked, None),
    ] {
        let identity = Identity { version: None, id: id.map(str::to_owned) };
        let policy = Policy { identity, ..policy() };
        let mut responder = responder_with(&model(""), |_| Verdict::Unknown, policy).0;
        let packet = query(name, 1, 0, &[&opt(size, 0, 0, options)]);
        for way in [Way::Udp, Way::Tcp { keepalive: 1 }] {
            let answer = ask(&mut responder, &packet, way);
            let is_cut = matches!(way, Way::Tcp { .. }) && name == deep;
            let expected = if is_cut { Some(&*long) } else { expected };
            let seen = option(&answer, 3);
            assert_eq!(seen.as_deref(), expected.map(str::as_bytes), "{name} {options:?}");
        }
        assert_eq!(option(&ask(&mut responder, &query(name, 1, 0, &[]), Way::Udp), 3), None);
    }
}

#[test]
fn the_own_size_is_advertised_and_obeyed() {
    let many: String = (0..200).map(|it| format!("many A 192.0.2.{it}\n")).collect();
    let some: String = (0..60).map(|it| format!("some A 192.0.2.{it}\n")).collect();
    let model = model(&format!("$TTL 60\n{many}{some}"));
    for (udp_size, clients, name, fits) in [
        (512, 4096, "some.z.", false),
        (1232, 4096, "some.z.", true),
        (1232, 900, "some.z.", false),
        (1232, 4096, "many.z.", false),
        (4096, 4096, "many.z.", true),
        (4096, 1232, "many.z.", false),
    ] {
        let policy = Policy { udp_size, ..policy() };
        let mut responder = responder_with(&model, |_| Verdict::Unknown, policy).0;
        let answer = ask(&mut responder, &query(name, 1, 0, &[&opt(clients, 0, 0, &[])]), Way::Udp);
        let message = Message::from_octets(&*answer).unwrap();
        assert_eq!(message.opt().unwrap().udp_payload_size(), udp_size);
        assert_eq!(message.header().tc(), !fits, "{udp_size} {clients} {name}");
        assert!(answer.len() <= usize::from(udp_size.min(clients)));
        // Who doesn't speak EDNS takes 512 octets.
        let plain = ask(&mut responder, &query(name, 1, 0, &[]), Way::Udp);
        assert!(plain.len() <= 512);
    }
}
