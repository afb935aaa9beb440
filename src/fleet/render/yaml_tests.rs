use serde_json::json;

use super::*;

fn read(text: &str) -> Result<Vec<Manifest>, Vec<String>> {
    let mut objects = Objects::default();
    objects.yaml(text, &Place::File(&Arc::new("web.yaml".into())));
    finish(objects)
}

fn finish(objects: Objects) -> Result<Vec<Manifest>, Vec<String>> {
    objects.finish().map_err(|error| match error {
        RenderError::Manifests(faults) => faults.0.iter().map(ToString::to_string).collect(),
        error => panic!("{error}"),
    })
}

fn map(data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{data}")
}

/// What Kubernetes' own parser makes of a text without quotes.
#[track_caller]
fn check(text: &str, value: Value) {
    let read = read(&map(&format!("  x: {text}\n"))).unwrap();
    assert_eq!(read[0].object.at("/data/x"), Some(&value), "{text}");
}

#[test]
fn scalars_are_read_as_kubernetes_reads_them() {
    for text in ["yes", "Yes", "YES", "on", "On", "true", "TRUE", "y", "Y"] {
        check(text, json!(true));
    }
    for text in ["no", "No", "off", "OFF", "false", "n", "N"] {
        check(text, json!(false));
    }
    check("0644", json!(0o644));
    check("0o644", json!(0o644));
    check("0x1F", json!(31));
    check("0b101", json!(5));
    check("1_000", json!(1000));
    check("-17", json!(-17));
    check("18446744073709551615", json!(u64::MAX));
    check("1e3", json!(1000.0));
    check(".5", json!(0.5));
    check("1.20", json!(1.2));
    check("~", Value::Null);
    check("", Value::Null);
    for text in
        ["1.2.3", "2026-11-29", "12:30:45", "1Gi", "500m", "nope", "0.0.0.0/0", "-", "1e", "v1"]
    {
        if text != "-" {
            check(text, json!(text));
        }
    }
    for text in ["'yes'", "\"0644\"", "!!str 0644", "\"null\""] {
        let inner = text.trim_start_matches("!!str ").trim_matches(['\'', '"']);
        check(text, json!(inner));
    }
}

#[test]
fn every_document_is_an_object_with_the_line_of_its_first_word() {
    let text = "# a licence\n---\n\n# about a\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\n# nothing\n---\n--- # b\n\
                {apiVersion: v1, kind: B, metadata: {name: b}}\n...\n---\n";
    let read = read(text).unwrap();
    let shown: Vec<String> =
        read.iter().map(|it| format!("{} {}", it.origin, it.object.key())).collect();
    assert_eq!(shown, ["web.yaml:5 A a", "web.yaml:12 B b"]);
    let windows = documents("\u{feff}a: 1\r\n---\r\nb: 2\r\n").len();
    assert_eq!(windows, 2);
    let directives = documents("%YAML 1.1\n# c\n---\na: |\n  ---\n  b\n");
    assert_eq!((directives.len(), directives[0].line), (1, 4));
}

#[test]
fn lists_are_unfolded_whatever_they_are_lists_of() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - {apiVersion: v1, kind: ConfigMap, \
                metadata: {name: a}}\n- {apiVersion: example.org/v1, kind: AllowList, metadata: {name: b}, items: [1]}\n";
    let names: Vec<String> =
        read(text).unwrap().iter().map(|it| it.object.key().to_string()).collect();
    assert_eq!(names, ["ConfigMap a", "AllowList b"]);
    let deep = "{kind: List, items: [".repeat(6) + &"]}".repeat(6);
    assert_eq!(
        read(&deep).unwrap_err(),
        ["web.yaml:1: is a list in a list in a list; lay it out flat"]
    );
    let empty = "apiVersion: v1\nkind: List\nitems: [null]\n";
    assert_eq!(read(empty).unwrap_err(), ["web.yaml:1: has nothing as item 1 of the list"]);
}

#[test]
fn anchors_and_merges_are_followed() {
    let text = map("  base: &base {a: 1, b: 2}\n  x:\n    <<: *base\n    b: 3\n  y: *base\n");
    let read = read(&text).unwrap();
    assert_eq!(read[0].object.at("/data/x"), Some(&json!({"a": 1, "b": 3})));
    assert_eq!(read[0].object.at("/data/y"), Some(&json!({"a": 1, "b": 2})));
}

