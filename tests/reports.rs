//! Sites that report by themselves over the API: with a token of their own, which opens nothing else.

#![allow(clippy::unwrap_used, reason = "what tests share may panic like tests")]

mod common;

use std::fs;
use std::process::Command;
use std::time::Duration;

use common::daemon::{Daemon, Home};
use common::http::{Http, Response};
use common::{wait_to_see, wait_until};

const TOKEN: &str = "token-of-seattle-only";
const REPORT: &str = "/v1/profiles/app.gtm.example/endpoints/seattle/report";

/// A profile whose first endpoint reports; silence is a failure after this time.
fn start(interval: &str) -> Daemon {
    let config = format!(
        "[[zone]]\nname = 'gtm.example.'\nnameservers = 'ns.example.'\n[[profile]]\nname = 'app.gtm.example.'\nmethod = 'priority'\n\
         [profile.monitor]\nprotocol = 'push'\ninterval = '{interval}'\ntolerated_failures = 0\nrequired_successes = 1\n\
         flap = {{ count = 0 }}\npush = {{ token = '${{file:token}}' }}\n\
         [[profile.endpoint]]\nname = 'seattle'\ntarget = '192.0.2.1'\n\
         [[profile.endpoint]]\nname = 'orlando'\ntarget = '192.0.2.2'\nmonitor = {{ protocol = 'none' }}\n"
    );
    let home = Home::new(&config);
    fs::write(home.path("token"), format!("{TOKEN}\n")).unwrap();
    home.start()
}

fn answers(daemon: &Daemon) -> Vec<String> {
    daemon.answers("app.gtm.example.", "A")
}

fn wait_for_answer(daemon: &Daemon, address: &str) {
    wait_to_see(&vec![address.to_owned()], || answers(daemon));
}

#[test]
fn a_site_says_how_it_is_and_its_token_opens_nothing_else() {
    let daemon = start("1h");
    let site = Http::new(daemon.api.address).with_token(TOKEN);
    let healthy = r#"{"healthy": true}"#;
    assert_eq!(site.must("POST", REPORT, healthy)["healthy"], true);
    wait_for_answer(&daemon, "192.0.2.1");
    assert_eq!(site.post(REPORT, healthy).status, 429);
    std::thread::sleep(Duration::from_millis(100)); // as far apart as reports must be
    site.must("POST", REPORT, r#"{"healthy": false, "reason": "no lease"}"#);
    wait_for_answer(&daemon, "192.0.2.2");
    let last = daemon.endpoint("app.gtm.example.", "seattle")["last_probe"].clone();
    assert_eq!(last["reason"], "reported: no lease");

    for (body, status) in [
        ("{}", 400),
        (r#"{"healthy": 1}"#, 400),
        (r#"{"healthy": true, "reason": "a\nb"}"#, 400),
        (r#"{"healthy": true, "reason": "a\u202eb"}"#, 400),
    ] {
        assert_eq!(site.post(REPORT, body).status, status, "{body}");
    }
    assert_eq!(daemon.api.post(&REPORT.replace("seattle", "orlando"), healthy).status, 409);
    // After some wrong tokens it is told to wait.
    let is_refused = |it: Response| it.status == 401 || it.status == 429;
    for path in [REPORT.replace("seattle", "orlando"), REPORT.replace("app", "none")] {
        assert!(is_refused(site.post(&path, healthy)), "{path}");
    }
    for path in ["/v1/status", "/v1/profiles", "/v1/explain?name=app.gtm.example"] {
        assert!(is_refused(site.get(path)), "{path}");
    }
    assert!(is_refused(site.post("/v1/sites/x/drain", "")));
    for token in ["", "token-of-seattle-onlx", "token-of-seattle-only2"] {
        assert!(is_refused(site.with_token(token).post(REPORT, healthy)));
    }
    wait_until("a token that is looked at", || daemon.api.get("/v1/status").status == 200);
    let shown = daemon.api.get("/v1/profiles").body + &daemon.log();
    assert!(!shown.contains(TOKEN), "{shown}");

    // The site may as well use the command line; so may operators.
    let farol = |token: &str, how: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
        command.args(["endpoint", "report", "app.gtm.example", "seattle"]).args(how);
        command.args(["--server", &format!("http://{}", daemon.api.address)]);
        command.env("FAROL_TOKEN", token).output().unwrap()
    };
    std::thread::sleep(Duration::from_millis(100));
    let output = farol(TOKEN, &["--up"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("seattle: reported up"), "{output:?}");
    wait_for_answer(&daemon, "192.0.2.1");
    assert!(!farol(TOKEN, &[]).status.success());
    assert!(!farol("a-token-of-nobody", &["--down"]).status.success());
    daemon.stop();
}

#[test]
fn silence_is_a_failure_and_a_restart_remembers() {
    let daemon = start("3s");
    let site = Http::new(daemon.api.address).with_token(TOKEN);
    site.must("POST", REPORT, r#"{"healthy": true}"#);
    wait_for_answer(&daemon, "192.0.2.1");
    wait_for_answer(&daemon, "192.0.2.2");
    let last = daemon.endpoint("app.gtm.example.", "seattle")["last_probe"].clone();
    assert_eq!((&last["reason"], &last["phase"]), (&"no report for 3 s".into(), &"report".into()));
    let daemon = daemon.stop().start();
    assert_eq!(answers(&daemon), ["192.0.2.2"], "what was down stays down");
    let site = Http::new(daemon.api.address).with_token(TOKEN);
    site.must("POST", REPORT, r#"{"healthy": true}"#);
    wait_for_answer(&daemon, "192.0.2.1");
    daemon.stop();
}
