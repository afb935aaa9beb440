use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Reads `10s`, `500ms`, `1m30s`: whole numbers, each with a unit, the larger units first and each at most once.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = &UNITS[..];
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |it| it.is_ascii_digit());
        let (unit, after) = split(after, |it| it.is_ascii_alphabetic());
        let position = units.iter().position(|(name, _)| *name == unit)?;
        let number: u64 = digits.parse().ok()?;
        milliseconds = milliseconds.checked_add(number.checked_mul(units.get(position)?.1)?)?;
        units = units.get(position + 1..)?;
        rest = after;
    }
    (!text.is_empty()).then(|| Duration::from_millis(milliseconds))
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|it| !belongs(it)).unwrap_or(text.len()))
}

/// The way [`parse`] reads it, in the fewest units; whole milliseconds.
pub(crate) fn show(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut shown = String::new();
    for (unit, length) in UNITS {
        if rest >= length {
            shown.push_str(&format!("{}{unit}", rest / length));
            rest %= length;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_shown() {
        for (text, milliseconds) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1m30s", 90_000),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
        ] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse(text), Some(duration), "{text}");
            assert_eq!(show(duration), text);
        }
        assert_eq!(show(parse("90s").unwrap()), "1m30s");
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "10",
            "s",
            "10 s",
            "1.5s",
            "-1s",
            "+1s",
            "1s1s",
            "1s1m",
            "1d",
            "10S",
            "1sms",
            "99999999999999999999s",
            "9999999999999999999h",
            "ñ",
            "1ñ",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
