use std::path::Path;

use prometheus::Registry;
use tempfile::TempDir;

use super::*;
use crate::model::{Role, Scopes};
use crate::settings::load_text;
use crate::store::token_hash;

const ZONE: &str = "[[zone]]\nname = 'a.'\nnameservers = 'ns.b.'\n";

fn admin(more: &str) -> Admin {
    load_text(Path::new("farol.toml"), &format!("{ZONE}{more}")).unwrap().admin
}

/// What the configuration keeps of the token `open-sesame`.
fn digits() -> String {
    token_hash("open-sesame").0.map(|it| format!("{it:02x}")).concat()
}

/// A token `open-sesame` of the configuration.
fn configured() -> String {
    let digits = digits();
    format!(
        "[[admin.token]]\nname = 'deploy'\nrole = 'operator'\nprofiles = '*.a.'\nsha256 = '{digits}'\n\
         [[admin.client_certificate]]\nname = 'ann'\nrole = 'viewer'\nsan = 'DNS:Ann.Example'\n"
    )
}

struct Bed {
    dir: TempDir,
    access: Access,
    own: String,
}

fn bed(more: &str) -> Bed {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let own = store.admin_token(true).unwrap();
    let metrics = AccessMetrics::register(&Registry::new()).unwrap();
    let access = Access::new(store, own.as_ref(), Vec::new(), &admin(more), metrics);
    let own = std::fs::read_to_string(dir.path().join("admin.token")).unwrap().trim().to_owned();
    Bed { dir, access, own }
}

fn grant(role: Role) -> Grant {
    Grant::new("bot".parse().unwrap(), role, Scopes::all()).unwrap()
}

impl Bed {
    fn create(&self, expires: Option<i64>) -> (IssuedToken, String) {
        let expires = expires.map(Timestamp);
        self.access.create(grant(Role::Viewer), "root".into(), Timestamp(5), expires).unwrap()
    }

    /// The name of whoever comes with this token from this address.
    fn name(&self, token: &str, address: &str, milliseconds: i64) -> Result<String, Denied> {
        let peer = Peer::at(address.parse().unwrap());
        let author =
            self.access.authenticate(Presented::Token(token), &peer, Now::at(milliseconds))?;
        Ok(author.name)
    }
}

const HERE: &str = "192.0.2.1";

#[test]
fn every_kind_of_token_lets_in_whom_it_was_given_to() {
    let bed = bed(&configured());
    let (issued, text) = bed.create(None);
    for (token, name, role) in [
        (bed.own.as_str(), "admin", Role::Admin),
        ("open-sesame", "deploy", Role::Operator),
        (text.as_str(), "bot", Role::Viewer),
    ] {
        let peer = Peer::at(HERE.parse().unwrap());
        let author = bed.access.authenticate(Presented::Token(token), &peer, Now::at(9)).unwrap();
        assert_eq!((author.name.as_str(), author.role), (name, role));
        assert_eq!(author.token, (name == "bot").then_some(issued.id));
        assert_eq!(author.scopes.are_limited(), name == "deploy");
    }
    let peer = Peer::at(HERE.parse().unwrap());
    let nobody = bed.access.authenticate(Presented::Nothing, &peer, Now::at(9));
    assert_eq!(nobody.unwrap_err(), Denied::Missing);
    let used: Vec<_> = bed.access.list().into_iter().map(|it| (it.source, it.last_used)).collect();
    let at = Some(Timestamp(9));
    assert_eq!(used, [("file", at), ("configuration", at), ("api", at)]);

    // Other settings, and what was used stays known.
    bed.access.configure(&admin(""));
    assert_eq!(bed.name("open-sesame", HERE, 10), Err(Denied::Wrong));
    assert_eq!(bed.access.list().len(), 2);
    assert_eq!(bed.access.list()[1].last_used, at);
}

