//! Where clients are: databases and tables that are read at the start, at a reload and by themselves, and what is left in
//! force when one can't be.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::daemon::{Daemon, Home};
use common::dns::Query;
use common::mmdb::database;
use common::{wait_to_see, wait_until};
use serde_json::{Value, json};

fn config(ttl: u32) -> String {
    format!(
        "[geo]\ndatabase = 'geo.mmdb'\nlatency_table = 'latency.csv'\n[[site]]\nname = 'seattle'\n\
         [[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n\
         [[profile]]\nname = 'app.gtm.example.'\nmethod = 'weighted'\nttl = {ttl}\nmonitor = {{ protocol = 'none' }}\n\
         endpoint = [{{ name = 'west', target = '192.0.2.1' }}]\n"
    )
}

/// A database of so many networks, built at this second.
fn built(second: u64, networks: u8) -> Vec<u8> {
    let names: Vec<String> = (0..networks).map(|it| format!("192.0.{it}.0/24")).collect();
    let record = |it: usize| json!({ "country": { "iso_code": "US" }, "location": { "latitude": 47.5, "longitude": it as f64 + 0.5 } });
    let records: Vec<(&str, Value)> =
        names.iter().enumerate().map(|(index, it)| (it.as_str(), record(index))).collect();
    database("Test-City", second, &records)
}

fn home(database: Option<Vec<u8>>) -> Home {
    let home = Home::new(&config(30));
    home.write("latency.csv", "network,seattle\n192.0.2.0/24,12.5\n");
    if let Some(database) = database {
        fs::write(home.path("geo.mmdb"), database).unwrap();
    }
    home
}

/// What is on the disk is either the former file or the new one.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

/// Success, and when what is in force was built, as the metrics have it.
fn metrics(daemon: &Daemon) -> (Option<f64>, Option<f64>) {
    let text = daemon.api.get("/metrics").body;
    let value = |name: &str| {
        let sample = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        sample.map(|it| it.parse().unwrap())
    };
    let loaded = value("farol_geo_database_loaded_timestamp_seconds");
    let built = value("farol_geo_database_build_timestamp_seconds");
    assert_eq!(built.is_some(), loaded.is_some());
    assert!(loaded.is_none_or(|it: f64| it > 1_700_000_000.0), "{loaded:?}");
    (value("farol_geo_database_load_success"), built)
}

fn shown(daemon: &Daemon) -> Value {
    daemon.api.get("/v1/status").json()["geo_database"].clone()
}

fn ttl(daemon: &Daemon) -> u32 {
    let answer = &daemon.ask(&Query::new("app.gtm.example.", "A")).answer[0];
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The exit code of `farol check`, and what it said.
fn check(home: &Home) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    let output = command.arg("check").arg(home.path("farol.toml")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_damaged_database_leaves_the_one_before_in_force_and_nothing_else_waits() {
    let daemon = home(Some(built(1000, 2))).args(&["--no-watch"]).start();
    assert_eq!(metrics(&daemon), (Some(1.0), Some(1000.0)));
    let status = shown(&daemon);
    assert_eq!((&status["networks"], &status["error"]), (&json!(2), &Value::Null));
    assert_eq!(check(&daemon.home), (Some(0), String::new()));

    let whole = built(2000, 3);
    fs::write(daemon.home.path("geo.mmdb"), &whole[..whole.len() / 2]).unwrap();
    daemon.home.write("farol.toml", &config(31));
    let seen = daemon.logged();
    let reloaded = daemon.reload("reloaded");
    assert!(reloaded["settings"].as_str().unwrap().contains("geo"), "{reloaded}");
    let told = daemon.event("geo_database_unreadable", seen);
    assert!(told["error"].as_str().unwrap().contains("it is damaged"), "{told}");
    assert_eq!(ttl(&daemon), 31, "the rest of the reload is in force");
    assert_eq!(metrics(&daemon), (Some(0.0), Some(1000.0)));
    let status = shown(&daemon);
    assert_eq!(status["networks"], json!(2));
    assert_eq!(status["built"], json!("1970-01-01T00:16:40Z"));
    assert!(status["error"].as_str().unwrap().contains("geo.database"), "{status}");
    let (code, said) = check(&daemon.home);
    assert!(code == Some(1) && said.contains("it is damaged"), "{said}");
    let warnings = || daemon.api.must("POST", "/v1/reload", "")["warnings"].clone();
    let told = warnings();
    let instead = "the geo database can't be read, so the one before stays in force: ";
    assert!(told[0].as_str().unwrap().starts_with(instead), "{told}");

    fs::write(daemon.home.path("geo.mmdb"), whole).unwrap();
    daemon.reload("reloaded");
    assert_eq!(warnings(), json!([]));
    assert_eq!(metrics(&daemon), (Some(1.0), Some(2000.0)));
    assert_eq!(shown(&daemon)["networks"], json!(3));

    // A table is configuration like any other: with a bad row nothing is taken.
    daemon.home.write("latency.csv", "network,seattle\n192.0.2.1/24,12.5\n");
    daemon.home.write("farol.toml", &config(32));
    let refused = daemon.reload("reload_refused");
    assert!(
        refused["message"].as_str().unwrap().contains("perhaps 192.0.2.0/24 is meant"),
        "{refused}"
    );
    assert_eq!(ttl(&daemon), 31);
    daemon.stop();
}

#[test]
fn without_a_database_the_daemon_starts_and_takes_it_when_it_comes() {
    let daemon = home(None).start();
    let told = daemon.event("geo_database_unreadable", 0);
    assert!(told["message"].as_str().unwrap().contains("none is in force"), "{told}");
    assert_eq!((ttl(&daemon), metrics(&daemon)), (30, (Some(0.0), None)));
    replace(&daemon.home.path("geo.mmdb"), &built(3000, 1));
    wait_to_see(&(Some(1.0), Some(3000.0)), || metrics(&daemon));
    replace(&daemon.home.path("geo.mmdb"), &built(4000, 1));
    wait_until("newer database", || metrics(&daemon).1 == Some(4000.0));
    daemon.stop();
}
