//! The tokens that were made over the API, and how they are stored: of a token itself nothing is kept but its hash.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::envelope::{Damage, hex};
use super::time::Time;
use super::{StoreError, token};
use crate::model::{Grant, Ident, Role, Scope, Scopes, Timestamp, TokenHash};

/// What every token begins with, so that people and programs that look for leaked secrets know what they see.
const PREFIX: &str = "farol_";

/// By which a token is told from others. It is in the token, and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId([u8; 4]);

/// A text that is no [`TokenId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 8 of 0-9 and a-f")]
pub struct TokenIdError;

impl TokenId {
    /// The id in a token's text, whether there is such a token or not.
    pub fn of_token(text: &str) -> Option<Self> {
        let (id, _) = text.strip_prefix(PREFIX)?.split_once('_')?;
        id.parse().ok()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for TokenId {
    type Err = TokenIdError;

    fn from_str(text: &str) -> Result<Self, TokenIdError> {
        let digits = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        let is_one = text.len() == 8 && text.bytes().all(digits);
        let number = u32::from_str_radix(text, 16).ok().filter(|_| is_one).ok_or(TokenIdError)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// A token that was made over the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// By which it is named.
    pub id: TokenId,
    /// What it opens.
    pub grant: Grant,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub by: String,
    /// From when on it opens nothing any more.
    pub expires: Option<Timestamp>,
    /// The hash of all of its text.
    pub hash: TokenHash,
}

impl IssuedToken {
    /// Makes one with an id that is not `taken`, and gives its text beside it, which is kept nowhere.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn make(
        grant: Grant,
        by: String,
        created: Timestamp,
        expires: Option<Timestamp>,
        taken: impl Fn(TokenId) -> bool,
    ) -> Result<(Self, String), StoreError> {
        let id = loop {
            let mut octets = [0; 4];
            getrandom::fill(&mut octets).map_err(|source| StoreError::Random { source })?;
            if !taken(TokenId(octets)) {
                break TokenId(octets);
            }
        };
        let text = format!("{PREFIX}{id}_{}", token::secret()?);
        let hash = token::hash(&text);
        Ok((Self { id, grant, created, by, expires, hash }, text))
    }

    /// Whether its time is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|it| it <= now)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tokens: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    name: String,
    role: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<String>,
    created: Time,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
    sha256: String,
}

/// The text of the file.
pub(super) fn to_json(tokens: &[IssuedToken]) -> serde_json::Result<String> {
    let entry = |it: &IssuedToken| Entry {
        id: it.id.to_string(),
        name: it.grant.name().to_string(),
        role: it.grant.role().label().to_owned(),
        profiles: it.grant.scopes().iter().map(ToString::to_string).collect(),
        created: Time::of(it.created),
        by: it.by.clone(),
        expires: it.expires.map(Time::of),
        sha256: hex(&it.hash.0),
    };
    serde_json::to_string(&Document { tokens: tokens.iter().map(entry).collect() })
}

/// What [`to_json`] wrote.
pub(super) fn from_json(text: &str) -> Result<Vec<IssuedToken>, Damage> {
    let document: Document = serde_json::from_str(text)?;
    let mut tokens: Vec<IssuedToken> = Vec::new();
    for entry in document.tokens {
        let token = read(entry)?;
        if tokens.iter().any(|it| it.id == token.id) {
            return Err(Damage::Value(format!("token {} is there twice", token.id)));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn read(entry: Entry) -> Result<IssuedToken, Damage> {
    fn value<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, Damage> {
        text.parse().map_err(|error| Damage::Value(format!("`{text}`: {error}")))
    }
    let (name, role) = (value::<Ident>(&entry.name)?, value::<Role>(&entry.role)?);
    let scopes = entry.profiles.iter().map(|it| value::<Scope>(it)).collect::<Result<_, _>>();
    let scopes: Vec<Scope> = scopes?;
    let grant = Grant::new(name, role, Scopes::from_iter(scopes));
    Ok(IssuedToken {
        id: value(&entry.id)?,
        grant: grant.map_err(|error| Damage::Value(format!("`{}`: {error}", entry.name)))?,
        created: entry.created.timestamp()?,
        by: entry.by,
        expires: entry.expires.as_ref().map(Time::timestamp).transpose()?,
        hash: TokenHash::from_hex(&entry.sha256)
            .ok_or_else(|| Damage::Value(format!("token {} has no SHA-256", entry.id)))?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(in crate::store) fn tokens() -> impl Strategy<Value = Vec<IssuedToken>> {
        let scopes = prop::collection::vec("(\\*\\.)?[a-z]{1,8}\\.example\\.", 0..3);
        let expires = prop::option::of(-1_000_000_000_000..100_000_000_000_000_i64);
        let token = ("[a-z0-9-]{1,63}", 0..3_usize, scopes, expires, ".{0,20}", any::<[u8; 32]>());
        prop::collection::btree_map(any::<[u8; 4]>(), token, 0..8).prop_map(|tokens| {
            let token =
                |(id, (name, role, scopes, expires, by, hash)): (_, (String, _, _, _, _, _))| {
                    let scopes: Vec<String> = if role == 2 { Vec::new() } else { scopes };
                    let scopes = scopes.iter().map(|it| it.parse::<Scope>().unwrap()).collect();
                    let name = name.parse().unwrap();
                    let grant = Grant::new(name, Role::ALL[role], scopes).unwrap();
                    let (id, expires, hash) =
                        (TokenId(id), Option::map(expires, Timestamp), TokenHash(hash));
                    IssuedToken { id, grant, created: Timestamp(17), by, expires, hash }
                };
            tokens.into_iter().map(token).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tokens in tokens()) {
            let json = to_json(&tokens).unwrap();
            prop_assert_eq!(from_json(&json).unwrap(), tokens);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = from_json(&text);
            let _ = TokenId::of_token(&text);
        }
    }

    #[test]
    fn a_token_is_known_by_its_id_and_its_hash() {
        let grant = Grant::new("ann".parse().unwrap(), Role::Viewer, Scopes::all()).unwrap();
        let make = || {
            IssuedToken::make(grant.clone(), "bob".into(), Timestamp(5), Some(Timestamp(9)), |_| {
                false
            })
        };
        let (token, text) = make().unwrap();
        assert_eq!(text.len(), "farol_".len() + 8 + 1 + 64);
        assert_eq!(TokenId::of_token(&text), Some(token.id));
        assert_eq!(token.hash, token::hash(&text));
        assert_ne!(make().unwrap().1, text);
        assert!(!token.has_expired(Timestamp(8)) && token.has_expired(Timestamp(9)));
        let (shown, stored) =
            (format!("{token:?}"), to_json(std::slice::from_ref(&token)).unwrap());
        let secret = text.rsplit('_').next().unwrap();
        assert!(!shown.contains(secret) && !stored.contains(secret));
        assert!(!shown.contains(&hex(&token.hash.0)), "{shown}");
        for wrong in
            ["", "farol_", "farol_0123_x", "farol_0123456G_x", "0123abcd_x", "farol_0123abcd"]
        {
            assert_eq!(TokenId::of_token(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_damage() {
        let entry = |id: &str, role: &str, profiles: &str, sha256: &str| {
            format!(
                r#"{{"id":"{id}","name":"ann","role":"{role}","profiles":[{profiles}],"created":5,"by":"bob","sha256":"{sha256}"}}"#
            )
        };
        let hash = "0".repeat(64);
        let told = |entries: &[String]| {
            let read = from_json(&format!(r#"{{"tokens":[{}]}}"#, entries.join(",")));
            read.err().map(|it| it.to_string()).unwrap_or_default()
        };
        let good = entry("00000001", "viewer", "\"a.example.\"", &hash);
        assert_eq!(told(std::slice::from_ref(&good)), "");
        for (entries, expected) in [
            (vec![good.clone(), good.clone()], "token 00000001 is there twice"),
            (vec![entry("1", "viewer", "", &hash)], "an id is 8 of"),
            (vec![entry("00000001", "root", "", &hash)], "write viewer, operator or admin"),
            (vec![entry("00000001", "admin", "\"a.\"", &hash)], "can't be limited"),
            (vec![entry("00000001", "viewer", "\"a..b\"", &hash)], "empty label"),
            (vec![entry("00000001", "viewer", "", "+0")], "token 00000001 has no SHA-256"),
        ] {
            assert!(told(&entries).contains(expected), "{}", told(&entries));
        }
    }
}
