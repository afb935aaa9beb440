//! Schemathesis, which knows nothing of Farol but its description, asks for whatever that allows and for what it forbids:
//! answers are as described, what is allowed is taken, and what is forbidden is refused.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::daemon::{Home, data};

const CONFIG: &str = "
    [admin]
    rate_limit = 1000000
    rate_burst = 1000000
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    file = 'gtm.zone'
    [[site]]
    name = 'seattle'
    [[site]]
    name = 'orlando'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    endpoint = [
        { name = 'seattle', site = 'seattle', target = '192.0.2.1', weight = 80 },
        { name = 'orlando', site = 'orlando', target = '192.0.2.2', weight = 20 },
    ]
    [[profile]]
    name = 'eu.gtm.example.'
    method = 'priority'
    failback = 'manual'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', target = '192.0.2.3' }, { name = 'app', profile = 'app.gtm.example.' }]
    [[profile]]
    name = 'own.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'push', push = { token = 'token-of-the-site' }, interval = '1h' }
    endpoint = [{ name = 'west', target = '192.0.2.4' }]
";
const ZONE: &str = "www 60 A 192.0.2.80\nwww 60 TXT \"a text\"\nmail 60 MX 10 www\n";

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    told
}

/// The program, in a virtual environment that is made where it is missing or of other versions.
fn schemathesis() -> PathBuf {
    let wanted = data("schemathesis/requirements.txt");
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let made = environment.join("requirements.txt");
    let versions = fs::read_to_string(&wanted).unwrap();
    if fs::read_to_string(&made).ok().as_ref() != Some(&versions) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment));
        let mut pip = Command::new(environment.join("bin/pip"));
        run(pip
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"])
            .arg(&wanted));
        fs::write(made, versions).unwrap();
    }
    environment.join("bin/schemathesis")
}

#[test]
fn the_api_is_what_its_description_says() {
    let program = schemathesis();
    let home = Home::new(CONFIG);
    home.write("gtm.zone", ZONE);
    let daemon = home.start().ready();
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    let mut command = Command::new(program);
    command.current_dir(daemon.home.path("."));
    command.env("SCHEMATHESIS_HOOKS", "hooks");
    command.env("PYTHONPATH", data("schemathesis"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg("--config-file").arg(data("schemathesis/schemathesis.toml"));
    command.args(["run", "--no-color", "--generation-deterministic", "--max-examples", "25"]);
    // It has no end.
    command.args(["--exclude-path", "/v1/events", "--continue-on-failure"]);
    command.arg("-H").arg(format!("Authorization: Bearer {}", token.trim()));
    let told = run(command.arg(format!("http://{}/openapi.json", daemon.api.address)));
    let description = daemon.api.get("/openapi.json").json();
    let paths = description["paths"].as_object().unwrap().values();
    let all: usize = paths.map(|it| it.as_object().unwrap().len()).sum();
    // The description itself is none of what it asks for.
    let (asked, known) = (all - 2, all - 1);
    assert!(told.contains(&format!("Selected: {asked}/{known}")), "{told}");
    assert_eq!(daemon.api.get("/healthz").status, 200);
}
