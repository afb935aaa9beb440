//! The HTTP API and who gets in.

use std::net::{IpAddr, SocketAddr};

use super::anchors::AnchorFiles;
use super::encrypted::identity;
use super::files::Library;
use super::monitor::file;
use super::overlap;
use super::problem::{Log, Problem, twice};
use super::reader::{Section, ident, text};
use super::server::Server;
use super::tree::Node;
use crate::model::{Grant, Role, Scope, Scopes, TlsIdentity, TokenHash, TrustAnchors};

const RATE_LIMIT: u32 = 1000;
const RATE_BURST: u32 = 2000;
/// One in use, one that takes its place, and some slack.
const MAX_HASHES: usize = 4;

/// The HTTP API and the metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where they are served.
    pub listen: SocketAddr,
    /// Whether the metrics need a token too.
    pub protect_metrics: bool,
    /// Requests in a second that whoever gets in may go on making, 1–1,000,000.
    pub rate_limit: u32,
    /// Requests that they may make at once, 1–1,000,000.
    pub rate_burst: u32,
    /// How they are served; plain HTTP where there is none.
    pub tls: Option<AdminTls>,
    /// Who gets in by a token; names are unique.
    pub tokens: Vec<ConfiguredToken>,
    /// Who gets in by a certificate; alternative names are unique.
    pub client_certificates: Vec<ClientCertificate>,
}

/// TLS of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTls {
    /// What clients are shown.
    pub identity: TlsIdentity,
    /// Whose certificates of clients are accepted; without any, no client is asked for one.
    pub client_ca: Option<TrustAnchors>,
    /// Whether clients without a certificate are turned away.
    pub require_client_certificate: bool,
}

impl AsRef<TlsIdentity> for AdminTls {
    fn as_ref(&self) -> &TlsIdentity {
        &self.identity
    }
}

/// A token that the configuration lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredToken {
    /// What it opens.
    pub grant: Grant,
    /// Of the token, and of what takes its place or was in its place before.
    pub hashes: Vec<TokenHash>,
}

/// A client that gets in by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// What it opens.
    pub grant: Grant,
    /// The alternative name of its subject: "DNS:ops.example".
    pub san: Box<str>,
}

impl Admin {
    pub(super) fn read(
        root: &Section<'_>,
        server: Option<&Server>,
        library: &Library<'_>,
        log: &Log,
    ) -> Option<Self> {
        let section = root.table("admin")?;
        let listen = section.parse("listen", |text| text.parse().map_err(|_| ""));
        let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8053)));
        let plain = server.iter().flat_map(|it| &it.listen).map(|it| ("listen", it));
        let mut taken = plain.chain(server.iter().flat_map(|it| it.encrypted.tcp()));
        if let Some((key, other)) = taken.find(|(_, it)| overlap(it, &listen)) {
            let message =
                format!("{listen} overlaps with {other} of `server.{key}`; take another port");
            section.wrong("listen", message);
        }
        let table = section.table("tls");
        let client_certificates = client_certificates(&section);
        let is_asked = table.as_ref().is_some_and(|it| it.find("client_ca").is_some());
        if let (false, Some(first)) = (is_asked, section.tables("client_certificate").first()) {
            let message = "is of no use without `client_ca` in `[admin.tls]`";
            log.warning(Problem::at(first.place, first.path.clone(), message));
        }
        Some(Self {
            listen,
            protect_metrics: section.boolean("protect_metrics").unwrap_or(false),
            rate_limit: section.integer("rate_limit").unwrap_or(RATE_LIMIT),
            rate_burst: section.integer("rate_burst").unwrap_or(RATE_BURST),
            tls: table.and_then(|it| AdminTls::read(&it, library, log)),
            tokens: tokens(&section),
            client_certificates,
        })
    }
}

