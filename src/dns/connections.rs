use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One client may hold no more than this part of all connections while others are there.
const CLIENT_PART: usize = 4;

/// Who is connected, so that a newcomer always finds a place: the idlest connection makes room.
pub(super) struct Connections {
    most: usize,
    open: HashMap<u64, Open>,
    next: u64,
}

struct Open {
    client: IpAddr,
    active: Instant,
    end: CancellationToken,
}

/// A connection's place.
pub(super) struct Ticket {
    pub(super) id: u64,
    /// Cancelled when the connection must end.
    pub(super) end: CancellationToken,
}

impl Connections {
    /// A table of at most so many places.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), open: HashMap::new(), next: 0 }
    }

    /// Gives a connection its place. Where the table is full, the idlest connection has to go; where this client has more
    /// than its part, the idlest of its own.
    pub(super) fn admit(
        &mut self,
        client: IpAddr,
        now: Instant,
        stop: &CancellationToken,
    ) -> Ticket {
        let own = self.open.values().filter(|it| it.client == client).count();
        if own >= self.most.div_ceil(CLIENT_PART) {
            self.end_idlest(|it| it.client == client);
        } else if self.open.len() >= self.most {
            self.end_idlest(|_| true);
        }
        let id = self.next;
        self.next += 1;
        let end = stop.child_token();
        self.open.insert(id, Open { client, active: now, end: end.clone() });
        Ticket { id, end }
    }

    /// Notes that a connection has sent a query.
    pub(super) fn touch(&mut self, id: u64, now: Instant) {
        if let Some(open) = self.open.get_mut(&id) {
            open.active = now;
        }
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, id: u64) {
        self.open.remove(&id);
    }

    fn end_idlest(&mut self, of: impl Fn(&Open) -> bool) {
        let idlest = self.open.iter().filter(|(_, it)| of(it)).min_by_key(|(_, it)| it.active);
        if let Some(id) = idlest.map(|(id, _)| *id)
            && let Some(open) = self.open.remove(&id)
        {
            open.end.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn newcomers_take_the_place_of_the_idlest() {
        let stop = CancellationToken::new();
        let mut connections = Connections::new(8);
        let client = |number: u8| IpAddr::from([192, 0, 2, number]);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let tickets: Vec<Ticket> =
            (0..8).map(|it| connections.admit(client(it), at(u64::from(it)), &stop)).collect();
        connections.touch(tickets[0].id, at(9));
        let ninth = connections.admit(client(9), at(10), &stop);
        let ended = |tickets: &[Ticket]| {
            (0..)
                .zip(tickets)
                .filter(|(_, it)| it.end.is_cancelled())
                .map(|(at, _)| at)
                .collect::<Vec<_>>()
        };
        assert_eq!(ended(&tickets), [1], "the idlest, not the oldest");
        connections.leave(ninth.id);
        let same: Vec<Ticket> =
            (0..3).map(|it| connections.admit(client(77), at(20 + it), &stop)).collect();
        assert_eq!(ended(&same), [0], "a quarter is one client's part");
        stop.cancel();
        assert!(same.iter().all(|it| it.end.is_cancelled()));
    }
}
