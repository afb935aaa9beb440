//! What a site's apps have in its cluster, as far as it takes to tell that something has changed. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::fleet::object::{GroupKind, ObjectKey};
use crate::fleet::print::Print;
use crate::fleet::site::Planned;
use crate::model::Ident;

/// The objects of a site's apps.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The members of the apps' sets and their parents, as they were when they were looked at.
    seen: HashMap<ObjectKey, (Ident, Print)>,
    /// What each app wants, in the order of the description.
    wanted: Vec<(Ident, HashSet<ObjectKey>)>,
    /// What has gone while apps were looked at: who saw it before that has to look again.
    gone: HashSet<ObjectKey>,
}

impl Known {
    /// Begins anew, with these apps. What they have isn't known then; what they want is what they wanted last.
    pub(super) fn begin<'a>(&mut self, apps: impl Iterator<Item = &'a Ident>) {
        self.seen.clear();
        let mut former: HashMap<_, _> = std::mem::take(&mut self.wanted).into_iter().collect();
        let wanted = |it: &Ident| (it.clone(), former.remove(it).unwrap_or_default());
        self.wanted = apps.map(wanted).collect();
    }

    /// Notes that no app is being looked at: of what has gone so far, no look tells any more.
    pub(super) fn rest(&mut self) {
        self.gone.clear();
    }

    /// Takes in what was seen of an app. Gives the apps that have to be looked at again: those after it that want what it wants now too, or
    /// doesn't any more, and itself if it saw what has gone meanwhile.
    pub(super) fn learn(&mut self, planned: &Planned) -> Vec<Ident> {
        let app = &planned.app;
        let is_old = planned.seen.keys().any(|it| self.gone.contains(it));
        self.seen.retain(|_, it| it.0 != *app);
        let seen = planned.seen.iter().map(|(key, print)| (key.clone(), (app.clone(), *print)));
        self.seen.extend(seen);
        let mut apps = self.wanted.iter_mut().skip_while(|it| it.0 != *app);
        let Some((_, known)) = apps.next() else { return Vec::new() };
        let wanted: HashSet<ObjectKey> = planned.wanted.iter().cloned().collect();
        let former = std::mem::replace(known, wanted.clone());
        let is_concerned = |it: &HashSet<ObjectKey>| {
            wanted.symmetric_difference(&former).any(|key| it.contains(key))
        };
        let concerned = apps.filter(|it| is_concerned(&it.1)).map(|it| &it.0);
        concerned.chain(is_old.then_some(app)).cloned().collect()
    }

    /// The app before this one that wants an object too.
    pub(super) fn wanted_before(&self, app: &Ident, key: &ObjectKey) -> Option<&Ident> {
        let earlier = self.wanted.iter().take_while(|it| it.0 != *app);
        earlier.filter(|it| it.1.contains(key)).map(|it| &it.0).next()
    }

    /// The kinds of everything that is wanted or there, each with the namespaces that it is in; an empty one for what is in none.
    pub(super) fn places(&self) -> BTreeSet<(GroupKind, String)> {
        let wanted = self.wanted.iter().flat_map(|it| &it.1);
        let place = |it: &ObjectKey| (it.kind.clone(), it.namespace.clone().unwrap_or_default());
        wanted.chain(self.seen.keys()).map(place).collect()
    }

    /// Takes in that an object, of this app by its label, is so now. Gives the apps that have changed by that.
    pub(super) fn see(&mut self, key: ObjectKey, app: Option<&Ident>, print: Print) -> Vec<Ident> {
        self.gone.remove(&key);
        match (self.seen.get_mut(&key), app) {
            (Some((_, known)), _) if *known == print => Vec::new(),
            (Some((former, known)), _) => {
                *known = print;
                let former = former.clone();
                app.filter(|it| **it != former).cloned().into_iter().chain([former]).collect()
            }
            (None, Some(app)) => {
                self.seen.insert(key, (app.clone(), print));
                vec![app.clone()]
            }
            (None, None) => Vec::new(),
        }
    }

    /// Takes in that an object isn't there any more, or no member. Gives the app that has changed by that.
    pub(super) fn lose(&mut self, key: &ObjectKey) -> Option<Ident> {
        self.gone.insert(key.clone());
        self.seen.remove(key).map(|it| it.0)
    }

    /// Takes in that of what a watch is about only these are there. Gives the apps that have changed by that.
    pub(super) fn listed(
        &mut self,
        is_about: impl Fn(&ObjectKey) -> bool,
        there: &HashSet<ObjectKey>,
    ) -> Vec<Ident> {
        let gone = self.seen.keys().filter(|it| is_about(it) && !there.contains(*it));
        let gone: Vec<ObjectKey> = gone.cloned().collect();
        gone.iter().filter_map(|it| self.lose(it)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::object::Object;
    use crate::fleet::plan::Plan;

    fn key(name: &str) -> ObjectKey {
        Object::named("v1", "ConfigMap", Some("shop"), name).key()
    }

    fn print(version: &str) -> Print {
        Print::of(&json!({"resourceVersion": version}))
    }

    fn ident(text: &str) -> Ident {
        text.parse().unwrap()
    }

    fn known() -> Known {
        let mut known = Known::default();
        known.begin(["a", "b"].map(ident).iter());
        assert_eq!(known.learn(&planned("a", &["x", "y"])), []);
        assert_eq!(known.learn(&planned("b", &["y", "z"])), []);
        known
    }

    /// An app that wants these, and has the first.
    fn planned(app: &str, wanted: &[&str]) -> Planned {
        Planned {
            site: ident("sea"),
            app: ident(app),
            plan: Plan::default(),
            ready: Vec::new(),
            skipped: Vec::new(),
            images: BTreeSet::new(),
            wanted: wanted.iter().map(|it| key(it)).collect(),
            secrets: Vec::new(),
            seen: wanted.iter().take(1).map(|it| (key(it), print("1"))).collect(),
            applied_at: None,
        }
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let (a, b) = (ident("a"), ident("b"));
        let mut known = known();
        let mut see = |name: &str, app: Option<&Ident>, version: &str| {
            let apps = known.see(key(name), app, print(version));
            apps.iter().map(Ident::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(see("x", Some(&a), "1"), "");
        assert_eq!(see("x", Some(&a), "2"), "a");
        assert_eq!(see("x", Some(&a), "2"), "");
        assert_eq!(see("x", Some(&b), "3"), "b a");
        assert_eq!(see("new", Some(&b), "1"), "b");
        assert_eq!(see("foreign", None, "1"), "");
        assert_eq!(known.lose(&key("new")), Some(b.clone()));
        assert_eq!(known.lose(&key("new")), None);
        let there = [key("x")].into();
        assert_eq!(known.listed(|_| false, &there), []);
        assert_eq!(known.listed(|_| true, &there), [b]);
    }

    #[test]
    fn who_has_seen_what_is_gone_looks_again() {
        let mut known = Known::default();
        known.begin([ident("a")].iter());
        // It is made during one look, which doesn't see it, and removed during the next, which does.
        assert_eq!(known.see(key("new"), Some(&ident("a")), print("1")), [ident("a")]);
        assert_eq!(known.learn(&planned("a", &["x"])), []);
        assert_eq!(known.lose(&key("new")), None);
        assert_eq!(known.learn(&planned("a", &["new"])), [ident("a")]);
        assert_eq!(known.learn(&planned("a", &["x"])), []);
        known.see(key("new"), Some(&ident("a")), print("2"));
        assert_eq!(known.learn(&planned("a", &["new"])), [], "it is there again");
        known.lose(&key("new"));
        known.rest();
        assert_eq!(known.learn(&planned("a", &["new"])), [], "it has begun since");
    }

    #[test]
    fn who_comes_first_has_an_object() {
        let known = known();
        assert_eq!(known.wanted_before(&ident("b"), &key("y")), Some(&ident("a")));
        assert_eq!(known.wanted_before(&ident("a"), &key("y")), None);
        let places = [(GroupKind::new("", "ConfigMap"), "shop".to_owned())];
        assert_eq!(known.places(), places.into());
    }

    #[test]
    fn who_comes_first_has_an_object_though_it_is_seen_last() {
        let (apps, mut known) = (["a", "b", "c"].map(ident), Known::default());
        known.begin(apps.iter());
        assert_eq!(known.learn(&planned("c", &["x"])), []);
        assert_eq!(known.learn(&planned("b", &["x"])), [ident("c")]);
        assert_eq!(known.wanted_before(&ident("c"), &key("x")), Some(&ident("b")));
        assert_eq!(known.learn(&planned("a", &["y"])), []);
        assert_eq!(known.learn(&planned("a", &["x"])), [ident("b"), ident("c")]);
        assert_eq!(known.learn(&planned("a", &["x", "z"])), [], "nothing new for them");
        assert_eq!(known.wanted_before(&ident("c"), &key("x")), Some(&ident("a")));
        known.begin(apps.iter());
        assert_eq!(known.wanted_before(&ident("b"), &key("x")), Some(&ident("a")), "as it was");
        assert_eq!(known.places().len(), 1);
        assert_eq!(known.learn(&planned("a", &[])), [ident("b"), ident("c")]);
        known.begin(apps[1..].iter());
        assert_eq!(known.wanted_before(&ident("c"), &key("x")), Some(&ident("b")));
    }
}
