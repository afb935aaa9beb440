use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Wanted;
use super::answer::Answer;
use super::task::{Task, World};
use crate::clock::Clock;
use crate::health::{Resolution, Resolved};
use crate::model::{Family, Locator, Name};
use crate::settings;

/// Servers that say what the test wrote, each answer once and the last for ever; A alone, nobody has AAAA.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<HashMap<Name, VecDeque<Answer>>>>,
    asked: Arc<Mutex<Vec<(Instant, Name)>>>,
    /// Questions that are not answered yet, and the most of them.
    open: Arc<Mutex<(usize, usize)>>,
    delay: Duration,
}

impl World for Script {
    async fn look_up(&self, name: &Name, family: Family) -> Answer {
        if family == Family::V6 {
            return Answer::NoData;
        }
        self.asked.lock().unwrap().push((Instant::now(), name.clone()));
        {
            let mut open = self.open.lock().unwrap();
            open.0 += 1;
            open.1 = open.1.max(open.0);
        }
        sleep(self.delay).await;
        self.open.lock().unwrap().0 -= 1;
        let mut answers = self.answers.lock().unwrap();
        let Some(answers) = answers.get_mut(name) else { return Answer::NxDomain };
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.unwrap_or_else(|| panic!("a broken server"))
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn found(last: u8, ttl: u32) -> Answer {
    Answer::Found(vec![[192, 0, 2, last].into()], ttl)
}

fn failed() -> Answer {
    Answer::Failed("timed out".to_owned())
}

struct Bench {
    script: Script,
    wanted: watch::Sender<Wanted>,
    changes: mpsc::Receiver<Locator>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Bench {
    /// Resolves these names by these answers.
    fn start(names: &[(&str, &[Answer])], delay: Duration) -> (Self, Vec<Arc<Resolved>>) {
        let script = Script { delay, ..Script::default() };
        let mut records = Vec::new();
        for (text, answers) in names {
            script.answers.lock().unwrap().insert(name(text), answers.iter().cloned().collect());
            records.push((name(text), Arc::new(Resolved::default())));
        }
        let servers = settings::Resolver { servers: Vec::new(), timeout: Duration::from_secs(2) };
        let (wanted, receiver) =
            watch::channel(Wanted { names: records.clone(), discovered: Vec::new(), servers });
        let (sender, changes) = mpsc::channel(1);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let world = script.clone();
        let task = Task::new(
            move |_: &settings::Resolver| world.clone(),
            Clock::start(),
            receiver,
            sender,
        );
        tasks.spawn(task.run(stop.clone()));
        let records = records.into_iter().map(|(_, record)| record).collect();
        (Self { script, wanted, changes, stop, tasks }, records)
    }

    fn asked(&self) -> Vec<(Instant, Name)> {
        self.script.asked.lock().unwrap().clone()
    }

    /// The seconds from one question to the next.
    fn pauses(&self) -> Vec<f64> {
        let asked = self.asked();
        asked.windows(2).map(|it| (it[1].0 - it[0].0).as_secs_f64()).collect()
    }

    async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

fn shown(resolution: &Resolution) -> String {
    let addresses: Vec<String> = resolution.addresses.iter().map(|it| it.to_string()).collect();
    let trouble = resolution.trouble.as_ref().map(|it| it.reason.to_string());
    format!("{} {}", addresses.join(","), trouble.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn names_are_asked_for_when_they_run_out() {
    let answers = [found(1, 60), found(1, 60), found(2, 5), found(2, 5)];
    let (mut bench, records) = Bench::start(&[("a.example.", &answers)], Duration::ZERO);
    assert_eq!(bench.changes.recv().await, Some(Locator::Name(name("a.example."))));
    let first = records[0].latest();
    assert_eq!(shown(&first), "192.0.2.1 ");
    let wait = first.next.unwrap().since(first.at.unwrap().1).as_secs_f64();
    assert_eq!(
        bench.changes.recv().await,
        Some(Locator::Name(name("a.example."))),
        "the addresses are others"
    );
    assert_eq!(shown(&records[0].latest()), "192.0.2.2 ");
    let again = timeout(Duration::from_secs(60), bench.changes.recv()).await;
    assert!(again.is_err(), "nothing has changed since");
    let pauses = bench.pauses();
    assert!((pauses[0] - wait).abs() < 0.01, "it says when it will ask: {pauses:?}, not {wait}");
    assert!(pauses[..2].iter().all(|it| (54.0..=60.01).contains(it)), "{pauses:?}");
    assert!(pauses[2..].iter().all(|it| (4.5..=5.01).contains(it)), "{pauses:?}");
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_good_stays_while_nobody_can_be_asked() {
    let answers = [found(1, 30), failed(), failed(), failed(), failed(), found(2, 30)];
    let (mut bench, records) = Bench::start(&[("a.example.", &answers)], Duration::ZERO);
    bench.changes.recv().await.unwrap();
    sleep(Duration::from_secs(31)).await;
    let lost = records[0].latest();
    assert_eq!(shown(&lost), "192.0.2.1 timed out");
    assert!(lost.reach().is_ok());
    bench.changes.recv().await.unwrap();
    let back = records[0].latest();
    assert_eq!((shown(&back).as_str(), back.failures), ("192.0.2.2 ", 4));
    let pauses = bench.pauses();
    for (pause, longest) in pauses[1..].iter().zip([1.0, 2.0, 4.0, 8.0]) {
        assert!((0.9 * longest..=longest + 0.01).contains(pause), "{pauses:?}");
    }
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_gone_says_so_and_a_broken_server_is_a_failure() {
    let (bench, records) =
        Bench::start(&[("a.example.", &[Answer::NxDomain]), ("b.example.", &[])], Duration::ZERO);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(shown(&records[0].latest()), " NXDOMAIN");
    assert_eq!(shown(&records[1].latest()), " resolving panicked, which is a fault in Farol");
    assert!(records.iter().all(|it| it.latest().reach().is_err()));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_names_are_spread_and_few_are_asked_for_at_once() {
    let texts: Vec<String> = (0..200).map(|it| format!("n{it}.example.")).collect();
    let answer = [found(1, 3600)];
    let names: Vec<(&str, &[Answer])> = texts.iter().map(|it| (it.as_str(), &answer[..])).collect();
    let (mut bench, _) = Bench::start(&names, Duration::from_secs(1));
    for _ in 0..200 {
        bench.changes.recv().await.unwrap();
    }
    let asked = bench.asked();
    assert_eq!(bench.script.open.lock().unwrap().1, 32);
    assert!(asked[31].0 - asked[0].0 >= Duration::from_millis(150), "the first ones are spread");
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_no_more_is_asked_for_no_more() {
    let answer = [found(1, 5)];
    let names: [(&str, &[Answer]); 2] = [("a.example.", &answer), ("b.example.", &answer)];
    let (mut bench, _) = Bench::start(&names, Duration::ZERO);
    bench.changes.recv().await.unwrap();
    bench.changes.recv().await.unwrap();
    bench.wanted.send_modify(|it| it.names.truncate(1));
    sleep(Duration::from_secs(60)).await;
    let asked = |text: &str| bench.asked().iter().filter(|it| it.1 == name(text)).count();
    assert_eq!(asked("b.example."), 1);
    assert!(
        (12..=15).contains(&asked("a.example.")),
        "what stays goes on: {}",
        asked("a.example.")
    );
    bench.stop().await;
}
