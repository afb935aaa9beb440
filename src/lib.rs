//! Farol, a global traffic manager: authoritative DNS that answers with endpoints that are healthy and wanted.

pub mod clock;
pub mod health;
pub mod metrics;
pub mod model;
pub mod probe;
pub mod store;
