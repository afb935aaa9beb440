//! Which endpoints share their probes.

use std::collections::HashMap;

use super::Watch;
use crate::model::{EndpointKey, ProbeTarget, Protocol};

/// What is shared: a target, and for one that is reported of, whose it is, since each site reports for its own endpoint.
pub(super) type Group = (ProbeTarget, Option<EndpointKey>);

pub(super) fn group(target: &ProbeTarget, key: &EndpointKey) -> Group {
    let is_pushed = matches!(target.monitor.protocol, Protocol::Push(_));
    (target.clone(), is_pushed.then(|| key.clone()))
}

/// The endpoints of each target, except those that are not probed.
pub(super) fn by_target(wanted: Vec<Watch>) -> HashMap<Group, Vec<Watch>> {
    let mut groups: HashMap<Group, Vec<Watch>> = HashMap::new();
    for watch in wanted {
        if watch.target.monitor.protocol != Protocol::None {
            groups.entry(group(&watch.target, &watch.key)).or_default().push(watch);
        }
    }
    groups
}
