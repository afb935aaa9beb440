use std::net::SocketAddr;
use std::sync::Arc;

use super::Watch;
use crate::health::{Outcome, Phase, PhaseTimes, ProbeResult, Resolved};
use crate::model::{ProbeTarget, Timestamp};

/// Where a target's probes go.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    /// The addresses as they were when it was last looked.
    pub(super) addresses: Arc<[SocketAddr]>,
    /// What is known of the name that they are of.
    resolved: Arc<Resolved>,
}

/// Where the next probe goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There.
    At(ProbeTarget),
    /// Nowhere: the name has not been resolved so far.
    NotYet,
    /// Nowhere: the name has no address, for this reason.
    Nowhere(Arc<str>),
}

impl Aim {
    /// The aim at a target that these endpoints share, if it is a name.
    pub(super) fn of(what: &ProbeTarget, watches: &[Watch]) -> Option<Box<Self>> {
        let resolved = watches.first()?.resolved.clone().filter(|_| what.host.is_some())?;
        Some(Box::new(Self { addresses: what.addresses.clone(), resolved }))
    }

    /// Looks where the name is now. Health goes on where it was: the endpoint is the name, wherever that leads.
    pub(super) fn look(&mut self, what: &ProbeTarget) -> Next {
        let Some(host) = &what.host else { return Next::At(what.clone()) };
        let resolution = self.resolved.latest();
        if !resolution.is_tried() {
            return Next::NotYet;
        }
        let found = match resolution.reach() {
            Ok(found) => found,
            Err(reason) => return Next::Nowhere(reason),
        };
        let source = what.monitor.source;
        let addresses = found.iter().filter(|it| source.suit(*it));
        let addresses = addresses.map(|it| SocketAddr::new(it, host.port)).collect();
        self.addresses = addresses;
        if self.addresses.is_empty() {
            return Next::Nowhere("no address of a family that monitor.source has one of".into());
        }
        Next::At(ProbeTarget { addresses: self.addresses.clone(), ..what.clone() })
    }
}

/// The result of a probe that had nowhere to go.
pub(super) fn unresolved(reason: &str, at: Timestamp) -> ProbeResult {
    ProbeResult {
        at,
        outcome: Outcome::Failed,
        phase: Phase::Resolve,
        elapsed: std::time::Duration::ZERO,
        phases: PhaseTimes::default(),
        reason: Some(format!("{}: {reason}", Phase::Resolve.label()).into()),
        refused: false,
        certificate_expires: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testbed::{monitor, target};
    use super::*;
    use crate::health::{Belief, Resolution, Trouble};
    use crate::model::{Addresses, EndpointKey, Moment, ProbeHost, Protocol, Sources};

    #[test]
    fn a_name_is_probed_wherever_it_is_by_now() {
        let resolved = Arc::new(Resolved::default());
        let host = Arc::new(ProbeHost { name: "a.example.".parse().unwrap(), port: 81 });
        let v4_alone = Sources { v4: Some([127, 0, 0, 1].into()), v6: None };
        let monitor =
            Arc::new(crate::model::Monitor { source: v4_alone, ..monitor(Protocol::Tcp) });
        let what = ProbeTarget { host: Some(host), monitor, ..target(&[], Protocol::Tcp) };
        let key = EndpointKey { profile: "p.z.".parse().unwrap(), endpoint: "a".parse().unwrap() };
        let watch = Watch {
            key,
            site: None,
            target: what.clone(),
            belief: Belief::default(),
            doubt: None,
            probed: Arc::default(),
            resolved: Some(resolved.clone()),
            is_discovered: false,
        };
        let mut aim = Aim::of(&what, &[watch]).unwrap();
        let mut look = |addresses: &[&str], trouble: Option<(&str, bool)>| {
            let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect::<Addresses>();
            let trouble =
                trouble.map(|(reason, is_final)| Trouble { reason: reason.into(), is_final });
            let at = (addresses != Addresses::default()).then(|| (Timestamp(0), Moment::default()));
            let addresses = Arc::new(addresses);
            resolved.record(Resolution { addresses, at, trouble, ..Resolution::default() });
            match aim.look(&what) {
                Next::At(it) => it.addresses.iter().map(ToString::to_string).collect(),
                Next::NotYet => "not yet".to_owned(),
                Next::Nowhere(why) => why.to_string(),
            }
        };
        assert_eq!(look(&[], None), "not yet");
        assert_eq!(look(&[], Some(("timed out", false))), "timed out");
        assert_eq!(look(&["192.0.2.1"], None), "192.0.2.1:81");
        assert_eq!(look(&["192.0.2.2"], Some(("timed out", false))), "192.0.2.2:81");
        assert_eq!(look(&["192.0.2.2"], Some(("NXDOMAIN", true))), "NXDOMAIN");
        let unsuited = "no address of a family that monitor.source has one of";
        assert_eq!(look(&["2001:db8::1"], None), unsuited);
        assert_eq!(&*unresolved("NXDOMAIN", Timestamp(0)).reason.unwrap(), "resolve: NXDOMAIN");
    }
}
