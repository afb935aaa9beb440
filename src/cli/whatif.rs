use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;

use super::client::ClientOptions;
use super::output::table;
use crate::api::view;

/// Say what each endpoint's share would be after changes, without touching anything.
///
/// It is the decision that queries get, made by a changed copy, for every kind of client that the profile tells apart.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol whatif app.gtm.example --fail site/seattle
  farol whatif app.gtm.example --drain endpoint/orlando --set seattle.weight=50
  farol whatif app.gtm.example --set eu/dublin.enabled=false --method weighted --client 10.20.0.1")]
pub(super) struct WhatIf {
    #[command(flatten)]
    client_options: ClientOptions,
    /// The profile's name
    profile: String,
    /// The record type [default: A, or AAAA where no endpoint has an IPv4 address]
    #[arg(long = "type", value_name = "TYPE")]
    record_type: Option<String>,
    /// Ask for this client alone: its address, or its network
    #[arg(long, value_name = "ADDRESS|NETWORK")]
    client: Option<String>,
    /// A site or an endpoint would fail its probes: site/NAME or endpoint/NAME
    #[arg(long, value_name = "WHAT")]
    fail: Vec<String>,
    /// A site or an endpoint would be drained: site/NAME or endpoint/NAME
    #[arg(long, value_name = "WHAT")]
    drain: Vec<String>,
    /// A site or an endpoint would be drained no more: site/NAME or endpoint/NAME
    #[arg(long, value_name = "WHAT")]
    undrain: Vec<String>,
    /// An endpoint's weight, priority, enabled or forced would be this: NAME.KEY=VALUE
    #[arg(long, value_name = "NAME.KEY=VALUE")]
    set: Vec<Setting>,
    /// The profile would choose by this method
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
}

/// "orlando.weight=50".
#[derive(Clone, Debug)]
struct Setting(view::WhatIfSetting);

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write NAME.KEY=VALUE, such as orlando.weight=50, with the key weight, priority, enabled or forced";
        let parts = text.split_once('=').and_then(|(left, value)| {
            let (endpoint, key) = left.rsplit_once('.')?;
            Some((endpoint, key, value)).filter(|it| !it.0.is_empty())
        });
        let (endpoint, key, value) = parts.ok_or(form)?;
        let mut it =
            view::WhatIfSetting { endpoint: endpoint.to_owned(), ..view::WhatIfSetting::default() };
        let number = |least: u16| {
            value
                .parse()
                .ok()
                .filter(|it: &i64| (i64::from(least)..=65535).contains(it))
                .ok_or_else(|| {
                    format!("`{value}` is no {key}: write a whole number from {least} to 65535")
                })
        };
        match key {
            "weight" => it.weight = Some(number(0)?),
            "priority" => it.priority = Some(number(1)?),
            "enabled" => {
                let flag = value.parse();
                it.enabled =
                    Some(flag.map_err(|_| format!("`{value}`: enabled is true or false"))?);
            }
            "forced" if ["up", "down"].contains(&value) => it.forced = Some(value.to_owned()),
            "forced" => return Err(format!("`{value}`: forced is up or down")),
            other => return Err(format!("there is no key `{other}`; {form}")),
        }
        Ok(Self(it))
    }
}

