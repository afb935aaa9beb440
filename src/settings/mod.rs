//! From configuration files to a checked [`Model`]. Everything that is wrong is reported at once, each with file, line,
//! key, the value found and what to write instead; a configuration is taken whole or not at all.
//!
//! The way of a file: `files` reads it, `toml`, `yaml` or `json` makes a tree of it that knows its lines, `merge` joins
//! the trees, `layers` lays the environment and flags over them, `reader` takes tables apart by the lists in `keys`, and `build` makes the model with `zone`, `monitor` and `profile`.

mod admin;
mod anchors;
mod build;
mod clients;
mod digest;
mod document;
mod doubts;
mod duration;
mod ecs;
mod encrypted;
mod exec;
mod expiry;
mod files;
mod fleet;
mod format;
mod geo;
mod http;
mod identity;
mod json;
mod keys;
mod kind;
mod layers;
mod lines;
mod location;
mod merge;
mod monitor;
mod nesting;
mod problem;
mod profile;
mod push;
mod rate_limit;
mod reader;
mod reading;
mod reference;
mod resolve;
mod resolver;
mod routing;
mod schema;
mod secret;
mod server;
mod targets;
#[cfg(test)]
mod tests;
mod toml;
mod tree;
mod written;
mod yaml;
mod zone;
mod zone_file;

pub use admin::{Admin, AdminTls, ClientCertificate, ConfiguredToken};
pub(crate) use document::{At, Document, directory};
pub(crate) use duration::{parse as parse_duration, show as show_duration};
pub use ecs::Ecs;
pub use encrypted::Encrypted;
pub(crate) use expiry::{expiry, timestamp};
pub(crate) use files::{counts_in_directory, read_file};
pub use fleet::FleetFile;
pub use layers::Flag;
pub use problem::{Problem, Problems, nearest};
pub use rate_limit::RateLimit;
pub use reading::Reading;
pub use resolver::Resolver;
pub use server::{CookieSecret, Server};
pub(crate) use zone_file::presentation;

use std::cell::RefCell;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use files::{Library, ReadFile, Source};
use format::{EXTENSIONS, Format};
use problem::{Log, Place};
use reader::{Section, text};
use secret::Secrets;

use crate::model::{Geography, Model};

const STATE_MAX_AGE: Duration = Duration::from_secs(600);

/// A whole configuration, with every default filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How queries are taken.
    pub server: Server,
    /// The HTTP API and the metrics.
    pub admin: Admin,
    /// What survives a restart.
    pub state: State,
    /// What the metrics show.
    pub metrics: Metrics,
    /// What all probes have in common.
    pub probe: Probe,
    /// Who is believed when it names a client's network.
    pub ecs: Ecs,
    /// How many answers over UDP a network of clients may have; none limits nothing.
    pub rate_limit: Option<RateLimit>,
    /// Who is asked for the addresses of targets that are names.
    pub resolver: Resolver,
    /// What is behind the traffic, where the companion knows it.
    pub fleet: Option<FleetFile>,
    /// The zones, sites and profiles.
    pub model: Model,
    /// A number below 2^52 that is another one where the model is, by all likelihood.
    pub digest: u64,
    /// What is allowed but hardly meant.
    pub warnings: Vec<Problem>,
    /// Every file that was read: configuration first, then what it names.
    pub files: Vec<PathBuf>,
    /// Every key in force but for zones, sites and profiles, as it is written or by default; without secrets.
    pub written: serde_json::Value,
}

/// What the metrics show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Whether there are series for each profile and endpoint.
    pub per_endpoint: bool,
}

/// What all probes have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// How many may be under way at the same time, 1–1,000,000, each address counted; none leaves it to the limit of open files.
    pub max_concurrent: Option<usize>,
}

/// What survives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The directory that it is kept in; may not exist yet.
    pub dir: PathBuf,
    /// How long the last verdicts are remembered over a restart, 1 s–24 h.
    pub max_age: Duration,
}

/// Where a configuration comes from: flags beat the environment, and both beat the files.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Files, or directories that stand for every file of a known format in them, in the order of their names.
    pub files: Vec<PathBuf>,
    /// The process's environment, of which the variables `FAROL__SECTION__KEY` are taken.
    pub environment: Vec<(OsString, OsString)>,
    /// What the command line says.
    pub flags: Vec<Flag>,
    /// Where clients are by what is in force, of which that is taken over whose files say the same.
    pub in_force: Option<Arc<Geography>>,
}

impl From<Vec<PathBuf>> for Inputs {
    fn from(files: Vec<PathBuf>) -> Self {
        Self { files, ..Self::default() }
    }
}

/// Reads a configuration.
///
/// # Errors
/// Everything that is wrong, never only the first problem.
pub fn load(inputs: &Inputs) -> Result<Settings, Problems> {
    load_noting(inputs).0
}