#[test]
fn all_that_is_broken_is_told_with_its_line() {
    let text = "apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec:\n  a: 1\n  a: 2\n---\nkind: B\n---\na: b: c\n---\n- 1\n---\n\
                metadata: {name: a}\nx: [1,\n---\napiVersion: v1\nkind: A\nmetadata: {name: fine}\n---\nx: .nan\n";
    let faults = read(text).unwrap_err();
    let begins = [
        "web.yaml:6: is not YAML: the key \"a\" comes twice",
        "web.yaml:8: has no text in `apiVersion`",
        "web.yaml:10: is not YAML: ",
        "web.yaml:12: is no mapping",
        "web.yaml:1",
        "web.yaml:21: is not YAML: ",
    ];
    assert_eq!(faults.len(), begins.len(), "{faults:#?}");
    for (fault, begin) in faults.iter().zip(begins) {
        assert!(fault.starts_with(begin), "{fault} / {begin}");
        assert!(!fault.contains('\n') && !fault.contains(" at line "), "{fault}");
    }
}

#[test]
fn what_was_rendered_is_known_by_what_it_comes_from() {
    let mut objects = Objects::default();
    let text = "---\n# Source: web/templates/a.yaml\napiVersion: v1\nkind: A\nmetadata: {name: a}\n---\na: b: c\n";
    objects.yaml(text, &Place::Rendered("helm template web"));
    assert_eq!(objects.manifests[0].origin.to_string(), "helm template web: web/templates/a.yaml");
    let fault = &finish(objects).unwrap_err()[0];
    assert!(
        fault.starts_with("helm template web: is not YAML in line 7 of what was rendered: "),
        "{fault}"
    );
}

#[test]
fn aliases_do_not_grow_beyond_measure() {
    let mut laughs = "  a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        let aliases = [before.as_str(); 9].join(", ");
        laughs += &format!("  a{level}: &a{level} [{aliases}]\n");
    }
    // One long text, many times.
    let long =
        format!("  a: &a {}\n  b: [{}]\n", "x".repeat(1_000_000), vec!["*a"; 1000].join(", "));
    // And in keys of merges.
    let merges = format!(
        "  a: &a {{b: {}}}\n  c: [{}]\n",
        "x".repeat(1_000_000),
        vec!["{<<: *a}"; 1000].join(", ")
    );
    for bomb in [laughs, long, merges] {
        let faults = read(&map(&bomb)).unwrap_err();
        let end = "is not YAML: it becomes too large when its aliases are written out";
        assert!(faults[0].ends_with(end), "{faults:?}");
    }
    let ring = "web.yaml:5: is not YAML: an alias stands within what it names";
    assert_eq!(read(&map("  a: &a [*a]\n")).unwrap_err(), [ring]);
}

#[test]
fn nothing_lies_too_deep() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("{<<: ", "}")] {
        let text = |depth: usize| {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            format!("{{apiVersion: v1, kind: A, metadata: {{name: a}}, spec: {open}{{}}{close}}}")
        };
        assert_eq!(read(&text(DEEPEST - 2)).unwrap().len(), 1);
        assert!(read(&text(DEEPEST)).is_err());
    }
    assert_eq!(
        read(&"- ".repeat(100_000)).unwrap_err(),
        ["web.yaml:1: is not YAML: it lies more than 64 mappings and lists deep"]
    );
    assert!(read(&"[".repeat(100_000)).is_err());
}

#[test]
fn objects_are_counted() {
    let items = vec!["{apiVersion: v1, kind: A, metadata: {name: a}}"; MOST_OBJECTS].join(", ");
    let list = |more: &str| format!("kind: List\nitems: [{items}{more}]\n");
    assert_eq!(read(&list("")).unwrap().len(), MOST_OBJECTS);
    let one_more = ", {apiVersion: v1, kind: A, metadata: {name: a}}, {}, {}";
    assert_eq!(
        read(&list(one_more)).unwrap_err(),
        ["web.yaml:1: is one object too many: 20000 are the most; make several apps of them"]
    );
}

#[test]
fn json_is_read_strictly_too() {
    let read = |text: &str| {
        let mut objects = Objects::default();
        objects.json(text, &Place::File(&Arc::new("a.json".into())));
        finish(objects)
    };
    let object = r#"{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a\ud83d\ude00"}}"#;
    let two = read(&format!("\n{object}\n\n {object}\n")).unwrap();
    let lines: Vec<_> = two.iter().map(|it| it.origin.line).collect();
    assert_eq!((lines, two[0].object.name()), (vec![Some(2), Some(4)], "a\u{1f600}"));
    for (text, fault) in [
        ("{\n\"a\": 1,\n\"a\": 2}", "a.json:3: is not JSON: the key \"a\" comes twice"),
        ("{}\n[", "a.json:1: has no text in `apiVersion`"),
    ] {
        assert_eq!(read(text).unwrap_err()[0], fault);
    }
    assert_eq!(read("{\n\"a\": }").unwrap_err(), ["a.json:2: is not JSON: expected value"]);
    assert_eq!(read("").unwrap(), []);
}
