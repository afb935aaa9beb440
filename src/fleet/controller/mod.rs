//! The companion as a part of the daemon: it watches every site's cluster, says what isn't as it is wanted as soon as that happens, and puts
//! it back where it is told to. Each site has a task of its own: one that hangs, or is away, slows no other.

mod board;
mod healing;
mod known;
mod looks;
mod members;
mod memory;
mod mending;
mod pace;
mod site;
mod task;
mod waits;

pub use board::{AppNow, AppState, Board, FleetNow, HealingNow, SiteNow};
pub use task::Controller;
