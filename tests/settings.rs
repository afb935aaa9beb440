//! Configuration files on disk, as an operator writes them.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::authority::Authority;
use common::daemon::Home;
use common::dns::Query;
use farol::settings::{Inputs, Problems, Settings, load_text};

fn load(files: &[PathBuf]) -> Result<Settings, Problems> {
    farol::settings::load(&Inputs::from(files.to_vec()))
}

fn samples() -> Vec<PathBuf> {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let files = |directory: PathBuf| fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    let entries = files(config.join("methods")).chain(files(config));
    let mut samples: Vec<PathBuf> = entries.filter(|it| it.is_file()).collect();
    samples.sort();
    assert!(samples.len() >= 12);
    samples
}

/// Puts files into a directory of their own and loads the directory.
fn load_directory(files: &[(&str, &str)]) -> Result<Settings, Problems> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    load(&[directory.path().to_owned()])
}

#[test]
fn every_sample_loads() {
    for sample in samples() {
        let settings = load(std::slice::from_ref(&sample)).unwrap_or_else(|it| panic!("{it}"));
        assert_eq!(settings.files, [sample]);
        assert!(!settings.model.profiles.is_empty());
    }
}

#[test]
fn the_smallest_sample_is_the_same_in_every_format() {
    let minimal: Vec<PathBuf> =
        samples().into_iter().filter(|it| it.file_stem().unwrap() == "minimal").collect();
    assert_eq!(minimal.len(), 3);
    let loaded: Vec<Settings> =
        minimal.into_iter().map(|it| load(&[it]).unwrap_or_else(|it| panic!("{it}"))).collect();
    for other in &loaded {
        assert_eq!(format!("{:?}", other.model), format!("{:?}", loaded[0].model));
    }
}

#[test]
fn the_demo_is_what_it_says() {
    let sample = samples().into_iter().find(|it| it.ends_with("demo.toml")).unwrap();
    let settings = load(&[sample]).unwrap();
    assert_eq!(settings.server.listen, ["127.0.0.1:5353".parse().unwrap()]);
    let [app, www] = &settings.model.profiles[..] else { panic!("two profiles") };
    let weights: Vec<u16> = app.endpoints.iter().map(|it| it.weight).collect();
    assert_eq!((app.method.label(), app.ttl, weights), ("weighted", 5, vec![60, 30, 10]));
    let priorities: Vec<u16> = www.endpoints.iter().map(|it| it.priority).collect();
    assert_eq!((www.method.label(), priorities), ("priority", vec![1, 2, 3]));
    for (index, endpoint) in app.endpoints.iter().chain(&www.endpoints).enumerate() {
        let address = format!("127.0.0.1{}:8443", index % 3 + 1).parse().unwrap();
        assert_eq!(*endpoint.probe.addresses, [address]);
        assert_eq!(endpoint.probe.monitor.protocol.label(), "https");
    }
}

#[test]
fn a_bogus_key_is_refused_in_every_table_of_every_sample() {
    let mut tables = 0;
    for sample in samples().iter().filter(|it| it.extension().is_some_and(|it| it == "toml")) {
        let text = fs::read_to_string(sample).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let headers = lines.iter().enumerate().filter(|(_, line)| line.starts_with('['));
        // Behind each header, at the top, and in each inline table.
        let inline = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.contains("= {") && !line.starts_with('#'));
        let mut damaged = vec![(format!("zzz = 1\n{text}"), 1)];
        for (index, _) in headers {
            let (before, after) = lines.split_at(index + 1);
            damaged.push(([before, &["zzz = 1"], after].concat().join("\n"), index + 2));
        }
        for (index, line) in inline {
            let mut lines: Vec<String> = lines.iter().map(|it| (*it).to_owned()).collect();
            lines[index] = line.replace("= {", "= { zzz = 1,");
            damaged.push((lines.join("\n"), index + 1));
        }
        for (text, line) in damaged {
            let problems = load_text(sample, &text).unwrap_err();
            let [problem] = &problems.iter().collect::<Vec<_>>()[..] else { panic!("{problems}") };
            assert!(problem.key == "zzz" || problem.key.ends_with(".zzz"), "{problem}");
            assert_eq!((problem.line, &problem.file), (Some(line), sample), "{problem}");
            tables += 1;
        }
    }
    assert!(tables > 30, "{tables}");
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let problems = load_directory(&[
        ("10-server.toml", "[server]\nworkers = 0\nlistn = ['127.0.0.1:53']\n"),
        (
            "20-zone.toml",
            "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\nfile = 'gtm.zone'\n\
             [[profile]]\nname = 'app.gtm.example.'\nmethod = 'weighted'\nmonitor = { timeout = '10s' }\n\
             [[profile.endpoint]]\nname = 'seattle'\ntarget = '192.0.2.1'\nweight = 70000\n",
        ),
        ("30-broken.toml", "[[zone]]\nname =\n"),
        ("gtm.zone", "a A 192.0.2.1\nb A\n"),
        ("notes.txt", "not read"),
    ])
    .unwrap_err();
    let shown = problems.to_string();
    for expected in [
        "10-server.toml:2: server.workers: found 0; write a whole number from 1 to 1024",
        "10-server.toml:3: server.listn: no such key; did you mean `listen`?",
        "gtm.zone:2: zone[gtm.example.]: found \"b A\"; the data is incomplete",
        "20-zone.toml:8: profile[app.gtm.example.].monitor.timeout: `timeout` (10s) must be less than `interval` (10s)",
        "20-zone.toml:12: profile[app.gtm.example.].endpoint[seattle].weight: found 70000; write a whole number from 0 to 65535",
        "30-broken.toml:2: is not TOML",
    ] {
        assert!(shown.contains(expected), "{shown}\n  lacks: {expected}");
    }
    assert_eq!(problems.iter().count(), 6, "{shown}");
}

