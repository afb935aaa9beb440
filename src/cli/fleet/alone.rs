//! Changing a site from the command line while no other companion does.

use anyhow::Context;

use super::{Chosen, Looked};
use crate::fleet::lease::Lease;
use crate::fleet::plan::Forced;
use crate::fleet::render::Tools;
use crate::fleet::site::{PlanError, Planned, Reached};
use crate::model::Ident;

/// Does something on a site alone. Who is waited for is told.
///
/// # Errors
/// When the site's Lease can't be had, or is lost meanwhile.
pub(super) async fn alone_on<F: Future>(
    reached: &Reached,
    tell: &mut (dyn FnMut(&str) + Send),
    work: impl FnOnce(bool) -> F,
) -> anyhow::Result<F::Output> {
    let site = &reached.site.name;
    let mut waiting =
        |holder: &str| tell(&format!("{site}: waiting for {holder}, who is changing the site"));
    let done = Lease::of_site(reached).alone(&mut waiting, work).await;
    done.with_context(|| {
        format!("{site}: can't be changed, or not to the end; look at it, then go on")
    })
}

impl Chosen {
    /// Whether what was planned for a site would be planned now too.
    pub(super) async fn still_plans(&self, (reached, apps): &Looked, forced: &Forced) -> bool {
        let digest = |(app, planned): &(Ident, Result<Planned, PlanError>)| {
            (app.clone(), planned.as_ref().ok().map(|it| it.plan.digest.clone()))
        };
        match self.look(&reached.site, forced, &Tools::from_environment()).await {
            Ok((_, now)) => now.iter().map(digest).eq(apps.iter().map(digest)),
            Err(_) => false,
        }
    }
}
