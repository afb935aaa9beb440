use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::Moment;

/// Names one target; never given twice, so that what was removed can't be mistaken for what came after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(pub(super) u64);

/// What is probed next. A target may be in it several times; the one that counts is the target's to know.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(Moment, Id)>>,
}

impl Agenda {
    pub(super) fn add(&mut self, due: Moment, id: Id) {
        self.heap.push(Reverse((due, id)));
    }

    /// When the next probe is due.
    pub(super) fn next_due(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes out the target that has been due the longest.
    pub(super) fn take_due(&mut self, now: Moment) -> Option<(Moment, Id)> {
        let due = self.next_due()?;
        if due > now { None } else { self.heap.pop().map(|Reverse(entry)| entry) }
    }

    /// Takes out whoever is no longer watched.
    pub(super) fn keep_only(&mut self, watched: impl Fn(Id) -> bool) {
        self.heap.retain(|Reverse((_, id))| watched(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_longest_due_comes_first_and_nobody_early() {
        let at = |seconds| Moment(Duration::from_secs(seconds));
        let mut agenda = Agenda::default();
        for (due, id) in [(3, 1), (1, 2), (2, 3), (9, 4)] {
            agenda.add(at(due), Id(id));
        }
        agenda.keep_only(|id| id != Id(3));
        assert_eq!(agenda.take_due(at(0)), None);
        assert_eq!(agenda.take_due(at(5)), Some((at(1), Id(2))));
        assert_eq!(agenda.take_due(at(5)), Some((at(3), Id(1))));
        assert_eq!(agenda.take_due(at(5)), None);
        assert_eq!(agenda.next_due(), Some(at(9)));
    }
}
