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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

/// Not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no digest; write `sha256:` and 64 hexadecimal digits")]
pub struct DigestError;

impl ChartSource {
    /// What stands for it on Helm's command line.
    pub(super) fn arguments(&self) -> io::Result<(Vec<OsString>, OsString)> {
        Ok(match self {
            Self::Path(path) => (Vec::new(), std::path::absolute(path)?.into()),
            Self::Oci(reference) => (Vec::new(), reference.into()),
            Self::Repository { url, name } => (vec![format!("--repo={url}").into()], name.into()),
        })
    }

    /// Brings the very package that a digest is of into a directory of our own, so that nothing else can be rendered: nothing
    /// that the registry or the disk has later.
    pub(super) async fn fetch(
        &self,
        version: Option<&str>,
        wanted: Digest,
        scratch: &Scratch,
        mask: &Mask,
        tools: &Tools,
    ) -> Result<PathBuf, RenderError> {
        let refused = |why: String| RenderError::Chart { chart: self.to_string(), why };
        let unreadable =
            |source| RenderError::Scratch { doing: format!("read the chart {self}"), source };
        let mut found = Vec::new();
        let package = if let Self::Path(path) = self {
            if fs::metadata(path).map_err(unreadable)?.is_dir() {
                return Err(refused("a directory has no digest; package it with `helm package`, or leave out the digest".to_owned()));
            }
            path.clone()
        } else {
            let doing = format!("helm pull {self}");
            let (repository, chart) = self.arguments().map_err(unreadable)?;
            let mut arguments: Vec<OsString> = vec!["pull".into()];
            arguments.extend(repository);
            arguments.extend(version.map(|it| format!("--version={it}").into()));
            arguments.extend(["--destination".into(), scratch.path().into(), "--".into(), chart]);
            let run = Run { tool: Tool::Helm, arguments, input: None, doing: &doing, mask };
            let written = run.run(tools).await?;
            if matches!(self, Self::Oci(_)) {
                // Helm has held what it pulled against this.
                found.extend(
                    manifest_digest(&written.said).or_else(|| manifest_digest(&written.output)),
                );
            }
            pulled(scratch).map_err(unreadable)?
        };
        let own = scratch.path().join("chart.tgz");
        let (from, to) = (package, own.clone());
        let copied = spawn_blocking(move || copy(&from, &to)).await.map_err(io::Error::other);
        found.push(copied.and_then(|it| it).map_err(unreadable)?);
        if found.contains(&wanted) {
            return Ok(own);
        }
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let found = found.join(" (its manifest) and ");
        Err(refused(format!(
            "it is not the one that is wanted: its digest is {found}, and not {wanted}"
        )))
    }
}

/// The one package in a directory.
fn pulled(scratch: &Scratch) -> io::Result<PathBuf> {
    for entry in fs::read_dir(scratch.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "tgz") {
            return Ok(path);
        }
    }
    Err(io::Error::other("helm has left no package"))
}

/// Copies a package, and gives the digest of the copy.
fn copy(package: &Path, to: &Path) -> io::Result<Digest> {
    let mut content = Vec::new();
    if !fs::metadata(package)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(package)?.take(MOST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MOST {
        return Err(io::Error::other("it has more than 64 MiB"));
    }
    fs::write(to, &content)?;
    Ok(Digest::of(&content))
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
