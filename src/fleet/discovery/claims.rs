//! What follows for endpoints from what their clusters say. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::{EndpointKey, Ident};

/// What a cluster says of an endpoint's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// These are exposed; at least one.
    Exposed(Vec<IpAddr>),
    /// None is, for this reason.
    Unexposed(String),
    /// It can't be asked, or not be believed, for this reason.
    Lost(String),
}

/// Where an endpoint is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The addresses that it is answered with; none before the first.
    pub(super) addresses: Vec<IpAddr>,
    /// Why they may be wrong.
    pub(super) stale: Option<Stale>,
}

/// Why addresses may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    /// They come from before the start.
    Unconfirmed,
    /// Nothing is exposed any more.
    Unexposed(String),
    /// Nobody can say.
    Lost(String),
    /// Another site claims one of those that this one does.
    Claimed(String),
}

/// Every endpoint, and what it claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(BTreeMap<EndpointKey, Claim>);

#[derive(Clone, Debug)]
struct Claim {
    site: Ident,
    /// What its cluster said last that it exposes, or had said before the start: nobody else may have it.
    claimed: Vec<IpAddr>,
    /// What its cluster said last.
    word: Option<Word>,
    standing: Standing,
}

impl Claims {
    /// Takes in an endpoint of a site, which has had these addresses so far.
    pub(super) fn add(&mut self, key: EndpointKey, site: Ident, kept: Vec<IpAddr>) {
        let stale = (!kept.is_empty()).then_some(Stale::Unconfirmed);
        let standing = Standing { addresses: kept.clone(), stale };
        self.0.insert(key, Claim { site, claimed: kept, word: None, standing });
    }

    /// Forgets an endpoint. Gives the others that are elsewhere by that.
    pub(super) fn remove(&mut self, key: &EndpointKey) -> Vec<EndpointKey> {
        self.0.remove(key);
        self.settle()
    }

    /// Takes in what an endpoint's cluster says. Gives the endpoints that are elsewhere by that.
    pub(super) fn hear(&mut self, key: &EndpointKey, word: Word) -> Vec<EndpointKey> {
        if let Some(claim) = self.0.get_mut(key) {
            match &word {
                Word::Exposed(addresses) => claim.claimed.clone_from(addresses),
                Word::Unexposed(_) => claim.claimed.clear(),
                // What it said last holds.
                Word::Lost(_) => {}
            }
            claim.word = Some(word);
        }
        self.settle()
    }

    /// Where an endpoint is.
    pub(super) fn standing(&self, key: &EndpointKey) -> Option<&Standing> {
        self.0.get(key).map(|it| &it.standing)
    }

    fn settle(&mut self) -> Vec<EndpointKey> {
        let next: Vec<Standing> = self.0.iter().map(|(key, it)| self.next(key, it)).collect();
        let mut changed = Vec::new();
        for ((key, claim), standing) in self.0.iter_mut().zip(next) {
            if claim.standing != standing {
                claim.standing = standing;
                changed.push(key.clone());
            }
        }
        changed
    }

    fn next(&self, key: &EndpointKey, claim: &Claim) -> Standing {
        let stale = match (&claim.word, self.rival(key, claim)) {
            (Some(Word::Unexposed(why)), _) => Stale::Unexposed(why.clone()),
            (Some(_), Some(why)) => Stale::Claimed(why),
            (Some(Word::Lost(why)), None) => Stale::Lost(why.clone()),
            (Some(Word::Exposed(addresses)), None) => {
                return Standing { addresses: addresses.clone(), stale: None };
            }
            (None, _) => return claim.standing.clone(),
        };
        Standing { addresses: claim.standing.addresses.clone(), stale: Some(stale) }
    }

