use std::path::PathBuf;
use std::sync::Arc;

use super::files::{FILE_MOST, Library};
use super::reader::{Section, text};

/// The fleet's description, as it was read with the configuration. What it says is for the companion to find out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetFile {
    /// The file.
    pub path: PathBuf,
    /// What is in it.
    pub text: Arc<str>,
}

impl FleetFile {
    pub(super) fn read(root: &Section<'_>, library: &Library<'_>) -> Option<Self> {
        root.table("fleet")?.read("file", |node, _| {
            let path = text(node).filter(|it| !it.is_empty()).ok_or_else(String::new)?;
            let path = node.place.resolve(path);
            let content = library.read(&path, FILE_MOST)?;
            let text = String::from_utf8(content)
                .map_err(|_| format!("{path:?} is not UTF-8; save it as UTF-8"))?;
            Ok::<_, String>(Self { path, text: text.into() })
        })
    }
}
