use std::collections::HashMap;
use std::sync::Arc;

use super::endpoints::{FAMILIES, Row};
use super::text::Text;
use super::totals::Totals;
use crate::model::{Ident, Moment};
use crate::snapshot::Snapshot;

/// The size of a piece, in octets, from which on it is handed out.
const PIECE: usize = 16 * 1024;
/// The profiles that are looked at for one piece, at most.
const PROFILES: u32 = 256;

/// One scrape, made piece by piece while it is read: a piece takes well under a millisecond, so that whoever makes it keeps
/// nobody waiting, and a configuration of any size takes no memory to speak of. All of it is about the same snapshot.
#[derive(Debug)]
pub struct Scrape {
    snapshot: Arc<Snapshot>,
    now: Moment,
    per_endpoint: bool,
    /// Where among the snapshot's sites each one is.
    sites: HashMap<Ident, usize>,
    stage: Stage,
    /// The next profile to look at.
    slot: u32,
}

#[derive(Debug)]
enum Stage {
    /// What was written already: everything that is not about profiles.
    Start(Text),
    /// Counting profiles.
    Totals(Totals),
    /// Writing the family of this number.
    Family(usize),
}

impl Scrape {
    /// `start` is what comes first; `now` is for ages.
    pub(super) fn new(
        start: Text,
        snapshot: Arc<Snapshot>,
        now: Moment,
        per_endpoint: bool,
    ) -> Self {
        let sites = snapshot.sites.iter().enumerate();
        let sites = sites.map(|(at, it)| (it.site.name.clone(), at)).collect();
        Self { snapshot, now, per_endpoint, sites, stage: Stage::Start(start), slot: 0 }
    }

    fn count(&mut self, mut totals: Totals) -> Text {
        let mut text = Text::default();
        let end = self.slot.saturating_add(PROFILES);
        while self.slot < end {
            let Some(table) = self.snapshot.profiles.get(self.slot) else {
                totals.write(&self.snapshot, &mut text);
                self.begin(0);
                return text;
            };
            totals.count(table, |it| self.sites.get(it).copied(), self.now);
            self.slot += 1;
        }
        self.stage = Stage::Totals(totals);
        text
    }

    /// Goes on with the first family from this number on that is to be shown.
    fn begin(&mut self, number: usize) {
        let shown =
            |it: &usize| self.per_endpoint || FAMILIES.get(*it).is_none_or(|family| family.always);
        let number = (number..=FAMILIES.len()).find(shown).unwrap_or(FAMILIES.len());
        (self.stage, self.slot) = (Stage::Family(number), 0);
    }

    fn write(&mut self, number: usize) -> Option<Text> {
        let family = FAMILIES.get(number)?;
        let mut text = Text::default();
        let mut out =
            if self.slot == 0 { text.family(family.head) } else { text.more(family.head) };
        let end = self.slot.saturating_add(PROFILES);
        while self.slot < end {
            let Some(table) = self.snapshot.profiles.get(self.slot) else {
                self.begin(number + 1);
                return Some(text);
            };
            (family.write)(&Row::new(table, self.now), &mut out);
            self.slot += 1;
            if text.len() >= PIECE {
                return Some(text);
            }
            out = text.more(family.head);
        }
        Some(text)
    }
}

impl Iterator for Scrape {
    type Item = String;

    /// The next piece of the text; an empty one is no end.
    fn next(&mut self) -> Option<String> {
        let text = match std::mem::replace(&mut self.stage, Stage::Family(FAMILIES.len())) {
            Stage::Start(text) => {
                self.stage = Stage::Totals(Totals::new(self.snapshot.sites.len()));
                text
            }
            Stage::Totals(totals) => self.count(totals),
            Stage::Family(number) => {
                self.stage = Stage::Family(number);
                self.write(number)?
            }
        };
        Some(text.into_string())
    }
}
