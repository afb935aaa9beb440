//! Prometheus' HTTP API, for the one value of an instant query.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use serde_json::Value;

use crate::model::RequestsQuery;

/// For a whole question.
const TIMEOUT: Duration = Duration::from_secs(4);
/// More than one value takes.
const MOST: usize = 1 << 20;

/// Asks whichever Prometheus a query names.
#[derive(Clone, Debug)]
pub(super) struct Prometheus {
    client: Result<Client, String>,
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
    pub(super) fn new() -> Self {
        Self { client: client() }
    }

    /// The value of a query now, or why there is none. No reason shows what may be secret in a URL.
    pub(super) async fn ask(&self, query: &RequestsQuery) -> Result<f64, String> {
        let client = self.client.as_ref().map_err(String::clone)?;
        let mut url: Url = query.prometheus.parse().map_err(|_| "its URL is none".to_owned())?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1", "query"]);
        }
        let lost = |error: reqwest::Error| format!("Prometheus: {}", chain(&error.without_url()));
        let asked = client.get(url).query(&[("query", &query.query)]).send();
        let mut response = asked.await.map_err(lost)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err("Prometheus: the answer is too long".to_owned());
            }
        }
        let answer = serde_json::from_slice::<Answer>(&body).map_err(|_| {
            format!("Prometheus: status {} and no answer of its API", response.status())
        })?;
        read(answer)
    }
}

/// The one value in an answer.
fn read(answer: Answer) -> Result<f64, String> {
    if let Some(error) = answer.error {
        return Err(format!("Prometheus: {error}"));
    }
    let data = answer.data.ok_or("Prometheus: its answer has no data")?;
    let value = match (data.result_type.as_str(), data.result.as_slice()) {
        ("scalar", [_, value]) => value,
        ("vector", [one]) => &one["value"][1],
        ("vector", []) => {
            return Err(
                "the query finds nothing; add `or vector(0)` where nothing means no requests"
                    .to_owned(),
            );
        }
        ("vector", many) => {
            let number = many.len();
            return Err(format!("the query finds {number} series; make one of them, by sum()"));
        }
        (other, _) => return Err(format!("the query gives a {other}; it has to give one value")),
    };
    let number: Option<f64> = value.as_str().and_then(|it| it.parse().ok());
    number.filter(|it| it.is_finite()).ok_or_else(|| format!("the query gives {value}"))
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

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
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
            let refused = answer.unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
