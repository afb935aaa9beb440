//! Configurations of other traffic managers, taken over: text in, Farol's configuration and a report of parity out. No I/O but
//! through the functions that are handed in.
//!
//! Both sources make a `draft` of what they read and tell the `report` what became of each thing; `fit` leaves out what Farol
//! has no room for, `write` makes TOML of the rest, and Farol's own loader reads it before anybody sees it.

mod arm;
mod azure;
mod draft;
mod fit;
mod gdnsd;
mod report;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::Path;

use draft::{Draft, Zone, absolute};

pub use report::{Finding, Report, Written};

use crate::model::{Name, NameError};
use crate::settings::{self, Problems};

/// The zone of Azure's profiles where none is named. Nobody owns it (RFC 6761), so that nothing is claimed by mistake.
pub const DEFAULT_ZONE: &str = "gtm.example.";

/// What the loader calls the configuration.
const FILE: &str = "imported.toml";

/// A text to import, and what it is called in messages.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its file, or another word for where it came from.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What the source doesn't say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The zone that the profiles are in.
    pub zone: Option<String>,
    /// The zone's nameservers.
    pub nameservers: Vec<String>,
    /// Values of an ARM template's parameters; the last of equal names counts.
    pub parameters: Vec<(String, serde_json::Value)>,
    /// Addresses or names of endpoints, by `ENDPOINT` or `PROFILE/ENDPOINT`.
    pub targets: Vec<(String, String)>,
}

/// What comes of an import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Farol's configuration, which its own loader has read.
    pub configuration: String,
    /// What is the same, what differs and why.
    pub report: Report,
}

