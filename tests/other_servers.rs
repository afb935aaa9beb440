//! Random zones, served by Farol and by NSD, Knot and BIND, and random questions that all are asked. Where answers differ,
//! there is a reason in [`EXPLAINED`], or the test fails.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what tests share may panic like tests"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use common::daemon::Home;
use common::dns::{Edns, Query, RD, Reply, ask_tcp, canonical, connect};
use common::random::Random;
use common::servers::{self, Start, ZoneFile};
use common::zones::{Line, Question, Zone, is_within, questions, zone};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const ZONES: usize = 60;
/// Every so many zones one has another in it.
const NESTED: usize = 4;
/// The labels that such a zone has more than the one around it.
const INNER: &str = "b.a.";
/// What leads there.
const WAY: &str = "a.z";
const INNER_PART: &str = ".b.a.";
const QUESTIONS: usize = 80;

/// What an answer says, as far as servers have to agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meaning {
    /// Rcode and flags.
    head: String,
    answer: BTreeSet<String>,
    authority: BTreeSet<String>,
    /// Addresses of servers at or below a delegation.
    glue: BTreeSet<String>,
}

impl Meaning {
    fn of(reply: &Reply) -> Self {
        let set = |it: &[String]| it.iter().map(|it| canonical(it)).collect::<BTreeSet<_>>();
        let authority = set(&reply.authority);
        let words = |it: &str| it.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let servers: Vec<Vec<String>> = authority.iter().map(|it| words(it)).collect();
        let is_glue = |it: &String| {
            let owner = it.split(' ').next().unwrap_or_default();
            let is_cut = |it: &&Vec<String>| it[2] == "ns" && it[3] == owner;
            servers.iter().filter(is_cut).any(|it| is_within(owner, &it[0]))
        };
        let glue = set(&reply.additional).into_iter().filter(is_glue).collect();
        Self { head: reply.head(), answer: set(&reply.answer), authority, glue }
    }
}

/// One question and how Farol and another server answer it.
struct Case<'c> {
    server: &'c str,
    zone: &'c Zone,
    /// Whether it is around another zone, or in it.
    is_nested: bool,
    question: &'c Question,
    ours: &'c Meaning,
    theirs: &'c Meaning,
}

/// A reason, and whether it is that of a difference.
type Explanation = (&'static str, fn(&Case<'_>) -> bool);

/// In what servers differ, and why that is right.
const EXPLAINED: &[Explanation] = &[
    (
        "Farol transfers no zone, and says so of every name: others distinguish names that are no zone",
        |it| {
            ["AXFR", "IXFR"].contains(&&*it.question.record_type)
                && it.ours.head.starts_with("REFUSED")
        },
    ),
    (
        "ANY is answered with HINFO (RFC 8482 4.2) or an alias where others give all there is",
        |it| {
            let is_hinfo = it.ours.answer.iter().all(|it| it.contains(" hinfo "));
            let is_part = is_hinfo || it.ours.answer.is_subset(&it.theirs.answer);
            it.question.record_type == "ANY" && is_part && !it.ours.answer.is_empty()
        },
    ),
    ("an alias is followed in its own zone: NSD goes on in others, Knot refers to them", |it| {
        let is_out = |it: &String| {
            let mut words = it.split(' ').skip(2);
            words.next() == Some("cname")
                && words.next().is_some_and(|it| format!(".{it}").contains(INNER_PART))
        };
        it.is_nested
            && it.ours.answer.iter().any(is_out)
            && it.ours.answer.is_subset(&it.theirs.answer)
    }),
    ("a chain without an end is cut here and there, and BIND calls it SERVFAIL", |it| {
        let ours = it.ours.head.replace("NOERROR", "");
        is_endless(it.ours) && it.theirs.head.ends_with(&ours) && it.theirs.authority.is_empty()
    }),
    ("NSD has one tree for all zones: names of one count in the other", |it| {
        it.server == "nsd" && it.is_nested
    }),
    (
        "NSD and Knot take glue from wildcards below a delegation, where nothing is ours to say",
        |it| {
            let is_written =
                |name: &str| it.zone.lines.iter().any(|it| it.owner == format!("{name}."));
            let mut more = it.theirs.glue.difference(&it.ours.glue);
            let others = Meaning { glue: it.ours.glue.clone(), ..it.theirs.clone() };
            others == *it.ours && more.all(|it| !it.split(' ').next().is_some_and(is_written))
        },
    ),
    (
        "what leads to a zone that isn't delegated exists: BIND and Knot deny it, and strict resolvers stop there",
        |it| {
            let is_way = |it: &str| it.starts_with(WAY);
            let words = |it: &String| it.rsplit(' ').next().is_some_and(is_way);
            let name = it.question.name.to_ascii_lowercase();
            it.is_nested && (is_way(&name) || it.ours.answer.iter().any(words))
        },
    ),
    ("a parent that has no delegation must not say that the zone below it doesn't exist", |it| {
        let is_apex = it.question.name.to_ascii_lowercase().starts_with(INNER);
        it.is_nested && it.question.record_type == "DS" && is_apex
    }),
];

