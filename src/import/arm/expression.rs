//! The language of ARM's expressions: calls, texts in quotes, whole numbers, and what is taken out of their results.

/// An expression that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Text(String),
    Number(i64),
    Call(String, Vec<Expression>),
    Property(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
}

/// Calls in calls; people write a handful.
const MOST_DEPTH: usize = 64;

/// Reads what stands between the brackets.
///
/// # Errors
/// A phrase that says what is wrong.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut reader = Reader { rest: text };
    let expression = reader.expression(0)?;
    reader.blanks();
    match reader.rest.chars().next() {
        None => Ok(expression),
        Some(letter) => Err(format!("which goes on with {letter:?} after its end")),
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, letter: char) -> bool {
        self.blanks();
        let rest = self.rest.strip_prefix(letter);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn needs(&mut self, letter: char) -> Result<(), String> {
        if self.takes(letter) { Ok(()) } else { Err(format!("which lacks {letter:?}")) }
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MOST_DEPTH {
            return Err("which is nested too deep".to_owned());
        }
        let mut expression = self.simple(depth)?;
        let mut taken = 0;
        loop {
            taken += 1;
            if taken > MOST_DEPTH {
                return Err("which is nested too deep".to_owned());
            }
            if self.takes('.') {
                expression = Expression::Property(Box::new(expression), self.word());
            } else if self.takes('[') {
                let at = self.expression(depth + 1)?;
                self.needs(']')?;
                expression = Expression::Index(Box::new(expression), Box::new(at));
            } else {
                return Ok(expression);
            }
        }
    }

    fn simple(&mut self, depth: usize) -> Result<Expression, String> {
        self.blanks();
        match self.rest.chars().next() {
            Some('\'') => self.text(),
            Some(it) if it.is_ascii_digit() || it == '-' => {
                let end = self.rest.find(|it: char| !it.is_ascii_digit() && it != '-');
                let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest;
                let number =
                    digits.parse().map_err(|_| format!("in which {digits} is no number"))?;
                Ok(Expression::Number(number))
            }
            Some(it) if it.is_ascii_alphabetic() => {
                let name = self.word();
                self.needs('(')?;
                Ok(Expression::Call(name, self.arguments(depth)?))
            }
            Some(it) => Err(format!("in which {it:?} begins no value")),
            None => Err("which ends too early".to_owned()),
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expression>, String> {
        let mut arguments = Vec::new();
        if self.takes(')') {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(depth + 1)?);
            if self.takes(')') {
                return Ok(arguments);
            }
            self.needs(',')?;
        }
    }

    fn word(&mut self) -> String {
        self.blanks();
        let end = self.rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word.to_owned()
    }

    /// A text between quotes, in which two quotes are one.
    fn text(&mut self) -> Result<Expression, String> {
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\'' if letters.peek().is_some_and(|it| it.1 == '\'') => {
                    letters.next();
                    text.push('\'');
                }
                '\'' => {
                    self.rest = self.rest.get(at + 1..).unwrap_or_default();
                    return Ok(Expression::Text(text));
                }
                other => text.push(other),
            }
        }
        Err("in which a text has no end".to_owned())
    }
}
