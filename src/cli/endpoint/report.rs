use clap::{ArgGroup, Args};

use super::{Client, Which};
use crate::api::view;
use crate::cli::client::Output;

#[derive(Args, Debug)]
#[command(
    group(ArgGroup::new("health").args(["up", "down"]).required(true)),
    after_help = "Examples:
  farol endpoint report app.gtm.example seattle --up --token-file /etc/farol-report.token
  farol endpoint report app.gtm.example seattle --down --reason 'no lease'"
)]
pub(super) struct Report {
    #[command(flatten)]
    which: Which,
    /// It is well
    #[arg(long)]
    up: bool,
    /// It is not
    #[arg(long)]
    down: bool,
    /// Why it is not
    #[arg(long, value_name = "TEXT", requires = "down")]
    reason: Option<String>,
}

pub(super) async fn report(client: &Client, output: Output, report: Report) -> anyhow::Result<()> {
    let Report { which: Which { profile, endpoint }, up, down: _, reason } = report;
    let path = ["profiles", &profile, "endpoints", &endpoint, "report"];
    let request = view::ReportRequest { healthy: up, reason };
    let answer = client.post::<view::Reported>(&path, &request, None).await?;
    output.show(&answer.text, || {
        let how = if answer.value.healthy { "up" } else { "down" };
        format!("{profile} {endpoint}: reported {how}; the report counts as one probe.")
    })
}
