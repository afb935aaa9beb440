//! The daemon, run as its operator runs it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::dns::{Query, Reply, exchange};
use super::http::Http;
use super::{loopback, wait_for, wait_until};

/// A directory with a configuration, in which daemons run one after the other.
pub(crate) struct Home {
    directory: TempDir,
    listen: Vec<String>,
    admin: String,
    state: PathBuf,
    config: PathBuf,
    args: Vec<String>,
    environment: Vec<(String, String)>,
    /// What runs the daemon, with its arguments.
    runner: Vec<String>,
}

impl Home {
    /// `config` says everything but where to listen and keep state.
    pub(crate) fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = vec![format!("{}:0", loopback())];
        let (admin, state) = (format!("{}:0", loopback()), directory.path().join("state"));
        let (args, environment, runner) = (Vec::new(), Vec::new(), Vec::new());
        let config_file = directory.path().join("farol.toml");
        let home = Self {
            directory,
            listen,
            admin,
            state,
            config: config_file,
            args,
            environment,
            runner,
        };
        home.write("farol.toml", config);
        home
    }

    /// Listens for DNS at these addresses instead.
    pub(crate) fn listen(self, addresses: &[&str]) -> Self {
        let listen = addresses.iter().map(|it| (*it).to_owned()).collect();
        Self { listen, ..self }
    }

    /// Listens for the API at this address instead.
    pub(crate) fn admin(self, address: &str) -> Self {
        Self { admin: address.to_owned(), ..self }
    }

    /// Keeps its state in this directory instead.
    pub(crate) fn state(self, directory: &Path) -> Self {
        Self { state: directory.to_owned(), ..self }
    }

    /// Is configured by this file or directory of its own instead of `farol.toml`.
    pub(crate) fn configured_by(self, config: &str) -> Self {
        Self { config: self.path(config), ..self }
    }

    /// Gives the daemon these arguments too.
    pub(crate) fn args(self, args: &[&str]) -> Self {
        Self { args: args.iter().map(|it| (*it).to_owned()).collect(), ..self }
    }

    /// Gives the daemon these environment variables too.
    pub(crate) fn environment(self, variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { environment: variables.iter().map(owned).collect(), ..self }
    }

    /// Runs the daemon by a program that becomes it: `setpriv`, with arguments.
    pub(crate) fn through(self, runner: &[&str]) -> Self {
        Self { runner: runner.iter().map(|it| (*it).to_owned()).collect(), ..self }
    }

    /// Writes down other addresses to listen at, for a daemon that runs.
    pub(crate) fn move_to(&mut self, listen: &[&str], admin: Option<&str>) {
        self.listen = listen.iter().map(|it| (*it).to_owned()).collect();
        self.admin = admin.unwrap_or(&self.admin).to_owned();
        self.write_here();
    }

    pub(crate) fn listens_at(&self) -> &[String] {
        &self.listen
    }

    fn write_here(&self) {
        let (listen, admin, state) = (&self.listen, &self.admin, &self.state);
        let text = format!(
            "[server]\nlisten = {listen:?}\n[admin]\nlisten = {admin:?}\n[state]\ndir = {state:?}\n"
        );
        self.write("here.toml", &text);
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    fn spawn(&self) -> Running {
        self.write_here();
        let mut words = self.runner.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_farol")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["serve", "--log-format", "json", "--config"]);
        command.arg(self.path("here.toml")).arg("--config").arg(&self.config);
        command.args(&self.args).envs(self.environment.iter().cloned());
        Running::start(&mut command)
    }

    /// Starts a daemon that answers DNS and the API when this returns.
    #[track_caller]
    pub(crate) fn start(self) -> Daemon {
        let running = self.spawn();
        let Some(started) = running.find(|it| it["event"] == "started") else {
            panic!("the daemon did not start");
        };
        let text = |key: &str| started[key].as_str().unwrap().to_owned();
        let dns = text("dns").split(", ").map(|it| it.parse().unwrap()).collect();
        // Where the configuration has tokens, none is made.
        let token = fs::read_to_string(self.state.join("admin.token")).unwrap_or_default();
        let api = Http::new(text("admin").parse().unwrap()).with_token(token.trim());
        Daemon { running, dns, api, home: self }
    }

    /// Starts a daemon and kills it this long afterwards, wherever it is by then.
    #[track_caller]
    pub(crate) fn start_and_kill(&self, after: Duration) {
        let running = self.spawn();
        std::thread::sleep(after);
        drop(running);
    }

    /// Starts a daemon that must give up; tells what it said.
    #[track_caller]
    pub(crate) fn fail_to_start(&self) -> String {
        let mut running = self.spawn();
        assert!(running.find(|it| it["event"] == "started").is_none(), "it started");
        assert_eq!(running.wait().code(), Some(1));
        running.log()
    }
}

