//! `$GENERATE`: one entry for many numbers, in BIND's form.

use super::tokens::Token;
use super::words::{number, record_type, wrong};

/// The numbers that are gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: u32,
    last: u32,
    step: u32,
}

impl Range {
    /// Reads `first-last` or `first-last/step`.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        let read = || {
            let (range, step) = word.split_once('/').unwrap_or((word, "1"));
            let (first, last) = range.split_once('-')?;
            let limit = |it: &str| number::<u32>(it).filter(|it| *it <= i32::MAX as u32);
            let range = Self { first: limit(first)?, last: limit(last)?, step: limit(step)? };
            (range.first <= range.last && range.step > 0).then_some(range)
        };
        read().ok_or_else(|| wrong(word, "a range such as 1-100 or 0-254/2"))
    }

    /// How many numbers there are.
    pub(super) fn count(self) -> usize {
        ((self.last - self.first) / self.step + 1) as usize
    }

    pub(super) fn numbers(self) -> impl Iterator<Item = u32> {
        (self.first..=self.last).step_by(self.step as usize)
    }
}

/// The entry that numbers are put into. One text in quotes right behind the type stands for all of the data.
pub(super) fn template(tokens: &[Token<'_>]) -> String {
    let is_whole = match tokens {
        [.., before, last] => last.is_quoted && record_type(before.text).is_some(),
        _ => false,
    };
    let last = tokens.len().saturating_sub(1);
    let shown = |(at, token): (usize, &Token<'_>)| match token.is_quoted {
        true if is_whole && at == last => token.text.replace("\\\"", "\""),
        true => format!("\"{}\"", token.text),
        false => token.text.to_owned(),
    };
    tokens.iter().enumerate().map(shown).collect::<Vec<_>>().join(" ")
}

/// Puts a number where `$` or `${offset,width,base}` stands. `$$` and `\$` are dollars.
pub(super) fn substitute(template: &str, number: u32) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['$', '\\']) {
        let (plain, tail) = rest.split_at(at);
        text.push_str(plain);
        rest = if let Some(tail) = tail.strip_prefix("$$") {
            text.push_str("\\$");
            tail
        } else if let Some(tail) = tail.strip_prefix("${") {
            let (format, tail) = tail.split_once('}').ok_or("a `${` has no `}` behind it")?;
            text.push_str(&formatted(number, format)?);
            tail
        } else if let Some(tail) = tail.strip_prefix('$') {
            text.push_str(&number.to_string());
            tail
        } else {
            // A backslash, with what it escapes.
            let length = tail.chars().take(2).map(char::len_utf8).sum();
            let (escape, tail) = tail.split_at(length);
            text.push_str(escape);
            tail
        };
    }
    text.push_str(rest);
    Ok(text)
}

fn formatted(value: u32, format: &str) -> Result<String, String> {
    const MOST_WIDTH: usize = 63;
    let wrong = || wrong(&format!("${{{format}}}"), "an offset, width and base such as ${-1,3,x}");
    let mut parts = format.split(',');
    let offset: i64 = parts.next().and_then(|it| it.parse().ok()).ok_or_else(wrong)?;
    let width = parts.next().map_or(Some(0), number::<usize>).filter(|it| *it <= MOST_WIDTH);
    let (width, base) = (width.ok_or_else(wrong)?, parts.next().unwrap_or("d"));
    let shifted = offset.checked_add(value.into()).and_then(|it| u32::try_from(it).ok());
    let value =
        shifted.ok_or_else(|| format!("{value} with offset {offset} is below 0 or too large"))?;
    match base {
        _ if parts.next().is_some() => Err(wrong()),
        "d" => Ok(format!("{value:0width$}")),
        "o" => Ok(format!("{value:0width$o}")),
        "x" => Ok(format!("{value:0width$x}")),
        "X" => Ok(format!("{value:0width$X}")),
        "n" => Ok(nibbles(value, width)),
        "N" => Ok(nibbles(value, width).to_ascii_uppercase()),
        _ => Err(wrong()),
    }
}

/// Hexadecimal digits from the lowest on, with dots, which count for the width: names below ip6.arpa.
fn nibbles(mut value: u32, width: usize) -> String {
    let mut text = String::new();
    loop {
        text.extend(char::from_digit(value & 15, 16));
        value >>= 4;
        if value == 0 && text.len() >= width {
            return text;
        }
        text.push('.');
        if value == 0 && text.len() >= width {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_where_dollars_stand() {
        for (template, expected) in [
            ("a$ A 192.0.2.$", "a26 A 192.0.2.26"),
            ("plain", "plain"),
            ("$$ \\$ \\\\$", "\\$ \\$ \\\\26"),
            ("${0} ${-6} ${100,5}", "26 20 00126"),
            ("${0,4,x}${0,0,X}${0,3,o}", "001a1A032"),
            ("${0,0,n} ${0,7,n} ${0,8,N}", "a.1 a.1.0.0 A.1.0.0."),
            ("é\\é$", "é\\é26"),
        ] {
            assert_eq!(substitute(template, 26).as_deref(), Ok(expected), "{template}");
        }
        for bad in
            ["${", "${}", "${x}", "${1,99}", "${1,1,z}", "${1,1,d,1}", "${-27}", "${4294967295}"]
        {
            assert!(substitute(bad, 26).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_go_up_in_steps() {
        let numbers = |word: &str| Range::parse(word).map(|it| it.numbers().collect::<Vec<_>>());
        assert_eq!(numbers("1-3"), Ok(vec![1, 2, 3]));
        assert_eq!(numbers("0-9/4"), Ok(vec![0, 4, 8]));
        for (word, count) in [("1-3", 3), ("0-9/4", 3), ("5-5", 1), ("0-2147483647", 1 << 31)] {
            assert_eq!(Range::parse(word).map(Range::count), Ok(count), "{word}");
        }
        for bad in ["", "1", "3-1", "1-3/0", "-1-3", "1-2147483648", "a-b"] {
            assert!(Range::parse(bad).is_err(), "{bad}");
        }
    }
}
