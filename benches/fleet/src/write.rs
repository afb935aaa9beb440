//! Writing objects: applying, making, changing and deleting them, and who owns their fields then.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::defaults;
use crate::fields::{Fields, changed, common, join, minus, of_object, of_status};
use crate::kinds::{KINDS, NAMESPACE};
use crate::managers::{How, Managers};
use crate::merge::{merge, remove};
use crate::path::Place;
use crate::site::Site;
use crate::store::{Key, Store, Stored};

/// What of an object nobody but the server writes.
const KEPT_BY_SERVER: [&str; 5] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"];
/// Who writes the status of what has one.
const CONTROLLER: &str = "kube-controller-manager";

/// Why something isn't done.
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// Fields, and whose they are.
    pub(crate) conflicts: Vec<(String, String)>,
}

/// Who writes, and how.
#[derive(Clone, Copy)]
pub(crate) struct Writer<'a> {
    pub(crate) manager: &'a str,
    pub(crate) force: bool,
    pub(crate) dry_run: bool,
}

impl Failure {
    pub(crate) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), conflicts: Vec::new() }
    }

    /// That something isn't there.
    pub(crate) fn missing(place: &Place) -> Self {
        Self::new(404, "NotFound", format!("{} not found", place.shown()))
    }

    fn changed(place: &Place) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {}: the object has been modified; please apply your changes to the latest version and try again",
            place.shown()
        );
        Self::new(409, "Conflict", message)
    }
}

/// What comes of writing an object: whether it is new, and how it is then.
type Written = Result<(bool, Arc<Stored>), Failure>;

/// Applies a state to an object (server-side), which may come to be by that.
pub(crate) fn apply(site: &Site, place: &Place, wanted: Value, writer: Writer<'_>) -> Written {
    site.change(|store| {
        let (key, api_version) = (key(place)?, KINDS[place.kind].api_version());
        let live = store.get(&key).cloned();
        has_version(place, live.as_deref(), &wanted)?;
        let mut wanted = wanted;
        forget(&mut wanted);
        let mut new = live.as_ref().map_or_else(|| named(place), |it| it.json.clone());
        let (fields, mut managers) = (of_object(&wanted), Managers::of(&new));
        let before = managers.fields(writer.manager, How::Apply, "");
        merge("", &mut new, &wanted);
        if let Some(live) = &live {
            let taken = common(&fields, &changed(&live.json, &new));
            let conflicts = managers.conflicts(writer.manager, &taken);
            if !conflicts.is_empty() && !writer.force {
                let message = format!("Apply failed with {} conflicts", conflicts.len());
                return Err(Failure { conflicts, ..Failure::new(409, "Conflict", message) });
            }
            managers.take(writer.manager, How::Apply, "", &taken);
        }
        let gone = minus(&before, &fields);
        remove(&mut new, &managers.without_others(writer.manager, How::Apply, &gone));
        managers.own(writer.manager, How::Apply, "", &api_version, fields);
        finish(site, store, place, key, live, new, managers, writer.dry_run, false)
    })
}

/// Makes an object.
pub(crate) fn create(site: &Site, place: &Place, wanted: Value, writer: Writer<'_>) -> Written {
    site.change(|store| {
        let name = wanted.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
        let place = Place { name, ..place.clone() };
        let key = key(&place)?;
        if store.get(&key).is_some() {
            let message = format!("{} already exists", place.shown());
            return Err(Failure::new(409, "AlreadyExists", message));
        }
        let (mut new, mut wanted) = (named(&place), wanted);
        forget(&mut wanted);
        merge("", &mut new, &wanted);
        let mut managers = Managers::of(&new);
        let api_version = KINDS[place.kind].api_version();
        managers.own(writer.manager, How::Update, "", &api_version, of_object(&new));
        finish(site, store, &place, key, None, new, managers, writer.dry_run, false)
    })
}

