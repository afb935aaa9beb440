use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fate, Thought, WhatIfError};
use crate::model::{Endpoint, Ident, Name, Now, Profile, Stamp, Verdict};
use crate::snapshot::{EndpointFacts, EndpointState, Given, MAX_DEPTH, ProfileTable, Snapshot};

/// A profile with everything that is nested in it.
pub(super) struct Tree<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) slot: u32,
    /// Each endpoint as often as something leads to it, each before what is nested in it.
    pub(super) endpoints: Vec<Entry<'s>>,
}

/// An endpoint somewhere in a tree.
pub(super) struct Entry<'s> {
    /// The endpoints that lead to it, and itself.
    names: Vec<&'s Ident>,
    /// Where its profile is in the snapshot.
    pub(super) slot: u32,
    /// Where it is in its profile.
    pub(super) at: usize,
    pub(super) endpoint: &'s Endpoint,
    pub(super) state: &'s EndpointState,
}

impl Entry<'_> {
    /// "eu/dublin".
    pub(super) fn path(&self) -> String {
        self.names.iter().map(|it| it.as_str()).collect::<Vec<_>>().join("/")
    }
}

impl<'s> Tree<'s> {
    pub(super) fn of(snapshot: &'s Snapshot, slot: u32) -> Self {
        let mut tree = Self { snapshot, slot, endpoints: Vec::new() };
        tree.descend(slot, &[]);
        tree
    }

    fn descend(&mut self, slot: u32, above: &[&'s Ident]) {
        let Some(table) = self.snapshot.profiles.get(slot).filter(|_| above.len() <= MAX_DEPTH)
        else {
            return;
        };
        let pairs = table.profile.endpoints.iter().zip(&table.endpoints).enumerate();
        for (at, (endpoint, state)) in pairs {
            let names: Vec<_> = above.iter().copied().chain([&endpoint.name]).collect();
            self.endpoints.push(Entry { names: names.clone(), slot, at, endpoint, state });
            if let Some(nested) = state.facts.nested {
                self.descend(nested.slot, &names);
            }
        }
    }

    /// The profiles in it, each once.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'s ProfileTable> {
        let mut slots = vec![self.slot];
        for it in &self.endpoints {
            if !slots.contains(&it.slot) {
                slots.push(it.slot);
            }
        }
        slots.into_iter().filter_map(|it| Some(&**self.snapshot.profiles.get(it)?))
    }
}

/// What tables are made from, to be changed.
struct Draft {
    profile: Arc<Profile>,
    facts: Vec<EndpointFacts>,
}

/// A copy of the snapshot in which the changes are made, and which endpoints were made to fail, by slot and place.
pub(super) fn alter(
    snapshot: &Snapshot,
    tree: &Tree<'_>,
    name: &Name,
    changes: &[Thought],
    now: Now,
) -> Result<(Snapshot, Vec<(u32, usize)>), WhatIfError> {
    let stamp = Stamp { by: String::new(), reason: None, at: now.time, expires: None };
    let (mut drafts, mut failed) = (BTreeMap::new(), Vec::new());
    for change in changes {
        let (meant, fate) = match change {
            Thought::Method(method) => {
                let Some(draft) = draft(&mut drafts, snapshot, tree.slot) else { continue };
                if let Some((endpoint, why)) = draft.profile.misfit(*method) {
                    let (profile, endpoint) = (name.clone(), endpoint.name.clone());
                    return Err(WhatIfError::Misfit { profile, endpoint, why });
                }
                Arc::make_mut(&mut draft.profile).method = *method;
                continue;
            }
            Thought::Endpoint(path, fate) => (by_path(tree, name, path)?, fate),
            Thought::Site(site, fate) => (by_site(tree, name, site)?, fate),
        };
        for entry in meant {
            let below = |it: &&Entry<'_>| *fate == Fate::Fail && it.names.starts_with(&entry.names);
            let others = tree.endpoints.iter().filter(below).filter(|it| it.names != entry.names);
            for Entry { slot, at, .. } in [entry].into_iter().chain(others) {
                let facts =
                    draft(&mut drafts, snapshot, *slot).and_then(|it| it.facts.get_mut(*at));
                let Some(facts) = facts else { continue };
                match fate {
                    Fate::Fail => {
                        facts.verdict = Verdict::Degraded;
                        failed.push((*slot, *at));
                    }
                    Fate::Drain => facts.drained = true,
                    Fate::Undrain => facts.drained = false,
                    Fate::Set(change) => change.apply(&mut facts.overrides, &stamp),
                }
            }
        }
    }
    Ok((made(snapshot, tree.slot, drafts, now), failed))
}