/// A daemon that answers. Killed when it goes out of scope; its log is shown if that is because a test failed.
pub(crate) struct Daemon {
    running: Running,
    /// Where it answers DNS.
    pub(crate) dns: Vec<SocketAddr>,
    /// Its API, with its token.
    pub(crate) api: Http,
    pub(crate) home: Home,
}

impl Daemon {
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        Home::new(config).start()
    }

    /// Waits until every endpoint has had its chance of a verdict.
    #[track_caller]
    pub(crate) fn ready(self) -> Self {
        wait_until("ready daemon", || self.api.get("/readyz").status == 200);
        self
    }

    /// Asks over UDP.
    #[track_caller]
    pub(crate) fn ask(&self, query: &Query) -> Reply {
        Reply::read(&exchange(&self.client(), &query.wire()).expect("no answer"))
    }

    /// The addresses or whatever else answers a question, without names, TTLs and types.
    #[track_caller]
    pub(crate) fn answers(&self, name: &str, record_type: &str) -> Vec<String> {
        self.ask(&Query::new(name, record_type)).data()
    }

    /// A UDP socket that only hears from the daemon.
    pub(crate) fn client(&self) -> UdpSocket {
        super::dns::client(self.dns[0])
    }

    /// An endpoint as the API shows it.
    #[track_caller]
    pub(crate) fn endpoint(&self, profile: &str, endpoint: &str) -> Value {
        let profile = self.api.get(&format!("/v1/profiles/{profile}")).json();
        let endpoints = profile["endpoints"].as_array().expect("endpoints");
        endpoints.iter().find(|it| it["name"] == endpoint).expect("the endpoint").clone()
    }

    #[track_caller]
    pub(crate) fn status(&self, profile: &str, endpoint: &str) -> String {
        self.endpoint(profile, endpoint)["status"].as_str().unwrap().to_owned()
    }

    pub(crate) fn process(&self) -> u32 {
        self.running.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.running.child), signal).unwrap();
    }

    /// What was logged so far, a JSON object per line.
    pub(crate) fn log(&self) -> String {
        self.running.lines.lock().unwrap().join("\n")
    }

    /// Waits for the first event of this name that was logged after the first `seen` lines.
    #[track_caller]
    pub(crate) fn event(&self, name: &str, seen: usize) -> Value {
        wait_for(&format!("event={name}"), || {
            let lines = self.running.lines.lock().unwrap();
            lines.iter().skip(seen).map(|it| parse(it)).find(|it| it["event"] == name)
        })
    }

    /// How many lines were logged.
    pub(crate) fn logged(&self) -> usize {
        self.running.lines.lock().unwrap().len()
    }

    /// Tells it to reload by SIGHUP; gives the event that says what came of it. An earlier reload may still be on its way
    /// through the log, so that of this one is what comes after the signal.
    #[track_caller]
    pub(crate) fn reload(&self, outcome: &str) -> Value {
        let seen = self.logged();
        self.signal(Signal::HUP);
        let heard = wait_for("the signal in the log", || {
            let lines = self.running.lines.lock().unwrap();
            (seen..lines.len()).find(|it| parse(&lines[*it])["event"] == "hung_up")
        });
        self.event(outcome, heard)
    }

    /// Tells it to stop, which must end well.
    #[track_caller]
    pub(crate) fn stop(self) -> Home {
        self.signal(Signal::TERM);
        self.exit()
    }

    /// Waits for its end, which must be a good one.
    #[track_caller]
    pub(crate) fn exit(mut self) -> Home {
        let status = self.running.wait();
        assert_eq!(status.code(), Some(0), "{status}\n{}", self.log());
        assert!(self.log().contains(r#""event":"stopped""#), "{}", self.log());
        let Self { running, home, .. } = self;
        drop(running);
        home
    }

    /// Waits for its end, which need not be a good one. Gives its exit code and what it logged.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        (self.running.wait().code(), self.log())
    }

    /// Kills it as a crash would, and starts another in its place.
    #[track_caller]
    pub(crate) fn crash_and_restart(self) -> Self {
        self.crash().start()
    }

    /// Kills it as a crash would.
    pub(crate) fn crash(self) -> Home {
        let Self { running, home, .. } = self;
        drop(running);
        home
    }
}

/// A process whose standard error is read.
struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = lines.clone();
        let reader = std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|it| log.lock().unwrap().push(it));
        });
        Self { child, lines, reader: Some(reader) }
    }

    /// Waits for a line of the log; none if the log ends first.
    #[track_caller]
    fn find(&self, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        wait_for("line in the log", || {
            let ended = self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            let lines = self.lines.lock().unwrap();
            let found = lines.iter().map(|it| parse(it)).find(|it| is_it(it));
            (found.is_some() || ended).then_some(found)
        })
    }

    fn wait(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        self.reader.take().into_iter().for_each(|it| it.join().unwrap());
        status
    }

    fn log(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the daemon's log:\n{}", self.log());
        }
    }
}

/// A line of the log; null if it isn't JSON.
fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_default()
}

/// Where a file of the tests' own data is.
pub(crate) fn data(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file)
}