/// Reads configuration files as [`load`] does, and tells what was read.
pub fn load_noting(inputs: &Inputs) -> (Result<Settings, Problems>, Reading) {
    let reading = RefCell::new(Reading::of(&inputs.files));
    let read = |path: &Path, most| {
        let content = read_file(path, most);
        reading.borrow_mut().note(path, &content);
        content
    };
    let loaded = load_with(inputs, &read);
    (loaded, reading.into_inner())
}

/// Reads a configuration as [`load`] does, files by this function instead of from the disk. It is told how many octets a file
/// may have.
///
/// # Errors
/// Everything that is wrong, never only the first problem.
pub fn load_with(inputs: &Inputs, read: ReadFile<'_>) -> Result<Settings, Problems> {
    let (library, log) = (Library::new(read), Log::default());
    if inputs.files.is_empty() {
        let message =
            format!("no configuration is named; name a {EXTENSIONS} file, or a directory of them");
        log.error(Problem::at(&Place::file(Path::new("")), "", message));
    }
    let sources = files::sources(&inputs.files, &library, &log);
    let whole = log.errors() == 0;
    settings(sources, inputs, whole, library, log)
}

/// Reads a configuration from memory, as if it stood in `file`. Files that it names are read from the disk.
///
/// # Errors
/// Everything that is wrong, never only the first problem.
pub fn load_text(file: &Path, text: &str) -> Result<Settings, Problems> {
    let format = Format::of(file).unwrap_or(Format::Toml);
    let source = Source { path: file.into(), format, text: text.to_owned() };
    settings(vec![source], &Inputs::default(), true, Library::new(&read_file), Log::default())
}

/// `whole` says whether every file could be read; if not, what a table refers to may well exist.
fn settings(
    sources: Vec<Source>,
    inputs: &Inputs,
    whole: bool,
    library: Library<'_>,
    log: Log,
) -> Result<Settings, Problems> {
    let mut merged = merge::merge(sources, &log);
    layers::lay(&mut merged.root, inputs, &log);
    let root = Section::open(&merged.root, String::new(), &keys::ROOT, &log);
    let parts = root.and_then(|root| {
        let secrets = Secrets::new(&library, &inputs.environment);
        let (complete, in_force) = (whole && merged.complete, inputs.in_force.as_deref());
        let server = Server::read(&root, &secrets, &library, &log);
        let model = build::model(&root, complete, &library, secrets, in_force, &log);
        let admin = Admin::read(&root, server.as_ref(), &library, &log);
        let state = state(&root);
        let metrics = metrics(&root);
        let (probe, ecs) = (probe(&root), Ecs::read(&root));
        let resolver = Resolver::read(&root.table("resolver")?);
        let rate_limit = RateLimit::read(&root);
        let fleet = FleetFile::read(&root, &library);
        targets::check_discovered(&root, &model);
        Some((server?, admin?, state?, metrics?, probe?, ecs?, rate_limit, resolver, fleet, model))
    });
    let warnings = log.finish()?;
    let Some((server, admin, state, metrics, probe, ecs, rate_limit, resolver, fleet, model)) =
        parts
    else {
        // Whatever is absent was complained about, so this is not reached.
        let message = "can't be used for a reason that is not known; this is a bug in Farol";
        return Err(Problems(vec![Problem::at(&merged.root.place, "", message)]));
    };
    let (digest, files) = (digest::digest(&model, &ecs), library.into_files());
    let written = match &merged.root.value {
        tree::Value::Table(root) => written::written(root, &keys::ROOT),
        _ => serde_json::Value::Null,
    };
    Ok(Settings {
        server,
        admin,
        state,
        metrics,
        probe,
        ecs,
        rate_limit,
        resolver,
        fleet,
        model,
        digest,
        warnings,
        files,
        written,
    })
}

/// The text of `config/reference.toml`: every key with its default, what it takes and what it means.
pub fn reference() -> String {
    reference::render(&keys::ROOT)
}

/// Whether two sockets can't listen there at the same time. A wildcard address takes the port on every address of its family.
fn overlap(a: &SocketAddr, b: &SocketAddr) -> bool {
    let is_wildcard = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && a.is_ipv4() == b.is_ipv4() && (a == b || is_wildcard)
}

fn state(root: &Section<'_>) -> Option<State> {
    let section = root.table("state")?;
    let dir = section.read("dir", |node, _| match text(node) {
        Some(path) if !path.is_empty() => Ok(node.place.resolve(path)),
        _ => Err(""),
    });
    Some(State {
        dir: dir.unwrap_or_else(|| PathBuf::from("/var/lib/farol")),
        max_age: section.duration("max_age").unwrap_or(STATE_MAX_AGE),
    })
}

fn metrics(root: &Section<'_>) -> Option<Metrics> {
    let per_endpoint = root.table("metrics")?.boolean("per_endpoint");
    Some(Metrics { per_endpoint: per_endpoint.unwrap_or(true) })
}

fn probe(root: &Section<'_>) -> Option<Probe> {
    Some(Probe { max_concurrent: root.table("probe")?.integer("max_concurrent_probes") })
}
