//! The API, and who gets in.

use super::*;
use crate::model::Role;

const HASH: &str = "6e1d3a8f50b7c2949d0e4f6a8b1c3d5e7f90a2b4c6d8e0f1a3b5c7d9e1f20415";

fn token(name: &str, more: &str) -> String {
    format!("[[admin.token]]\nname = '{name}'\n{more}\n")
}

#[test]
fn tokens_are_read_with_role_and_limits() {
    let other = HASH.replace('6', "7").to_uppercase();
    let text = format!(
        "{BASE}{}{}",
        token(
            "deploy",
            &format!("sha256 = ['{HASH}']\nrole = 'operator'\nprofiles = ['a.b', '*.c.']")
        ),
        token("watch", &format!("sha256 = '{other}'\nrole = 'viewer'")),
    );
    let tokens = good(&text).admin.tokens;
    let grant = &tokens[0].grant;
    assert_eq!((grant.name().as_str(), grant.role()), ("deploy", Role::Operator));
    assert_eq!(grant.scopes().to_string(), "a.b., *.c.");
    assert_eq!((tokens[0].hashes.len(), tokens[0].hashes[0].0[0]), (1, 0x6e));
    assert_eq!(tokens[1].grant.scopes().iter().count(), 0);
}

#[test]
fn what_is_wrong_with_tokens_is_told_without_them() {
    let sha = format!("sha256 = '{HASH}'");
    bad(&token("a", "role = 'viewer'"), &["admin.token[a].sha256: is missing; write the 64"]);
    bad(&token("a", &sha), &["admin.token[a].role: is missing; write \"viewer\""]);
    bad(
        &token("a", "role = 'viewer'\nsha256 = 'hush-hush-hush'"),
        &["admin.token[a].sha256: is no SHA-256 of a token, which `farol token hash` makes"],
    );
    bad(
        &token("a", &format!("{sha}\nrole = 'root'")),
        &["found \"root\"; write \"viewer\", \"operator\" or \"admin\""],
    );
    bad(
        &token("admin", &format!("{sha}\nrole = 'admin'")),
        &["admin.token[admin].name: found \"admin\"; is that of the token in `admin.token`"],
    );
    bad(
        &token("a", &format!("{sha}\nrole = 'admin'\nprofiles = 'a.b.'")),
        &["admin.token[a].profiles: found \"a.b.\"; an admin manages everything"],
    );
    bad(
        &token("a", &format!("{sha}\nrole = 'viewer'\nprofiles = 'a..b'")),
        &["admin.token[a].profiles: found \"a..b\"; has an empty label"],
    );
    let one = token("a", &format!("{sha}\nrole = 'viewer'"));
    let twice = format!("{one}{one}");
    bad(&twice, &["admin.token[a].name: found \"a\"; is written twice", "is that of `a` too"]);
    let problem =
        load_one(&format!("{BASE}{}", token("a", "role = 'viewer'\nsha256 = 'hush-hush'")));
    assert!(!problem.unwrap_err().to_string().contains("hush"));
}

#[test]
fn clients_are_known_by_alternative_names() {
    let table = |name: &str, san: &str| {
        format!("[[admin.client_certificate]]\nname = '{name}'\nrole = 'viewer'\nsan = '{san}'\n")
    };
    for (san, read) in [
        ("DNS:Ops.Example", "DNS:ops.example"),
        ("email:Ann@example.org", "email:Ann@example.org"),
        ("URI:spiffe://a/b", "URI:spiffe://a/b"),
        ("IP:2001:DB8:0::1", "IP:2001:db8::1"),
    ] {
        let settings = good(&format!("{BASE}{}", table("ann", san)));
        assert_eq!(&*settings.admin.client_certificates[0].san, read);
        let warning = settings.warnings.iter().find(|it| it.key.contains("client_certificate"));
        assert!(warning.unwrap().message.contains("is of no use without `client_ca`"));
    }
    for wrong in ["ops.example", "CN:ann", "DNS:", "IP:ops", "DNS:a b"] {
        bad(&table("ann", wrong), &["write DNS:, email:, URI: or IP: and a name"]);
    }
    let twice = table("ann", "DNS:a") + &table("bob", "DNS:A");
    bad(&twice, &["admin.client_certificate[bob].san: found \"DNS:A\"; is that of `ann` too"]);
}

#[test]
fn tls_takes_a_certificate_and_its_key() {
    bad(
        "[admin.tls]\ncertificate = 'x'",
        &["admin.tls.certificate: found \"x\"; is of no use alone; write `key` too"],
    );
    bad(
        "[admin.tls]\nrequire_client_certificate = true",
        &[
            "admin.tls.require_client_certificate: found true; is of no use alone; write `client_ca` too",
        ],
    );
    bad("[admin.tls]\nclient_ca = 'nowhere.pem'", &["can't be read"]);
    assert_eq!(good(BASE).admin.tls, None);
}
