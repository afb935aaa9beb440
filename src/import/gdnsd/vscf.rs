//! The language of gdnsd's configuration: hashes, arrays and texts, with comments and files that are included.

use std::path::Path;
use std::sync::Arc;

use crate::import::{Document, ImportError, ReadFiles};

/// Arrays in hashes in arrays, and files in files.
const MOST_DEPTH: usize = 64;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Array(Vec<Node>),
    Hash(Vec<(String, Node)>),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn hash(&self) -> Option<&[(String, Self)]> {
        match &self.value {
            Value::Hash(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub(super) fn array(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// What a hash has under a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.hash()?.iter().find(|it| it.0 == key).map(|it| &it.1)
    }

    /// The texts of an array, or the one that stands for an array of one.
    pub(super) fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::Text(text) => vec![text],
            Value::Array(items) => items.iter().filter_map(Self::text).collect(),
            Value::Hash(_) => Vec::new(),
        }
    }

    /// What it is, for people.
    pub(super) fn kind(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("the text {text}"),
            Value::Array(_) => "an array".to_owned(),
            Value::Hash(_) => "a hash".to_owned(),
        }
    }
}

/// Reads a document, and what it includes.
pub(super) fn parse(document: &Document, read: ReadFiles<'_>) -> Result<Node, ImportError> {
    parse_at(document, read, 0)
}

fn parse_at(document: &Document, read: ReadFiles<'_>, depth: usize) -> Result<Node, ImportError> {
    let file: Arc<str> = document.name.as_str().into();
    let mut reader = Reader { rest: &document.text, line: 1, file, read, depth };
    reader.blanks();
    let value = match reader.takes('[') {
        true => Value::Array(reader.array()?),
        false => Value::Hash(reader.hash(None)?),
    };
    reader.blanks();
    match reader.rest.chars().next() {
        None => Ok(Node { value, file: reader.file, line: 1 }),
        Some(letter) => Err(reader.wrong(&format!("{letter:?} is not expected here"))),
    }
}

struct Reader<'r> {
    rest: &'r str,
    line: usize,
    file: Arc<str>,
    read: ReadFiles<'r>,
    depth: usize,
}

