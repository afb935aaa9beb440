//! What the pure core costs: a decision, a lookup, a step of health, a publication.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

mod decisions;
mod networks;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use divan::{Bencher, black_box};
use farol::control::{Recall, World};
use farol::health::{Health, Outcome};
use farol::model::{Moment, Now, Overrides, RecordType, Timestamp, Verdict};
use farol::probe::VerdictChange;
use farol::settings::load_text;
use farol::snapshot::{ProfileTable, Snapshot};

fn main() {
    divan::main();
}

/// A world of weighted profiles with names a0.z., a1.z.…
fn world(profiles: usize, endpoints: usize) -> World {
    let mut text = String::from("[[zone]]\nname = \"z.\"\nnameservers = [\"ns.elsewhere.\"]\n");
    for profile in 0..profiles {
        write!(text, "[[profile]]\nname = \"a{profile}.z.\"\nmethod = \"weighted\"\n").unwrap();
        for endpoint in 0..endpoints {
            let weight = 1 + endpoint * 7 % 100;
            let target =
                format!("127.{}.{}.{}", endpoint % 200 + 1, profile >> 8 & 255, profile & 255);
            writeln!(text, "[[profile.endpoint]]\nname = \"e{endpoint}\"\ntarget = \"{target}\"\nweight = {weight}").unwrap();
        }
    }
    let model = load_text(Path::new("bench.toml"), &text).unwrap().model;
    World::new(&model, Overrides::default(), Recall::default(), 1, 7, Now::default())
}

fn table(snapshot: &Snapshot, profile: &str) -> Arc<ProfileTable> {
    snapshot.profile(&profile.parse().unwrap()).unwrap().clone()
}

/// Finding the zone and the node of a name.
#[divan::bench(args = [10, 10_000])]
fn look_up(bencher: Bencher, profiles: usize) {
    let world = world(profiles, 2);
    let name: farol::model::Name = "a7.z.".parse().unwrap();
    bencher.bench_local(|| {
        let zone = world.snapshot().zones.find(black_box(name.as_wire())).unwrap();
        black_box(zone.find(name.as_wire(), RecordType::A));
    });
}

/// One probe result.
#[divan::bench]
fn observe_a_result(bencher: Bencher) {
    let table = table(world(1, 1).snapshot(), "a0.z.");
    let monitor = &table.profile.endpoints[0].probe.monitor;
    let mut health = Health::default();
    let mut now = Moment::default();
    bencher.bench_local(|| {
        now = now + Duration::from_secs(1);
        black_box(health.observe(black_box(Outcome::Failed), monitor, now));
    });
}

/// From a verdict to a new snapshot: it must not grow with the number of profiles.
#[divan::bench(args = [10, 1000, 10_000])]
fn publish_a_verdict(bencher: Bencher, profiles: usize) {
    let mut world = world(profiles, 3);
    let key = farol::model::EndpointKey {
        profile: "a7.z.".parse().unwrap(),
        endpoint: "e1".parse().unwrap(),
    };
    let probed = table(world.snapshot(), "a7.z.").endpoints[1].facts.probed.clone();
    let mut verdict = Verdict::Online;
    bencher.bench_local(|| {
        verdict = if verdict == Verdict::Online { Verdict::Degraded } else { Verdict::Online };
        let change = VerdictChange {
            key: key.clone(),
            verdict,
            doubt: None,
            at: Timestamp(0),
            reason: None,
            probed: probed.clone(),
        };
        world.observe(&change);
        black_box(world.publish(Now::default()));
    });
}
