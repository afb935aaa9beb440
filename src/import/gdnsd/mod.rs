//! gdnsd.
use super::draft::Draft;
use super::report::Report;
use super::{Document, ImportError, Options, ReadText};

pub(super) fn import(
    _configuration: &Document,
    _zone_files: &[Document],
    _options: &Options,
    _read: ReadText<'_>,
) -> Result<(Draft, Report), ImportError> {
    Ok((Draft::default(), Report::new("gdnsd")))
}
