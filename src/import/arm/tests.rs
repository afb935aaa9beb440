use proptest::prelude::*;
use serde_json::json;

use super::*;

fn template() -> Value {
    json!({
        "parameters": {
            "dns": { "type": "string" },
            "count": { "type": "int", "defaultValue": 2 },
            "prefix": { "type": "string", "defaultValue": "[toLower('WWW')]" },
        },
        "variables": {
            "name": "[format('{0}-tm', parameters('prefix'))]",
            "list": ["a", "b"],
            "table": { "ttl": 30 },
            "circle": "[variables('circle')]",
        },
    })
}

/// What an expression is worth; `dns` has the value `shop`.
fn worth(text: &str) -> Result<Value, Stop> {
    let template = template();
    let given = [("DNS".to_owned(), json!("shop"))];
    let parameters = Parameters::new(template.as_object().unwrap(), &given);
    let loops = [("outer".to_owned(), 4), ("inner".to_owned(), 1)];
    Scope { parameters: &parameters, loops: &loops, depth: 0 }.text(text)
}

#[test]
fn expressions_have_values() {
    for (text, expected) in [
        ("plain", json!("plain")),
        ("[[not one]", json!("[not one]")),
        ("[parameters('dns')]", json!("shop")),
        ("[parameters('count')]", json!(2)),
        ("[ variables( 'name' ) ]", json!("www-tm")),
        ("[variables('table').ttl]", json!(30)),
        ("[variables('list')[1]]", json!("b")),
        ("[concat('a', 1, '-', parameters('dns'))]", json!("a1-shop")),
        ("[concat(variables('list'), createArray('c'))]", json!(["a", "b", "c"])),
        ("[format('{{{0}}} {1}', 'x', 7)]", json!("{x} 7")),
        ("[copyIndex()]", json!(1)),
        ("[copyIndex(3)]", json!(4)),
        ("[copyIndex('outer', 1)]", json!(5)),
        ("[range(3, 2)[copyIndex('inner')]]", json!(4)),
        ("[if(equals(parameters('count'), 2), 'two', reference('x'))]", json!("two")),
        ("[add(mul(2, 3), -1)]", json!(5)),
        ("['it''s']", json!("it's")),
        ("[last(split('a/b/c', '/'))]", json!("c")),
        (
            "[resourceId('Microsoft.Network/trafficManagerProfiles', 'eu')]",
            json!(
                "/subscriptions/-/resourceGroups/-/providers/Microsoft.Network/trafficManagerProfiles/eu"
            ),
        ),
    ] {
        assert_eq!(worth(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_has_no_value_says_why() {
    for (text, why) in [
        ("[parameters('dns2')]", "Missing(\"dns2\")"),
        ("[reference('x').fqdn]", "reference(), which takes more than the template"),
        ("[resourceGroup().location]", "resourceGroup()"),
        ("[variables('circle')]", "goes in circles"),
        ("[variables('none')]", "knows no variable none"),
        ("[variables('list')[7]]", "has nothing at 7"),
        ("[variables('table').x]", "has nothing called x"),
        ("[concat('a'", ""),
        ("[concat('a']", "lacks ','"),
        ("['a]", "a text has no end"),
        ("[a b]", "lacks '('"),
        ("[1 2]", "goes on with '2'"),
        ("[]", "ends too early"),
        ("[div(1, 0)]", "doesn't take"),
        ("[range(0, 99999999)]", "doesn't take"),
        ("[format('{0}')]", "doesn't take"),
        ("[copyIndex('none')]", "no such loop"),
    ] {
        match worth(text) {
            Err(stop) => assert!(format!("{stop:?}").contains(why), "{text}: {stop:?}"),
            Ok(value) => assert!(why.is_empty(), "{text}: {value}"),
        }
    }
    let deep = format!("[{}1{}]", "int(".repeat(5000), ")".repeat(5000));
    assert!(format!("{:?}", worth(&deep)).contains("nested too deep"));
    let long = format!("[variables('table'){}]", ".x".repeat(5000));
    assert!(format!("{:?}", worth(&long)).contains("nested too deep"));
}

#[test]
fn loops_conditions_and_children_are_unrolled() {
    let kind = "Microsoft.Network/trafficManagerProfiles";
    let template = json!({
        "resources": [
            {
                "type": kind, "name": "[concat('p', copyIndex())]",
                "copy": { "name": "profiles", "count": 2 },
                "properties": { "copy": [{
                    "name": "endpoints", "count": 2,
                    "input": { "name": "[concat('e', copyIndex('profiles'), copyIndex('endpoints'))]" },
                }]},
                "resources": [{ "type": "externalEndpoints", "name": "own" }],
            },
            { "type": kind, "name": "never", "condition": "[equals(1, 2)]" },
            { "type": "Microsoft.Web/sites", "name": "[uniqueString('x')]", "properties": {} },
            { "type": format!("{kind}/azureEndpoints"), "name": "p0/apart", "properties": { "target": "[reference('x')]" } },
        ],
    });
    let template = template.as_object().unwrap();
    let expanded = resources(template, &Parameters::new(template, &[]), "t.json");
    let names: Vec<&str> =
        expanded.resources.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["p0", "p0/own", "p1", "p1/own", "[uniqueString('x')]", "p0/apart"]);
    assert_eq!(expanded.resources[1]["type"], format!("{kind}/externalEndpoints"));
    let endpoints = &expanded.resources[2]["properties"]["endpoints"];
    assert_eq!(*endpoints, json!([{ "name": "e10" }, { "name": "e11" }]));
    let open: Vec<&str> = expanded.open.iter().map(|it| it.place.as_str()).collect();
    assert_eq!(open, ["t.json: never", "t.json: p0/apart: properties.target"]);
    assert!(expanded.missing.is_empty());
}

#[test]
fn only_traffic_managers_types_count() {
    for (kind, expected) in [
        ("Microsoft.Network/trafficManagerProfiles", Some("")),
        ("microsoft.network/TRAFFICMANAGERPROFILES/ExternalEndpoints", Some("ExternalEndpoints")),
        ("Microsoft.Network/trafficManagerProfilesX", None),
        ("Microsoft.Web/sites", None),
        ("é", None),
    ] {
        assert_eq!(below_profiles(kind), expected, "{kind}");
    }
}

proptest! {
    /// Whatever stands in brackets has a value or says why not.
    #[test]
    fn any_text_is_read(text in "\\[[a-z'(){}.,0-9\\[\\]é -]{0,40}\\]?", form in "[{}0-9é:]{0,12}") {
        let _ = worth(&text);
        let _ = worth(&format!("[format('{form}', 'x')]"));
    }
}
