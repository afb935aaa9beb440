//! Changes that may be undone by themselves, in the state file.

use serde::{Deserialize, Serialize};

use super::{Entry, FieldsEntry, StampEntry, name};
use crate::model::{EndpointKey, Pending, Stamp, Stamped, Undo};
use crate::store::envelope::Damage;
use crate::store::time::Time;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PendingEntry {
    number: u64,
    stamp: StampEntry,
    changes: Vec<String>,
    until: Time,
    needs_confirmation: bool,
    undo_if_worse: bool,
    undo: Vec<UndoEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase", deny_unknown_fields)]
enum UndoEntry {
    Endpoint { profile: String, endpoint: String, before: Box<FieldsEntry>, left: Box<FieldsEntry> },
    Profile { profile: String, before: Option<Entry<bool>>, left: Option<Entry<bool>> },
    Site { site: String, before: Option<StampEntry>, left: Option<StampEntry> },
}

impl PendingEntry {
    pub(super) fn of(number: u64, pending: &Pending) -> Self {
        let Pending { stamp, changes, until, needs_confirmation, undo_if_worse, undo } = pending;
        Self {
            number,
            stamp: StampEntry::of(stamp),
            changes: changes.clone(),
            until: Time::of(*until),
            needs_confirmation: *needs_confirmation,
            undo_if_worse: *undo_if_worse,
            undo: undo.iter().map(UndoEntry::of).collect(),
        }
    }

    pub(super) fn pending(self) -> Result<(u64, Pending), Damage> {
        let Self { number, stamp, changes, until, needs_confirmation, undo_if_worse, undo } = self;
        let undo = undo.into_iter().map(UndoEntry::undo).collect::<Result<_, _>>()?;
        let (stamp, until) = (stamp.stamp()?, until.timestamp()?);
        let pending = Pending { stamp, changes, until, needs_confirmation, undo_if_worse, undo };
        Ok((number, pending))
    }
}

impl UndoEntry {
    fn of(undo: &Undo) -> Self {
        let stamp = |it: &Option<Stamp>| it.as_ref().map(StampEntry::of);
        let enabled = |it: &Option<Stamped<bool>>| it.as_ref().map(Entry::of);
        match undo {
            Undo::Endpoint { key, before, left } => Self::Endpoint {
                profile: key.profile.to_string(),
                endpoint: key.endpoint.to_string(),
                before: Box::new(FieldsEntry::of(before)),
                left: Box::new(FieldsEntry::of(left)),
            },
            Undo::Profile { name, before, left } => Self::Profile {
                profile: name.to_string(),
                before: enabled(before),
                left: enabled(left),
            },
            Undo::Site { name, before, left } => {
                Self::Site { site: name.to_string(), before: stamp(before), left: stamp(left) }
            }
        }
    }

    fn undo(self) -> Result<Undo, Damage> {
        let stamp = |it: Option<StampEntry>| it.map(StampEntry::stamp).transpose();
        let enabled = |it: Option<Entry<bool>>| it.map(Entry::stamped).transpose();
        Ok(match self {
            Self::Endpoint { profile, endpoint, before, left } => {
                let profile = name("profile", &profile)?;
                let key = EndpointKey { profile, endpoint: name("endpoint", &endpoint)? };
                let (before, left) = (Box::new(before.overrides()?), Box::new(left.overrides()?));
                Undo::Endpoint { key, before, left }
            }
            Self::Profile { profile, before, left } => Undo::Profile {
                name: name("profile", &profile)?,
                before: enabled(before)?,
                left: enabled(left)?,
            },
            Self::Site { site, before, left } => Undo::Site {
                name: name("site", &site)?,
                before: stamp(before)?,
                left: stamp(left)?,
            },
        })
    }
}
