use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::api::view;

/// Answers are counted over so long: short enough to see a change, long enough to see shares.
const WINDOW: Duration = Duration::from_secs(10);

/// Answers per second, by how much counters have grown.
#[derive(Debug, Default)]
pub(super) struct Rates(VecDeque<Counts>);

/// What the counters of endpoints were at one time.
#[derive(Debug)]
struct Counts {
    at: Duration,
    answers: HashMap<String, u64>,
}

fn key(profile: &str, endpoint: &str) -> String {
    format!("{profile} {endpoint}")
}

impl Rates {
    /// Notes the counters as they are seen `at` this time.
    pub(super) fn note(&mut self, at: Duration, profiles: &[view::Profile]) {
        let endpoints =
            profiles.iter().flat_map(|it| it.endpoints.iter().map(move |endpoint| (it, endpoint)));
        let answers: HashMap<String, u64> = endpoints
            .map(|(it, endpoint)| (key(&it.name, &endpoint.name), endpoint.answers))
            .collect();
        let shrinks = |it: &Counts| {
            it.answers.iter().any(|(key, before)| answers.get(key).is_some_and(|now| now < before))
        };
        // A daemon that was restarted counts from nothing.
        if self.0.back().is_some_and(shrinks) {
            self.0.clear();
        }
        while self.0.get(1).is_some_and(|it| at.saturating_sub(it.at) >= WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(Counts { at, answers });
    }

    /// How many answers named an endpoint, per second; none before two looks at it.
    pub(super) fn endpoint(&self, profile: &str, endpoint: &str) -> Option<f64> {
        let key = key(profile, endpoint);
        let mut looks = self.0.iter().filter_map(|it| Some((it.at, *it.answers.get(&key)?)));
        let (first, before) = looks.next()?;
        let (last, now) = looks.next_back()?;
        let seconds = last.checked_sub(first).filter(|it| !it.is_zero())?.as_secs_f64();
        Some(now.saturating_sub(before) as f64 / seconds)
    }

    /// The same of a profile's endpoints together.
    pub(super) fn profile(&self, profile: &view::Profile) -> Option<f64> {
        let rates =
            profile.endpoints.iter().filter_map(|it| self.endpoint(&profile.name, &it.name));
        rates.reduce(|sum, it| sum + it)
    }

    /// Percent of a profile's answers that named an endpoint; none while there are no answers.
    pub(super) fn share(&self, profile: &view::Profile, endpoint: &str) -> Option<f64> {
        let all = self.profile(profile).filter(|it| *it > 0.0)?;
        Some(self.endpoint(&profile.name, endpoint)? / all * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::endpoint::samples;
    use super::*;

    /// A profile whose endpoints have been named so often.
    fn profile(seattle: u64, orlando: u64) -> view::Profile {
        let mut profile = samples::profile();
        for (endpoint, answers) in profile.endpoints.iter_mut().zip([seattle, orlando]) {
            endpoint.answers = answers;
        }
        profile
    }

    #[test]
    fn rates_are_those_of_the_last_while() {
        let mut rates = Rates::default();
        let app = profile(0, 0);
        let note = |rates: &mut Rates, second, seattle, orlando| {
            rates.note(Duration::from_secs(second), &[profile(seattle, orlando)]);
        };
        note(&mut rates, 0, 1000, 1000);
        assert_eq!((rates.profile(&app), rates.share(&app, "seattle")), (None, None));
        note(&mut rates, 2, 1000, 1000);
        assert_eq!((rates.profile(&app), rates.share(&app, "seattle")), (Some(0.0), None));
        note(&mut rates, 4, 1240, 1080);
        assert_eq!(rates.endpoint("app.gtm.example.", "seattle"), Some(60.0));
        assert_eq!(rates.share(&app, "orlando"), Some(25.0));
        for second in 5..30 {
            note(&mut rates, second, 1240 + second * 10, 1080);
        }
        assert_eq!(rates.endpoint("app.gtm.example.", "seattle"), Some(10.0));
        assert_eq!(rates.share(&app, "seattle"), Some(100.0));
        assert!(rates.0.len() <= 12, "{}", rates.0.len());

        note(&mut rates, 30, 5, 5);
        assert_eq!(rates.profile(&app), None, "it was restarted");
    }

    #[test]
    fn what_is_seen_again_is_counted_from_then_on() {
        let mut rates = Rates::default();
        rates.note(Duration::from_secs(0), &[]);
        rates.note(Duration::from_secs(2), &[profile(10, 0)]);
        rates.note(Duration::from_secs(4), &[profile(30, 0)]);
        assert_eq!(rates.endpoint("app.gtm.example.", "seattle"), Some(10.0));
        assert_eq!(rates.endpoint("www.gtm.example.", "seattle"), None);
    }
}
