use std::path::Path;
use std::sync::Arc;

use super::problem::Place;

/// Knows the line of every offset in a text.
pub(super) struct Lines<'a> {
    file: &'a Arc<Path>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(file: &'a Arc<Path>, text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(after_breaks).collect() }
    }

    /// The place of an octet; the file as a whole without one.
    pub(super) fn place(&self, offset: Option<usize>) -> Place {
        let line = offset.map(|at| self.starts.partition_point(|start| *start <= at));
        Place { file: self.file.clone(), line }
    }
}
