use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name in wire format, with the root's octet (RFC 1035 3.1).
pub const MAX_NAME: usize = 255;
const MAX_LABEL: usize = 63;

/// An absolute domain name in uncompressed wire format, ASCII letters folded to lower case (RFC 4343), so that equal
/// names are equal octets. The root is one zero octet.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<[u8]>);

/// Why a text or an octet string is no domain name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name can't be empty; the root is `.`")]
    Empty,
    /// Two dots in a row, or a leading one.
    #[error("has an empty label (two dots in a row, or a leading dot)")]
    EmptyLabel,
    /// A label of more than 63 octets (RFC 1035 2.3.4).
    #[error("has a label of more than 63 octets")]
    LabelTooLong,
    /// More than 255 octets (RFC 1035 2.3.4).
    #[error("is longer than 255 octets")]
    TooLong,
    /// A backslash that escapes nothing (RFC 1035 5.1).
    #[error("has a broken escape; write `\\.` or `\\` and three digits up to 255")]
    BadEscape,
    /// A letter that DNS has no octet for; it has A-labels (RFC 5890).
    #[error("has characters outside ASCII; write the A-label form (xn--…)")]
    NotAscii,
    /// Octets that are not one uncompressed name.
    #[error("is not a name in wire format")]
    BadWire,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Arc::new([0]))
    }

    /// Takes a whole uncompressed name in wire format, and nothing after it.
    ///
    /// # Errors
    /// [`NameError::BadWire`] unless `wire` is exactly one name of at most 255 octets.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        check_wire(wire)?;
        Ok(Self(wire.to_ascii_lowercase().into()))
    }

    /// The same name, without owning it.
    pub fn borrowed(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// The name's octets in wire format, lower case, with the root's octet at the end.
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from left to right, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        self.borrowed().labels()
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_within(&self, ancestor: &Name) -> bool {
        self.borrowed().is_within(ancestor)
    }

    /// The name without its first label; none for the root.
    pub fn parent(&self) -> Option<Name> {
        suffixes(&self.0).nth(1).map(|suffix| Self(suffix.into()))
    }

    /// Whether the first label is `*` (RFC 4592 2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.borrowed().is_wildcard()
    }

    /// The name in text without the dot at the end, as HTTP's Host and TLS's SNI want it.
    pub fn to_host(&self) -> String {
        let text = self.to_string();
        text.strip_suffix('.').unwrap_or(&text).to_owned()
    }
}

/// A [`Name`] whose octets lie elsewhere, among those of many names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameRef<'n>(&'n [u8]);

impl<'n> NameRef<'n> {
    /// Takes octets that were a name's.
    pub(super) const fn of(wire: &'n [u8]) -> Self {
        Self(wire)
    }

    /// Takes a name as somebody has written it, letters of either case, to be shown.
    ///
    /// # Errors
    /// [`NameError::BadWire`] unless `wire` is exactly one name of at most 255 octets.
    pub fn as_written(wire: &'n [u8]) -> Result<Self, NameError> {
        check_wire(wire)?;
        Ok(Self(wire))
    }

    /// A name that owns its octets.
    pub fn to_name(self) -> Name {
        Name(self.0.into())
    }

    /// The name's octets in wire format, lower case, with the root's octet at the end.
    pub const fn as_wire(self) -> &'n [u8] {
        self.0
    }

    /// The labels from left to right, without the root.
    pub fn labels(self) -> impl Iterator<Item = &'n [u8]> {
        suffixes(self.0).filter_map(first_label)
    }

    /// The name, then the name without its first label, and so on down to the root.
    pub fn lineage(self) -> impl Iterator<Item = NameRef<'n>> {
        suffixes(self.0).map(Self)
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_within(self, ancestor: &Name) -> bool {
        suffixes(self.0).any(|suffix| suffix == &*ancestor.0)
    }

    /// Whether the first label is `*` (RFC 4592 2.1.1).
    pub fn is_wildcard(self) -> bool {
        self.0.starts_with(b"\x01*")
    }
}

/// Makes sure that octets are exactly one uncompressed name of at most 255 octets.
pub(super) fn check_wire(wire: &[u8]) -> Result<(), NameError> {
    if wire.len() > MAX_NAME {
        return Err(NameError::TooLong);
    }
    let mut at = 0;
    loop {
        match wire.get(at) {
            Some(0) if at + 1 == wire.len() => return Ok(()),
            Some(&length) if length != 0 && usize::from(length) <= MAX_LABEL => {
                at += 1 + usize::from(length)
            }
            _ => return Err(NameError::BadWire),
        }
    }
}

/// The first label of a name in wire format; none for the root.
fn first_label(wire: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = wire.split_first()?;
    if length == 0 { None } else { rest.get(..usize::from(length)) }
}

