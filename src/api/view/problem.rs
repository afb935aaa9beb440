use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A problem, by RFC 9457; `near`, `errors`, `etag` and `breaches` are Farol's own members.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[schema(example = json!({
    "type": "about:blank",
    "title": "Not Found",
    "status": 404,
    "detail": "no profile is called `ap.gtm.example`; did you mean app.gtm.example.?",
    "near": ["app.gtm.example."],
}))]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type", default = "about_blank")]
    pub kind: String,
    /// The HTTP status.
    pub status: u16,
    /// The status in words.
    pub title: String,
    /// What is wrong, and what to do.
    pub detail: String,
    /// Names that exist and are like the one asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// Everything that is wrong with what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// The ETag in force, where If-Match asked for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The guardrails that a change would break.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<Breach>,
}

/// Something that is wrong with what was sent: in the body, behind the path, or in a header.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
#[schema(example = json!({
    "pointer": "/changes/0/weight",
    "detail": "write a whole number from 0 to 65535",
    "found": 70000,
}))]
pub struct Fault {
    /// Where it is in the body, by RFC 6901; the empty text is the body as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The parameter that it is, behind the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The header that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What is wrong, or what to write instead.
    pub detail: String,
    /// What stands there; left out where that is nothing, or long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub found: Option<Value>,
}

impl Fault {
    /// Something that is wrong with what was `found`, at a place that is still to be said.
    pub(in crate::api) fn new(detail: String, found: Option<Value>) -> Self {
        Self { pointer: None, parameter: None, header: None, detail, found }
    }
}

impl fmt::Display for Fault {
    /// `changes[0].weight: found 70000; write a whole number from 0 to 65535`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.pointer, &self.parameter, &self.header) {
            (Some(pointer), ..) if pointer.is_empty() => f.write_str("the body")?,
            (Some(pointer), ..) => f.write_str(&path(pointer))?,
            (None, Some(name), _) | (None, None, Some(name)) => f.write_str(name)?,
            (None, None, None) => {}
        }
        match &self.found {
            Some(Value::String(found)) => write!(f, ": found `{found}`; {}", self.detail),
            Some(found) => write!(f, ": found {found}; {}", self.detail),
            None => write!(f, ": {}", self.detail),
        }
    }
}

/// A pointer as people write it: `changes[0].weight`.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let name = part.replace("~1", "/").replace("~0", "~");
        let is_index = !name.is_empty() && name.bytes().all(|it| it.is_ascii_digit());
        match path.is_empty() {
            _ if is_index => path.push_str(&format!("[{name}]")),
            true => path.push_str(&name),
            false => path.push_str(&format!(".{name}")),
        }
    }
    path
}

/// A guardrail that a change would break, or would worsen though it is broken.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, PartialEq)]
pub struct Breach {
    /// The profile that it guards.
    pub profile: String,
    /// The endpoint, where it guards each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its key in the configuration.
    pub guardrail: String,
    /// What is there: endpoints, sites, percent, or the weight.
    pub now: u64,
    /// What would be.
    pub then: u64,
    /// What is asked for.
    pub limit: u64,
}

fn about_blank() -> String {
    Problem::ABOUT_BLANK.to_owned()
}

impl Problem {
    /// The type of a problem that its status explains (RFC 9457 4.2.1).
    pub const ABOUT_BLANK: &str = "about:blank";
    /// The media type of problems.
    pub const MEDIA_TYPE: &str = "application/problem+json";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_says_where_it_is() {
        let fault = |pointer: &str, found: Option<Value>| {
            let pointer = Some(pointer.to_owned());
            Fault { pointer, ..Fault::new("write a text".to_owned(), found) }.to_string()
        };
        assert_eq!(fault("", None), "the body: write a text");
        assert_eq!(fault("/a~1b/0/c", Some(5.into())), "a/b[0].c: found 5; write a text");
        assert_eq!(fault("/a", Some("x".into())), "a: found `x`; write a text");
        let limit = Some("limit".to_owned());
        let parameter = Fault { parameter: limit, ..Fault::new("send 1".to_owned(), None) };
        assert_eq!(parameter.to_string(), "limit: send 1");
    }
}
