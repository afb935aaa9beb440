//! Daemons by name: `config.toml` in `~/.config/farol/`, which holds where they are and in which file their token is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use super::{Failure, TlsFiles, Token, server_url};
use crate::cli::client::failure::plain;
use crate::settings::nearest;
use crate::store::replace_file;

/// The keys that name files.
const FILES: [&str; 4] = ["token_file", "ca_file", "client_cert", "client_key"];

/// A daemon that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Context {
    /// The URL of its API.
    pub(in crate::cli) server: String,
    /// The file with its token.
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// The files for TLS with it.
    pub(in crate::cli) tls: TlsFiles,
}

/// The daemon that a command is for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) server: String,
    /// The file with the token of a context that the command names.
    pub(super) named: Option<PathBuf>,
    /// The file with the token of the context in use.
    pub(super) used: Option<PathBuf>,
    /// The files for TLS of a context.
    pub(super) tls: TlsFiles,
}

impl Target {
    /// A daemon that was named by its URL. A context's token and files are not for it.
    pub(super) fn of_server(server: String) -> Self {
        Self { server, named: None, used: None, tls: TlsFiles::default() }
    }

    /// The token for it.
    pub(super) fn token(
        &self,
        flag: Option<&Path>,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Token, Failure> {
        Token::find(flag, self.named.as_deref(), environment, self.used.as_deref())
    }
}

/// Every context, and which is in use.
#[derive(Debug)]
pub(in crate::cli) struct Contexts {
    file: PathBuf,
    document: DocumentMut,
}

impl Contexts {
    /// Reads the operator's file. None is as good as an empty one.
    pub(in crate::cli) fn read(
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Failure> {
        let directory = environment("XDG_CONFIG_HOME").map(PathBuf::from);
        // A relative path is invalid and has to be ignored (XDG Base Directory Specification).
        let directory = directory.filter(|it| it.is_absolute());
        let home = || Some(PathBuf::from(environment("HOME")?).join(".config"));
        let Some(directory) = directory.or_else(home) else {
            return Self::parse(PathBuf::new(), "");
        };
        let file = directory.join("farol/config.toml");
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(file, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::parse(file, ""),
            Err(error) => Err(Failure::Contexts { file, why: plain(&error.to_string()) }),
        }
    }

    /// Reads the text of this file, and checks all of it.
    pub(super) fn parse(file: PathBuf, text: &str) -> Result<Self, Failure> {
        let document: DocumentMut = match text.parse() {
            Ok(document) => document,
            Err(error) => {
                return Err(Failure::Contexts { file, why: format!("no TOML: {error}") });
            }
        };
        let contexts = Self { file, document };
        contexts.check()?;
        Ok(contexts)
    }

    fn check(&self) -> Result<(), Failure> {
        for (key, item) in self.document.iter() {
            let is_right = match key {
                "current" => item.is_str(),
                "context" => item.is_table_like(),
                _ => false,
            };
            if !is_right {
                return Err(self.wrong(format!(
                    "`{key}`: write current = \"NAME\" and tables [context.NAME], or use `farol context set`"
                )));
            }
        }
        self.names().into_iter().try_for_each(|name| self.read_one(name).map(|_| ()))
    }

    fn read_one(&self, name: &str) -> Result<Context, Failure> {
        let table = self.table().and_then(|it| it.get(name)).and_then(Item::as_table_like);
        let key = |key: &str| match table.and_then(|it| it.get(key)) {
            None => Ok(None),
            Some(item) => item.as_str().map(|it| Some(it.to_owned())).ok_or(()),
        };
        let is_known = |(key, _): (&str, &Item)| key == "server" || FILES.contains(&key);
        let files = FILES.map(|it| key(it).map(|it| it.map(PathBuf::from)));
        match (key("server"), files) {
            (Ok(Some(server)), [Ok(token_file), Ok(ca), Ok(client_cert), Ok(client_key)])
                if table.is_some_and(|it| it.iter().all(is_known)) =>
            {
                server_url(&server)?;
                let tls = TlsFiles { ca, client_cert, client_key };
                Ok(Context { server, token_file, tls })
            }
            _ => Err(self.wrong(format!(
                "context.{name}: write server = \"URL\" and, if you like, {} = \"FILE\"",
                FILES.join(", ")
            ))),
        }
    }

    fn wrong(&self, why: String) -> Failure {
        Failure::Contexts { file: self.file.clone(), why }
    }

    fn table(&self) -> Option<&dyn TableLike> {
        self.document.get("context")?.as_table_like()
    }

    /// The names, in the file's order.
    pub(in crate::cli) fn names(&self) -> Vec<&str> {
        self.table().map(|it| it.iter().map(|(name, _)| name).collect()).unwrap_or_default()
    }

    /// The one in use.
    pub(in crate::cli) fn current(&self) -> Option<&str> {
        self.document.get("current")?.as_str()
    }

    /// The context of this name.
    pub(in crate::cli) fn get(&self, name: &str) -> Result<Context, Failure> {
        let names = self.names();
        if names.contains(&name) {
            return self.read_one(name);
        }
        let near = nearest(name, names).map(|it| format!("; did you mean {it}?"));
        Err(Failure::NoContext { name: name.to_owned(), near: near.unwrap_or_default() })
    }

    /// Makes or replaces one; the first is in use from then on. It must be stored.
    pub(in crate::cli) fn set(&mut self, name: &str, context: &Context) -> Result<(), Failure> {
        server_url(&context.server)?;
        let mut table = Table::new();
        table.insert("server", value(&context.server));
        let TlsFiles { ca, client_cert, client_key } = &context.tls;
        for (key, file) in FILES.into_iter().zip([&context.token_file, ca, client_cert, client_key])
        {
            if let Some(file) = file {
                table.insert(key, value(file.to_string_lossy().into_owned()));
            }
        }
        if self.names().is_empty() {
            self.document.insert("current", value(name));
        }
        let contexts = self.document.entry("context").or_insert_with(|| {
            let mut contexts = Table::new();
            contexts.set_implicit(true);
            Item::Table(contexts)
        });
        if let Some(contexts) = contexts.as_table_like_mut() {
            contexts.insert(name, Item::Table(table));
        }
        Ok(())
    }

    /// Puts one in use. It must be stored.
    pub(in crate::cli) fn set_current(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        self.document.insert("current", value(name));
        Ok(())
    }

    /// Takes one out; if it is in use, none is from then on. It must be stored.
    pub(in crate::cli) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        self.get(name)?;
        if self.current() == Some(name) {
            self.document.remove("current");
        }
        if let Some(contexts) = self.document.get_mut("context").and_then(Item::as_table_like_mut) {
            contexts.remove(name);
        }
        Ok(())
    }

