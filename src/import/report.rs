//! What became of each thing that was imported: the same, different and why, or not supported.

use std::fmt::Write;

use serde::Serialize;

use crate::model::is_hidden;

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parity {
    Same,
    Differs,
    Unsupported,
}

/// One thing, with all places that have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was imported, and what it became.
    pub what: String,
    /// Why it differs, or is not supported.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
    /// Where it was found.
    pub places: Vec<String>,
}

/// A profile that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its name in Farol.
    pub name: String,
    /// What it was.
    pub from: String,
    /// How many endpoints it has.
    pub endpoints: usize,
}

/// The parity report of one import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was imported from, in words.
    pub source: String,
    /// The zones that the profiles are in.
    pub zones: Vec<String>,
    /// The profiles that were written.
    pub profiles: Vec<Written>,
    /// What is as it was.
    pub same: Vec<Finding>,
    /// What Farol does otherwise.
    pub differs: Vec<Finding>,
    /// What Farol can't do, or doesn't take over.
    pub unsupported: Vec<Finding>,
    /// What `farol check` warns of in the configuration.
    pub warnings: Vec<String>,
}

impl Report {
    pub(super) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// Takes what is as it was.
    pub(super) fn same(&mut self, place: &str, what: impl Into<String>) {
        self.add(Parity::Same, place, what.into(), "", "");
    }

    /// Takes what Farol does otherwise.
    pub(super) fn differs(
        &mut self,
        place: &str,
        what: impl Into<String>,
        why: &str,
        advice: impl AsRef<str>,
    ) {
        self.add(Parity::Differs, place, what.into(), why, advice.as_ref());
    }

    /// Takes what Farol can't do, or what means nothing to it.
    pub(super) fn unsupported(
        &mut self,
        place: &str,
        what: impl Into<String>,
        why: &str,
        advice: impl AsRef<str>,
    ) {
        self.add(Parity::Unsupported, place, what.into(), why, advice.as_ref());
    }

    fn add(&mut self, parity: Parity, place: &str, what: String, why: &str, advice: &str) {
        let list = match parity {
            Parity::Same => &mut self.same,
            Parity::Differs => &mut self.differs,
            Parity::Unsupported => &mut self.unsupported,
        };
        let (what, place) = (one_line(&what), one_line(place));
        let known = list.iter_mut().find(|it| it.what == what && it.why == why);
        match known.filter(|it| it.advice == advice) {
            Some(known) if known.places.contains(&place) => {}
            Some(known) => known.places.push(place),
            None => list.push(Finding {
                what,
                why: why.to_owned(),
                advice: advice.to_owned(),
                places: vec![place],
            }),
        }
    }

    /// The report for people.
    pub fn text(&self) -> String {
        let endpoints: usize = self.profiles.iter().map(|it| it.endpoints).sum();
        let mut out = format!(
            "Imported {} with {} from {} into {}\n",
            count(self.profiles.len(), "profile"),
            count(endpoints, "endpoint"),
            self.source,
            self.zones.join(", "),
        );
        for it in &self.profiles {
            let _ = writeln!(out, "  {}  from {}", it.name, it.from);
        }
        for (heading, findings) in [
            ("The same", &self.same),
            ("Different", &self.differs),
            ("Not supported", &self.unsupported),
        ] {
            if !findings.is_empty() {
                let _ = writeln!(out, "\n{heading}:");
            }
            for it in findings {
                let _ = writeln!(out, "  - {}", it.what);
                if !it.why.is_empty() {
                    let _ = writeln!(out, "    why: {}", it.why);
                }
                if !it.advice.is_empty() {
                    let _ = writeln!(out, "    do:  {}", it.advice);
                }
                let _ = writeln!(out, "    at:  {}", places(&it.places));
            }
        }
        if !self.warnings.is_empty() {
            out.push_str("\nfarol check warns:\n");
        }
        for it in &self.warnings {
            let _ = writeln!(out, "  - {it}");
        }
        out
    }
}

/// The first few, and how many there are besides.
fn places(places: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<&str> = places.iter().take(SHOWN).map(String::as_str).collect();
    match places.len().checked_sub(SHOWN).filter(|it| *it > 0) {
        Some(more) => format!("{}, and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Text of others on one line, without what is not to be seen.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|it| if is_hidden(it) { ' ' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_findings_are_one_with_all_their_places() {
        let mut report = Report::new("somewhere");
        report.differs("a", "this", "because", "do that");
        report.differs("b", "this", "because", "do that");
        report.differs("b", "this", "because", "do that");
        report.differs("c", "this", "because", "do something else");
        report.same("a\nb", "that");
        assert_eq!(report.differs.len(), 2);
        assert_eq!(report.differs[0].places, ["a", "b"]);
        let text = report.text();
        for part in [
            "Different:\n  - this\n    why: because\n    do:  do that\n    at:  a, b\n",
            "at:  a b\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("Not supported"));
    }

    #[test]
    fn many_places_are_counted() {
        let many: Vec<String> = (0..10).map(|it| it.to_string()).collect();
        assert_eq!(places(&many), "0, 1, 2, 3, 4, 5, 6, 7, and 2 more");
    }
}
