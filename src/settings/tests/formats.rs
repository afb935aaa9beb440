//! What holds for YAML and JSON beside TOML: the same tree, and nothing in it that means something else than it says.

use serde_json::json;

use super::samples::{DEMO, MINIMAL, REFERENCE};
use super::*;
use crate::settings::tree::{Table, Value};

fn parse(file: &str, text: &str) -> Result<Table, Vec<Problem>> {
    let path = Path::new(file);
    Format::of(path).unwrap().parse(&path.into(), text)
}

/// A tree without its lines.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Float(number) if number.is_finite() => json!(number),
        Value::Float(number) => json!(format!("float {number}")),
        Value::Boolean(value) => json!(value),
        Value::List(items) => items.iter().map(|it| plain(&it.value)).collect(),
        Value::Table(table) => {
            let entries = table.0.iter().map(|(key, node)| (key.clone(), plain(&node.value)));
            serde_json::Value::Object(entries.collect())
        }
        Value::Other(written) => json!(format!("other {written}")),
    }
}

/// Block style, a key or an item to a line.
fn to_yaml(value: &serde_json::Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        serde_json::Value::Object(entries) if !entries.is_empty() => {
            let entry = |(key, value)| format!("\n{pad}{key}: {}", to_yaml(value, indent + 2));
            entries.iter().map(entry).collect()
        }
        serde_json::Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|it| format!("\n{pad}- {}", to_yaml(it, indent + 2).trim_start()))
            .collect(),
        other => other.to_string(),
    }
}

