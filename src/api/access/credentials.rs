//! Everything that lets somebody in. A set never changes: another takes its place.

use std::collections::HashMap;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::meter::{Meter, Rate};
use crate::model::{Grant, Role, Scopes, Timestamp, TokenHash};
use crate::settings::Admin;
use crate::store::{IssuedToken, TokenId, token_hash};

/// The hash of no token that anybody knows.
static NOBODY: TokenHash = TokenHash([0; 32]);

/// What a token is known by to those who don't keep the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenKey {
    id: Option<TokenId>,
    hash: TokenHash,
}

impl TokenKey {
    pub(super) fn of(presented: &str) -> Self {
        Self { id: TokenId::of_token(presented), hash: token_hash(presented) }
    }
}

/// Something that lets somebody in.
#[derive(Debug)]
pub(super) struct Credential {
    pub(super) source: Source,
    pub(super) grant: Grant,
    pub(super) meter: Arc<Meter>,
}

/// What it is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `admin.token` in the state directory.
    File(TokenHash),
    /// `[[admin.token]]`.
    Configuration(Box<[TokenHash]>),
    /// A token that was made over the API.
    Issued(Box<IssuedToken>),
    /// A certificate with this alternative name.
    Certificate(Box<str>),
}

/// A set of credentials.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Those that every token is compared with.
    fixed: Vec<Credential>,
    issued: HashMap<TokenId, Credential>,
    certificates: HashMap<Box<str>, Credential>,
    pub(super) rate: Rate,
}

impl Credentials {
    pub(super) fn new(
        own: Option<&TokenHash>,
        admin: &Admin,
        issued: &[IssuedToken],
        before: Option<&Self>,
    ) -> Self {
        let meter = |source: &Source, grant: &Grant| {
            let same = |it: &&Credential| it.source == *source && it.grant.name() == grant.name();
            before.and_then(|it| it.all().find(same)).map(|it| it.meter.clone()).unwrap_or_default()
        };
        let credential = |source: Source, grant: &Grant| Credential {
            meter: meter(&source, grant),
            grant: grant.clone(),
            source,
        };
        let own = own.and_then(|hash| {
            let grant =
                Grant::new(Grant::OWN_TOKEN.parse().ok()?, Role::Admin, Scopes::all()).ok()?;
            Some(credential(Source::File(hash.clone()), &grant))
        });
        let configured = admin
            .tokens
            .iter()
            .map(|it| credential(Source::Configuration(it.hashes.as_slice().into()), &it.grant));
        let issued = issued
            .iter()
            .map(|it| (it.id, credential(Source::Issued(Box::new(it.clone())), &it.grant)));
        let certificates = admin
            .client_certificates
            .iter()
            .map(|it| (it.san.clone(), credential(Source::Certificate(it.san.clone()), &it.grant)));
        Self {
            fixed: own.into_iter().chain(configured).collect(),
            issued: issued.collect(),
            certificates: certificates.collect(),
            rate: Rate { limit: admin.rate_limit, burst: admin.rate_burst },
        }
    }

    /// The token that is known by this. How long that takes tells nothing about how much of it is right, nor whether there is a
    /// token of its id: it is compared with as many hashes, whatever comes of it.
    pub(super) fn of_token(&self, key: &TokenKey) -> Option<&Credential> {
        let mut found = None;
        for (other, credential) in self.candidates(key.id) {
            if key.hash.0.ct_eq(&other.0).into() {
                found = credential;
            }
        }
        found
    }

    /// The hashes that a token is compared with.
    fn candidates(
        &self,
        id: Option<TokenId>,
    ) -> impl Iterator<Item = (&TokenHash, Option<&Credential>)> {
        let issued = id.and_then(|id| self.issued.get(&id));
        let expected = match issued.map(|it| &it.source) {
            Some(Source::Issued(token)) => &token.hash,
            _ => &NOBODY,
        };
        let fixed = self.fixed.iter().flat_map(|credential| {
            let hashes = match &credential.source {
                Source::File(hash) => std::slice::from_ref(hash),
                Source::Configuration(hashes) => hashes,
                Source::Issued(_) | Source::Certificate(_) => &[],
            };
            hashes.iter().map(move |it| (it, Some(credential)))
        });
        std::iter::once((expected, issued)).chain(fixed)
    }

    /// The client of a certificate with these alternative names.
    pub(super) fn of_certificate(&self, names: &[String]) -> Option<&Credential> {
        names.iter().find_map(|it| self.certificates.get(it.as_str()))
    }

    /// Every token.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Credential> {
        self.fixed.iter().chain(self.issued.values())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Credential> {
        self.tokens().chain(self.certificates.values())
    }

    /// Whether anybody can manage what there is, without the token in the state directory.
    pub(super) fn has_admin(&self, now: Timestamp) -> bool {
        let is_admin = |it: &Credential| match &it.source {
            Source::File(_) => false,
            Source::Configuration(_) => true,
            Source::Issued(token) => it.grant.role() == Role::Admin && !token.has_expired(now),
            Source::Certificate(_) => it.grant.role() == Role::Admin,
        };
        self.all().any(is_admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::load_text;

    #[test]
    fn every_token_costs_the_same_comparisons() {
        let text = format!(
            "[[zone]]\nname = 'a.'\nnameservers = 'ns.b.'\n[[admin.token]]\nname = 'deploy'\nrole = 'viewer'\nsha256 = ['{}', '{}']\n",
            "1".repeat(64),
            "2".repeat(64),
        );
        let admin = load_text("farol.toml".as_ref(), &text).unwrap().admin;
        let grant = Grant::new("ann".parse().unwrap(), Role::Viewer, Scopes::all()).unwrap();
        let make = IssuedToken::make(grant, "bob".to_owned(), Timestamp(0), None, |_| false);
        let (issued, token) = make.unwrap();
        let own = token_hash("own");
        let all = Credentials::new(Some(&own), &admin, &[issued], None);
        let other_id = token.replacen("farol_", "farol_0", 1);
        for presented in ["", "own", "x", &token, &token[..60], &other_id, "farol_00000000_x"] {
            assert_eq!(all.candidates(TokenId::of_token(presented)).count(), 4, "{presented}");
        }
        let name = |presented: &str| {
            all.of_token(&TokenKey::of(presented)).map(|it| it.grant.name().to_string())
        };
        assert_eq!(name(&token).as_deref(), Some("ann"));
        assert_eq!(name("own").as_deref(), Some("admin"));
        for wrong in ["", "ow", "own ", &token[..78], &token.to_uppercase(), &other_id] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
