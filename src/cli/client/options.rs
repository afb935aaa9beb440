use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::contexts::Target;
use super::{Client, Contexts, Failure, TlsFiles};

pub(super) const DEFAULT_SERVER: &str = "http://127.0.0.1:8053";

/// Which daemon, by which right, and how its answers are shown.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Options for the daemon")]
pub(in crate::cli) struct ClientOptions {
    /// The daemon's API [else: --context, FAROL_SERVER, FAROL_CONTEXT, the context in use, http://127.0.0.1:8053]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The daemon by the name that `farol context set` gave it
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "server")]
    context: Option<String>,
    /// The file with the API's token [else: that of --context, FAROL_TOKEN (the token itself), FAROL_TOKEN_FILE, that of the
    /// context in use, /var/lib/farol/admin.token]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities that the daemon's certificate is trusted by [else: that of the context, FAROL_CA, the system's]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate that the daemon is shown [else: that of the context, FAROL_CLIENT_CERT]
    #[arg(long, global = true, value_name = "FILE")]
    client_cert: Option<PathBuf>,
    /// Its key, if it is not in the same file [else: that of the context, FAROL_CLIENT_KEY]
    #[arg(long, global = true, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// How the answer is shown
    #[arg(long, short, global = true, value_enum, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Output {
    /// For people
    Table,
    /// The same with more columns, where there are more
    Wide,
    /// JSON, for programs
    Json,
    /// The same in YAML
    Yaml,
}

impl Output {
    /// Whether people read it.
    pub(in crate::cli) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }

    /// Whether a table has more columns.
    pub(in crate::cli) fn is_wide(self) -> bool {
        self == Self::Wide
    }
}

impl ClientOptions {
    /// Does something with a client of the daemon, and waits for it.
    pub(in crate::cli) fn run<T>(
        &self,
        work: impl AsyncFnOnce(Client, Output) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let client = self.client()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("could not start the async runtime")?.block_on(work(client, self.output))
    }

    fn client(&self) -> Result<Client, Failure> {
        let environment = |key: &str| std::env::var_os(key).filter(|it| !it.is_empty());
        let target = self.target(environment, || Contexts::read(environment))?;
        let token = target.token(self.token_file.as_deref(), environment)?;
        let file = |key: &str| environment(key).map(PathBuf::from);
        let said = TlsFiles {
            ca: self.ca.clone(),
            client_cert: self.client_cert.clone(),
            client_key: self.client_key.clone(),
        };
        let variables = TlsFiles {
            ca: file("FAROL_CA"),
            client_cert: file("FAROL_CLIENT_CERT"),
            client_key: file("FAROL_CLIENT_KEY"),
        };
        Client::new(&target.server, token, &said.or(target.tls).or(variables))
    }

    /// How the answer is shown.
    pub(in crate::cli) fn output(&self) -> Output {
        self.output
    }

    /// The daemon that is meant: what is said with the command beats the environment, which beats what is in use.
    fn target(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
        contexts: impl FnOnce() -> Result<Contexts, Failure>,
    ) -> Result<Target, Failure> {
        let text = |key: &str| environment(key).map(|it| it.to_string_lossy().into_owned());
        if let Some(server) = &self.server {
            return Ok(Target::of_server(server.clone()));
        }
        if let Some(name) = &self.context {
            let context = contexts()?.get(name)?;
            let (named, tls) = (context.token_file, context.tls);
            return Ok(Target { server: context.server, named, used: None, tls });
        }
        if let Some(server) = text("FAROL_SERVER") {
            return Ok(Target::of_server(server));
        }
        let contexts = contexts()?;
        let name = text("FAROL_CONTEXT").or_else(|| contexts.current().map(str::to_owned));
        let Some(name) = name else {
            return Ok(Target::of_server(DEFAULT_SERVER.to_owned()));
        };
        let context = contexts.get(&name)?;
        let (used, tls) = (context.token_file, context.tls);
        Ok(Target { server: context.server, named: None, used, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `flags` and `environment` lead, with `a` in use, and whose token is taken.
    #[track_caller]
    fn check(flags: [Option<&str>; 2], environment: &[(&str, &str)], server: &str, file: &str) {
        let [server_flag, context] = flags.map(|it| it.map(str::to_owned));
        let options = ClientOptions {
            server: server_flag,
            context,
            token_file: None,
            ca: None,
            client_cert: None,
            client_key: None,
            output: Output::Table,
        };
        let text = "current = 'a'\n[context.a]\nserver = 'http://a'\ntoken_file = '/a'\n\
                    [context.b]\nserver = 'http://b'\ntoken_file = '/b'\n";
        let get =
            |key: &str| environment.iter().find(|it| it.0 == key).map(|it| OsString::from(it.1));
        let target = options.target(get, || Contexts::parse("c.toml".into(), text)).unwrap();
        assert_eq!(target.server, server);
        let token = target.named.or(target.used).map(|it| it.display().to_string());
        assert_eq!(token.unwrap_or_default(), file);
    }

    #[test]
    fn flags_beat_the_environment_which_beats_what_is_in_use() {
        let (server, context) = (("FAROL_SERVER", "http://s"), ("FAROL_CONTEXT", "b"));
        check([None, None], &[], "http://a", "/a");
        check([None, None], &[context], "http://b", "/b");
        check([None, None], &[context, server], "http://s", "");
        check([None, Some("b")], &[server], "http://b", "/b");
        check([Some("http://f"), None], &[context], "http://f", "");
    }
}
