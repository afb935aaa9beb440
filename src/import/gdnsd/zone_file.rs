//! The names in a zone file of gdnsd's that are answered by its plugins, and the zone's nameservers.

use crate::import::draft::absolute;
use crate::import::{Document, ImportError};

/// What a zone file says of dynamic names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dynamic {
    /// Absolute, with the dot at its end.
    pub(super) name: String,
    pub(super) ttl: Option<u32>,
    /// Only where it is written.
    pub(super) ttl_min: Option<u32>,
    pub(super) plugin: String,
    pub(super) resource: String,
    pub(super) line: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) dynamic: Vec<Dynamic>,
    pub(super) nameservers: Vec<String>,
    /// How many records are static, without SOA and NS at the apex.
    pub(super) others: usize,
}

/// The zone that a file has by its name: `@` stands for `/`.
pub(super) fn zone_of(document: &Document) -> String {
    let file = document.name.rsplit('/').next().unwrap_or_default();
    absolute(&file.replace('@', "/").to_ascii_lowercase())
}

/// Reads a zone file as far as its dynamic names go.
pub(super) fn read(document: &Document, zone: &str) -> Result<Names, ImportError> {
    let mut names = Names::default();
    let (mut origin, mut owner, mut default_ttl) = (zone.to_owned(), zone.to_owned(), None);
    for (line, is_indented, words) in entries(&document.text) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match &words[..] {
            ["$ORIGIN", name] => origin = full(name, &origin, zone),
            ["$TTL", ttl] => default_ttl = ttl.parse().ok(),
            [word, ..] if word.starts_with('$') => names.others += 1,
            [] => {}
            all => {
                let rest = match all.split_first() {
                    Some((first, rest)) if !is_indented => {
                        owner = full(first, &origin, zone);
                        rest
                    }
                    _ => all,
                };
                record(&mut names, &owner, &origin, rest, (zone, default_ttl, line), document)?;
            }
        }
    }
    Ok(names)
}

type Where<'w> = (&'w str, Option<u32>, usize);

fn record(
    names: &mut Names,
    owner: &str,
    origin: &str,
    words: &[&str],
    (zone, default_ttl, line): Where<'_>,
    document: &Document,
) -> Result<(), ImportError> {
    let is_ttl = |it: &str| it.starts_with(|it: char| it.is_ascii_digit());
    let ttl = words.iter().take(2).find(|it| is_ttl(it)).copied();
    let mut rest = words.iter().skip_while(|it| is_ttl(it) || it.eq_ignore_ascii_case("IN"));
    let kind = rest.next().map(|it| it.to_ascii_uppercase()).unwrap_or_default();
    match kind.as_str() {
        "DYNA" | "DYNC" => {
            let Some(data) = rest.next() else {
                let message =
                    format!("{kind} is followed by a plugin and a resource, such as weighted!www");
                return Err(ImportError::Line { file: document.name.clone(), line, message });
            };
            let (plugin, resource) = data.split_once('!').unwrap_or((data, ""));
            let (most, least) = match ttl.map(|it| it.split_once('/').unwrap_or((it, ""))) {
                Some((most, least)) => (seconds(most), seconds(least)),
                None => (default_ttl, None),
            };
            names.dynamic.push(Dynamic {
                name: owner.to_owned(),
                ttl: most,
                ttl_min: least,
                plugin: plugin.to_owned(),
                resource: resource.to_owned(),
                line,
            });
        }
        "NS" if owner == zone => {
            names.nameservers.extend(rest.next().map(|it| full(it, origin, zone)));
        }
        "SOA" => {}
        _ => names.others += 1,
    }
    Ok(())
}

/// Seconds, which may be written as `1h30m`.
fn seconds(text: &str) -> Option<u32> {
    let (mut sum, mut digits) = (0_u32, String::new());
    for letter in text.chars() {
        let unit = match letter.to_ascii_lowercase() {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(digits.parse::<u32>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    match digits.is_empty() {
        true => (!text.is_empty()).then_some(sum),
        false => sum.checked_add(digits.parse().ok()?),
    }
}

fn full(name: &str, origin: &str, zone: &str) -> String {
    match name {
        "@" => origin.to_owned(),
        "@Z" => zone.to_owned(),
        name if name.ends_with('.') => name.to_ascii_lowercase(),
        name if origin == "." => absolute(name),
        name => format!("{name}.{origin}").to_ascii_lowercase(),
    }
}

/// Lines with their numbers, whether they begin with a blank, and their words. Parentheses join lines; texts in quotes are one
/// word.
fn entries(text: &str) -> Vec<(usize, bool, Vec<String>)> {
    let mut entries: Vec<(usize, bool, Vec<String>)> = Vec::new();
    let (mut depth, mut words, mut start, mut indented) = (0_usize, Vec::new(), 1, false);
    for (at, line) in text.lines().enumerate() {
        if depth == 0 {
            (start, indented, words) = (at + 1, line.starts_with([' ', '\t']), Vec::new());
        }
        let (mut word, mut quoted) = (String::new(), false);
        let mut letters = line.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => {
                    word.push(letter);
                    word.extend(letters.next());
                }
                '"' => quoted = !quoted,
                _ if quoted => word.push(letter),
                ';' => break,
                '(' | ')' | ' ' | '\t' | '\r' => {
                    if letter == '(' {
                        depth += 1;
                    } else if letter == ')' {
                        depth = depth.saturating_sub(1);
                    }
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                }
                other => word.push(other),
            }
        }
        if !word.is_empty() {
            words.push(word);
        }
        if depth == 0 {
            entries.push((start, indented, std::mem::take(&mut words)));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dynamic_names_are_found_among_others() {
        let text = "\
$TTL 600
@ SOA ns1 hostmaster (
  1 ; serial
  7200 1800 259200 900 )
@ NS ns1
  NS ns2.example.net.
ns1 A 192.0.2.1
www 300/30 DYNA weighted!www ; so
    TXT \"a ; b\" (\n \"c\" )
$ORIGIN eu
cdn DYNC geoip!cdn/dc1
@ IN 1h DYNA multifo!eu
x.example.org. 60 IN DYNA null
";
        let document = Document { name: "zones/Example.com".to_owned(), text: text.to_owned() };
        let zone = zone_of(&document);
        assert_eq!(zone, "example.com.");
        let names = read(&document, &zone).unwrap();
        assert_eq!(names.nameservers, ["ns1.example.com.", "ns2.example.net."]);
        assert_eq!(names.others, 2);
        let found: Vec<String> = names
            .dynamic
            .iter()
            .map(|it| {
                format!(
                    "{} {:?}/{:?} {}!{} {}",
                    it.name, it.ttl, it.ttl_min, it.plugin, it.resource, it.line
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "www.example.com. Some(300)/Some(30) weighted!www 8",
                "cdn.eu.example.com. Some(600)/None geoip!cdn/dc1 12",
                "eu.example.com. Some(3600)/None multifo!eu 13",
                "x.example.org. Some(60)/None null! 14",
            ]
        );
    }

    #[test]
    fn a_dynamic_name_says_by_what() {
        let document = Document { name: "z".to_owned(), text: "\nwww DYNA".to_owned() };
        let why = read(&document, "z.").unwrap_err().to_string();
        assert!(why.starts_with("z:2: DYNA is followed by a plugin"), "{why}");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a-z@$()\"\\\\;/! \n0-9éDYNAC]{0,80}") {
            let document = Document { name: "z".to_owned(), text };
            let _ = read(&document, "z.");
        }
    }
}
