//! Keeps what runs running: when to begin again what ended too soon, how to tell that something runs no more, and when to
//! say that something fails.

mod backoff;
mod burst;
mod heart;
mod tasks;

pub use backoff::Backoff;
pub use burst::Burst;
pub use heart::{Detector, Heart, STALL};
pub use tasks::keep_running;
