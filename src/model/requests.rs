use std::hash::{Hash, Hasher};

/// How the requests that a site gets are measured, since DNS can't see them.
#[derive(Clone, Debug)]
pub struct RequestsQuery {
    /// Prometheus' URL, without `/api/v1/query`.
    pub prometheus: String,
    /// In PromQL, of one value.
    pub query: String,
    /// From this value on downwards the site is quiet; 0 or more.
    pub quiet: f64,
}

impl RequestsQuery {
    /// What makes two of them the same: numbers are compared as they are stored.
    fn identity(&self) -> (&str, &str, u64) {
        (&self.prometheus, &self.query, self.quiet.to_bits())
    }
}

impl PartialEq for RequestsQuery {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for RequestsQuery {}

impl Hash for RequestsQuery {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}
