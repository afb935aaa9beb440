//! What is asked for: the status, and the profiles of one page.

use std::collections::HashSet;

use super::super::client::{Client, Failure};
use crate::api::view;

/// Where a page of profiles begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// After so many of those that are not well.
    Worst(usize),
    /// In the configuration's order, after this one.
    After(Option<String>),
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A page of profiles.
    Page {
        start: Start,
        /// Those that are not well have had their pages, or have them first.
        worst_first: bool,
        /// Only those with this in their name, or in that of an endpoint.
        filter: String,
        /// So many.
        rows: usize,
    },
    /// One profile.
    Profile(String),
}

/// What a look has shown.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// What it is of.
    pub(super) of: Wanted,
    pub(super) status: view::Status,
    pub(super) profiles: Vec<view::Profile>,
    /// Where the next page begins.
    pub(super) next: Option<Start>,
}

/// Looks.
pub(super) async fn fetch(client: &Client, of: Wanted) -> Result<Seen, Failure> {
    let status = client.get::<view::Status>(&["status"]).await?.value;
    let (profiles, next) = match &of {
        Wanted::Profile(name) => {
            (vec![client.get::<view::Profile>(&["profiles", name]).await?.value], None)
        }
        Wanted::Page { start, worst_first, filter, rows } => {
            let worst = if *worst_first { worst(&status) } else { Vec::new() };
            page(client, start, &worst, filter, *rows).await?
        }
    };
    Ok(Seen { of, status, profiles, next })
}

async fn page(
    client: &Client,
    start: &Start,
    worst: &[String],
    filter: &str,
    rows: usize,
) -> Result<(Vec<view::Profile>, Option<Start>), Failure> {
    let mut profiles = Vec::new();
    let after = match start {
        Start::After(after) => after.as_deref(),
        Start::Worst(skipped) => {
            for name in worst.iter().skip(*skipped).take(rows) {
                match client.get::<view::Profile>(&["profiles", name]).await {
                    Ok(answer) => profiles.push(answer.value),
                    // A reload may have taken it away meanwhile.
                    Err(Failure::Refused { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if worst.len() >= skipped + rows {
                return Ok((profiles, Some(Start::Worst(skipped + rows))));
            }
            None
        }
    };
    let mut query = vec![("limit", rows.to_string())];
    query.extend(after.map(|it| ("after", it.to_owned())));
    query.extend(Some(filter).filter(|it| !it.is_empty()).map(|it| ("text", it.to_owned())));
    let page = client.query::<view::Profiles>(&["profiles"], &query).await?.value;
    let known: HashSet<&str> = worst.iter().map(String::as_str).collect();
    let (mut others, mut next) = (page.profiles, page.next);
    others.retain(|it| !known.contains(it.name.as_str()));
    let room = rows - profiles.len().min(rows);
    if others.len() > room {
        others.truncate(room);
        next = others.last().map(|it| it.name.clone());
        if next.is_none() {
            return Ok((profiles, Some(Start::After(None))));
        }
    }
    profiles.extend(others);
    Ok((profiles, next.map(|it| Start::After(Some(it)))))
}

/// The profiles that are not well, the worst first, each once.
pub(super) fn worst(status: &view::Status) -> Vec<String> {
    let refs = [&status.degraded, &status.stale, &status.certificates];
    let refs = refs.into_iter().flatten().map(|it| &it.profile);
    let overridden = status.overridden.iter().map(|it| &it.profile);
    let mut met = HashSet::new();
    let all = status.failing_open.iter().chain(refs).chain(overridden);
    all.filter(|it| met.insert(it.as_str())).cloned().collect()
}
