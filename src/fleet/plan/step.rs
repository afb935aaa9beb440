//! What is done with an object.

use std::fmt;

use serde_json::Value;

use super::{FieldChange, Mask, Phase, changes, masked};
use crate::fleet::cluster::{Conflict, Deletion, Resource};
use crate::fleet::object::{Object, ObjectKey};

/// What is done with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It is made.
    Create {
        /// What is applied.
        wanted: Object,
        /// What comes of it, where the server could say.
        after: Option<Object>,
    },
    /// It is changed.
    Change {
        /// What is applied.
        wanted: Object,
        /// What it is.
        before: Object,
        /// What comes of it.
        after: Object,
        /// The fields that are taken over from others.
        taken: Vec<Conflict>,
    },
    /// Its number of replicas is kept as it is while it passes to an autoscaler: without, it would fall to 1.
    HandOver {
        /// What is applied by [`HANDOVER`](super::HANDOVER).
        wanted: Object,
    },
    /// It is removed.
    Delete {
        /// What it is.
        before: Object,
        /// Which one exactly.
        which: Deletion,
    },
    /// Where the set's members are is noted at its parent.
    Record {
        /// What is applied.
        wanted: Object,
    },
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub phase: Phase,
    /// On what.
    pub key: ObjectKey,
    /// How the cluster serves it.
    pub resource: Resource,
    /// What.
    pub action: Action,
}

impl Step {
    /// Every field that it changes, with secrets masked. What is new or goes is one change, of the whole object.
    pub fn changes(&self, mask: &Mask) -> Vec<FieldChange> {
        let whole = |it: &Object| Some(Value::Object(masked(it, mask)));
        let all = |before, after| vec![FieldChange { path: String::new(), before, after }];
        match &self.action {
            Action::Create { wanted, after } => all(None, whole(after.as_ref().unwrap_or(wanted))),
            Action::Change { before, after, .. } => {
                changes(&masked(before, mask), &masked(after, mask))
            }
            Action::HandOver { .. } | Action::Record { .. } => Vec::new(),
            Action::Delete { before, .. } => all(whole(before), None),
        }
    }
}

impl fmt::Display for Action {
    /// "create", "change", …
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create { .. } => "create",
            Self::Change { .. } => "change",
            Self::HandOver { .. } => "hand over",
            Self::Delete { .. } => "delete",
            Self::Record { .. } => "record",
        })
    }
}
