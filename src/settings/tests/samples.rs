//! The sample files, and texts that are damaged at random.

use proptest::prelude::*;

use super::*;
use crate::model::Method;
use crate::settings::schema::{Accepts, Default as Preset, Schema};

pub(super) const MINIMAL: &str = include_str!("../../../config/minimal.toml");
const MINIMAL_YAML: &str = include_str!("../../../config/minimal.yaml");
const MINIMAL_JSON: &str = include_str!("../../../config/minimal.json");
pub(super) const DEMO: &str = include_str!("../../../config/demo.toml");
pub(super) const REFERENCE: &str = include_str!("../../../config/reference.toml");

/// The reference with only those lines that must be there.
fn required(text: &str) -> String {
    fn optional(schema: &Schema, names: &mut Vec<String>) {
        for key in schema.keys {
            match (&key.accepts, &key.default) {
                (Accepts::Table(it) | Accepts::Tables(it) | Accepts::Named(it), _) => {
                    optional(it, names)
                }
                (_, Preset::Value(value)) => names.push(format!("{} = {value}", key.name)),
                _ => {}
            }
        }
    }
    let mut dropped = Vec::new();
    optional(&keys::ROOT, &mut dropped);
    text.lines().filter(|line| !dropped.iter().any(|it| it == line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_reference_is_what_the_lists_say() {
    let rendered = reference();
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/reference.toml");
        std::fs::write(path, &rendered).unwrap();
        return;
    }
    assert!(rendered == REFERENCE, "out of date; run UPDATE_REFERENCE=1 cargo test reference");
}

#[test]
fn the_defaults_in_the_reference_are_those_of_the_program() {
    let (all, few) = (good(REFERENCE), good(&required(REFERENCE)));
    assert!(required(REFERENCE).len() + 500 < REFERENCE.len());
    assert_eq!((all.server, all.admin, all.state), (few.server, few.admin, few.state));
    assert_eq!((all.model.zones, all.model.profiles), (few.model.zones, few.model.profiles));
    assert_eq!((all.model.sites, all.rate_limit), (few.model.sites, few.rate_limit));
}

/// Each commented example of the reference, on its own, is of the kind that its key takes: what may be wrong with it is
/// only what it refers to.
#[test]
fn the_examples_in_the_reference_are_taken() {
    let is_example = |line: &str| {
        let key = line.strip_prefix("# ").and_then(|it| it.split_once(" = "));
        !line.contains('`')
            && key
                .is_some_and(|(key, _)| key.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'))
    };
    let examples: Vec<usize> =
        REFERENCE.lines().enumerate().filter(|(_, it)| is_example(it)).map(|it| it.0).collect();
    assert!(examples.len() > 10);
    for example in examples {
        let uncomment = |(index, line): (usize, &'static str)| {
            if index == example { line.trim_start_matches("# ") } else { line }
        };
        let text: Vec<&str> = REFERENCE.lines().enumerate().map(uncomment).collect();
        if let Err(problems) = load_one(&text.join("\n")) {
            for problem in problems.iter() {
                let problem = problem.to_string();
                let known = [
                    "can't be read",
                    "goes with",
                    "is of no use alone",
                    "needs a certificate",
                    "is of no use with",
                    "no such profile",
                    "stands beside",
                ];
                assert!(known.iter().any(|it| problem.contains(it)), "{problem}");
            }
        }
    }
}

/// A sample with a piece taken out and another put in, cut at characters.
fn damage(text: &str, at: usize, length: usize, insert: &str) -> String {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
    let (from, to) = (floor(at).unwrap_or(0), floor(at + length).unwrap_or(0));
    [&text[..from], insert, &text[to..]].concat()
}

fn piece() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "[[zone]]\n",
        "[[profile]]\n",
        "[profile.endpoint]\n",
        "[monitor.web]\n",
        "name = ",
        "= ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\n",
        "0",
        "-1",
        "9223372036854775807",
        "nan",
        "1979-05-27",
        "true",
        "\\",
        "tls = {}",
        "- ",
        ": ",
        "  ",
        "&x *x",
        "!!str ",
        "---\n",
        "null",
        ",",
        "soa.serial = 0\n",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "\\PC{0,12}", any::<String>()]
}

proptest! {
    #[test]
    fn damaged_samples_never_panic(
        (name, sample) in prop::sample::select(vec![
            ("conf/a.toml", MINIMAL),
            ("conf/a.toml", DEMO),
            ("conf/a.toml", REFERENCE),
            ("conf/a.yaml", MINIMAL_YAML),
            ("conf/a.json", MINIMAL_JSON),
        ]),
        damages in prop::collection::vec((0..16_000_usize, 0..40_usize, piece()), 1..6),
    ) {
        let mut text = sample.to_owned();
        for (at, length, insert) in damages {
            let at = at % (text.len() + 1);
            text = damage(&text, at, length, &insert);
        }
        if let Err(problems) = load_named(&[(name, &text)]) {
            prop_assert!(problems.iter().count() > 0);
            prop_assert_eq!(problems.to_string().lines().count(), problems.iter().count());
        }
    }
}

#[test]
fn there_is_a_sample_of_every_method_that_loads_without_a_warning() {
    let mut methods = Vec::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/methods");
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let settings = load_text(&path, &text).unwrap_or_else(|it| panic!("{it}"));
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        assert!(text.starts_with("# "), "{}: a sample says what it is of", path.display());
        methods.extend(settings.model.profiles.first().map(|it| it.method.label()));
    }
    let missing = Method::ALL.into_iter().find(|it| !methods.contains(&it.label()));
    assert_eq!(missing, None);
}
