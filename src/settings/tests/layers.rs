//! The environment and flags over files.

use super::*;
use crate::settings::schema::{Accepts, Default as Preset, Key, Schema};

fn inputs(environment: &[(&str, &str)], flags: &[(&str, &str, &str)]) -> Inputs {
    let variable = |(name, value): &(&str, &str)| (OsString::from(*name), OsString::from(*value));
    let flag = |(flag, key, value): &(&str, &str, &str)| Flag {
        flag: (*flag).to_owned(),
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    };
    Inputs {
        environment: environment.iter().map(variable).collect(),
        flags: flags.iter().map(flag).collect(),
        ..Inputs::default()
    }
}

fn under(environment: &[(&str, &str)], flags: &[(&str, &str, &str)]) -> Result<Settings, Problems> {
    let file = format!("{BASE}[server]\nid = 'file'\nworkers = 9\n[state]\ndir = 'state'\n");
    load_under(&[("conf/a.toml", &file)], &inputs(environment, flags))
}

#[test]
fn flags_beat_the_environment_which_beats_files() {
    let id = |environment: &[(&str, &str)], flags: &[(&str, &str, &str)]| {
        under(environment, flags).unwrap().server.id.unwrap()
    };
    let variable = [("FAROL__SERVER__ID", "variable")];
    let flag = [("--set server.id", "server.id", "flag")];
    assert_eq!(id(&[], &[]), "file");
    assert_eq!(id(&variable, &[]), "variable");
    assert_eq!(id(&[], &flag), "flag");
    assert_eq!(id(&variable, &flag), "flag");
}

#[test]
fn a_layer_says_what_a_file_can_say() {
    let settings = under(
        &[
            ("FAROL__SERVER__LISTEN", "127.0.0.1:1, [::1]:2"),
            ("FAROL__SERVER__WORKERS", "3"),
            ("FAROL__SERVER__VERSION", "7"),
            ("FAROL__SERVER__TCP_IDLE_TIMEOUT", "1m30s"),
            ("FAROL__ADMIN__LISTEN", "127.0.0.1:3"),
            ("FAROL__STATE__DIR", "here"),
            // Not of this kind.
            ("FAROL_LOG", "debug"),
            ("FAROL_SERVER__ID", "x"),
            ("HOME", "/root"),
        ],
        &[("--set server.id", "server.id", "a,b = c")],
    )
    .unwrap();
    assert_eq!(
        settings.server.listen,
        ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()]
    );
    assert_eq!((settings.server.workers, settings.server.version.as_deref()), (3, Some("7")));
    assert_eq!(settings.server.id.as_deref(), Some("a,b = c"));
    assert_eq!(settings.server.tcp_idle_timeout, Duration::from_secs(90));
    assert_eq!(settings.admin.listen, "127.0.0.1:3".parse().unwrap());
    // A relative path in a file starts at the file, but here where the program was started.
    assert_eq!(settings.state.dir, Path::new("here"));
}