impl WhatIf {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client_options.run(async |client, output| {
            use view::WhatIfChange::{Drain, Fail, Method, Set, Undrain};
            let fates = self.fail.into_iter().map(Fail).chain(self.drain.into_iter().map(Drain));
            let settings = self.set.into_iter().map(|it| Set(it.0));
            let changes = fates.chain(self.undrain.into_iter().map(Undrain)).chain(settings);
            let request = view::WhatIfRequest {
                profile: self.profile,
                record_type: self.record_type.map(|it| it.to_ascii_uppercase()),
                client: self.client,
                changes: changes.chain(self.method.map(Method)).collect(),
            };
            let answer = client.post::<view::WhatIf>(&["whatif"], &request, None).await?;
            output.show(&answer.text, || render(&answer.value))
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn render(it: &view::WhatIf) -> String {
    let mut lines: Vec<String> = it.warnings.iter().map(|it| format!("Warning: {it}.")).collect();
    let turns = it.endpoints.iter().filter(|it| it.now != it.then);
    lines.extend(turns.map(|it| format!("{}: {} → {}", it.name, it.now, it.then)));
    let changes = it.rows.iter().any(|it| it.shares.iter().any(|it| it.now != it.then));
    if !changes {
        lines.push("No answer would change.".to_owned());
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let rows = it.rows.iter().flat_map(|row| {
        let shares = row.shares.iter().enumerate();
        shares.map(|(at, share)| cells(if at == 0 { clients(row) } else { String::new() }, share))
    });
    let header = ["CLIENTS", "ANSWER", ">NOW", ">THEN", ">CHANGE"];
    lines.push(format!("{} {} now and then; nothing was changed.", it.profile, it.record_type));
    lines.push(table(&header, rows.collect()));
    if it.left_out > 0 {
        lines.push(format!("… and {} more; ask with --client for one of them.", it.left_out));
    }
    lines.join("\n")
}

/// "US, CA and 12 more".
fn clients(row: &view::WhatIfRow) -> String {
    let shown: Vec<&str> = row.clients.iter().take(3).map(String::as_str).collect();
    let more = row.networks.saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn cells(clients: String, it: &view::WhatIfShare) -> Vec<String> {
    let difference = ((it.then - it.now) * 100.0).round() / 100.0;
    let change = match difference {
        0.0 => String::new(),
        more if more > 0.0 => format!("+{more}"),
        less => format!("−{}", -less),
    };
    vec![clients, it.answer.clone(), format!("{} %", it.now), format!("{} %", it.then), change]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_key_of_an_endpoint_or_says_what_is_one() {
        let setting = |text: &str| text.parse::<Setting>().map(|it| it.0);
        let weight = setting("eu/dublin.weight=50").unwrap();
        assert_eq!((weight.endpoint.as_str(), weight.weight), ("eu/dublin", Some(50)));
        assert_eq!(setting("a.enabled=false").unwrap().enabled, Some(false));
        assert_eq!(setting("a.forced=up").unwrap().forced.as_deref(), Some("up"));
        for (text, why) in [
            ("orlando", "write NAME.KEY=VALUE, such as orlando.weight=50"),
            (".weight=1", "write NAME.KEY=VALUE"),
            ("a.wieght=1", "there is no key `wieght`; write NAME.KEY=VALUE"),
            ("a.weight=65536", "`65536` is no weight: write a whole number from 0 to 65535"),
            ("a.priority=0", "`0` is no priority: write a whole number from 1 to 65535"),
            ("a.enabled=yes", "`yes`: enabled is true or false"),
            ("a.forced=on", "`on`: forced is up or down"),
        ] {
            let error = setting(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn what_matters_is_at_the_top() {
        let share =
            |answer: &str, now, then| view::WhatIfShare { answer: answer.to_owned(), now, then };
        let row = |client: &str, networks, shares| view::WhatIfRow {
            clients: vec![client.to_owned()],
            networks,
            shares,
        };
        let answer = view::WhatIf {
            profile: "app.gtm.example.".to_owned(),
            record_type: "A".to_owned(),
            generation: 7,
            rows: vec![
                row("US", 3, vec![share("west", 80.0, 0.0), share("east", 20.0, 100.0)]),
                row("elsewhere", 1, vec![share("east", 100.0, 100.0)]),
            ],
            left_out: 2,
            endpoints: vec![view::WhatIfEndpoint {
                name: "west".to_owned(),
                now: "Online".to_owned(),
                then: "Degraded".to_owned(),
            }],
            warnings: vec!["watch out".to_owned()],
        };
        let lines = [
            "Warning: watch out.",
            "west: Online → Degraded",
            "",
            "app.gtm.example. A now and then; nothing was changed.",
            "CLIENTS        ANSWER    NOW   THEN  CHANGE",
            "US and 2 more  west     80 %    0 %     −80",
            "               east     20 %  100 %     +80",
            "elsewhere      east    100 %  100 %",
            "… and 2 more; ask with --client for one of them.",
        ];
        assert_eq!(render(&answer).lines().collect::<Vec<_>>(), lines);
    }
}
