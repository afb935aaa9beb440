//! The shape of tables: for each one list of its keys. The lists drive the check for unknown keys, the ranges that the
//! reader holds values to, the "write …" of its messages, and the reference file.

use std::fmt;
use std::time::Duration;

use super::duration;

/// One kind of table.
#[derive(Debug)]
pub(super) struct Schema {
    /// The header in the reference file, e.g. `[[profile.endpoint]]`.
    pub(super) heading: &'static str,
    /// What the table is for.
    pub(super) meaning: &'static str,
    /// Its keys in the order of the reference file; tables last, as TOML wants it.
    pub(super) keys: &'static [Key],
}

impl Schema {
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|it| it.name == name)
    }

    /// Whether one of its keys must be written.
    pub(super) fn has_required(&self) -> bool {
        self.keys.iter().any(|it| matches!(it.default, Default::Required(_)))
    }
}

/// One key of a table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) accepts: Accepts,
    pub(super) default: Default,
    /// One sentence.
    pub(super) meaning: &'static str,
    /// Whether what is written may be a secret, so that no message shows any of it, not even the names of keys in it.
    pub(super) is_secret: bool,
}

/// What holds where a key is not written.
#[derive(Debug)]
pub(super) enum Default {
    /// It must be written; the reference shows this value.
    Required(&'static str),
    /// This value, in TOML.
    Value(&'static str),
    /// What these words say; the reference shows the example as a comment.
    Derived(&'static str, &'static str),
}

/// The values that a key takes.
#[derive(Debug)]
pub(super) enum Accepts {
    Boolean,
    /// From the first to the second.
    Integer(i64, i64),
    /// From the first to the second, with or without a fraction.
    Number(f64, f64),
    /// From the first to the second.
    Duration(Duration, Duration),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// What this phrase says, after "write".
    Text(&'static str),
    /// A text as this phrase says, or a list of them.
    Texts(&'static str),
    /// One table.
    Table(&'static Schema),
    /// Any number of tables, each with its own header.
    Tables(&'static Schema),
    /// Tables under names of the writer's choice.
    Named(&'static Schema),
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => write!(f, "true or false"),
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Duration(least, most) => {
                let (least, most) = (duration::show(*least), duration::show(*most));
                write!(f, "a duration from \"{least}\" to \"{most}\"")
            }
            Self::OneOf(words) => {
                for (index, word) in words.iter().enumerate() {
                    let separator = match index {
                        0 => "",
                        _ if index + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(f, "{separator}\"{word}\"")?;
                }
                Ok(())
            }
            Self::Text(phrase) | Self::Texts(phrase) => f.write_str(phrase),
            Self::Table(_) => write!(f, "a table"),
            Self::Tables(schema) => write!(
                f,
                "tables, each headed `{}` in TOML, each an item of a list in YAML and JSON",
                schema.heading
            ),
            Self::Named(schema) => {
                write!(f, "tables, each headed `{}` in TOML", schema.heading)
            }
        }
    }
}

/// Constructors that keep the lists readable.
impl Key {
    pub(super) const fn required(
        name: &'static str,
        accepts: Accepts,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, accepts, default: Default::Required(example), meaning, is_secret: false }
    }

    pub(super) const fn value(
        name: &'static str,
        accepts: Accepts,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, accepts, default: Default::Value(default), meaning, is_secret: false }
    }

    pub(super) const fn derived(
        name: &'static str,
        accepts: Accepts,
        default: &'static str,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            accepts,
            default: Default::Derived(default, example),
            meaning,
            is_secret: false,
        }
    }

    /// A key whose value is tables, which the reference shows under their own header.
    pub(super) const fn table(name: &'static str, accepts: Accepts) -> Self {
        Self { name, accepts, default: Default::Value(""), meaning: "", is_secret: false }
    }

    /// The same key, of which no message shows what was written.
    pub(super) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_accepted_reads_as_a_phrase() {
        for (accepts, phrase) in [
            (Accepts::Integer(0, 9), "a whole number from 0 to 9"),
            (Accepts::OneOf(&["a", "b", "c"]), r#""a", "b" or "c""#),
            (
                Accepts::Duration(Duration::from_millis(100), Duration::from_secs(3600)),
                r#"a duration from "100ms" to "1h""#,
            ),
        ] {
            assert_eq!(accepts.to_string(), phrase);
        }
    }
}