impl AdminTls {
    fn read(section: &Section<'_>, library: &Library<'_>, log: &Log) -> Option<Self> {
        let errors = log.errors();
        let identity = identity(section, library, log);
        let client_ca = file(section, "client_ca", log);
        let client_ca = client_ca.and_then(|it| {
            let wrong = |why| {
                section.wrong("client_ca", format!("{why}; mend it, or name another file"));
            };
            AnchorFiles::new(library).read(&it).map_err(wrong).ok()
        });
        let required = section.boolean("require_client_certificate").unwrap_or(false);
        if required && section.find("client_ca").is_none() {
            let message = "is of no use alone; write `client_ca` too";
            section.wrong("require_client_certificate", message);
        }
        if identity.is_none() && client_ca.is_some() && log.errors() == errors {
            let message = "is of no use alone; write `certificate` and `key` too";
            section.wrong("client_ca", message);
        }
        Some(Self { identity: identity?, client_ca, require_client_certificate: required })
    }
}

fn tokens(section: &Section<'_>) -> Vec<ConfiguredToken> {
    let mut tokens: Vec<ConfiguredToken> = Vec::new();
    let tables = section.tables("token");
    for (index, table) in tables.iter().enumerate() {
        let name = table.find("name").and_then(text);
        let is_same = |it: &&Section<'_>| name.is_some() && it.find("name").and_then(text) == name;
        if let Some(first) = tables.iter().take(index).find(is_same) {
            table.wrong("name", twice(first.place_of("name")));
        }
        if name == Some(Grant::OWN_TOKEN) {
            table.wrong("name", "is that of the token in `admin.token`; take another name");
        }
        table.require("sha256");
        let hashes = table.list("sha256", MAX_HASHES, |node: &Node| {
            let digits = text(node).unwrap_or_default();
            TokenHash::from_hex(digits)
                .ok_or("is no SHA-256 of a token, which `farol token hash` makes")
        });
        let (Some(grant), Some(hashes)) = (grant(table), hashes) else { continue };
        let other = tokens.iter().find(|it| it.hashes.iter().any(|it| hashes.contains(it)));
        if let Some(other) = other {
            let message =
                format!("is that of `{}` too; give each its own token", other.grant.name());
            table.wrong("sha256", message);
        }
        tokens.push(ConfiguredToken { grant, hashes });
    }
    tokens
}

fn client_certificates(section: &Section<'_>) -> Vec<ClientCertificate> {
    let mut certificates: Vec<ClientCertificate> = Vec::new();
    for table in section.tables("client_certificate") {
        table.require("san");
        let san = table.parse("san", |text| alternative_name(text).ok_or(""));
        let (Some(grant), Some(san)) = (grant(&table), san) else { continue };
        if let Some(first) = certificates.iter().find(|it| it.san == san) {
            let message = format!("is that of `{}` too; keep one of them", first.grant.name());
            table.wrong("san", message);
        }
        certificates.push(ClientCertificate { grant, san });
    }
    certificates
}

/// The keys `name`, `role` and `profiles`.
fn grant(section: &Section<'_>) -> Option<Grant> {
    section.require("name");
    section.require("role");
    let name = section.parse("name", ident);
    let role = section.choose("role", &Role::ALL.map(|it| (it.label(), it)));
    let scopes = match section.find("profiles") {
        None => Some(Scopes::all()),
        Some(_) => section
            .list("profiles", Scopes::MOST, |node: &Node| {
                text(node).unwrap_or_default().parse::<Scope>().map_err(|it| it.to_string())
            })
            .map(Scopes::from_iter),
    };
    let grant = Grant::new(name?, role?, scopes?);
    grant.map_err(|error| section.wrong("profiles", error)).ok()
}

/// As `tls::alternative_names` tells it, so that both are the same text.
fn alternative_name(text: &str) -> Option<Box<str>> {
    let (kind, name) = text.split_once(':')?;
    let is_plain =
        !name.is_empty() && name.len() <= 255 && name.bytes().all(|it| it.is_ascii_graphic());
    let name = match kind {
        "DNS" => name.to_ascii_lowercase(),
        "email" | "URI" => name.to_owned(),
        "IP" => name.parse::<IpAddr>().ok()?.to_string(),
        _ => return None,
    };
    is_plain.then(|| format!("{kind}:{name}").into())
}
