//! The client of a daemon's API, which every verb but `serve`, `check` and `demo` talks through.

mod changing;
mod contexts;
mod failure;
mod options;
mod seen;
mod stream;
mod tls;
mod token;

pub(super) use changing::{ChangeOptions, UndoOptions};
pub(super) use contexts::{Context, Contexts};
pub(super) use failure::Failure;
pub(super) use options::{ClientOptions, Output};
pub(super) use seen::Seen;
pub(super) use stream::EventStream;
pub(super) use tls::TlsFiles;
pub(super) use token::Token;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::IF_MATCH;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::view;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Where the daemon is told which event was heard last.
const LAST_EVENT_ID: &str = "last-event-id";
/// A change waits for every worker, and a reload for probes to be rearranged; both take milliseconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What the API answered: typed to work with, and as it came, for `--output json`.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) value: T,
    pub(super) text: String,
}

/// Talks to one daemon.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    server: Url,
    token: Token,
}

impl Client {
    pub(super) fn new(server: &str, token: Token, tls: &TlsFiles) -> Result<Self, Failure> {
        let server = server_url(server)?;
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.config(server.scheme() == "https")?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // A token goes where it was meant to go, and nowhere else.
            .redirect(Policy::none())
            .user_agent(concat!("farol/", env!("CARGO_PKG_VERSION")));
        // No proxy reaches this machine's own loopback.
        let builder = if is_loopback(&server) { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| Failure::start(&error))?;
        Ok(Self { http, server, token })
    }

    /// The daemon's URL, as it was given.
    pub(super) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
    ) -> Result<Answer<T>, Failure> {
        self.send(self.http.request(Method::GET, self.url(path))).await
    }

    /// Asks with `?key=value` behind the path.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<Answer<T>, Failure> {
        self.send(self.http.request(Method::GET, self.url(path)).query(query)).await
    }

    /// Listens to events, from after the last one that was heard.
    pub(super) async fn listen(
        &self,
        query: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<EventStream, Failure> {
        let request = self.http.request(Method::GET, self.url(&["events"])).query(query);
        let request = request.timeout(Duration::MAX);
        let request = match last {
            Some(last) => request.header(LAST_EVENT_ID, last),
            None => request,
        };
        let response = self.ask(request).await?;
        if response.status().is_success() {
            return Ok(EventStream::new(response));
        }
        let status = response.status();
        let text = response.text().await.map_err(|error| self.lost(&error))?;
        Err(self.refusal(status, &text))
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        if_match: Option<&str>,
    ) -> Result<Answer<T>, Failure> {
        self.change(Method::PATCH, path, body, if_match).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        if_match: Option<&str>,
    ) -> Result<Answer<T>, Failure> {
        self.change(Method::POST, path, body, if_match).await
    }

    /// Takes something away, also where that is hardly meant.
    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &[&str],
        force: bool,
    ) -> Result<Answer<T>, Failure> {
        let request = self.http.request(Method::DELETE, self.url(path));
        self.send(if force { request.query(&[("force", "true")]) } else { request }).await
    }

    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
        if_match: Option<&str>,
    ) -> Result<Answer<T>, Failure> {
        let request = self.http.request(method, self.url(path)).json(body);
        let request = match if_match {
            Some(etag) => request.header(IF_MATCH, etag),
            None => request,
        };
        self.send(request).await
    }

    /// A URL under `/v1`; what is special in a URL is escaped.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.server.clone();
        // A server's URL has a path: `server_url` saw to it.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(path);
        }
        url
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer<T>, Failure> {
        let response = self.ask(request).await?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.lost(&error))?;
        if status.is_success() {
            return match serde_json::from_str(&text) {
                Ok(value) => Ok(Answer { value, text }),
                Err(error) => Err(self.stranger(status, &error.to_string())),
            };
        }
        Err(self.refusal(status, &text))
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, Failure> {
        let request = match self.token.value() {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &reqwest::Error) -> Failure {
        Failure::lost(self.server(), error)
    }

    /// What an answer that is no success says.
    fn refusal(&self, status: StatusCode, text: &str) -> Failure {
        match (status, serde_json::from_str::<view::Problem>(text)) {
            (_, Err(_)) => self.stranger(status, "its answer is no problem report"),
            (StatusCode::UNAUTHORIZED, Ok(_)) => {
                let (server, token) = (self.server().to_owned(), self.token.to_string());
                match self.token.value() {
                    Some(_) => Failure::Unauthorized { server, token },
                    None => Failure::NoToken { server, tried: token },
                }
            }
            (StatusCode::PRECONDITION_FAILED, Ok(problem)) => {
                Failure::Changed { detail: problem.detail }
            }
            (_, Ok(problem)) => Failure::Refused { detail: problem.detail },
        }
    }

    fn stranger(&self, status: StatusCode, why: &str) -> Failure {
        Failure::Stranger {
            server: self.server().to_owned(),
            status: status.as_u16(),
            why: why.to_owned(),
        }
    }
}

pub(super) fn server_url(text: &str) -> Result<Url, Failure> {
    let wrong = |why: String| Failure::Server { text: text.to_owned(), why };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(format!("`{other}` is neither http nor https"))),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
        host == "localhost" || address.is_ok_and(|it| it.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(server: &str) -> Client {
        Client::new(server, Token::none(), &TlsFiles::default()).unwrap()
    }

    #[test]
    fn paths_are_escaped_and_prefixes_kept() {
        let url = |server, path: &[&str]| client(server).url(path).to_string();
        assert_eq!(url("http://[::1]:8053", &["status"]), "http://[::1]:8053/v1/status");
        assert_eq!(url("https://h/gtm/", &["sites", "a/b?"]), "https://h/gtm/v1/sites/a%2Fb%3F");
    }

    #[test]
    fn a_server_is_an_http_url() {
        for (text, why) in [
            ("127.0.0.1:8053", "relative URL"),
            ("localhost:8053", "`localhost` is neither http nor https"),
            ("http://", "empty host"),
        ] {
            let error =
                Client::new(text, Token::none(), &TlsFiles::default()).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("http://127.0.0.1:8053"), "{error}");
        }
    }

    #[test]
    fn only_loopback_goes_past_proxies() {
        let is = |text| is_loopback(&Url::parse(text).unwrap());
        assert!(is("http://127.0.0.1:1") && is("http://[::1]:1") && is("http://localhost"));
        assert!(!is("http://10.0.0.1") && !is("https://gtm.example"));
    }
}
