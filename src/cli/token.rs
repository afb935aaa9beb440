use std::io::{IsTerminal, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::client::{ClientOptions, Output};
use super::output::{ago, list, table};
use crate::api::view;
use crate::model::{Ident, Role, Scope};
use crate::store::token_hash;

/// Tokens that are shorter are guessed.
const LEAST: usize = 16;

/// Look at the tokens of the API, make some, and revoke them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol token create deploy --role operator --profile '*.team.example.' --expires 30d
  farol token create prometheus --role viewer -o json
  farol token list
  farol token revoke 1a2b3c4d
  head -c 32 /dev/urandom | base64 >deploy.token; farol token hash deploy --role operator <deploy.token")]
pub(super) struct Token {
    #[command(flatten)]
    client: ClientOptions,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every token, with when it was last used
    List,
    /// Make a token, which is shown this once
    Create {
        #[command(flatten)]
        grant: Grant,
        /// From when on it opens nothing: how long from now on, like 30d or 12h, or a time like 2026-11-22T18:00:00Z
        #[arg(long, value_name = "DURATION|TIME")]
        expires: Option<String>,
    },
    /// Have a token open nothing any more, at once
    Revoke {
        /// The token's id, as `farol token list` shows it
        id: String,
        /// Revoke it also if it is the one that this command is given
        #[arg(long)]
        force: bool,
    },
    /// Read a token from standard input, and write what lets it in by the configuration
    Hash {
        #[command(flatten)]
        grant: Grant,
    },
}

#[derive(Args, Debug)]
struct Grant {
    /// The name that its changes are signed with: a-z, 0-9 and `-`
    name: Ident,
    /// What it may do: viewer (look), operator (change traffic) or admin (reload, manage tokens)
    #[arg(long)]
    role: Role,
    /// A profile to limit it to, or all below a name with `*.`; may be given again
    #[arg(long = "profile", value_name = "PROFILE")]
    profiles: Vec<Scope>,
}

impl Grant {
    fn profiles(&self) -> Vec<String> {
        self.profiles.iter().map(ToString::to_string).collect()
    }
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        if let Verb::Hash { grant } = &self.verb {
            hash(grant, self.client.output())?;
            return Ok(ExitCode::SUCCESS);
        }
        self.client.run(async |client, output| match self.verb {
            Verb::List => {
                let answer = client.get::<view::Tokens>(&["tokens"]).await?;
                output.show(&answer.text, || token_table(&answer.value.tokens))
            }
            Verb::Create { grant, expires } => {
                let body = view::TokenRequest {
                    name: grant.name.to_string(),
                    role: grant.role.label().to_owned(),
                    profiles: grant.profiles(),
                    expires: expires.as_deref().map(in_hours),
                };
                let answer = client.post::<view::CreatedToken>(&["tokens"], &body, None).await?;
                output.show(&answer.text, || created(&answer.value))
            }
            Verb::Revoke { id, force } => {
                let answer = client.delete::<view::Token>(&["tokens", &id], force).await?;
                output.show(&answer.text, || {
                    format!("The token {id} of {} opens nothing any more.", answer.value.name)
                })
            }
            Verb::Hash { .. } => Ok(()),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Days, which tokens last for, in hours, which is what durations have.
fn in_hours(expires: &str) -> String {
    let days: Option<u64> = expires.strip_suffix('d').and_then(|it| it.parse().ok());
    let hours = days.and_then(|it| it.checked_mul(24));
    hours.map_or_else(|| expires.to_owned(), |it| format!("{it}h"))
}

fn hash(grant: &Grant, output: Output) -> anyhow::Result<()> {
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        anyhow::bail!("write the token into a file, and give it by `<FILE`: what is typed is seen");
    }
    std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
    let token = text.trim();
    if token.len() < LEAST || !token.bytes().all(|it| it.is_ascii_graphic()) {
        anyhow::bail!("give {LEAST} or more visible ASCII characters without spaces as the token");
    }
    let digits = token_hash(token).0.map(|it| format!("{it:02x}")).concat();
    let (name, role, profiles) = (grant.name.as_str(), grant.role.label(), grant.profiles());
    crate::model::Grant::new(
        grant.name.clone(),
        grant.role,
        grant.profiles.iter().cloned().collect(),
    )?;
    let mut entry = json!({"name": name, "sha256": digits, "role": role});
    if !profiles.is_empty() {
        entry["profiles"] = json!(profiles);
    }
    let document = json!({"admin": {"token": [entry]}}).to_string();
    output.show(&document, || {
        let mut text = format!(
            "[[admin.token]]\nname = \"{name}\"\nsha256 = \"{digits}\"\nrole = \"{role}\"\n"
        );
        if !profiles.is_empty() {
            text.push_str(&format!("profiles = {profiles:?}\n"));
        }
        text
    })
}

fn created(made: &view::CreatedToken) -> String {
    let token = &made.token;
    let facts = list(&[
        ("id", token.id.clone().unwrap_or_default()),
        ("name", token.name.clone()),
        ("role", token.role.clone()),
        ("profiles", token.profiles.join("\n")),
        ("expires", token.expires.clone().unwrap_or_else(|| "never".to_owned())),
        ("token", made.secret.clone()),
    ]);
    format!("{facts}\nKeep the token now: it is shown this once, and nothing can show it again.")
}

fn token_table(tokens: &[view::Token]) -> String {
    let row = |it: &view::Token| {
        let expires = match (&it.expires, it.expired) {
            (Some(time), true) => format!("{time} (expired)"),
            (Some(time), false) => time.clone(),
            (None, _) => String::new(),
        };
        vec![
            it.id.clone().unwrap_or_else(|| format!("({})", it.source)),
            it.name.clone(),
            it.role.clone(),
            it.profiles.join(", "),
            it.created.clone().unwrap_or_default(),
            it.by.clone().unwrap_or_default(),
            expires,
            it.last_used.as_deref().map_or_else(|| "not since the start".to_owned(), ago),
        ]
    };
    let header = ["ID", "NAME", "ROLE", "PROFILES", "CREATED", "BY", "EXPIRES", "LAST USED"];
    if tokens.is_empty() {
        return "No token opens anything.".to_owned();
    }
    table(&header, tokens.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> view::Token {
        view::Token {
            id: Some("1a2b3c4d".to_owned()),
            name: "deploy".to_owned(),
            role: "operator".to_owned(),
            profiles: vec!["a.example.".to_owned(), "*.b.example.".to_owned()],
            source: "api".to_owned(),
            created: Some("2026-05-01T12:00:00Z".to_owned()),
            by: Some("admin".to_owned()),
            expires: None,
            expired: false,
            last_used: None,
        }
    }

    #[test]
    fn tokens_are_listed_by_id_or_by_where_they_stand() {
        let own = view::Token {
            id: None,
            name: "admin".to_owned(),
            role: "admin".to_owned(),
            profiles: Vec::new(),
            source: "file".to_owned(),
            created: None,
            by: None,
            ..token()
        };
        let text = token_table(&[own, token()]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("ID        NAME    ROLE      PROFILES"), "{text}");
        assert!(!lines[0].contains("EXPIRES"), "{text}");
        assert!(lines[1].starts_with("(file)    admin   admin "), "{text}");
        assert!(
            lines[2].starts_with("1a2b3c4d  deploy  operator  a.example., *.b.example."),
            "{text}"
        );
        assert!(lines[2].ends_with("not since the start"), "{text}");
    }

    #[test]
    fn a_new_token_is_shown_with_a_warning() {
        let made = view::CreatedToken { secret: "farol_1a2b3c4d_x".to_owned(), token: token() };
        let text = created(&made);
        assert!(text.contains("\nexpires   never\ntoken     farol_1a2b3c4d_x\n\nKeep"), "{text}");
    }

    #[test]
    fn days_are_hours() {
        for (text, hours) in [("30d", "720h"), ("12h", "12h"), ("xd", "xd"), ("1d12h", "1d12h")] {
            assert_eq!(in_hours(text), hours);
        }
    }
}
