use super::{Draw, Member, Shares, mix};

/// Sets the draws apart that one query needs for different ends.
const ACCEPT: u64 = 0x5bf0_3635_d1c9_a8e3;
const REST: u64 = 0x9c1b_7e4f_20d8_6a55;
const SAMPLE: u64 = 0xc2b2_ae3d_27d4_eb4f;

/// What chance is left to, for one query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chance {
    /// A draw: each query another one.
    Draw(Draw),
    /// The hash of the client's network: always the same for one client.
    Client(u64),
}

impl Chance {
    /// A number that is uniform over `0..1`, for one member and one end.
    pub(super) fn unit(self, member: u64, end: u64) -> f64 {
        let own = match self {
            Self::Draw(draw) => mix(draw.seed ^ mix(draw.sequence)),
            Self::Client(key) => key,
        };
        // The 53 bits that a double holds, and never 0, which has no logarithm.
        ((mix(own ^ mix(member ^ end)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

/// Members that are equally preferred: they share by weight.
#[derive(Debug)]
pub(super) struct Group {
    shares: Shares,
    /// What chance must know of each member, where more than the draw's shares is asked of it.
    seats: Box<[Seat]>,
    is_ramping: bool,
    has_weight: bool,
}

/// A member of a group.
#[derive(Clone, Copy, Debug)]
struct Seat {
    member: u32,
    weight: u16,
    /// Tells it from others, on every instance alike.
    key: u64,
    /// The part of its share that it takes by now.
    ramp: f32,
}

impl Seat {
    fn accepts(&self, chance: Chance) -> bool {
        self.ramp >= 1.0 || chance.unit(self.key, ACCEPT) < f64::from(self.ramp)
    }

    /// Whoever has the least of these comes first: it is the time at which an event happens that happens at a rate of
    /// `weight`, so that each order of members is as likely as if they were drawn by weight one after the other, and a
    /// member's weight moves only what it gains or loses (weighted rendezvous hashing; Efraimidis and Spirakis 2006).
    fn turn(&self, chance: Chance) -> f64 {
        -chance.unit(self.key, SAMPLE).ln() / f64::from(self.weight)
    }
}

impl Group {
    /// The group of these members, of which those without weight are left out unless none has any; none when there are no
    /// members. `keyed` groups can be asked by [`Chance::Client`], and for several.
    pub(super) fn new(chosen: &[usize], members: &[Member], keyed: bool) -> Option<Self> {
        let all_zero = chosen.iter().filter_map(|it| members.get(*it)).all(|it| it.weight == 0);
        let seats: Vec<Seat> = chosen
            .iter()
            .filter_map(|at| Some((*at, members.get(*at)?)))
            .filter(|(_, it)| all_zero || it.weight > 0)
            .map(|(at, it)| Seat {
                member: at as u32,
                weight: it.weight.max(1),
                key: it.key,
                ramp: it.ramp,
            })
            .collect();
        let choices: Vec<_> = seats.iter().map(|it| (it.member as usize, it.weight)).collect();
        let is_ramping = seats.iter().any(|it| it.ramp < 1.0);
        let seats = if keyed || is_ramping { seats } else { Vec::new() };
        let shares = Shares::new(&choices)?;
        Some(Self { shares, seats: seats.into(), is_ramping, has_weight: !all_zero })
    }

    /// Whether a member of it may leave the choice to the next group.
    pub(super) fn is_ramping(&self) -> bool {
        self.is_ramping
    }

    /// How many members there are to choose from.
    pub(super) fn len(&self) -> usize {
        self.shares.len()
    }

    /// They, in the profile's order.
    pub(super) fn members(&self) -> impl Iterator<Item = usize> {
        self.shares.members()
    }

    /// The weight of all.
    pub(super) fn weight(&self) -> u64 {
        if self.has_weight { self.shares.total_weight() } else { 0 }
    }

    /// The exact part of the draws that a member gets, as long as none is ramping.
    pub(super) fn share(&self, member: usize) -> f64 {
        self.shares.share(member)
    }

    /// The member that chance meets and that accepts; none when chance is against all that are ramping.
    pub(super) fn pick(&self, chance: Chance) -> Option<usize> {
        match chance {
            Chance::Draw(draw) if !self.is_ramping => Some(self.shares.pick(draw)),
            Chance::Draw(draw) => {
                let first = self.shares.pick(draw);
                let accepts = |it: &&Seat| it.accepts(chance);
                let seat = self.seats.iter().find(|it| it.member as usize == first)?;
                if accepts(&seat) { Some(first) } else { self.pick_accepting(chance) }
            }
            Chance::Client(_) => self.first(chance, |it| it.accepts(chance)),
        }
    }

    /// The member that chance meets, whether or not it accepts.
    pub(super) fn pick_anyway(&self, chance: Chance) -> Option<usize> {
        match chance {
            Chance::Draw(draw) => Some(self.shares.pick(draw)),
            Chance::Client(_) => self.first(chance, |_| true),
        }
    }

    /// Up to `room.len()` members, in the order in which chance meets those that accept; all as if they did when none
    /// does. Gives how many.
    pub(super) fn pick_several(&self, chance: Chance, room: &mut [u32]) -> usize {
        let anyone = self.seats.iter().any(|it| it.accepts(chance));
        let mut turns = [f64::INFINITY; super::MAX_RETURN];
        let mut count = 0;
        for seat in self.seats.iter().filter(|it| !anyone || it.accepts(chance)) {
            let turn = seat.turn(chance);
            let at = turns.partition_point(|it| *it <= turn);
            if let Some(later) = turns.get_mut(at..).filter(|_| at < room.len()) {
                later.rotate_right(1);
                later[0] = turn;
                room[at..].rotate_right(1);
                room[at] = seat.member;
                count += 1;
            }
        }
        count.min(room.len())
    }

    /// Draws by weight among those that accept.
    fn pick_accepting(&self, chance: Chance) -> Option<usize> {
        let accepting = || self.seats.iter().filter(|it| it.accepts(chance));
        let total: f64 = accepting().map(|it| f64::from(it.weight)).sum();
        let mut left = chance.unit(0, REST) * total;
        let mut last = None;
        for seat in accepting() {
            last = Some(seat.member as usize);
            left -= f64::from(seat.weight);
            if left < 0.0 {
                break;
            }
        }
        last
    }

    fn first(&self, chance: Chance, wanted: impl Fn(&Seat) -> bool) -> Option<usize> {
        let turns = self.seats.iter().filter(|it| wanted(it)).map(|it| (it.turn(chance), it));
        turns.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, it)| it.member as usize)
    }
}
