//! The search for what an answer's body must have in it.

use hyper::body::Bytes;
use tokio::task::spawn_blocking;

use super::reason::Failure;
use crate::model::BodyCheck;

/// A body as it comes in.
pub(super) trait Pieces {
    /// The next piece; none at the body's end.
    fn next(&mut self) -> impl Future<Output = Option<Result<Bytes, Failure>>> + Send;
}

/// Reads no further than it must: to the end of a text, of the body, or of what is looked at.
pub(super) async fn look(mut pieces: impl Pieces, check: &BodyCheck) -> Result<(), Failure> {
    let mut search = Search { check, kept: Vec::new(), seen: 0 };
    while let Some(piece) = pieces.next().await {
        if search.take(&piece?) {
            return Ok(());
        }
        if search.seen == check.limit {
            let place = format!("the first {} octets of the body", check.limit);
            return search.finish(&place).await;
        }
    }
    let place = format!("the body of {} octets", search.seen);
    search.finish(&place).await
}

/// How far the search has come.
struct Search<'a> {
    check: &'a BodyCheck,
    /// Of a body that a pattern is looked for in, everything so far; else what may be the beginning of the text.
    kept: Vec<u8>,
    seen: usize,
}

impl Search<'_> {
    /// Takes in a piece. Tells whether the text has been found; every octet is searched once, or a little more often, so
    /// that it takes no time to speak of, however small the pieces are.
    fn take(&mut self, piece: &[u8]) -> bool {
        let room = self.check.limit.saturating_sub(self.seen);
        let piece = piece.get(..room).unwrap_or(piece);
        self.kept.extend_from_slice(piece);
        self.seen += piece.len();
        let Some(length) = self.check.expected.text_length() else { return false };
        let found = self.check.expected.is_in(&self.kept);
        // The text may have begun in here.
        let done = self.kept.len().saturating_sub(length.saturating_sub(1));
        self.kept.drain(..done);
        found
    }

    /// Nothing more comes, so a pattern can be looked for. A hostile body may take it a second, which the async threads
    /// don't have.
    async fn finish(self, place: &str) -> Result<(), Failure> {
        let missing = || Failure::Answer(format!("expected_body is not in {place}"));
        let expected = self.check.expected.clone();
        if expected.text_length().is_some() {
            return Err(missing());
        }
        match spawn_blocking(move || expected.is_in(&self.kept)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(missing()),
            Err(error) => Err(Failure::Machine(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ExpectedBody;

    /// A body in pieces.
    struct Played<'a>(std::slice::Iter<'a, &'static str>);

    impl Pieces for Played<'_> {
        async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
            self.0.next().map(|it| Ok(Bytes::from_static(it.as_bytes())))
        }
    }

    /// What is expected in so many octets, a body in pieces, and what is missing.
    async fn check(expected: &str, limit: usize, pieces: &[&'static str], missing: Option<&str>) {
        let check = BodyCheck { expected: ExpectedBody::parse(expected).unwrap(), limit };
        let looked = look(Played(pieces.iter()), &check).await;
        let expected = match missing {
            None => Ok(()),
            Some(place) => Err(Failure::Answer(format!("expected_body is not in {place}"))),
        };
        assert_eq!(looked, expected, "{pieces:?}");
    }

    #[tokio::test]
    async fn a_text_is_found_across_pieces_and_within_the_limit() {
        check("ready", 99, &["not yet, ", "ready!"], None).await;
        check("ready", 99, &["rea", "", "d", "y"], None).await;
        check("ready", 99, &["r", "e", "a", "d", "ready"], None).await;
        check("x", 99, &["a", "x"], None).await;
        check("ready", 5, &["ready and more"], None).await;
        check("ready", 5, &["_ready"], Some("the first 5 octets of the body")).await;
        check("ready", 5, &["rea", "_ready"], Some("the first 5 octets of the body")).await;
        check("ready", 99, &["read"], Some("the body of 4 octets")).await;
        check("ready", 99, &[], Some("the body of 0 octets")).await;
    }

    #[tokio::test]
    async fn a_pattern_is_looked_for_at_the_end() {
        check("/^ok$/", 99, &["o", "k"], None).await;
        check("/^ok$/", 99, &["ok", "!"], Some("the body of 3 octets")).await;
        check("/^ok$/", 2, &["ok!"], None).await;
        check("/b+c/", 4, &["abbbc"], Some("the first 4 octets of the body")).await;
    }

    #[tokio::test]
    async fn of_a_body_that_a_text_is_looked_for_in_little_is_kept() {
        let check = BodyCheck { expected: ExpectedBody::parse("ready").unwrap(), limit: 1 << 20 };
        let mut search = Search { check: &check, kept: Vec::new(), seen: 0 };
        for _ in 0..100 {
            assert!(!search.take(&[b'r'; 1000]));
            assert!(search.kept.len() < "ready".len());
        }
        assert_eq!(search.seen, 100_000);
    }
}
