use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::store::envelope::{Damage, hex};
use crate::store::time::Time;

/// Who does what happens by itself.
const OWN: &str = "farol";
/// The outcome of what was done.
const MADE: &str = "made";

/// What something was, or is, by the names of its fields.
pub type Values = serde_json::Map<String, serde_json::Value>;

/// What comes before a line's hash, which is its last field.
const HASH: &str = ",\"hash\":\"";
/// What the first line has in the place of the hash of the one before it.
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Something that was done, or was to be done and refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// Who did it: the name of a token, or `farol` for what happens by itself.
    pub by: String,
    /// From where; none for what happens by itself.
    pub from: Option<IpAddr>,
    /// What was done, in a word: "set", "drain".
    pub action: String,
    /// The profile that it was done to, if it was one, or one of its endpoints.
    pub profile: Option<String>,
    /// The endpoint, if it was one.
    pub endpoint: Option<String>,
    /// The site, if it was one.
    pub site: Option<String>,
    /// The number of the change that is pending by it, was confirmed or undone.
    pub change: Option<u64>,
    /// What was in force before, of what was to change; null is the configuration's value.
    pub before: Values,
    /// What is in force since, or would be, had it not been refused.
    pub after: Values,
    /// The author's reason, where one was given.
    pub reason: Option<String>,
    /// When it is undone by itself, if ever.
    pub expires: Option<Timestamp>,
    /// "made", or why it was refused.
    pub outcome: String,
}

impl Record {
    /// Something that happened by itself, or at the hands of whoever has this machine.
    pub fn own(action: &str, at: Timestamp) -> Self {
        Self {
            at,
            by: OWN.to_owned(),
            from: None,
            action: action.to_owned(),
            profile: None,
            endpoint: None,
            site: None,
            change: None,
            before: Values::new(),
            after: Values::new(),
            reason: None,
            expires: None,
            outcome: MADE.to_owned(),
        }
    }
}

/// A record in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number: 1 for the first one, and so on without a gap.
    pub number: u64,
    /// What it says.
    pub record: Record,
    /// The hash of the line before it, in hexadecimal.
    pub(super) previous: String,
    /// Its own.
    pub hash: String,
}

/// A line without its hash.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    at: Time,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<u64>,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    before: Values,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    after: Values,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
    outcome: String,
    previous: String,
}

/// The end of the log: what the next line goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The number of the next line.
    pub(super) next: u64,
    /// The hash of the last one.
    previous: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { next: 1, previous: NONE.to_owned() }
    }
}

impl Chain {
    /// The end of a log whose last line this is; none when it is no line.
    pub(super) fn after(line: &str) -> Option<Self> {
        let entry = open(line).ok()?;
        Some(Self { next: entry.number + 1, previous: entry.hash })
    }

    /// Makes the line of a record, and goes on from it.
    pub(super) fn seal(&mut self, record: &Record) -> String {
        let record = record.clone();
        let line = Line {
            number: self.next,
            at: Time::of(record.at),
            by: record.by,
            from: record.from,
            action: record.action,
            profile: record.profile,
            endpoint: record.endpoint,
            site: record.site,
            change: record.change,
            before: record.before,
            after: record.after,
            reason: record.reason,
            expires: record.expires.map(Time::of),
            outcome: record.outcome,
            previous: std::mem::take(&mut self.previous),
        };
        // Texts, numbers and maps of those by texts can always be written.
        let json = serde_json::to_string(&line).unwrap_or_default();
        self.previous = hash(&json);
        self.next += 1;
        let body = json.strip_suffix('}').unwrap_or(&json);
        format!("{body}{HASH}{}\"}}", self.previous)
    }

    /// Goes back to before this line, which was the last one.
    pub(super) fn take_back(&mut self, line: &str) {
        if let Ok(entry) = open(line) {
            *self = Self { next: entry.number, previous: entry.previous };
        }
    }

    /// Whether an entry is the next one.
    pub(super) fn leads_to(&self, entry: &Entry) -> bool {
        self.next == entry.number && self.previous == entry.previous
    }
}

/// Reads a line.
///
/// # Errors
/// When it is none, or its hash is not that of what it says.
pub(super) fn open(line: &str) -> Result<Entry, Damage> {
    let parts = line.strip_suffix("\"}").and_then(|it| it.rsplit_once(HASH));
    let Some((body, own)) = parts else {
        return Err(Damage::Value("it is not a line that Farol writes".to_owned()));
    };
    let json = format!("{body}}}");
    if hash(&json) != own {
        return Err(Damage::Checksum);
    }
    let line: Line = serde_json::from_str(&json)?;
    let record = Record {
        at: line.at.timestamp()?,
        by: line.by,
        from: line.from,
        action: line.action,
        profile: line.profile,
        endpoint: line.endpoint,
        site: line.site,
        change: line.change,
        before: line.before,
        after: line.after,
        reason: line.reason,
        expires: line.expires.map(|it| it.timestamp()).transpose()?,
        outcome: line.outcome,
    };
    Ok(Entry { number: line.number, record, previous: line.previous, hash: own.to_owned() })
}

fn hash(json: &str) -> String {
    hex(digest(&SHA256, json.as_bytes()).as_ref())
}
