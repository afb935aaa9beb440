use std::time::Duration;

/// How long to wait before something that ended too soon starts again: longer and longer while it does not get far.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    a_while: Duration,
    next: Duration,
}

impl Backoff {
    /// Pauses that double from the shortest to the longest. What ran for `a_while` had started well: what ended it is news,
    /// and the pause the shortest again.
    pub const fn new(shortest: Duration, longest: Duration, a_while: Duration) -> Self {
        Self { shortest, longest, a_while, next: shortest }
    }

    /// The pause after a run of this length.
    pub fn after(&mut self, ran: Duration) -> Duration {
        let pause = if ran >= self.a_while { self.shortest } else { self.next };
        self.next = (pause * 2).min(self.longest);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_nothing_gets_far() {
        let milliseconds = Duration::from_millis;
        let mut backoff = Backoff::new(milliseconds(10), milliseconds(640), milliseconds(1000));
        let mut pauses = |runs: &[u64]| -> Vec<u128> {
            runs.iter().map(|it| backoff.after(milliseconds(*it)).as_millis()).collect()
        };
        assert_eq!(pauses(&[0, 0, 5, 999]), [10, 20, 40, 80]);
        assert_eq!(pauses(&[0; 5]), [160, 320, 640, 640, 640]);
        assert_eq!(pauses(&[1000, 0]), [10, 20], "it had run for a while");
    }
}