    /// Who else claims one of its addresses, in words.
    fn rival(&self, key: &EndpointKey, claim: &Claim) -> Option<String> {
        let mut others = self.0.iter().filter(|(it, other)| *it != key && other.site != claim.site);
        others.find_map(|(_, other)| {
            let shared = claim.claimed.iter().find(|it| other.claimed.contains(it))?;
            let site = &other.site;
            Some(format!(
                "{shared} is claimed by site {site} too; each site needs an address of its own"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(site: &str) -> EndpointKey {
        EndpointKey { profile: "app.z.".parse().unwrap(), endpoint: site.parse().unwrap() }
    }

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split(',').filter(|it| !it.is_empty()).map(|it| it.parse().unwrap()).collect()
    }

    /// `site: 192.0.2.1,…` exposes, `site: none` nothing, `site: lost` can't be asked.
    fn word(text: &str) -> Word {
        match text {
            "none" => Word::Unexposed("empty".to_owned()),
            "lost" => Word::Lost("silence".to_owned()),
            text => Word::Exposed(addresses(text)),
        }
    }

    fn shown(standing: &Standing) -> String {
        let all: Vec<String> = standing.addresses.iter().map(ToString::to_string).collect();
        let mark = match &standing.stale {
            None => "",
            Some(Stale::Unconfirmed) => " (unconfirmed)",
            Some(Stale::Unexposed(_)) => " (unexposed)",
            Some(Stale::Lost(_)) => " (lost)",
            Some(Stale::Claimed(_)) => " (claimed)",
        };
        format!("{}{mark}", all.join(","))
    }

    /// Sites `a` and `b`, which had these addresses before the start. Each step is what one cluster says, and where both are then.
    #[track_caller]
    fn check(kept: [&str; 2], steps: &[(&str, [&str; 2])]) {
        let mut claims = Claims::default();
        for (site, kept) in ["a", "b"].into_iter().zip(kept) {
            claims.add(key(site), site.parse().unwrap(), addresses(kept));
        }
        let both = |claims: &Claims| ["a", "b"].map(|it| shown(claims.standing(&key(it)).unwrap()));
        for (said, expected) in steps {
            let (site, said) = said.split_once(": ").unwrap();
            let before = both(&claims);
            let changed = claims.hear(&key(site), word(said));
            let after = both(&claims);
            assert_eq!(after, *expected, "{site}: {said}");
            for (at, site) in ["a", "b"].into_iter().enumerate() {
                if before[at] != after[at] {
                    assert!(changed.contains(&key(site)), "{site} has changed");
                }
            }
        }
    }

    #[test]
    fn an_endpoint_goes_where_its_cluster_says() {
        check(
            ["", ""],
            &[
                ("a: 192.0.2.1", ["192.0.2.1", ""]),
                ("b: 192.0.2.2,2001:db8::2", ["192.0.2.1", "192.0.2.2,2001:db8::2"]),
                ("a: 192.0.2.3", ["192.0.2.3", "192.0.2.2,2001:db8::2"]),
            ],
        );
    }

    #[test]
    fn the_last_address_is_kept_while_there_is_no_better_one() {
        check(
            ["", ""],
            &[
                ("a: lost", [" (lost)", ""]),
                ("a: none", [" (unexposed)", ""]),
                ("a: 192.0.2.1", ["192.0.2.1", ""]),
                ("a: none", ["192.0.2.1 (unexposed)", ""]),
                ("a: lost", ["192.0.2.1 (lost)", ""]),
                ("a: 192.0.2.1", ["192.0.2.1", ""]),
                ("a: lost", ["192.0.2.1 (lost)", ""]),
                ("a: 192.0.2.2", ["192.0.2.2", ""]),
            ],
        );
    }

    #[test]
    fn what_was_known_before_the_start_holds_until_it_is_borne_out() {
        check(
            ["192.0.2.1", "192.0.2.2"],
            &[
                ("a: 192.0.2.1", ["192.0.2.1", "192.0.2.2 (unconfirmed)"]),
                ("b: lost", ["192.0.2.1", "192.0.2.2 (lost)"]),
            ],
        );
    }

    #[test]
    fn an_address_that_two_sites_claim_moves_neither() {
        check(
            ["", ""],
            &[
                ("a: 192.0.2.1", ["192.0.2.1", ""]),
                ("b: 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
                ("b: 192.0.2.3,192.0.2.1", ["192.0.2.1 (claimed)", "192.0.2.2 (claimed)"]),
                ("a: lost", ["192.0.2.1 (claimed)", "192.0.2.2 (claimed)"]),
                ("a: 192.0.2.4", ["192.0.2.4", "192.0.2.3,192.0.2.1"]),
            ],
        );
        // Who says that it has it no more gives it up, though it is answered with until there is another one.
        check(
            ["192.0.2.1", ""],
            &[
                ("b: 192.0.2.1", ["192.0.2.1 (unconfirmed)", " (claimed)"]),
                ("a: none", ["192.0.2.1 (unexposed)", "192.0.2.1"]),
            ],
        );
        let mut claims = Claims::default();
        for site in ["a", "b"] {
            claims.add(key(site), site.parse().unwrap(), Vec::new());
            claims.hear(&key(site), word("192.0.2.1"));
        }
        assert_eq!(claims.remove(&key("a")), [key("b")], "it has no rival any more");
        assert_eq!(shown(claims.standing(&key("b")).unwrap()), "192.0.2.1");
    }
}
