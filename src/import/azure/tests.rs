use serde_json::json;

use super::*;
use crate::import::{Finding, Imported, azure_traffic_manager};

/// A profile with one endpoint, in which `change` has a say.
fn profile(change: Value) -> Value {
    let mut profile = json!({
        "name": "app",
        "type": "Microsoft.Network/trafficManagerProfiles",
        "trafficRoutingMethod": "Weighted",
        "dnsConfig": { "relativeName": "app", "ttl": 30 },
        "monitorConfig": { "protocol": "HTTP", "port": 80, "path": "/" },
        "endpoints": [{
            "name": "one",
            "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints",
            "target": "192.0.2.1",
        }],
    });
    merge(&mut profile, change);
    profile
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

fn import_with(document: &Value, options: &Options) -> Imported {
    let document = Document { name: "x.json".to_owned(), text: document.to_string() };
    azure_traffic_manager(&[document], options).unwrap()
}

#[track_caller]
fn import_of(change: Value) -> Imported {
    import_with(&profile(change), &Options::default())
}

fn endpoint(change: Value) -> Value {
    let mut endpoint = json!({ "name": "one", "target": "192.0.2.1" });
    merge(&mut endpoint, change);
    json!({ "endpoints": [endpoint] })
}

fn says(findings: &[Finding], text: &str) -> bool {
    findings.iter().any(|it| it.what.contains(text) || it.why.contains(text))
}

/// What is written for a change of the profile, and a word of the report's that goes with it.
#[test]
fn properties_of_profiles_have_keys() {
    for (change, key, list, word) in [
        (json!({ "profileStatus": "Disabled" }), "enabled = false", "differs", "profileStatus"),
        (json!({ "dnsConfig": { "ttl": "45" } }), "ttl = 45", "same", "dnsConfig.ttl"),
        (json!({ "dnsConfig": { "ttl": null } }), "ttl = 60", "differs", "no dnsConfig.ttl"),
        (json!({ "trafficRoutingMethod": "priority" }), "method = \"priority\"", "same", "Routing"),
        (
            json!({ "trafficRoutingMethod": "MultiValue", "maxReturn": 3 }),
            "max_return = 3",
            "same",
            "maxReturn",
        ),
        (json!({ "trafficRoutingMethod": "MultiValue" }), "max_return = 1", "same", "no maxReturn"),
        (
            json!({ "trafficRoutingMethod": "MultiValue", "maxReturn": 99 }),
            "max_return = 16",
            "differs",
            "maxReturn",
        ),
        (json!({ "maxReturn": 2 }), "method = \"weighted\"", "same", "maxReturn, which only"),
        (json!({ "trafficViewEnrollmentStatus": "Enabled" }), "", "unsupported", "trafficView"),
        (
            json!({ "allowedEndpointRecordTypes": ["DomainName"] }),
            "",
            "unsupported",
            "allowedEndpointRecordTypes DomainName",
        ),
        (json!({ "tags": { "a": "b" } }), "", "unsupported", "describes the resource"),
        (json!({ "colour": "blue" }), "", "unsupported", "`colour`, found the text \"blue\""),
        (
            json!({ "endpoints": [7] , "name": "x" }),
            "",
            "unsupported",
            "an endpoint that is the number 7",
        ),
        (
            json!({ "monitorConfig": { "protocol": "HTTPS" } }),
            "tls = { verify = false }",
            "same",
            "certificates",
        ),
        (
            json!({ "monitorConfig": { "protocol": "ftp" } }),
            "protocol = \"http\"",
            "unsupported",
            "ftp",
        ),
        (
            json!({ "monitorConfig": { "protocol": "TCP", "port": 25 } }),
            "protocol = \"tcp\"\nport = 25\n",
            "same",
            "path, which TCP",
        ),
        (
            json!({ "monitorConfig": { "protocol": "TCP", "port": null } }),
            "port = 80",
            "unsupported",
            "TCP without a port",
        ),
        (
            json!({ "monitorConfig": { "port": 70_000 } }),
            "port = 65535",
            "differs",
            "`port` = 70000",
        ),
        (
            json!({ "monitorConfig": { "port": true } }),
            "",
            "unsupported",
            "`port` is true, not a whole number",
        ),
        (
            json!({ "monitorConfig": { "path": "a b" } }),
            "path = \"/a%20b\"",
            "differs",
            "the path a b",
        ),
        (
            json!({ "monitorConfig": { "intervalInSeconds": 10 } }),
            "interval = \"10s\"\ntimeout = \"9s\"",
            "same",
            "",
        ),
        (
            json!({ "monitorConfig": { "timeoutInSeconds": 30 } }),
            "timeout = \"29500ms\"",
            "same",
            "",
        ),
        (
            json!({ "monitorConfig": { "toleratedNumberOfFailures": 0 } }),
            "tolerated_failures = 0",
            "same",
            "",
        ),
        (json!({ "monitorConfig": null }), "protocol = \"http\"", "differs", "no monitorConfig"),
        (
            json!({ "monitorConfig": { "expectedStatusCodeRanges": [{ "min": 100, "max": 204 }, { "min": 301, "max": 301 }] } }),
            "expected_status = [\"200-204\", \"301\"]",
            "differs",
            "the statuses 100-204",
        ),
        (
            json!({ "monitorConfig": { "customHeaders": [{ "name": "Host", "value": "a.example:8080" }] } }),
            "host = \"a.example\"",
            "differs",
            "the host a.example:8080",
        ),
        (
            json!({ "monitorConfig": { "customHeaders": [{ "name": "X", "value": "${a}" }] } }),
            "headers = { \"X\" = \"$${a}\" }",
            "same",
            "customHeaders",
        ),
        (
            json!({ "monitorConfig": { "customHeaders": [{ "name": "Connection", "value": "close" }] } }),
            "",
            "unsupported",
            "the header Connection",
        ),
    ] {
        if change.get("endpoints").is_some() {
            let document = Document { name: "x".to_owned(), text: profile(change).to_string() };
            let imported = azure_traffic_manager(&[document], &Options::default()).unwrap();
            assert!(says(&imported.report.unsupported, word));
            continue;
        }
        check(import_of(change), key, list, word);
    }
}

#[track_caller]
fn check(imported: Imported, key: &str, list: &str, word: &str) {
    let Imported { configuration, report } = imported;
    assert!(configuration.contains(key), "no {key} in {configuration}");
    let findings = match list {
        "same" => &report.same,
        "differs" => &report.differs,
        _ => &report.unsupported,
    };
    assert!(says(findings, word), "no {word} in {findings:#?}");
}

#[test]
fn properties_of_endpoints_have_keys() {
    for (method, change, key, list, word) in [
        ("Weighted", json!({ "weight": 7 }), "weight = 7", "same", "weight"),
        ("Weighted", json!({}), "weight = 1", "same", "weight"),
        (
            "Priority",
            json!({ "weight": 7, "priority": 3 }),
            "priority = 3\n",
            "same",
            "weight, which the method",
        ),
        (
            "Weighted",
            json!({ "endpointStatus": "Disabled" }),
            "enabled = false",
            "same",
            "endpointStatus",
        ),
        (
            "Weighted",
            json!({ "endpointStatus": "Sleepy" }),
            "",
            "unsupported",
            "not Enabled or Disabled",
        ),
        (
            "Weighted",
            json!({ "alwaysServe": true }),
            "monitor = { protocol = \"none\" }",
            "same",
            "alwaysServe",
        ),
        (
            "Weighted",
            json!({}),
            "monitor = { host = \"192.0.2.1\" }",
            "same",
            "the target's own name",
        ),
        (
            "Weighted",
            json!({ "target": "WWW.Example.net" }),
            "target = \"www.example.net.\"\nweight = 1\nmonitor = { host = \"www.example.net\" }",
            "same",
            "",
        ),
        (
            "Weighted",
            json!({ "targetResourceId": "/x/y" }),
            "target = \"192.0.2.1\"",
            "differs",
            "targetResourceId",
        ),
        (
            "Weighted",
            json!({ "customHeaders": [{ "name": "host", "value": "own.example" }] }),
            "monitor = { host = \"own.example\" }",
            "same",
            "Host",
        ),
        (
            "Performance",
            json!({ "endpointLocation": "West US 2" }),
            "site = \"westus2\"",
            "same",
            "a site there",
        ),
        (
            "Performance",
            json!({ "endpointLocation": "Atlantis" }),
            "",
            "unsupported",
            "the region Atlantis",
        ),
        ("Performance", json!({}), "", "unsupported", "Performance without endpointLocation"),
        (
            "Geographic",
            json!({ "geoMapping": ["us-ca", "GEO-ME", "XJ"] }),
            "geo = [\"US-CA\", \"GEO-ME\", \"SJ\"]",
            "differs",
            "the region XJ → SJ",
        ),
        (
            "Geographic",
            json!({ "geoMapping": ["DE", "QQ"] }),
            "geo = \"DE\"",
            "unsupported",
            "the region QQ",
        ),
        (
            "Subnet",
            json!({ "subnets": [{ "first": "10.1.2.3", "scope": 8 }] }),
            "subnets = \"10.0.0.0/8\"",
            "same",
            "subnets",
        ),
        (
            "Subnet",
            json!({ "subnets": [{ "first": "10.1.2.3", "last": "10.1.2.1" }, { "first": "10.0.0.0", "scope": 99 }, {}] }),
            "",
            "unsupported",
            "the subnet 10.1.2.3-10.1.2.1",
        ),
        (
            "Weighted",
            json!({ "subnets": [{ "first": "10.1.2.3" }] }),
            "",
            "same",
            "subnets, which the method",
        ),
        (
            "Weighted",
            json!({ "minChildEndpoints": 2, "name": "Größe" }),
            "name = \"gr-e\"",
            "differs",
            "names of endpoints",
        ),
    ] {
        let mut profile = endpoint(change);
        profile["trafficRoutingMethod"] = method.into();
        check(import_of(profile), key, list, word);
    }
}

#[test]
fn what_has_no_place_is_left_out_and_told() {
    let two = |first: Value, second: Value, method: &str| {
        let (mut a, mut b) = (json!({ "name": "a" }), json!({ "name": "b" }));
        merge(&mut a, first);
        merge(&mut b, second);
        import_of(json!({ "trafficRoutingMethod": method, "endpoints": [a, b] }))
    };
    let ip = json!({ "target": "192.0.2.1" });
    for (second, method, word) in [
        (
            json!({ "targetResourceId": "/subscriptions/x/providers/Microsoft.Web/sites/a" }),
            "Weighted",
            "by its targetResourceId alone",
        ),
        (json!({ "target": "localhost" }), "Weighted", "neither an address nor a name in full"),
        (json!({}), "Weighted", "it has no target"),
        (json!({ "target": "a.example" }), "MultiValue", "its target is a name"),
        (ip.clone(), "MultiValue", "name its address twice"),
        (
            json!({ "type": "Microsoft.Network/trafficManagerProfiles/nestedEndpoints", "target": "y.trafficmanager.net" }),
            "Weighted",
            "is not among what was imported",
        ),
        (
            json!({ "type": "Microsoft.Network/trafficManagerProfiles/nestedEndpoints" }),
            "Weighted",
            "neither targetResourceId nor target",
        ),
    ] {
        let Imported { configuration, report } = two(ip.clone(), second, method);
        assert!(says(&report.unsupported, word), "{word}: {:#?}", report.unsupported);
        assert_eq!(configuration.matches("[[profile.endpoint]]").count(), 1, "{word}");
    }
}

#[test]
fn targets_are_given_where_azure_alone_knows_them() {
    let resource = json!({ "endpoints": [{ "name": "Web 1", "targetResourceId": "/x/sites/a" }] });
    for (name, found) in [("Web 1", true), ("app/web 1", true), ("other/Web 1", false)] {
        let targets = vec![(name.to_owned(), "192.0.2.7".to_owned())];
        let options = Options { targets, ..Options::default() };
        let imported = import_with(&profile(resource.clone()), &options);
        assert_eq!(imported.configuration.contains("target = \"192.0.2.7\""), found, "{name}");
        assert_eq!(says(&imported.report.unsupported, "a target for an endpoint"), !found);
    }
}

#[test]
fn names_and_addresses_meet_where_names_are_flattened() {
    let mixed = json!({ "endpoints": [
        { "name": "a", "target": "192.0.2.1", "alwaysServe": "Enabled" },
        { "name": "b", "target": "b.example.net", "alwaysServe": "Enabled" },
    ]});
    check(import_of(mixed), "flatten = true", "differs", "flatten = true");
    let of = |name: &str, endpoints: Value| json!({ "name": name, "trafficRoutingMethod": "Priority", "endpoints": endpoints });
    let nested = |child: &str| {
        let id = format!("/x/Microsoft.Network/trafficManagerProfiles/{child}");
        json!({ "name": child, "targetResourceId": id })
    };
    let list = json!([
        of("top", json!([nested("names"), nested("addresses")])),
        of("names", json!([{ "name": "a", "target": "a.example.net" }])),
        of("addresses", json!([{ "name": "a", "target": "192.0.2.1" }])),
        of("apart", json!([nested("own")])),
        of("own", json!([{ "name": "a", "target": "a.example.net" }])),
    ]);
    let imported = import_with(&list, &Options::default());
    assert_eq!(imported.configuration.matches("flatten = true").count(), 1);
    let differs = imported.report.differs.iter().find(|it| it.what.contains("flatten")).unwrap();
    assert_eq!(differs.places, ["names"]);
}

#[test]
fn rings_are_refused_with_what_the_loader_says() {
    let nested = |name: &str, child: &str| {
        let id = format!("/x/trafficManagerProfiles/{child}");
        json!({ "name": name, "trafficRoutingMethod": "Priority", "endpoints": [{ "name": child, "targetResourceId": id }] })
    };
    let list = json!([nested("a", "b"), nested("b", "a")]);
    let document = Document { name: "x.json".to_owned(), text: list.to_string() };
    match azure_traffic_manager(&[document], &Options::default()) {
        Err(ImportError::Refused { source, .. }) => {
            assert!(source.to_string().contains("leads back to where it started"), "{source}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn children_are_found_by_id_by_name_and_by_their_dns_name() {
    let of = |name: &str, group: &str, relative: &str, endpoints: Value| {
        json!({
            "name": name, "trafficRoutingMethod": "Priority", "endpoints": endpoints,
            "id": format!("/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Network/trafficManagerProfiles/{name}"),
            "dnsConfig": { "relativeName": relative, "ttl": 30 },
        })
    };
    let id = |group: &str, name: &str| {
        format!(
            "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Network/trafficManagerProfiles/{name}"
        )
    };
    let leaf = json!([{ "name": "a", "target": "192.0.2.1" }]);
    let list = json!([
        of(
            "top",
            "g",
            "top",
            json!([
                { "name": "by-id", "targetResourceId": id("G2", "SAME") },
                { "name": "by-dns", "type": "Microsoft.Network/trafficManagerProfiles/nestedEndpoints", "target": "One-DNS.trafficmanager.net" },
                { "name": "by-name", "targetResourceId": id("elsewhere", "only") },
            ])
        ),
        of("same", "g1", "one-dns", leaf.clone()),
        of("same", "g2", "two-dns", leaf.clone()),
        of("only", "g3", "three-dns", leaf),
    ]);
    let configuration = import_with(&list, &Options::default()).configuration;
    for (endpoint, child) in [("by-id", "two-dns"), ("by-dns", "one-dns"), ("by-name", "three-dns")]
    {
        let part = format!("name = \"{endpoint}\"\nprofile = \"{child}.gtm.example.\"");
        assert!(configuration.contains(&part), "no {part} in {configuration}");
    }
}

#[test]
fn the_zone_and_its_nameservers_are_given() {
    let options = Options {
        zone: Some("GTM.Contoso.example".to_owned()),
        nameservers: vec!["ns1.contoso.example".to_owned()],
        ..Options::default()
    };
    let imported = import_with(&profile(json!({})), &options);
    let zone =
        "[[zone]]\nname = \"gtm.contoso.example.\"\nnameservers = [\"ns1.contoso.example.\"]\n";
    assert!(imported.configuration.contains(zone), "{}", imported.configuration);
    assert!(imported.configuration.contains("name = \"app.gtm.contoso.example.\""));
    assert!(imported.report.warnings.is_empty(), "{:?}", imported.report.warnings);
    let wrong = Options { zone: Some("a..b".to_owned()), ..Options::default() };
    let document = Document { name: "x".to_owned(), text: profile(json!({})).to_string() };
    let why = azure_traffic_manager(&[document], &wrong).unwrap_err().to_string();
    assert_eq!(why, "`a..b` is no domain name");
}
