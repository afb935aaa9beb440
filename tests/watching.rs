//! Changes of the configuration's files are noticed, however they are made, and only if something is different.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::daemon::{Daemon, Home};
use common::dns::Query;
use common::{wait_to_see, wait_until};

const NAME: &str = "www.gtm.example.";

/// A zone in which one name has this address.
fn zone(address: &str) -> String {
    format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[profile]]\nname = '{NAME}'\nmethod = 'priority'\nmonitor = {{ protocol = 'none' }}\nendpoint = [{{ name = 'a', target = '{address}' }}]\n"
    )
}

fn answers(daemon: &Daemon) -> Vec<String> {
    daemon.answers(NAME, "A")
}

#[track_caller]
fn wait_for_answer(daemon: &Daemon, address: &str) {
    wait_to_see(&vec![address.to_owned()], || answers(daemon));
}

/// How many reloads were taken so far.
fn reloads(daemon: &Daemon) -> usize {
    daemon.log().matches(r#""event":"reloaded""#).count()
}

#[test]
fn a_file_is_noticed_that_is_written_or_replaced_or_broken_and_mended() {
    let daemon = Home::new(&zone("192.0.2.1")).environment(&[("FAROL_LOG", "debug")]).start();
    let file = daemon.home.path("farol.toml");
    daemon.home.write("farol.toml", &zone("192.0.2.2"));
    wait_for_answer(&daemon, "192.0.2.2");

    daemon.home.write(".farol.toml.new", &zone("192.0.2.3"));
    fs::rename(daemon.home.path(".farol.toml.new"), &file).unwrap();
    wait_for_answer(&daemon, "192.0.2.3");

    let seen = daemon.logged();
    daemon.home.write("farol.toml", &zone("192.0.2.333"));
    let refused = daemon.event("reload_refused", seen)["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("192.0.2.333"), "{refused}");
    assert_eq!(answers(&daemon), ["192.0.2.3"]);
    fs::remove_file(&file).unwrap();
    let seen = daemon.logged();
    let refused = daemon.event("reload_refused", seen)["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("farol.toml"), "{refused}");
    let seen = daemon.logged();
    daemon.home.write("farol.toml", &zone("192.0.2.4"));
    daemon.event("reloaded", seen);
    assert_eq!(answers(&daemon), ["192.0.2.4"]);

    // What is the same changes nothing, and neither does what is no part of the configuration.
    let (before, seen) = (reloads(&daemon), daemon.logged());
    daemon.home.write("farol.toml", &zone("192.0.2.4"));
    daemon.home.write("farol.toml~", "a backup");
    daemon.event("config_unchanged", seen);
    daemon.home.write("farol.toml", &zone("192.0.2.5"));
    daemon.event("reloaded", seen);
    assert_eq!(answers(&daemon), ["192.0.2.5"]);
    assert_eq!(reloads(&daemon), before + 1);
    daemon.stop();
}

/// Puts files where Kubernetes mounts a ConfigMap: in a directory of their own, which a link is swapped to.
fn mount(at: &Path, version: &str, text: &str) {
    let directory = at.join(version);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("farol.toml"), text).unwrap();
    let former = fs::read_link(at.join("..data"));
    symlink(version, at.join("..data_tmp")).unwrap();
    fs::rename(at.join("..data_tmp"), at.join("..data")).unwrap();
    match former {
        Ok(former) => fs::remove_dir_all(at.join(former)).unwrap(),
        Err(_) => symlink("..data/farol.toml", at.join("farol.toml")).unwrap(),
    }
}

#[test]
fn a_config_map_is_noticed_as_kubernetes_swaps_it() {
    for config in ["mounted", "mounted/farol.toml"] {
        let home = Home::new("");
        let at = home.path("mounted");
        mount(&at, "..2026_a", &zone("192.0.2.1"));
        let daemon = home.configured_by(config).start();
        assert_eq!(answers(&daemon), ["192.0.2.1"]);
        for (version, address) in [("..2026_b", "192.0.2.2"), ("..2026_c", "192.0.2.3")] {
            mount(&at, version, &zone(address));
            wait_for_answer(&daemon, address);
        }
        daemon.stop();
    }
}

#[test]
fn files_that_come_and_go_are_noticed_and_so_is_what_they_name() {
    let home = Home::new("");
    fs::create_dir(home.path("conf")).unwrap();
    fs::create_dir(home.path("zones")).unwrap();
    home.write("conf/a.toml", "[[zone]]\nname = 'example.'\nnameservers = 'ns.example.'\n");
    let daemon = home.configured_by("conf").start();
    let head = || daemon.ask(&Query::new(NAME, "A")).head();
    assert_eq!(head(), "NXDOMAIN aa");

    // It names a file that comes later, in a directory of its own.
    let seen = daemon.logged();
    daemon
        .home
        .write("conf/b.toml", "[[zone]]\nname = 'gtm.example.'\nfile = '../zones/gtm.zone'\n");
    let refused = daemon.event("reload_refused", seen)["message"].as_str().unwrap().to_owned();
    assert!(refused.contains("gtm.zone"), "{refused}");
    let records = |address: &str| {
        format!(
            "$ORIGIN gtm.example.\n$TTL 5\n@ SOA ns.example. h.example. 1 2 3 4 5\n@ NS ns.elsewhere.\nwww A {address}\n"
        )
    };
    for address in ["192.0.2.1", "192.0.2.2"] {
        daemon.home.write("zones/gtm.zone", &records(address));
        wait_for_answer(&daemon, address);
    }
    let metrics = daemon.api.get("/metrics").body;
    assert!(metrics.contains("zone=\"gtm.example.\""), "{metrics}");
    fs::remove_file(daemon.home.path("conf/b.toml")).unwrap();
    wait_to_see(&"NXDOMAIN aa".to_owned(), head);
    // What went away is no metric any more.
    let metrics = daemon.api.get("/metrics").body;
    assert!(!metrics.contains("zone=\"gtm.example.\""), "{metrics}");
    daemon.stop();
}

/// The watchers that the operating system has for a daemon, as descriptors' numbers.
fn watchers(daemon: &Daemon) -> Vec<OsString> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.process())).unwrap();
    let is_watcher =
        |it: &PathBuf| fs::read_link(it).is_ok_and(|it| it.ends_with("anon_inode:inotify"));
    let watchers = descriptors.map(|it| it.unwrap().path()).filter(is_watcher);
    watchers.map(|it| it.file_name().unwrap().to_owned()).collect()
}

