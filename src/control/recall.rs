use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::health::{Remembered, Resolution, Resolved, Trouble};
use crate::model::{EndpointKey, Locator, Moment, ProbeHost, ProbeTarget, Timestamp};
use crate::store::Memory;

/// What the verdicts from before the start are worth now.
#[derive(Clone, Debug, Default)]
pub struct Recall {
    verdicts: HashMap<EndpointKey, (Remembered, Place)>,
    /// The addresses that were discovered, with since when they were so.
    discovered: HashMap<EndpointKey, Resolution>,
}

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
        let discovered = memory.endpoints.iter().filter_map(|kept| {
            let known = kept.discovered.as_ref()?;
            let why: Arc<str> = "no cluster has borne it out since Farol started".into();
            let resolution = Resolution {
                addresses: known.addresses.clone(),
                ttl: u32::MAX,
                at: Some((known.at, Moment::default())),
                trouble: Some(Trouble { reason: why.clone(), is_final: false }),
                failed: Some((now, why)),
                ..Resolution::default()
            };
            Some((kept.key.clone(), resolution))
        });
        Self { verdicts: judged.collect(), discovered: discovered.collect() }
    }

    /// The record of what tells addresses; of what was discovered it has the last that were, which hold until others are.
    pub(super) fn resolved(&self, locator: &Locator) -> Arc<Resolved> {
        let record = Resolved::default();
        let Locator::Cluster(key) = locator else { return record.into() };
        if let Some(known) = self.discovered.get(key) {
            record.record(known.clone());
        }
        record.into()
    }

    /// What is remembered of an endpoint that is probed like this: what was found elsewhere says nothing.
    pub(super) fn of(&self, key: &EndpointKey, probe: &ProbeTarget) -> Option<Remembered> {
        let (remembered, (addresses, host)) = self.verdicts.get(key)?.clone();
        let probed = ProbeTarget { addresses, host, monitor: probe.monitor.clone() };
        probed.tells_of(probe, remembered.verdict).then_some(remembered)
    }
}
