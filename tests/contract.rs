//! What the API tells of a request that is wrong, and what it tells of zones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use common::cli::{check, farol};
use common::daemon::{Daemon, Home};
use serde_json::{Value, json};

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = ['ns1.example.', 'ns2.example.']
    file = 'gtm.zone'
    [[zone]]
    name = 'other.example.'
    nameservers = 'ns1.example.'
    soa = { serial = 7, minimum = 30 }
    [[site]]
    name = 'seattle'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'west', site = 'seattle', target = '192.0.2.1' }]
";
const ZONE: &str = "www 60 A 192.0.2.80\nwww 60 A 192.0.2.81\nwww 60 TXT \"a text\"\n\
                    app 60 TXT mine\n* 60 MX 10 www\nodd 60 TYPE65400 \\# 2 0102\n";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";
const RECORDS: &str = "/v1/zones/gtm.example/records";

fn start(zone: &str) -> Daemon {
    let home = Home::new(CONFIG);
    home.write("gtm.zone", zone);
    home.start()
}

/// Where something is wrong, and what is found there.
fn faults(problem: &Value) -> Vec<(String, Value)> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem}"));
    let place = |it: &Value| {
        let places = ["pointer", "parameter", "header"].map(|key| it[key].as_str());
        places.into_iter().flatten().next().unwrap().to_owned()
    };
    errors.iter().map(|it| (place(it), it["found"].clone())).collect()
}