/// Whether an answer is a circle of aliases, or so many of them that it was cut.
fn is_endless(meaning: &Meaning) -> bool {
    let words = |it: &String| it.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let chain: Vec<_> = meaning.answer.iter().map(words).filter(|it| it[2] == "cname").collect();
    let has_owner = |name: &String| chain.iter().any(|it| it[0] == *name);
    let is_alone = meaning.answer.iter().all(|it| it.contains("name "));
    is_alone && (chain.len() >= 16 || !chain.is_empty() && chain.iter().all(|it| has_owner(&it[3])))
}

fn runner(random: &mut Random) -> TestRunner {
    let mut seed = [0; 32];
    seed.chunks_exact_mut(8).for_each(|it| it.copy_from_slice(&random.next().to_le_bytes()));
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

fn draw<T>(strategy: impl Strategy<Value = T>, runner: &mut TestRunner) -> T {
    strategy.new_tree(runner).unwrap().current()
}

struct Server {
    name: &'static str,
    stream: TcpStream,
}

impl Server {
    fn new(name: &'static str, address: SocketAddr) -> Self {
        Self { name, stream: connect(address) }
    }

    fn ask(&mut self, query: &Query) -> Meaning {
        Meaning::of(&ask_tcp(&mut self.stream, query).unwrap())
    }
}

#[test]
fn others_answer_the_same() {
    let mut random = Random::new();
    let mut runner = runner(&mut random);
    let mut zones: Vec<Zone> = Vec::new();
    for number in 0..ZONES {
        let apex = format!("z{number}.");
        let outer = draw(zone(&apex, 40), &mut runner);
        let inner = draw(zone(&format!("{INNER}{apex}"), 12), &mut runner);
        // Of zones in zones, NSD takes no names of one below a DNAME of the other.
        let all = || outer.lines.iter().chain(&inner.lines);
        let is_below = |it: &&Line, owner: &str| it.owner != owner && is_within(&it.owner, owner);
        let is_hiding = |dname: &Line| {
            dname.record_type == "DNAME" && all().any(|it| is_below(&it, &dname.owner))
        };
        let is_fine = number % NESTED == 0 && !all().any(is_hiding);
        zones.push(outer);
        zones.extend(is_fine.then_some(inner));
    }
    let table = |it: &Zone| format!("[[zone]]\nname = '{0}'\nfile = '{0}zone'\n", it.apex);
    let home = Home::new(&zones.iter().map(table).collect::<String>());
    let file = |it: &Zone| -> PathBuf { home.path(&format!("{}zone", it.apex)) };
    let files: Vec<ZoneFile> = zones.iter().map(|it| (it.apex.clone(), file(it))).collect();
    zones.iter().for_each(|it| home.write(&format!("{}zone", it.apex), &it.text()));
    let starts: [(&'static str, Start); 3] =
        [("knot", servers::knot), ("nsd", servers::nsd), ("bind", servers::bind)];
    let daemon = home.start();
    let running = starts.map(|(name, start)| {
        let address = servers::free();
        (name, address, start(&[address], &daemon.home.path(name), &files))
    });
    let mut ours = Server::new("farol", daemon.dns[0]);
    let mut others = running.each_ref().map(|(name, address, _)| {
        servers::wait_for_zones(*address, &files);
        Server::new(name, *address)
    });
    let mut explained: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut asked, mut wrong) = (0, Vec::new());
    for zone in &zones {
        let is_around = |it: &Zone| it.apex == format!("{INNER}{}", zone.apex);
        let is_nested = zone.apex.starts_with(INNER) || zones.iter().any(is_around);
        for question in draw(questions(zone.names(), QUESTIONS), &mut runner) {
            let flags = if random.below(2) == 0 { RD } else { 0 };
            let mut query = Query { flags, ..Query::new(&question.name, &question.record_type) };
            query.edns = (random.below(2) == 0).then(|| Edns { size: 1232, ..Edns::default() });
            let ours = ours.ask(&query);
            asked += 1;
            for other in &mut others {
                let theirs = other.ask(&query);
                let case = Case {
                    server: other.name,
                    zone,
                    is_nested,
                    question: &question,
                    ours: &ours,
                    theirs: &theirs,
                };
                let reason = EXPLAINED.iter().find(|(_, applies)| applies(&case));
                match reason {
                    _ if ours == theirs => {}
                    Some((reason, _)) => *explained.entry(reason).or_default() += 1,
                    None => wrong.push(format!(
                        "{} {}\nfarol {ours:?}\n{} {theirs:?}\n{}",
                        question.name,
                        question.record_type,
                        other.name,
                        zone.text()
                    )),
                }
            }
        }
    }
    println!("{asked} questions; differences that are explained: {explained:#?}");
    let number = wrong.len();
    assert!(wrong.is_empty(), "{number} differences:\n{}", wrong.join("\n"));
}
