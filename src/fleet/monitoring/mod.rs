//! A site's monitoring: the objects that Farol makes for its own metrics, whether the same is installed in every site, whether
//! agents run on every node that they should run on, and whether samples really arrive.

mod coverage;
mod fingerprint;
mod objects;
mod samples;

pub use coverage::{Coverage, daemon_set_covers, nodes_that_match};
pub use fingerprint::fingerprint;
pub use objects::{Generated, Ingress, Missing, Scrape, Secret, Source, Wanted, generate};
pub use samples::{FAROL, INTERVAL, Samples, age_of, judge, verify};
