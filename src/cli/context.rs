use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::{Context as Known, Contexts, TlsFiles};
use super::output::{list, show, table};
use super::say;
use crate::model::Ident;

/// Give daemons names, and say which one commands are for.
///
/// Kept in `farol/config.toml` under XDG_CONFIG_HOME or ~/.config. Tokens stay in files of their own. A command is for the
/// daemon of --server or --context, else of FAROL_SERVER or FAROL_CONTEXT, else of the context in use.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  farol context set berlin --server https://gtm1.example:8053 --token-file ~/.farol-token
  farol context set rio --server https://gtm2.example:8053 --ca /etc/ssl/own-ca.pem --client-cert ann.pem
  farol context use berlin
  farol status --context berlin")]
pub(super) struct Context {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Every context; the one in use has a star
    List,
    /// One context
    Show {
        /// Its name; the one in use when it is left out
        name: Option<String>,
    },
    /// Have commands that name no other daemon go to this one
    Use {
        /// Its name
        name: String,
    },
    /// Make a context, or replace it; the first is in use from then on
    Set {
        /// Its name: a-z, 0-9 and `-`
        name: Ident,
        /// The daemon's API
        #[arg(long, value_name = "URL")]
        server: String,
        /// The file with the API's token
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// The authorities that its certificate is trusted by
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// The certificate that it is shown
        #[arg(long, value_name = "FILE")]
        client_cert: Option<PathBuf>,
        /// The key of that, if it is not in the same file
        #[arg(long, value_name = "FILE")]
        client_key: Option<PathBuf>,
    },
    /// Forget a context
    Delete {
        /// Its name
        name: String,
    },
}

impl Context {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let environment = |key: &str| std::env::var_os(key).filter(|it| !it.is_empty());
        let mut contexts = Contexts::read(environment)?;
        match self.verb {
            Verb::List => show(&context_table(&contexts)?)?,
            Verb::Show { name } => {
                let Some(name) = name.or_else(|| contexts.current().map(str::to_owned)) else {
                    anyhow::bail!("no context is in use; choose one with `farol context use NAME`");
                };
                show(&render(&name, &contexts.get(&name)?))?;
            }
            Verb::Use { name } => {
                contexts.set_current(&name)?;
                contexts.store()?;
                say(&in_use(&name))?;
            }
            Verb::Set { name, server, token_file, ca, client_cert, client_key } => {
                // They must lead there from wherever the next command is run.
                let absolute = |it: Option<PathBuf>| it.map(std::path::absolute).transpose();
                let tls = TlsFiles {
                    ca: absolute(ca)?,
                    client_cert: absolute(client_cert)?,
                    client_key: absolute(client_key)?,
                };
                let token_file = absolute(token_file)?;
                contexts.set(name.as_str(), &Known { server, token_file, tls })?;
                contexts.store()?;
                let used = contexts.current() == Some(name.as_str());
                say(&if used { in_use(name.as_str()) } else { format!("{name} is set.") })?;
            }
            Verb::Delete { name } => {
                contexts.remove(&name)?;
                contexts.store()?;
                say(&format!("{name} is forgotten."))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn in_use(name: &str) -> String {
    format!("Commands that name no other daemon go to {name}.")
}

fn shown(file: Option<&PathBuf>) -> String {
    file.map(|it| it.display().to_string()).unwrap_or_default()
}

fn context_table(contexts: &Contexts) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for name in contexts.names() {
        let context = contexts.get(name)?;
        let star = if contexts.current() == Some(name) { "*" } else { "" };
        let token = shown(context.token_file.as_ref());
        rows.push(vec![format!("{name}{star}"), context.server, token]);
    }
    Ok(match rows.as_slice() {
        [] => {
            "There is no context; make one with `farol context set NAME --server URL`.".to_owned()
        }
        _ => table(&["CONTEXT", "SERVER", "TOKEN FILE"], rows),
    })
}

fn render(name: &str, context: &Known) -> String {
    list(&[
        ("context", name.to_owned()),
        ("server", context.server.clone()),
        ("token file", shown(context.token_file.as_ref())),
        ("ca file", shown(context.tls.ca.as_ref())),
        ("client certificate", shown(context.tls.client_cert.as_ref())),
        ("client key", shown(context.tls.client_key.as_ref())),
    ])
}
