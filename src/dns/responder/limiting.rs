//! Limits the answers that a network of clients is sent.

use std::net::IpAddr;
use std::time::Instant;

use super::Answering;
use crate::dns::QUIET;
use crate::dns::message::Message;
use crate::dns::query::{CLASS_IN, FoldedName, Query};
use crate::dns::rate_limit::{Account, Limiter, RateLimits};
use crate::metrics::{AnswerClass, CookieStanding, Limited};
use crate::model::RecordType;
use crate::snapshot::{Found, Snapshot};
use crate::supervision::Burst;

/// What a worker knows of the networks that it answers over a transport where addresses can be forged.
pub(in crate::dns) struct Limiting {
    limiter: Limiter,
    started: Instant,
    burst: Burst,
}

impl Limiting {
    /// Nothing is known yet; `key` is random and secret.
    pub(in crate::dns) fn new(key: [u8; 16]) -> Self {
        Self { limiter: Limiter::new(key), started: Instant::now(), burst: Burst::new(QUIET) }
    }
}

impl Answering<'_> {
    /// Whether an answer may be sent: to a query that a zone may answer, or else to one that none does. One too many is not,
    /// or it is as an empty one, so that records don't fit into `message` any more. Comes before the answer is made, so that
    /// one that is dropped costs little, draws nothing and is counted nowhere else.
    pub(super) fn admits(
        &mut self,
        limits: &RateLimits,
        query: Option<&Query<'_>>,
        client: IpAddr,
        cookie: Option<CookieStanding>,
        message: &mut Message<'_>,
    ) -> bool {
        let Self { worker, entered, counters, limiting, instant, .. } = self;
        let Some(limiting) = limiting.as_deref_mut() else { return true };
        if cookie == Some(CookieStanding::Valid) || limits.exempts(client) {
            return true;
        }
        let now = *instant.get_or_insert_with(Instant::now);
        let asked = query.and_then(|it| Some((it, FoldedName::new(it.name)?)));
        let (class, name) = match &asked {
            Some((query, name)) => classify(entered.snapshot(), query, name.as_wire()),
            None => (AnswerClass::Error, &[][..]),
        };
        let (network, prefix) = limits.network(client);
        let since_start = now.saturating_duration_since(limiting.started);
        let account = Account { network, class, name };
        let Some(limited) = limiting.limiter.note(limits, account, since_start) else {
            return true;
        };
        counters.limited(*worker, class, limited);
        if limiting.burst.begins(now) {
            let (network, class) = (format_args!("{network}/{prefix}"), class.label());
            tracing::warn!(event = "rate_limited", %network, class, "answers to {network} are limited; it asks for too many, or somebody does so in its name");
        }
        if limited == Limited::Slipped {
            message.slip();
        }
        limited == Limited::Slipped
    }
}

/// What kind of answer a question gets, and the name that it counts for: one that exists, of which there are only so many.
/// Else it is the zone's apex, so that names that are made up count together.
fn classify<'n>(
    snapshot: &'n Snapshot,
    query: &Query<'_>,
    name: &'n [u8],
) -> (AnswerClass, &'n [u8]) {
    const NO_ZONE: (AnswerClass, &[u8]) = (AnswerClass::Error, &[]);
    let record_type = query.record_type;
    if query.class != CLASS_IN || record_type.is_meta() && record_type != RecordType::ANY {
        return NO_ZONE;
    }
    let Some(zone) = snapshot.zones.find_for(name, record_type) else { return NO_ZONE };
    let apex = zone.zone.name().as_wire();
    match snapshot.zones.find_in(zone, name, record_type) {
        Found::Node(_) if zone.node(name).is_some() => (AnswerClass::Positive, name),
        Found::Node(_) | Found::Dname { .. } => (AnswerClass::Synthesized, apex),
        Found::Cut { .. } => (AnswerClass::Referral, apex),
        Found::Nothing => (AnswerClass::NxDomain, apex),
    }
}
