use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = r#"
[server]
listen = ["127.0.0.1:0"]
workers = 1

[admin]
listen = "127.0.0.1:0"

[state]
dir = "state"

[[zone]]
name = "gtm.example."
nameservers = ["ns1.example.net."]

[[site]]
name = "seattle"
location = { latitude = 47.6, longitude = -122.3, region = "US-WA" }

[[site]]
name = "orlando"

[[profile]]
name = "app.gtm.example."
method = "weighted"
monitor = { protocol = "none" }

[[profile.endpoint]]
name = "seattle"
site = "seattle"
target = "192.0.2.10"
weight = 75

[[profile.endpoint]]
name = "orlando"
site = "orlando"
target = "198.51.100.10"
weight = 25
"#;

/// What came of running the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program to its end, with no environment of its own but this.
pub(crate) fn farol(args: &[&str], environment: &[(&str, &str)]) -> Run {
    let output = program().args(args).envs(environment.iter().copied()).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
    for key in ["FAROL_SERVER", "FAROL_TOKEN", "FAROL_TOKEN_FILE", "FAROL_LOG", "FAROL_LOG_FORMAT"]
    {
        command.env_remove(key);
    }
    command
}

/// A daemon on free ports; killed when it is dropped.
pub(crate) struct Daemon {
    pub(crate) server: String,
    pub(crate) config: PathBuf,
    token_file: PathBuf,
    child: Child,
    _directory: TempDir,
}

impl Daemon {
    /// Starts it, and returns when it answers.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("farol.toml");
        std::fs::write(&config, CONFIG).unwrap();
        let mut child = program()
            .args(["serve", "--log-format", "json", "--config"])
            .arg(&config)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let started = log
            .by_ref()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|it| it["event"] == "started");
        let started = started.expect("the daemon ended before it had started");
        let server = format!("http://{}", started["admin"].as_str().unwrap());
        // A full pipe would stop the daemon.
        std::thread::spawn(move || log.for_each(drop));
        let token_file = directory.path().join("state/admin.token");
        Self { server, config, token_file, child, _directory: directory }
    }

    /// Runs a verb with this daemon, and its token.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let token_file = self.token_file.to_str().unwrap();
        farol(args, &[("FAROL_SERVER", &self.server), ("FAROL_TOKEN_FILE", token_file)])
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
