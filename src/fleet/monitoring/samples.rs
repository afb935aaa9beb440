//! Whether samples arrive at a site's Prometheus: an agent that is ready proves nothing of what comes out at its end.

use std::time::Duration;

use crate::traffic::{AskError, Prometheus};

/// The series that every scrape of Farol has, and that has no sample while scrapes fail (`up` then has one).
pub const FAROL: &str = "farol_build_info";

/// From one scrape to the next, as the generated objects ask for it.
pub const INTERVAL: Duration = Duration::from_secs(30);

/// So many intervals may pass without a sample: one lost scrape is nothing.
const MISSED: u32 = 3;

/// What a Prometheus has of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Its last sample is younger than three intervals.
    Fresh {
        /// How old it is.
        age: Duration,
    },
    /// There were samples in the last hour, and there are no more.
    Stale {
        /// How old the last one is, give or take a minute.
        age: Duration,
    },
    /// No sample in the last hour.
    Absent,
    /// It could not be asked, or it did not answer the question: why.
    Unreachable(String),
}

/// The query for the age of the last sample of any series that a selector finds, in seconds by Prometheus' own clock. A series that
/// has ended is looked for in the last hour, by steps of a minute.
pub fn age_of(selector: &str) -> String {
    let last = format!("timestamp({selector})");
    format!("time() - (max({last}) or max(max_over_time({last}[1h:1m])))")
}

/// What an answer to the question for a series' age says. `interval` is from one scrape to the next.
pub fn judge(asked: Result<f64, AskError>, interval: Duration) -> Samples {
    match asked {
        Ok(seconds) => {
            let age = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
            if age < interval * MISSED { Samples::Fresh { age } } else { Samples::Stale { age } }
        }
        Err(AskError::Nothing) => Samples::Absent,
        Err(other) => Samples::Unreachable(other.to_string()),
    }
}

/// Asks the Prometheus at a URL whether it has fresh samples of any series that a selector finds.
pub async fn verify(
    prometheus: &Prometheus,
    url: &str,
    selector: &str,
    interval: Duration,
) -> Samples {
    judge(prometheus.ask(url, &age_of(selector)).await, interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_fresh_for_three_intervals() {
        let judge = |asked| judge(asked, Duration::from_secs(10));
        let age = Duration::from_secs_f64;
        assert_eq!(judge(Ok(29.9)), Samples::Fresh { age: age(29.9) });
        assert_eq!(judge(Ok(30.0)), Samples::Stale { age: age(30.0) });
        assert_eq!(judge(Ok(-0.2)), Samples::Fresh { age: Duration::ZERO }, "by rounding");
        assert_eq!(judge(Ok(f64::MAX)), Samples::Stale { age: Duration::MAX });
        assert_eq!(judge(Err(AskError::Nothing)), Samples::Absent);
        let refused = AskError::Unanswered("Prometheus: no".to_owned());
        assert_eq!(judge(Err(refused)), Samples::Unreachable("Prometheus: no".to_owned()));
    }
}
