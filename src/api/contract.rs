//! What the API's description says beyond the types of Rust: the texts that are taken, and which keys go together. Whatever the
//! description allows is taken, unless it makes no sense here and now (404, 409, 422), and what it doesn't allow is refused.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::model::{EndpointStatus, Method, ProfileStatus, RecordType, Role};

/// The name of a site, an endpoint or a token.
const IDENT: &str = "[a-z0-9-]{1,63}";
/// A list of ETags, or `*` (RFC 9110 13.1.1).
const ETAGS: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;
/// The longest name without escapes.
const LONGEST_NAME: usize = 253;
const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const U16: &str =
    "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9]?[0-9]{1,3})";

/// The description with all of it.
pub(super) fn complete(description: &OpenApi) -> Value {
    let mut whole = serde_json::to_value(description).unwrap_or_default();
    for (path, item) in whole["paths"].as_object_mut().into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
            parameters.into_iter().flatten().for_each(|it| parameter(path, it));
            // A body may be missing, and is nothing but an object.
            let body = operation.pointer_mut("/requestBody/content/application~1json/schema");
            if let Some(body) = body
                && let Some(object) = body["oneOf"].as_array().and_then(|it| it.first()).cloned()
            {
                *body = object;
            }
        }
    }
    let schemas = &mut whole["components"]["schemas"];
    for (schema, key, more) in texts() {
        add(&mut schemas[schema]["properties"][key], more);
    }
    add(&mut schemas["TokenRequest"]["properties"]["profiles"]["items"], name());
    let nothing = some_of(&["weight", "priority", "enabled", "forced"]);
    add(&mut schemas["EndpointPatch"], nothing.clone());
    add(&mut schemas["WhatIfSetting"], nothing);
    // What is to be null has to be there.
    add(&mut schemas["ProfilePatch"], json!({"required": ["enabled"]}));
    for key in ["weight", "priority", "enabled", "forced"] {
        not_null(&mut schemas["WhatIfSetting"]["properties"][key]);
    }
    schemas["BatchChange"] = batch_change(&schemas["BatchChange"]);
    for change in schemas["WhatIfChange"]["oneOf"].as_array_mut().into_iter().flatten() {
        add(change, json!({"additionalProperties": false}));
        for (key, value) in change["properties"].as_object_mut().into_iter().flatten() {
            match key.as_str() {
                "method" => add(value, json!({"enum": Method::ALL.map(Method::label)})),
                "set" => {}
                _ => add(value, pattern(&format!("site/{IDENT}|endpoint/{IDENT}(/{IDENT})*"))),
            }
        }
    }
    whole
}

/// A parameter is a text or is not there at all.
fn parameter(path: &str, parameter: &mut Value) {
    let more = match (parameter["in"].as_str(), parameter["name"].as_str()) {
        (Some("header"), Some("If-Match" | "If-None-Match")) => json!({"pattern": ETAGS}),
        (Some("query"), Some("site")) => pattern(IDENT),
        (Some("query"), Some("zone" | "profile" | "name")) => name(),
        (Some("query"), Some("type")) => pattern(&record_type()),
        (Some("query"), Some("client")) => pattern(&client()),
        (Some("query"), Some("after")) if path == "/v1/zones/{zone}/records" => {
            pattern(&format!("{} ({}) [0-9]{{1,5}}", name_text(), record_type()))
        }
        (Some("query"), Some("draw")) => pattern("[0-9]{1,18}:[0-9]{1,18}"),
        (Some("query"), Some("status")) => {
            let profiles = ProfileStatus::ALL.map(ProfileStatus::label);
            let mut all = EndpointStatus::ALL.map(EndpointStatus::label).to_vec();
            all.extend(profiles.into_iter().filter(|it| !all.contains(it)).collect::<Vec<_>>());
            json!({"enum": all})
        }
        _ => json!({}),
    };
    not_null(&mut parameter["schema"]);
    add(&mut parameter["schema"], more);
}

/// What the texts in bodies are like, by schema and key.
fn texts() -> Vec<(&'static str, &'static str, Value)> {
    let why = || json!({"minLength": 1, "pattern": "[^\\s]"});
    let forced = json!({"enum": ["up", "down", null]});
    let mut texts = vec![
        ("EndpointPatch", "forced", forced.clone()),
        ("BatchChange", "forced", forced),
        ("BatchChange", "profile", name()),
        ("BatchChange", "endpoint", pattern(IDENT)),
        ("BatchChange", "site", pattern(IDENT)),
        ("ReportRequest", "reason", visible()),
        ("TokenRequest", "name", pattern(IDENT)),
        ("TokenRequest", "role", json!({"enum": Role::ALL.map(Role::label)})),
        ("WhatIfRequest", "type", json!({"enum": ["A", "AAAA", null]})),
        ("WhatIfRequest", "client", pattern(&client())),
        ("WhatIfSetting", "endpoint", pattern(&format!("{IDENT}(/{IDENT})*"))),
        ("WhatIfSetting", "forced", json!({"enum": ["up", "down"]})),
    ];
    let undoing =
        ["EndpointPatch", "ProfilePatch", "BatchRequest", "DrainRequest", "UndrainRequest"];
    for schema in undoing.into_iter().chain(["FailbackRequest", "SettleRequest"]) {
        texts.push((schema, "override_guardrail", why()));
    }
    for schema in ["EndpointPatch", "ProfilePatch", "BatchRequest", "DrainRequest", "TokenRequest"]
    {
        texts.push((schema, "expires", pattern(&end())));
    }
    texts.extend(undoing.map(|it| (it, "confirm_within", pattern(&span()))));
    texts.extend(["UndrainRequest", "BatchChange"].map(|it| (it, "ramp", pattern(&span()))));
    texts
}

