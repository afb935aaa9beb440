//! A zone file's text as entries of tokens (RFC 1035 5.1). Nothing here knows what tokens mean.

/// What stands between two ends of lines that count: those in parentheses don't.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// The line that it starts at.
    pub(super) line: u32,
    /// All of it.
    pub(super) text: &'t str,
    pub(super) tokens: Vec<Token<'t>>,
    /// It starts with a blank, and goes with the owner before it.
    pub(super) is_indented: bool,
    /// Why its tokens can't be relied on.
    pub(super) flaw: Option<&'static str>,
}

/// A word, or a text in quotes without them; escapes are still in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) is_quoted: bool,
}

/// Splits a text into entries. Those that have nothing but comments are left out.
pub(super) fn entries(text: &str) -> impl Iterator<Item = Entry<'_>> {
    let mut scanner = Scanner { text, at: 0, line: 1 };
    std::iter::from_fn(move || (scanner.at < text.len()).then(|| scanner.entry()))
        .filter(|it| !it.tokens.is_empty() || it.flaw.is_some())
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    line: u32,
}

impl<'t> Scanner<'t> {
    fn entry(&mut self) -> Entry<'t> {
        let (start, line) = (self.at, self.line);
        let is_indented = matches!(self.peek(), Some(b' ' | b'\t'));
        let (mut tokens, mut flaw, mut depth) = (Vec::new(), None, 0_usize);
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'\n' => {
                    self.line += 1;
                    if depth == 0 {
                        break;
                    }
                }
                b' ' | b'\t' | b'\r' => {}
                b';' => self.skip(|it| it != b'\n'),
                b'(' => depth += 1,
                b')' if depth == 0 => flaw = Some("a parenthesis is closed that was not opened"),
                b')' => depth -= 1,
                b'"' => {
                    let from = self.at;
                    self.skip(|it| it != b'"' && it != b'\n');
                    tokens.push(Token { text: self.since(from), is_quoted: true });
                    match self.peek() {
                        Some(b'"') => self.at += 1,
                        // Else whatever follows, to the end of the file, could be taken for a text.
                        _ => flaw = Some("a quote is open at the end of the line"),
                    }
                }
                _ => {
                    self.at -= 1;
                    let from = self.at;
                    self.skip(|it| !b" \t\r\n;()\"".contains(&it));
                    tokens.push(Token { text: self.since(from), is_quoted: false });
                }
            }
        }
        if depth > 0 {
            flaw = Some("a parenthesis is open at the end of the file");
        }
        Entry { line, text: self.since(start).trim(), tokens, is_indented, flaw }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes on to the first octet that isn't wanted; one behind a backslash always is, unless it ends the line.
    fn skip(&mut self, is_wanted: impl Fn(u8) -> bool) {
        while let Some(octet) = self.peek().filter(|it| is_wanted(*it)) {
            self.at += 1;
            if octet == b'\\' && self.peek().is_some_and(|it| it != b'\n') {
                self.at += 1;
            }
        }
    }

    /// The text from there to here. Both are next to ASCII, so between characters.
    fn since(&self, from: usize) -> &'t str {
        self.text.get(from..self.at).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as `line: token, token`, texts in brackets, `_` for a blank that it starts with.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let shown = |it: Token<'_>| match it.is_quoted {
            true => format!("[{}]", it.text),
            false => it.text.to_owned(),
        };
        let shown = |it: Entry<'_>| {
            let tokens: Vec<String> = it.tokens.into_iter().map(shown).collect();
            let blank = if it.is_indented { "_ " } else { "" };
            format!("{}: {blank}{}{}", it.line, tokens.join(", "), it.flaw.unwrap_or_default())
        };
        assert_eq!(entries(text).map(shown).collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn texts_become_entries_of_tokens() {
        check("", &[]);
        check("; only\n\n  ; comments (\r\n", &[]);
        check("a b\r\n\tc", &["1: a, b", "2: _ c"]);
        check("a ( b ; (\n c) d\ne", &["1: a, b, c, d", "3: e"]);
        check("a(b)c\"d\"e", &["1: a, b, c, [d], e"]);
        check(r#"a "; ( \" \\" b\"\;\ c ;d"#, &[r#"1: a, [; ( \" \\], b\"\;\ c"#]);
        check("alpn=\"h2,h3\"", &["1: alpn=, [h2,h3]"]);
        check("é\\é \\", &["1: é\\é, \\"]);
    }

    #[test]
    fn what_is_left_open_is_told_and_a_quote_spoils_one_line() {
        check("a \"b\nc d", &["1: a, [b]a quote is open at the end of the line", "2: c, d"]);
        check("a \\\nb", &["1: a, \\", "2: b"]);
        check("a ) b\nc", &["1: a, ba parenthesis is closed that was not opened", "2: c"]);
        check("a\nb ( c\nd\n", &["1: a", "2: b, c, da parenthesis is open at the end of the file"]);
    }
}