/// Changes an object that is there, by replacing or patching it.
pub(crate) fn change(
    site: &Site,
    place: &Place,
    writer: Writer<'_>,
    edit: impl FnOnce(&mut Value) -> Result<(), String>,
) -> Written {
    site.change(|store| {
        let key = key(place)?;
        let live = store.get(&key).cloned().ok_or_else(|| Failure::missing(place))?;
        let mut new = live.json.clone();
        edit(&mut new).map_err(|it| Failure::new(422, "Invalid", it))?;
        has_version(place, Some(&live), &new)?;
        let is_status = place.subresource.as_deref() == Some("status");
        if is_status {
            let status = new.get("status").cloned().unwrap_or_default();
            new = live.json.clone();
            new["status"] = status;
        }
        let metadata = live.json.get("metadata");
        for key in KEPT_BY_SERVER {
            if let Some(own) = metadata.and_then(|it| it.get(key)) {
                new["metadata"][key] = own.clone();
            }
        }
        let mut managers = Managers::of(&new);
        if !is_status {
            let subresource = place.subresource.as_deref().unwrap_or_default();
            let fields = changed(&live.json, &new);
            managers.take(writer.manager, How::Update, subresource, &fields);
            let mut own = managers.fields(writer.manager, How::Update, subresource);
            join(&mut own, &common(&fields, &of_object(&new)));
            let api_version = KINDS[place.kind].api_version();
            if !own.is_empty() {
                managers.own(writer.manager, How::Update, subresource, &api_version, own);
            }
        }
        finish(site, store, place, key, Some(live), new, managers, writer.dry_run, is_status)
    })
}

/// Deletes an object, if it is the one that the options are about; and what is in it, if it is a namespace.
pub(crate) fn delete(
    site: &Site,
    place: &Place,
    options: &Value,
    dry_run: bool,
) -> Result<(), Failure> {
    site.change(|store| {
        let key = key(place)?;
        let live = store.get(&key).cloned().ok_or_else(|| Failure::missing(place))?;
        for name in ["uid", "resourceVersion"] {
            let wanted = options.get("preconditions").and_then(|it| it.get(name));
            if wanted.is_some() && wanted != live.json.pointer(&format!("/metadata/{name}")) {
                return Err(Failure::changed(place));
            }
        }
        if dry_run {
            return Ok(());
        }
        if place.is_namespace() {
            store.within(&key.2).iter().for_each(|it| store.remove(it));
        }
        store.remove(&key);
        Ok(())
    })
}

/// Writes what came of merging, unless it is what was there.
#[allow(clippy::too_many_arguments, reason = "what every way of writing ends with")]
fn finish(
    site: &Site,
    store: &mut Store,
    place: &Place,
    key: Key,
    live: Option<Arc<Stored>>,
    mut new: Value,
    mut managers: Managers,
    dry_run: bool,
    is_status: bool,
) -> Written {
    let kind = &KINDS[place.kind];
    if live.is_none() {
        let namespace = (NAMESPACE, String::new(), key.1.clone());
        if kind.namespaced && store.get(&namespace).is_none() {
            let message = format!("namespaces \"{}\" not found", key.1);
            return Err(Failure::new(404, "NotFound", message));
        }
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        new["metadata"]["uid"] = site.new_uid(store.version()).into();
        new["metadata"]["creationTimestamp"] = now.into();
    }
    defaults::fill(kind, &mut new, store.version());
    if kind.has_generation {
        let was = live.as_ref().map(|it| &it.json);
        let generation = was.and_then(|it| it.pointer("/metadata/generation")?.as_u64());
        let is_other = was.and_then(|it| it.get("spec")) != new.get("spec");
        new["metadata"]["generation"] = (generation.unwrap_or(0) + u64::from(is_other)).into();
    }
    if !is_status
        && !dry_run
        && let Some(status) = defaults::status(kind, &new)
    {
        if !matches!(kind.kind, "Namespace" | "Service") {
            let fields: Fields = of_status(&status);
            managers.own(CONTROLLER, How::Update, "status", &kind.api_version(), fields);
        }
        new["status"] = status;
    }
    new["metadata"]["managedFields"] = managers.to_json();
    match live {
        Some(live) if live.json == new => Ok((false, live)),
        live if dry_run => Ok((live.is_none(), Arc::new(Stored::new(new)))),
        live => Ok((live.is_none(), store.put(key, new))),
    }
}

fn key(place: &Place) -> Result<Key, Failure> {
    let name = place.name.clone().filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| Failure::new(422, "Invalid", "metadata.name: Required value"))?;
    Ok((place.kind, place.namespace.clone().unwrap_or_default(), name))
}

