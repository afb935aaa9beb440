use std::sync::atomic::{AtomicBool, Ordering};

/// What of the metrics is shown to whom: settings that a reload changes.
#[derive(Debug)]
pub struct Exposure {
    per_endpoint: AtomicBool,
    protected: AtomicBool,
}

impl Exposure {
    /// `per_endpoint`: whether there are series for each profile and endpoint; `protected`: whether a token is needed.
    pub fn new(per_endpoint: bool, protected: bool) -> Self {
        Self { per_endpoint: per_endpoint.into(), protected: protected.into() }
    }

    /// Puts other settings in force.
    pub fn set(&self, per_endpoint: bool, protected: bool) {
        self.per_endpoint.store(per_endpoint, Ordering::Relaxed);
        self.protected.store(protected, Ordering::Relaxed);
    }

    /// Whether there are series for each profile and endpoint.
    pub fn per_endpoint(&self) -> bool {
        self.per_endpoint.load(Ordering::Relaxed)
    }

    /// Whether a token is needed to read metrics.
    pub fn is_protected(&self) -> bool {
        self.protected.load(Ordering::Relaxed)
    }
}
