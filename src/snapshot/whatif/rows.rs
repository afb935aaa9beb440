use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::altered::Tree;
use super::audience::{Named, audiences};
use super::outcome::{Outcome, To};
use crate::model::Family;
use crate::snapshot::ProfileTable;

/// The most of a row's clients that are named.
const MAX_LABELS: usize = 8;

/// Clients that get the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Some of them in words.
    pub clients: Vec<String>,
    /// How many regions or networks they are.
    pub networks: usize,
    /// What they get now.
    pub now: Outcome,
    /// What they would get.
    pub then: Outcome,
}

/// What each audience gets now and then, those with equal outcomes together.
pub(super) fn compare(before: &Tree<'_>, after: &Tree<'_>, family: Family) -> Vec<Row> {
    let tables = before.tables().chain(after.tables());
    let tables: Vec<&ProfileTable> =
        tables.filter(|it| it.profile.method.looks_at_clients()).collect();
    let (mut rows, mut told) = (Vec::<Row>::new(), Vec::<(usize, Named)>::new());
    let (mut orders, mut outcomes) = (HashMap::new(), HashMap::new());
    audiences(before, after, |name, client| {
        // Who comes before whom decides all else, and of a million clients few differ in it.
        let order = |it: &&ProfileTable| it.trace(family, client).unwrap_or_default().tiers;
        let orders = orders.entry(tables.iter().map(order).collect::<Vec<_>>());
        let row = *orders.or_insert_with(|| {
            let to = To { family, client, alone: false };
            let now = Outcome::of(before.snapshot, before.slot, to);
            let then = Outcome::of(after.snapshot, after.slot, to);
            *outcomes.entry((now.key(), then.key())).or_insert_with(|| {
                rows.push(Row { clients: Vec::new(), networks: 0, now, then });
                rows.len() - 1
            })
        });
        told.push((row, name));
    });
    name(&mut rows, &told);
    rows.sort_by_key(|it| (it.now.key() == it.then.key(), Reverse(it.networks)));
    rows
}

/// Names the clients of each row: by what they have in common where that is true of no other row, else by their networks.
fn name(rows: &mut [Row], told: &[(usize, Named)]) {
    let mut owners: HashMap<&str, Option<usize>> = HashMap::new();
    for (row, name) in told {
        let Some(common) = &name.common else { continue };
        let owner = owners.entry(common).or_insert(Some(*row));
        *owner = owner.filter(|it| it == row);
    }
    let mut named = HashSet::new();
    for (at, name) in told {
        let is_apart = |it: &&str| owners.get(it) == Some(&Some(*at));
        let common = name.common.as_deref().filter(is_apart);
        let is_new = common.is_none_or(|it| named.insert(it));
        let Some(row) = rows.get_mut(*at).filter(|_| is_new) else { continue };
        row.networks += if common.is_some() { 1 } else { name.networks };
        if row.clients.len() < MAX_LABELS {
            row.clients.push(common.unwrap_or(&name.own).to_owned());
        }
    }
}
