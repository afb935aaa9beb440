use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use super::options::DEFAULT_SERVER;

/// Why a verb did not get what it asked for, and what to do. The causes stand in the text: they are for people.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Failure {
    /// What was given as the server is none.
    #[error(
        "`{text}` is no server's URL ({why}); write --server or FAROL_SERVER like {DEFAULT_SERVER}"
    )]
    Server { text: String, why: String },
    /// The token's file was named, and can't be read.
    #[error("could not read the token's file `{}`, which {origin} names: {why}", file.display())]
    TokenFile { file: PathBuf, origin: &'static str, why: String },
    /// The client could not be made.
    #[error("could not start the client: {why}")]
    Start { why: String },
    /// Nobody is there.
    #[error(
        "no daemon answers at {server} ({why}): is `farol serve` running? Use --server, FAROL_SERVER or --context to name another"
    )]
    NoDaemon { server: String, why: String },
    /// Somebody is there whom the client can't trust, or who speaks no TLS.
    #[error(
        "no TLS with {server}: {why}; is it https, and is its certificate trusted (--ca, FAROL_CA or this system)?"
    )]
    Tls { server: String, why: String },
    /// A file for TLS can't be used.
    #[error("`{}`: {why}", file.display())]
    Pem { file: PathBuf, why: String },
    /// It took too long.
    #[error("{server} did not answer in time; is it overloaded, or a firewall in between?")]
    Late { server: String },
    /// The connection broke.
    #[error("the connection to {server} broke: {why}")]
    Broken { server: String, why: String },
    /// There is no token.
    #[error(
        "{server} wants a token, and none was given ({tried}); give it with --token-file, FAROL_TOKEN_FILE or \
         FAROL_TOKEN (the daemon keeps it in `admin.token` in its state directory)"
    )]
    NoToken { server: String, tried: String },
    /// The token is wrong.
    #[error(
        "{server} did not accept {token}; give its token with --token-file, FAROL_TOKEN_FILE or FAROL_TOKEN \
         (the daemon keeps it in `admin.token` in its state directory)"
    )]
    Unauthorized { server: String, token: String },
    /// The API says no, and why.
    #[error("{detail}")]
    Refused { detail: String },
    /// It is not what the operator saw any more.
    #[error("{detail}")]
    Changed { detail: String },
    /// The file of contexts is not as it should be.
    #[error("`{}`: {why}", file.display())]
    Contexts { file: PathBuf, why: String },
    /// There is no such context.
    #[error(
        "no context is called `{name}`{near}; see `farol context list`, or make it with `farol context set {name} --server URL`"
    )]
    NoContext { name: String, near: String },
    /// What answers is no Farol, or one of another age.
    #[error(
        "what answers at {server} does not talk like Farol {} (HTTP {status}: {why}); is it another program or version?",
        env!("CARGO_PKG_VERSION")
    )]
    Stranger { server: String, status: u16, why: String },
    /// The API's answer lacks what it was asked for.
    #[error("{what}")]
    Missing { what: String },
}

impl Failure {
    /// Whether somebody may answer who doesn't at the moment.
    pub(in crate::cli) fn is_lost(&self) -> bool {
        matches!(self, Self::NoDaemon { .. } | Self::Late { .. } | Self::Broken { .. })
    }

    pub(super) fn start(error: &(dyn Error + 'static)) -> Self {
        Self::Start { why: root(error) }
    }

    pub(super) fn pem(file: &Path, why: String) -> Self {
        Self::Pem { file: file.to_owned(), why: plain(&why) }
    }

    /// A request that got no answer.
    pub(super) fn lost(server: &str, error: &reqwest::Error) -> Self {
        let (server, why) = (server.to_owned(), root(error));
        if has_tls(error) {
            Self::Tls { server, why }
        } else if error.is_connect() {
            let why = if error.is_timeout() { "no reply to connecting".to_owned() } else { why };
            Self::NoDaemon { server, why }
        } else if error.is_timeout() {
            Self::Late { server }
        } else {
            Self::Broken { server, why }
        }
    }
}

/// What is at the bottom of an error; what libraries say on the way there tells people nothing.
fn root(error: &(dyn Error + 'static)) -> String {
    let bottom = chain(error).last().map(ToString::to_string).unwrap_or_default();
    plain(&bottom)
}

/// "Connection refused (os error 111)" as it reads inside a sentence.
pub(super) fn plain(text: &str) -> String {
    let mut letters = text.split(" (os error").next().unwrap_or_default().chars();
    letters.next().map(|it| it.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn has_tls(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(is_tls)
}

/// An error of sockets hides the one that it wraps from the chain of sources.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || wrapped.is_some_and(|it| is_tls(it))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&it| it.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_do() {
        let server = || "http://127.0.0.1:8053".to_owned();
        let told = |failure: Failure| failure.to_string();
        assert_eq!(
            told(Failure::NoDaemon { server: server(), why: "connection refused".to_owned() }),
            "no daemon answers at http://127.0.0.1:8053 (connection refused): is `farol serve` running? \
             Use --server, FAROL_SERVER or --context to name another"
        );
        assert_eq!(
            told(Failure::Unauthorized {
                server: server(),
                token: "the token in FAROL_TOKEN".to_owned(),
            }),
            "http://127.0.0.1:8053 did not accept the token in FAROL_TOKEN; give its token with --token-file, \
             FAROL_TOKEN_FILE or FAROL_TOKEN (the daemon keeps it in `admin.token` in its state directory)"
        );
        let file = "/root/token".into();
        assert_eq!(
            told(Failure::TokenFile { file, origin: "--token-file", why: "gone".to_owned() }),
            "could not read the token's file `/root/token`, which --token-file names: gone"
        );
    }

    #[test]
    fn the_root_of_an_error_is_short() {
        let error = io::Error::from_raw_os_error(111);
        assert_eq!(root(&error), "connection refused");
    }
}