#[test]
fn a_certificate_lets_in_whom_the_settings_know() {
    let bed = bed(&configured());
    let peer = |names: &[&str]| {
        let names = names.iter().map(|it| (*it).to_owned()).collect();
        Peer::in_tls(HERE.parse().unwrap(), names)
    };
    let name = |token: Option<&str>, names: &[&str]| {
        let presented = token.map_or(Presented::Nothing, Presented::Token);
        bed.access.authenticate(presented, &peer(names), Now::at(0)).map(|it| it.name)
    };
    assert_eq!(name(None, &["DNS:other", "DNS:ann.example"]).as_deref(), Ok("ann"));
    assert_eq!(name(Some("open-sesame"), &["DNS:ann.example"]).as_deref(), Ok("deploy"));
    assert_eq!(name(Some("wrong"), &["DNS:ann.example"]), Err(Denied::Wrong));
    for other in ["email:ann.example", "URI:ann.example", "DNS:x.ann.example"] {
        assert_eq!(name(None, &[other]), Err(Denied::UnknownCertificate([other.into()].into())));
    }
}

#[test]
fn a_token_ends_at_its_time() {
    let bed = bed("");
    let (_, text) = bed.create(Some(1000));
    assert!(bed.name(&text, HERE, 999).is_ok());
    for _ in 0..20 {
        let expired = bed.name(&text, HERE, 1000);
        assert_eq!(expired, Err(Denied::Expired(Timestamp(1000))), "it is no guess");
    }
    assert!(bed.name(&bed.own, HERE, 1001).is_ok());
}

#[test]
fn who_guesses_waits_and_nobody_else() {
    let bed = bed("");
    let (revoked, text) = bed.create(None);
    bed.access.revoke(revoked.id).unwrap();
    for _ in 0..5 {
        assert_eq!(bed.name(&text, HERE, 0), Err(Denied::Wrong));
    }
    let second = Duration::from_secs(1);
    assert_eq!(bed.name("x", HERE, 0), Err(Denied::Backoff(second)));
    assert_eq!(bed.name(&bed.own, HERE, 0), Err(Denied::Backoff(second)), "no guess is answered");
    assert!(bed.name(&bed.own, "192.0.2.2", 0).is_ok());
    assert!(bed.name(&bed.own, HERE, 1000).is_ok());
}

#[test]
fn a_token_that_asks_too_often_waits_and_no_other_does() {
    let bed = bed("[admin]\nrate_limit = 2\nrate_burst = 3");
    let (_, text) = bed.create(None);
    for _ in 0..3 {
        assert!(bed.name(&text, HERE, 0).is_ok());
    }
    let half = Duration::from_millis(500);
    assert_eq!(bed.name(&text, HERE, 0), Err(Denied::Limited(half)));
    assert_eq!(bed.name(&text, "192.0.2.2", 0), Err(Denied::Limited(half)));
    assert!(bed.name(&bed.own, HERE, 0).is_ok());
    // Making another token refills nothing.
    bed.create(None);
    assert_eq!(bed.name(&text, HERE, 0), Err(Denied::Limited(half)));
    assert!(bed.name(&text, HERE, 500).is_ok());
}

#[test]
fn what_is_made_and_revoked_is_on_the_disk() {
    let bed = bed("");
    let (first, _) = bed.create(None);
    let (second, text) = bed.create(Some(7));
    let stored = || bed.access.store.load_tokens().unwrap().stored.unwrap();
    assert_eq!(stored(), [first.clone(), second.clone()]);
    assert_eq!(bed.access.revoke(first.id).unwrap(), first);
    assert_eq!(stored(), std::slice::from_ref(&second));
    assert!(matches!(bed.access.revoke(first.id), Err(ManageError::NoToken(_))));

    // Where the disk fails, everything stays as it is.
    std::fs::create_dir(bed.dir.path().join("tokens.json.new")).unwrap();
    assert!(matches!(bed.access.revoke(second.id), Err(ManageError::NotStored(_))));
    let made = bed.access.create(grant(Role::Admin), "root".into(), Timestamp(5), None);
    assert!(matches!(made, Err(ManageError::NotStored(_))));
    assert!(bed.name(&text, HERE, 1).is_ok());
    assert_eq!(bed.access.list().len(), 2);
}

