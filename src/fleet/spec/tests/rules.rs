//! The rules of the custom resources' definitions (CEL), which servers from Kubernetes 1.25 on evaluate: by another implementation of the
//! language, on the definitions as they are committed. What a rule refuses, Farol refuses too, and says so of the same key.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::{Context, Program};
use serde_json::Value;

use super::crds::{base, resource};
use super::*;

/// The committed definitions by kind, each with the schema of its `spec`.
fn specs() -> BTreeMap<String, Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crds");
    let files = std::fs::read_dir(directory).unwrap();
    let spec = |file: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let definition: Value = serde_saphyr::from_str(&text).unwrap();
        let kind = definition.pointer("/spec/names/kind").and_then(Value::as_str).unwrap();
        let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        (kind.to_owned(), definition.pointer(schema).unwrap().clone())
    };
    files.map(spec).collect()
}

/// The rules at a place of a schema, each with its message.
fn rules(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let own = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    own.into_iter()
        .flatten()
        .map(|it| (it["rule"].as_str().unwrap(), it["message"].as_str().unwrap()))
}

/// The schemas in a schema, each with the key that leads there; none for what a list or a mapping holds.
fn inner(schema: &Value) -> impl Iterator<Item = (Option<&str>, &Value)> {
    let keys = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let held = ["items", "additionalProperties"].into_iter().filter_map(|it| schema.get(it));
    keys.map(|(key, it)| (Some(key.as_str()), it))
        .chain(held.filter(|it| it.is_object()).map(|it| (None, it)))
}

