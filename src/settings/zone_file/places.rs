//! Places on earth (LOC, RFC 1876) and in networks (APL, RFC 3123).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::words::{Words, number, wrong};

/// Size, horizontal and vertical precision where they aren't written: 1 m, 10 km and 10 m (RFC 1876 3).
const PRECISIONS: [u8; 3] = [0x12, 0x16, 0x13];
/// What latitudes and longitudes count from.
const MIDDLE: i64 = 1 << 31;
/// What altitudes count from, in centimetres.
const BASE: i64 = 10_000_000;

/// All of a LOC record.
pub(super) fn location(
    words: &mut Words<'_, '_>,
    data: &mut Vec<u8>,
    expected: &str,
) -> Result<(), String> {
    let latitude = angle(words, expected, 90, ["N", "S"])?;
    let longitude = angle(words, expected, 180, ["E", "W"])?;
    let altitude = words.parse(expected, |it| u32::try_from(centimetres(it)? + BASE).ok())?;
    data.push(0);
    for default in PRECISIONS {
        let given = words.peek().is_some();
        data.push(if given { words.parse(expected, precision)? } else { default });
    }
    data.extend([latitude, longitude, altitude].into_iter().flat_map(u32::to_be_bytes));
    Ok(())
}

/// Degrees, perhaps minutes and seconds, and a hemisphere, as thousandths of a second.
fn angle(
    words: &mut Words<'_, '_>,
    expected: &str,
    most: i64,
    hemispheres: [&str; 2],
) -> Result<u32, String> {
    let mut total = words.parse(expected, number::<u32>).map(i64::from)? * 3_600_000;
    for scale in [60_000, 1_000] {
        let word = words.next(expected)?;
        if let Some(sign) = hemisphere(word, hemispheres) {
            return whole(total, sign, most, word);
        }
        // Only seconds have decimals.
        let decimals = if scale == 1_000 { 3 } else { 0 };
        let part = decimal(word, decimals).filter(|it| *it < 60 * 10_i64.pow(decimals));
        total += part.ok_or_else(|| wrong(word, expected))? * if decimals == 0 { scale } else { 1 };
    }
    let word = words.next(expected)?;
    let sign = hemisphere(word, hemispheres).ok_or_else(|| wrong(word, expected))?;
    whole(total, sign, most, word)
}

fn hemisphere(word: &str, [plus, minus]: [&str; 2]) -> Option<i64> {
    let is = |it: &str| word.eq_ignore_ascii_case(it);
    if is(plus) { Some(1) } else { is(minus).then_some(-1) }
}

fn whole(total: i64, sign: i64, most: i64, word: &str) -> Result<u32, String> {
    let angle = Some(MIDDLE + sign * total).filter(|_| total <= most * 3_600_000);
    let angle = angle.and_then(|it| u32::try_from(it).ok());
    angle.ok_or_else(|| format!("the degrees before {word} are at most {most}"))
}

/// Metres with up to two decimals and perhaps an `m`, as centimetres.
fn centimetres(word: &str) -> Option<i64> {
    let digits = word.strip_suffix(['m', 'M']).unwrap_or(word);
    match digits.strip_prefix('-') {
        Some(digits) => decimal(digits, 2).map(|it| -it),
        None => decimal(digits, 2),
    }
}

/// A length as a digit and a power of ten, in centimetres.
fn precision(word: &str) -> Option<u8> {
    let length = centimetres(word).filter(|it| (0..=9_000_000_000).contains(it))?;
    let power = length.checked_ilog10().unwrap_or_default();
    u8::try_from(length / 10_i64.pow(power) * 16 + i64::from(power)).ok()
}

/// A number with up to so many decimals, times that power of ten.
fn decimal(word: &str, decimals: u32) -> Option<i64> {
    let (digits, fraction) = word.split_once('.').unwrap_or((word, ""));
    let missing = decimals.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u32 = if fraction.is_empty() { 0 } else { number(fraction)? };
    let digits = i64::from(number::<u32>(digits)?) * 10_i64.pow(decimals);
    Some(digits + i64::from(fraction) * 10_i64.pow(missing))
}

/// One address prefix such as `!1:192.0.2.0/24`.
pub(super) fn prefix(word: &str) -> Option<Vec<u8>> {
    let plain = word.strip_prefix('!');
    let (family, rest) = plain.unwrap_or(word).split_once(':')?;
    let (address, length) = rest.split_once('/')?;
    let (octets, bits) = match number::<u16>(family)? {
        1 => (address.parse::<Ipv4Addr>().ok()?.octets().to_vec(), 32),
        2 => (address.parse::<Ipv6Addr>().ok()?.octets().to_vec(), 128),
        _ => return None,
    };
    let length = number::<u8>(length).filter(|it| *it <= bits)?;
    // Octets of 0 at the end are left out (RFC 3123 4).
    let kept = octets.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
    let negation = if plain.is_some() { 0x80 } else { 0 };
    let mut data = vec![0, if bits == 32 { 1 } else { 2 }, length, negation | kept as u8];
    data.extend(octets.iter().take(kept));
    Some(data)
}
