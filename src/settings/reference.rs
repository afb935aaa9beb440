//! The reference file: every key with its default, what it takes and what it means, from the lists in `keys`.

use super::schema::{Accepts, Default, Key, Schema};

const HEAD: &str = "\
# Every key of Farol's configuration with its default. Keys that are shown as comments have no fixed default, and what
# they show is an example. Durations are texts such as \"500ms\", \"10s\" or \"1m30s\".
#
# The keys of [server], [admin], [state] and [metrics] can also be set by environment variables such as
# FAROL__SERVER__LISTEN and by flags such as --set server.listen=…, which beat variables. YAML and JSON files have the
# same keys.
#
# This file is generated from the program's own lists: UPDATE_REFERENCE=1 cargo test reference
";

/// Renders `config/reference.toml` from the list of top-level tables.
pub(super) fn render(root: &Schema) -> String {
    let mut out = HEAD.to_owned();
    tables(root, &mut out);
    out
}

fn tables(schema: &Schema, out: &mut String) {
    for key in schema.keys {
        if let Accepts::Table(inner) | Accepts::Tables(inner) | Accepts::Named(inner) = &key.accepts
        {
            table(inner, out);
        }
    }
}

fn table(schema: &Schema, out: &mut String) {
    out.push('\n');
    comment(schema.meaning, out);
    // The one name that a reader has to make up.
    out.push_str(&schema.heading.replace("NAME", "web"));
    out.push('\n');
    for key in schema.keys {
        line(key, out);
    }
    tables(schema, out);
}

fn line(key: &Key, out: &mut String) {
    let (default, shown, prefix) = match key.default {
        Default::Value("") => return, // tables follow under their own header
        Default::Required(example) => ("Required".to_owned(), example, ""),
        Default::Value(value) => (format!("Default: {value}"), value, ""),
        Default::Derived(words, example) => (format!("Default: {words}"), example, "# "),
    };
    out.push('\n');
    comment(key.meaning, out);
    comment(&format!("Takes {}. {default}.", key.accepts), out);
    out.push_str(&format!("{prefix}{} = {shown}\n", key.name));
}

/// Wraps a paragraph at 100 columns.
fn comment(text: &str, out: &mut String) {
    let mut width = 0;
    for word in text.split_whitespace() {
        if width == 0 || width + word.len() > 98 {
            out.push_str(if width == 0 { "#" } else { "\n#" });
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + word.len();
    }
    out.push('\n');
}
