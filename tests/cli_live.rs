//! The command line's live views: `--watch`, and `farol top` in a terminal.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use common::cli::{check, farol};
use common::daemon::Daemon;
use common::{wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const CONFIG: &str = "
    [[zone]]
    name = 'gtm.example.'
    nameservers = 'ns.example.'
    [[site]]
    name = 'seattle'
    location = { latitude = 47.6, longitude = -122.3 }
    [[site]]
    name = 'orlando'
    [[profile]]
    name = 'app.gtm.example.'
    method = 'weighted'
    monitor = { protocol = 'none' }
    guardrails = { max_weight_step = 60 }
    endpoint = [
        { name = 'west', site = 'seattle', target = '192.0.2.1', weight = 75 },
        { name = 'east', site = 'orlando', target = '192.0.2.2', weight = 25 },
    ]
    [[profile]]
    name = 'www.gtm.example.'
    method = 'priority'
    monitor = { protocol = 'none' }
    endpoint = [{ name = 'main', site = 'orlando', target = '192.0.2.3' }]
";
const WEST: &str = "/v1/profiles/app.gtm.example./endpoints/west";

fn environment(daemon: &Daemon) -> [(&'static str, String); 2] {
    let token_file = daemon.home.path("state/admin.token").display().to_string();
    [("FAROL_SERVER", format!("http://{}", daemon.api.address)), ("FAROL_TOKEN_FILE", token_file)]
}

fn run(daemon: &Daemon, args: &[&str]) -> common::cli::Run {
    let [server, token] = environment(daemon);
    farol(args, &[(server.0, &server.1), (token.0, &token.1)])
}

/// A verb that goes on, and what it says.
struct Going {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Going {
    fn start(daemon: &Daemon, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farol"));
        command.args(args).envs(environment(daemon)).env("HOME", "/nonexistent");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = |reader: Box<dyn Read + Send>, said: Arc<Mutex<Vec<String>>>| {
            let lines = BufReader::new(reader).lines();
            std::thread::spawn(move || {
                lines.map_while(Result::ok).for_each(|it| said.lock().unwrap().push(it));
            })
        };
        let reader = lines(Box::new(child.stdout.take().unwrap()), said.clone());
        lines(Box::new(child.stderr.take().unwrap()), said.clone());
        Self { child, said, reader: Some(reader) }
    }

    /// Waits for a line that it says after the first `seen`; gives it and how many there were up to it.
    #[track_caller]
    fn line(&self, seen: usize, what: &str, is_it: impl Fn(&str) -> bool) -> (String, usize) {
        wait_for(what, || {
            let said = self.said.lock().unwrap();
            let at = said.iter().skip(seen).position(|it| is_it(it))?;
            Some((said[seen + at].clone(), seen + at + 1))
        })
    }

    /// Ends it as Ctrl-C does; gives its exit code.
    fn interrupt(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        code
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_wide_table_says_more() {
    let daemon = Daemon::start(CONFIG);
    let narrow = run(&daemon, &["profile", "list"]);
    assert!(!narrow.out.contains("ZONE"), "{narrow:?}");
    check(
        &run(&daemon, &["profile", "list", "-o", "wide"]),
        0,
        &["ZONE", "gtm.example.  west 75 %, east 25 %", "max_weight_step 60\n", "www.gtm.example."],
    );
    daemon.api.must("PATCH", WEST, r#"{"weight": 70}"#);
    check(&run(&daemon, &["profile", "list", "-o", "wide"]), 0, &["west: weight"]);
    check(&run(&daemon, &["endpoint", "list", "-o", "wide"]), 0, &["ANSWERS  CAPACITY", "none"]);
    check(&run(&daemon, &["profile", "show", "app.gtm.example", "-o", "wide"]), 0, &["CAPACITY"]);
    check(&run(&daemon, &["site", "list", "-o", "wide"]), 0, &["47.6, -122.3"]);
    // What has no more to say says what it says.
    check(&run(&daemon, &["status", "-o", "wide"]), 0, &["All is well."]);
    check(&run(&daemon, &["explain", "app.gtm.example", "-o", "wide"]), 0, &["question"]);
}

#[test]
fn who_watches_sees_what_happens() {
    let daemon = Daemon::start(CONFIG);
    // What happens is seen at once, not at the next look.
    let watch = ["endpoint", "list", "app.gtm.example", "--watch=3600"];
    let table = Going::start(&daemon, &watch);
    let lines = Going::start(&daemon, &[&watch[..], &["-o", "json"]].concat());
    let documents = Going::start(&daemon, &[&watch[..], &["-o", "yaml"]].concat());
    let (_, seen) = table.line(0, "the first look", |it| it.contains("75 %"));
    let weight = |line: &str, weight: u16| {
        let document: Value = serde_json::from_str(line).unwrap();
        document["endpoints"][0]["weight"] == weight
    };
    let (_, first) = lines.line(0, "JSON", |it| weight(it, 75));
    let (_, yaml) = documents.line(0, "YAML", |it| it == "  weight: 75");
    daemon.api.must("PATCH", WEST, r#"{"weight": 25}"#);
    let (separator, at) = table.line(seen, "a separator", |it| it.starts_with("--- 20"));
    assert!(separator.ends_with('Z'), "{separator}");
    table.line(at, "the change", |it| it.contains("50 %"));
    lines.line(first, "JSON on one line", |it| weight(it, 25));
    let (_, at) = documents.line(yaml, "the next document", |it| it == "---");
    documents.line(at, "YAML", |it| it == "  weight: 25");
    for going in [table, lines, documents] {
        assert_eq!(going.interrupt(), Some(0));
    }
}

#[test]
fn who_watches_waits_for_a_daemon_that_has_gone() {
    let daemon = Daemon::start(CONFIG);
    let address = daemon.api.address.to_string();
    let watching = Going::start(&daemon, &["profile", "list", "--watch"]);
    let (_, seen) = watching.line(0, "the first look", |it| it.starts_with("app.gtm"));
    let home = daemon.stop().admin(&address);
    let (_, seen) = watching.line(seen, "its end", |it| it.contains("the connection was lost"));
    home.write("farol.toml", &CONFIG.replace("method = 'weighted'", "method = 'multivalue'"));
    let daemon = home.start();
    watching.line(seen, "its return", |it| it.contains("multivalue"));
    assert_eq!(watching.interrupt(), Some(0));

    // One that was never there is not waited for.
    let server = format!("http://{}", daemon.api.address);
    drop(daemon);
    let gone =
        farol(&["site", "list", "--watch"], &[("FAROL_SERVER", &server), ("FAROL_TOKEN", "x")]);
    check(&gone, 1, &["no daemon answers at"]);
    check(&farol(&["site", "list", "--watch=0"], &[]), 2, &["1..=3600"]);
    check(&farol(&["site", "drain", "x", "--watch"], &[]), 2, &["unexpected argument '--watch'"]);
}

#[test]
fn every_list_can_be_watched() {
    let daemon = Daemon::start(CONFIG);
    daemon.api.must("PATCH", WEST, r#"{"forced": "down"}"#);
    for (args, part) in [
        (&["status"][..], "All is well"),
        (&["profile", "show", "app.gtm.example"], "method"),
        (&["endpoint", "show", "app.gtm.example", "west"], "status"),
        (&["endpoint", "history", "app.gtm.example", "west"], "TIME"),
        (&["history"], "TIME"),
        (&["audit", "list"], "NUMBER"),
        (&["site", "list"], "SITE"),
    ] {
        let part = if args == ["status"] { "Something is failing" } else { part };
        let watching = Going::start(&daemon, &[args, &["--watch"]].concat());
        watching.line(0, part, |it| it.contains(part));
        assert_eq!(watching.interrupt(), Some(0), "{args:?}");
    }
}

const LINES: usize = 30;
const COLUMNS: usize = 120;

/// A verb in a terminal of its own.
struct InTerminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<Screen>>,
}

impl InTerminal {
    fn start(daemon: &Daemon, args: &str, environment_too: &[(&str, &str)]) -> Self {
        // It gives the terminal; what is written to that and read from it goes through pipes.
        let verb = format!(
            "stty rows {LINES} cols {COLUMNS}; exec {} {args}",
            env!("CARGO_BIN_EXE_farol")
        );
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", &verb, "/dev/null"]);
        command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
        command.envs(environment(daemon)).env("HOME", "/nonexistent").env_remove("NO_COLOR");
        command.envs(environment_too.iter().copied());
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let screen: Arc<Mutex<Screen>> = Arc::default();
        let (shown, mut out) = (screen.clone(), child.stdout.take().unwrap());
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut octets) {
                shown.lock().unwrap().take(&octets[..length]);
            }
        });
        let keys = child.stdin.take().unwrap();
        Self { child, keys, screen }
    }

    #[track_caller]
    fn wait_to_show(&self, part: &str) {
        wait_until(&format!("`{part}` on the screen"), || {
            self.screen.lock().unwrap().text().contains(part)
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end; gives its exit code.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        let code = wait_for("end", || self.child.try_wait().unwrap()).code();
        wait_until("the terminal as it was", || !self.screen.lock().unwrap().is_alternate);
        code
    }
}

impl Drop for InTerminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen:\n{}", self.screen.lock().unwrap().text());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a terminal shows: as much of one as is needed here.
struct Screen {
    cells: Vec<Vec<char>>,
    at: (usize, usize),
    is_alternate: bool,
    has_colours: bool,
    /// What has come of an escape, or of a letter, that is not whole yet.
    unread: Vec<u8>,
}

impl Default for Screen {
    fn default() -> Self {
        let cells = vec![vec![' '; COLUMNS]; LINES];
        Self { cells, at: (0, 0), is_alternate: false, has_colours: false, unread: Vec::new() }
    }
}

impl Screen {
    fn text(&self) -> String {
        let lines = self.cells.iter().map(|it| it.iter().collect::<String>());
        lines.map(|it| it.trim_end().to_owned() + "\n").collect()
    }

    fn take(&mut self, octets: &[u8]) {
        self.unread.extend_from_slice(octets);
        let whole = match std::str::from_utf8(&self.unread) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8(self.unread[..whole].to_vec()).unwrap();
        let mut rest = text.as_str();
        while let Some(letter) = rest.chars().next() {
            let Some(escape) = rest.strip_prefix("\x1b[") else {
                if letter == '\x1b' && rest.len() < 2 {
                    break;
                }
                self.write(letter);
                rest = &rest[letter.len_utf8()..];
                continue;
            };
            let Some(end) = escape.find(|it: char| it.is_ascii_alphabetic()) else { break };
            self.obey(&escape[..end], escape.as_bytes()[end]);
            rest = &escape[end + 1..];
        }
        let left = whole - rest.len();
        self.unread.drain(..left);
    }

    fn write(&mut self, letter: char) {
        match letter {
            '\r' => self.at.1 = 0,
            '\n' => self.at.0 += 1,
            _ => {
                if let Some(cell) =
                    self.cells.get_mut(self.at.0).and_then(|it| it.get_mut(self.at.1))
                {
                    *cell = letter;
                }
                self.at.1 += 1;
            }
        }
    }

    fn obey(&mut self, parameters: &str, command: u8) {
        match (command, parameters) {
            (b'H', _) => {
                let mut numbers = parameters.split(';').map(|it| it.parse().unwrap_or(1));
                let mut next = || numbers.next().unwrap_or(1_usize) - 1;
                self.at = (next(), next());
            }
            (b'J', "2") => self.cells = Self::default().cells,
            (b'K', _) => {
                let (line, column) = self.at;
                self.cells[line][column.min(COLUMNS)..].fill(' ');
            }
            (b'h', "?1049") => self.is_alternate = true,
            (b'l', "?1049") => self.is_alternate = false,
            (b'm', it) => self.has_colours |= it.starts_with("38;"),
            _ => {}
        }
    }
}

#[test]
fn top_shows_a_change_in_a_terminal() {
    let daemon = Daemon::start(CONFIG);
    let mut top = InTerminal::start(&daemon, "top --every 1", &[]);
    top.wait_to_show("app.gtm.example.  Online  weighted      2/2");
    top.wait_to_show("west 75 % (-), east 25 % (-)");
    top.wait_to_show("all is well");
    daemon.api.must("PATCH", WEST, r#"{"weight": 25}"#);
    top.wait_to_show("west 50 % (-), east 50 % (-)");
    for _ in 0..20 {
        daemon.answers("app.gtm.example.", "A");
    }
    wait_until("the share as it is", || {
        let text = top.screen.lock().unwrap().text();
        text.contains("west 50 % (") && !text.contains("west 50 % (-)")
    });
    daemon.api.must("PATCH", WEST, r#"{"forced": "down"}"#);
    top.wait_to_show("1 Degraded");
    top.press("\r");
    top.wait_to_show("ENDPOINT  SITE");
    top.wait_to_show("forced down");
    top.press("\x1b");
    top.wait_to_show("www.gtm.example.");
    top.press("/ww");
    top.wait_to_show("only with: ww_");
    wait_until("the filtered page", || !top.screen.lock().unwrap().text().contains("app.gtm"));
    top.press("\r?");
    top.wait_to_show("the busiest of the page first");
    top.press("xq");
    assert_eq!(top.end(), Some(0));
}

#[test]
fn top_goes_on_when_the_daemon_comes_back_and_needs_no_colours() {
    let daemon = Daemon::start(CONFIG);
    let address = daemon.api.address.to_string();
    let mut top = InTerminal::start(&daemon, "top --every 1", &[("NO_COLOR", "1")]);
    top.wait_to_show("all is well");
    let home = daemon.stop().admin(&address);
    top.wait_to_show("what stands below is old: no daemon answers");
    let daemon = home.start();
    top.wait_to_show("all is well");
    assert!(!top.screen.lock().unwrap().has_colours);
    top.press("\x03");
    assert_eq!(top.end(), Some(0));
    drop(daemon);
}

#[test]
fn without_a_terminal_there_is_watch() {
    check(&farol(&["top"], &[]), 2, &["wants a terminal; use `farol profile list --watch`"]);
}

#[test]
fn a_terminal_is_drawn_in_place_while_somebody_watches() {
    let daemon = Daemon::start(CONFIG);
    let mut watching = InTerminal::start(&daemon, "endpoint list app.gtm.example --watch=1", &[]);
    watching.wait_to_show("75 %");
    assert!(watching.screen.lock().unwrap().is_alternate);
    daemon.api.must("PATCH", WEST, r#"{"weight": 25}"#);
    watching.wait_to_show("50 %");
    assert!(!watching.screen.lock().unwrap().text().contains("75 %"));
    watching.press("\x03");
    assert_eq!(watching.end(), Some(0));
}

#[test]
fn what_is_live_has_its_pages_and_completions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display().to_string();
    check(&farol(&["man", &path], &[]), 0, &[]);
    let page = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(page("farol-top.1").contains("worst first"));
    assert!(page("farol-profile-list.1").contains("watch"));
    let completions = farol(&["completions", "bash"], &[]);
    check(&completions, 0, &["farol__subcmd__top", "--watch", "wide"]);
    let help = farol(&["top", "--help"], &[]);
    check(&help, 0, &["--every", "NO_COLOR"]);
}
