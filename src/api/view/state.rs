use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How the state directory is doing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct State {
    /// Whether there is nothing to look after.
    pub well: bool,
    /// The files that are written again and again.
    pub files: Vec<StateFile>,
    /// Damaged files that were put aside, and wait for somebody to look at them and take them away.
    pub set_aside: Vec<String>,
}

impl Default for State {
    /// Well: an older daemon, which says nothing of it, is not to be suspected.
    fn default() -> Self {
        Self { well: true, files: Vec::new(), set_aside: Vec::new() }
    }
}

/// How the writing of a file of the state directory goes.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema, PartialEq, Eq)]
pub struct StateFile {
    /// `overrides`, `verdicts` or `tokens`.
    pub file: String,
    /// When it was last written since the start.
    #[schema(format = DateTime)]
    pub written: Option<String>,
    /// How many writes failed since the start.
    pub failures: u64,
    /// Why the last write failed; nothing where it succeeded.
    pub error: Option<String>,
}
