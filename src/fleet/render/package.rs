//! Charts as packages: where they come from, and whether they are what was meant.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ring::digest::{SHA256, digest};
use tokio::task::spawn_blocking;

use super::RenderError;
use super::mask::Mask;
use super::program::Run;
use super::scratch::Scratch;
use super::tools::{Tool, Tools};

/// The octets that a packaged chart may have.
const MOST: u64 = 64 * 1024 * 1024;

/// Where a chart is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChartSource {
    /// On this machine: a directory or a package (`.tgz`).
    Path(PathBuf),
    /// In an OCI registry: `oci://registry.example/charts/web`.
    Oci(String),
    /// In a repository.
    Repository {
        /// The repository, e.g. `https://charts.example/stable`.
        url: String,
        /// The chart's name in it.
        name: String,
    },
}

/// The SHA-256 of a packaged chart; for one of an OCI registry also that of its manifest, which Helm shows as `Digest:`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no digest; write `sha256:` and 64 hexadecimal digits")]
pub struct DigestError;

/// A chart of which one package is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    /// Where it is.
    pub(super) source: ChartSource,
    /// Its version; the newest without one.
    pub(super) version: Option<String>,
    /// What the package must be.
    pub(super) digest: Option<Digest>,
}

/// The package of a chart in a directory of our own, which goes away with this: nothing that the registry or the disk has later.
pub(super) struct Package(Scratch);

impl Wanted {
    /// Has Helm bring the package from where it is, and takes no slot for that.
    ///
    /// # Errors
    /// When Helm can't bring it, or it hasn't the digest that is wanted.
    pub(super) async fn pull(&self, tools: &Tools) -> Result<Package, RenderError> {
        let package = Package::new()?;
        let doing = format!("helm pull {}", self.source);
        let (tool, arguments, input) = (Tool::Helm, self.arguments(package.0.path()), None);
        let run = Run { tool, arguments, input, doing: &doing, mask: &Mask::default() };
        let written = run.run_without_slot(tools).await?;
        let mut found = Vec::new();
        if matches!(self.source, ChartSource::Oci(_)) {
            // Helm has held what it pulled against this.
            found.extend(
                manifest_digest(&written.said).or_else(|| manifest_digest(&written.output)),
            );
        }
        let taken = package.with(|it| {
            fs::rename(pulled(it.0.path())?, it.path())?;
            Ok(Digest::of(&read(&it.path())?))
        });
        self.checked(taken.await, found)
    }

    /// Copies the package from its path.
    ///
    /// # Errors
    /// When it can't be read, is no package, or hasn't the digest that is wanted.
    pub(super) async fn copy(&self, from: &Path) -> Result<Package, RenderError> {
        if fs::metadata(from).map_err(|it| self.unreadable(it))?.is_dir() {
            return Err(self.refused("a directory has no digest; package it with `helm package`, or leave out the digest".to_owned()));
        }
        let from = from.to_owned();
        let copied = Package::new()?.with(move |it| {
            let content = read(&from)?;
            fs::write(it.path(), &content)?;
            Ok(Digest::of(&content))
        });
        self.checked(copied.await, Vec::new())
    }

    fn arguments(&self, directory: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["pull".into()];
        let chart = match &self.source {
            ChartSource::Path(path) => path.into(),
            ChartSource::Oci(reference) => reference.into(),
            ChartSource::Repository { url, name } => {
                arguments.push(format!("--repo={url}").into());
                name.into()
            }
        };
        arguments.extend(self.version.as_ref().map(|it| format!("--version={it}").into()));
        arguments.extend(["--destination".into(), directory.into(), "--".into(), chart]);
        arguments
    }

    /// The package, if it has the digest that is wanted.
    fn checked(
        &self,
        taken: io::Result<(Package, Digest)>,
        mut found: Vec<Digest>,
    ) -> Result<Package, RenderError> {
        let (package, digest) = taken.map_err(|it| self.unreadable(it))?;
        found.push(digest);
        let Some(wanted) = self.digest.filter(|it| !found.contains(it)) else { return Ok(package) };
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let found = found.join(" (its manifest) and ");
        Err(self.refused(format!(
            "it is not the one that is wanted: its digest is {found}, and not {wanted}"
        )))
    }

    pub(super) fn refused(&self, why: String) -> RenderError {
        RenderError::Chart { chart: self.source.to_string(), why }
    }

    fn unreadable(&self, source: io::Error) -> RenderError {
        RenderError::Scratch { doing: format!("read the chart {}", self.source), source }
    }
}

impl Package {
    fn new() -> Result<Self, RenderError> {
        let doing = || "make a directory for the chart".to_owned();
        Scratch::new().map(Self).map_err(|source| RenderError::Scratch { doing: doing(), source })
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("chart.tgz")
    }

    /// Works at the package on a thread that may wait for the disk. The directory stays for as long as that works.
    async fn with<T: Send + 'static>(
        self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<(Self, T)> {
        let worked = spawn_blocking(move || work(&self).map(|it| (self, it)));
        worked.await.map_err(io::Error::other)?
    }
}

/// The one file in a directory. What it is called is up to the repository.
fn pulled(directory: &Path) -> io::Result<PathBuf> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            return Ok(entry.path());
        }
    }
    Err(io::Error::other("helm has left no package"))
}

/// The octets of a package.
fn read(package: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    if !fs::metadata(package)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(package)?.take(MOST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MOST {
        return Err(io::Error::other("it has more than 64 MiB"));
    }
    Ok(content)
}

/// What Helm says that it has pulled: `Digest: sha256:…`.
fn manifest_digest(said: &str) -> Option<Digest> {
    said.lines().find_map(|it| it.trim().strip_prefix("Digest:")?.trim().parse().ok())
}

impl Digest {
    fn of(content: &[u8]) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest(&SHA256, content).as_ref());
        Self(octets)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").ok_or(DigestError)?;
        if digits.len() != 64 || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return Err(DigestError);
        }
        let mut octets = [0; 32];
        for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
            *octet = u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| DigestError)?;
        }
        Ok(Self(octets))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ChartSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Oci(reference) => f.write_str(reference),
            Self::Repository { url, name } => write!(f, "{name} of {url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_is_told_what_to_pull_and_where_to() {
        let repository = "https://charts.example/stable".to_owned();
        for (source, version, arguments) in [
            (
                ChartSource::Oci("oci://registry.example/web".to_owned()),
                None,
                "pull --destination /d -- oci://registry.example/web",
            ),
            (
                ChartSource::Repository { url: repository, name: "web".to_owned() },
                Some("1.2.3".to_owned()),
                "pull --repo=https://charts.example/stable --version=1.2.3 --destination /d -- web",
            ),
        ] {
            let wanted = Wanted { source, version, digest: None };
            assert_eq!(wanted.arguments(Path::new("/d")).join(" ".as_ref()), arguments);
        }
    }

    #[test]
    fn a_digest_is_read_as_it_is_shown() {
        let text = format!("sha256:{}", "0aF1".repeat(16));
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text.to_lowercase());
        for broken in [
            "",
            "sha256:",
            &text[7..],
            &text[..70],
            "sha512:00",
            &format!("{text}0"),
            &text.replace('F', "é"),
        ] {
            assert_eq!(broken.parse::<Digest>(), Err(DigestError), "{broken}");
        }
        let said =
            "Pulled: registry.example/web:1.2.3\nDigest: sha256:XX\nDigest: ".to_owned() + &text;
        assert_eq!(manifest_digest(&said), Some(digest));
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
    }
}
