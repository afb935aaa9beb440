//! Prometheus' HTTP API, for the one value of an instant query.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;

use crate::model::chain;

/// For a whole question.
const TIMEOUT: Duration = Duration::from_secs(4);
/// The longest of its own words that are told, in characters.
const LONGEST: usize = 200;
/// More than one value takes.
const MOST: usize = 1 << 20;

/// A client of whichever Prometheus is asked.
#[derive(Clone, Debug)]
pub struct Prometheus {
    client: Result<Client, String>,
}

/// Why a query has no one value. Nothing in it shows what may be secret in a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It finds no series.
    #[error("the query finds nothing; add `or vector(0)` where nothing means no requests")]
    Nothing,
    /// It finds something else than one number.
    #[error("the query {0}")]
    NotOne(String),
    /// Prometheus refused it, could not be asked, or is something else.
    #[error("{0}")]
    Unanswered(String),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Value>,
}

impl Prometheus {
    /// Takes the system's certificate authorities as they are now.
    pub fn new() -> Self {
        Self { client: client() }
    }

    /// The value of a query now.
    ///
    /// # Errors
    /// When there is no one value. Takes 4 seconds at most.
    pub async fn ask(&self, url: &str, query: &str) -> Result<f64, AskError> {
        let unanswered = |why: String| AskError::Unanswered(why);
        let client = self.client.as_ref().map_err(|it| unanswered(it.clone()))?;
        let mut url: Url = url.parse().map_err(|_| unanswered("its URL is none".to_owned()))?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", "query"]);
        }
        let lost = |error: reqwest::Error| {
            AskError::Unanswered(format!("Prometheus: {}", chain(&error.without_url())))
        };
        let mut response = client.get(url).query(&[("query", query)]).send().await.map_err(lost)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(unanswered("Prometheus: the answer is too long".to_owned()));
            }
        }
        Self::value(response.status().as_u16(), &body)
    }

    /// The one value in an answer of Prometheus' API, however it came.
    ///
    /// # Errors
    /// When there is no one value.
    pub fn value(status: u16, body: &[u8]) -> Result<f64, AskError> {
        let no_answer = |_| {
            AskError::Unanswered(format!("Prometheus: status {status} and no answer of its API"))
        };
        read(serde_json::from_slice(body).map_err(no_answer)?)
    }
}

impl Default for Prometheus {
    fn default() -> Self {
        Self::new()
    }
}

/// The one value in an answer.
fn read(answer: Answer) -> Result<f64, AskError> {
    if let Some(error) = answer.error {
        let error: String = error.chars().take(LONGEST).collect();
        return Err(AskError::Unanswered(format!("Prometheus: {error}")));
    }
    let no_data = || AskError::Unanswered("Prometheus: its answer has no data".to_owned());
    let data = answer.data.ok_or_else(no_data)?;
    let value = match (data.result_type.as_str(), data.result.as_slice()) {
        ("scalar", [_, value]) => value,
        ("vector", [one]) => &one["value"][1],
        ("vector", []) => return Err(AskError::Nothing),
        ("vector", many) => {
            let number = many.len();
            let why = format!("finds {number} series; make one of them, by sum()");
            return Err(AskError::NotOne(why));
        }
        (other, _) => {
            return Err(AskError::NotOne(format!("gives a {other}; it has to give one value")));
        }
    };
    let number: Option<f64> = value.as_str().and_then(|it| it.parse().ok());
    let not_finite = || AskError::NotOne(format!("gives {value}"));
    number.filter(|it| it.is_finite()).ok_or_else(not_finite)
}

fn client() -> Result<Client, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .user_agent(concat!("farol/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_value_or_says_why_not() {
        let read = |json: &str| read(serde_json::from_str(json).unwrap());
        let vector = |result: &str| {
            read(&format!(
                r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#
            ))
        };
        let one = r#"{"metric":{},"value":[1.5,"3.25"]}"#;
        assert_eq!(vector(one), Ok(3.25));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}}"#;
        assert_eq!(read(scalar), Ok(7.0));
        for (answer, why) in [
            (vector(""), "add `or vector(0)`"),
            (vector(&format!("{one},{one}")), "finds 2 series"),
            (vector(&one.replace("3.25", "NaN")), "gives \"NaN\""),
            (read(r#"{"status":"error","error":"parse error"}"#), "Prometheus: parse error"),
            (read(r#"{"data":{"resultType":"matrix","result":[]}}"#), "gives a matrix"),
            (read("{}"), "has no data"),
        ] {
            let refused = answer.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