/// A copy of the snapshot in which nothing is changed but the time: whoever starts slowly has come as far as it has by now.
pub(super) fn at(snapshot: &Snapshot, tree: &Tree<'_>, now: Now) -> Snapshot {
    let mut drafts = BTreeMap::new();
    for entry in &tree.endpoints {
        draft(&mut drafts, snapshot, entry.slot);
    }
    made(snapshot, tree.slot, drafts, now)
}

fn made(snapshot: &Snapshot, slot: u32, mut drafts: BTreeMap<u32, Draft>, now: Now) -> Snapshot {
    let mut remade = BTreeMap::new();
    remake(snapshot, slot, &mut drafts, &mut remade, now);
    let profiles = remade.into_iter().filter_map(|(slot, it)| Some((slot, it?)));
    Snapshot { profiles: snapshot.profiles.with(profiles), ..Snapshot::clone(snapshot) }
}

fn draft<'d>(
    drafts: &'d mut BTreeMap<u32, Draft>,
    snapshot: &Snapshot,
    slot: u32,
) -> Option<&'d mut Draft> {
    let table = snapshot.profiles.get(slot)?;
    let facts = || table.endpoints.iter().map(|it| it.facts.clone()).collect();
    let draft = || Draft { profile: table.profile.clone(), facts: facts() };
    Some(drafts.entry(slot).or_insert_with(draft))
}

/// Makes a profile's table anew if anything in it or below it has changed, after those that are nested in it.
fn remake(
    snapshot: &Snapshot,
    slot: u32,
    drafts: &mut BTreeMap<u32, Draft>,
    remade: &mut BTreeMap<u32, Option<Arc<ProfileTable>>>,
    now: Now,
) {
    let Some(before) = snapshot.profiles.get(slot).filter(|_| !remade.contains_key(&slot)) else {
        return;
    };
    remade.insert(slot, None);
    for (at, nested) in before.endpoints.iter().enumerate() {
        let Some(nested) = nested.facts.nested else { continue };
        remake(snapshot, nested.slot, drafts, remade, now);
        let Some(child) = remade.get(&nested.slot).cloned().flatten() else { continue };
        let is = child.nested(nested.slot);
        if nested == is {
            continue;
        }
        if let Some(facts) = draft(drafts, snapshot, slot).and_then(|it| it.facts.get_mut(at)) {
            facts.nested = Some(is);
        }
    }
    let Some(Draft { profile, facts }) = drafts.remove(&slot) else { return };
    let given = Given {
        previous: Some(before),
        enabled: before.enabled_by.as_ref(),
        geography: &snapshot.geography,
        now,
    };
    let after = ProfileTable::new(profile, facts, before.counters.clone(), given);
    remade.insert(slot, Some(Arc::new(after)));
}

fn by_path<'t, 's>(
    tree: &'t Tree<'s>,
    profile: &Name,
    path: &[Ident],
) -> Result<Vec<&'t Entry<'s>>, WhatIfError> {
    let found = tree.endpoints.iter().find(|it| it.names.iter().copied().eq(path));
    found.map(|it| vec![it]).ok_or_else(|| WhatIfError::NoEndpoint {
        profile: profile.clone(),
        text: path.iter().map(Ident::as_str).collect::<Vec<_>>().join("/"),
        known: tree.endpoints.iter().map(Entry::path).collect(),
    })
}

fn by_site<'t, 's>(
    tree: &'t Tree<'s>,
    profile: &Name,
    site: &Ident,
) -> Result<Vec<&'t Entry<'s>>, WhatIfError> {
    let found: Vec<_> =
        tree.endpoints.iter().filter(|it| it.endpoint.site.as_ref() == Some(site)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut known: Vec<String> = Vec::new();
    for site in tree.endpoints.iter().filter_map(|it| it.endpoint.site.as_ref()) {
        if !known.iter().any(|it| it == site.as_str()) {
            known.push(site.to_string());
        }
    }
    Err(WhatIfError::NoSite { profile: profile.clone(), site: site.clone(), known })
}
