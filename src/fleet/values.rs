//! The values that an app is rendered with on a site: those of all sites, the site's own, and those that stand elsewhere since they are
//! secrets.

use std::{env, fmt};

use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::cluster::{Cluster, ClusterError, Resource};
use super::object::GroupKind;
use super::render::Target;
use super::site::{PlanError, Reached};
use super::spec::{self, App};
use crate::settings::read_file;

/// The octets that a file with values may have.
const LONGEST: u64 = 16 * 1024 * 1024;

/// What an app is rendered for on a site.
///
/// # Errors
/// When a value can't be had.
pub(super) async fn target(reached: &Reached, app: &App) -> Result<Target, PlanError> {
    let mut values = match &app.source {
        spec::Source::Helm(helm) => Value::Object(helm.values.clone()),
        _ => Value::Null,
    };
    if let Some(own) = app.overrides.get(&reached.site.name).filter(|it| !it.values.is_empty()) {
        merge(&mut values, Value::Object(own.values.clone()));
    }
    let mut secrets = Vec::new();
    for it in &app.values_from {
        let text = value_text(reached, app, &it.from).await?;
        let value = match &it.at {
            Some(path) => {
                secrets.push(text.clone());
                at_path(path, Value::String(text))
            }
            None => serde_saphyr::from_str(&text).map_err(|error| {
                PlanError::Values(format!("is no YAML: {}", error.without_snippet()))
            })?,
        };
        texts(&value, &mut secrets);
        merge(&mut values, value);
    }
    Ok(Target {
        site: reached.site.name.to_string(),
        namespace: app.namespace.clone(),
        kubernetes: reached.version.full.clone(),
        apis: reached.apis.names().into_iter().collect(),
        values,
        secrets,
    })
}

async fn value_text(
    reached: &Reached,
    app: &App,
    from: &spec::ValuesSource,
) -> Result<String, PlanError> {
    match from {
        spec::ValuesSource::File(path) => {
            let unreadable = |why: &dyn fmt::Display| {
                PlanError::Values(format!("{} can't be read: {why}", path.display()))
            };
            let own = path.clone();
            let read = spawn_blocking(move || read_file(&own, LONGEST)).await;
            let read = read.map_err(|it| unreadable(&it))?.map_err(|it| unreadable(&it))?;
            String::from_utf8(read).map_err(|_| unreadable(&"it is not UTF-8"))
        }
        spec::ValuesSource::Env(name) => env::var(name)
            .map_err(|_| PlanError::Values(format!("the environment has no {name}; set it"))),
        spec::ValuesSource::Secret(it) => {
            let namespace = it.namespace.as_deref().unwrap_or(&app.namespace);
            Ok(secret_text(&reached.cluster, namespace, &it.name, &it.key).await?)
        }
    }
}

/// Lays values over others. A null stays, since it takes away what the chart itself says.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

/// `a.b` and a value: `{"a": {"b": value}}`.
fn at_path(path: &str, value: Value) -> Value {
    path.rsplit('.')
        .fold(value, |value, key| Value::Object(Map::from_iter([(key.to_owned(), value)])))
}

/// Every text in some values.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|it| texts(it, found)),
        Value::Object(map) => map.values().for_each(|it| texts(it, found)),
        _ => {}
    }
}

/// The text under a key of a Secret.
pub(super) async fn secret_text(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    key: &str,
) -> Result<String, ClusterError> {
    let missing = |what: String| ClusterError::NotFound(what);
    let shown = format!("Secret {namespace}/{name}");
    let resource = Resource {
        kind: GroupKind::new("", "Secret"),
        version: "v1".to_owned(),
        plural: "secrets".to_owned(),
        namespaced: true,
    };
    let secret = cluster.get(&resource, Some(namespace), name).await?;
    let secret = secret.ok_or_else(|| missing(shown.clone()))?;
    let text = secret.at("/data").and_then(|it| it.get(key)).and_then(Value::as_str);
    let text = text.ok_or_else(|| missing(format!("{shown} has no key {key}")))?;
    let octets = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
    let text = octets.ok().and_then(|it| String::from_utf8(it).ok());
    text.ok_or_else(|| ClusterError::Garbled(format!("{key} of {shown} is no text")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn later_values_win_and_null_stays() {
        let mut values = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut values, json!({"a": {"c": null, "e": 3}, "d": [2]}));
        assert_eq!(values, json!({"a": {"b": 1, "c": null, "e": 3}, "d": [2]}));
        assert_eq!(at_path("a.b", json!(1)), json!({"a": {"b": 1}}));
    }
}
