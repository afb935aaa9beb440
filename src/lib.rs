//! Farol, a global traffic manager: authoritative DNS that answers with endpoints that are healthy and wanted.

pub mod model;
pub mod settings;
