use std::process::ExitCode;

use clap::Args;

use super::client::ClientOptions;
use super::output::{list, percent, table};
use crate::api::view;

/// Say how a name is answered, and why each endpoint is or is not among the answers.
///
/// It is the decision that queries get, made once more: asking changes nothing.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol explain app.gtm.example
  farol explain app.gtm.example AAAA --client 10.20.0.0/16
  farol explain app.gtm.example --draw 573422:0")]
pub(super) struct Explain {
    #[command(flatten)]
    client_options: ClientOptions,
    /// The name that is asked for
    name: String,
    /// The record type that is asked for [default: A]
    #[arg(value_name = "TYPE")]
    record_type: Option<String>,
    /// The record type, likewise
    #[arg(long = "type", value_name = "TYPE", conflicts_with = "record_type")]
    named_type: Option<String>,
    /// The client that asks: its address, or its network
    #[arg(long, value_name = "ADDRESS|NETWORK")]
    client: Option<String>,
    /// What chance says, as an earlier explanation shows it
    #[arg(long, value_name = "SEED:SEQUENCE")]
    draw: Option<String>,
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client_options.run(async |client, output| {
            let record_type = self.record_type.or(self.named_type);
            let mut query = vec![("name", self.name)];
            query.extend(record_type.map(|it| ("type", it)));
            query.extend(self.client.map(|it| ("client", it)));
            query.extend(self.draw.map(|it| ("draw", it)));
            let answer = client.query::<view::Explanation>(&["explain"], &query).await?;
            output.show(&answer.text, || render(&answer.value))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn render(it: &view::Explanation) -> String {
    let given = it.client.from == "query";
    let from = if given { format!(" from {}", it.client.network) } else { String::new() };
    let answers = it.alias.iter().cloned().chain(it.answers.iter().map(ToString::to_string));
    let answers: Vec<String> = answers.collect();
    let met: Vec<String> = it.profiles.iter().map(|it| it.picked.join(", ")).collect();
    let met = met.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/");
    let draw = it.draw.as_deref().unwrap_or_default();
    let answer = match answers.as_slice() {
        [] => String::new(),
        some if met.is_empty() => some.join(", "),
        some => format!("{} (draw {draw} met {met})", some.join(", ")),
    };
    let because =
        |reason: &Option<String>| reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
    let ttl = it.ttl.map(|ttl| format!("{ttl}s{}", because(&it.ttl_reason)));
    let scope = it.scope.map(|scope| format!("/{scope}{}", because(&it.scope_reason)));
    let locations = it.profiles.iter().filter_map(|it| it.location.as_ref()).map(location);
    let mut locations: Vec<String> = locations.collect();
    locations.dedup();
    let mut text = list(&[
        ("question", format!("{} {}{from}", it.name, it.record_type)),
        ("outcome", it.outcome.clone()),
        ("answer", answer),
        ("client", locations.join("\n")),
        ("ttl", ttl.unwrap_or_default()),
        ("scope", scope.unwrap_or_default()),
        ("zone", it.zone.clone().unwrap_or_default()),
        ("generation", it.generation.to_string()),
    ]);
    for (depth, profile) in it.profiles.iter().enumerate() {
        let nested = if depth > 0 { ", nested" } else { "" };
        text += &format!("\n{}{nested}: {}\n", profile.name, profile.outcome);
        text += &endpoints(profile);
        text.push('\n');
    }
    text
}

/// "in US-WA, says client_network 10.20.0.0/16".
fn location(it: &view::ExplainedLocation) -> String {
    let site = it.site.as_ref().map(|it| format!("nearest to site {it}"));
    let region = it.region.as_ref().map(|it| format!("in {it}"));
    let place = it.latitude.zip(it.longitude).map(|(north, east)| format!("at {north}, {east}"));
    let found: Vec<String> = [region, site, place].into_iter().flatten().collect();
    let range = it.range.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    match (it.table.as_str(), found.as_slice()) {
        ("none", _) => "nothing is known of where it is".to_owned(),
        ("latency_table", _) => format!("in row{range} of the latency table"),
        (table, some) => format!("{}, says {table}{range}", some.join(", ")),
    }
}

fn endpoints(profile: &view::ExplainedProfile) -> String {
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
    let header = ["ENDPOINT", "SITE", "STATUS", ">WEIGHT", ">PRIORITY", ">SHARE", "WHY"];
    table(&header, profile.endpoints.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_read_from_the_top() {
        let explanation = view::Explanation {
            name: "app.gtm.example.".to_owned(),
            record_type: "A".to_owned(),
            client: view::ExplainedClient {
                network: "10.0.0.0/24".to_owned(),
                from: "query".to_owned(),
            },
            generation: 7,
            zone: Some("gtm.example.".to_owned()),
            outcome: "A by performance".to_owned(),
            alias: None,
            answers: vec!["192.0.2.1".parse().unwrap()],
            draw: Some("5:0".to_owned()),
            ttl: Some(30),
            ttl_reason: Some("the profile's".to_owned()),
            scope: Some(16),
            scope_reason: Some("the range".to_owned()),
            profiles: vec![view::ExplainedProfile {
                name: "app.gtm.example.".to_owned(),
                method: "performance".to_owned(),
                outcome: "A by performance".to_owned(),
                ttl: 30,
                draw: "5:0".to_owned(),
                picked: vec!["seattle".to_owned()],
                location: Some(view::ExplainedLocation {
                    table: "client_network".to_owned(),
                    range: Some("10.0.0.0/16".to_owned()),
                    region: Some("US-WA".to_owned()),
                    site: Some("seattle".to_owned()),
                    latitude: None,
                    longitude: None,
                }),
                endpoints: vec![view::ExplainedEndpoint {
                    name: "seattle".to_owned(),
                    site: None,
                    status: "Online".to_owned(),
                    weight: 60,
                    priority: 1,
                    candidate: true,
                    why: "answers".to_owned(),
                    share: 100.0,
                    milliseconds: None,
                    kilometres: None,
                    ramp: None,
                }],
            }],
        };
        let lines = [
            "question    app.gtm.example. A from 10.0.0.0/24",
            "outcome     A by performance",
            "answer      192.0.2.1 (draw 5:0 met seattle)",
            "client      in US-WA, nearest to site seattle, says client_network 10.0.0.0/16",
            "ttl         30s: the profile's",
            "scope       /16: the range",
            "zone        gtm.example.",
            "generation  7",
            "",
            "app.gtm.example.: A by performance",
            "ENDPOINT  STATUS  WEIGHT  PRIORITY  SHARE  WHY",
            "seattle   Online      60         1  100 %  answers",
        ];
        assert_eq!(render(&explanation).lines().collect::<Vec<_>>(), lines);
    }
}
