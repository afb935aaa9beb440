//! Custom resources: their definitions, and descriptions that are put together from them.

use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::super::resources;
use super::*;

fn definitions() -> [(&'static str, Value); 5] {
    let json = |it: Result<Value, _>| it.unwrap();
    [
        ("sites", json(serde_json::to_value(resources::Site::crd()))),
        ("fleetapps", json(serde_json::to_value(resources::FleetApp::crd()))),
        ("rollouts", json(serde_json::to_value(resources::Rollout::crd()))),
        ("sitedrains", json(serde_json::to_value(resources::SiteDrain::crd()))),
        ("trafficprofiles", json(serde_json::to_value(resources::TrafficProfile::crd()))),
    ]
}

#[test]
fn crds_are_what_the_types_say() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/crds");
    let update = std::env::var_os("UPDATE_CRDS").is_some();
    for (name, definition) in definitions() {
        let head = "# Generated from Farol's types: UPDATE_CRDS=1 cargo test --lib crds\n";
        let rendered = format!("{head}{}", serde_saphyr::to_string(&definition).unwrap());
        let file = directory.join(format!("{name}.yaml"));
        if update {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&file, &rendered).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            rendered == written,
            "{name} is out of date; run UPDATE_CRDS=1 cargo test --lib crds"
        );
    }
}

/// Every schema in a schema, with the way to it and whether it stands in a choice.
fn each(schema: &Value, way: &str, choice: bool, see: &mut dyn FnMut(&Value, &str, bool)) {
    see(schema, way, choice);
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        each(inner, &format!("{way}.{key}"), choice, see);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|it| it.is_object()) {
            each(inner, &format!("{way}[]"), choice, see);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for inner in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            each(inner, &format!("{way}|"), true, see);
        }
    }
}

#[test]
fn crds_have_structural_schemas_with_a_description_of_every_key() {
    for (name, definition) in definitions() {
        let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap();
        each(schema, name, false, &mut |schema, way, choice| {
            let has = |key: &str| schema.get(key).is_some();
            // Of a status kube says so itself.
            assert!(!has("nullable") || way.ends_with(".status"), "{way} may be null");
            for forbidden in [
                "x-write",
                "x-hidden",
                "x-short",
                "format",
                "$ref",
                "uniqueItems",
                "patternProperties",
                "const",
            ] {
                assert!(!has(forbidden), "{way} has {forbidden}");
            }
            if choice {
                let keys: Vec<&String> = schema.as_object().unwrap().keys().collect();
                assert_eq!(keys, ["required"], "{way}");
                return;
            }
            assert!(
                schema.get("type").is_some_and(Value::is_string),
                "{way} has no type: {schema}"
            );
            assert!(!(has("properties") && has("additionalProperties")), "{way}");
            // Items and values of maps are described by what holds them.
            assert!(has("description") || way.ends_with("[]"), "{way} has no description");
        });
    }
}

#[test]
fn crds_have_the_rules_that_no_schema_says() {
    let rules: Vec<String> = definitions()
        .iter()
        .flat_map(|(name, definition)| {
            let mut rules = Vec::new();
            each(
                definition.pointer("/spec/versions/0/schema/openAPIV3Schema").unwrap(),
                name,
                false,
                &mut |schema, way, _| {
                    let own = schema.get("x-kubernetes-validations").and_then(Value::as_array);
                    rules.extend(
                        own.into_iter()
                            .flatten()
                            .map(|it| format!("{way}: {}", it["rule"].as_str().unwrap())),
                    );
                },
            );
            rules
        })
        .collect();
    assert_eq!(
        rules,
        [
            "fleetapps.spec: has(self.source.helm) || !has(self.valuesFrom)",
            "fleetapps.spec.autoscale[]: self.min <= self.max",
            "rollouts.spec: self.ramp[self.ramp.size() - 1] == 100",
            "sitedrains.spec.site: self == oldSelf",
        ]
    );
}

fn resource<T: serde::de::DeserializeOwned>(kind: &str, name: &str, spec: &Value) -> T {
    serde_json::from_value(json!({
        "apiVersion": "farol.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": "farol"}, "spec": spec,
    }))
    .unwrap()
}

