//! What operators' changes make of the overrides.

use std::time::Duration;

use super::{Change, ChangeError, World};
use crate::model::{Ident, Overrides, Stamp, Stamped, Timestamp};

impl World {
    /// What the overrides would be after a change.
    ///
    /// # Errors
    /// When the change names what doesn't exist.
    pub fn plan(
        &self,
        overrides: &mut Overrides,
        change: &Change,
        stamp: &Stamp,
    ) -> Result<(), ChangeError> {
        match change {
            Change::Endpoint(key, change) => {
                // An override of what is configured no more can still be cleared.
                let is_clearing = change.only_clears() && overrides.endpoints.contains_key(key);
                match self.snapshot.profile(&key.profile) {
                    _ if is_clearing => {}
                    Some(table) if table.position(&key.endpoint).is_some() => {}
                    Some(_) => return Err(ChangeError::NoEndpoint(key.clone())),
                    None => return Err(ChangeError::NoProfile(key.profile.clone())),
                }
                let mut changed = overrides.endpoints.remove(key).unwrap_or_default();
                change.apply(&mut changed, stamp);
                if !changed.is_empty() {
                    overrides.endpoints.insert(key.clone(), changed);
                }
            }
            Change::Profile { name, enabled } => {
                let is_clearing = enabled.is_none() && overrides.profiles.contains_key(name);
                if self.snapshot.profile(name).is_none() && !is_clearing {
                    return Err(ChangeError::NoProfile(name.clone()));
                }
                match *enabled {
                    Some(value) => {
                        let stamped = Stamped { value, stamp: stamp.clone() };
                        overrides.profiles.insert(name.clone(), stamped)
                    }
                    None => overrides.profiles.remove(name),
                };
            }
            Change::Site { name, drained, ramp } => {
                let is_clearing = !drained && overrides.drained_sites.contains_key(name);
                if self.snapshot.site(name).is_none() && !is_clearing {
                    return Err(ChangeError::NoSite(name.clone()));
                }
                plan_drain(overrides, name, *drained, *ramp, stamp);
            }
            Change::FailBack(profile) => self.plan_failback(overrides, profile)?,
            Change::Confirm(number) => {
                overrides.pending.remove(number).ok_or(ChangeError::NotPending(*number))?;
            }
            Change::Undo(number) => {
                overrides.undo(*number).ok_or(ChangeError::NotPending(*number))?;
            }
        }
        Ok(())
    }
}

/// Has a site drained, or undrained; only what was drained has a way back.
fn plan_drain(
    overrides: &mut Overrides,
    site: &Ident,
    drained: bool,
    ramp: Option<Duration>,
    stamp: &Stamp,
) {
    if drained {
        overrides.returning_sites.remove(site);
        overrides.drained_sites.insert(site.clone(), stamp.clone());
    } else if let (Some(_), Some(value)) = (overrides.drained_sites.remove(site), ramp) {
        let over = i64::try_from(value.as_millis()).unwrap_or(i64::MAX);
        let expires = Some(Timestamp(stamp.at.0.saturating_add(over)));
        let stamp = Stamp { expires, ..stamp.clone() };
        overrides.returning_sites.insert(site.clone(), Stamped { value, stamp });
    }
}