impl Reader<'_> {
    fn wrong(&self, message: &str) -> ImportError {
        ImportError::Line { file: self.file.to_string(), line: self.line, message: message.into() }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    /// Blanks, lines and comments.
    fn blanks(&mut self) {
        loop {
            match self.rest.chars().next() {
                Some(' ' | '\t' | '\n' | '\r') => {
                    self.next();
                }
                Some(';' | '#') => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                }
                _ => return,
            }
        }
    }

    fn takes(&mut self, letter: char) -> bool {
        let is_next = self.rest.starts_with(letter);
        if is_next {
            self.next();
        }
        is_next
    }

    fn deeper(&mut self) -> Result<(), ImportError> {
        self.depth += 1;
        if self.depth > MOST_DEPTH { Err(self.wrong("is nested too deep")) } else { Ok(()) }
    }

    /// Pairs up to a letter, or to the end of the file.
    fn hash(&mut self, end: Option<char>) -> Result<Vec<(String, Node)>, ImportError> {
        let mut pairs: Vec<(String, Node)> = Vec::new();
        self.deeper()?;
        loop {
            self.blanks();
            if end.is_some_and(|it| self.takes(it)) || (end.is_none() && self.rest.is_empty()) {
                self.depth -= 1;
                return Ok(pairs);
            }
            if self.rest.is_empty() {
                return Err(self.wrong("a hash has no end; `}` is expected"));
            }
            if self.rest.starts_with("$include{") {
                for included in self.include()? {
                    let Value::Hash(more) = included.value else {
                        return Err(self.wrong("what is included here is no hash"));
                    };
                    more.into_iter().try_for_each(|(key, node)| self.add(&mut pairs, key, node))?;
                }
            } else {
                let key = self.string()?;
                self.blanks();
                if !self.takes('=') {
                    return Err(self.wrong(&format!("`=` or `=>` is expected after the key {key}")));
                }
                self.takes('>');
                let node = self.value()?;
                self.add(&mut pairs, key, node)?;
            }
            self.blanks();
            self.takes(',');
        }
    }

    fn add(
        &self,
        pairs: &mut Vec<(String, Node)>,
        key: String,
        node: Node,
    ) -> Result<(), ImportError> {
        if pairs.iter().any(|it| it.0 == key) {
            return Err(self.wrong(&format!("the key {key} is written twice")));
        }
        pairs.push((key, node));
        Ok(())
    }

    fn array(&mut self) -> Result<Vec<Node>, ImportError> {
        let mut items = Vec::new();
        self.deeper()?;
        loop {
            self.blanks();
            if self.takes(']') {
                self.depth -= 1;
                return Ok(items);
            }
            if self.rest.is_empty() {
                return Err(self.wrong("an array has no end; `]` is expected"));
            }
            items.push(self.value()?);
            self.blanks();
            self.takes(',');
        }
    }

    fn value(&mut self) -> Result<Node, ImportError> {
        self.blanks();
        let line = self.line;
        if self.rest.starts_with("$include{") {
            let mut included = self.include()?;
            return match (included.len(), included.pop()) {
                (1, Some(node)) => Ok(node),
                _ => Err(self.wrong("a value includes one file, no more and no less")),
            };
        }
        let value = if self.takes('[') {
            Value::Array(self.array()?)
        } else if self.takes('{') {
            Value::Hash(self.hash(Some('}'))?)
        } else {
            Value::Text(self.string()?)
        };
        Ok(Node { value, file: self.file.clone(), line })
    }

    fn string(&mut self) -> Result<String, ImportError> {
        if self.takes('"') {
            return self.quoted();
        }
        let mut text = String::new();
        while let Some(letter) = self.rest.chars().next() {
            match letter {
                '}' | '{' | ';' | '#' | ' ' | '\t' | '\n' | '\r' | ',' | '"' | '=' | '[' | ']' => {
                    break;
                }
                '$' if text.is_empty() => break,
                '\\' => {
                    self.next();
                    text.extend(self.escape()?);
                }
                _ => text.extend(self.next()),
            }
        }
        match (text.is_empty(), self.rest.chars().next()) {
            (false, _) => Ok(text),
            (true, Some(letter)) => Err(self.wrong(&format!("a text is expected, not {letter:?}"))),
            (true, None) => Err(self.wrong("a text is expected before the end of the file")),
        }
    }

    fn quoted(&mut self) -> Result<String, ImportError> {
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.wrong("a text has no end; `\"` is expected")),
                Some('"') => return Ok(text),
                Some('\\') => text.extend(self.escape()?),
                Some(letter) => text.push(letter),
            }
        }
    }

    /// What follows a backslash: three digits of an octet, the end of a line that goes on, or a letter as it is.
    fn escape(&mut self) -> Result<Option<char>, ImportError> {
        if !self.rest.starts_with(|it: char| it.is_ascii_digit()) {
            return match self.next() {
                Some('\n') => Ok(None),
                other => Ok(other),
            };
        }
        let digits = self.rest.get(..3).unwrap_or_default();
        let number: u8 = digits.parse().map_err(|_| {
            self.wrong("`\\` is followed by three digits, up to 255, or by a letter")
        })?;
        self.rest = self.rest.get(3..).unwrap_or_default();
        Ok(Some(char::from(number)))
    }

    /// `$include{file}`, relative to the file that it stands in.
    fn include(&mut self) -> Result<Vec<Node>, ImportError> {
        let line = self.line;
        self.rest = self.rest.strip_prefix("$include{").unwrap_or(self.rest);
        self.blanks();
        let path = self.string()?;
        self.blanks();
        if !self.takes('}') {
            return Err(self.wrong("`}` is expected after the file that is included"));
        }
        self.deeper()?;
        let full = Path::new(&*self.file).parent().unwrap_or(Path::new("")).join(&path);
        let documents = (self.read)(&full).map_err(|source| ImportError::Include {
            file: self.file.to_string(),
            line,
            path: full.display().to_string(),
            source,
        })?;
        let nodes = documents.iter().map(|it| parse_at(it, self.read, self.depth)).collect();
        self.depth -= 1;
        nodes
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Node, String> {
        let document = Document { name: "etc/config".to_owned(), text: text.to_owned() };
        parse(&document, &|path| match path.to_str() {
            Some("etc/more.cfg") => Ok(vec![Document {
                name: "etc/more.cfg".to_owned(),
                text: "x => 1\ny = [ a b, ]".to_owned(),
            }]),
            Some("etc/self") => Ok(vec![Document {
                name: "etc/self".to_owned(),
                text: "a => $include{self}".to_owned(),
            }]),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        })
        .map_err(|it| it.to_string())
    }

    /// A node as gdnsd might have been told it, without blanks.
    fn shown(node: &Node) -> String {
        match &node.value {
            Value::Text(text) => text.clone(),
            Value::Array(items) => {
                format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(","))
            }
            Value::Hash(pairs) => {
                let pairs = pairs.iter().map(|(key, node)| format!("{key}={}", shown(node)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }
        }
    }

    #[test]
    fn values_are_texts_arrays_and_hashes() {
        for (text, expected) in [
            ("", "{}"),
            ("# only\n; comments\n", "{}"),
            ("a=b", "{a=b}"),
            ("a => b c = d,", "{a=b,c=d}"),
            ("a => { b => [ 1, 2 3 ], }", "{a={b=[1,2,3]}}"),
            ("\"a b\" => \"c\\\"d\\065\"", "{a b=c\"dA}"),
            ("a => x\\=y", "{a=x=y}"),
            ("[ 1 [] {} ]", "[1,[],{}]"),
            ("www=>%multifo!x # so\n", "{www=%multifo!x}"),
            ("10.0.0.0/8 => [ dc ]", "{10.0.0.0/8=[dc]}"),
            ("$include{more.cfg} z => 2", "{x=1,y=[a,b],z=2}"),
            ("m => $include{ \"more.cfg\" }", "{m={x=1,y=[a,b]}}"),
            ("m => { $include{more.cfg} }", "{m={x=1,y=[a,b]}}"),
        ] {
            assert_eq!(read(text).map(|it| shown(&it)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let deep = "a => ".to_owned() + &"[".repeat(10_000);
        for (text, expected) in [
            ("a", "etc/config:1: `=` or `=>` is expected after the key a"),
            ("a =>", "etc/config:1: a text is expected before the end"),
            ("a => {\nb => 1", "etc/config:2: a hash has no end"),
            ("a => [\n1", "etc/config:2: an array has no end"),
            ("a => \"b\n", "etc/config:2: a text has no end"),
            ("a => 1\na => 2", "etc/config:2: the key a is written twice"),
            ("a => 1 }", "etc/config:1: a text is expected, not '}'"),
            ("a => \\999", "etc/config:1: `\\` is followed by three digits"),
            ("[ 1 ] x", "'x' is not expected here"),
            ("\n$include{none}", "etc/config:2: `etc/none` can't be read"),
            ("$include{self}", "nested too deep"),
            ("$other", "a text is expected, not '$'"),
            (deep.as_str(), "nested too deep"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z=>{}\\[\\]\"\\\\$,;# \n0-9é]{0,60}") {
            let _ = read(&text);
        }
    }
}
