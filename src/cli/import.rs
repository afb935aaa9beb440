use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::output::count;
use super::{complain, say};
use crate::import::{self, Document, ImportError, Imported, Options, Report};

/// Make a configuration of another traffic manager's, and say what is the same, what differs and why
///
/// The configuration goes to standard output, the report to standard error. Farol's own loader has read what is shown.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  az network traffic-manager profile list | farol import azure-traffic-manager - > gtm.toml
  farol import azure-traffic-manager parent.json child.json --zone gtm.example --write gtm.toml
  farol import azure-traffic-manager azuredeploy.json --parameter dnsName=shop
  farol import azure-traffic-manager app.json --target app/web=192.0.2.10 --report parity.json
  farol import gdnsd /etc/gdnsd/config --zone-file /etc/gdnsd/zones/example.com")]
pub(super) struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    AzureTrafficManager(Azure),
    Gdnsd(Gdnsd),
}

/// Import profiles of Azure Traffic Manager from JSON
///
/// Reads what `az network traffic-manager profile show` and `list` print, what the REST API answers, and ARM templates.
#[derive(Args, Debug)]
struct Azure {
    /// Files of JSON; `-` is standard input
    #[arg(required = true, value_name = "FILE|-")]
    files: Vec<PathBuf>,
    /// A parameter of an ARM template; what is no JSON is taken as text
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<Pair>,
    /// A file of parameters, as ARM has them
    #[arg(long, value_name = "FILE")]
    parameters: Vec<PathBuf>,
    /// What an endpoint stands for, where Azure alone knows it: PROFILE/ENDPOINT=ADDRESS, or a name
    #[arg(long, value_name = "ENDPOINT=TARGET")]
    target: Vec<Pair>,
    #[command(flatten)]
    common: Common,
}

/// Import gdnsd's resources
///
/// Reads weighted, multifo, simplefo, metafo, geoip and static resources and their service_types.
#[derive(Args, Debug)]
struct Gdnsd {
    /// gdnsd's configuration; what it includes is read too
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// A zone file, named as its zone: its DYNA and DYNC records name the profiles. Without one, resources do
    #[arg(long, value_name = "FILE")]
    zone_file: Vec<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args, Debug)]
struct Common {
    /// The zone of the profiles [default: gtm.example, or that of the zone files]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// A nameserver of the zone, as the delegation has it [default: ns1 in the zone]
    #[arg(long, value_name = "NAME")]
    nameserver: Vec<String>,
    /// Write the configuration into this file, which must not exist yet
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write over a file that exists
    #[arg(long, requires = "write")]
    force: bool,
    /// Write the report into this file, as JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How the report is shown on standard error
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: Shape,
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people
    Text,
    /// JSON, for programs
    Json,
}

/// "dnsName=shop".
#[derive(Clone, Debug)]
struct Pair {
    name: String,
    value: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("write NAME=VALUE"),
        }
    }
}

impl Import {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self.source {
            Source::AzureTrafficManager(azure) => azure.run(),
            Source::Gdnsd(gdnsd) => gdnsd.run(),
        }
    }
}

impl Azure {
    fn run(self) -> anyhow::Result<ExitCode> {
        let documents: Vec<Document> =
            self.files.iter().map(|it| document(it)).collect::<anyhow::Result<_>>()?;
        let mut parameters = Vec::new();
        for file in &self.parameters {
            parameters.extend(parameters_file(file)?);
        }
        parameters.extend(self.parameter.iter().map(|it| {
            let value = serde_json::from_str(&it.value);
            (it.name.clone(), value.unwrap_or_else(|_| Value::from(it.value.as_str())))
        }));
        let targets = self.target.into_iter().map(|it| (it.name, it.value)).collect();
        let options = Options { parameters, targets, ..self.common.options() };
        self.common.finish(import::azure_traffic_manager(&documents, &options))
    }
}

impl Gdnsd {
    fn run(self) -> anyhow::Result<ExitCode> {
        let configuration = document(&self.file)?;
        let zone_files: Vec<Document> =
            self.zone_file.iter().map(|it| document(it)).collect::<anyhow::Result<_>>()?;
        let options = self.common.options();
        self.common.finish(import::gdnsd(&configuration, &zone_files, &options, &included))
    }
}