#[test]
fn everything_that_is_wrong_is_pointed_at() {
    let daemon = start(ZONE);
    let long = "x".repeat(1001);
    for (method, path, body, status, expected) in [
        (
            "PATCH",
            WEST,
            json!({"weight": 70000, "priority": "1", "forced": "off", "expires": "soon", "a/b~": [1]}),
            400,
            &[
                "/weight=70000",
                "/priority=\"1\"",
                "/forced=\"off\"",
                "/expires=\"soon\"",
                "/a~1b~0=null",
            ][..],
        ),
        ("PATCH", WEST, json!({"weight": 1, "reason": long}), 400, &["/reason=null"]),
        ("PATCH", WEST, json!({"weight": 1, "expires": "0s"}), 422, &["/expires=\"0s\""]),
        ("PATCH", WEST, json!([]), 400, &["=null"]),
        (
            "POST",
            "/v1/changes",
            json!({"changes": [
                {"profile": "app.gtm.example.", "endpoint": "west", "weight": -1},
                {"site": "Seattle", "drained": "yes"},
                {},
                5,
            ], "dry_run": 1}),
            400,
            &[
                "/changes/0/weight=-1",
                "/changes/1/site=\"Seattle\"",
                "/changes/1/drained=\"yes\"",
                "/changes/3=5",
                "/dry_run=1",
            ],
        ),
        ("POST", "/v1/changes", json!({"changes": [{}]}), 400, &["/changes/0=null"]),
        ("POST", "/v1/changes", json!({}), 400, &["/changes=null"]),
        (
            "POST",
            "/v1/whatif",
            json!({"changes": [{"fail": "seattle"}, {"set": {"endpoint": "A", "weight": 1.5}}], "type": "MX"}),
            400,
            &[
                "/profile=null",
                "/type=\"MX\"",
                "/changes/0/fail=\"seattle\"",
                "/changes/1/set/endpoint=\"A\"",
                "/changes/1/set/weight=1.5",
            ],
        ),
        (
            "POST",
            "/v1/tokens",
            json!({"name": "Ann", "role": "root", "profiles": ["a..b", 5], "expires": "1y"}),
            400,
            &[
                "/name=\"Ann\"",
                "/role=\"root\"",
                "/profiles/0=\"a..b\"",
                "/profiles/1=5",
                "/expires=\"1y\"",
            ],
        ),
        (
            "POST",
            "/v1/tokens",
            json!({"name": "admin", "role": "admin"}),
            422,
            &["/name=\"admin\""],
        ),
        (
            "GET",
            "/v1/profiles?limit=0&zone=a..b&sity=x&status=up",
            Value::Null,
            400,
            &["limit=\"0\"", "zone=\"a..b\"", "status=\"up\"", "sity=\"x\""],
        ),
        ("GET", "/v1/audit?limit=5&limit=6", Value::Null, 400, &["limit=null"]),
        (
            "GET",
            "/v1/zones/gtm.example/records?type=NONE&after=x",
            Value::Null,
            400,
            &["type=\"NONE\"", "after=\"x\""],
        ),
    ] {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let refused = daemon.api.send(method, path, &body);
        assert_eq!(refused.status, status, "{path} {body}: {}", refused.body);
        let told = faults(&refused.json());
        let told: Vec<String> = told.iter().map(|(at, found)| format!("{at}={found}")).collect();
        assert_eq!(told, expected, "{path} {body}: {}", refused.body);
        // People are told the same.
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail.lines().count(), expected.len(), "{detail}");
    }
    let twice = daemon.api.send("PATCH", WEST, r#"{"weight": 1, "weight": 2}"#);
    assert!(twice.status == 400 && twice.body.contains("is there twice"), "{}", twice.body);
    let refused = daemon.api.send_with("PATCH", WEST, r#"{"weight": 1}"#, "If-Match: x\r\n");
    assert_eq!(faults(&refused.json()), [("if-match".to_owned(), Value::Null)]);
    assert_eq!(daemon.endpoint("app.gtm.example.", "west")["overrides"], json!([]));
}

#[test]
fn zones_and_their_records_are_told() {
    let daemon = start(ZONE);
    let told = daemon.api.must("GET", "/v1/zones", "");
    let names: Vec<&Value> =
        told["zones"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["gtm.example.", "other.example."]);
    let (gtm, other) = (&told["zones"][0], &told["zones"][1]);
    assert_eq!(gtm["nameservers"], json!(["ns1.example.", "ns2.example."]));
    assert_eq!(
        (&gtm["records"], &gtm["names"], &gtm["profiles"]),
        (&json!(9), &json!(5), &json!(1))
    );
    assert_eq!(gtm["file"], daemon.home.path("gtm.zone").display().to_string());
    assert_eq!((&other["serial"], &other["profiles"]), (&json!(7), &json!(0)));
    assert_eq!(
        other["soa"],
        json!({"mname": "ns1.example.", "rname": "hostmaster.other.example.", "refresh": 3600,
               "retry": 600, "expire": 604_800, "minimum": 30, "ttl": 3600})
    );

    let all = daemon.api.must("GET", RECORDS, "")["records"].clone();
    let line = |it: &Value| {
        ["name", "ttl", "type", "data"].map(|key| it[key].to_string().replace('"', "")).join(" ")
    };
    let lines: Vec<String> = all.as_array().unwrap().iter().map(line).collect();
    assert_eq!(lines.len(), 9, "{lines:?}");
    for expected in [
        "www.gtm.example. 60 A 192.0.2.81",
        "*.gtm.example. 60 MX 10 www.gtm.example.",
        "odd.gtm.example. 60 TYPE65400 \\\\# 2 0102",
        "gtm.example. 3600 NS ns2.example.",
    ] {
        assert!(lines.iter().any(|it| it == expected), "{expected}: {lines:?}");
    }
    // Pages hold each record once.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = daemon.api.must("GET", &format!("{RECORDS}?limit=2{after}"), "");
        paged.extend(page["records"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", next.replace(' ', "%20"));
    }
    assert_eq!(json!(paged), all);
    for (query, count) in [
        ("name=WWW.gtm.example", 3),
        ("name=www.gtm.example&type=txt", 1),
        ("type=MX", 1),
        ("name=nobody.gtm.example.", 0),
        ("type=TYPE65400", 1),
    ] {
        let told = daemon.api.must("GET", &format!("{RECORDS}?{query}"), "");
        assert_eq!(told["records"].as_array().unwrap().len(), count, "{query}: {told}");
    }
    let missing = daemon.api.get("/v1/zones/gmt.example/records");
    assert!(missing.status == 404 && missing.body.contains("gtm.example."), "{}", missing.body);

    let etag = daemon.api.get(RECORDS).header("etag").to_owned();
    assert_eq!(gtm["etag"], etag.as_str());
    daemon.home.write("gtm.zone", &format!("{ZONE}new 60 A 192.0.2.9\n"));
    daemon.api.must("POST", "/v1/reload", "");
    let now = daemon.api.must("GET", "/v1/zones", "");
    assert_ne!(now["zones"][0]["etag"], etag.as_str());
    assert_eq!(now["zones"][1]["etag"], other["etag"]);

    let server = format!("http://{}", daemon.api.address);
    let token = std::fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    let variables = [("FAROL_SERVER", &*server), ("FAROL_TOKEN", token.trim())];
    check(
        &farol(&["zone", "list"], &variables),
        0,
        &["gtm.example.", "ns1.example., ns2.example."],
    );
    let asked = ["zone", "records", "gtm.example", "--name", "www.gtm.example", "--type", "A"];
    check(&farol(&asked, &variables), 0, &["www.gtm.example.   60  A     192.0.2.80"]);
}

#[test]
fn who_is_limited_to_profiles_sees_their_zones_and_names() {
    let daemon = start(ZONE);
    let limited = |profile: &str| {
        let body = json!({"name": "ann", "role": "viewer", "profiles": [profile]});
        let made = daemon.api.must("POST", "/v1/tokens", &body.to_string());
        daemon.api.with_token(made["secret"].as_str().unwrap())
    };
    let api = limited("app.gtm.example.");
    let told = api.must("GET", "/v1/zones", "");
    assert_eq!(told["zones"].as_array().unwrap().len(), 1, "{told}");
    let records = api.must("GET", RECORDS, "");
    assert_eq!(records["records"].as_array().unwrap().len(), 1, "{records}");
    assert_eq!(records["records"][0]["data"], "\"mine\"");
    for zone in ["other.example.", "nobody.example."] {
        assert_eq!(api.get(&format!("/v1/zones/{zone}/records")).status, 403, "{zone}");
    }
    assert_eq!(limited("x.gtm.example.").must("GET", "/v1/zones", ""), json!({"zones": []}));
}

#[test]
fn a_large_zone_is_told_page_by_page() {
    const NAMES: usize = 100_000;
    let zone: String = (0..NAMES).map(|it| format!("n{it} 60 A 192.0.2.1\n")).collect();
    let daemon = start(&zone);
    let told = daemon.api.must("GET", "/v1/zones", "");
    assert_eq!(told["zones"][0]["records"], NAMES + 3);
    let page = daemon.api.must("GET", &format!("{RECORDS}?limit=1000"), "");
    assert_eq!(page["records"].as_array().unwrap().len(), 1000);
    let none = daemon.api.must("GET", &format!("{RECORDS}?type=MX"), "");
    assert_eq!(none, json!({"records": []}));
}
