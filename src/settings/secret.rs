//! Values that stand elsewhere, in a file or a variable, because they are secrets: `${file:PATH}` and `${env:NAME}`. Nothing
//! that is complained about shows one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{FILE_MOST, Library};
use super::problem::Place;
use super::tree::shortened;

/// The most octets of a value, once everything is filled in.
const MOST: usize = 8192;
const HOW: &str = "write `${file:PATH}` or `${env:NAME}`, or `$${` for `${` itself";

/// Fills in what values refer to. Each file is read once, so that all of one configuration has the same of it.
pub(super) struct Secrets<'a> {
    library: &'a Library<'a>,
    environment: &'a [(OsString, OsString)],
    files: RefCell<HashMap<PathBuf, Result<Arc<str>, String>>>,
}

impl<'a> Secrets<'a> {
    pub(super) fn new(library: &'a Library<'a>, environment: &'a [(OsString, OsString)]) -> Self {
        Self { library, environment, files: RefCell::default() }
    }

    /// The value that a text at this place stands for: visible ASCII and spaces.
    ///
    /// # Errors
    /// What is wrong and what to do, without the value.
    pub(super) fn fill(&self, text: &str, place: &Place) -> Result<String, String> {
        let (mut value, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(before) = before.strip_suffix('$') {
                value.extend([before, "${"]);
                rest = after;
                continue;
            }
            let (inner, after) =
                after.split_once('}').ok_or_else(|| format!("lacks a `}}` after `${{`; {HOW}"))?;
            value.push_str(before);
            value.push_str(&match inner.split_once(':') {
                Some(("file", path)) if !path.is_empty() => self.file(&place.resolve(path))?,
                Some(("env", name)) if !name.is_empty() => self.variable(name)?,
                _ => return Err(format!("has `${{` before something unknown; {HOW}")),
            });
            rest = after;
        }
        value.push_str(rest);
        if !is_plain(&value) {
            return Err("write the value as a text of visible ASCII and spaces".to_owned());
        }
        match value.len() {
            0..=MOST => Ok(value),
            _ => Err(format!("is longer than {MOST} octets; write less")),
        }
    }

    fn file(&self, path: &Path) -> Result<Arc<str>, String> {
        if let Some(known) = self.files.borrow().get(path) {
            return known.clone();
        }
        let read = self.library.read(path, FILE_MOST).and_then(|it| of_file(path, it));
        let read = read.map_err(|why| format!("{why}; mend it, or name another file"));
        self.files.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    fn variable(&self, name: &str) -> Result<Arc<str>, String> {
        let shown = shortened(name);
        let found = self.environment.iter().find(|(it, _)| it == name);
        let (_, value) = found.ok_or_else(|| {
            format!("the environment variable `{shown}` is not set; set it where Farol is started, or name another")
        })?;
        let value = value.to_str().filter(|it| is_plain(it));
        value.map(Arc::from).ok_or_else(|| {
            format!("the environment variable `{shown}` has other characters than visible ASCII and spaces; set it to plain text")
        })
    }
}

/// What a text refers to, as it is written: "file:token". That is no secret, whatever stands around it.
pub(super) fn references(text: &str) -> Box<[Box<str>]> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        rest = after;
        if before.ends_with('$') {
            continue;
        }
        let Some((inner, after)) = after.split_once('}') else { break };
        found.push(Box::from(inner));
        rest = after;
    }
    found.into()
}

/// The one line of a file, without its end.
fn of_file(path: &Path, content: Vec<u8>) -> Result<Arc<str>, String> {
    let text = String::from_utf8(content).unwrap_or_else(|_| "\u{fffd}".to_owned());
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(format!("{path:?} is empty")),
        line if is_plain(line) => Ok(line.into()),
        _ => Err(format!("{path:?} has more in it than one line of visible ASCII and spaces")),
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|it| matches!(it, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn references_are_told_without_what_stands_around_them() {
        for (text, expected) in [
            ("hush", &[][..]),
            ("Bearer ${file:a}${env:B} hush", &["file:a", "env:B"]),
            ("$${file:hush} ${env:B", &[]),
        ] {
            let found: Vec<String> = references(text).iter().map(ToString::to_string).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn values_are_filled_in_from_files_and_variables() {
        let reads = Cell::new(0);
        let read = |path: &Path, _| {
            reads.set(reads.get() + 1);
            match path.to_str() {
                Some("conf/token") => Ok(b"hush hush\n".to_vec()),
                Some("/run/dos") => Ok(b"hush\r\n".to_vec()),
                Some("conf/two") => Ok(b"hush\nhush\n".to_vec()),
                Some("conf/binary") => Ok(vec![b'h', 0xff]),
                Some("conf/empty") => Ok(b"\n".to_vec()),
                Some("conf/long") => Ok(vec![b'h'; 8193]),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        };
        let variable = |name: &str, value: &[u8]| (name.into(), OsString::from_vec(value.into()));
        let environment = [
            variable("USER", b"hushed"),
            variable("EMPTY", b""),
            variable("LINES", b"hush\nhush"),
            variable("BINARY", b"hush\xff"),
        ];
        let library = Library::new(&read);
        let secrets = Secrets::new(&library, &environment);
        let place = Place::file(Path::new("conf/farol.toml"));
        for (text, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("Bearer ${file:token}", "Bearer hush hush"),
            ("${file:/run/dos}", "hush"),
            ("${env:USER}:${file:token}:${env:USER}", "hushed:hush hush:hushed"),
            ("${env:EMPTY}", ""),
            ("$${file:token} $ $$ {x}", "${file:token} $ $$ {x}"),
            ("$${${env:USER}}", "${hushed}"),
            ("$$${env:USER}", "$${env:USER}"),
        ] {
            assert_eq!(secrets.fill(text, &place).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(reads.get(), 2, "each file is read once");
        for (text, expected) in [
            ("hush ${file:token", "lacks a `}` after `${`; write `${file:PATH}`"),
            ("${secret:hush}", "before something unknown; write `${file:PATH}` or `${env:NAME}`"),
            ("${file:}", "before something unknown"),
            ("${env:}", "before something unknown"),
            ("${file:none}", "\"conf/none\" can't be read"),
            ("${file:two}", "\"conf/two\" has more in it than one line of visible ASCII"),
            ("${file:binary}", "\"conf/binary\" has more in it"),
            ("${file:empty}", "\"conf/empty\" is empty; mend it"),
            ("${file:long}", "is longer than 8192 octets"),
            ("${env:NONE}", "variable `NONE` is not set; set it where Farol is started"),
            ("${env:LINES}", "variable `LINES` has other characters than visible ASCII"),
            ("${env:BINARY}", "variable `BINARY` has other characters"),
            ("hush\n", "visible ASCII and spaces"),
        ] {
            let why = secrets.fill(text, &place).unwrap_err();
            assert!(why.contains(expected) && !why.contains("hush"), "{text}: {why}");
        }
    }
}