fn in_every_format(toml: &str) -> [(&'static str, String); 3] {
    in_formats(&plain(&Value::Table(parse("x.toml", toml).unwrap()))).map(|(name, text)| {
        if name == "conf/a.toml" { (name, toml.to_owned()) } else { (name, text) }
    })
}

fn in_formats(value: &serde_json::Value) -> [(&'static str, String); 3] {
    [
        ("conf/a.toml", String::new()),
        ("conf/a.yaml", to_yaml(value, 0)),
        ("conf/a.json", serde_json::to_string_pretty(value).unwrap()),
    ]
}

#[test]
fn one_configuration_is_the_same_in_every_format() {
    for sample in [MINIMAL, DEMO, REFERENCE] {
        let [toml, yaml, json] = in_every_format(sample)
            .map(|(name, text)| load_named(&[(name, &text)]).unwrap_or_else(|it| panic!("{it}")));
        for other in [yaml, json] {
            assert_eq!(format!("{:?}", other.model), format!("{:?}", toml.model));
            assert_eq!(
                (&other.server, &other.admin, &other.state),
                (&toml.server, &toml.admin, &toml.state)
            );
        }
    }
}

/// Every way to a table in a tree, itself first.
fn tables(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(entries) => {
            found.push(at.to_owned());
            entries.iter().for_each(|(key, it)| tables(it, &format!("{at}/{key}"), found));
        }
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, it)| tables(it, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_bogus_key_is_refused_in_every_table_of_every_format() {
    let mut count = 0;
    for sample in [MINIMAL, DEMO, REFERENCE] {
        let tree = plain(&Value::Table(parse("x.toml", sample).unwrap()));
        let mut ways = Vec::new();
        tables(&tree, "", &mut ways);
        // What is in this table is not a list of known keys.
        for way in ways.iter().filter(|it| !it.ends_with("/monitor") && !it.ends_with("/headers")) {
            let mut tree = tree.clone();
            tree.pointer_mut(way).unwrap()["zzz"] = json!(1);
            for (name, text) in in_formats(&tree).into_iter().skip(1) {
                let line = text.lines().position(|it| it.contains("zzz")).unwrap() + 1;
                let problems = load_named(&[(name, &text)]).unwrap_err();
                let [problem] = &problems.iter().collect::<Vec<_>>()[..] else {
                    panic!("{problems}")
                };
                assert!(problem.message.starts_with("no such key"), "{problem}");
                assert_eq!(problem.line, Some(line), "{problem}");
                count += 1;
            }
        }
    }
    assert!(count > 60, "{count}");
}

#[test]
fn scalars_of_yaml_are_what_they_say() {
    for (text, expected) in [
        ("no", json!("no")),
        ("on", json!("on")),
        ("true", json!(true)),
        ("False", json!(false)),
        ("'true'", json!("true")),
        ("443", json!(443)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0", json!(0)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("053", json!("other 053")),
        ("-010", json!("other -010")),
        ("1_000", json!("1_000")),
        ("99999999999999999999", json!("other 99999999999999999999")),
        ("1.50", json!(1.5)),
        ("1e3", json!(1000.0)),
        ("1.e+3", json!(1000.0)),
        (".5", json!(0.5)),
        (".", json!(".")),
        ("e5", json!("e5")),
        ("-.inf", json!("float -inf")),
        (".nan", json!("float NaN")),
        ("infinity", json!("infinity")),
        ("192.0.2.1", json!("192.0.2.1")),
        ("127.0.0.1:53", json!("127.0.0.1:53")),
        ("'[::1]:53'", json!("[::1]:53")),
        ("10:30", json!("10:30")),
        ("2026-01-01", json!("2026-01-01")),
        ("10s", json!("10s")),
        ("~", json!("other null")),
        ("", json!("other null")),
        ("\"\\u00e9\\n\"", json!("é\n")),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
        ("[a, 1]", json!(["a", 1])),
        ("{b: 1}", json!({"b": 1})),
    ] {
        let table = parse("x.yaml", &format!("a: {text}\n")).unwrap();
        assert_eq!(plain(&table.0[0].1.value), expected, "{text}");
    }
    for nothing in ["", "# only this\n", "---\n", "---\n# this\n...\n"] {
        assert!(parse("x.yaml", nothing).unwrap().0.is_empty(), "{nothing:?}");
    }
}

#[test]
fn scalars_of_json_are_what_they_say() {
    for (text, expected) in [
        ("443", json!(443)),
        ("-0", json!(0)),
        ("1.0", json!(1.0)),
        ("1e2", json!(100.0)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("9223372036854775808", json!("other 9223372036854775808")),
        ("null", json!("other null")),
        ("\"\\ud83d\\ude00\"", json!("😀")),
        ("[true, {\"b\": []}]", json!([true, {"b": []}])),
    ] {
        let table = parse("x.json", &format!("{{\"a\": {text}}}")).unwrap();
        assert_eq!(plain(&table.0[0].1.value), expected, "{text}");
    }
}

#[track_caller]
fn refuses(file: &str, text: &str, expected: &[&str]) {
    let problems = parse(file, text).unwrap_err();
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.to_string().contains(expected), "{problem}\n  lacks: {expected}");
    }
}

#[test]
fn what_yaml_may_not_have_is_told_with_its_line() {
    for (text, expected) in [
        (
            "a:\n  b: 1\n  c:\n  b: 2\n",
            &["x.yaml:4: a.b: is written twice, the first time at x.yaml:2; keep one"][..],
        ),
        ("a: 1\n\"a\": 2\na: 3", &["yaml:2: a: is written twice", "yaml:3: a: is written twice"]),
        ("a: [{b: 1, b: 2}]", &["yaml:1: a[#1].b: is written twice"]),
        (
            "a: &x 1\nb: *x\n",
            &["yaml:1: a: an anchor", "yaml:2: b: an alias (`*name`) isn't taken"],
        ),
        ("&x a: 1\n", &["yaml:1: a: an anchor"]),
        ("a: &x [*x]\n", &["yaml:1: a: an anchor", "yaml:1: a[#1]: an alias"]),
        ("a: !!str 1\nb: !mine {}\n", &["yaml:1: a: a tag (`!name`)", "yaml:2: b: a tag"]),
        ("!!map\na: 1\n", &["yaml:1: a tag"]),
        ("a: 1\n---\nb: 2\n", &["x.yaml:2: a second document begins here; write one to a file"]),
        ("---\n---\na: 1\n", &["x.yaml:2: a second document begins here"]),
        ("- a\n", &["x.yaml:1: found a list of 1; write a mapping with keys"]),
        ("\nplain\n", &["x.yaml:2: found \"plain\"; write a mapping"]),
        ("? [a]\n: 1\n", &["x.yaml:1: write a text as key"]),
        ("a: 1\n b: 2\n", &["x.yaml:2: is not YAML from here on: "]),
        ("a:\n\t- 1\n", &["x.yaml:2: is not YAML"]),
        ("a: [1\nb: 2\n", &["is not YAML from here on: "]),
        ("a: 'b\n", &["is not YAML"]),
        ("a: *x\n", &["x.yaml:1: is not YAML"]),
        ("a: @b\n", &["x.yaml:1: is not YAML"]),
    ] {
        refuses("x.yaml", text, expected);
    }
}

#[test]
fn what_json_may_not_have_is_told_with_its_line() {
    for (text, expected) in [
        (
            "{\"a\": {\n\"b\": 1,\n\"\\u0062\": 2}}",
            &["x.json:3: a.b: is written twice, the first time at x.json:2; keep one of them"][..],
        ),
        ("", &["x.json:1: is not JSON from here on: EOF"]),
        ("{\"a\": 1,}", &["x.json:1: is not JSON from here on: key must be a string"]),
        ("{\n// no\n}", &["x.json:2: is not JSON"]),
        ("{\"a\":\n01}", &["x.json:2: is not JSON from here on: invalid number"]),
        ("{\"a\": NaN}", &["is not JSON"]),
        ("{'a': 1}", &["is not JSON"]),
        ("{}\n{}", &["x.json:2: is not JSON from here on: trailing characters"]),
        ("{\"a\":\n\"\\ud800\"}", &["x.json:2: is not JSON from here on: "]),
        ("\n[1]", &["x.json:2: found a list of 1; write an object"]),
        ("null", &["x.json:1: found null; write an object"]),
    ] {
        refuses("x.json", text, expected);
    }
}

#[test]
fn depth_is_bounded_and_costs_nothing() {
    for depth in [40, 10_000] {
        for (file, text) in [
            ("x.json", format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth))),
            ("x.json", format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))),
            ("x.yaml", format!("a: {}{}", "[".repeat(depth), "]".repeat(depth))),
            ("x.yaml", format!("a: {}", "{a: ".repeat(depth))),
            ("x.yaml", format!("a:\n  {}1", "- ".repeat(depth))),
            ("x.toml", format!("a = {}{}", "[".repeat(depth), "]".repeat(depth))),
        ] {
            let Err(problems) = parse(file, &text) else {
                assert!(file == "x.toml" && depth == 40, "{file} {depth}");
                continue;
            };
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
    }
    refuses(
        "x.yaml",
        &format!("a: {}", "[".repeat(40)),
        &["[#1: lies more than 32 tables and lists deep"],
    );
}

