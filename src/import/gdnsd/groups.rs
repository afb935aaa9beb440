//! weighted: one of several by weight, or several, or groups of several.

use std::collections::HashSet;

use super::Reading;
use super::resource::{Scope, Wanted, is_setting, profile};
use super::vscf::Node;
use crate::import::draft::{Endpoint, MinChildren, Profile, Target, ident};
use crate::model::Method;

/// Where Farol's weights end.
const MOST_WEIGHT: u64 = 65_535;
const MOST_RETURN: usize = 16;

/// The part of a resource that is about one address family.
pub(super) struct Family<'f> {
    pub(super) node: &'f Node,
    pub(super) scope: Scope,
    /// What keeps names of the second family apart from those of the first.
    pub(super) suffix: &'static str,
}

/// `addrs_v4` and `addrs_v6`, or the resource as a whole.
pub(super) fn families<'f>(node: &'f Node, scope: &Scope) -> Vec<Family<'f>> {
    let below = [("addrs_v4", ""), ("addrs_v6", "-v6")];
    let found: Vec<Family<'f>> = below
        .into_iter()
        .filter_map(|(key, suffix)| {
            let node = node.get(key)?;
            Some(Family { node, scope: scope.under(node), suffix })
        })
        .collect();
    if found.is_empty() { vec![Family { node, scope: scope.clone(), suffix: "" }] } else { found }
}

/// `[ ADDRESS, WEIGHT ]`.
fn item(node: &Node) -> Option<(Target, u64)> {
    match node.array()? {
        [target, weight] => {
            let weight = weight.text()?.parse().ok().filter(|it| *it > 0)?;
            Some((Target::of(target.text()?), weight))
        }
        _ => None,
    }
}

