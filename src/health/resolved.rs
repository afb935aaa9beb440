use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Workload;
use crate::model::{Addresses, Moment, Timestamp};

/// What is known of the addresses that endpoints don't have of their own: written by whoever finds them alone, read by probes and whoever shows it.
#[derive(Debug, Default)]
pub struct Resolved {
    latest: Mutex<Resolution>,
}

/// What came of finding them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The last good answer; empty before the first one.
    pub addresses: Arc<Addresses>,
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// When it came.
    pub at: Option<(Timestamp, Moment)>,
    /// When it is asked for again.
    pub next: Option<Moment>,
    /// Why the last try brought no address.
    pub trouble: Option<Trouble>,
    /// When a try last failed, and why; also where one has succeeded since.
    pub failed: Option<(Timestamp, Arc<str>)>,
    /// How many tries have failed since the start.
    pub failures: u64,
    /// What tells the addresses, in words, where it is a cluster.
    pub source: Option<Arc<str>>,
    /// The pods behind them, where the cluster is asked for them.
    pub workload: Option<Workload>,
}

/// Why a name has no address now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In words: "NXDOMAIN".
    pub reason: Arc<str>,
    /// Whether that is the name's own word, and not only that nobody could be asked.
    pub is_final: bool,
}

impl Resolution {
    /// Whether it has been tried at all.
    pub fn is_tried(&self) -> bool {
        self.at.is_some() || self.trouble.is_some()
    }

    /// Whether the last try brought addresses, of each type that there are.
    pub fn is_resolved(&self) -> bool {
        self.at.is_some() && self.trouble.is_none()
    }

    /// When it was tried last.
    pub fn asked(&self) -> Option<Timestamp> {
        let (found, failed) = (self.at.map(|it| it.0), self.failed.as_ref().map(|it| it.0));
        found.max(failed)
    }

    /// Where it can be reached. Those who could not be asked may well have said what they had said before, so that what they
    /// had said holds; those who say that there is nothing are believed.
    ///
    /// # Errors
    /// Why it can't.
    pub fn reach(&self) -> Result<&Arc<Addresses>, Arc<str>> {
        match &self.trouble {
            Some(it) if it.is_final || self.at.is_none() => Err(it.reason.clone()),
            _ => Ok(&self.addresses),
        }
    }
}

impl Resolved {
    /// What came of it last.
    pub fn latest(&self) -> Resolution {
        self.lock().clone()
    }

    /// Why a probe fails at these addresses now, whatever it found itself.
    pub fn objection(&self) -> Option<Arc<str>> {
        self.lock().workload.as_ref()?.objection()
    }

    /// Takes in what came of a try.
    pub fn record(&self, resolution: Resolution) {
        *self.lock() = resolution;
    }

    fn lock(&self) -> MutexGuard<'_, Resolution> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_good_holds_until_the_name_itself_says_otherwise() {
        let address = Arc::new(Addresses::from_iter(["192.0.2.1".parse().unwrap()]));
        let trouble = |is_final| Some(Trouble { reason: "why".into(), is_final });
        let at = Some((Timestamp(1), Moment::default()));
        let good = Resolution { addresses: address.clone(), at, ..Resolution::default() };
        let lost = Resolution { trouble: trouble(false), ..good.clone() };
        let gone = Resolution { trouble: trouble(true), ..good.clone() };
        let never = Resolution { trouble: trouble(false), ..Resolution::default() };
        assert!(!Resolution::default().is_tried() && !Resolution::default().is_resolved());
        for (resolution, is_resolved, reach) in [
            (good, true, Ok(&address)),
            (lost, false, Ok(&address)),
            (gone, false, Err("why".into())),
            (never, false, Err("why".into())),
        ] {
            assert!(resolution.is_tried());
            assert_eq!(resolution.is_resolved(), is_resolved);
            assert_eq!(resolution.reach(), reach);
        }
    }
}
