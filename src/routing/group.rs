use super::{Draw, Member, Shares, mix};

/// Sets the draws apart that one query needs for different ends.
const ACCEPT: u64 = 0x5bf0_3635_d1c9_a8e3;
const REST: u64 = 0x9c1b_7e4f_20d8_6a55;
const SAMPLE: u64 = 0xc2b2_ae3d_27d4_eb4f;
/// Longer than anybody's turn takes.
const LATER: f64 = 1000.0;

/// What chance is left to, for one query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chance {
    /// A draw: each query another one.
    Draw(Draw),
    /// The hash of the client's network: always the same for one client.
    Client(u64),
}

impl Chance {
    /// A number that is uniform over `0..1`, for whatever has this salt.
    fn unit(self, salt: u64) -> f64 {
        let own = match self {
            Self::Draw(draw) => mix(draw.seed ^ mix(draw.sequence)),
            Self::Client(key) => key,
        };
        // The 53 bits that a double holds, and never 0, which has no logarithm.
        ((mix(own ^ salt) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
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
    /// The part of its share that it takes by now.
    ramp: f32,
    weight: f64,
    /// What its turns and its acceptance follow from beside chance, on every instance alike.
    salts: [u64; 2],
}

impl Seat {
    fn new(at: usize, member: &Member) -> Self {
        Self {
            member: at as u32,
            ramp: member.ramp,
            weight: member.weight.max(1).into(),
            salts: [SAMPLE, ACCEPT].map(|it| mix(member.key ^ it)),
        }
    }

    fn accepts(&self, chance: Chance) -> bool {
        self.ramp >= 1.0 || chance.unit(self.salts[1]) < f64::from(self.ramp)
    }

    /// When its turn comes, if that is before `limit`. Whoever has the least of these comes first: it is the time at which
    /// an event happens that happens at a rate of `weight`, so that each order of members is as likely as if they were drawn
    /// by weight one after the other, and a member's weight moves only what it gains or loses (weighted rendezvous hashing;
    /// Efraimidis and Spirakis 2006).
    fn turn_before(&self, limit: f64, chance: Chance) -> Option<f64> {
        let unit = chance.unit(self.salts[0]);
        // No logarithm is less than this, which spares most of them.
        if 1.0 - unit >= limit * self.weight {
            return None;
        }
        Some(-unit.ln() / self.weight).filter(|it| *it < limit)
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
            .map(|(at, it)| Seat::new(at, it))
            .collect();
        let choices: Vec<_> =
            seats.iter().map(|it| (it.member as usize, it.weight as u16)).collect();
        let is_ramping = seats.iter().any(|it| it.ramp < 1.0);
        let seats = if keyed || is_ramping { seats } else { Vec::new() };
        let shares = Shares::new(&choices)?;
        Some(Self { shares, seats: seats.into(), is_ramping, has_weight: !all_zero })
    }

    /// Whether a member of it may leave the choice to the next group.
    pub(super) fn is_ramping(&self) -> bool {
        self.is_ramping
    }

    /// Whether all of its members may.
    pub(super) fn may_decline(&self) -> bool {
        self.is_ramping && self.seats.iter().all(|it| it.ramp < 1.0)
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
        if !self.is_ramping {
            return self.pick_anyway(chance);
        }
        match chance {
            Chance::Draw(draw) => {
                let first = self.shares.pick(draw);
                let accepts = |it: &&Seat| it.accepts(chance);
                let seat = self.seats.iter().find(|it| it.member as usize == first)?;
                if accepts(&seat) { Some(first) } else { self.pick_accepting(chance) }
            }
            Chance::Client(_) => self.first(chance, |it| it.accepts(chance)).map(|it| it.1),
        }
    }

    /// The member that chance meets, whether or not it accepts.
    pub(super) fn pick_anyway(&self, chance: Chance) -> Option<usize> {
        match chance {
            Chance::Draw(draw) => Some(self.shares.pick(draw)),
            Chance::Client(_) => match self.shares.only() {
                Some(only) => Some(only),
                None => self.first(chance, |_| true).map(|it| it.1),
            },
        }
    }

    /// Up to `room.len()` members, in the order in which chance meets those that accept; all as if they did when none
    /// does. Gives how many.
    pub(super) fn pick_several(&self, chance: Chance, room: &mut [u32]) -> usize {
        let heeds = self.is_ramping && self.seats.iter().any(|it| it.accepts(chance));
        let mut turns = [f64::INFINITY; super::MAX_RETURN];
        let mut count = 0;
        for seat in self.seats.iter().filter(|it| !heeds || it.accepts(chance)) {
            let last = room.len().checked_sub(1).and_then(|it| turns.get(it));
            let limit = last.copied().unwrap_or_default();
            let Some(turn) = seat.turn_before(limit, chance) else { continue };
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

    /// Whether one of its members has more than weight 0.
    pub(super) fn has_weight(&self) -> bool {
        self.has_weight
    }

    /// When its turn comes among groups that are equally preferred, so that all their members are met as if they were of
    /// one group; those of whom none accepts come last. Only of `keyed` groups.
    pub(super) fn turn(&self, chance: Chance) -> f64 {
        let accepting = self.first(chance, |it| it.accepts(chance));
        let turn = accepting.or_else(|| self.first(chance, |_| true)).map_or(0.0, |it| it.0);
        if accepting.is_some() { turn } else { LATER + turn }
    }

    /// Draws by weight among those that accept.
    fn pick_accepting(&self, chance: Chance) -> Option<usize> {
        let accepting = || self.seats.iter().filter(|it| it.accepts(chance));
        let total: f64 = accepting().map(|it| it.weight).sum();
        let mut left = chance.unit(REST) * total;
        let mut last = None;
        for seat in accepting() {
            last = Some(seat.member as usize);
            left -= seat.weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// Whose turn comes first of those that are wanted, and when.
    fn first(&self, chance: Chance, wanted: impl Fn(&Seat) -> bool) -> Option<(f64, usize)> {
        let mut first = None;
        let mut least = f64::INFINITY;
        for seat in self.seats.iter().filter(|it| wanted(it)) {
            if let Some(turn) = seat.turn_before(least, chance) {
                least = turn;
                first = Some((turn, seat.member as usize));
            }
        }
        first
    }
}
