//! Secrets of probes stand in files and variables, change while the daemon runs, and are shown nowhere.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::daemon::Home;
use common::{loopback, wait_to_see};

/// A site that notes the value of `Authorization` that it is asked with.
fn site() -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind((loopback(), 0)).unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<String>>::default());
    let last = seen.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (mut head, mut octet) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut octet).is_ok() {
                head.push(octet[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let value = head.lines().find_map(|it| it.strip_prefix("Authorization: "));
            *last.lock().unwrap() = value.unwrap_or_default().to_owned();
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    (address, seen)
}

/// Puts a secret where Kubernetes mounts it: in a directory of its own, which a link is swapped to.
fn mount(at: &Path, version: &str, secret: &str) {
    fs::create_dir_all(at.join(version)).unwrap();
    fs::write(at.join(version).join("token"), secret).unwrap();
    symlink(version, at.join("..data_tmp")).unwrap();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    if !at.join("token").is_symlink() {
        symlink("..data/token", at.join("token")).unwrap();
    }
}

#[test]
fn a_secret_that_changes_is_probed_with_and_never_shown() {
    let (address, seen) = site();
    let config = format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'app.gtm.example.'\nmethod = 'priority'\n\
         monitor = {{ interval = '100ms', headers = {{ Authorization = '${{file:secrets/token}} ${{env:SITE}}' }} }}\n\
         endpoint = [{{ name = 'a', target = '192.0.2.1', address = '{address}' }}]\n"
    );
    let home = Home::new(&config).environment(&[("SITE", "hush-env"), ("FAROL_LOG", "trace")]);
    mount(&home.path("secrets"), "..1", "hush-one\n");
    let daemon = home.start().ready();
    let asked_with = || seen.lock().unwrap().clone();
    wait_to_see(&"hush-one hush-env".to_owned(), asked_with);

    let log = daemon.logged();
    mount(&daemon.home.path("secrets"), "..2", "hush-two\n");
    daemon.event("reloaded", log);
    let shown = daemon.api.must("GET", "/v1/profiles/app.gtm.example", "");
    assert_eq!(shown["endpoints"][0]["status"], "Online", "the verdict is kept");
    wait_to_see(&"hush-two hush-env".to_owned(), asked_with);

    // What can't be used is refused, told without the secret, and what runs is kept.
    let log = daemon.logged();
    mount(&daemon.home.path("secrets"), "..3", "hush-three\nhush\n");
    let refused = daemon.event("reload_refused", log)["message"].as_str().unwrap().to_owned();
    let told = "monitor.headers.Authorization: ";
    assert!(refused.contains(told) && refused.contains("secrets/token\" has more"), "{refused}");
    let log = daemon.logged();
    mount(&daemon.home.path("secrets"), "..4", "hush-four\n");
    daemon.event("reloaded", log);
    wait_to_see(&"hush-four hush-env".to_owned(), asked_with);

    let everything = daemon.api.get("/v1/profiles").body + &daemon.api.get("/v1/status").body;
    assert!(!everything.contains("hush"), "{everything}");
    let log = daemon.log();
    assert!(!log.contains("hush"), "the log shows a secret");
    let turns = log.matches(r#""event":"transition""#).count();
    assert_eq!(turns, 1, "the first verdict stays: {log}");
    daemon.stop();
}