/// What a server makes of a value before it evaluates rules: what isn't written is as the schema says.
fn defaulted(schema: &Value, value: &mut Value) {
    for (key, schema) in inner(schema) {
        match (key, &mut *value) {
            (Some(key), Value::Object(object)) => {
                if let Some(default) = schema.get("default").filter(|_| !object.contains_key(key)) {
                    object.insert(key.to_owned(), default.clone());
                }
                if let Some(value) = object.get_mut(key) {
                    defaulted(schema, value);
                }
            }
            (None, Value::Object(object)) => {
                object.values_mut().for_each(|it| defaulted(schema, it))
            }
            (None, Value::Array(items)) => items.iter_mut().for_each(|it| defaulted(schema, it)),
            _ => {}
        }
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(it) => cel::Value::Bool(*it),
        // An `integer` is an int, whatever its sign.
        Value::Number(it) => {
            it.as_i64().map_or_else(|| cel::Value::Float(it.as_f64().unwrap()), cel::Value::Int)
        }
        Value::String(it) => it.as_str().into(),
        Value::Array(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(object) => {
            let entries = object.iter().map(|(key, it)| (key.clone(), to_cel(it)));
            cel::Value::Map(entries.collect::<HashMap<_, _>>().into())
        }
    }
}

/// What the rules say of a value: each with whether it holds, as a server evaluates them at its place. Those that compare with what was
/// there before are evaluated only where something was.
fn evaluate(
    schema: &Value,
    value: &Value,
    old: Option<&Value>,
    verdicts: &mut Vec<(String, bool)>,
) {
    for (rule, message) in rules(schema) {
        let program = Program::compile(rule).unwrap();
        let mut context = Context::default();
        context.add_variable_from_value("self", to_cel(value));
        match old {
            Some(old) => context.add_variable_from_value("oldSelf", to_cel(old)),
            None if program.references().has_variable("oldSelf") => continue,
            None => {}
        }
        let verdict =
            program.execute(&context).unwrap_or_else(|it| panic!("{rule} of {value}: {it}"));
        let cel::Value::Bool(holds) = verdict else { panic!("{rule} gives {verdict:?}") };
        verdicts.push((message.to_owned(), holds));
    }
    for (key, schema) in inner(schema) {
        match (key, value) {
            (Some(key), Value::Object(object)) => {
                if let Some(value) = object.get(key) {
                    evaluate(schema, value, old.and_then(|it| it.get(key)), verdicts);
                }
            }
            // Items of lists have no name, so nothing tells which was which.
            (None, Value::Object(object)) => object.iter().for_each(|(key, it)| {
                evaluate(schema, it, old.and_then(|it| it.get(key)), verdicts)
            }),
            (None, Value::Array(items)) => {
                items.iter().for_each(|it| evaluate(schema, it, None, verdicts))
            }
            _ => {}
        }
    }
}

/// What the rules of a kind say of a `spec`.
fn verdicts(kind: &str, spec: &str, old: Option<&str>) -> Vec<(String, bool)> {
    let schema = &specs()[kind];
    let read = |text: &str| {
        let mut value: Value = serde_saphyr::from_str(text).unwrap();
        defaulted(schema, &mut value);
        value
    };
    let mut verdicts = Vec::new();
    evaluate(schema, &read(spec), old.map(read).as_ref(), &mut verdicts);
    verdicts
}

fn every_rule(schema: &Value, see: &mut dyn FnMut(&str, &str)) {
    rules(schema).for_each(|(rule, message)| see(rule, message));
    inner(schema).for_each(|it| every_rule(it.1, see));
}

#[test]
fn every_rule_is_one() {
    for (kind, schema) in specs() {
        every_rule(&schema, &mut |rule, _| {
            let program =
                Program::compile(rule).unwrap_or_else(|it| panic!("{kind}: {rule}: {it}"));
            let references = program.references();
            let unknown = |it: &&str| !["self", "oldSelf"].contains(it);
            let unknown: Vec<&str> = references.variables().into_iter().filter(unknown).collect();
            assert!(unknown.is_empty(), "{kind}: {rule} names {unknown:?}");
        });
    }
}

/// What Farol says of an object of a kind, beside two sites.
fn complaints(kind: &str, spec: &str) -> String {
    let read = |text: &str| -> Value { serde_saphyr::from_str(text).unwrap() };
    let site = |name: &str| {
        resource("Site", name, &read(&format!("cluster: {{ kubeconfig: {{ path: /{name} }} }}")))
    };
    let (mut apps, mut rollouts) = (Vec::new(), Vec::new());
    match kind {
        "FleetApp" => apps.push(resource(kind, "shop", &read(spec))),
        _ => rollouts.push(resource(kind, "fleet", &read(spec))),
    }
    let clusters = ["seattle", "orlando"].map(site).to_vec();
    match base("").with(clusters, apps, &rollouts) {
        Ok(_) => String::new(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn what_a_rule_refuses_farol_refuses_and_the_other_way_round() {
    const ENDS: &str = "ramp must end at 100";
    const GOES: &str = "valuesFrom goes with source.helm";
    const MOST: &str = "min must be at most max";
    let mut seen = BTreeMap::<String, [bool; 2]>::new();
    for (kind, spec, message, key) in [
        ("Rollout", "{}", ENDS, ""),
        ("Rollout", "ramp: [100]", ENDS, ""),
        ("Rollout", "ramp: [10, 50, 100]", ENDS, ""),
        ("Rollout", "ramp: [10, 50]", ENDS, "rollout.ramp[#2]"),
        ("Rollout", "ramp: [99]", ENDS, "rollout.ramp[#1]"),
        ("FleetApp", "source: { manifests: /a }", GOES, ""),
        ("FleetApp", "source: { kustomize: /a }\nvaluesFrom: []", GOES, "apps[shop].valuesFrom"),
        ("FleetApp", "source: { helm: { chart: /a } }\nvaluesFrom: [{ file: /b }]", GOES, ""),
        ("FleetApp", "source: { helm: { chart: /a } }", GOES, ""),
        (
            "FleetApp",
            "source: { manifests: /a }\nvaluesFrom: [{ file: /b }]",
            GOES,
            "apps[shop].valuesFrom",
        ),
        (
            "FleetApp",
            "source: { kustomize: /a }\nvaluesFrom: [{ env: B, at: b }]",
            GOES,
            "apps[shop].valuesFrom",
        ),
        (
            "FleetApp",
            "source: { manifests: /a }\nautoscale: [{ target: Deployment/web, cpu: 80, max: 2 }]",
            MOST,
            "",
        ),
        (
            "FleetApp",
            "source: { manifests: /a }\nautoscale: [{ target: Deployment/web, cpu: 80, min: 2, max: 2 }]",
            MOST,
            "",
        ),
        (
            "FleetApp",
            "source: { manifests: /a }\nautoscale: [{ target: Deployment/web, cpu: 80, max: 2 }, { target: Deployment/api, cpu: 80, min: 3, max: 2 }]",
            MOST,
            "apps[shop].autoscale[#2].min",
        ),
    ] {
        let spec =
            if kind == "FleetApp" { format!("namespace: shop\n{spec}") } else { spec.to_owned() };
        let said = verdicts(kind, &spec, None);
        let about: Vec<bool> = said.iter().filter(|it| it.0 == message).map(|it| it.1).collect();
        assert!(!about.is_empty(), "{message}: {spec}");
        let refused: Vec<&String> = said.iter().filter(|it| !it.1).map(|it| &it.0).collect();
        let complaints = complaints(kind, &spec);
        if key.is_empty() {
            assert_eq!((refused.len(), &*complaints), (0, ""), "{refused:?} {spec}");
        } else {
            assert_eq!(refused, [message], "{spec}");
            let is_about =
                complaints.lines().count() == 1 && complaints.contains(&format!(": {key}: "));
            assert!(is_about, "{spec}: {complaints}");
        }
        about
            .into_iter()
            .for_each(|it| seen.entry(message.to_owned()).or_default()[usize::from(it)] = true);
    }
    // A drain's site stays; what was there before has a say only in a change.
    for (old, holds) in
        [(None, vec![]), (Some("site: a"), vec![true]), (Some("site: b"), vec![false])]
    {
        let said = verdicts("SiteDrain", "site: a", old);
        assert_eq!(said.iter().map(|it| it.1).collect::<Vec<_>>(), holds, "{old:?}");
        said.into_iter().for_each(|it| seen.entry(it.0).or_default()[usize::from(it.1)] = true);
    }
    for schema in specs().values() {
        every_rule(schema, &mut |rule, message| {
            assert_eq!(seen.get(message), Some(&[true, true]), "{rule} has both verdicts above");
        });
    }
}