    /// Stores what was changed: the file is replaced whole, and for its owner only.
    pub(in crate::cli) fn store(&self) -> Result<(), Failure> {
        if self.file.as_os_str().is_empty() {
            return Err(
                self.wrong("there is no place for it; set HOME or XDG_CONFIG_HOME".to_owned())
            );
        }
        // A link to the file stays one.
        let file = fs::canonicalize(&self.file).unwrap_or_else(|_| self.file.clone());
        let directory = file.parent().unwrap_or(Path::new("/"));
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.and_then(|()| replace_file(&file, self.document.to_string().as_bytes())).map_err(
            |error| self.wrong(format!("could not be written: {}", plain(&error.to_string()))),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn context(server: &str) -> Context {
        let tls =
            TlsFiles { ca: Some("/ca".into()), client_cert: None, client_key: Some("/k".into()) };
        Context { server: server.to_owned(), token_file: Some("/t".into()), tls }
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let read = || {
            Contexts::read(|it| (it == "HOME").then(|| home.path().as_os_str().to_owned())).unwrap()
        };
        let mut contexts = read();
        contexts.set("berlin", &context("http://b")).unwrap();
        contexts.set("rio", &context("http://r")).unwrap();
        contexts.store().unwrap();
        let file = home.path().join(".config/farol/config.toml");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("[context.berlin]", "# mine\n[context.berlin]")).unwrap();

        let mut contexts = read();
        assert_eq!((contexts.names(), contexts.current()), (vec!["berlin", "rio"], Some("berlin")));
        assert_eq!(contexts.get("rio").unwrap(), context("http://r"));
        contexts.set_current("rio").unwrap();
        contexts.remove("rio").unwrap();
        contexts.store().unwrap();
        assert_eq!((read().names(), read().current()), (vec!["berlin"], None));
        assert!(fs::read_to_string(&file).unwrap().contains("# mine\n[context.berlin]"));
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| Contexts::parse("c.toml".into(), text).unwrap_err().to_string();
        for (text, told) in [
            ("current = 5", "`c.toml`: `current`: write current = \"NAME\""),
            ("contexts = {}", "`contexts`: write current"),
            ("[context.a]\ntoken_file = 'x'", "context.a: write server = \"URL\""),
            ("[context.a]\nserver = 'http://a'\ntoken = 'x'", "context.a: write server"),
            ("[context.a]\nserver = 'gtm1:8053'", "`gtm1:8053` is no server's URL"),
            ("[context", "`c.toml`: no TOML"),
        ] {
            assert!(error(text).contains(told), "{text}: {}", error(text));
        }
        let contexts = Contexts::parse("c.toml".into(), "[context.berlin]\nserver = 'http://b'");
        let missing = contexts.unwrap().get("brelin").unwrap_err().to_string();
        assert!(
            missing.contains("no context is called `brelin`; did you mean berlin?"),
            "{missing}"
        );
    }
}
