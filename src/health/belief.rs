use crate::model::Verdict;

/// What is believed of an endpoint before its first probe; the default is nothing, and then the first result, either way,
/// is the verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Belief {
    verdict: Verdict,
    is_aged: bool,
}

impl Belief {
    /// Believed as if probing had never stopped: it takes a full run of results to turn it.
    pub const fn fresh(verdict: Verdict) -> Self {
        Self { verdict, is_aged: false }
    }

    /// Remembered from too long ago to be believed: Online counts for nothing, and Degraded lasts until one success.
    pub const fn aged(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Degraded => Self { verdict, is_aged: true },
            Verdict::Unknown | Verdict::Online => Self::fresh(Verdict::Unknown),
        }
    }

    /// The verdict to serve by.
    pub const fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Whether a single success turns it.
    pub(super) const fn is_aged(self) -> bool {
        self.is_aged
    }

    /// What several believe of one thing: whoever believes nothing has no say, an old word yields to a fresh one, and where
    /// one says Online and another Degraded nothing is believed.
    pub fn merged(beliefs: impl IntoIterator<Item = Self>) -> Self {
        let mut beliefs = beliefs.into_iter().filter(|it| it.verdict != Verdict::Unknown);
        let Some(first) = beliefs.next() else { return Self::default() };
        let both = |merged: Self, it: Self| {
            (merged.verdict == it.verdict)
                .then_some(Self { is_aged: merged.is_aged && it.is_aged, ..it })
        };
        beliefs.try_fold(first, both).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Degraded, Online, Unknown};

    #[test]
    fn beliefs_are_merged_in_any_order() {
        let (fresh, aged) = (Belief::fresh, Belief::aged);
        let nothing = Belief::default();
        for (beliefs, merged) in [
            (&[][..], nothing),
            (&[nothing, fresh(Online), nothing], fresh(Online)),
            (&[fresh(Online), fresh(Online)], fresh(Online)),
            (&[nothing, fresh(Degraded)], fresh(Degraded)),
            (&[aged(Degraded), nothing, aged(Degraded)], aged(Degraded)),
            (&[aged(Degraded), fresh(Degraded)], fresh(Degraded)),
            (&[aged(Online), fresh(Degraded)], fresh(Degraded)),
            (&[fresh(Degraded), fresh(Online), fresh(Online)], nothing),
            (&[aged(Degraded), fresh(Online)], nothing),
        ] {
            assert_eq!(Belief::merged(beliefs.iter().copied()), merged, "{beliefs:?}");
            assert_eq!(Belief::merged(beliefs.iter().rev().copied()), merged, "{beliefs:?}");
        }
    }

    #[test]
    fn an_old_word_for_an_endpoint_counts_for_nothing() {
        assert_eq!(Belief::aged(Online), Belief::default());
        assert_eq!(Belief::aged(Unknown), Belief::default());
        assert_eq!(Belief::aged(Degraded).verdict(), Degraded);
    }
}
