use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::aim::{Aim, Next};
use super::heritage::{Heritage, Share};
use super::line::Line;
use super::shares::SiteId;
use super::{VerdictChange, Watch};
use crate::clock::Clock;
use crate::health::{Health, Outcome, Phase, ProbeResult, Probed, Resolved};
use crate::model::{EndpointKey, Moment, ProbeTarget, Verdict};

/// Changes that are to be told, in order.
pub(super) type Outbox = VecDeque<VerdictChange>;

/// One thing that is probed, and the endpoints that share what comes of it: those whose targets are equal.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) what: ProbeTarget,
    /// Whose sockets its probes take.
    pub(super) site: SiteId,
    /// The probe under way.
    pub(super) probe: Option<AbortHandle>,
    /// When it is looked at next. What the agenda has of other times is void.
    pub(super) due: Moment,
    /// Whether its probe waits for a socket.
    pub(super) is_asking: bool,
    /// Its idle connection, if it ever had one.
    pub(super) line: Option<Box<Line>>,
    /// Where the name is that is probed, if it is one.
    aim: Option<Box<Aim>>,
    /// What the cluster says of the endpoint, if it is discovered.
    cluster: Option<Arc<Resolved>>,
    health: Health,
    listeners: Box<[Listener]>,
}

/// An endpoint of a target.
#[derive(Debug)]
struct Listener {
    key: EndpointKey,
    probed: Arc<Probed>,
    /// What it was told last, or believed by itself.
    told: Verdict,
    /// The doubt that it knows of, where it wants to.
    doubt: Option<Option<u8>>,
}

impl Listener {
    fn new(watch: Watch, told: Verdict) -> Self {
        Self { key: watch.key, probed: watch.probed, told, doubt: watch.doubt }
    }
}

impl Target {
    /// A target that nobody has probed yet. Its endpoints start from what they believe together and what is known of them, and
    /// where they contradict each other, each from its own until the first result. All of `watches` have this target.
    pub(super) fn new(
        what: ProbeTarget,
        site: SiteId,
        watches: Vec<Watch>,
        heritage: &Heritage,
        out: &mut Outbox,
    ) -> Self {
        let (aim, cluster) = (Aim::of(&what, &watches), cluster(&watches));
        let health = heritage.health(&watches);
        let listener = |it: Watch| {
            let told = heritage.told(&it);
            Listener::new(it, told)
        };
        let listeners = watches.into_iter().map(listener).collect();
        let mut target = Self {
            what,
            site,
            probe: None,
            due: Moment::default(),
            is_asking: false,
            line: None,
            aim,
            cluster,
            health,
            listeners,
        };
        target.tell(None, out);
        target
    }

    /// Whether any of these endpoints has been listening with the same record.
    pub(super) fn is_known_to(&self, watches: &[Watch]) -> bool {
        // Mostly nothing has changed, and then the first of each are the same.
        let is_first = |it: &Watch| self.listeners.first().is_some_and(|own| own.is_of(it));
        if watches.first().is_some_and(is_first) {
            return true;
        }
        let known = self.told();
        watches.iter().any(|it| known.contains_key(&Arc::as_ptr(&it.probed)))
    }

    /// Leaves to its endpoints what is known of them.
    pub(super) fn bequeath(&self, heritage: &mut Heritage, now: Moment) {
        // A probe that is under way gives no result any more, so it is made again.
        let due = if self.probe.is_some() { now } else { self.due };
        for listener in &self.listeners {
            let share = Share { health: self.health.clone(), told: listener.told, due };
            heritage.leave(Arc::as_ptr(&listener.probed), share);
        }
    }

    /// Goes on for these endpoints instead. Who is new is told at once what is known.
    pub(super) fn go_on(
        &mut self,
        what: ProbeTarget,
        site: SiteId,
        watches: Vec<Watch>,
        heritage: &Heritage,
        out: &mut Outbox,
    ) {
        (self.what, self.site, self.cluster) = (what, site, cluster(&watches));
        let is_same = |(own, it): (&Listener, &Watch)| {
            own.is_of(it) && own.doubt.is_some() == it.doubt.is_some()
        };
        if self.listeners.len() == watches.len() && self.listeners.iter().zip(&watches).all(is_same)
        {
            return;
        }
        let known = self.told();
        let latest = self.listeners.first().map(|it| it.probed.clone());
        let listener = |it: Watch| {
            let told = known.get(&Arc::as_ptr(&it.probed)).copied().unwrap_or_else(|| {
                if let Some(latest) = latest.as_ref().filter(|it| it.last().is_some()) {
                    it.probed.follow(latest);
                }
                heritage.told(&it)
            });
            Listener::new(it, told)
        };
        let listeners = watches.into_iter().map(listener).collect();
        self.listeners = listeners;
        let latest = latest.and_then(|it| it.last()).filter(|it| it.outcome == Outcome::Failed);
        let is_down = self.health.verdict() == Verdict::Degraded;
        self.tell(latest.filter(|_| is_down).and_then(|it| it.reason.clone()), out);
    }

