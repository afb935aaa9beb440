//! Finds Traffic Manager's profiles in the documents that have them.

use serde_json::{Map, Value};

use crate::import::arm::{self, Parameters};
use crate::import::report::Report;
use crate::import::{Document, ImportError, Missing, kind};

const EXPECTED: &str = "a Traffic Manager profile (an object with `trafficRoutingMethod`, as `az network traffic-manager profile show` and the REST API give it), a list of them, or an ARM template with `resources`";

/// A profile's JSON, and what it is called where it has no name.
pub(super) struct Found {
    pub(super) object: Map<String, Value>,
    pub(super) place: String,
}

/// All profiles of these documents; endpoints that a template has beside its profiles are in them.
pub(super) fn profiles(
    documents: &[Document],
    parameters: &[(String, Value)],
    report: &mut Report,
) -> Result<Vec<Found>, ImportError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for document in documents {
        let value: Value = serde_json::from_str(document.text.trim_start_matches('\u{feff}'))
            .map_err(|source| ImportError::Json {
                file: document.name.clone(),
                line: source.line(),
                column: source.column(),
                source,
            })?;
        let before = found.len();
        let mut search = Search { file: &document.name, parameters, found, missing, report };
        search.look_into(value, 0)?;
        (found, missing) = (search.found, search.missing);
        if found.len() == before && missing.is_empty() {
            return Err(ImportError::Form {
                file: document.name.clone(),
                found: "no Traffic Manager profile in it".to_owned(),
                expected: EXPECTED,
            });
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(ImportError::Parameters(missing)) }
}

struct Search<'s> {
    file: &'s str,
    parameters: &'s [(String, Value)],
    found: Vec<Found>,
    missing: Vec<Missing>,
    report: &'s mut Report,
}

impl Search<'_> {
    fn look_into(&mut self, value: Value, depth: u8) -> Result<(), ImportError> {
        match value {
            Value::Array(items) if depth < 2 => {
                items.into_iter().try_for_each(|it| self.look_into(it, depth + 1))
            }
            Value::Object(object) => self.look_into_object(object, depth),
            other => Err(self.form(&other)),
        }
    }

    fn look_into_object(
        &mut self,
        mut object: Map<String, Value>,
        depth: u8,
    ) -> Result<(), ImportError> {
        if is_profile(&object) {
            self.take(object);
            return Ok(());
        }
        if object.get("resources").is_some_and(|it| it.is_array() || it.is_object()) {
            return self.template(&object);
        }
        if let Some(list @ Value::Array(_)) = object.remove("value") {
            return self.look_into(list, depth + 1);
        }
        if let Some(body) = example_body(&object) {
            return self.look_into(body, depth + 1);
        }
        if let Some(Value::String(kind)) = object.get("type") {
            self.ignore(&kind.clone(), &object);
            return Ok(());
        }
        Err(self.form(&Value::Object(object)))
    }

    fn form(&self, value: &Value) -> ImportError {
        ImportError::Form { file: self.file.to_owned(), found: kind(value), expected: EXPECTED }
    }

    fn take(&mut self, object: Map<String, Value>) {
        let place = format!("{}, profile {}", self.file, self.found.len() + 1);
        self.found.push(Found { object, place });
    }

    fn ignore(&mut self, kind: &str, object: &Map<String, Value>) {
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
        self.report.unsupported(
            &format!("{}: {name}", self.file),
            format!("a resource of type {kind}"),
            "it is no profile of Traffic Manager",
            "",
        );
    }

    fn template(&mut self, template: &Map<String, Value>) -> Result<(), ImportError> {
        let parameters = Parameters::new(template, self.parameters);
        let expanded = arm::resources(template, &parameters, self.file);
        for it in expanded.open {
            self.report.unsupported(
                &it.place,
                format!("the expression {}", it.expression),
                "what it stands for is known to Azure alone, so it counts as not written",
                "give the endpoint's address or name: --target PROFILE/ENDPOINT=VALUE, or replace the expression",
            );
        }
        self.missing.extend(expanded.missing);
        let mut endpoints = Vec::new();
        for resource in expanded.resources {
            let kind = resource.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            match arm::below_profiles(&kind) {
                Some("") => self.take(resource),
                Some(_) => endpoints.push(resource),
                None => self.ignore(&kind, &resource),
            }
        }
        endpoints.into_iter().for_each(|it| self.attach(it));
        Ok(())
    }

    /// Puts an endpoint that is a resource of its own, `PROFILE/ENDPOINT`, into its profile.
    fn attach(&mut self, mut endpoint: Map<String, Value>) {
        let name = endpoint.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (profile, own) = name.split_once('/').unwrap_or(("", &name));
        let owner = self.found.iter_mut().find(|it| {
            let is_it = |it: &Value| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(profile));
            it.object.get("name").is_some_and(is_it)
        });
        let Some(owner) = owner else {
            self.report.unsupported(
                &format!("{}: {name}", self.file),
                "an endpoint whose profile is not in the template",
                "there is nothing to put it into",
                "import the profile as `az network traffic-manager profile show` gives it",
            );
            return;
        };
        endpoint.insert("name".to_owned(), Value::String(own.to_owned()));
        let properties = owner.object.entry("properties").or_insert_with(|| Map::new().into());
        if let Value::Object(properties) = properties {
            let key = properties.keys().find(|it| it.eq_ignore_ascii_case("endpoints")).cloned();
            let list = properties
                .entry(key.unwrap_or_else(|| "endpoints".to_owned()))
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(Value::Object(endpoint));
            }
        }
    }
}

fn is_profile(object: &Map<String, Value>) -> bool {
    let has = |object: &Map<String, Value>, key: &str| {
        object.keys().any(|it| it.eq_ignore_ascii_case(key))
    };
    let below = object.get("properties").and_then(Value::as_object);
    let is_typed =
        object.get("type").and_then(Value::as_str).and_then(arm::below_profiles) == Some("");
    is_typed
        || has(object, "trafficRoutingMethod")
        || below.is_some_and(|it| has(it, "trafficRoutingMethod"))
}

/// What the examples of the REST API's specification say that the service answers.
fn example_body(object: &Map<String, Value>) -> Option<Value> {
    let responses = object.get("responses")?.as_object()?;
    let response = responses.get("200").or_else(|| responses.get("201"))?;
    response.get("body").cloned()
}
