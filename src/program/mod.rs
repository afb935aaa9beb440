//! Programs that others wrote: run without a shell, each in a process group of its own, so that whatever ends one ends all that
//! it has started. Loading one may hang, one may write without end, and one may not die: none of that takes anybody else's time.
//!
//! - **Flow**: [`Programs::start`] runs, on a thread, what makes a command and starts it by [`Group::start`]; [`Group::end`] waits
//!   for its end, and has an [`Ear`] at each of its outputs. [`Programs::run`] does both, within a time limit.
//! - **Guarantees**: a [`Group`] that is dropped is killed, with all that is left in the group; what was killed is reaped.

mod ear;
mod group;
mod run;
mod starts;

pub use ear::{Ear, Keeps};
pub use group::Group;
pub use run::{Ran, RunError};
pub use starts::{Dying, Programs};