#[test]
fn a_session_is_worth_what_its_token_is() {
    let bed = bed(&format!("[admin]\nrate_limit = 1\nrate_burst = 9\n{}", configured()));
    let (issued, text) = bed.create(Some(3_600_000));
    let peer = Peer::at(HERE.parse().unwrap());
    let sign_in = |token: &str, secret: &str| bed.access.sign_in(token, secret, &peer, Now::at(0));
    let by = |secret: &str, milliseconds| {
        bed.access.authenticate(Presented::Session(secret), &peer, Now::at(milliseconds))
    };
    assert_eq!(sign_in("guess", "a").unwrap_err(), Denied::Wrong);
    assert_eq!(by("a", 1).unwrap_err(), Denied::Ended);
    let author = sign_in("open-sesame", "b").unwrap();
    assert_eq!(author.until, Some(Timestamp(12 * 3_600_000)));
    assert_eq!(sign_in(&text, "c").unwrap().until, Some(Timestamp(3_600_000)));
    let (deploy, bot) = (by("b", 1).unwrap(), by("c", 1).unwrap());
    assert_eq!((deploy.name.as_str(), deploy.role), ("deploy", Role::Operator));
    assert_eq!((bot.token, bot.until), (Some(issued.id), Some(Timestamp(3_600_000))));
    assert!(bed.access.still_admits(&deploy, Now::at(1)));
    assert!(bed.access.still_admits(&bot, Now::at(1)));

    // It makes as many requests as its token may.
    let passed = (0..100).take_while(|_| by("b", 1).is_ok()).count();
    assert_eq!(passed, 9 - 2);
    assert!(matches!(bed.name("open-sesame", HERE, 1), Err(Denied::Limited(_))));

    // It ends with its token, at once.
    bed.access.revoke(issued.id).unwrap();
    assert_eq!(by("c", 2).unwrap_err(), Denied::Ended);
    assert!(!bed.access.still_admits(&bot, Now::at(2)));
    bed.access.configure(&admin(&configured().replace(&digits(), &"1".repeat(64))));
    assert_eq!(by("b", 5_000).unwrap_err(), Denied::Ended);
    assert!(!bed.access.still_admits(&deploy, Now::at(5_000)));

    // And when its owner says so.
    let own = sign_in(&bed.own, "d").unwrap();
    assert!(bed.access.sign_out("d") && !bed.access.sign_out("d"));
    assert!(!bed.access.still_admits(&own, Now::at(1)));
}

#[test]
fn nothing_shows_a_token() {
    let bed = bed(&configured());
    let (_, text) = bed.create(None);
    let _ = bed.name(&text, HERE, 1);
    let shown = format!("{:?}", bed.access);
    let secret = text.rsplit('_').next().unwrap();
    for hidden in [secret, bed.own.as_str(), "open-sesame"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[test]
fn a_token_of_its_own_is_needed_while_nobody_else_manages() {
    let now = Timestamp(10);
    let issued = |role, expires: Option<i64>| {
        let expires = expires.map(Timestamp);
        IssuedToken::make(grant(role), "root".into(), now, expires, |_| false).unwrap().0
    };
    let certificate = |role: &str| {
        format!("[[admin.client_certificate]]\nname = 'ann'\nrole = '{role}'\nsan = 'DNS:a'\n")
    };
    for (settings, tokens, needed) in [
        (String::new(), Vec::new(), true),
        (String::new(), vec![issued(Role::Operator, None)], true),
        (String::new(), vec![issued(Role::Admin, Some(10))], true),
        (String::new(), vec![issued(Role::Admin, Some(11))], false),
        (String::new(), vec![issued(Role::Admin, None)], false),
        (configured(), Vec::new(), false),
        (certificate("viewer"), Vec::new(), true),
        (certificate("admin"), Vec::new(), false),
    ] {
        assert_eq!(needs_own_token(&admin(&settings), &tokens, now), needed, "{settings}");
    }
}
