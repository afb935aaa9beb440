//! Keeps what runs running: when to begin again what ended too soon, and how to tell that something runs no more.

mod backoff;
mod heart;
mod tasks;

pub use backoff::Backoff;
pub use heart::{Detector, Heart, STALL};
pub use tasks::keep_running;
