//! What a plan saw and would do, in short: another digest means that the world, or the source, has moved.

use std::num::NonZeroU32;

use ring::digest::{Context, SHA256};
use ring::pbkdf2;
use serde_json::Value;

use super::{Action, Step, bare, changes, own_fields};
use crate::fleet::object::Object;

/// Rounds for each secret in a digest: some 20 ms.
const ROUNDS: NonZeroU32 = NonZeroU32::new(50_000).expect("is not 0");

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
    let digest = context.finish();
    digest.as_ref().iter().map(|it| format!("{it:02x}")).collect()
}

/// An object for a digest.
fn hashed(object: &Object) -> String {
    secret(object, &Value::Object(bare(object)).to_string())
}

/// A text of an object for a digest. Those of Secrets are made slow to guess: a digest stands in files that others may read.
fn secret(object: &Object, text: &str) -> String {
    if !object.key().kind.is("", "Secret") {
        return text.to_owned();
    }
    let mut slow = [0; 32];
    let salt = object.key().to_string();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt.as_bytes(), text.as_bytes(), &mut slow);
    slow.iter().map(|it| format!("{it:02x}")).collect()
}
