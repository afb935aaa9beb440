//! Who owns which fields of an object: its `managedFields`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fields::{Fields, common, minus, paths};

/// How a manager writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Apply,
    Update,
}

/// A manager's fields.
struct Entry {
    manager: String,
    how: String,
    subresource: String,
    fields: Fields,
    /// As it is written.
    json: Value,
}

/// The managers of an object's fields.
pub(crate) struct Managers(Vec<Entry>);

impl Managers {
    pub(crate) fn of(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        let entry = |it: &Value| {
            let text =
                |key: &str| it.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let fields = it.get("fieldsV1").and_then(Value::as_object).cloned();
            Entry {
                manager: text("manager"),
                how: text("operation"),
                subresource: text("subresource"),
                fields: fields.unwrap_or_default(),
                json: it.clone(),
            }
        };
        Self(entries.into_iter().flatten().map(entry).collect())
    }

    /// What a manager owns by writing so.
    pub(crate) fn fields(&self, manager: &str, how: How, subresource: &str) -> Fields {
        let found = self.0.iter().find(|it| it.is_of(manager, how, subresource));
        found.map(|it| it.fields.clone()).unwrap_or_default()
    }

    /// Of these fields those that nobody but a manager who writes so owns.
    pub(crate) fn without_others(&self, manager: &str, how: How, fields: &Fields) -> Fields {
        let others = self.0.iter().filter(|it| !it.is_of(manager, how, ""));
        others.fold(fields.clone(), |left, it| minus(&left, &it.fields))
    }

    /// Of these fields those that others own, each with whose it is, as servers say it.
    pub(crate) fn conflicts(&self, manager: &str, fields: &Fields) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for entry in self.0.iter().filter(|it| !it.is_of(manager, How::Apply, "")) {
            let api_version = entry.json.get("apiVersion").and_then(Value::as_str);
            let api_version = api_version.unwrap_or_default();
            let whose = format!("conflict with \"{}\" using {api_version}", entry.manager);
            let paths = paths(&common(fields, &entry.fields));
            found.extend(paths.into_iter().map(|it| (it, whose.clone())));
        }
        found
    }

    /// Takes fields away from all but one manager who writes so.
    pub(crate) fn take(&mut self, manager: &str, how: How, subresource: &str, fields: &Fields) {
        for entry in &mut self.0 {
            if !entry.is_of(manager, how, subresource) {
                entry.set(minus(&entry.fields, fields));
            }
        }
        self.0.retain(|it| !it.fields.is_empty());
    }

    /// Has a manager own exactly these fields by writing so.
    pub(crate) fn own(
        &mut self,
        manager: &str,
        how: How,
        subresource: &str,
        api_version: &str,
        fields: Fields,
    ) {
        if let Some(entry) = self.0.iter_mut().find(|it| it.is_of(manager, how, subresource)) {
            return entry.set(fields);
        }
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut json = json!({"manager": manager, "operation": how.word(), "apiVersion": api_version, "time": now, "fieldsType": "FieldsV1"});
        json["fieldsV1"] = Value::Object(fields.clone());
        if !subresource.is_empty() {
            json["subresource"] = subresource.into();
        }
        self.0.push(Entry {
            manager: manager.to_owned(),
            how: how.word().to_owned(),
            subresource: subresource.to_owned(),
            fields,
            json,
        });
    }

    pub(crate) fn to_json(&self) -> Value {
        self.0.iter().map(|it| it.json.clone()).collect()
    }
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Entry {
    fn is_of(&self, manager: &str, how: How, subresource: &str) -> bool {
        (self.manager.as_str(), self.how.as_str(), self.subresource.as_str())
            == (manager, how.word(), subresource)
    }

    fn set(&mut self, fields: Fields) {
        if self.fields != fields {
            self.json["fieldsV1"] = Value::Object(fields.clone());
            let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            self.json["time"] = now.into();
            self.fields = fields;
        }
    }
}
