use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use futures_util::future::join_all;

use super::{Shown, Which, plain};
use crate::cli::output::{dress, table};
use crate::cli::say;
use crate::fleet::plan::Forced;
use crate::fleet::verify::{FleetProof, SamplesReport, SiteProof, prove};

/// Prove that the sites work: apps are ready, agents cover their nodes, samples arrive, the monitoring is the same everywhere
///
/// Nothing is changed. Exit codes: 0 everything is proven, 1 something isn't.
#[derive(Args, Debug)]
pub(super) struct Verify {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let chosen = self.which.read().await?;
        let surveyed = chosen.survey(&Forced::default()).await;
        let parts = &chosen.parts;
        let sites = surveyed.iter().map(async |(site, looked)| match looked {
            Err(error) => SiteProof::troubled(&site.name, error),
            Ok((reached, planned)) => prove(reached, planned, parts).await,
        });
        let proof = FleetProof::of(join_all(sites).await);
        if self.shown.is_for_people() {
            say(&dress(&plain(&text(&proof))))?;
        } else {
            let json = serde_json::to_string(&proof).context("the proof is no JSON")?;
            self.shown.output.show(&json, String::new)?;
        }
        Ok(if proof.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn text(proof: &FleetProof) -> String {
    let (mut rows, mut below) = (Vec::new(), Vec::new());
    for site in &proof.sites {
        let apps = match (&site.error, site.waiting.len()) {
            (Some(trouble), _) => trouble.kind.clone(),
            (None, 0) => "ready".to_owned(),
            (None, waiting) => format!("{waiting} not ready"),
        };
        let monitoring = site.fingerprint.as_ref().map(|it| it.chars().take(12).collect());
        let samples = site.samples.as_ref().map_or_else(String::new, samples);
        rows.push(vec![site.site.clone(), apps, monitoring.unwrap_or_default(), samples]);
        below.extend(
            site.error.iter().map(|it| format!("{}: the cluster {}", site.site, it.message)),
        );
        for it in &site.waiting {
            let object = it.object.as_ref().map_or_else(String::new, |it| format!(" {it}"));
            below.push(format!("{} {}:{object} {}", site.site, it.app, it.why));
        }
    }
    if !proof.same_monitoring {
        below.push("the monitoring is not the same everywhere; see `farol fleet plan`".to_owned());
    }
    let table = table(&["SITE", "APPS", "MONITORING", "SAMPLES"], rows);
    match below.is_empty() {
        true => table,
        false => format!("{}\n\n{}", table.trim_end(), below.join("\n")),
    }
}

fn samples(samples: &SamplesReport) -> String {
    match (samples.fresh, samples.age, &samples.why) {
        (true, age, _) => format!("fresh, {:.0} s old", age.unwrap_or_default()),
        (false, Some(age), _) => format!("stale, {age:.0} s old"),
        (false, None, why) => why.clone().unwrap_or_default(),
    }
}
