//! Whole plans against golden files.

mod golden;
mod server;