/// Why nothing comes of an import.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A text is no JSON.
    #[error("{file}:{line}:{column}: is no JSON")]
    Json {
        /// The document.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A document is something else than was expected.
    #[error("{file}: found {found}; expected {expected}")]
    Form {
        /// The document.
        file: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A template has parameters without a value.
    #[error("{}", missing_parameters(.0))]
    Parameters(Vec<Missing>),
    /// Two profiles have one name.
    #[error("{name} is given twice: by {first} and by {second}; import one of them")]
    Twice {
        /// The name in Farol.
        name: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// A name can't be one.
    #[error("`{name}` is no domain name")]
    Name {
        /// What was given.
        name: String,
        /// What is wrong.
        source: NameError,
    },
    /// A line of gdnsd's configuration or of a zone file.
    #[error("{file}:{line}: {message}")]
    Line {
        /// The document.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A file that is included can't be read.
    #[error("{file}:{line}: `{path}` can't be read")]
    Include {
        /// The document that includes it.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The file that is included.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Farol's loader doesn't take what was written.
    #[error("what was imported is no configuration that Farol takes")]
    Refused {
        /// What it says.
        source: Problems,
        /// The configuration, to look at.
        configuration: String,
    },
}

/// A parameter without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub parameter: String,
    /// Where it is needed.
    pub place: String,
}

fn missing_parameters(missing: &[Missing]) -> String {
    let lines = missing.iter().map(|it| {
        let Missing { parameter, place } = it;
        format!("\n  {place} needs the parameter {parameter}: --parameter {parameter}=VALUE")
    });
    format!("the template leaves values open:{}", lines.collect::<String>())
}

/// Imports profiles of Azure Traffic Manager from JSON: of its REST API, of `az network traffic-manager profile`, or of ARM
/// templates.
///
/// # Errors
/// When a document is no JSON or nothing of Traffic Manager, when a template leaves values open, or when a name is there twice.
pub fn azure_traffic_manager(
    documents: &[Document],
    options: &Options,
) -> Result<Imported, ImportError> {
    let (draft, report) = azure::import(documents, options)?;
    finish(draft, report)
}

/// Reads what another file includes: a file, or those that a directory or a pattern stands for.
pub type ReadFiles<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<Document>>;

/// Imports gdnsd's resources from its configuration; its zone files say by which names they are asked for.
///
/// # Errors
/// When a text can't be parsed, or a name is there twice.
pub fn gdnsd(
    configuration: &Document,
    zone_files: &[Document],
    options: &Options,
    read: ReadFiles<'_>,
) -> Result<Imported, ImportError> {
    let (draft, report) = gdnsd::import(configuration, zone_files, options, read)?;
    finish(draft, report)
}

fn finish(mut draft: Draft, mut report: Report) -> Result<Imported, ImportError> {
    let mut owners: HashMap<&str, &str> = HashMap::new();
    for it in &draft.profiles {
        if let Some(first) = owners.insert(&it.name, &it.from) {
            let (first, second) = (first.to_owned(), it.from.clone());
            return Err(ImportError::Twice { name: it.name.clone(), first, second });
        }
    }
    fit::fit(&mut draft, &mut report);
    report.zones = draft.zones.iter().map(|it| it.name.clone()).collect();
    report.profiles.extend(draft.profiles.iter().map(|it| Written {
        name: it.name.clone(),
        from: it.from.clone(),
        endpoints: it.endpoints.len(),
    }));
    let configuration = write::write(&draft);
    match settings::load_text(Path::new(FILE), &configuration) {
        Ok(settings) => {
            report.warnings = settings.warnings.iter().map(|it| warning(&it.to_string())).collect();
            Ok(Imported { configuration, report })
        }
        Err(source) => Err(ImportError::Refused { source, configuration }),
    }
}

/// What the loader says, by the line alone: the configuration has no file yet.
fn warning(text: &str) -> String {
    let rest = text.strip_prefix(FILE).and_then(|it| it.strip_prefix(':'));
    rest.map_or_else(|| text.to_owned(), |it| format!("line {it}"))
}

/// The zone that is named, or else another, with the nameservers that are named.
fn zone(options: &Options, otherwise: &str) -> Result<Zone, ImportError> {
    let name = valid(options.zone.as_deref().unwrap_or(otherwise))?;
    let nameservers = match &options.nameservers[..] {
        [] => vec![format!("ns1.{name}")],
        named => named.iter().map(|it| valid(it)).collect::<Result<_, _>>()?,
    };
    Ok(Zone { name, nameservers })
}

/// What is put on top, and into the report, about what no source says.
fn remark(draft: &mut Draft, report: &mut Report, options: &Options, source: &str) {
    draft.notes = vec![
        format!("Imported from {source}. The report says what is the same, and what differs."),
        "It stands beside a file with [server], [admin] and [state], or runs with their defaults."
            .to_owned(),
    ];
    let zones: Vec<&str> = draft.zones.iter().map(|it| it.name.as_str()).collect();
    let place = zones.join(", ");
    if options.nameservers.is_empty() {
        report.differs(
            &place,
            "the zone's nameservers",
            "the source doesn't say them",
            "name them: --nameserver NAME, as the delegation has them",
        );
    }
}

/// A name as it is written down.
fn valid(text: &str) -> Result<String, ImportError> {
    match absolute(text).parse::<Name>() {
        Ok(name) => Ok(name.to_string()),
        Err(source) => Err(ImportError::Name { name: text.to_owned(), source }),
    }
}

/// What a JSON value is, in words.
fn kind(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "nothing (null)".to_owned(),
        serde_json::Value::Bool(it) => format!("{it}"),
        serde_json::Value::Number(it) => format!("the number {it}"),
        serde_json::Value::String(it) => {
            let shown: String = it.chars().take(40).collect();
            format!("the text {}", Quoted(&shown))
        }
        serde_json::Value::Array(it) if it.is_empty() => "an empty list".to_owned(),
        serde_json::Value::Array(_) => "a list".to_owned(),
        serde_json::Value::Object(it) if it.is_empty() => "an empty object".to_owned(),
        serde_json::Value::Object(it) => {
            let keys: Vec<String> = it.keys().take(6).map(|it| report::one_line(it)).collect();
            format!("an object with {}", keys.join(", "))
        }
    }
}

/// A text between quotation marks, on one line.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", report::one_line(self.0))
    }
}
