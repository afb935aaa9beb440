//! Who is connected over TCP, so that a newcomer always finds a place: the idlest connection makes room.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One client may hold no more than this part of all connections while others are there.
const CLIENT_PART: usize = 4;
/// So many connections may be on their way out beside those within the limit, for newcomers not to wait for each of them.
const ENDING: usize = 16;

/// The table of places. A place is taken from the admission until the connection is really gone, also while it is being ended.
#[derive(Clone)]
pub(super) struct Connections {
    most: usize,
    /// On one thread, and never borrowed over an await.
    open: Rc<RefCell<HashMap<u64, Open>>>,
    next: u64,
}

struct Open {
    client: IpAddr,
    active: Instant,
    evicted: CancellationToken,
}

/// A connection's place, given back when this is dropped, however the connection ends.
pub(super) struct Ticket {
    id: u64,
    open: Rc<RefCell<HashMap<u64, Open>>>,
    /// Cancelled when the connection must make room at once.
    evicted: CancellationToken,
}

impl Connections {
    /// A table of at most so many places.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), open: Rc::default(), next: 0 }
    }

    /// Whether another connection may be admitted now. Not while too many that had to make room are still there.
    pub(super) fn has_room(&self) -> bool {
        self.open.borrow().len() < self.most + ENDING
    }

    /// Whether so many places are taken, of all or of this client's part, that it should show first that it is where it claims
    /// to be: nobody has to make room for somebody who forges addresses.
    pub(super) fn is_crowded(&self, client: IpAddr) -> bool {
        let open = self.open.borrow();
        let own = || open.values().filter(|it| it.client == client).count();
        open.len() >= self.most / 2 || own() >= self.most.div_ceil(2 * CLIENT_PART)
    }

    /// Gives a connection its place. Where all are taken, the idlest connection has to go; where this client has its part,
    /// the idlest of its own.
    pub(super) fn admit(&mut self, client: IpAddr, now: Instant) -> Ticket {
        let mut open = self.open.borrow_mut();
        let staying = open.values().filter(|it| !it.evicted.is_cancelled());
        let (mut all, mut own) = (0, 0);
        for other in staying {
            all += 1;
            own += usize::from(other.client == client);
        }
        if own >= self.most.div_ceil(CLIENT_PART) {
            evict_idlest(&open, |it| it.client == client);
        } else if all >= self.most {
            evict_idlest(&open, |_| true);
        }
        let id = self.next;
        self.next += 1;
        let evicted = CancellationToken::new();
        open.insert(id, Open { client, active: now, evicted: evicted.clone() });
        Ticket { id, open: self.open.clone(), evicted }
    }
}

impl Ticket {
    /// Notes that the connection has sent a query.
    pub(super) fn touch(&self, now: Instant) {
        if let Some(open) = self.open.borrow_mut().get_mut(&self.id) {
            open.active = now;
        }
    }

    /// Waits until the connection has to make room.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Ok(mut open) = self.open.try_borrow_mut() {
            open.remove(&self.id);
        }
    }
}

fn evict_idlest(open: &HashMap<u64, Open>, of: impl Fn(&Open) -> bool) {
    let staying = open.values().filter(|it| !it.evicted.is_cancelled() && of(it));
    if let Some(idlest) = staying.min_by_key(|it| it.active) {
        idlest.evicted.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// Which of the connections have to go.
    fn evicted(tickets: &[Ticket]) -> Vec<usize> {
        (0..tickets.len()).filter(|it| tickets[*it].evicted.is_cancelled()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn newcomers_take_the_place_of_the_idlest() {
        let mut connections = Connections::new(8);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let tickets: Vec<Ticket> =
            (0..8).map(|it| connections.admit(client(it), at(u64::from(it)))).collect();
        tickets[0].touch(at(9));
        let ninth = connections.admit(client(9), at(10));
        assert_eq!(evicted(&tickets), [1], "the idlest, not the oldest");
        drop(ninth);
        let same: Vec<Ticket> =
            (0..3).map(|it| connections.admit(client(77), at(20 + it))).collect();
        assert_eq!(evicted(&same), [0], "a quarter is one client's part");
        tickets[1].evicted().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_until_the_connection_is_gone() {
        let mut connections = Connections::new(2);
        let now = Instant::now();
        let admit = |it| connections.admit(client(it), now + Duration::from_secs(it.into()));
        let mut tickets: Vec<Ticket> = (0..18).map(admit).collect();
        assert_eq!(evicted(&tickets), (0..16).collect::<Vec<_>>());
        assert!(!connections.has_room(), "those that have to go are still there");
        tickets.remove(0);
        assert!(connections.has_room());
    }
}
