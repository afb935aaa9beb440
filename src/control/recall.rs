use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::health::Remembered;
use crate::model::{EndpointKey, ProbeHost, ProbeTarget, Timestamp};
use crate::store::Memory;

/// What the verdicts from before the start are worth now.
#[derive(Clone, Debug, Default)]
pub struct Recall(HashMap<EndpointKey, (Remembered, Place)>);

/// Where it was true.
type Place = (Arc<[SocketAddr]>, Option<Arc<ProbeHost>>);

impl Recall {
    /// Judges what was kept. Verdicts that were true longer than `max_age` ago count only where they are Degraded; a
    /// clock that was set since counts as the time by which it differs, either way.
    pub fn new(memory: &Memory, now: Timestamp, max_age: Duration) -> Self {
        let judged = memory.endpoints.iter().filter_map(|kept| {
            let known = kept.known.as_ref()?;
            let remembered = Remembered::of(known.verdict, known.as_of, now, max_age)?;
            Some((kept.key.clone(), (remembered, (known.probed.clone(), known.host.clone()))))
        });
        Self(judged.collect())
    }

    /// What is remembered of an endpoint that is probed like this: what was found elsewhere says nothing.
    pub(super) fn of(&self, key: &EndpointKey, probe: &ProbeTarget) -> Option<Remembered> {
        let (remembered, (addresses, host)) = self.0.get(key)?.clone();
        let probed = ProbeTarget { addresses, host, monitor: probe.monitor.clone() };
        probed.tells_of(probe, remembered.verdict).then_some(remembered)
    }
}