    /// Where the next probe goes.
    pub(super) fn look(&mut self) -> Next {
        match &mut self.aim {
            Some(aim) => aim.look(&self.what),
            None => Next::At(self.what.clone()),
        }
    }

    /// Where the last probe went.
    pub(super) fn aimed(&self) -> ProbeTarget {
        ProbeTarget { addresses: self.addresses().clone(), ..self.what.clone() }
    }

    /// How many sockets a probe of it takes, as it was when it started.
    pub(super) fn sockets(&self) -> usize {
        self.addresses().len()
    }

    fn addresses(&self) -> &Arc<[SocketAddr]> {
        self.aim.as_ref().map_or(&self.what.addresses, |it| &it.addresses)
    }

    /// Whether it is that of a discovered endpoint.
    pub(super) fn is_discovered(&self) -> bool {
        self.cluster.is_some()
    }

    /// Takes in a result: for whoever shows it, and for the verdict. Gives it as it counts.
    pub(super) fn observe(
        &mut self,
        result: ProbeResult,
        now: Moment,
        out: &mut Outbox,
    ) -> Arc<ProbeResult> {
        let result = self.weigh(result);
        let turned = self.health.observe(result.outcome, &self.what.monitor, now);
        if turned || self.listeners.iter().any(|it| it.doubt.is_some()) {
            self.tell(result.reason.clone(), out);
        }
        let result = Arc::new(result);
        let held_down_until = self.health.held_down_until();
        self.listeners
            .iter()
            .for_each(|it| it.probed.record(Arc::clone(&result), now, held_down_until));
        result
    }

    /// A result as it counts: as a failure while the cluster says that nobody is ready behind the endpoint.
    fn weigh(&self, result: ProbeResult) -> ProbeResult {
        match self.cluster.as_ref().and_then(|it| it.objection()) {
            None => result,
            Some(reason) => ProbeResult {
                outcome: Outcome::Failed,
                phase: Phase::Readiness,
                reason: Some(reason),
                refused: false,
                ..result
            },
        }
    }

    /// Ends the probe under way.
    pub(super) fn give_up(&self) {
        self.probe.iter().for_each(AbortHandle::abort);
    }

    /// What is believed.
    pub(super) fn verdict(&self) -> Verdict {
        self.health.verdict()
    }

    /// How long to wait from the start of the last probe to the start of the next.
    pub(super) fn interval(&self) -> Duration {
        self.health.interval(&self.what.monitor)
    }

    /// The endpoint to name when there is something to say of the probe itself.
    pub(super) fn key(&self) -> Option<&EndpointKey> {
        self.listeners.first().map(|it| &it.key)
    }

    /// The records of those that listen.
    pub(super) fn records(&self) -> impl Iterator<Item = *const Probed> {
        self.listeners.iter().map(|it| Arc::as_ptr(&it.probed))
    }

    /// Tells the verdict to those that know another one, and the doubt likewise to those who want to know it; none is told that
    /// nothing is known.
    fn tell(&mut self, reason: Option<Arc<str>>, out: &mut Outbox) {
        let (verdict, at) = (self.health.verdict(), Clock::time_of_day());
        if verdict == Verdict::Unknown {
            return;
        }
        let doubt = self.health.doubt(&self.what.monitor);
        for listener in &mut self.listeners {
            let turned = listener.told != verdict;
            if !turned && listener.doubt.is_none_or(|known| known == doubt) {
                continue;
            }
            listener.told = verdict;
            listener.doubt = listener.doubt.map(|_| doubt);
            out.push_back(VerdictChange {
                key: listener.key.clone(),
                verdict,
                doubt,
                at,
                reason: reason.clone().filter(|_| turned),
                probed: Arc::clone(&listener.probed),
            });
        }
    }

    /// What each record's endpoint was told.
    fn told(&self) -> HashMap<*const Probed, Verdict> {
        self.listeners.iter().map(|it| (Arc::as_ptr(&it.probed), it.told)).collect()
    }
}

/// What the cluster says of these endpoints' one, if it is discovered.
fn cluster(watches: &[Watch]) -> Option<Arc<Resolved>> {
    watches.first().filter(|it| it.is_discovered)?.resolved.clone()
}

impl Listener {
    fn is_of(&self, watch: &Watch) -> bool {
        Arc::ptr_eq(&self.probed, &watch.probed)
    }
}
