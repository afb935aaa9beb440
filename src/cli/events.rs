use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::client::{Client, ClientOptions, Output};
use super::output::one_line;
use super::{complain, write_line};

/// How long to wait before a lost connection is made again.
const RETRY: Duration = Duration::from_secs(1);

/// Follow what happens, as it happens, until Ctrl-C: transitions, changes, reloads.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol events
  farol events --site seattle
  farol events --output json | jq 'select(.event == \"transition\")'")]
pub(super) struct Events {
    #[command(flatten)]
    client: ClientOptions,
    /// Only what concerns this profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only what concerns this site
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Also each new snapshot
    #[arg(long)]
    publications: bool,
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let named = [("profile", self.profile), ("site", self.site)];
        let query: Vec<(&str, String)> =
            named.into_iter().filter_map(|(key, it)| Some((key, it?))).collect();
        let publications = self.publications;
        self.client
            .run(async |client, output| follow(&client, &query, output, publications).await)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Shows events until nobody reads them any more. A lost connection is made again, from the last event on.
async fn follow(
    client: &Client,
    query: &[(&str, String)],
    output: Output,
    publications: bool,
) -> anyhow::Result<()> {
    if output == Output::Yaml {
        bail!("events are shown as lines for people, or as JSON, one object a line");
    }
    let mut last: Option<String> = None;
    let mut stream = client.listen(query, None).await?;
    loop {
        while let Some(event) = stream.next().await {
            let is_shown = !event.kind.is_empty() && (publications || event.kind != "publish");
            if is_shown && !show(&event.kind, &event.data, output) {
                return Ok(());
            }
            last = Some(event.id);
        }
        complain("farol: the connection was lost; it will be made again");
        stream = loop {
            tokio::time::sleep(RETRY).await;
            match client.listen(query, last.as_deref()).await {
                Ok(stream) => break stream,
                Err(error) if error.is_lost() => {}
                Err(error) => return Err(error.into()),
            }
        };
    }
}

/// Writes one event. Tells whether somebody reads it.
fn show(kind: &str, data: &str, output: Output) -> bool {
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let line = match output {
        Output::Table | Output::Wide | Output::Yaml => in_words(kind, &data),
        Output::Json => {
            let mut object = serde_json::Map::from_iter([("event".to_owned(), kind.into())]);
            object.extend(data.as_object().cloned().unwrap_or_default());
            Value::Object(object).to_string()
        }
    };
    write_line(&line).is_ok()
}

fn in_words(kind: &str, data: &Value) -> String {
    let text = |key: &str| data[key].as_str().unwrap_or_default();
    let because = |reason: &Value| reason.as_str().map(|it| format!(": {it}")).unwrap_or_default();
    let words = match kind {
        "transition" => {
            let turn = &data["turn"];
            let part = |key: &str| turn[key].as_str().unwrap_or_default();
            let why = match part("change") {
                "" => because(&turn["reason"]),
                change => format!(": {} changed {change}", part("by")),
            };
            format!(
                "{} {} is {} (was {}){why}",
                text("profile"),
                text("endpoint"),
                part("to"),
                part("from")
            )
        }
        "change" => {
            format!("{} changed {}{}", text("by"), text("change"), because(&data["reason"]))
        }
        "expiry" => format!("the time of {}'s change is over: {}", text("by"), text("change")),
        "settled" => {
            let changes = data["changes"].as_array().into_iter().flatten();
            let changes: Vec<&str> = changes.filter_map(Value::as_str).collect();
            format!(
                "{}'s change {} ({}): {}",
                text("by"),
                data["id"],
                changes.join(", "),
                text("outcome")
            )
        }
        "fail_open" if data["fail_open"] == true => {
            format!("{} answers without heeding health", text("profile"))
        }
        "fail_open" => format!("{} is answered by health again", text("profile")),
        "failback" if data["awaits_failback"] == true => {
            format!("{} awaits failback", text("profile"))
        }
        "failback" => format!("{} awaits no failback any more", text("profile")),
        "reload" => format!(
            "the configuration was reloaded: {} profiles added, {} removed, {} changed",
            data["added"], data["removed"], data["changed"]
        ),
        "publish" => format!("generation {}", data["generation"]),
        "reset" => "some events were missed".to_owned(),
        other => format!("{other} {data}"),
    };
    one_line(format!("{}  {words}", text("at")).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_event_is_a_line() {
        let turn = json!({"from": "Online", "to": "Degraded", "reason": "connect: refused"});
        let transition = json!({"at": "T", "profile": "a.z.", "endpoint": "e", "turn": turn});
        assert_eq!(
            in_words("transition", &transition),
            "T  a.z. e is Degraded (was Online): connect: refused"
        );
        let change =
            json!({"at": "T", "by": "ann", "change": "site sea: drained", "reason": "a\nb"});
        assert_eq!(in_words("change", &change), "T  ann changed site sea: drained: a b");
        assert_eq!(in_words("reset", &json!({})), "some events were missed");
    }
}
