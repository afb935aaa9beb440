//! When rollouts may begin a site: days of the week and times of the day somewhere.

use std::fmt;
use std::str::FromStr;

use super::text::TextError;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Times of certain days: `Mon-Thu 20:00-23:00 America/New_York`. A window that ends before it begins ends on the next day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first day on which it begins, counted from Monday as 0.
    pub first: u8,
    /// The last day on which it begins; before the first one where the days go over the weekend.
    pub last: u8,
    /// When it begins, in minutes of the day.
    pub from: u16,
    /// When it ends, in minutes of the day; 24:00 is 1440.
    pub to: u16,
    /// The time zone's name in the IANA database; whether there is such a zone is found out where it is used.
    pub zone: String,
}

impl FromStr for Window {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let [days, times, zone] = text.split(' ').collect::<Vec<_>>().try_into().map_err(|_| {
            TextError("isn't days, times and a time zone with one space between each two")
        })?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let day = |text: &str| DAYS.iter().zip(0..).find(|(it, _)| **it == text).map(|it| it.1);
        let unknown = TextError("has a day that is none of Mon, Tue, Wed, Thu, Fri, Sat and Sun");
        let (Some(first), Some(last)) = (day(first), day(last)) else { return Err(unknown) };
        let times = times.split_once('-').map(|(from, to)| (minutes(from), minutes(to)));
        let Some((Some(from), Some(to))) = times else {
            return Err(TextError("has no times from 00:00 to 24:00 with `-` between them"));
        };
        if from == to || from == 24 * 60 {
            return Err(TextError("ends when it begins"));
        }
        if !is_zone(zone) {
            return Err(TextError("has no time zone such as \"America/New_York\" or \"UTC\""));
        }
        Ok(Self { first, last, from, to, zone: zone.to_owned() })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |it: u8| DAYS.get(usize::from(it)).unwrap_or(&"");
        f.write_str(day(self.first))?;
        if self.first != self.last {
            write!(f, "-{}", day(self.last))?;
        }
        let (from, to) = (self.from, self.to);
        write!(f, " {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)?;
        write!(f, " {}", self.zone)
    }
}

/// Reads `20:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |it: &str| {
        let is_number = it.len() == 2 && it.bytes().all(|it| it.is_ascii_digit());
        it.parse::<u16>().ok().filter(|_| is_number)
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

fn is_zone(text: &str) -> bool {
    let fits = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'+' | b'-');
    let is_part =
        |it: &str| it.starts_with(|it: char| it.is_ascii_uppercase()) && it.bytes().all(fits);
    text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_days_times_and_a_zone() {
        for text in [
            "Mon-Thu 20:00-23:00 America/New_York",
            "Sat 00:00-24:00 UTC",
            "Fri-Mon 22:30-02:00 America/Argentina/Buenos_Aires",
            "Sun 09:05-10:00 Etc/GMT+3",
        ] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        let window: Window = "Mon-Thu 20:00-23:30 UTC".parse().unwrap();
        assert_eq!((window.first, window.last, window.from, window.to), (0, 3, 1200, 1410));
        for (text, why) in [
            ("Mon-Thu 20:00-23:00", "one space between each two"),
            ("Mon-Thu  20:00-23:00 UTC", "one space between each two"),
            ("Monday 20:00-23:00 UTC", "none of Mon, Tue"),
            ("mon 20:00-23:00 UTC", "none of Mon, Tue"),
            ("Mon 20:00 UTC", "has no times"),
            ("Mon 8:00-23:00 UTC", "has no times"),
            ("Mon 20:60-23:00 UTC", "has no times"),
            ("Mon 20:00-24:01 UTC", "has no times"),
            ("Mon 20:00-20:00 UTC", "ends when it begins"),
            ("Mon 20:00-23:00 nowhere", "has no time zone"),
            ("Mon 20:00-23:00 America/", "has no time zone"),
        ] {
            let error = text.parse::<Window>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
