//! The companion: keeps what is behind the traffic manager in step. It sees every site's cluster, shows how that differs from
//! what is wanted, brings it there and keeps it there.
//!
//! The way of an app: [`spec`] says what is wanted, [`render`] makes objects of it for a site, [`plan`] prepares them, [`observe`] looks at the
//! cluster, [`plan`] finds the steps between both, [`apply`] takes them. [`site`] goes this way for one site; [`report`] is what is told of it.
//!
//! In the daemon, [`resources`] follows the description where that is custom resources, [`controller`] goes the way again whenever something changes in a cluster, and [`discovery`] tells control where endpoints are.

pub mod apply;
pub mod cluster;
pub mod controller;
pub mod discovery;
pub mod drift;
pub mod lease;
pub mod monitoring;
pub mod object;
pub mod observe;
pub mod outcome;
pub mod part;
pub mod plan;
mod print;
#[cfg(test)]
mod recorded_tests;
pub mod render;
pub mod report;
pub mod resources;
pub mod site;
pub mod spec;
pub mod status;
mod values;
pub mod verify;
mod way;
