//! Imports of other traffic managers' configurations: what is written runs, and answers as the documentation of where it came
//! from says.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::process::Command;

use common::daemon::{Daemon, Home, data};
use common::dns::{Edns, Query};
use common::program::run;
use common::site::Site;
use common::{free_address, wait_to_see};
use serde_json::Value;

/// What came of one import.
struct Import {
    succeeded: bool,
    configuration: String,
    report: String,
}

/// Runs `farol import` on a text that it reads from standard input.
fn import(source: &str, text: &str, args: &[&str]) -> Import {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    let output = run(command.args(["import", source, "-"]).args(args), text);
    let text = |octets| String::from_utf8(octets).unwrap();
    Import {
        succeeded: output.status.success(),
        configuration: text(output.stdout),
        report: text(output.stderr),
    }
}

/// An example of Azure's as Farol's configuration.
#[track_caller]
fn azure(example: &str, args: &[&str]) -> Import {
    let text = fs::read_to_string(data(&format!("import/azure/{example}.json"))).unwrap();
    imported(&text, args)
}

#[track_caller]
fn imported(text: &str, args: &[&str]) -> Import {
    let import =
        import("azure-traffic-manager", text, &[&["--zone", "gtm.example"], args].concat());
    assert!(import.succeeded, "{}", import.report);
    import
}

/// Asks for a client's network; the answer's data, sorted.
fn answers_for(daemon: &Daemon, name: &str, record_type: &str, client: &str) -> Vec<String> {
    let address: IpAddr = client.parse().unwrap();
    let (family, octets) = match address {
        IpAddr::V4(it) => (1, it.octets().to_vec()),
        IpAddr::V6(it) => (2, it.octets().to_vec()),
    };
    let length = u8::try_from(octets.len() * 8).unwrap();
    let option = [&[0, family, length, 0], &octets[..]].concat();
    let edns = Edns { size: 1232, options: vec![(8, option)], ..Edns::default() };
    let mut data = daemon.ask(&Query::new(name, record_type).edns(edns)).data();
    data.sort();
    data
}

