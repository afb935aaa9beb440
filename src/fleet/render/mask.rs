//! Keeps secrets out of what programs say of the values that they were given.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Target;

/// What stands for a secret.
const MASK: &str = "***";
/// Shorter texts are in every second word; hiding them would tell them.
const SHORTEST: usize = 4;
/// What keys of secrets have in their names, as far as letters go.
const SECRETIVE: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "connectionstring",
];

/// The texts that nobody may see.
#[derive(Clone, Default)]
pub(super) struct Mask(Vec<String>);

impl Mask {
    /// Those that the target names, and all below keys of the values that look like a secret's. Each line of a text by itself,
    /// and what charts make of it in base64.
    pub(super) fn of(target: &Target) -> Self {
        let mut texts = target.secrets.clone();
        gather(&target.values, false, &mut texts);
        let encoded: Vec<String> = texts.iter().map(|it| STANDARD.encode(it)).collect();
        let lines = texts.iter().flat_map(|it| it.lines().map(|it| it.trim().to_owned()));
        let mut hidden: Vec<String> =
            lines.chain(encoded).filter(|it| it.len() >= SHORTEST).collect();
        // A text that has another in it goes first, or its rest would stay.
        hidden.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        hidden.dedup();
        Self(hidden)
    }

    /// The text without them.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, hidden| text.replace(&**hidden, MASK))
    }
}

fn gather(value: &Value, is_secret: bool, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if is_secret => texts.push(text.clone()),
        Value::Number(number) if is_secret => texts.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|it| gather(it, is_secret, texts)),
        Value::Object(map) => {
            for (key, value) in map {
                gather(value, is_secret || looks_secret(key), texts);
            }
        }
        _ => {}
    }
}

fn looks_secret(key: &str) -> bool {
    let letters: String = key.chars().filter(|it| it.is_alphanumeric()).collect();
    let letters = letters.to_lowercase();
    SECRETIVE.iter().any(|it| letters.contains(it))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_secret_or_is_named_is_hidden_also_in_base64_and_line_by_line() {
        let target = Target {
            values: json!({
                "image": {"tag": "1.2.3-plain"},
                "db": {"rootPassword": "hunter22", "existing-secret": {"a": ["deepdown"]}, "pin_token": 12345},
                "short": {"password": "abc"},
            }),
            secrets: vec!["-----BEGIN KEY-----\nMIIBxyz\n-----END KEY-----\n".to_owned()],
            ..Target::default()
        };
        let mask = Mask::of(&target);
        for (text, shown) in [
            ("tag 1.2.3-plain", "tag 1.2.3-plain"),
            ("password hunter22: no", "password ***: no"),
            ("aHVudGVyMjI= and deepdown and 12345", "*** and *** and ***"),
            ("  MIIBxyz", "  ***"),
            ("abc", "abc"),
        ] {
            assert_eq!(mask.hide(text), shown);
        }
    }

    #[test]
    fn a_secret_within_another_leaves_nothing_of_it() {
        let secrets = ["pass", "password-of-all"].map(str::to_owned).to_vec();
        let mask = Mask::of(&Target { secrets, ..Target::default() });
        assert_eq!(mask.hide("is password-of-all, pass"), "is ***, ***");
    }
}
