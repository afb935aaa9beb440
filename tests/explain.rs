//! One decision, seen whole: why a client gets an answer, and what answers would be after changes that are only thought of.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers may panic too")]

mod common;

use std::process::Command;

use common::daemon::Daemon;
use serde_json::{Value, json};

/// Nothing is probed but what ends the test at once, so that no status changes by itself.
const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[client_network]]
    cidr = '10.20.0.0/16'
    region = 'US-WA'
    site = 'seattle'
    [[client_network]]
    cidr = '10.30.0.0/16'
    site = 'dublin'
    [[site]]
    name = 'seattle'
    location = { latitude = 47.6, longitude = -122.3, region = 'US-WA' }
    [[site]]
    name = 'dublin'
    location = { latitude = 53.3, longitude = -6.3, region = 'IE' }
    [[site]]
    name = 'paris'
    location = { latitude = 48.9, longitude = 2.4, region = 'FR' }
    [[profile]]
    name = 'near.gtm.example.'
    method = 'performance'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1' },
        { name = 'ie', site = 'dublin', target = '192.0.2.2' },
    ]
    [[profile]]
    name = 'geo.gtm.example.'
    method = 'geographic'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'us', target = '192.0.2.1', geo = 'US' },
        { name = 'eu', site = 'dublin', target = '192.0.2.2', geo = ['GEO-EU', 'FR'] },
        { name = 'rest', target = '192.0.2.3', geo = 'WORLD' },
    ]
    [[profile]]
    name = 'net.gtm.example.'
    method = 'subnet'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'lab', target = '192.0.2.1', subnets = ['10.1.0.0/16', '10.2.0.0/16'] },
        { name = 'all', target = '192.0.2.2' },
    ]
    [[profile]]
    name = 'six.gtm.example.'
    method = 'subnet'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'four', target = '192.0.2.1', subnets = '0.0.0.0/0' },
        { name = 'all', target = '192.0.2.2' },
    ]
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    ttl = 60
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'us', site = 'seattle', target = '192.0.2.1', weight = 60 },
        { name = 'eu', profile = 'eu.gtm.example.', weight = 40 },
    ]
    [[profile]]
    name = 'eu.gtm.example.'
    method = 'weighted'
    ttl = 20
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'dublin', site = 'dublin', target = '192.0.2.2', weight = 3 },
        { name = 'paris', site = 'paris', target = '192.0.2.3', weight = 1, slow_start = '60m' },
    ]
";

/// Answers with their percent.
type Parts = &'static [(&'static str, f64)];

fn explain(daemon: &Daemon, query: &str) -> Value {
    daemon.api.must("GET", &format!("/v1/explain?name={query}"), "")
}

fn what_if(daemon: &Daemon, profile: &str, changes: Value) -> Value {
    let body = json!({"profile": profile, "changes": changes});
    daemon.api.must("POST", "/v1/whatif", &body.to_string())
}

/// Each row's clients and answers that have a part, "now" or "then".
fn parts(answer: &Value, when: &str) -> Vec<(String, Vec<(String, f64)>)> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let rows = answer["rows"].as_array().unwrap().iter().map(|row| {
        let clients = row["clients"].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
        let shares = row["shares"].as_array().unwrap().iter();
        let shares = shares.map(|it| (text(&it["answer"]), it[when].as_f64().unwrap()));
        (clients.join(" "), shares.filter(|it| it.1 > 0.0).collect())
    });
    rows.collect()
}

/// Parts of all clients alike.
fn all(parts: &[(&str, f64)]) -> Vec<(String, Vec<(String, f64)>)> {
    let parts = parts.iter().map(|it| (it.0.to_owned(), it.1)).collect();
    vec![("all clients".to_owned(), parts)]
}