/// Makes sure that what was written is about the version that is there, if it says one.
fn has_version(place: &Place, live: Option<&Stored>, written: &Value) -> Result<(), Failure> {
    let version = |it: &Value| {
        let text = it.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        text.filter(|it| !it.is_empty()).map(str::to_owned)
    };
    match version(written) {
        Some(written) if live.and_then(|it| version(&it.json)) != Some(written.clone()) => {
            Err(Failure::changed(place))
        }
        _ => Ok(()),
    }
}

fn named(place: &Place) -> Value {
    let kind = &KINDS[place.kind];
    let mut object = json!({"apiVersion": kind.api_version(), "kind": kind.kind, "metadata": {"name": place.name}});
    if let Some(namespace) = &place.namespace {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    object
}

/// Takes out what isn't for others to write.
fn forget(written: &mut Value) {
    let Value::Object(map) = written else { return };
    map.shift_remove("status");
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        metadata.retain(|key, _| !KEPT_BY_SERVER.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAROL: Writer<'_> = Writer { manager: "farol", force: false, dry_run: false };

    fn place(path: &str) -> Place {
        Place::of(path).unwrap()
    }

    fn site() -> (Site, Place) {
        let site = Site::new(0);
        let shop = json!({"metadata": {"name": "shop"}});
        assert!(create(&site, &place("/api/v1/namespaces"), shop, FAROL).is_ok());
        (site, place("/apis/apps/v1/namespaces/shop/deployments/web"))
    }

    fn deployment(replicas: u64) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
            }},
        })
    }

    fn done(written: Written) -> (bool, Arc<Stored>) {
        written.unwrap_or_else(|it| panic!("{}: {}", it.reason, it.message))
    }

    #[test]
    fn what_is_applied_again_is_not_written() {
        let (site, web) = site();
        let (is_new, first) = done(apply(&site, &web, deployment(2), FAROL));
        assert!(is_new);
        let version = site.store().version();
        let dry = Writer { dry_run: true, ..FAROL };
        for writer in [FAROL, dry] {
            let (is_new, again) = done(apply(&site, &web, deployment(2), writer));
            assert!(!is_new && again.json == first.json);
        }
        let (_, other) = done(apply(&site, &web, deployment(3), dry));
        assert_eq!(other.json["spec"]["replicas"], 3);
        assert_eq!(site.store().version(), version);
    }

    #[test]
    fn a_change_by_hand_is_a_conflict_until_it_is_forced() {
        let (site, web) = site();
        done(apply(&site, &web, deployment(2), FAROL));
        let by_hand = Writer { manager: "kubectl", ..FAROL };
        let scale = |it: &mut Value| {
            it["spec"]["replicas"] = 7.into();
            Ok(())
        };
        let (_, scaled) = done(change(&site, &web, by_hand, scale));
        assert_eq!(scaled.json["metadata"]["generation"], 2);
        assert_eq!(scaled.json["status"]["observedGeneration"], 2);
        let Err(refused) = apply(&site, &web, deployment(2), FAROL) else { panic!("it is taken") };
        let conflict =
            (".spec.replicas".to_owned(), "conflict with \"kubectl\" using apps/v1".to_owned());
        assert_eq!(refused.conflicts, [conflict]);
        let (_, forced) = done(apply(&site, &web, deployment(2), Writer { force: true, ..FAROL }));
        assert_eq!(forced.json["spec"]["replicas"], 2);
        assert!(apply(&site, &web, deployment(2), FAROL).is_ok());
    }

    #[test]
    fn what_is_not_applied_any_more_goes() {
        let (site, web) = site();
        done(apply(&site, &web, deployment(2), FAROL));
        let mut other = deployment(2);
        other["metadata"]["labels"] = json!({"tier": "1"});
        let (_, after) = done(apply(&site, &web, other, FAROL));
        assert_eq!(after.json["metadata"]["labels"], json!({"tier": "1"}));
    }

    #[test]
    fn only_what_was_looked_at_is_deleted() {
        let (site, web) = site();
        let (_, first) = done(apply(&site, &web, deployment(2), FAROL));
        let old = json!({"preconditions": {"uid": "another"}});
        assert!(delete(&site, &web, &old, false).is_err_and(|it| it.code == 409));
        let this = json!({"preconditions": {"uid": first.json["metadata"]["uid"]}});
        assert!(delete(&site, &web, &this, false).is_ok());
        assert!(delete(&site, &web, &this, false).is_err_and(|it| it.code == 404));
    }
}
