use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::health::Remembered;
use crate::model::{EndpointKey, ProbeTarget, Timestamp};
use crate::store::Memory;

/// What the verdicts from before the start are worth now.
#[derive(Debug, Default)]
pub struct Recall(HashMap<EndpointKey, (Remembered, Arc<[SocketAddr]>)>);

impl Recall {
    /// Judges what was kept. Verdicts that were true longer than `max_age` ago count only where they are Degraded; a
    /// clock that was set since counts as the time by which it differs, either way.
    pub fn new(memory: &Memory, now: Timestamp, max_age: Duration) -> Self {
        let judged = memory.endpoints.iter().filter_map(|kept| {
            let known = kept.known.as_ref()?;
            let remembered = Remembered::of(known.verdict, known.as_of, now, max_age)?;
            Some((kept.key.clone(), (remembered, known.probed.clone())))
        });
        Self(judged.collect())
    }

    /// What is remembered of an endpoint that is probed like this: what was found elsewhere says nothing.
    pub(super) fn of(&self, key: &EndpointKey, probe: &ProbeTarget) -> Option<Remembered> {
        let (remembered, addresses) = self.0.get(key)?;
        let probed = ProbeTarget { addresses: addresses.clone(), ..probe.clone() };
        probed.tells_of(probe, remembered.verdict).then_some(*remembered)
    }
}
