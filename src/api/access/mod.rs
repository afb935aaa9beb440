//! Who gets in, and what they may do: tokens, client certificates, roles and the profiles that somebody is limited to.

mod backoff;
mod cookie;
mod credentials;
mod guard;
mod identity;
mod meter;
mod origin;
mod scoped;
mod sessions;
#[cfg(test)]
mod tests;

pub(super) use cookie::{ended as ended_cookie, of_session as session_cookie, secret_of};
pub(super) use guard::{
    Guard, authorize, bearer, denial, forbid_change, forbid_foreign, forbid_limited,
    forbid_unless_admin, guard, guard_metrics, is_token,
};
pub(super) use identity::{Author, Denied, Peer, Presented};
pub(super) use scoped::{
    forbid_unseen, forbid_unseen_zone, reached, seen_sites, seen_status, sees_change, sees_site,
};

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use self::backoff::Backoff;
use self::credentials::{Credential, Credentials, Source, TokenKey};
use self::sessions::Sessions;
use crate::metrics::{AccessMetrics, AuthFailure};
use crate::model::{Grant, Now, Timestamp, TokenHash};
use crate::settings::Admin;
use crate::store::{AdminToken, IssuedToken, Store, StoreError, TokenId, token_hash};
use crate::supervision::Burst;

/// The most tokens that can be made over the API; nobody has so many, and every file that grows has a bound.
const MOST_TOKENS: usize = 1000;
/// Failures that are closer together than this are one burst, which is logged once.
const QUIET: Duration = Duration::from_secs(60);

/// Why no token was made or revoked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManageError {
    #[error("there are {MOST_TOKENS} tokens; revoke some that nobody uses")]
    TooMany,
    #[error("no token has the id `{0}`")]
    NoToken(String),
    #[error("the tokens could not be stored, so nothing was changed")]
    NotStored(#[source] StoreError),
}

/// A token as an admin sees it.
pub(super) struct Listed {
    pub(super) grant: Grant,
    pub(super) source: &'static str,
    /// What is known of one that was made over the API.
    pub(super) issued: Option<IssuedToken>,
    /// When it was last used, since the start.
    pub(super) last_used: Option<Timestamp>,
}

/// Who gets in.
#[derive(Debug)]
pub struct Access {
    current: ArcSwap<Credentials>,
    parts: Mutex<Parts>,
    /// Held while the tokens are written; nobody who is let in waits for it.
    writing: Mutex<()>,
    store: Arc<Store>,
    backoff: Mutex<Backoff>,
    sessions: Mutex<Sessions>,
    handshakes: Mutex<Burst>,
    metrics: AccessMetrics,
}

/// What the current credentials are made of.
#[derive(Debug)]
struct Parts {
    own: Option<TokenHash>,
    admin: Admin,
    issued: Vec<IssuedToken>,
}

