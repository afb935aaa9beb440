//! The formats of configuration files. Each becomes the same tree.

use std::path::Path;
use std::sync::Arc;

use super::problem::Problem;
use super::tree::Table;
use super::{json, toml, yaml};

/// What messages call the files that are taken.
pub(super) const EXTENSIONS: &str = "`.toml`, `.yaml`, `.yml` or `.json`";

/// How a configuration file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Yaml,
    Json,
}

impl Format {
    /// The format by a file's extension; TOML for a file without one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension() {
            None => Some(Self::Toml),
            Some(extension) => match extension.to_str() {
                Some("toml") => Some(Self::Toml),
                Some("yaml" | "yml") => Some(Self::Yaml),
                Some("json") => Some(Self::Json),
                _ => None,
            },
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// The first violation of the format's grammar, or everything in the file that no configuration may have.
    pub(super) fn parse(self, file: &Arc<Path>, text: &str) -> Result<Table, Vec<Problem>> {
        match self {
            Self::Toml => toml::parse(file, text).map_err(|it| vec![it]),
            Self::Yaml => yaml::parse(file, text),
            Self::Json => json::parse(file, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_its_extension() {
        for (path, expected) in [
            ("farol.toml", Some(Format::Toml)),
            ("a/farol", Some(Format::Toml)),
            ("a.yaml", Some(Format::Yaml)),
            ("a.b.yml", Some(Format::Yaml)),
            ("a.json", Some(Format::Json)),
            ("a.zone", None),
            ("a.JSON", None),
            ("a.toml~", None),
        ] {
            assert_eq!(Format::of(Path::new(path)), expected, "{path}");
        }
    }
}
