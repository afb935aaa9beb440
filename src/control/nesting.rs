//! Which profiles are nested in which: a profile is made after those that it leads to, and anew when one of them changes in a
//! way that it notices.

use std::collections::HashMap;

use crate::model::{Model, Name};
use crate::snapshot::MAX_DEPTH;

/// The profiles of a model that others stand for, and the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Nesting {
    /// Where the nested profiles are.
    slots: HashMap<Name, u32>,
    /// Who leads to them.
    parents: HashMap<u32, Vec<u32>>,
    /// How deep it goes below each that leads to others.
    heights: HashMap<u32, usize>,
}

impl Nesting {
    pub(super) fn of(model: &Model) -> Self {
        let slots = (0..).zip(&model.profiles);
        let edges: Vec<(u32, &Name)> = slots
            .clone()
            .flat_map(|(slot, it)| it.endpoints.iter().map(move |endpoint| (slot, endpoint)))
            .filter_map(|(slot, endpoint)| Some((slot, endpoint.child()?.0)))
            .collect();
        if edges.is_empty() {
            return Self::default();
        }
        let all: HashMap<&Name, u32> = slots.map(|(slot, it)| (&it.name, slot)).collect();
        let mut nesting = Self::default();
        for (parent, child) in edges {
            let Some(slot) = all.get(child) else { continue };
            nesting.slots.insert(child.clone(), *slot);
            let parents = nesting.parents.entry(*slot).or_default();
            if !parents.contains(&parent) {
                parents.push(parent);
            }
        }
        // Whoever stands for another is higher by one; no chain is longer than this.
        for _ in 0..MAX_DEPTH {
            for (child, parents) in &nesting.parents {
                let height = 1 + nesting.heights.get(child).copied().unwrap_or_default();
                for parent in parents {
                    let own = nesting.heights.entry(*parent).or_default();
                    *own = height.max(*own);
                }
            }
        }
        nesting
    }

    /// Where the nested profile of this name is.
    pub(super) fn slot(&self, child: &Name) -> Option<u32> {
        self.slots.get(child).copied()
    }

    /// How many levels are below a profile: those with less are made first.
    pub(super) fn height(&self, slot: u32) -> usize {
        self.heights.get(&slot).copied().unwrap_or_default()
    }

    /// The profiles that lead to this one.
    pub(super) fn parents(&self, slot: u32) -> &[u32] {
        self.parents.get(&slot).map(Vec::as_slice).unwrap_or_default()
    }
}
