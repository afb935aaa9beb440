//! Resolvers that name a client's network (RFC 7871).

use super::*;

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;

const CONFIG: &str = r#"
[[zone]]
name = "z."
nameservers = ["ns1.elsewhere."]
[[profile]]
name = "sub.z."
method = "subnet"
monitor = { protocol = "none" }
endpoint = [
    { name = "near", target = "192.0.2.1", subnets = ["10.20.0.0/16", "2001:db8:20::/48"] },
    { name = "else", target = "192.0.2.2" },
]
[[profile]]
name = "four.z."
method = "subnet"
monitor = { protocol = "none" }
endpoint = [
    { name = "four", target = "192.0.2.4", subnets = "0.0.0.0/0" },
    { name = "else", target = "192.0.2.6" },
]
[[profile]]
name = "all.z."
method = "priority"
monitor = { protocol = "none" }
endpoint = [{ name = "one", target = "192.0.2.3" }]
"#;

fn responder(trusted: Option<&[&str]>) -> Responder {
    let model = load_text(Path::new("farol.toml"), CONFIG).unwrap().model;
    let networks = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect();
    let policy = Policy { ecs_trusted: trusted.map(networks), ..policy() };
    responder_with(&model, |_| Verdict::Unknown, policy).0
}

/// The option with this data.
fn option(data: &[u8]) -> Vec<u8> {
    [&[0, 8, 0, data.len() as u8], data].concat()
}

/// The rcode, the last octet of the answered address, and the option's data.
fn answer(
    responder: &mut Responder,
    name: &str,
    record_type: u16,
    options: Option<&[u8]>,
) -> (u8, Option<u8>, Option<Vec<u8>>) {
    let record = options.map(|it| opt(1232, 0, 0, it));
    let additional: Vec<&[u8]> = record.iter().map(Vec::as_slice).collect();
    let octets = ask(responder, &query(name, record_type, 0, &additional), Way::Udp);
    let message = Message::from_octets(&*octets).unwrap();
    let rcode = message.header().rcode().to_int();
    let address = message.answer().unwrap().next().map(|record| {
        let record = record.unwrap().into_record::<domain::rdata::A>().unwrap();
        record.map(|it| it.data().addr().octets()[3]).unwrap_or_default()
    });
    let data = message.opt().and_then(|it| {
        let mut options = it.opt().iter::<domain::base::opt::UnknownOptData<_>>();
        options
            .find_map(|it| it.ok().filter(|it| it.code().to_int() == 8))
            .map(|it| it.data().to_vec())
    });
    (rcode, address, data)
}

#[test]
fn a_named_network_decides_and_the_scope_is_as_wide_as_the_answer_holds() {
    let mut responder = responder(None);
    let near = [0, 1, 24, 16, 10, 20, 1];
    for (network, address, back) in [
        (&[0, 1, 24, 0, 10, 20, 1][..], 1, &near[..]),
        (&[0, 1, 32, 0, 10, 20, 1, 9], 1, &[0, 1, 32, 16, 10, 20, 1, 9]),
        // What is asked for less closely than it is decided is answered for what was asked, and more would be needed.
        (&[0, 1, 8, 0, 10], 2, &[0, 1, 8, 12, 10]),
        (&[0, 1, 24, 0, 10, 21, 1], 2, &[0, 1, 24, 16, 10, 21, 1]),
        (&[0, 1, 24, 0, 192, 0, 2], 2, &[0, 1, 24, 1, 192, 0, 2]),
        (
            &[0, 2, 56, 0, 0x20, 1, 0x0d, 0xb8, 0, 0x20, 1],
            1,
            &[0, 2, 56, 48, 0x20, 1, 0x0d, 0xb8, 0, 0x20, 1],
        ),
        // Nobody's network: the resolver's address decides, and the answer is for everybody.
        (&[0, 1, 0, 0], 2, &[0, 1, 0, 0]),
        (&[0, 2, 0, 0], 2, &[0, 2, 0, 0]),
    ] {
        let told = answer(&mut responder, "sub.z.", 1, Some(&option(network)));
        assert_eq!(told, (NOERROR, Some(address), Some(back.to_vec())), "{network:?}");
    }
}

/// The answer to an IPv4 network that is written as IPv6 is none for IPv6, however wide it is (RFC 4291 2.5.5.2).
#[test]
fn a_scope_is_in_the_family_that_was_named() {
    let mut responder = responder(None);
    let mapped = |name: &str| {
        let network = [0, 2, 120, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0];
        (name.to_owned(), network.to_vec())
    };
    for ((name, network), address, scope) in [
        (mapped("four.z."), 4, 96),
        (("four.z.".to_owned(), vec![0, 1, 24, 0, 10, 0, 0]), 4, 0),
        (("four.z.".to_owned(), vec![0, 2, 24, 0, 0x20, 1, 0xd]), 6, 3),
        (mapped("sub.z."), 2, 108),
        (mapped("all.z."), 3, 0),
    ] {
        let told = answer(&mut responder, &name, 1, Some(&option(&network)));
        let mut back = network.clone();
        back[3] = scope;
        assert_eq!(told, (NOERROR, Some(address), Some(back)), "{name} {network:?}");
    }
}

#[test]
fn where_the_client_does_not_matter_the_scope_is_0() {
    let mut responder = responder(None);
    let network = option(&[0, 1, 24, 0, 10, 20, 1]);
    let back = Some(vec![0, 1, 24, 0, 10, 20, 1]);
    let told = answer(&mut responder, "all.z.", 1, Some(&network));
    assert_eq!(told, (NOERROR, Some(3), back.clone()));
    // Static data, a name that doesn't exist, and a type that no client has.
    for (name, record_type) in [("z.", 16), ("no.z.", 1), ("sub.z.", 16)] {
        assert_eq!(answer(&mut responder, name, record_type, Some(&network)).2, back, "{name}");
    }
}

#[test]
fn who_does_not_name_a_network_hears_of_none() {
    let mut responder = responder(None);
    for options in [None, Some(&[][..])] {
        let told = answer(&mut responder, "sub.z.", 1, options);
        assert_eq!(told, (NOERROR, Some(2), None), "the resolver's address decides");
    }
}

#[test]
fn malformed_networks_are_form_errors() {
    let mut responder = responder(None);
    let good = option(&[0, 1, 24, 0, 10, 20, 1]);
    let twice = [good.clone(), good].concat();
    for options in [
        option(&[0, 1, 24, 0, 10, 20]),
        option(&[0, 1, 24, 16, 10, 20, 1]),
        option(&[0, 1, 20, 0, 10, 20, 1]),
        option(&[0, 1, 33, 0, 10, 20, 1, 1, 1]),
        option(&[0, 7, 8, 0, 10]),
        option(&[]),
        twice,
    ] {
        let told = answer(&mut responder, "sub.z.", 1, Some(&options));
        assert_eq!((told.0, told.1), (FORMERR, None), "{options:?}");
    }
}

#[test]
fn only_trusted_resolvers_are_believed() {
    let network = option(&[0, 1, 24, 0, 10, 20, 1]);
    for (trusted, address, scope) in [
        (None, 1, 16),
        (Some(&["127.0.0.0/8", "2001:db8::/32"][..]), 1, 16),
        (Some(&["127.0.0.2/32"]), 2, 0),
        (Some(&[]), 2, 0),
    ] {
        let mut responder = responder(trusted);
        let told = answer(&mut responder, "sub.z.", 1, Some(&network));
        let back = vec![0, 1, 24, scope, 10, 20, 1];
        assert_eq!(told, (NOERROR, Some(address), Some(back)), "{trusted:?}");
    }
}
