use std::collections::VecDeque;
use std::time::Duration;

use super::Belief;
use crate::model::{Flap, Moment, Monitor, Verdict};

/// How many times of going down are remembered: enough for every doubling from the shortest hold-down to the longest.
const REMEMBERED_FALLS: usize = 300;

/// What one probe says about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The endpoint answered as it should.
    Passed,
    /// It did not.
    Failed,
    /// The probe says nothing: Farol itself was too slow to tell.
    Void,
}

impl Outcome {
    /// Every outcome, in the order of metrics.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Void];

    /// The word that the API and the metrics use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }
}

/// What is believed of one endpoint, and the evidence gathered against that belief.
///
/// Only results in a row count: a single one in favour of the verdict wipes out what spoke against it. The first result
/// ever is the verdict, either way.
#[derive(Clone, Debug, Default)]
pub struct Health {
    verdict: Verdict,
    /// Results in a row that contradict the verdict.
    contrary: u8,
    /// Whether the verdict is of old and no result has confirmed it, so that a single success turns it.
    is_aged: bool,
    /// When the endpoint went down, within the flap window.
    falls: VecDeque<Moment>,
    /// How long successes must last before the endpoint is Online again.
    hold_down: Duration,
    /// The end of the hold-down, while successes are under way.
    held_until: Option<Moment>,
}

impl Health {
    /// Starts from what is believed already, without evidence against it.
    pub fn believing(belief: Belief) -> Self {
        Self { verdict: belief.verdict(), is_aged: belief.is_aged(), ..Self::default() }
    }

    /// What is believed.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What is believed, without the evidence.
    pub fn belief(&self) -> Belief {
        if self.is_aged { Belief::aged(self.verdict) } else { Belief::fresh(self.verdict) }
    }

    /// How long a flapping endpoint must pass its probes before it is Online again.
    pub fn hold_down(&self) -> Duration {
        self.hold_down
    }

    /// When a flapping endpoint that passes its probes may be Online again.
    pub fn held_down_until(&self) -> Option<Moment> {
        self.held_until
    }

    /// While the last results speak against the verdict: how many more of them would turn it, at least 1. An endpoint that is
    /// held down and has its successes together is not in doubt: it only has to wait.
    pub fn doubt(&self, monitor: &Monitor) -> Option<u8> {
        let enough = match self.verdict {
            Verdict::Unknown => return None,
            Verdict::Online => monitor.tolerated_failures.saturating_add(1),
            Verdict::Degraded => monitor.required_successes,
        };
        enough.checked_sub(self.contrary).filter(|needed| self.contrary > 0 && *needed > 0)
    }

    /// How long to wait from the start of the last probe to the start of the next.
    pub fn interval(&self, monitor: &Monitor) -> Duration {
        if self.doubt(monitor).is_some() { monitor.fast_interval } else { monitor.interval }
    }

    /// Takes in one result. Tells whether the verdict changed.
    pub fn observe(&mut self, outcome: Outcome, monitor: &Monitor, now: Moment) -> bool {
        match (self.verdict, outcome) {
            (_, Outcome::Void) => false,
            (Verdict::Unknown, Outcome::Passed) => self.turn(Verdict::Online),
            (Verdict::Unknown, Outcome::Failed) => self.turn(Verdict::Degraded),
            (Verdict::Online, Outcome::Passed) | (Verdict::Degraded, Outcome::Failed) => {
                self.contrary = 0;
                self.is_aged = false;
                self.held_until = None;
                false
            }
            (Verdict::Online, Outcome::Failed) => {
                self.contrary = self.contrary.saturating_add(1);
                if self.contrary <= monitor.tolerated_failures {
                    return false;
                }
                self.fall(monitor.flap, now);
                self.turn(Verdict::Degraded)
            }
            (Verdict::Degraded, Outcome::Passed) if self.is_aged => self.turn(Verdict::Online),
            (Verdict::Degraded, Outcome::Passed) => {
                self.contrary = self.contrary.saturating_add(1);
                if !self.hold_down.is_zero() && self.held_until.is_none() {
                    self.held_until = Some(now + self.hold_down);
                }
                let held = self.held_until.is_some_and(|until| now < until);
                if self.contrary < monitor.required_successes || held {
                    return false;
                }
                self.turn(Verdict::Online)
            }
        }
    }

    fn turn(&mut self, verdict: Verdict) -> bool {
        self.verdict = verdict;
        self.contrary = 0;
        self.is_aged = false;
        self.held_until = None;
        true
    }

