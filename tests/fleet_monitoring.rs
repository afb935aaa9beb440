//! What Farol says of a site's monitoring, with a Prometheus that scrapes it.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, SystemTime};

use common::daemon::Home;
use common::http::Http;
use common::program::{self, Program};
use common::site::Site;
use common::{free_address, wait_for, wait_until};
use farol::fleet::monitoring::{FAROL, INTERVAL, Samples, Wanted, generate, verify};
use farol::traffic::Prometheus;

const ZONE: &str = "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n";

/// How old the last sample of the series `ended` is.
const ENDED: Duration = Duration::from_secs(20 * 60);

/// Asks a site's Prometheus for a series.
fn ask(url: &str, selector: &str) -> Samples {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(verify(&Prometheus::new(), url, selector, INTERVAL))
}

/// A series whose scrapes have ended, in a Prometheus' directory.
fn write_ended(home: &Home, tsdb: &str) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let file = home.path("ended.txt");
    let at = (now - ENDED).as_secs();
    fs::write(&file, format!("# TYPE ended gauge\nended 1 {at}\n# EOF\n")).unwrap();
    let mut promtool = Command::new("promtool");
    promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(file).arg(tsdb);
    let output = program::run(&mut promtool, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn samples_are_fresh_stale_absent_or_out_of_reach() {
    let daemon = Home::new(ZONE).start();
    let (address, target) = (free_address(), daemon.api.address);
    let (file, tsdb) = (daemon.home.path("prometheus.yml"), daemon.home.path("tsdb"));
    let config = format!(
        "global: {{ scrape_interval: 500ms }}\n\
         scrape_configs: [{{ job_name: farol, static_configs: [{{ targets: ['{target}'] }}] }}]\n"
    );
    fs::write(&file, config).unwrap();
    write_ended(&daemon.home, &tsdb.display().to_string());
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", tsdb.display()));
    command.arg(format!("--web.listen-address={address}"));
    let _prometheus = Program::start(&mut command, &daemon.home.path("prometheus.log"));
    wait_until("Prometheus", || TcpStream::connect(address).is_ok());
    let url = format!("http://{address}/");

    let fresh = wait_for("sample of Farol", || match ask(&url, FAROL) {
        Samples::Fresh { age } => Some(age),
        _ => None,
    });
    assert!(fresh < INTERVAL, "{fresh:?}");
    let ended = ask(&url, "ended");
    let Samples::Stale { age } = ended else { panic!("{ended:?}") };
    assert!(age >= ENDED && age < ENDED + common::PATIENCE * 2, "{age:?}");
    assert_eq!(ask(&url, "never"), Samples::Absent);

    let why = |url: &str, selector: &str| match ask(url, selector) {
        Samples::Unreachable(why) => why,
        other => panic!("{other:?}"),
    };
    let refused = why(&format!("http://{}", free_address()), FAROL);
    assert!(refused.contains("refused"), "{refused}");
    let site = Site::start();
    let other = why(&format!("http://{}", site.address), FAROL);
    assert!(other.contains("no answer of its API"), "{other}");
    let broken = why(&url, "{");
    assert!(broken.contains("parse error"), "{broken}");
    assert!(Http::new(address).get("/-/ready").status == 200, "it has stood all the time");
}

#[test]
fn promtool_takes_the_generated_rules() {
    let wanted = Wanted {
        site: "seattle".to_owned(),
        namespace: "monitoring".to_owned(),
        labels: BTreeMap::new(),
        farol: None,
        ingress: None,
        alerts: true,
    };
    let served = BTreeSet::from(["monitoring.coreos.com/v1/PrometheusRule".to_owned()]);
    let generated = generate(&wanted, &served);
    let rules = generated.objects.iter().find(|it| it.kind() == "PrometheusRule").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yml");
    fs::write(&file, rules.at("/spec").unwrap().to_string()).unwrap();
    let output = program::run(Command::new("promtool").args(["check", "rules"]).arg(file), "");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
}