/// What a file says that leaves the rest to resources.
fn base(keys: &str) -> Base {
    let text = format!("resources: {{ cluster: {{ in_cluster: true }} }}\n{keys}");
    match Description::parse(Path::new("fleet.yaml"), &text) {
        Ok(Description::InCluster(base)) => base,
        other => panic!("{other:?}"),
    }
}

/// The example, cut into resources, is the example again.
#[test]
fn a_description_comes_from_crds_as_from_a_file() {
    let mut wanted = good(EXAMPLE);
    let json = serde_json::to_value(&wanted).unwrap();
    let part = |key: &str, name: &str| {
        let items = json[key].as_array().unwrap();
        let mut spec = items.iter().find(|it| it["name"] == name).unwrap().clone();
        spec.as_object_mut().unwrap().shift_remove("name");
        spec
    };
    let site = |name: &str| resource("Site", name, &part("sites", name));
    let app = |name: &str| resource("FleetApp", name, &part("apps", name));
    let rollout = [resource("Rollout", "fleet", &json["rollout"])];
    let keys = ["monitoring", "drift"].map(|it| format!("{it}: {}\n", json[it])).concat();
    let described = base(&keys).with(
        vec![site("seattle"), site("orlando")],
        vec![app("ratings"), app("agent")],
        &rollout,
    );
    let fleet = described.unwrap_or_else(|problems| panic!("{problems}")).fleet;
    wanted.sites.sort_by(|a, b| a.name.cmp(&b.name));
    wanted.apps.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(fleet, wanted);
}

#[test]
fn crds_are_checked_as_files_are() {
    let site = |name: &str, cluster: Value| resource("Site", name, &json!({"cluster": cluster}));
    let app = resource(
        "FleetApp",
        "shop",
        &json!({
            "namespace": "shop", "source": {"manifests": "/a", "helm": {"chart": "/b"}},
            "overrides": {"west": {}}, "autoscale": [{"target": "Deployment/web", "cpu": 80, "min": 3, "max": 2}],
        }),
    );
    let problems = base("")
        .with(
            vec![
                site("a", json!({"in_cluster": true})),
                site("b.c", json!({"kubeconfig": {"path": "/k", "contxt": "x"}})),
            ],
            vec![app],
            &[],
        )
        .unwrap_err()
        .to_string();
    let expected = [
        "FleetApp farol/shop: apps[shop].source: has `manifests` and `helm`, which exclude each other; keep one of them",
        "FleetApp farol/shop: apps[shop].overrides.west: no such site; add it to `sites`, or name another",
        "FleetApp farol/shop: apps[shop].autoscale[#1].min: found 3; is more than `max`; write a whole number from 1 to 2",
        "Site farol/b.c: sites[b.c].name: found \"b.c\"; write 1 to 63 of a-z, 0-9 and `-`",
        "Site farol/b.c: sites[b.c].cluster.kubeconfig.contxt: no such key; did you mean `context`?",
    ];
    let mut found: Vec<&str> = problems.lines().collect();
    found.sort_unstable();
    let mut wanted = expected.to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);

    let rollout = |name| resource("Rollout", name, &json!({}));
    let problems = base("").with(
        vec![site("a", json!({"in_cluster": true}))],
        vec![],
        &[rollout("a"), rollout("b")],
    );
    assert_eq!(
        problems.unwrap_err().to_string(),
        "Rollout farol/b: is a second one; keep one of them"
    );
}

#[test]
fn drains_and_profiles_are_what_they_say() {
    let drain: resources::SiteDrain = resource("SiteDrain", "a", &json!({"site": "seattle"}));
    assert_eq!(
        (drain.spec.site, drain.spec.expires_after),
        (ident("seattle"), Span::seconds(3600))
    );
    let profile: resources::TrafficProfile = resource(
        "TrafficProfile",
        "a",
        &json!({
            "name": "app.gtm.example.", "method": "weighted", "endpoints": [{"name": "seattle", "site": "seattle"}],
            "monitor": {"path": "/ready", "interval": "10s"},
        }),
    );
    assert_eq!((profile.spec.ttl, profile.spec.endpoints[0].weight), (30, 1));
}
