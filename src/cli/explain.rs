use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;

use super::client::ClientOptions;
use super::output::{list, percent, table};
use crate::api::view;

/// Say how a name is answered, and why each endpoint is or is not among the answers.
///
/// It is the decision that queries get, made once more with a draw of its own: asking changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol explain app.gtm.example
  farol explain app.gtm.example --type AAAA --client 10.20.0.1")]
pub(super) struct Explain {
    #[command(flatten)]
    client_options: ClientOptions,
    /// The name that is asked for
    name: String,
    /// The record type that is asked for
    #[arg(long = "type", value_name = "TYPE", default_value = "A")]
    record_type: String,
    /// The address of the client that asks
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client_options.run(async |client, output| {
            let mut query = vec![("name", self.name), ("type", self.record_type)];
            query.extend(self.client.map(|it| ("client", it.to_string())));
            let answer = client.query::<view::Explanation>(&["explain"], &query).await?;
            output.show(&answer.text, || render(&answer.value))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn render(it: &view::Explanation) -> String {
    let client = it.client.map(|it| format!(" from {it}")).unwrap_or_default();
    let name = it.alias.clone();
    let answers: Vec<String> =
        name.into_iter().chain(it.answers.iter().map(ToString::to_string)).collect();
    let picked = it.picked.as_ref().map(|name| format!(" (this draw met {name})"));
    let answer = match answers.as_slice() {
        [] => String::new(),
        some => format!("{}{}", some.join(", "), picked.unwrap_or_default()),
    };
    let facts = list(&[
        ("question", format!("{} {}{client}", it.name, it.record_type)),
        ("outcome", it.outcome.clone()),
        ("answer", answer),
        ("zone", it.zone.clone().unwrap_or_default()),
        ("profile", it.profile.clone().unwrap_or_default()),
        ("method", it.method.clone().unwrap_or_default()),
        ("ttl", it.ttl.map(|it| format!("{it}s")).unwrap_or_default()),
        ("generation", it.generation.to_string()),
    ]);
    let row = |it: &view::ExplainedEndpoint| {
        vec![
            it.name.clone(),
            it.site.clone().unwrap_or_default(),
            it.status.clone(),
            it.weight.to_string(),
            it.priority.to_string(),
            percent(Some(it.share)),
            it.why.clone(),
        ]
    };
    if it.endpoints.is_empty() {
        return facts;
    }
    let header = ["ENDPOINT", "SITE", "STATUS", ">WEIGHT", ">PRIORITY", ">SHARE", "WHY"];
    format!("{facts}\n{}", table(&header, it.endpoints.iter().map(row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_read_from_the_top() {
        let explanation = view::Explanation {
            name: "app.gtm.example.".to_owned(),
            record_type: "A".to_owned(),
            client: Some("10.0.0.1".parse().unwrap()),
            generation: 7,
            zone: Some("gtm.example.".to_owned()),
            outcome: "A by weighted".to_owned(),
            profile: Some("app.gtm.example.".to_owned()),
            method: Some("weighted".to_owned()),
            ttl: Some(30),
            picked: Some("seattle".to_owned()),
            alias: None,
            answers: vec!["192.0.2.1".parse().unwrap()],
            endpoints: vec![view::ExplainedEndpoint {
                name: "seattle".to_owned(),
                site: None,
                status: "Online".to_owned(),
                weight: 60,
                priority: 1,
                candidate: true,
                why: "answers".to_owned(),
                share: 100.0,
            }],
        };
        let lines = [
            "question    app.gtm.example. A from 10.0.0.1",
            "outcome     A by weighted",
            "answer      192.0.2.1 (this draw met seattle)",
            "zone        gtm.example.",
            "profile     app.gtm.example.",
            "method      weighted",
            "ttl         30s",
            "generation  7",
            "",
            "ENDPOINT  STATUS  WEIGHT  PRIORITY  SHARE  WHY",
            "seattle   Online      60         1  100 %  answers",
        ];
        assert_eq!(render(&explanation).lines().collect::<Vec<_>>(), lines);
    }
}