/// A name in wire format, then the name without its first label, and so on down to the root.
pub fn suffixes(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(wire);
    std::iter::from_fn(move || {
        let current = rest?;
        rest = first_label(current).and_then(|label| current.get(1 + label.len()..));
        Some(current)
    })
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads master-file text (RFC 1035 5.1); a missing dot at the end is added.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut wire = wire_below(text, &[0])?;
        wire.make_ascii_lowercase();
        Ok(Self(wire.into()))
    }
}

/// Reads master-file text (RFC 1035 5.1) as an uncompressed name in wire format, letters as they are written. A name without
/// a dot at the end is below `origin`, which is in wire format too.
///
/// # Errors
/// When it is no domain name, or too long with its origin.
pub fn wire_below(text: &str, origin: &[u8]) -> Result<Vec<u8>, NameError> {
    match text {
        "" => return Err(NameError::Empty),
        "." => return Ok(vec![0]),
        _ if !text.is_ascii() => return Err(NameError::NotAscii),
        _ => {}
    }
    let mut wire = Vec::with_capacity(text.len() + 2 + origin.len());
    // Where the length of the label that is read will stand.
    let mut start = 0;
    wire.push(0);
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        match octet {
            b'.' => {
                end_label(&mut wire, start)?;
                start = wire.len();
                wire.push(0);
            }
            b'\\' => wire.push(unescape(&mut rest)?),
            _ => wire.push(octet),
        }
    }
    // Behind a dot at the end, the length that was left open is the root.
    let is_absolute = wire.len() == start + 1;
    if !is_absolute {
        end_label(&mut wire, start)?;
        wire.extend_from_slice(origin);
    }
    if wire.len() > MAX_NAME { Err(NameError::TooLong) } else { Ok(wire) }
}

fn end_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    match u8::try_from(wire.len() - start - 1) {
        Ok(0) => Err(NameError::EmptyLabel),
        Ok(length) if usize::from(length) <= MAX_LABEL => {
            if let Some(it) = wire.get_mut(start) {
                *it = length;
            }
            Ok(())
        }
        _ => Err(NameError::LabelTooLong),
    }
}

/// Takes what follows a backslash (RFC 1035 5.1): three digits for an octet, or the character itself.
///
/// # Errors
/// When nothing follows, or digits that are no octet.
pub fn unescape(rest: &mut &[u8]) -> Result<u8, NameError> {
    let (&first, tail) = rest.split_first().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        *rest = tail;
        return Ok(first);
    }
    let (digits, tail) = rest.split_first_chunk::<3>().ok_or(NameError::BadEscape)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(NameError::BadEscape);
    }
    let number = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    *rest = tail;
    u8::try_from(number).map_err(|_| NameError::BadEscape)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.borrowed(), f)
    }
}

impl fmt::Display for NameRef<'_> {
    /// Master-file text with the dot at the end; octets that would not be read back as they are get escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() == 1 {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", char::from(octet))?
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.borrowed(), f)
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn text_is_folded_and_made_absolute() {
        for (text, shown) in [
            ("app.Example", "app.example."),
            ("app.example.", "app.example."),
            (".", "."),
            (r"a\.b.c", r"a\.b.c."),
            (r"\065\032x", r"a\032x."),
            ("*.apps.example.", "*.apps.example."),
        ] {
            assert_eq!(name(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn bad_text_is_refused() {
        let long_label = "a".repeat(64);
        let long_name = ["a".repeat(63).as_str(); 4].join(".");
        for (text, error) in [
            ("", NameError::Empty),
            ("a..b", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            (long_label.as_str(), NameError::LabelTooLong),
            (long_name.as_str(), NameError::TooLong),
            (r"a\", NameError::BadEscape),
            (r"a\25", NameError::BadEscape),
            (r"a\256", NameError::BadEscape),
            ("bücher.example", NameError::NotAscii),
        ] {
            assert_eq!(text.parse::<Name>(), Err(error), "{text}");
        }
    }

    #[test]
    fn wire_must_be_one_whole_name() {
        for bad in [&b""[..], b"\x01a", b"\x00\x00", b"\xc0\x0c", b"\x40a\x00", b"\x02a\x00"] {
            assert!(Name::from_wire(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Name::from_wire(b"\x01A\x00"), Ok(name("a.")));
    }

    #[test]
    fn ancestry_counts_whole_labels() {
        assert!(name("a.b.c").is_within(&name("b.c")));
        assert!(name("b.c").is_within(&name("b.c")));
        assert!(name("b.c").is_within(&Name::root()));
        assert!(!name("ab.c").is_within(&name("b.c")));
        assert_eq!(name("a.b").parent(), Some(name("b")));
        assert_eq!(Name::root().parent(), None);
        assert!(name("*.a").is_wildcard() && !name("a.*").is_wildcard());
        assert_eq!(name("app.example.").to_host(), "app.example");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            let name = Name::from_wire(&wire).unwrap();
            prop_assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
        }
    }
}