impl Reading<'_> {
    pub(super) fn weighted(
        &mut self,
        node: &Node,
        settings: &Scope,
        wanted: &Wanted<'_>,
    ) -> Option<Profile> {
        let scope = settings.under(node);
        let families = families(node, &scope);
        let multi: Vec<bool> = families.iter().map(|it| it.scope.multi == Some(true)).collect();
        let thresholds: Vec<u8> = families.iter().map(|it| it.scope.threshold()).collect();
        let is_grouped = families.iter().any(|it| {
            let items = it.node.hash().into_iter().flatten();
            items.filter(|it| !is_setting(&it.0)).any(|it| it.1.hash().is_some())
        });
        let several = multi.first() == Some(&true);
        if multi.iter().any(|it| *it != several) {
            self.report.differs(
                wanted.place,
                "multi by family → that of IPv4",
                "a profile of Farol's has one method",
                "make two profiles of it",
            );
        }
        let mut profile = match (is_grouped, several) {
            (true, false) => self.one_group(&families, wanted),
            (grouped, several) => self.flat(&families, (grouped, several), wanted),
        };
        self.thresholds(&mut profile, &thresholds, wanted.place);
        Some(profile)
    }

    /// Ungrouped, or groups of which several are answered: their members lie side by side.
    fn flat(
        &mut self,
        families: &[Family<'_>],
        (grouped, several): (bool, bool),
        wanted: &Wanted<'_>,
    ) -> Profile {
        let method = if several { Method::Multivalue } else { Method::Weighted };
        let mut profile = profile(wanted, method);
        let (mut taken, mut most) = (HashSet::new(), 0);
        let mut weights = Vec::new();
        for Family { node, scope, suffix } in families {
            let items = node.hash().into_iter().flatten().filter(|it| !is_setting(&it.0));
            let mut count = 0;
            for (label, it) in items {
                count += 1;
                match it.hash() {
                    Some(members) => {
                        for (own, it) in members.iter().filter(|it| !is_setting(&it.0)) {
                            let label = format!("{label}-{own}{suffix}");
                            self.member(
                                &mut profile,
                                (&label, it),
                                scope,
                                &mut taken,
                                &mut weights,
                                wanted,
                            );
                        }
                    }
                    None => {
                        let label = format!("{label}{suffix}");
                        self.member(
                            &mut profile,
                            (&label, it),
                            scope,
                            &mut taken,
                            &mut weights,
                            wanted,
                        );
                    }
                }
            }
            most = most.max(count);
        }
        self.weigh(&mut profile.endpoints, &weights, wanted.place);
        if !several {
            self.report.same(wanted.place, "weighted → method = \"weighted\"");
            return profile;
        }
        profile.max_return = u8::try_from(most.clamp(1, MOST_RETURN)).ok();
        if grouped {
            self.report.differs(
                wanted.place,
                "weighted groups with multi → multivalue over all members, as many as there are groups",
                "Farol can't take one of each group into one answer, so two may be of one group",
                "",
            );
        } else if weights.windows(2).any(|it| it.first() != it.last()) {
            self.report.differs(
                wanted.place,
                "weighted with multi → multivalue with all endpoints",
                "gdnsd leaves lighter ones out of some answers; Farol names all that are healthy, 16 at most",
                "set a lower max_return, by which lighter ones are named less often",
            );
        } else {
            self.report.same(
                wanted.place,
                "weighted with multi and equal weights → method = \"multivalue\"",
            );
        }
        profile
    }

    fn member(
        &mut self,
        profile: &mut Profile,
        (label, it): (&str, &Node),
        scope: &Scope,
        taken: &mut HashSet<String>,
        weights: &mut Vec<u64>,
        wanted: &Wanted<'_>,
    ) {
        let Some((target, weight)) = item(it) else {
            self.no_address(wanted.place, label, it);
            return;
        };
        let name = ident(label, taken);
        profile.endpoints.push(self.endpoint(name, target, scope, wanted.place));
        weights.push(weight);
    }

    /// One group by the sum of its weights, and all of its members: a weighted profile of multivalue ones.
    fn one_group(&mut self, families: &[Family<'_>], wanted: &Wanted<'_>) -> Profile {
        let mut profile = profile(wanted, Method::Weighted);
        let (mut taken, mut sums) = (HashSet::new(), Vec::new());
        for Family { node, scope, suffix } in families {
            for (label, group) in node.hash().into_iter().flatten().filter(|it| !is_setting(&it.0))
            {
                let label = ident(&format!("{label}{suffix}"), &mut taken);
                let name = format!("_{label}.{}", wanted.name.trim_start_matches("*."));
                let place = format!("{} (group {label})", wanted.place);
                let below = Wanted { name: &name, place: &place, depth: wanted.depth + 1 };
                let mut child = self::profile(&below, Method::Multivalue);
                let (mut names, mut weights) = (HashSet::new(), Vec::new());
                for (own, it) in group.hash().into_iter().flatten() {
                    self.member(&mut child, (own, it), scope, &mut names, &mut weights, &below);
                }
                self.weigh(&mut child.endpoints, &weights, &place);
                child.max_return = u8::try_from(weights.len().clamp(1, MOST_RETURN)).ok();
                self.complete(&mut child);
                let min = MinChildren { any: 1, v4: 0, v6: 0 };
                profile.endpoints.push(Endpoint::new(label, Target::Profile { name, min }));
                sums.push(weights.iter().sum());
                self.profiles.push(child);
            }
        }
        self.weigh(&mut profile.endpoints, &sums, wanted.place);
        self.report.differs(
            wanted.place,
            "weighted groups → a weighted profile of multivalue ones",
            "gdnsd's group weighs less while members of it are down; Farol's keeps its weight until none is healthy. Lighter members are in every answer, 16 at most",
            "",
        );
        profile
    }

    /// Writes weights down, scaled to what Farol takes.
    fn weigh(&mut self, endpoints: &mut [Endpoint], weights: &[u64], place: &str) {
        let most = weights.iter().copied().max().unwrap_or_default();
        for (endpoint, weight) in endpoints.iter_mut().zip(weights) {
            let scaled =
                if most > MOST_WEIGHT { (weight * MOST_WEIGHT / most).max(1) } else { *weight };
            endpoint.weight = u32::try_from(scaled).ok();
        }
        if most > MOST_WEIGHT {
            self.report.differs(
                place,
                "weights above 65535 → scaled down together",
                "it is the most that Farol takes",
                "",
            );
        }
    }
}