fn is_watched(daemon: &Daemon, directory: &Path) -> bool {
    let inode = format!(" ino:{:x} ", fs::metadata(directory).unwrap().ino());
    let info = Path::new("/proc").join(daemon.process().to_string()).join("fdinfo");
    watchers(daemon).iter().any(|it| fs::read_to_string(info.join(it)).unwrap().contains(&inode))
}

#[test]
fn directories_that_were_gone_for_long_are_noticed_when_they_come_back() {
    for config in ["a/b/conf", "a/b/conf/farol.toml"] {
        let home = Home::new("");
        let conf = home.path("a/b/conf");
        fs::create_dir_all(&conf).unwrap();
        home.write("a/b/conf/farol.toml", &zone("192.0.2.1"));
        let daemon = home.configured_by(config).start();
        let (step, gone) = (daemon.home.path("a"), daemon.logged());
        fs::remove_dir_all(&step).unwrap();
        let refused = daemon.event("reload_refused", gone)["message"].as_str().unwrap().to_owned();
        assert!(refused.contains("a/b/conf"), "{refused}");
        // One step, then all the others at once.
        fs::create_dir(&step).unwrap();
        wait_until("watch on the first step", || is_watched(&daemon, &step));
        fs::create_dir_all(&conf).unwrap();
        for address in ["192.0.2.2", "192.0.2.3"] {
            daemon.home.write("a/b/conf/farol.toml", &zone(address));
            wait_for_answer(&daemon, address);
        }
        daemon.stop();
    }
}

#[test]
fn a_file_that_is_touched_all_the_time_delays_neither_a_reload_nor_the_end() {
    let home = Home::new("");
    fs::create_dir(home.path("conf")).unwrap();
    home.write("conf/a.toml", &zone("192.0.2.1"));
    home.write("conf/b.toml", "");
    let daemon = home.configured_by("conf").start();
    let (touched, ended) = (daemon.home.path("conf/b.toml"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                // It is opened for writing, and nothing is written.
                drop(fs::File::options().append(true).open(&touched));
                thread::sleep(Duration::from_millis(50));
            }
        });
        let seen = panic::catch_unwind(AssertUnwindSafe(|| {
            daemon.home.write("conf/a.toml", &zone("192.0.2.2"));
            wait_for_answer(&daemon, "192.0.2.2");
            // An end that takes too long is one with another exit code.
            daemon.stop()
        }));
        ended.store(true, Ordering::Relaxed);
        seen.unwrap();
    });
}

#[test]
fn nothing_is_noticed_where_that_is_not_wanted() {
    for value in ["true", "1", "yes"] {
        let home = Home::new(&zone("192.0.2.1")).environment(&[("FAROL_NO_WATCH", value)]);
        let daemon = home.start();
        assert!(watchers(&daemon).is_empty(), "{value}");
        daemon.home.write("farol.toml", &zone("192.0.2.2"));
        daemon.reload("reloaded");
        assert_eq!(answers(&daemon), ["192.0.2.2"]);
    }
    for value in ["false", "0", "no", ""] {
        let home = Home::new(&zone("192.0.2.1")).environment(&[("FAROL_NO_WATCH", value)]);
        let daemon = home.start();
        daemon.home.write("farol.toml", &zone("192.0.2.2"));
        wait_for_answer(&daemon, "192.0.2.2");
    }
}
