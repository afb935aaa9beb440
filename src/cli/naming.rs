//! What resolves the names that endpoints stand for.

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::model::Name;
use crate::resolve::{Resolver, Wanted};
use crate::settings::Settings;

/// Names that may wait for the control task; further ones wait in the resolver.
const NAMES: usize = 1024;

/// What tells resolvers what is wanted, where they tell what they found, and what makes one resolver after the other.
pub(super) fn naming(
    clock: Clock,
    settings: &Settings,
) -> (watch::Sender<Wanted>, mpsc::Receiver<Name>, impl FnMut() -> Resolver + Send + use<>) {
    let nothing = Wanted { names: Vec::new(), servers: settings.resolver.clone() };
    let (names, wanted) = watch::channel(nothing);
    let (changes, resolved) = mpsc::channel(NAMES);
    (names, resolved, move || Resolver::new(clock, wanted.clone(), changes.clone()))
}
