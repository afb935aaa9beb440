//! Sets of fields (FieldsV1), by which servers tell who has which field.

use serde_json::Value;

/// Whether a set of fields has the one at a path (`a.b[c].d`), or something on the way to it as a whole.
pub fn has_field(fields: &Value, path: &str) -> bool {
    has(fields, &segments(path))
}

/// A path's parts: `a.b[c].d` is a, b, c, d.
fn segments(path: &str) -> Vec<String> {
    let (mut parts, mut part, mut depth) = (Vec::new(), String::new(), 0_u32);
    for letter in path.chars().chain(['.']) {
        match letter {
            '[' if depth == 0 => {
                depth = 1;
                parts.push(std::mem::take(&mut part));
            }
            ']' if depth == 1 => {
                depth = 0;
                parts.push(std::mem::take(&mut part));
            }
            '.' if depth == 0 => parts.push(std::mem::take(&mut part)),
            letter => part.push(letter),
        }
    }
    parts.retain(|it| !it.is_empty());
    parts
}

/// Whether a set of fields (FieldsV1) has a path, or something on the way to it as a whole.
fn has(fields: &Value, path: &[String]) -> bool {
    let Value::Object(map) = fields else { return false };
    let Some((first, rest)) = path.split_first() else { return true };
    let is_it = |key: &str| {
        key.strip_prefix("f:").is_some_and(|it| it == first)
            || key.strip_prefix("k:").is_some_and(|it| {
                let key: Value = serde_json::from_str(it).unwrap_or_default();
                let mut values = key.as_object().into_iter().flat_map(|it| it.values());
                values.any(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned) == *first)
            })
            || key.strip_prefix("v:").is_some_and(|it| it.trim_matches('"') == first)
    };
    let found = map.iter().filter(|it| is_it(it.0));
    let is_leaf = |it: &Value| it.as_object().is_some_and(serde_json::Map::is_empty);
    found.into_iter().any(|(_, below)| is_leaf(below) || rest.is_empty() || has(below, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_set_has_fields_by_their_paths() {
        let fields = json!({
            "f:data": {"f:tls.crt": {}},
            "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}, "f:whole": {}},
        });
        for (path, expected) in [
            ("data[tls.crt]", true),
            ("data.key", false),
            ("spec.containers[web].image", true),
            ("spec.containers[web].command", false),
            ("spec.containers[other].image", false),
            ("spec.whole.part", true),
        ] {
            assert_eq!(has_field(&fields, path), expected, "{path}");
        }
    }
}