/// Forces an endpoint's state, as its probes would.
#[track_caller]
fn force(daemon: &Daemon, profile: &str, endpoint: &str, state: &str) {
    let path = format!("/v1/profiles/{profile}/endpoints/{endpoint}");
    daemon.api.must("PATCH", &path, &format!(r#"{{"forced": "{state}"}}"#));
}

/// How often each answer comes in so many queries.
fn shares(daemon: &Daemon, name: &str, record_type: &str, queries: u32) -> BTreeMap<String, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..queries {
        *shares.entry(daemon.answers(name, record_type).join(" ")).or_default() += 1;
    }
    shares
}

#[test]
fn priority_answers_with_the_first_that_is_healthy() {
    let (mut first, second) = (Site::start(), Site::start());
    let text = fs::read_to_string(data("import/azure/priority.json")).unwrap();
    let text = text.replace("\"intervalInSeconds\": 10", "\"intervalInSeconds\": 1");
    let import = imported(&text, &[]);
    // The answers are those of the example; its probes go to sites of this test's.
    let at = |config: &str, target: &str, site: &Site| {
        let target = format!("target = \"{target}\"\n");
        assert!(config.contains(&target), "{config}");
        config.replace(&target, &format!("{target}address = \"{}\"\n", site.address))
    };
    let config = at(&import.configuration, "192.0.2.10", &first);
    let config = at(&config, "198.51.100.10", &second);
    let config = at(&config, "203.0.113.10", &second);
    for part in [
        "host = \"orders.contoso.example\"",
        "expected_status = [\"200-202\", \"301-302\"]",
        "{ \"X-Team\" = \"orders\", \"X-Probe\" = \"secondary\" }",
        "enabled = false",
    ] {
        assert!(config.contains(part), "no {part} in {config}");
    }
    let daemon = Daemon::start(&config).ready();
    let name = "orders-prio.gtm.example.";
    wait_to_see(&vec!["192.0.2.10".to_owned()], || daemon.answers(name, "A"));
    first.kill();
    wait_to_see(&vec!["198.51.100.10".to_owned()], || daemon.answers(name, "A"));
    first.revive();
    wait_to_see(&vec!["192.0.2.10".to_owned()], || daemon.answers(name, "A"));
    // All enabled ones Degraded: they serve as if none were. What is disabled never does.
    force(&daemon, name, "primary", "down");
    force(&daemon, name, "secondary", "down");
    assert_eq!(daemon.answers(name, "A"), ["192.0.2.10"]);
    let ttl = daemon.ask(&Query::new(name, "A")).answer[0].clone();
    assert!(ttl.contains(" 20 "), "{ttl}");
}

#[test]
fn weighted_shares_by_weight_and_answers_names_with_cname() {
    let import = azure("weighted", &[]);
    assert!(import.configuration.contains("path = \"/test%20path.aspx\""));
    assert!(import.report.contains("targetResourceId"), "{}", import.report);
    let daemon = Daemon::start(&import.configuration);
    let name = "shop-weighted.gtm.example.";
    let shares = shares(&daemon, name, "A", 200);
    let (blue, green) =
        (shares["blue.azurewebsites.example."], shares["green.azurewebsites.example."]);
    assert!((140..=160).contains(&blue) && blue + green == 200, "{shares:?}");
    force(&daemon, name, "blue-app", "down");
    assert_eq!(daemon.answers(name, "A"), ["green.azurewebsites.example."]);
}

#[test]
fn performance_of_a_template_answers_with_the_nearest() {
    let target = ["--target", "shop-tm/app=www.asia.example"];
    let args = [&["--parameter", "dnsName=Shop"], &target[..]].concat();
    let text = fs::read_to_string(data("import/azure/performance.json")).unwrap();
    let import = imported(&text, &args);
    let clients = "
        [[client_network]]
        cidr = '10.1.0.0/16'
        region = 'FR'
        site = 'northeurope'
        [[client_network]]
        cidr = '10.2.0.0/16'
        site = 'southcentralus'
        [[client_network]]
        cidr = '10.3.0.0/16'
        site = 'southeastasia'
    ";
    let daemon = Daemon::start(&format!("{}{clients}", import.configuration));
    let name = "shop.gtm.example.";
    for (client, expected) in [
        ("10.1.2.3", "www.europe.example."),
        ("10.2.2.3", "www.america.example."),
        ("10.3.2.3", "www.asia.example."),
    ] {
        assert_eq!(answers_for(&daemon, name, "A", client), [expected], "{client}");
    }
    // The nearest of those that are left: from Ireland, Texas is nearer than Singapore.
    force(&daemon, name, "endpoint1", "down");
    assert_eq!(answers_for(&daemon, name, "A", "10.1.2.3"), ["www.america.example."]);
}

#[test]
fn geographic_answers_by_the_narrowest_region_and_by_nothing_else() {
    let import = azure("geographic", &[]);
    let clients = ["DE", "FR", "BQ", "US-CA", "US-WA", "MX", "JP"];
    let clients: String = clients
        .iter()
        .enumerate()
        .map(|(at, it)| format!("[[client_network]]\ncidr = '10.{at}.0.0/16'\nregion = '{it}'\n"))
        .collect();
    let daemon = Daemon::start(&format!("{}{clients}", import.configuration));
    let by = |profile: &str, at: u8| answers_for(&daemon, profile, "A", &format!("10.{at}.1.1"));
    let news = "news-geo.gtm.example.";
    assert_eq!(by(news, 0), ["192.0.2.2"]);
    assert_eq!(by(news, 1), ["192.0.2.1"]);
    assert_eq!(by(news, 2), ["192.0.2.1"]);
    assert_eq!(by(news, 3), ["192.0.2.3"]);
    assert!(by(news, 4).is_empty(), "no region, no answer");
    assert_eq!(by(news, 5), ["192.0.2.3"]);
    assert!(by(news, 6).is_empty());
    assert_eq!(by("news-world.gtm.example.", 6), ["192.0.2.5"]);
    assert_eq!(by("news-world.gtm.example.", 0), ["192.0.2.6"]);
    assert_eq!(by("news-world.gtm.example.", 99), ["192.0.2.6"]);
    // Azure sends a region to its endpoint, healthy or not.
    force(&daemon, news, "germany", "down");
    assert_eq!(by(news, 0), ["192.0.2.2"]);
    assert!(import.report.contains("news/unmapped"), "{}", import.report);
}

#[test]
fn subnet_answers_by_the_clients_network_and_else_by_who_has_none() {
    let daemon = Daemon::start(&azure("subnet", &[]).configuration);
    let name = "intranet.gtm.example.";
    for (client, expected) in [
        ("10.20.200.1", "192.0.2.1"),
        ("10.30.0.1", "192.0.2.1"),
        ("10.30.0.9", "192.0.2.1"),
        ("10.30.0.10", "192.0.2.3"),
        ("10.40.0.5", "192.0.2.2"),
        ("10.40.0.6", "192.0.2.3"),
        ("2001:db8:20::1", "192.0.2.1"),
        ("2001:db8:21::1", "192.0.2.3"),
    ] {
        assert_eq!(answers_for(&daemon, name, "A", client), [expected], "{client}");
    }
}

#[test]
fn multivalue_answers_with_several_that_are_healthy() {
    let import = azure("multivalue", &[]);
    let daemon = Daemon::start(&import.configuration);
    let name = "resolvers.gtm.example.";
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..60 {
        let answer = daemon.answers(name, "A");
        assert_eq!(answer.len(), 2, "{answer:?}");
        assert_ne!(answer[0], answer[1]);
        seen.extend(answer);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(daemon.answers(name, "AAAA"), ["2001:db8::1"]);
    force(&daemon, name, "a", "down");
    force(&daemon, name, "b", "down");
    assert_eq!(daemon.answers(name, "A"), ["192.0.2.3"]);
}

#[test]
fn nested_profiles_count_while_enough_of_their_endpoints_are_healthy() {
    let import = azure("nested", &[]);
    assert!(import.report.contains("bank/elsewhere"), "{}", import.report);
    let daemon = Daemon::start(&import.configuration);
    let name = "bank.gtm.example.";
    let shares = shares(&daemon, name, "A", 100);
    assert!((45..=55).contains(&shares["192.0.2.1"]) && shares.len() == 2, "{shares:?}");
    force(&daemon, "bank-europe.gtm.example.", "paris", "down");
    assert_eq!(daemon.answers(name, "A"), ["192.0.2.3"], "two are asked for");
    assert_eq!(daemon.answers("bank-europe.gtm.example.", "A"), ["192.0.2.1"]);
    force(&daemon, "bank-europe.gtm.example.", "paris", "up");
    assert_ne!(daemon.answers(name, "A"), ["192.0.2.3"]);
}

/// The example of gdnsd, whose every service counts as up here: no probe may leave this machine.
fn gdnsd() -> Import {
    let file = |it: &str| data(&format!("import/gdnsd/{it}")).display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    let args = ["import", "gdnsd", &file("config"), "--zone-file", &file("example.org")];
    let output = run(command.args(args), "");
    let text = |octets| String::from_utf8(octets).unwrap();
    let (configuration, report) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{report}");
    let probed = "protocol = \"http\"\nport = 8080\nhost = \"www.example.org\"\npath = \"/healthz\"\nexpected_status = [\"200\", \"204\"]\ninterval = \"10s\"\ntimeout = \"3s\"\ntolerated_failures = 3\nrequired_successes = 2\n";
    assert!(configuration.contains(probed), "{configuration}");
    let configuration = configuration.replace(probed, "protocol = \"none\"\n");
    Import { succeeded: true, configuration, report }
}

#[test]
fn gdnsds_resources_answer_as_its_manual_says() {
    let import = gdnsd();
    let clients = "
        [[client_network]]
        cidr = '10.2.0.0/16'
        region = 'US-NY'
        site = 'us'
        [[client_network]]
        cidr = '10.3.0.0/16'
        region = 'DE'
        site = 'eu'
        [[client_network]]
        cidr = '10.4.0.0/16'
        region = 'US-CA'
        [[client_network]]
        cidr = '10.5.0.0/16'
        region = 'BR'
    ";
    // What is flattened is asked for, of nobody: no packet may leave this machine.
    let nobody = format!("[resolver]\nservers = '{}'\n", free_address());
    let daemon = Daemon::start(&format!("{}{nobody}{clients}", import.configuration));
    let sorted = |name: &str, record_type: &str| {
        let mut data = daemon.answers(&format!("{name}.example.org."), record_type);
        data.sort();
        data
    };

    let front = shares(&daemon, "front.example.org.", "A", 200);
    assert!((140..=160).contains(&front["192.0.2.1"]), "{front:?}");
    let names = shares(&daemon, "names.example.org.", "A", 100);
    assert!((40..=60).contains(&names["blue.example.net."]), "{names:?}");
    let group = sorted("groups", "A");
    let groups = [["192.0.2.11", "192.0.2.12"], ["192.0.2.13", "192.0.2.14"]];
    assert!(groups.iter().any(|it| group == *it), "one group, all of it: {group:?}");

    assert_eq!(sorted("all", "A"), ["192.0.2.21", "192.0.2.22", "192.0.2.23"]);
    assert_eq!(sorted("all", "AAAA"), ["2001:db8::21"]);
    let all = "all.example.org.";
    force(&daemon, all, "1", "down");
    assert_eq!(sorted("all", "A"), ["192.0.2.22", "192.0.2.23"]);
    for it in ["2", "3"] {
        force(&daemon, all, it, "down");
    }
    let threshold = sorted("all", "A");
    assert_eq!(threshold.len(), 3, "below up_thresh all are up: {threshold:?}");

    assert_eq!(sorted("pair", "A"), ["192.0.2.31"]);
    force(&daemon, "pair.example.org.", "primary", "down");
    assert_eq!(sorted("pair", "A"), ["192.0.2.32"]);
    assert_eq!(sorted("pair", "AAAA"), ["2001:db8::31"], "the families fail over apart");

    assert_eq!(sorted("plain", "A"), ["192.0.2.43", "192.0.2.44"]);
    assert_eq!(sorted("plain-2", "A"), ["192.0.2.45"]);
    for it in ["1", "2"] {
        force(&daemon, "_dc1.plain.example.org.", it, "down");
    }
    assert_eq!(sorted("plain", "A"), ["192.0.2.45"]);
    assert_eq!(sorted("shop", "A"), ["192.0.2.41", "192.0.2.42"]);

    for (client, expected) in [
        ("10.1.0.1", "192.0.2.52"),
        ("10.2.0.1", "192.0.2.52"),
        ("10.3.0.1", "192.0.2.51"),
        ("10.4.0.1", "192.0.2.52"),
        ("10.5.0.1", "192.0.2.51"),
    ] {
        assert_eq!(answers_for(&daemon, "www.example.org.", "A", client), [expected], "{client}");
    }
    assert_eq!(answers_for(&daemon, "app.example.org.", "A", "10.2.0.1"), ["192.0.2.63"]);
    let near = answers_for(&daemon, "app.example.org.", "A", "10.3.0.1");
    assert_eq!(near, ["192.0.2.61", "192.0.2.62"]);

    for part in [
        "extmon",
        "reflect",
        "the second service type smtp",
        "Tokyo",
        "static records: 1",
        "geoip2_db",
        "options of the server itself",
    ] {
        assert!(import.report.contains(part), "no {part} in {}", import.report);
    }
}

#[test]
fn files_are_written_once_and_reports_are_json_too() {
    let home = Home::new("");
    let path = |it: &str| home.path(it).display().to_string();
    let text = fs::read_to_string(data("import/azure/subnet.json")).unwrap();
    let (target, report) = (path("gtm.toml"), path("parity.json"));
    let args =
        ["--zone", "gtm.example", "--write", &target, "--report", &report, "--output", "json"];
    let first = import("azure-traffic-manager", &text, &args);
    assert!(first.succeeded, "{}", first.report);
    assert_eq!(first.configuration, format!("1 profile written to {target}\n"));
    let written: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let shown: Value = serde_json::from_str(&first.report).unwrap();
    assert_eq!(written, shown);
    assert_eq!(written["profiles"][0]["name"], "intranet.gtm.example.");
    assert_eq!(written["zones"][0], "gtm.example.");
    assert!(written["differs"].as_array().unwrap().iter().all(|it| it["places"][0].is_string()));
    let again = import("azure-traffic-manager", &text, &args);
    assert!(!again.succeeded && again.report.contains("exists already"), "{}", again.report);
    let forced = import("azure-traffic-manager", &text, &[&args[..], &["--force"]].concat());
    assert!(forced.succeeded, "{}", forced.report);
    let mut check = Command::new(env!("CARGO_BIN_EXE_farol"));
    assert!(run(check.args(["check", &target]), "").status.success());
}

#[test]
fn several_files_are_one_import_and_parameters_may_stand_in_a_file() {
    let home = Home::new("");
    let kind = "Microsoft.Network/trafficManagerProfiles";
    let parent = format!(
        r#"{{ "name": "top", "trafficRoutingMethod": "Priority", "endpoints": [
            {{ "name": "below", "targetResourceId": "/x/{kind}/below" }} ] }}"#
    );
    let child = format!(
        r#"{{ "$schema": "x", "parameters": {{ "address": {{ "type": "string" }} }}, "resources": [ {{
            "type": "{kind}", "name": "below", "properties": {{ "trafficRoutingMethod": "Weighted", "endpoints": [
                {{ "name": "one", "properties": {{ "alwaysServe": "Enabled", "target": "[parameters('address')]" }} }} ] }} }} ] }}"#
    );
    home.write("parent.json", &parent);
    home.write("child.json", &child);
    home.write("parameters.json", r#"{ "parameters": { "address": { "value": "192.0.2.77" } } }"#);
    let path = |it: &str| home.path(it).display().to_string();
    let args = [&path("parent.json"), &path("child.json")[..], "--zone", "gtm.example"];
    let import = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
        run(command.args(["import", "azure-traffic-manager"]).args(args).args(more), "")
    };
    let open = import(&[]);
    let why = String::from_utf8(open.stderr).unwrap();
    assert!(!open.status.success() && why.contains("--parameter address=VALUE"), "{why}");
    let output = import(&["--parameters", &path("parameters.json")]);
    let configuration = String::from_utf8(output.stdout).unwrap();
    let daemon = Daemon::start(&configuration);
    assert_eq!(daemon.answers("top.gtm.example.", "A"), ["192.0.2.77"]);
}

