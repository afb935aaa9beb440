//! What a plan saw and would do, in short: another digest means that the world, or the source, has moved.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::{LazyLock, Mutex, PoisonError};

use ring::digest::{Context, SHA256, digest as sha256};
use ring::pbkdf2;
use serde_json::Value;

use super::seen::SECRETS;
use super::{Action, Step, bare, changes, own_fields};
use crate::fleet::object::{Object, ObjectKey};

/// Rounds for each secret in a digest: some 20 ms.
const ROUNDS: NonZeroU32 = NonZeroU32::new(50_000).expect("is not 0");

/// How many slow hashes are remembered: about a megabyte.
const REMEMBERED: usize = 10_000;

/// What texts of Secrets came to, by a quick hash. Whoever can read this memory can read the Secrets in it too. Without it each look at an app
/// would take those milliseconds anew.
static SLOW: LazyLock<Mutex<HashMap<[u8; 32], [u8; 32]>>> = LazyLock::new(Mutex::default);

/// The digest of some steps in a cluster.
pub(super) fn digest(cluster: &str, steps: &[Step]) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |text: &str| {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    };
    add(cluster);
    for step in steps {
        add(&format!("{} {}", step.action, step.key));
        match &step.action {
            Action::Create { wanted, .. }
            | Action::CreateNamespace { wanted }
            | Action::Record { wanted } => add(&hashed(wanted)),
            // How many there are is looked at when it is done.
            Action::HandOver { .. } => {}
            Action::Change { wanted, before, after, .. } => {
                // What others change meanwhile in fields that nobody here wants is no move.
                let uid = before.at("/metadata/uid").map(Value::to_string);
                add(&uid.unwrap_or_default());
                add(&hashed(wanted));
                for it in changes(&bare(before), &bare(after)) {
                    add(&it.path);
                    let values = [it.before, it.after].map(|it| it.map(|it| it.to_string()));
                    values.iter().flatten().for_each(|it| add(&secret(wanted, it)));
                }
                add(&own_fields(before).map(Value::to_string).unwrap_or_default());
            }
            Action::Delete { which, .. } => add(&which.uid),
        }
    }
    hex(context.finish().as_ref())
}

/// What is wanted, in short, however it is written. Of Secrets, the keys are part of it and not the values: it stands where others may read it, and
/// short ones could be guessed.
pub fn fingerprint<'a>(wanted: impl Iterator<Item = &'a Object>) -> String {
    let text = |object: &Object| {
        let mut json = Value::Object(bare(object));
        for key in SECRETS.into_iter().filter(|_| is_secret(object)) {
            let values = json.get_mut(key).and_then(Value::as_object_mut).into_iter();
            values.flat_map(|it| it.values_mut()).for_each(|it| *it = Value::Null);
        }
        json.sort_all_objects();
        (object.key(), json.to_string())
    };
    let texts: BTreeMap<ObjectKey, String> = wanted.map(text).collect();
    let mut context = Context::new(&SHA256);
    for text in texts.values() {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    hex(context.finish().as_ref())
}

/// An object for a digest.
fn hashed(object: &Object) -> String {
    secret(object, &Value::Object(bare(object)).to_string())
}

/// A text of an object for a digest. Those of Secrets are made slow to guess: a digest stands in files that others may read.
fn secret(object: &Object, text: &str) -> String {
    if !is_secret(object) {
        return text.to_owned();
    }
    let salt = object.key().to_string();
    let mut quick = [0; 32];
    quick.copy_from_slice(sha256(&SHA256, format!("{salt}\0{text}").as_bytes()).as_ref());
    let known = || SLOW.lock().unwrap_or_else(PoisonError::into_inner);
    let found = known().get(&quick).copied();
    let slow = found.unwrap_or_else(|| {
        let mut slow = [0; 32];
        let (salt, text) = (salt.as_bytes(), text.as_bytes());
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, text, &mut slow);
        let mut known = known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(quick, slow);
        slow
    });
    hex(&slow)
}

pub(super) fn is_secret(object: &Object) -> bool {
    object.key().kind.is("", "Secret")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn print<const N: usize>(objects: [&Value; N]) -> String {
        let objects = objects.map(|it| Object::new(it.clone()).unwrap());
        fingerprint(objects.iter())
    }

    fn object(kind: &str, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": {"a": value}})
    }

    #[test]
    fn a_fingerprint_is_of_what_is_wanted() {
        let [one, other] = ["x", "y"].map(|it| object("ConfigMap", it, "1"));
        assert_eq!(print([&one, &other]), print([&other, &one]));
        let turned = json!({"data": {"a": "1"}, "metadata": {"name": "x"}, "kind": "ConfigMap", "apiVersion": "v1"});
        assert_eq!(print([&one]), print([&turned]), "the order of keys says nothing");
        assert_ne!(print([&one]), print([&object("ConfigMap", "x", "2")]));
        assert_ne!(print([&one]), print([&one, &other]));
        let [one, other] = ["1", "2"].map(|it| print([&object("Secret", "x", it)]));
        assert_eq!(one, other, "it says nothing of a Secret's values");
        let mut other = object("Secret", "x", "1");
        other["data"]["b"] = "2".into();
        assert_ne!(one, print([&other]), "but of its keys");
    }

    #[test]
    fn a_digest_has_secrets_by_a_slow_hash() {
        let object = Object::new(object("Secret", "x", "1")).unwrap();
        let mut slow = [0; 32];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, b"Secret x", b"text", &mut slow);
        for _ in 0..2 {
            assert_eq!(secret(&object, "text"), hex(&slow), "also when it is remembered");
        }
    }
}