/// A change of a batch is one of several, each with keys of its own.
fn batch_change(schema: &Value) -> Value {
    let of = |keys: &[&str]| -> Map<String, Value> {
        keys.iter().map(|it| ((*it).to_owned(), schema["properties"][it].clone())).collect()
    };
    let variant = |keys: &[&str], required: &[&str]| {
        let mut properties = of(keys);
        for key in required {
            properties.get_mut(*key).into_iter().for_each(not_null);
        }
        json!({
            "type": "object", "additionalProperties": false,
            "properties": properties, "required": required,
        })
    };
    let mut endpoint = variant(
        &["profile", "endpoint", "weight", "priority", "enabled", "forced"],
        &["profile", "endpoint"],
    );
    add(&mut endpoint, some_of(&["weight", "priority", "enabled", "forced"]));
    let mut failback = variant(&["profile", "failback"], &["profile", "failback"]);
    add(&mut failback["properties"]["failback"], json!({"const": true}));
    let profile = variant(&["profile", "enabled"], &["profile"]);
    let profile = with(profile, json!({"required": ["profile", "enabled"]}));
    let mut drain = variant(&["site", "drained"], &["site", "drained"]);
    add(&mut drain["properties"]["drained"], json!({"const": true}));
    let mut undrain = variant(&["site", "drained", "ramp"], &["site", "drained"]);
    add(&mut undrain["properties"]["drained"], json!({"const": false}));
    let all = [endpoint, profile, drain, undrain, failback];
    json!({"description": schema["description"], "oneOf": all})
}

/// At least one of these keys.
fn some_of(keys: &[&str]) -> Value {
    let required: Vec<Value> = keys.iter().map(|it| json!({"required": [it]})).collect();
    json!({"anyOf": required})
}

/// A whole text.
fn pattern(of: &str) -> Value {
    json!({"pattern": format!("^({of})$")})
}

/// A domain name as zone files have it; the dot at its end may be left out.
fn name() -> Value {
    let mut name = pattern(&name_text());
    add(&mut name, json!({"maxLength": LONGEST_NAME}));
    name
}

fn name_text() -> String {
    let octet = r"([\x00-\x2d\x2f-\x5b\x5d-\x7f]|\\[^0-9]|\\([01][0-9]{2}|2[0-4][0-9]|25[0-5]))";
    let octet = octet.replace("[^0-9]", r"[\x00-\x2f\x3a-\x7f]");
    let label = format!("{octet}{{1,63}}");
    format!(r"(\.|{label}(\.{label})*\.?)")
}

fn record_type() -> String {
    let known: Vec<&str> = RecordType::mnemonics().collect();
    format!("{}|TYPE{U16}", known.join("|"))
}

/// An address, or a network.
fn client() -> String {
    let v4 = format!(r"({OCTET}\.){{3}}{OCTET}");
    let group = "[0-9a-fA-F]{1,4}";
    let mut v6 =
        vec![format!("({group}:){{7}}{group}"), format!("({group}:){{1,7}}:"), "::".to_owned()];
    v6.extend((1..7).map(|it| format!("({group}:){{1,{}}}(:{group}){{1,{it}}}", 7 - it)));
    v6.push(format!(":(:{group}){{1,7}}"));
    let v6 = v6.join("|");
    format!("{v4}(/(3[0-2]|[12]?[0-9]))?|({v6})(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?")
}

/// How long something takes.
fn span() -> String {
    let number = "[0-9]{1,6}";
    let [h, m, s, ms] = ["h", "m", "s", "ms"].map(|it| format!("{number}{it}"));
    format!("{h}({m})?({s})?({ms})?|{m}({s})?({ms})?|{s}({ms})?|{ms}")
}

/// How long from now on, or a time in RFC 3339.
fn end() -> String {
    let span = span();
    let day = "(0[1-9]|1[0-9]|2[0-8])";
    let date = format!(
        "[1-9][0-9]{{3}}-((0[1-9]|1[0-2])-{day}|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    );
    let hour = "([01][0-9]|2[0-3])";
    let time = format!(r"{hour}:[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,9}})?(Z|[+-]{hour}:[0-5][0-9])");
    format!("{span}|{date}T{time}")
}

/// What has no place on a line for people, as `is_hidden` tells it.
fn visible() -> Value {
    let hidden = "\u{0}-\u{1f}\u{7f}-\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\
                  \u{2060}-\u{206f}\u{feff}\u{fff9}-\u{fffb}\u{e0000}-\u{e007f}";
    json!({"pattern": format!("^[^{hidden}]*$")})
}

fn with(mut schema: Value, more: Value) -> Value {
    add(&mut schema, more);
    schema
}

fn add(schema: &mut Value, more: Value) {
    if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
        schema.extend(more);
    }
}

fn not_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array().cloned() {
        let types: Vec<Value> = types.into_iter().filter(|it| it != "null").collect();
        schema["type"] = types.into_iter().next().unwrap_or_default();
    }
}