    /// Notes that the endpoint went down, and how long it must prove itself for that.
    fn fall(&mut self, flap: Flap, now: Moment) {
        if flap.count == 0 {
            self.hold_down = Duration::ZERO;
            return;
        }
        self.falls.retain(|fall| now.since(*fall) < flap.window);
        if self.falls.len() == REMEMBERED_FALLS {
            self.falls.pop_front();
        }
        self.falls.push_back(now);
        let too_many = self.falls.len().saturating_sub(usize::from(flap.count));
        self.hold_down = match u32::try_from(too_many) {
            Ok(0) => Duration::ZERO,
            Ok(times) => {
                let doubled =
                    2_u32.checked_pow(times - 1).map(|it| flap.hold_down.saturating_mul(it));
                doubled.map_or(flap.max, |it| it.min(flap.max))
            }
            Err(_) => flap.max,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Sources};
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn monitor(tolerated_failures: u8, required_successes: u8) -> Monitor {
        Monitor {
            protocol: Protocol::Tcp,
            source: Sources::default(),
            interval: 10 * SECOND,
            timeout: 2 * SECOND,
            fast_interval: 3 * SECOND,
            tolerated_failures,
            required_successes,
            watch_connection: false,
            flap: Flap {
                count: 0,
                window: 600 * SECOND,
                hold_down: 30 * SECOND,
                max: 100 * SECOND,
            },
        }
    }

    fn outcome(letter: char) -> Outcome {
        match letter {
            '+' => Outcome::Passed,
            '-' => Outcome::Failed,
            _ => Outcome::Void,
        }
    }

    #[track_caller]
    fn check(monitor: &Monitor, results: &str, verdicts: &str) {
        check_from(Belief::default(), monitor, results, verdicts);
    }

    /// Feeds results ('+' pass, '-' fail, '.' void), a second apart, and names the verdict after each.
    #[track_caller]
    fn check_from(belief: Belief, monitor: &Monitor, results: &str, verdicts: &str) {
        let mut health = Health::believing(belief);
        let step = |(second, letter)| {
            health.observe(outcome(letter), monitor, Moment(SECOND * second));
            match health.verdict() {
                Verdict::Unknown => '?',
                Verdict::Online => 'U',
                Verdict::Degraded => 'd',
            }
        };
        let seen: String = (0_u32..).zip(results.chars()).map(step).collect();
        assert_eq!(seen, verdicts, "results {results}");
    }

    #[test]
    fn the_first_result_is_the_verdict() {
        check(&monitor(3, 2), "+", "U");
        check(&monitor(3, 2), "-", "d");
        check(&monitor(3, 2), "..+", "??U");
    }

    #[test]
    fn a_belief_that_is_brought_along_needs_a_full_run_to_turn() {
        check_from(Belief::fresh(Verdict::Degraded), &monitor(1, 2), "+-++", "dddU");
        check_from(Belief::fresh(Verdict::Online), &monitor(1, 2), "-+--", "UUUd");
    }

    #[test]
    fn an_old_degraded_needs_one_success_until_a_failure_confirms_it() {
        let aged = Belief::aged(Verdict::Degraded);
        check_from(aged, &monitor(1, 3), ".+-", "dUU");
        check_from(aged, &monitor(1, 3), "-+++", "dddU");
        check_from(aged, &monitor(1, 3), "+--+++", "UUdddU");
        check_from(Belief::aged(Verdict::Online), &monitor(1, 3), ".-", "?d");
    }

    #[test]
    fn only_results_in_a_row_turn_the_verdict() {
        check(&monitor(3, 2), "+----", "UUUUd");
        check(&monitor(3, 2), "+---+---", "UUUUUUUU");
        check(&monitor(0, 1), "+-+-", "UdUd");
        check(&monitor(3, 2), "-+-++", "ddddU");
        check(&monitor(20, 20), &format!("+{}", "-".repeat(21)), &format!("{}d", "U".repeat(21)));
    }

    #[test]
    fn void_results_neither_count_nor_interrupt() {
        check(&monitor(1, 2), "+-.-", "UUUd");
        check(&monitor(1, 2), "-+.+", "dddU");
    }

    #[test]
    fn doubt_quickens_the_probes() {
        let monitor = monitor(3, 2);
        let mut health = Health::default();
        for (letter, seconds) in [
            ('+', 10),
            ('-', 3),
            ('-', 3),
            ('+', 10),
            ('-', 3),
            ('-', 3),
            ('-', 3),
            ('-', 10),
            ('+', 3),
            ('+', 10),
        ] {
            health.observe(outcome(letter), &monitor, Moment::default());
            assert_eq!(health.interval(&monitor), seconds * SECOND, "after {letter}");
        }
    }

    #[test]
    fn doubt_counts_the_results_that_a_change_still_needs() {
        let mut monitor = monitor(3, 3);
        monitor.flap.count = 1;
        let mut health = Health::default();
        let mut now = Moment::default();
        // At the end, after the second fall, it is held down with its successes together.
        let results = "+-.--+----+-+++----++++";
        let doubts = "03321032102021032102100";
        for (letter, doubt) in results.chars().zip(doubts.chars()) {
            now = now + SECOND;
            health.observe(outcome(letter), &monitor, now);
            let doubt = doubt.to_digit(10).and_then(|it| u8::try_from(it).ok());
            assert_eq!(health.doubt(&monitor), doubt.filter(|it| *it > 0), "{letter} at {now:?}");
        }
        assert!(health.held_down_until().is_some());
        assert_eq!(Health::default().doubt(&monitor), None, "nothing is believed yet");
    }

    #[test]
    fn one_fall_too_many_is_held_down_and_doubles() {
        let mut monitor = monitor(0, 1);
        monitor.flap.count = 2;
        let mut health = Health::default();
        let mut now = Moment::default();
        health.observe(Outcome::Passed, &monitor, now);
        let mut held = Vec::new();
        for _ in 0..6 {
            now = now + SECOND;
            assert!(health.observe(Outcome::Failed, &monitor, now));
            let mut waited = 0;
            loop {
                now = now + SECOND;
                if health.observe(Outcome::Passed, &monitor, now) {
                    break;
                }
                assert!(health.held_down_until().is_some());
                assert_eq!(health.interval(&monitor), monitor.interval, "waiting is no doubt");
                waited += 1;
            }
            held.push(waited);
        }
        assert_eq!(held, [0, 0, 30, 60, 100, 100], "seconds held after each fall");
    }

    #[test]
    fn a_failure_restarts_the_hold_down_and_old_falls_are_forgotten() {
        let mut monitor = monitor(0, 1);
        monitor.flap.count = 1;
        let mut health = Health::default();
        let at = |seconds: u32| Moment(SECOND * seconds);
        for (second, letter) in [(0, '+'), (1, '-'), (2, '+'), (3, '-'), (4, '+')] {
            health.observe(outcome(letter), &monitor, at(second));
        }
        assert_eq!(health.held_down_until(), Some(at(34)));
        health.observe(Outcome::Failed, &monitor, at(20));
        assert_eq!(health.held_down_until(), None);
        health.observe(Outcome::Passed, &monitor, at(21));
        assert_eq!(health.held_down_until(), Some(at(51)));
        assert!(health.observe(Outcome::Passed, &monitor, at(51)));

        assert!(health.observe(Outcome::Failed, &monitor, at(2000)));
        assert!(
            health.observe(Outcome::Passed, &monitor, at(2001)),
            "a fall out of the window counts no more"
        );
    }

    #[test]
    fn successes_and_the_hold_down_are_both_needed() {
        let mut monitor = monitor(0, 3);
        monitor.flap.count = 1;
        let mut health = Health::default();
        let mut turned = Vec::new();
        for (second, letter) in (0..).zip("+-+++-+".chars()).chain([(40, '+'), (41, '+')]) {
            if health.observe(outcome(letter), &monitor, Moment(SECOND * second)) {
                turned.push(second);
            }
        }
        assert_eq!(turned, [0, 1, 4, 5, 41]);
        monitor.flap.count = 0;
        health.observe(Outcome::Failed, &monitor, Moment(SECOND * 42));
        health.observe(Outcome::Passed, &monitor, Moment(SECOND * 43));
        assert_eq!(health.held_down_until(), None, "flaps count no more");
    }

    #[test]
    fn the_longest_hold_down_is_never_exceeded_nor_forgotten() {
        let mut monitor = monitor(0, 1);
        monitor.flap.count = 1;
        let mut health = Health::believing(Belief::fresh(Verdict::Online));
        let at = |seconds: u32| Moment(SECOND * seconds);
        health.fall(monitor.flap, at(0));
        health.fall(monitor.flap, at(600));
        assert_eq!(health.hold_down, Duration::ZERO, "a window ago is out of the window");
        for _ in 0..1000 {
            health.fall(monitor.flap, at(601));
        }
        assert_eq!((health.hold_down, health.falls.len()), (100 * SECOND, REMEMBERED_FALLS));
    }

    proptest! {
        #[test]
        fn the_verdict_turns_only_after_a_full_run(
            tolerated in 0_u8..5, required in 1_u8..5, results in "[+.-]{0,60}",
        ) {
            let monitor = monitor(tolerated, required);
            let mut health = Health::default();
            let mut run = (Outcome::Void, 0_u8);
            for letter in results.chars() {
                let (before, outcome) = (health.verdict(), outcome(letter));
                if outcome != Outcome::Void {
                    run = if run.0 == outcome { (outcome, run.1 + 1) } else { (outcome, 1) };
                }
                let turned = health.observe(outcome, &monitor, Moment::default());
                prop_assert_eq!(turned, health.verdict() != before);
                if turned && before != Verdict::Unknown {
                    let needed = if run.0 == Outcome::Failed { tolerated + 1 } else { required };
                    prop_assert_eq!(run.1, needed);
                }
            }
        }
    }
}
