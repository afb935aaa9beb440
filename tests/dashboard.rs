//! The dashboard in Chromium, as an operator sees and uses it: tests/dashboard/ has the journeys.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share may panic like tests")]

mod common;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::cli::check;
use common::daemon::Daemon;
use common::fleet::Fleet;
use common::free_address;
use common::kubernetes::{Cluster, client};
use common::program;
use common::site::Site;

/// Two sites that stand, and an endpoint at which nobody listens. Where endpoints are probed is not what is answered.
fn config(seattle: &Site, orlando: &Site, nobody: &Site) -> String {
    let endpoint = |name: &str, target: &str, site: &Site, more: &str| {
        let address = site.address;
        format!(
            "{{ name = '{name}', site = '{name}', target = '{target}', address = '{address}'{more} }}"
        )
    };
    let sites = |more: [&str; 2]| {
        let [first, second] = more;
        let seattle = endpoint("seattle", "127.0.0.1", seattle, first);
        format!("[{seattle}, {}]", endpoint("orlando", "127.0.0.2", orlando, second))
    };
    let (weighted, in_order) = (sites([", weight = 80", ", weight = 20"]), sites(["", ""]));
    let down = endpoint("seattle", "127.0.0.1", nobody, "");
    format!(
        "
        [[zone]]
        name = 'gtm.example.'
        nameservers = 'ns.example.'
        [[site]]
        name = 'seattle'
        location = {{ latitude = 47.6, longitude = -122.3, region = 'US-WA' }}
        [[site]]
        name = 'orlando'
        location = {{ latitude = 28.5, longitude = -81.4, region = 'US-FL' }}
        [[profile]]
        name = 'app.gtm.example.'
        method = 'weighted'
        ttl = 5
        monitor = {{ protocol = 'http', interval = '1s' }}
        guardrails = {{ max_weight_step = 60 }}
        endpoint = {weighted}
        [[profile]]
        name = 'www.gtm.example.'
        method = 'priority'
        failback = 'manual'
        monitor = {{ protocol = 'http', interval = '1s' }}
        endpoint = {in_order}
        [[profile]]
        name = 'down.gtm.example.'
        method = 'weighted'
        monitor = {{ protocol = 'http', interval = '1s' }}
        endpoint = [{down}]
        "
    )
}

/// Where a program is.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|it| it.join(name)).find(|it| it.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed; run: tests/install-tools"))
}

/// Runs a program, which must end well; what it says is shown otherwise.
#[track_caller]
fn must(command: &mut Command) {
    let output = program::run(command, "");
    let said = [&output.stdout[..], &output.stderr].concat();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&said));
}

/// The modules that the journeys need, of exactly the versions that are written down. They are kept from one run to the next.
fn node_modules(journeys: &Path) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard-modules");
    fs::create_dir_all(&directory).unwrap();
    let read = |directory: &Path| fs::read(directory.join("package-lock.json")).ok();
    let (modules, complete) = (directory.join("node_modules"), directory.join("complete"));
    if !complete.exists() || read(&directory) != read(journeys) {
        let _ = fs::remove_file(&complete);
        for file in ["package.json", "package-lock.json"] {
            fs::copy(journeys.join(file), directory.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        must(
            npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&directory),
        );
        fs::write(complete, "").unwrap();
    }
    modules
}

/// Goes through journeys in Chromium, with the daemon at hand.
#[track_caller]
fn travel(daemon: &Daemon, script: &str, more: &[(&str, &Path)]) {
    let chromium = program("chromium");
    let journeys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dashboard");
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard-screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let token = fs::read_to_string(daemon.home.path("state/admin.token")).unwrap();
    must(
        Command::new("node")
            .arg(journeys.join(script))
            .env("FAROL_URL", format!("http://{}", daemon.api.address))
            .env("FAROL_TOKEN", token.trim())
            .env("FAROL_DNS", daemon.dns[0].to_string())
            .env("FAROL_NODE_MODULES", node_modules(&journeys))
            .env("CHROMIUM", chromium)
            .env("SCREENSHOTS", screenshots)
            .envs(more.iter().copied()),
    );
}

#[test]
fn operators_find_their_way_in_chromium() {
    let (seattle, orlando, mut nobody) = (Site::start(), Site::start(), Site::start());
    nobody.kill();
    let daemon = Daemon::start(&config(&seattle, &orlando, &nobody)).ready();
    travel(&daemon, "run.mjs", &[]);
    daemon.stop();
}

#[test]
fn operators_see_the_fleet_in_chromium() {
    let cluster = Cluster::start("seattle");
    let _kubelets = cluster.puppet().kubelets();
    let seattle = cluster.kubeconfig();
    let home = tempfile::tempdir().unwrap();
    let orlando = home.path().join("orlando.kubeconfig");
    let nowhere = format!("https://{}", free_address());
    let text = fs::read_to_string(&seattle).unwrap();
    fs::write(&orlando, text.replace(&cluster.url(), &nowhere)).unwrap();
    let fleet = Fleet::new(&[("seattle", &seattle, ""), ("orlando", &orlando, "")], "");
    check(&fleet.run(&["apply", "--yes", "--site", "seattle"]), 0, &["done: "]);
    let daemon = fleet.home().start();
    let kubectl = client("kubectl");
    travel(&daemon, "fleet.mjs", &[("FLEET_KUBECONFIG", &seattle), ("FLEET_KUBECTL", &kubectl)]);
    daemon.stop();
}
