//! The token that a site reports with.

use ring::digest::{SHA256, digest};

use super::problem::{Log, Problem};
use super::reader::{Section, text};
use super::secret::{Secrets, references};
use crate::model::{PushCheck, TokenHash};

/// Shorter ones are guessed.
const LEAST: usize = 16;

/// The key `token`, of which no complaint shows the value.
pub(super) fn token(section: &Section<'_>, secrets: &Secrets<'_>, log: &Log) -> Option<PushCheck> {
    let node = section.find("token")?;
    let filled = match text(node) {
        Some(text) => secrets.fill(text, &node.place),
        None => Err("write a text".to_owned()),
    };
    let checked = filled.and_then(|token| {
        if token.len() < LEAST || !token.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(format!(
                "is no token; write {LEAST} or more visible ASCII characters without spaces"
            ));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let references = text(node).map(references).unwrap_or_default();
        Ok(PushCheck { token: TokenHash(hash), references })
    });
    let complain = |why| log.error(Problem::at(&node.place, section.key("token"), why));
    checked.map_err(complain).ok()
}