#[test]
fn missing_files_are_told_with_what_to_do() {
    for (paths, expected) in [
        (
            vec![PathBuf::from("/nowhere/farol.toml")],
            "/nowhere/farol.toml: \"/nowhere/farol.toml\" can't be read",
        ),
        (vec![], "no configuration is named; name a `.toml`"),
    ] {
        let problems = load(&paths).unwrap_err();
        assert!(problems.to_string().contains(expected), "{problems}");
        assert_eq!(problems.iter().count(), 1, "{problems}");
    }
    assert!(
        load_directory(&[])
            .unwrap_err()
            .to_string()
            .contains("has no `.toml`, `.yaml`, `.yml` or `.json` file in it; add one")
    );
}

#[test]
fn paths_start_at_the_file_that_names_them() {
    let settings = load_directory(&[
        ("farol.toml", "[[zone]]\nname = 'z.'\nnameservers = 'ns.z.'\nfile = 'z.zone'\n"),
        ("z.zone", "ns A 192.0.2.53"),
    ])
    .unwrap();
    let names: Vec<&str> =
        settings.files.iter().map(|it| it.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["farol.toml", "z.zone"]);
    assert_eq!(settings.warnings, []);
}

/// What a configuration names is as much part of it as the files themselves.
#[test]
fn a_reload_without_a_file_that_is_named_keeps_what_runs() {
    for (table, file, content) in [
        ("file = 'gtm.zone'\n", "gtm.zone", "txt TXT hello\n".to_owned()),
        (
            "[monitor.web]\nprotocol = 'https'\ntls = { ca_file = 'ca.pem' }\n",
            "ca.pem",
            Authority::new("farol tests").certificate(),
        ),
    ] {
        let home = Home::new(&format!(
            "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns1.example.'\n{table}\
             [[profile]]\nname = 'app.gtm.example.'\nmethod = 'priority'\nmonitor = {{ protocol = 'none' }}\n\
             [[profile.endpoint]]\nname = 'one'\ntarget = '192.0.2.1'\n"
        ));
        home.write(file, &content);
        let daemon = home.start();
        fs::remove_file(daemon.home.path(file)).unwrap();
        let refused = daemon.reload("reload_refused").to_string();
        for expected in [file, "can't be read: No such file", "farol.toml:"] {
            assert!(refused.contains(expected), "{refused}\n  lacks: {expected}");
        }
        assert_eq!(daemon.answers("app.gtm.example.", "A"), ["192.0.2.1"]);
        daemon.home.write(file, &content);
        daemon.reload("reloaded");
    }
}

/// The program with flags and variables of its own.
fn check(args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/minimal.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    command.arg("check").arg(sample).args(args).envs(environment.iter().copied());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_check_takes_the_same_layers_as_the_daemon() {
    let address = ["--listen", "127.0.0.1:1", "--listen", "127.0.0.2:1"];
    for (args, environment, code, expected) in [
        (&address[..], &[][..], 0, "ok: 1 zone"),
        (&["--listen", "53"], &[], 1, "flag --listen: server.listen: found \"53\"; write"),
        (&["--admin-listen", "x"], &[], 1, "flag --admin-listen: admin.listen: found \"x\""),
        (&["--state-dir", ""], &[], 1, "flag --state-dir: state.dir: found \"\""),
        (
            &["--set", "server.workers=0"],
            &[],
            1,
            "flag --set server.workers: server.workers: found 0",
        ),
        (&["--set", "server.workers"], &[], 2, "write KEY=VALUE"),
        (
            &[],
            &[("FAROL__SERVER__WORKERS", "0")],
            1,
            "environment variable FAROL__SERVER__WORKERS: server.workers: found 0; write",
        ),
        (&["--set", "server.workers=1"], &[("FAROL__SERVER__WORKERS", "0")], 0, "ok: 1 zone"),
        (&[], &[("FAROL__SERVER__WORKRES", "1")], 1, "did you mean `FAROL__SERVER__WORKERS`?"),
    ] {
        let (found, said) = check(args, environment);
        assert_eq!(found, Some(code), "{args:?} {environment:?}: {said}");
        assert!(said.contains(expected), "{said}\n  lacks: {expected}");
    }
}

#[test]
fn layers_outlast_a_reload() {
    let config =
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns1.example.'\n[server]\nid = 'file'\n";
    let daemon = Home::new(config)
        .args(&["--set", "server.id=flag"])
        .environment(&[("FAROL__SERVER__VERSION", "variable")])
        .start();
    let chaos = |name: &str| daemon.ask(&Query { class: 3, ..Query::new(name, "TXT") }).data();
    assert_eq!([chaos("id.server."), chaos("version.bind.")], [["\"flag\""], ["\"variable\""]]);
    // What the file says below them changes nothing, and no restart is asked for.
    daemon.home.write("farol.toml", &config.replace("'file'", "'other'"));
    let reloaded = daemon.api.must("POST", "/v1/reload", "");
    assert_eq!(reloaded["needs_restart"], serde_json::json!([]));
    assert_eq!(reloaded["settings"], serde_json::json!([]));
}