/// Whether nobody would be let in who manages, so that the state directory needs a token of its own.
pub fn needs_own_token(admin: &Admin, issued: &[IssuedToken], now: Timestamp) -> bool {
    !Credentials::new(None, admin, issued, None).has_admin(now)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Access {
    /// Lets in whoever has the state directory's `own` token, one that was `issued`, or what the settings say.
    pub fn new(
        store: Arc<Store>,
        own: Option<&AdminToken>,
        issued: Vec<IssuedToken>,
        admin: &Admin,
        metrics: AccessMetrics,
    ) -> Self {
        let own = own.map(|it| it.hash().clone());
        let current = Credentials::new(own.as_ref(), admin, &issued, None);
        Self {
            current: ArcSwap::from_pointee(current),
            parts: Mutex::new(Parts { own, admin: admin.clone(), issued }),
            writing: Mutex::default(),
            store,
            backoff: Mutex::default(),
            sessions: Mutex::default(),
            handshakes: Mutex::new(Burst::new(QUIET)),
            metrics,
        }
    }

    /// Goes on by other settings.
    pub fn configure(&self, admin: &Admin) {
        self.alter(|parts| parts.admin = admin.clone());
    }

    fn alter(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = lock(&self.parts);
        change(&mut parts);
        let before = self.current.load();
        let next = Credentials::new(parts.own.as_ref(), &parts.admin, &parts.issued, Some(&before));
        self.current.store(Arc::new(next));
    }

    /// Whether what somebody came in by would let them in still, with the same rights.
    pub(super) fn still_admits(&self, author: &Author, now: Now) -> bool {
        let current = self.current.load();
        let is_same = |it: &Credential| {
            let issued = issued(it);
            it.grant.name().as_str() == author.name
                && it.grant.role() == author.role
                && *it.grant.scopes() == author.scopes
                && issued.map(|it| it.id) == author.token
                && issued.is_none_or(|it| !it.has_expired(now.time))
        };
        match &author.session {
            None => current.all().any(is_same),
            Some(session) => {
                let token = lock(&self.sessions).token(session, now.moment);
                token.is_some_and(|it| current.of_token(&it).is_some_and(is_same))
            }
        }
    }

    /// Who this is.
    pub(super) fn authenticate(
        &self,
        presented: Presented<'_>,
        peer: &Peer,
        now: Now,
    ) -> Result<Author, Denied> {
        let outcome = self.identify(presented, peer, now);
        match &outcome {
            Ok(_) => {}
            Err(Denied::Missing | Denied::UnknownCertificate(_)) => {
                self.metrics.refused(AuthFailure::Missing);
            }
            Err(Denied::Wrong) => self.metrics.refused(AuthFailure::Wrong),
            Err(Denied::Ended) => self.metrics.refused(AuthFailure::Session),
            Err(Denied::Expired(_)) => self.metrics.refused(AuthFailure::Expired),
            Err(Denied::Backoff(_)) => self.metrics.refused(AuthFailure::Backoff),
            Err(Denied::Limited(_)) => self.metrics.limited(),
        }
        outcome
    }

    fn identify(&self, presented: Presented<'_>, peer: &Peer, now: Now) -> Result<Author, Denied> {
        let current = self.current.load();
        let mut session = None;
        let credential = match presented {
            Presented::Token(token) => {
                // Before the token is looked at: who has to wait learns nothing of it.
                if let Some(wait) = lock(&self.backoff).wait(peer.address, now.moment) {
                    return Err(Denied::Backoff(wait));
                }
                let found = current.of_token(&TokenKey::of(token));
                found.ok_or_else(|| self.note_wrong(peer, now))?
            }
            Presented::Session(secret) => {
                let key = token_hash(secret);
                let used = lock(&self.sessions).used(&key, now);
                let (token, end) = used.ok_or(Denied::Ended)?;
                session = Some((key, end));
                current.of_token(&token).ok_or(Denied::Ended)?
            }
            Presented::Nothing if peer.names.is_empty() => return Err(Denied::Missing),
            Presented::Nothing => current
                .of_certificate(&peer.names)
                .ok_or_else(|| Denied::UnknownCertificate(peer.names.clone()))?,
        };
        let issued = issued(credential);
        // That it had been right is known to nobody but whom it was given to.
        if let Some(expired) = issued.and_then(|it| it.expires).filter(|it| *it <= now.time) {
            return Err(Denied::Expired(expired));
        }
        credential.meter.count(current.rate, now).map_err(Denied::Limited)?;
        let (session, end) = session.unzip();
        let expires = issued.and_then(|it| it.expires);
        Ok(Author {
            name: credential.grant.name().to_string(),
            role: credential.grant.role(),
            scopes: credential.grant.scopes().clone(),
            remote: peer.address,
            token: issued.map(|it| it.id),
            session,
            until: [end, expires].into_iter().flatten().min(),
        })
    }

    /// Begins a session for whoever has this token: its `secret` stands for the token from now on.
    pub(super) fn sign_in(
        &self,
        token: &str,
        secret: &str,
        peer: &Peer,
        now: Now,
    ) -> Result<Author, Denied> {
        let mut author = self.authenticate(Presented::Token(token), peer, now)?;
        let session = token_hash(secret);
        let end = lock(&self.sessions).begin(&session, TokenKey::of(token), now);
        author.until = Some(author.until.map_or(end, |it| it.min(end)));
        author.session = Some(session);
        Ok(author)
    }

    /// Ends a session; tells whether there was one.
    pub(super) fn sign_out(&self, secret: &str) -> bool {
        lock(&self.sessions).end(&token_hash(secret))
    }

    /// Has the metrics know how many sessions there are.
    pub(super) fn count_sessions(&self, now: Now) {
        self.metrics.set_sessions(lock(&self.sessions).count(now.moment));
    }

    fn note_wrong(&self, peer: &Peer, now: Now) -> Denied {
        if lock(&self.backoff).failed(peer.address, now.moment) {
            let remote = peer.address;
            tracing::warn!(
                event = "auth_backoff",
                %remote,
                "{remote} sends wrong tokens; it has to wait before the next, longer and longer"
            );
        }
        Denied::Wrong
    }

    /// Notes that somebody who was let in may not do what they asked for.
    pub(super) fn forbidden(&self, why: AuthFailure) {
        self.metrics.refused(why);
    }

    /// Notes that a handshake failed.
    pub(super) fn handshake_failed(&self, remote: IpAddr, why: &str, now: std::time::Instant) {
        self.metrics.handshake_failed();
        if lock(&self.handshakes).begins(now) {
            tracing::warn!(event = "api_tls_failed", %remote, why, "no TLS with {remote} at the API's port: {why}");
        }
    }

    /// Every token, those of the state directory and the configuration first, then by the time that they were made.
    pub(super) fn list(&self) -> Vec<Listed> {
        let current = self.current.load();
        let mut tokens: Vec<Listed> = current.tokens().map(listed).collect();
        tokens.sort_by_key(|it| it.issued.as_ref().map(|it| (it.created, it.id)));
        tokens
    }

    /// Makes a token, which opens something once it is on the disk. Gives its text, which is kept nowhere. Blocks.
    pub(super) fn create(
        &self,
        grant: Grant,
        by: String,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<(IssuedToken, String), ManageError> {
        let _writing = lock(&self.writing);
        let mut issued = lock(&self.parts).issued.clone();
        if issued.len() >= MOST_TOKENS {
            return Err(ManageError::TooMany);
        }
        let taken = |id| issued.iter().any(|it: &IssuedToken| it.id == id);
        let made = IssuedToken::make(grant, by, now, expires, taken);
        let (token, text) = made.map_err(ManageError::NotStored)?;
        issued.push(token.clone());
        self.store.save_tokens(&issued).map_err(ManageError::NotStored)?;
        self.alter(|parts| parts.issued = issued);
        Ok((token, text))
    }

    /// Revokes a token: it opens nothing more, also on connections that are open, and is gone from the disk. Blocks.
    pub(super) fn revoke(&self, id: TokenId) -> Result<IssuedToken, ManageError> {
        let _writing = lock(&self.writing);
        let mut issued = lock(&self.parts).issued.clone();
        let at = issued.iter().position(|it| it.id == id);
        let at = at.ok_or_else(|| ManageError::NoToken(id.to_string()))?;
        let token = issued.remove(at);
        self.store.save_tokens(&issued).map_err(ManageError::NotStored)?;
        self.alter(|parts| parts.issued = issued);
        Ok(token)
    }
}

fn issued(credential: &Credential) -> Option<&IssuedToken> {
    match &credential.source {
        Source::Issued(token) => Some(token),
        _ => None,
    }
}

fn listed(credential: &Credential) -> Listed {
    Listed {
        grant: credential.grant.clone(),
        source: match credential.source {
            Source::File(_) => "file",
            Source::Configuration(_) => "configuration",
            Source::Issued(_) => "api",
            Source::Certificate(_) => "certificate",
        },
        issued: issued(credential).cloned(),
        last_used: credential.meter.last(),
    }
}
