//! Times, sizes, counts and shares, each within the limits that its type carries.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::problem::Refusal;

/// The units of time and their length in milliseconds, the longest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The units of size in bytes. Those by 1024 come first, the largest first: `Display` uses them.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
];

/// A time from `MIN` to `MAX` milliseconds, such as `90s`. One whole number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period<const MIN: u64, const MAX: u64>(u64);

/// The longest wait for something: 1 ms to 24 h, so never none and never for ever.
pub type Timeout = Period<1, 86_400_000>;

impl<const MIN: u64, const MAX: u64> Period<MIN, MAX> {
    /// The time.
    pub fn get(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Period<MIN, MAX> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        within::<MIN, MAX>(quantity(text, &TIME_UNITS)?).map(Period)
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for Period<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match largest_unit(self.0, &TIME_UNITS) {
            Some((number, unit)) => write!(f, "{number}{unit}"),
            None => f.write_str("0s"),
        }
    }
}

/// A size from `MIN` to `MAX` bytes, such as `64MiB`; a number alone is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bytes<MIN, MAX> {
    /// The size in bytes.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Bytes<MIN, MAX> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let bytes = text.parse().or_else(|_| quantity(text, &SIZE_UNITS))?;
        within::<MIN, MAX>(bytes).map(Bytes)
    }
}

impl<const MIN: u64, const MAX: u64> fmt::Display for Bytes<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match largest_unit(self.0, &SIZE_UNITS) {
            Some((number, "B")) => write!(f, "{number}"),
            Some((number, unit)) => write!(f, "{number}{unit}"),
            None => f.write_str("0"),
        }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MIN: usize, const MAX: usize>(usize);

impl<const MIN: usize, const MAX: usize> Count<MIN, MAX> {
    /// The number.
    pub fn get(self) -> usize {
        self.0
    }
}

impl<const MIN: usize, const MAX: usize> FromStr for Count<MIN, MAX> {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let number = text.parse().map_err(|_| Refusal::Malformed)?;
        if (MIN..=MAX).contains(&number) { Ok(Count(number)) } else { Err(Refusal::Malformed) }
    }
}

impl<const MIN: usize, const MAX: usize> fmt::Display for Count<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A share, from 0 (none) to 1 (all).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio(f64);

impl Ratio {
    /// The share.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Ratio {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Ratio, Refusal> {
        let share = text.parse().map_err(|_| Refusal::Malformed)?;
        if (0.0..=1.0).contains(&share) { Ok(Ratio(share)) } else { Err(Refusal::Malformed) }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads digits and one of the units, with nothing between or around.
fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, Refusal> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(Refusal::Malformed)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| Refusal::Malformed)?;
    let (_, size) = units.iter().find(|(name, _)| *name == unit).ok_or(Refusal::Malformed)?;
    number.checked_mul(*size).ok_or(Refusal::Malformed)
}

fn within<const MIN: u64, const MAX: u64>(number: u64) -> Result<u64, Refusal> {
    if (MIN..=MAX).contains(&number) { Ok(number) } else { Err(Refusal::Malformed) }
}

/// The number in the first of the units that divides it; none for 0.
fn largest_unit<'a>(number: u64, units: &[(&'a str, u64)]) -> Option<(u64, &'a str)> {
    let fits = |size: u64| number != 0 && number.is_multiple_of(size);
    units.iter().find(|(_, size)| fits(*size)).map(|(name, size)| (number / size, *name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    type Any = Bytes<0, { u64::MAX }>;

    #[test]
    fn times_are_read_in_every_unit_and_written_in_the_largest() {
        for (text, seconds, written) in
            [("90s", 90, "90s"), ("24h", 86_400, "1d"), ("120000ms", 120, "2m"), ("0s", 0, "0s")]
        {
            let time: Period<0, { u64::MAX }> = text.parse().unwrap();
            assert_eq!((time.get().as_secs(), time.to_string().as_str()), (seconds, written));
        }
    }

    #[test]
    fn sizes_are_read_in_every_unit_and_written_in_the_largest() {
        for (text, bytes, written) in [
            ("64MiB", 64 << 20, "64MiB"),
            ("512", 512, "512"),
            ("2kB", 2000, "2000"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("0", 0, "0"),
        ] {
            let size: Any = text.parse().unwrap();
            assert_eq!((size.get(), size.to_string().as_str()), (bytes, written));
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "s", "10", "-1s", "1.5s", "1 s", "1h30m", "10S", "18446744073709551615d"] {
            assert!(text.parse::<Timeout>().is_err(), "{text:?}");
        }
        for text in ["", "MiB", "-1", "1.5MiB", "1 MiB", "1mib", "99999999TiB"] {
            assert!(text.parse::<Any>().is_err(), "{text:?}");
        }
        for text in ["", "NaN", "inf", "-0.1", "1.1"] {
            assert!(text.parse::<Ratio>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn limits_hold() {
        assert!("0s".parse::<Timeout>().is_err());
        assert!("25h".parse::<Timeout>().is_err());
        assert!("24h".parse::<Timeout>().is_ok());
        assert!("0".parse::<Count<1, 5>>().is_err());
        assert!("5".parse::<Count<1, 5>>().is_ok());
    }
}
