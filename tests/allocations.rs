//! A decision takes no memory from the heap, by no method.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "common/decisions.rs"]
mod decisions;

use decisions::{Counting, Scene, scenes, wide};
use farol::model::Family;

fn decide_all(scene: &Scene) -> u32 {
    let snapshot = scene.world.snapshot();
    let mut decided = 0;
    for table in snapshot.profiles.iter() {
        for client in &scene.clients[..256] {
            for family in Family::ALL {
                let decision = snapshot.decide(table, family.record_type(), *client, &mut Counting);
                decided += u32::from(decision.answers().next().is_some());
            }
        }
    }
    decided
}

#[test]
fn no_decision_allocates() {
    for scene in scenes().into_iter().chain([wide(50, 1000)]) {
        let mut decided = 0;
        let taken = allocation_counter::measure(|| decided = decide_all(&scene));
        assert!(decided > 0, "{}: nothing was answered", scene.name);
        assert_eq!(taken.count_total, 0, "{}", scene.name);
    }
}

/// What counts allocations does count them.
#[test]
fn an_allocation_is_counted() {
    let taken = allocation_counter::measure(|| drop(std::hint::black_box(vec![1_u8; 77])));
    assert_eq!((taken.count_total, taken.bytes_total), (1, 77));
}
