use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures_util::future::join_all;

use super::{Shown, Surveyed, Which, mask, plain};
use crate::cli::output::{dress, table};
use crate::cli::say;
use crate::fleet::plan::{Forced, Mask};
use crate::fleet::site::nodes;
use crate::fleet::status::{AppStatus, FleetStatus, Nodes, SiteStatus};

/// Show how the sites' clusters and apps are
///
/// Nothing is changed. Exit codes: 0 everything is as it is wanted, 2 something isn't, 1 something can't be told.
#[derive(Args, Debug)]
pub(super) struct Status {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
}

impl Status {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let surveyed = self.which.read().await?.survey(&Forced::default()).await;
        let mask = mask()?;
        let sites = join_all(surveyed.iter().map(|it| site(it, &mask))).await;
        let status = FleetStatus::of(sites);
        if self.shown.is_for_people() {
            say(&dress(&plain(&text(&status))))?;
        } else {
            let json = serde_json::to_string(&status).context("the status is no JSON")?;
            self.shown.output.show(&json, String::new)?;
        }
        let apps = || status.sites.iter().flat_map(|it| &it.apps);
        let is_blind =
            status.sites.iter().any(|it| it.error.is_some()) || apps().any(|it| it.error.is_some());
        let is_well = apps().all(|it| it.in_sync) && status.skewed.is_empty();
        Ok(match (is_blind, is_well) {
            (true, _) => ExitCode::FAILURE,
            (false, true) => ExitCode::SUCCESS,
            (false, false) => ExitCode::from(2),
        })
    }
}

async fn site((site, looked): &Surveyed, mask: &Mask) -> SiteStatus {
    let name = site.name.to_string();
    match looked {
        Err(error) => SiteStatus {
            site: name,
            cluster: None,
            error: Some(error.into()),
            nodes: None,
            apps: vec![],
        },
        Ok((reached, apps)) => SiteStatus {
            site: name,
            cluster: Some(reached.into()),
            error: None,
            nodes: nodes(reached).await.ok().map(|it| Nodes::of(&it)),
            apps: apps.iter().map(|(app, planned)| AppStatus::of(app, planned, mask)).collect(),
        },
    }
}

/// One table at a glance, and below it what is not as it is wanted.
fn text(status: &FleetStatus) -> String {
    let mut rows = Vec::new();
    let mut below = Vec::new();
    for site in &status.sites {
        let cluster = match (&site.cluster, &site.error) {
            (_, Some(trouble)) => trouble.kind.clone(),
            (Some(cluster), None) => cluster.version.clone(),
            (None, None) => String::new(),
        };
        let nodes =
            site.nodes.map_or_else(|| "-".to_owned(), |it| format!("{}/{}", it.ready, it.total));
        if site.apps.is_empty() {
            rows.push(vec![
                site.site.clone(),
                cluster.clone(),
                nodes.clone(),
                "-".to_owned(),
                "-".to_owned(),
            ]);
        }
        for (index, app) in site.apps.iter().enumerate() {
            let first = |text: &str| if index == 0 { text.to_owned() } else { String::new() };
            rows.push(vec![
                first(&site.site),
                first(&cluster),
                first(&nodes),
                app.app.clone(),
                state(app),
            ]);
            below.extend(details(&site.site, app));
        }
        below.extend(
            site.error.iter().map(|it| format!("{}: the cluster {}", site.site, it.message)),
        );
    }
    for skew in &status.skewed {
        let site = |(site, images): &(String, std::collections::BTreeSet<String>)| {
            format!("{site} has {}", images.iter().cloned().collect::<Vec<_>>().join(", "))
        };
        let sites: Vec<String> = skew.images.iter().map(site).collect();
        below.push(format!("{} is not the same everywhere: {}", skew.app, sites.join("; ")));
    }
    let table = table(&["SITE", "CLUSTER", "NODES", "APP", "STATE"], rows);
    match below.is_empty() {
        true => table,
        false => format!("{}\n\n{}", table.trim_end(), below.join("\n")),
    }
}

fn state(app: &AppStatus) -> String {
    if app.error.is_some() {
        return "unknown".to_owned();
    }
    let counts = ["drifted", "missing", "extra", "refused", "kept"].map(|it| (app.count(it), it));
    let said: Vec<String> = counts
        .iter()
        .filter(|it| it.0 > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    match said.is_empty() {
        true if app.in_sync => "in sync".to_owned(),
        true => "to be applied".to_owned(),
        false if app.in_sync => format!("in sync, {}", said.join(", ")),
        false if !app.applied => format!("to be applied: {}", said.join(", ")),
        false => said.join(", "),
    }
}

fn details(site: &str, app: &AppStatus) -> Vec<String> {
    let name = format!("{site} {}", app.app);
    let mut lines: Vec<String> =
        app.error.iter().flat_map(|it| it.lines()).map(|it| format!("{name}: {it}")).collect();
    for it in &app.differences {
        let fields = match it.fields() {
            fields if fields.is_empty() => fields,
            fields => format!(": {fields}"),
        };
        let why = it.why.as_ref().map_or_else(String::new, |it| format!(": {it}"));
        lines.push(format!("{name}: {} {}{fields}{why}", it.object, it.state));
    }
    lines
}
