//! Reading, applying and deleting objects of any kind.

use http::{Request, header};
use serde_json::{Value, json};

use super::client::unsendable;
use super::{Cluster, ClusterError, Resource};
use crate::fleet::object::{Object, PART_OF};

/// Objects to a page of a list.
const PAGE: usize = 500;

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apply<'a> {
    /// The field manager: whose fields they become.
    pub manager: &'a str,
    /// Whether fields of other managers are taken over.
    pub force: bool,
    /// Whether the server only says what would come of it.
    pub dry_run: bool,
}

/// Which object exactly is deleted: none that has the same name, or has changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its UID.
    pub uid: String,
    /// Its version when it was looked at.
    pub resource_version: String,
    /// The set that it says it belongs to.
    pub set: Option<String>,
}

impl Cluster {
    /// One object, if it is there.
    ///
    /// # Errors
    /// When that can't be told.
    pub async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Object>, ClusterError> {
        match self.json(&format!("{}/{name}", resource.path(namespace))).await {
            Ok(json) => object(json).map(Some),
            Err(ClusterError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a Service of the cluster (`name:port`) answers at a path, asked through the API server.
    ///
    /// # Errors
    /// When it doesn't answer with JSON.
    pub async fn proxied(
        &self,
        namespace: &str,
        service: &str,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> Result<Value, ClusterError> {
        let services = format!("/api/v1/namespaces/{namespace}/services");
        self.json(&format!("{services}/{service}/proxy/{path}?{}", query(pairs))).await
    }

    /// All objects of a kind, in a namespace or in all, that a label selector takes.
    ///
    /// # Errors
    /// When they can't be listed.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<Object>, ClusterError> {
        let mut objects = Vec::new();
        let mut token = String::new();
        loop {
            let limit = PAGE.to_string();
            let pairs = [
                ("limit", limit.as_str()),
                ("labelSelector", selector.unwrap_or_default()),
                ("continue", &token),
            ];
            let path = format!("{}?{}", resource.path(namespace), query(&pairs));
            let mut page = self.json(&path).await?;
            token = page
                .pointer("/metadata/continue")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                return Err(ClusterError::Garbled(format!("{path} is no list")));
            };
            for mut item in items {
                // Items of a list don't say what they are.
                if let Value::Object(map) = &mut item {
                    map.insert("apiVersion".to_owned(), resource.api_version().into());
                    map.insert("kind".to_owned(), resource.kind.kind.clone().into());
                }
                objects.push(object(item)?);
            }
            if token.is_empty() {
                return Ok(objects);
            }
        }
    }

    /// Applies an object (server-side). Gives what it is then.
    ///
    /// # Errors
    /// When the server doesn't take it.
    pub async fn apply(
        &self,
        resource: &Resource,
        wanted: &Object,
        how: Apply<'_>,
    ) -> Result<Object, ClusterError> {
        let query = query(&[
            ("fieldManager", how.manager),
            ("force", if how.force { "true" } else { "false" }),
            // From 1.25 on; older servers drop unknown fields of custom resources silently.
            ("fieldValidation", "Strict"),
            ("dryRun", if how.dry_run { "All" } else { "" }),
        ]);
        let path = format!("{}/{}?{query}", resource.path(wanted.namespace()), wanted.name());
        let body = serde_json::to_vec(wanted.json()).map_err(unreadable)?;
        let request =
            Request::patch(path).header(header::CONTENT_TYPE, "application/apply-patch+yaml");
        let request = request.body(body).map_err(unsendable)?;
        object(if how.dry_run { self.ask(request).await? } else { self.send(request).await? })
    }

    /// Applies the status of an object that is there (server-side), which is all that `wanted` has beside its name; fields of others are taken over.
    ///
    /// # Errors
    /// When the server doesn't take it.
    pub async fn apply_status(
        &self,
        resource: &Resource,
        wanted: &Object,
        manager: &str,
    ) -> Result<(), ClusterError> {
        let query = query(&[("fieldManager", manager), ("force", "true")]);
        let place = resource.path(wanted.namespace());
        let body = serde_json::to_vec(wanted.json()).map_err(unreadable)?;
        let request = Request::patch(format!("{place}/{}/status?{query}", wanted.name()))
            .header(header::CONTENT_TYPE, "application/apply-patch+yaml");
        self.send(request.body(body).map_err(unsendable)?).await.map(drop)
    }

    /// Makes an object as it stands. It being there already is fine.
    ///
    /// # Errors
    /// When the server doesn't take it.
    pub async fn create(&self, resource: &Resource, wanted: &Object) -> Result<(), ClusterError> {
        let body = serde_json::to_vec(wanted.json()).map_err(unreadable)?;
        let request = Request::post(resource.path(wanted.namespace()));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        match self.send(request.body(body).map_err(unsendable)?).await {
            Ok(_) | Err(ClusterError::Changed(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Replaces an object as it was read, with its `resourceVersion`.
    ///
    /// # Errors
    /// When the server doesn't take it, or it has changed meanwhile.
    pub async fn replace(
        &self,
        resource: &Resource,
        wanted: &Object,
        manager: &str,
    ) -> Result<(), ClusterError> {
        let place = resource.path(wanted.namespace());
        let path = format!("{place}/{}?{}", wanted.name(), query(&[("fieldManager", manager)]));
        let body = serde_json::to_vec(wanted.json()).map_err(unreadable)?;
        let request = Request::put(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body).map_err(unsendable)?).await.map(drop)
    }

    /// Changes an object by a JSON patch (RFC 6902), whose first operation should test what it builds on.
    ///
    /// # Errors
    /// When the server doesn't take it, or a test fails.
    pub async fn patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        manager: &str,
    ) -> Result<Object, ClusterError> {
        let path =
            format!("{}/{name}?{}", resource.path(namespace), query(&[("fieldManager", manager)]));
        let request =
            Request::patch(path).header(header::CONTENT_TYPE, "application/json-patch+json");
        let body = serde_json::to_vec(patch).map_err(unreadable)?;
        object(self.send(request.body(body).map_err(unsendable)?).await?)
    }

    /// Deletes exactly this object, and what it owns in the background. It being gone already is fine.
    ///
    /// # Errors
    /// When the server doesn't, or it is another object now.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        which: &Deletion,
    ) -> Result<(), ClusterError> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": which.uid, "resourceVersion": which.resource_version},
        });
        let path = format!("{}/{name}", resource.path(namespace));
        let request = Request::delete(path).header(header::CONTENT_TYPE, "application/json");
        let body = options.to_string().into_bytes();
        match self.send(request.body(body).map_err(unsendable)?).await {
            Ok(_) | Err(ClusterError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Deletion {
    /// This object as it was read.
    pub fn of(object: &Object) -> Self {
        let text = |pointer: &str| {
            object.at(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        Self {
            uid: text("/metadata/uid"),
            resource_version: text("/metadata/resourceVersion"),
            set: object.label(PART_OF).map(str::to_owned),
        }
    }
}

fn object(json: Value) -> Result<Object, ClusterError> {
    Object::new(json).map_err(|it| ClusterError::Garbled(format!("an object {it}")))
}

fn unreadable(error: serde_json::Error) -> ClusterError {
    ClusterError::Refused(error.to_string())
}

/// A query of those of these pairs that have a value, for the end of a path.
fn query(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs.iter().filter(|it| !it.1.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
