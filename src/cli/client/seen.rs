/// How often a change is tried anew that others were faster than.
const LOOKS: u8 = 10;

/// What a change is made to: what the operator saw and named, else what the command line has just seen, so that the values
/// "before" that it reports are those that the change replaced.
#[derive(Debug)]
pub(in crate::cli) struct Seen {
    named: Option<String>,
    looks: u8,
}

impl Seen {
    /// With the ETag that the operator named, if any; it may be without its quotes.
    pub(in crate::cli) fn new(named: Option<String>) -> Self {
        let quoted = |it: String| match it.contains('"') || it == "*" {
            true => it,
            false => format!("\"{it}\""),
        };
        Self { named: named.map(quoted), looks: 0 }
    }

    /// The ETag that the change expects, for one that was just looked at.
    pub(in crate::cli) fn expects(&mut self, looked_at: &str) -> String {
        self.looks += 1;
        self.named.clone().unwrap_or_else(|| looked_at.to_owned())
    }

    /// Whether it makes sense to look again after somebody else was faster.
    pub(in crate::cli) fn may_look_again(&self) -> bool {
        self.named.is_none() && self.looks < LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_named_is_looked_at_again() {
        let mut seen = Seen::new(None);
        for _ in 0..LOOKS {
            assert!(seen.may_look_again());
            assert_eq!(seen.expects("\"a\""), "\"a\"");
        }
        assert!(!seen.may_look_again());
        for (named, sent) in [("x", "\"x\""), ("\"x\"", "\"x\""), ("*", "*")] {
            let mut seen = Seen::new(Some(named.to_owned()));
            assert_eq!(seen.expects("\"a\""), sent);
            assert!(!seen.may_look_again());
        }
    }
}
