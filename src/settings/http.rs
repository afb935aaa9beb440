//! What HTTP allows in the parts of a probe's request.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rustls::pki_types::ServerName;

use super::problem::{Log, Problem};
use super::reader::Section;
use super::secret::{Secrets, references};
use super::tree::{Node, Value};
use crate::model::Header;

const MAX_PATH: usize = 2048;
const MAX_HEADERS: usize = 16;

/// A host name or an address: what TLS can be asked for, which HTTP can be too.
pub(super) fn host(text: &str) -> Result<Arc<str>, &'static str> {
    let host = text.strip_suffix('.').unwrap_or(text);
    match ServerName::try_from(host) {
        Ok(ServerName::DnsName(_)) => Ok(host.to_ascii_lowercase().into()),
        // In HTTP's Host an IPv6 address stands in brackets, which whoever sends it adds.
        Ok(ServerName::IpAddress(_)) => Ok(host.into()),
        _ => Err(""),
    }
}

/// A path and perhaps a query (RFC 3986 3.3, 3.4).
pub(super) fn path(text: &str) -> Result<Arc<str>, &'static str> {
    let allowed = |it: u8| it.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&it);
    if text.starts_with('/') && text.len() <= MAX_PATH && text.bytes().all(allowed) {
        Ok(text.into())
    } else {
        Err("")
    }
}

/// A status, or a range of them.
pub(super) fn statuses(node: &Node) -> Result<RangeInclusive<u16>, &'static str> {
    let status = |text: &str| match text.parse() {
        Ok(status @ 200..=599) if text.len() == 3 => Ok(status),
        Ok(100..=199) => Err("an interim status is never the last word of an answer"),
        _ => Err(""),
    };
    match &node.value {
        Value::Integer(number) => status(&number.to_string()).map(|it: u16| it..=it),
        Value::Text(text) => {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let (first, last) = (status(first.trim())?, status(last.trim())?);
            if first <= last { Ok(first..=last) } else { Err("the range is upside down") }
        }
        _ => Err(""),
    }
}

/// The table `headers`. Its values may be credentials, and so may what stands where a name should, so no complaint shows one.
pub(super) fn headers(
    section: &Section<'_>,
    secrets: &Secrets<'_>,
    log: &Log,
) -> Option<Vec<Header>> {
    let table = section.read("headers", |node, _| match &node.value {
        Value::Table(table) if table.0.len() <= MAX_HEADERS => Ok(table),
        _ => Err(""),
    })?;
    let mut headers: Vec<Header> = Vec::with_capacity(table.0.len());
    for (name, node) in &table.0 {
        let (header, mut path) = (header(name, node, secrets, &headers), section.key("headers"));
        if is_name(name) {
            path = format!("{path}.{name}");
        }
        headers.extend(header.map_err(|why| log.error(Problem::at(&node.place, path, why))).ok());
    }
    // A partial list is harmless: whoever complained keeps the configuration from being used.
    Some(headers)
}

fn header(
    name: &str,
    node: &Node,
    secrets: &Secrets<'_>,
    others: &[Header],
) -> Result<Header, String> {
    if !is_name(name) {
        return Err("one of its keys is no header name; write letters, digits and `-`".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "host" => return Err("write the host under the key `host` of the monitor".to_owned()),
        "content-length" | "connection" | "transfer-encoding" => {
            return Err("is set by the probe itself; remove it".to_owned());
        }
        _ => {}
    }
    if others.iter().any(|it| it.name.eq_ignore_ascii_case(name)) {
        return Err("is written twice; names of headers are the same in either case".to_owned());
    }
    match &node.value {
        Value::Text(text) => Ok(Header {
            name: name.to_owned(),
            value: secrets.fill(text, &node.place)?,
            references: references(text),
        }),
        _ => Err("write the value as a text of visible ASCII and spaces".to_owned()),
    }
}

/// Whether a header may be called so (RFC 9110 5.6.2).
fn is_name(text: &str) -> bool {
    let is_token = |it: u8| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&it);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::files::Library;
    use crate::settings::problem::Place;

    fn node(value: Value) -> Node {
        Node { place: Place::file("".as_ref()), value }
    }

    #[test]
    fn hosts_are_names_or_addresses_without_a_port() {
        for (good, host_is) in [
            ("App.Example.", "app.example"),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("a_b.example", "a_b.example"),
        ] {
            assert_eq!(host(good).as_deref(), Ok(host_is), "{good}");
        }
        for bad in ["", ".", "a b", "app.example:80", "*.example", "a..b", "é.example", "[::1]"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_are_absolute_and_encoded() {
        for good in ["/", "/healthz?deep=1&x=%20", "/a:b@c"] {
            assert_eq!(path(good).as_deref(), Ok(good));
        }
        for bad in ["", "healthz", "/a b", "/a\n", "/é", "/a#b", "/{x}", "http://x/"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert!(path(&format!("/{}", "a".repeat(2048))).is_err());
    }

    #[test]
    fn statuses_are_numbers_texts_and_ranges() {
        for (value, expected) in [
            (Value::Integer(204), Some(204..=204)),
            (Value::Text("200".to_owned()), Some(200..=200)),
            (Value::Text("200-299".to_owned()), Some(200..=299)),
            (Value::Text("200 - 299".to_owned()), Some(200..=299)),
            (Value::Text("299-200".to_owned()), None),
            (Value::Text("2xx".to_owned()), None),
            (Value::Text("+20".to_owned()), None),
            (Value::Integer(100), None),
            (Value::Text("100-599".to_owned()), None),
            (Value::Integer(99), None),
            (Value::Integer(600), None),
            (Value::Integer(-200), None),
            (Value::Boolean(true), None),
        ] {
            assert_eq!(statuses(&node(value.clone())).ok(), expected, "{value:?}");
        }
    }

    #[test]
    fn headers_may_not_break_the_request_nor_show_their_value() {
        let other = Header { name: "X-A".to_owned(), value: String::new(), references: [].into() };
        let library = Library::new(&|_, _| Err(std::io::ErrorKind::NotFound.into()));
        let secrets = Secrets::new(&library, &[]);
        let check = |name: &str, value: Value| {
            header(name, &node(value), &secrets, std::slice::from_ref(&other))
        };
        let text = |it: &str| Value::Text(it.to_owned());
        assert!(check("Authorization", text("Bearer ~ secret")).is_ok());
        for (name, value, expected) in [
            ("", text("secret"), "no header name"),
            ("a b", text("secret"), "no header name"),
            ("a:", text("secret"), "no header name"),
            ("hOst", text("secret"), "under the key `host`"),
            ("Content-Length", text("secret"), "by the probe itself"),
            ("Connection", text("secret"), "by the probe itself"),
            ("transfer-encoding", text("secret"), "by the probe itself"),
            ("x-a", text("secret"), "twice"),
            ("X-B", text("secret\r\nX: y"), "visible ASCII"),
            ("X-B", text("secrét"), "visible ASCII"),
            ("X-B", Value::Integer(7), "visible ASCII"),
        ] {
            let why = check(name, value).unwrap_err();
            assert!(why.contains(expected) && !why.contains("secr"), "{name}: {why}");
        }
    }
}