#[test]
fn secrets_and_long_values_stay_short() {
    let long = "9".repeat(5000);
    for (file, text) in [("x.yaml", format!("a: {long}")), ("x.json", format!("{{\"a\": {long}}}"))]
    {
        assert!(parse(file, &text).unwrap().0[0].1.shown().chars().count() < 70);
    }
}

#[test]
fn files_of_different_formats_are_one_configuration() {
    let yaml = "server: {id: x}\nsite:\n- name: seattle\n";
    refused_files(
        &[
            ("conf/a.toml", BASE),
            ("conf/b.yaml", yaml),
            ("conf/c.json", "{\"server\": {\"id\": \"y\"}}"),
        ],
        &[
            "conf/b.yaml:3: site[seattle].name: found \"seattle\"; is written twice, the first time at conf/a.toml:5",
            "conf/c.json:1: server.id: is written twice, the first time at conf/b.yaml:1",
        ],
    );
    let settings =
        load_named(&[("conf/a.toml", BASE), ("conf/b.yaml", "server: {id: x}")]).unwrap();
    assert_eq!(settings.server.id.as_deref(), Some("x"));
    refused_files(
        &[("conf/a.toml", BASE), ("conf/b.yaml", "profile:\nzone: {name: a.}\nserver: 053\n")],
        &[
            "conf/b.yaml:1: profile: found null; write tables, each headed `[[profile]]` in TOML, each an item of a list",
            "conf/b.yaml:2: zone: found a table; write tables",
            "conf/b.yaml:3: server: found 053; write a table",
        ],
    );
}
