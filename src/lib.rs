//! Farol, a global traffic manager: authoritative DNS that answers with endpoints that are healthy and wanted.
//!
//! Dependencies between modules run one way, in rows (`tests/tidy.rs` holds them): [`model`], then [`health`] and
//! [`routing`], then [`snapshot`] (the pure core so far); [`clock`], [`metrics`], [`program`], [`settings`], [`supervision`] and [`tls`]; [`dns`], [`import`],
//! [`probe`], [`resolve`], [`store`] and [`traffic`]; [`control`]; [`fleet`]; [`api`]; [`cli`].

pub mod api;
pub mod cli;
pub mod clock;
pub mod control;
pub mod dns;
pub mod fleet;
pub mod health;
pub mod import;
pub mod metrics;
pub mod model;
pub mod probe;
pub mod program;
pub mod resolve;
pub mod routing;
pub mod settings;
pub mod snapshot;
pub mod store;
pub mod supervision;
pub mod tls;
pub mod traffic;