fn farol(daemon: &Daemon, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_farol"))
        .args(args)
        .env("FAROL_SERVER", format!("http://{}", daemon.api.address))
        .env("FAROL_TOKEN_FILE", daemon.home.path("state/admin.token"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn an_explanation_says_where_the_client_is_and_who_said_so() {
    let daemon = Daemon::start(CONFIG);
    let told = explain(&daemon, "near.gtm.example&client=10.20.3.0/24");
    assert_eq!(told["client"], json!({"network": "10.20.3.0/24", "from": "query"}));
    let profile = &told["profiles"][0];
    let location = &profile["location"];
    assert_eq!(
        (&location["table"], &location["range"]),
        (&json!("client_network"), &json!("10.20.0.0/16"))
    );
    assert_eq!((&location["region"], &location["site"]), (&json!("US-WA"), &json!("seattle")));
    assert_eq!((&told["scope"], &told["answers"]), (&json!(16), &json!(["192.0.2.1"])));
    let [west, ie] = [&profile["endpoints"][0], &profile["endpoints"][1]];
    assert_eq!((&west["share"], &ie["share"]), (&json!(100.0), &json!(0.0)));
    assert_eq!(west["why"], "answers, in the site that is nearest by configuration");
    assert!(ie["why"].as_str().unwrap().starts_with("farther: 72"), "{ie}");
    assert_eq!(ie["candidate"], false);

    let told = explain(&daemon, "near.gtm.example");
    assert_eq!(told["client"]["from"], "default");
    assert_eq!(told["profiles"][0]["location"]["table"], "none");
    let wide = explain(&daemon, "near.gtm.example&client=10.0.0.0/8");
    assert!(wide["scope_reason"].as_str().unwrap().contains("the others in /8"), "{wide}");

    let told = explain(&daemon, "geo.gtm.example&client=10.20.0.1");
    let why = |at: usize| told["profiles"][0]["endpoints"][at]["why"].clone();
    assert_eq!(why(0), "answers, serves US");
    assert_eq!(why(1), "does not serve the client's region, US-WA");
    assert_eq!(why(2), "serves WORLD, which is wider than another match");
    let told = explain(&daemon, "net.gtm.example&client=10.2.0.1");
    let why = |at: usize| told["profiles"][0]["endpoints"][at]["why"].clone();
    assert_eq!(why(0), "answers, serves 10.2.0.0/16");
    assert_eq!(why(1), "serves those whose network no other serves");
    // All IPv4 clients are told the same, and those of IPv6 something else.
    let told = explain(&daemon, "six.gtm.example&client=10.1.0.0/16");
    assert_eq!(
        (&told["scope"], &told["scope_reason"]),
        (&json!(0), &json!("every IPv4 client is told the same"))
    );
    assert_eq!(
        explain(&daemon, "six.gtm.example&client=2001:db8::1")["answers"],
        json!(["192.0.2.2"])
    );
    // A network of mapped addresses is the IPv4 one.
    let told = explain(&daemon, "near.gtm.example&client=::ffff:10.20.0.0/112");
    assert_eq!(told["client"]["network"], "10.20.0.0/16");
    assert_eq!(
        (&told["scope"], &told["profiles"][0]["location"]["range"]),
        (&json!(16), &json!("10.20.0.0/16"))
    );
}

#[test]
fn an_explanation_goes_down_to_the_profile_that_answers_and_a_draw_can_be_had_again() {
    let daemon = Daemon::start(CONFIG);
    let nested = (0..200).map(|it| explain(&daemon, &format!("app.gtm.example&draw={it}:0")));
    let told = nested.into_iter().find(|it| it["profiles"].as_array().unwrap().len() == 2).unwrap();
    assert_eq!(told["profiles"][0]["picked"], json!(["eu"]));
    assert_eq!(told["profiles"][1]["name"], "eu.gtm.example.");
    assert_eq!(
        (&told["ttl"], &told["ttl_reason"]),
        (&json!(20), &json!("the least of these profiles, eu.gtm.example."))
    );
    assert_eq!(
        (&told["scope"], &told["scope_reason"]),
        (&json!(0), &json!("the client does not matter"))
    );
    let draw = told["draw"].as_str().unwrap();
    assert_eq!(explain(&daemon, &format!("app.gtm.example&draw={draw}")), told);
    let (code, text) = farol(&daemon, &["explain", "app.gtm.example", "A", "--draw", draw]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&format!("(draw {draw} met eu/")), "{text}");
    assert!(text.contains("eu.gtm.example., nested: A by weighted\n"), "{text}");
    for (query, status, why) in [
        ("app.gtm.example&draw=x", 400, "draw: found `x`; write SEED:SEQUENCE"),
        ("app.gtm.example&client=10.0.0.1/8", 422, "perhaps 10.0.0.0/8 is meant"),
    ] {
        let refused = daemon.api.get(&format!("/v1/explain?name={query}"));
        assert_eq!(refused.status, status);
        assert!(refused.body.contains(why), "{}", refused.body);
    }
}

#[test]
fn what_is_thought_of_is_what_a_change_does() {
    let daemon = Daemon::start(CONFIG);
    let app = "app.gtm.example.";
    let before = daemon.api.must("GET", "/v1/status", "")["generation"].clone();
    let now = all(&[("us", 60.0), ("eu/dublin", 30.0), ("eu/paris", 10.0)]);
    let nothing = what_if(&daemon, app, json!([]));
    assert_eq!((parts(&nothing, "now"), parts(&nothing, "then")), (now.clone(), now.clone()));
    let changes: [(Value, &str, &str, &str, Parts); 5] = [
        (
            json!([{"drain": "site/dublin"}]),
            "POST",
            "/v1/sites/dublin/drain",
            "",
            &[("us", 60.0), ("eu/paris", 40.0)],
        ),
        (json!([{"drain": "site/paris"}]), "POST", "/v1/sites/paris/drain", "", &[("us", 100.0)]),
        (
            json!([{"undrain": "site/dublin"}]),
            "POST",
            "/v1/sites/dublin/undrain",
            "",
            &[("us", 60.0), ("eu/dublin", 40.0)],
        ),
        (
            json!([{"set": {"endpoint": "eu", "weight": 180}}]),
            "PATCH",
            "/v1/profiles/app.gtm.example./endpoints/eu",
            r#"{"weight": 180}"#,
            &[("us", 25.0), ("eu/dublin", 75.0)],
        ),
        (
            json!([{"set": {"endpoint": "eu/dublin", "forced": "down"}}]),
            "PATCH",
            "/v1/profiles/eu.gtm.example./endpoints/dublin",
            r#"{"forced": "down"}"#,
            &[("us", 100.0)],
        ),
    ];
    for (change, method, path, body, expected) in changes {
        let thought = what_if(&daemon, app, change.clone());
        assert_eq!(parts(&thought, "then"), all(expected), "{change}");
        daemon.api.must(method, path, body);
        assert_eq!(parts(&what_if(&daemon, app, json!([])), "now"), all(expected), "{change}");
    }
    let after = daemon.api.must("GET", "/v1/status", "")["generation"].clone();
    assert_eq!(
        after.as_u64().unwrap() - before.as_u64().unwrap(),
        5,
        "only changes made snapshots"
    );
    // It comes back slowly; what is thought of says so.
    let thought = what_if(&daemon, "eu.gtm.example.", json!([{"undrain": "site/paris"}]));
    assert!(
        thought["warnings"][0].as_str().unwrap().starts_with("paris starts slowly: with 10 %"),
        "{thought}"
    );
}

#[test]
fn each_kind_of_client_that_a_profile_tells_apart_has_its_row() {
    let daemon = Daemon::start(CONFIG);
    let row =
        |clients: &str, endpoint: &str| (clients.to_owned(), vec![(endpoint.to_owned(), 100.0)]);
    let geo = what_if(&daemon, "geo.gtm.example.", json!([{"drain": "endpoint/eu"}]));
    let europe = "GEO-EU (no known network) FR (no known network)";
    assert_eq!(parts(&geo, "now"), [row(europe, "eu"), row("US", "us"), row("elsewhere", "rest")]);
    assert_eq!(
        parts(&geo, "then"),
        [row(europe, "rest"), row("US", "us"), row("elsewhere", "rest")]
    );
    let net = what_if(&daemon, "net.gtm.example.", json!([{"method": "priority"}]));
    assert_eq!(
        parts(&net, "now"),
        [row("elsewhere", "all"), row("10.1.0.0/16 10.2.0.0/16", "lab")]
    );
    assert_eq!(
        parts(&net, "then"),
        [row("elsewhere", "lab"), row("10.1.0.0/16 10.2.0.0/16", "lab")]
    );
    let near = what_if(&daemon, "near.gtm.example.", json!([{"drain": "site/seattle"}]));
    let of = |clients: &str| {
        let all = parts(&near, "then").into_iter().zip(parts(&near, "now"));
        let found = all.into_iter().find(|it| it.0.0.starts_with(clients)).unwrap();
        (found.1.1, found.0.1)
    };
    let only = |endpoint: &str| vec![(endpoint.to_owned(), 100.0)];
    assert_eq!(of("10.20.0.0/16 (US-WA, site seattle)"), (only("west"), only("ie")));
    assert_eq!(of("10.30.0.0/16 (site dublin)"), (only("ie"), only("ie")));
    let one = json!({"profile": "near.gtm.example.", "client": "10.30.0.1", "changes": [{"drain": "site/dublin"}]});
    let one = daemon.api.must("POST", "/v1/whatif", &one.to_string());
    assert_eq!(parts(&one, "then"), [("10.30.0.1".to_owned(), only("west"))]);
}

#[test]
fn thoughts_that_make_no_sense_say_what_would() {
    let daemon = Daemon::start(CONFIG);
    for (args, why) in [
        (
            vec!["ap.gtm.example"],
            "no profile is called `ap.gtm.example`; did you mean app.gtm.example.?",
        ),
        (
            vec!["app.gtm.example", "--fail", "site/dublon"],
            "no endpoint in site `dublon`; did you mean dublin?",
        ),
        (
            vec!["app.gtm.example", "--fail", "endpoint/eu/dublon"],
            "has no endpoint `eu/dublon`; did you mean eu/dublin?",
        ),
        (
            vec!["app.gtm.example", "--drain", "seattle"],
            "drain: found `seattle`; write `site/NAME` or `endpoint/NAME`",
        ),
        (vec!["app.gtm.example", "--method", "wieghted"], "did you mean weighted?"),
        (
            vec!["app.gtm.example", "--method", "multivalue"],
            "method: profile[app.gtm.example.].endpoint[eu].profile: is of no use with method = \"multivalue\"",
        ),
        (
            vec!["app.gtm.example", "--set", "us.wieght=3"],
            "there is no key `wieght`; write NAME.KEY=VALUE",
        ),
    ] {
        let (code, text) = farol(&daemon, &[&["whatif"], &args[..]].concat());
        assert!(code != Some(0) && text.contains(why), "{args:?}: {text}");
    }
    let (code, text) = farol(&daemon, &["whatif", "app.gtm.example", "--fail", "site/seattle"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("Warning: us is not probed: it would fail and be answered all the same.\nNo answer would change."), "{text}");
    let (_, text) =
        farol(&daemon, &["whatif", "app.gtm.example", "--set", "us.forced=down", "-o", "yaml"]);
    assert!(text.contains("now: 60"), "{text}");
    let (_, text) = farol(
        &daemon,
        &["whatif", "app.gtm.example", "--set", "us.forced=down", "--set", "eu.enabled=false"],
    );
    assert!(
        text.contains(
            "app.gtm.example.: no endpoint is healthy, so when_none_healthy = serve_all decides"
        ),
        "{text}"
    );
}