impl Common {
    fn options(&self) -> Options {
        let (zone, nameservers) = (self.zone.clone(), self.nameserver.clone());
        Options { zone, nameservers, ..Options::default() }
    }

    fn finish(&self, outcome: Result<Imported, ImportError>) -> anyhow::Result<ExitCode> {
        let imported = match outcome {
            Err(ImportError::Refused { source, configuration }) => {
                complain(&configuration);
                bail!(
                    "Farol does not take the configuration above, please correct its source:\n{source}"
                );
            }
            other => other?,
        };
        if let Some(path) = &self.report {
            let text = json(&imported.report)?;
            write(path, &text, true)?;
        }
        match self.output {
            Shape::Text => complain(imported.report.text().trim_end()),
            Shape::Json => complain(&json(&imported.report)?),
        }
        if imported.report.profiles.is_empty() {
            bail!("no profile is left to write; the report says why");
        }
        match &self.write {
            Some(path) => {
                write(path, &imported.configuration, self.force)?;
                let profiles = count(imported.report.profiles.len(), "profile");
                say(&format!("{profiles} written to {}", path.display()))?;
            }
            None => say(imported.configuration.trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn json(report: &Report) -> anyhow::Result<String> {
    serde_json::to_string_pretty(report).context("the report could not be written as JSON")
}

fn write(path: &Path, text: &str, over: bool) -> anyhow::Result<()> {
    let mut options = File::options();
    options.write(true);
    if over {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let doing = || format!("could not write `{}`", path.display());
    let mut file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("`{}` exists already; name another file, or say --force", path.display())
        }
        other => other.with_context(doing)?,
    };
    file.write_all(text.trim_end().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .with_context(doing)
}

fn document(path: &Path) -> anyhow::Result<Document> {
    if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("could not read standard input")?;
        return Ok(Document { name: "standard input".to_owned(), text });
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))?;
    Ok(Document { name: path.display().to_string(), text })
}

/// The values of ARM's parameters file, or of a plain object of names and values.
fn parameters_file(path: &Path) -> anyhow::Result<Vec<(String, Value)>> {
    let doing = || format!("could not read parameters from `{}`", path.display());
    let text = fs::read_to_string(path).with_context(doing)?;
    let document: Value = serde_json::from_str(&text).with_context(doing)?;
    let Some(table) = document.get("parameters").unwrap_or(&document).as_object() else {
        bail!("`{}` has no object of parameters", path.display());
    };
    let value = |it: &Value| it.get("value").unwrap_or(it).clone();
    Ok(table.iter().map(|(name, it)| (name.clone(), value(it))).collect())
}

/// The files that gdnsd includes by a path: one, all of a directory, or those that a `*` in the last part stands for.
fn included(path: &Path) -> io::Result<Vec<Document>> {
    let pattern = path.file_name().and_then(|it| it.to_str()).and_then(|it| it.split_once('*'));
    let directory = match pattern {
        Some(_) => path.parent(),
        None => Some(path).filter(|it| it.is_dir()),
    };
    let mut files = match directory {
        None => vec![path.to_owned()],
        Some(directory) => {
            let (first, last) = pattern.unwrap_or_default();
            let is_meant = |it: &PathBuf| {
                let name = it.file_name().and_then(|it| it.to_str()).unwrap_or_default();
                let is_long_enough = name.len() >= first.len() + last.len();
                is_long_enough
                    && name.starts_with(first)
                    && name.ends_with(last)
                    && !name.starts_with('.')
            };
            let entries = fs::read_dir(directory)?.map(|it| Ok(it?.path()));
            let entries: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
            entries.into_iter().filter(|it| is_meant(it) && it.is_file()).collect()
        }
    };
    files.sort();
    let read = |it: &PathBuf| {
        Ok(Document { name: it.display().to_string(), text: fs::read_to_string(it)? })
    };
    files.iter().map(read).collect()
}