#[test]
fn what_is_wrong_names_the_layer() {
    for (environment, flags, expected) in [
        (
            ("FAROL__SERVER__WORKERS", "many"),
            None,
            r#"environment variable FAROL__SERVER__WORKERS: server.workers: found "many"; write a whole number from 1"#,
        ),
        (("FAROL__SERVER__WORKERS", ""), None, r#"server.workers: found ""; write a whole"#),
        (("FAROL__SERVER__WORKERS", "0"), None, "server.workers: found 0; write"),
        (("FAROL__SERVER__LISTEN", "127.0.0.1:53,53"), None, "server.listen: found \"53\"; write"),
        (
            ("FAROL__SERVER__LISTN", "x"),
            None,
            "variable FAROL__SERVER__LISTN: no such key; did you mean `FAROL__SERVER__LISTEN`?",
        ),
        (("FAROL__SERVR__ID", "x"), None, "did you mean `FAROL__SERVER__ID`?"),
        (
            ("FAROL__ZONE__SOMETHING", "x"),
            None,
            "no such key; what can be set here is the keys of [server], [admin], [state]",
        ),
        (("FAROL__", "x"), None, "no such key; what can be set here"),
        (
            ("", ""),
            Some(("--set server.workers", "server.workers", "0")),
            "flag --set server.workers: server.workers: found 0; write a whole number from 1",
        ),
        (
            ("", ""),
            Some(("--set server.wokers", "server.wokers", "1")),
            "flag --set server.wokers: server.wokers: no such key; did you mean `server.workers`?",
        ),
        (("", ""), Some(("--set zone", "zone", "1")), "zone: no such key; what can be set here"),
        (("", ""), Some(("--set server", "server", "1")), "server: no such key; "),
        (
            ("", ""),
            Some(("--listen", "server.listen", "53")),
            "flag --listen: server.listen: found \"53\"",
        ),
    ] {
        let flags: Vec<_> = flags.into_iter().collect();
        expect(under(&[environment], &flags), &[expected]);
    }
    expect(
        under(
            &[],
            &[
                ("--listen", "server.listen", "127.0.0.1:1"),
                ("--set server.listen", "server.listen", "x"),
            ],
        ),
        &[
            "flag --set server.listen: server.listen: is written twice, the first time at flag --listen",
        ],
    );
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![0xe9]);
    let environment = vec![("FAROL__SERVER__ID".into(), value)];
    let inputs = Inputs { environment, ..Inputs::default() };
    let loaded = load_under(&[("conf/a.toml", BASE)], &inputs);
    expect(loaded, &["environment variable FAROL__SERVER__ID: server.id: is not UTF-8"]);
}

/// Whatever tables are added, each of their keys is one that a layer can set.
#[test]
fn every_key_of_a_single_table_has_its_variable() {
    fn count(schema: &Schema) -> usize {
        let of = |accepts: &Accepts| match accepts {
            Accepts::Table(inner) => count(inner),
            Accepts::Tables(_) | Accepts::Named(_) => 0,
            _ => 1,
        };
        schema.keys.iter().map(|it| of(&it.accepts)).sum()
    }
    fn tables(schema: &'static Schema, path: &str) -> Vec<(String, &'static Schema)> {
        let inner = |key: &'static Key| match key.accepts {
            Accepts::Table(inner) => tables(inner, &format!("{path}{}.", key.name)),
            _ => Vec::new(),
        };
        let all = std::iter::once((path.to_owned(), schema));
        all.chain(schema.keys.iter().flat_map(inner)).collect()
    }
    let mut set = 0;
    for (table, schema) in tables(&keys::ROOT, "") {
        let is_single = |it: &Accepts| {
            !matches!(it, Accepts::Table(_) | Accepts::Tables(_) | Accepts::Named(_))
        };
        for key in schema.keys.iter().filter(|it| is_single(&it.accepts)) {
            let path = format!("{table}{}", key.name);
            let name = format!("FAROL__{}", path.replace('.', "__").to_uppercase());
            let loaded = under(&[(&name, "\u{1}")], &[]);
            match &key.accepts {
                // Any text is one.
                Accepts::Text(_) if loaded.is_ok() => {}
                _ => {
                    // Nor is shown what stands for a file's path, which may be a key.
                    let is_hidden =
                        key.is_secret || ["server.tls.", "admin.tls."].contains(&&*table);
                    let found = if is_hidden { "" } else { "found" };
                    // What goes with it is missed.
                    let is_other = |it: &&Key| {
                        matches!(it.default, Preset::Required(_)) && it.name != key.name
                    };
                    let others = schema.keys.iter().filter(is_other);
                    let mut expected: Vec<String> =
                        others.map(|it| format!("{table}{}: is missing", it.name)).collect();
                    expected.push(format!("environment variable {name}: {path}: {found}"));
                    expect(loaded, &expected.iter().map(String::as_str).collect::<Vec<_>>());
                }
            }
            set += 1;
        }
    }
    assert_eq!(set, count(&keys::ROOT));
}
