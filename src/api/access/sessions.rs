//! Sessions of browsers. Whoever signs in with a token gets a secret that stands for the token, for a while. Sessions are in
//! memory alone, so a restart ends them; of a secret nothing is kept but its hash.

use std::collections::HashMap;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::credentials::TokenKey;
use crate::model::{Moment, Now, Timestamp, TokenHash};

/// A session that nobody uses for so long is over.
pub(super) const IDLE: Duration = Duration::from_secs(3600);
/// So is every session after so long.
pub(super) const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// Sessions at a time; the one that has not been used for longest makes room.
const MOST: usize = 1000;
/// Sessions of one token, so that nobody ends those of others by signing in again and again.
const MOST_OF_ONE: usize = 50;

/// The first octets of a secret's hash. How long it takes to look for them may tell something of the hash, of which no secret follows.
type Index = [u8; 8];

/// The sessions that are going on.
#[derive(Debug, Default)]
pub(super) struct Sessions(HashMap<Index, Session>);

#[derive(Debug)]
struct Session {
    /// Of its secret.
    hash: TokenHash,
    token: TokenKey,
    begun: Moment,
    used: Moment,
}

impl Session {
    fn is_over(&self, now: Moment) -> bool {
        now.since(self.used) >= IDLE || now.since(self.begun) >= LONGEST
    }

    /// When it ends, however much it is used.
    fn end(&self, now: Now) -> Timestamp {
        let left = LONGEST.saturating_sub(now.moment.since(self.begun));
        Timestamp(now.time.0.saturating_add(left.as_millis() as i64))
    }
}

fn index(hash: &TokenHash) -> Index {
    hash.0.first_chunk().copied().unwrap_or_default()
}

impl Sessions {
    /// Begins a session of a token; gives its end, however much it is used.
    pub(super) fn begin(&mut self, secret: &TokenHash, token: TokenKey, now: Now) -> Timestamp {
        self.0.retain(|_, it| !it.is_over(now.moment));
        if self.0.values().filter(|it| it.token == token).count() >= MOST_OF_ONE {
            self.end_most_idle(|it| it.token == token);
        }
        if self.0.len() >= MOST {
            self.end_most_idle(|_| true);
        }
        let session = Session { hash: secret.clone(), token, begun: now.moment, used: now.moment };
        let end = session.end(now);
        self.0.insert(index(secret), session);
        end
    }

    fn end_most_idle(&mut self, is_one: impl Fn(&Session) -> bool) {
        let ones = self.0.iter().filter(|(_, it)| is_one(it));
        let idle = ones.min_by_key(|(_, it)| it.used).map(|(index, _)| *index);
        idle.map(|it| self.0.remove(&it));
    }

    /// The token that a session stands for, and the session's end, now that somebody uses it.
    pub(super) fn used(&mut self, secret: &TokenHash, now: Now) -> Option<(TokenKey, Timestamp)> {
        let token = self.token(secret, now.moment)?;
        let session = self.0.get_mut(&index(secret))?;
        session.used = session.used.max(now.moment);
        Some((token, session.end(now)))
    }

    /// The token that a session stands for, unless it is over.
    pub(super) fn token(&self, secret: &TokenHash, now: Moment) -> Option<TokenKey> {
        let is_it = |it: &&Session| bool::from(it.hash.0.ct_eq(&secret.0));
        let session = self.0.get(&index(secret)).filter(is_it)?;
        (!session.is_over(now)).then(|| session.token.clone())
    }

    /// Ends a session; tells whether there was one.
    pub(super) fn end(&mut self, secret: &TokenHash) -> bool {
        let is_it = |it: &Session| bool::from(it.hash.0.ct_eq(&secret.0));
        self.0.get(&index(secret)).is_some_and(is_it) && self.0.remove(&index(secret)).is_some()
    }

    /// How many there are.
    pub(super) fn count(&mut self, now: Moment) -> usize {
        self.0.retain(|_, it| !it.is_over(now));
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::token_hash;

    const MINUTE: i64 = 60_000;

    fn begin(sessions: &mut Sessions, secret: &str, token: &str, milliseconds: i64) {
        sessions.begin(&token_hash(secret), TokenKey::of(token), Now::at(milliseconds));
    }

    fn used(sessions: &mut Sessions, secret: &str, milliseconds: i64) -> Option<TokenKey> {
        sessions.used(&token_hash(secret), Now::at(milliseconds)).map(|it| it.0)
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_at_its_end() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "a", "t", 0);
        begin(&mut sessions, "b", "t", 0);
        assert_eq!(used(&mut sessions, "x", 0), None);
        for minute in (0..720).step_by(59) {
            assert_eq!(used(&mut sessions, "a", minute * MINUTE), Some(TokenKey::of("t")));
        }
        assert_eq!(used(&mut sessions, "b", 60 * MINUTE), None, "idle");
        let end = sessions.used(&token_hash("a"), Now::at(719 * MINUTE)).unwrap().1;
        assert_eq!(end, Timestamp(720 * MINUTE));
        assert_eq!(used(&mut sessions, "a", 720 * MINUTE), None, "12 hours");
        assert_eq!(sessions.count(Now::at(719 * MINUTE).moment), 1);
        assert_eq!(sessions.count(Now::at(720 * MINUTE).moment), 0);
    }

    #[test]
    fn a_session_is_ended_by_its_secret_alone() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "a", "t", 0);
        assert!(!sessions.end(&token_hash("b")));
        let mut other = token_hash("a");
        other.0[31] ^= 1;
        assert!(!sessions.end(&other) && sessions.token(&other, Moment::default()).is_none());
        assert!(sessions.end(&token_hash("a")) && !sessions.end(&token_hash("a")));
        assert_eq!(used(&mut sessions, "a", 0), None);
    }

    #[test]
    fn the_most_idle_makes_room_first_among_those_of_the_same_token() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "other", "u", 0);
        for number in 0..=MOST_OF_ONE as i64 {
            begin(&mut sessions, &format!("a{number}"), "t", number);
            assert!(used(&mut sessions, "a0", number).is_some(), "it is used");
        }
        assert_eq!(used(&mut sessions, "a1", 1000), None);
        assert!(used(&mut sessions, "other", 1000).is_some());
        for number in 0..2 * MOST {
            begin(&mut sessions, &format!("b{number}"), &format!("t{number}"), 1001);
        }
        assert_eq!(sessions.0.len(), MOST);
    }

    #[test]
    fn nothing_shows_a_secret() {
        let mut sessions = Sessions::default();
        begin(&mut sessions, "hush", "open-sesame", 0);
        let shown = format!("{sessions:?}");
        assert!(!shown.contains("hush") && !shown.contains("sesame"), "{shown}");
    }
}