#[test]
fn what_cannot_be_imported_says_what_was_found_and_what_is_expected() {
    for (text, expected) in [
        ("{\n  \"name\": }", "standard input:2:11: is no JSON"),
        ("", "standard input:1:0: is no JSON"),
        ("7", "found the number 7; expected a Traffic Manager profile"),
        ("{\"a\": 1}", "found an object with a; expected a Traffic Manager profile"),
        ("[]", "found no Traffic Manager profile in it"),
        (
            r#"{"type": "Microsoft.Web/sites", "name": "x"}"#,
            "found no Traffic Manager profile in it",
        ),
        (r#"{"trafficRoutingMethod": "Weighted"}"#, "without `dnsConfig.relativeName`"),
        (r#"{"name": "x", "trafficRoutingMethod": "Sideways"}"#, "no profile is left to write"),
        (r#"{"name": "x", "trafficRoutingMethod": "Weighted"}"#, "no profile is left to write"),
        (
            r#"[{"name": "x", "trafficRoutingMethod": "Weighted"}, {"name": "X", "trafficRoutingMethod": "Weighted"}]"#,
            "x.gtm.example. is given twice: by x and by X",
        ),
        (
            r#"{"resources": [{"type": "Microsoft.Network/trafficManagerProfiles", "name": "[parameters('profile')]"}]}"#,
            "needs the parameter profile: --parameter profile=VALUE",
        ),
    ] {
        let import = import("azure-traffic-manager", text, &[]);
        assert!(!import.succeeded && import.configuration.is_empty(), "{text}");
        assert!(import.report.contains(expected), "{text}: {}", import.report);
    }
    for (text, expected) in [
        ("plugins => {", "standard input:1: a hash has no end"),
        ("plugins => { weighted => 1 }", "no profile is left to write"),
        ("$include{none}", "`none` can't be read"),
    ] {
        let import = import("gdnsd", text, &[]);
        assert!(!import.succeeded && import.report.contains(expected), "{text}: {}", import.report);
    }
}
