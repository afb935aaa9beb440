use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::client::ClientOptions;
use super::output::table;
use crate::api::view;

/// Records of one request.
const PAGE: usize = 1000;

/// Look at zones and their static records.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol zone list
  farol zone records gtm.example
  farol zone records gtm.example --name www.gtm.example --type TXT")]
pub(super) struct Zone {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every zone with its records counted
    List,
    /// Static records of a zone: those of its file, and SOA and NS
    Records {
        /// The zone's name, like gtm.example; the dot at the end may be left out
        zone: String,
        /// Only those at exactly this name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Only those of this type, like TXT
        #[arg(long = "type", value_name = "TYPE")]
        record_type: Option<String>,
    },
}

impl Zone {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        self.client.run(async |client, output| match self.verb {
            Verb::List => {
                let answer = client.get::<view::Zones>(&["zones"]).await?;
                output.show(&answer.text, || zone_table(&answer.value))
            }
            Verb::Records { zone, name, record_type } => {
                let named = [("name", name), ("type", record_type)];
                let mut query: Vec<(&str, String)> =
                    named.into_iter().filter_map(|(key, it)| Some((key, it?))).collect();
                query.push(("limit", PAGE.to_string()));
                let path = ["zones", &zone, "records"];
                let mut records = Vec::new();
                let mut page = client.query::<view::Records>(&path, &query).await?.value;
                loop {
                    records.append(&mut page.records);
                    let Some(next) = page.next else { break };
                    let mut query = query.clone();
                    query.push(("after", next));
                    page = client.query::<view::Records>(&path, &query).await?.value;
                }
                let whole = json!({"records": records}).to_string();
                output.show(&whole, || record_table(&records))
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn zone_table(zones: &view::Zones) -> String {
    let row = |it: &view::Zone| {
        vec![
            it.name.clone(),
            it.serial.to_string(),
            it.profiles.to_string(),
            it.records.to_string(),
            it.nameservers.join(", "),
            it.file.clone().unwrap_or_default(),
        ]
    };
    if zones.zones.is_empty() {
        return "No zone has a profile of yours.".to_owned();
    }
    let header = ["ZONE", ">SERIAL", ">PROFILES", ">RECORDS", "NAMESERVERS", "FILE"];
    table(&header, zones.zones.iter().map(row).collect())
}

fn record_table(records: &[view::Record]) -> String {
    let row = |it: &view::Record| {
        vec![it.name.clone(), it.ttl.to_string(), it.record_type.clone(), it.data.clone()]
    };
    if records.is_empty() {
        return "No record fits.".to_owned();
    }
    table(&["NAME", ">TTL", "TYPE", "DATA"], records.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_records_are_listed_in_rows() {
        let zone = view::Zone {
            name: "gtm.example.".to_owned(),
            etag: "\"1\"".to_owned(),
            serial: 7,
            file: None,
            nameservers: vec!["ns1.example.".to_owned(), "ns2.example.".to_owned()],
            ttl: 3600,
            soa: view::Soa::default(),
            names: 2,
            records: 5,
            profiles: 1,
        };
        let lines = [
            "ZONE          SERIAL  PROFILES  RECORDS  NAMESERVERS",
            "gtm.example.       7         1        5  ns1.example., ns2.example.",
        ];
        assert_eq!(zone_table(&view::Zones { zones: vec![zone] }), lines.join("\n"));
        let record = view::Record {
            name: "www.gtm.example.".to_owned(),
            record_type: "TXT".to_owned(),
            ttl: 60,
            data: "\"a text\"".to_owned(),
        };
        let lines =
            ["NAME              TTL  TYPE  DATA", "www.gtm.example.   60  TXT   \"a text\""];
        assert_eq!(record_table(&[record]), lines.join("\n"));
    }
}
