//! Which endpoints share their probes.

use std::collections::HashMap;

use super::Watch;
use crate::model::{EndpointKey, ProbeTarget, Protocol};

/// What is shared: a target, and whose it is where more than probes tells of it: the site, which reports for its own endpoint, or its
/// cluster, by the pods behind this one.
pub(super) type Group = (ProbeTarget, Option<EndpointKey>);

pub(super) fn group(target: &ProbeTarget, key: &EndpointKey, is_discovered: bool) -> Group {
    let is_pushed = matches!(target.monitor.protocol, Protocol::Push(_));
    (target.clone(), (is_pushed || is_discovered).then(|| key.clone()))
}

/// The endpoints of each target, except those that are not probed.
pub(super) fn by_target(wanted: Vec<Watch>) -> HashMap<Group, Vec<Watch>> {
    let mut groups: HashMap<Group, Vec<Watch>> = HashMap::new();
    for watch in wanted {
        if watch.target.monitor.protocol != Protocol::None {
            let group = group(&watch.target, &watch.key, watch.is_discovered);
            groups.entry(group).or_default().push(watch);
        }
    }
    groups
}
