use super::*;

pub(in crate::store) fn memory() -> Memory {
    let key = |profile: &str, endpoint: &str| EndpointKey {
        profile: profile.parse().unwrap(),
        endpoint: endpoint.parse().unwrap(),
    };
    let known = |verdict, age: i64| {
        let probed = ["192.0.2.1:443", "[2001:db8::1]:443"].map(|it| it.parse().unwrap()).into();
        let as_of = Timestamp(1_767_323_045_000 - age * 1000);
        Some(Known { verdict, as_of, probed, host: None })
    };
    let host = Some(Arc::new(ProbeHost { name: "a.example.".parse().unwrap(), port: 443 }));
    let named = known(Verdict::Degraded, 5).map(|it| Known { probed: [].into(), host, ..it });
    let turn = |cause| Turn {
        at: Timestamp(1_767_323_045_250),
        from: EndpointStatus::Online,
        since: Some(Timestamp(1_767_323_000_125)),
        to: EndpointStatus::Degraded,
        cause,
    };
    let text = |it: &str| Some(it.to_owned());
    let causes = [
        Cause::Probe { phase: Some(Phase::Tls), reason: text("tls: expired") },
        Cause::Probe { phase: None, reason: None },
        Cause::Profile { profile: "eu.z.".to_owned(), reason: text("b is Degraded") },
        Cause::Change { change: "weight 5".to_owned(), by: "ann".to_owned(), reason: text("why") },
        Cause::Expiry { change: "weight 5".to_owned(), by: "ann".to_owned() },
        Cause::Reload,
        Cause::Start,
    ];
    let turned = Arc::new(causes.into_iter().map(turn).collect::<Timeline>());
    let kept = |profile, endpoint, known, timeline: &Arc<Timeline>| Kept {
        key: key(profile, endpoint),
        known,
        discovered: None,
        timeline: timeline.clone(),
    };
    let never = Arc::default();
    let addresses = ["192.0.2.1", "2001:db8::1"].map(|it| it.parse().unwrap());
    let addresses = Arc::new(addresses.into_iter().collect::<Addresses>());
    let found = KeptAddresses { addresses, at: Timestamp(1_767_323_000_125) };
    let found = Kept { discovered: Some(found), ..kept("www.z.", "found", None, &never) };
    Memory {
        written: Timestamp(1_767_323_045_000),
        endpoints: vec![
            kept("app.z.", "a", known(Verdict::Online, 0), &turned),
            kept("app.z.", "b", known(Verdict::Degraded, 90), &never),
            kept("www.z.", "a", None, &turned),
            kept("www.z.", "named", named, &never),
            found,
        ],
    }
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(from_json(&to_json(&memory()).unwrap()).unwrap(), memory());
}

#[test]
fn an_endpoint_that_never_turned_takes_one_short_entry() {
    let json = to_json(&memory()).unwrap();
    let entry = r#"{"endpoint":"b","known":{"verdict":"degraded","age":90,"probed":["192.0.2.1:443","[2001:db8::1]:443"]}}"#;
    assert!(json.contains(entry), "{json}");
    let entry = r#"{"endpoint":"named","known":{"verdict":"degraded","age":5,"host":{"name":"a.example.","port":443}}}"#;
    assert!(json.contains(entry), "{json}");
}

#[test]
fn words_that_can_not_be_are_damage() {
    let json = to_json(&memory()).unwrap();
    for (good, bad, complaint) in [
        ("\"tls\"", "\"tsl\"", "`tsl` is no phase"),
        ("\"to\":\"Degraded\"", "\"to\":\"Degrated\"", "`Degrated` is no status"),
        ("\"www.z.\"", "\"www..z.\"", "is no name"),
        ("\"written\"", "\"wirtten\"", "unknown field"),
        ("\"endpoint\":\"b\"", "\"endpoint\":\"B!\"", "is no name"),
        (r#"["192.0.2.1","2001:db8::1"]"#, "[]", "discovered addresses are none"),
        ("\"a.example.\"", "\"a..example.\"", "is no name"),
    ] {
        let damage = from_json(&json.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(damage.contains(complaint), "{damage}");
    }
}
