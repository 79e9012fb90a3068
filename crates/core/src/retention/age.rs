//! Times as policies write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The units in hours, the longest first.
const UNITS: [(char, u32); 3] = [('w', 7 * 24), ('d', 24), ('h', 1)];

/// A time from an hour to ten years: `12h`, `30d`, `8w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Age {
    hours: u32,
}

/// A text that is no such time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} must be a time from 1h to 3650d: a whole number and h, d or w, such as 12h, 30d or 8w"
)]
pub struct NoAge(String);

impl Age {
    const MOST_HOURS: u32 = 3650 * 24;

    /// How long it is.
    pub fn get(self) -> Duration {
        Duration::from_secs(u64::from(self.hours) * 3600)
    }
}

impl FromStr for Age {
    type Err = NoAge;

    fn from_str(text: &str) -> Result<Self, NoAge> {
        let read = || {
            let unit = text.chars().last()?;
            let (_, hours) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
            let number = text.strip_suffix(unit)?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u32 = is_number.then(|| number.parse().ok()).flatten()?;
            let hours = number.checked_mul(hours)?;
            (1..=Self::MOST_HOURS).contains(&hours).then_some(Self { hours })
        };
        read().ok_or_else(|| NoAge(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Age {
    type Error = NoAge;

    fn try_from(text: String) -> Result<Self, NoAge> {
        text.parse()
    }
}

impl From<Age> for String {
    fn from(age: Age) -> Self {
        age.to_string()
    }
}

/// In days where they are whole, else in hours.
impl fmt::Display for Age {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hours.is_multiple_of(24) {
            write!(formatter, "{}d", self.hours / 24)
        } else {
            write!(formatter, "{}h", self.hours)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_hours_days_and_weeks() {
        for (text, hours, written) in [
            ("1h", 1, "1h"),
            ("48h", 48, "2d"),
            ("30d", 720, "30d"),
            ("2w", 336, "14d"),
            ("3650d", 87_600, "3650d"),
        ] {
            let age: Age = text.parse().unwrap();
            assert_eq!(age.get(), Duration::from_secs(hours * 3600), "{text}");
            assert_eq!(age.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for text in [
            "",
            "d",
            "0d",
            "30",
            "30 d",
            "-1d",
            "+1d",
            "1.5d",
            "30m",
            "3651d",
            "99999999999d",
            "1ü",
        ] {
            let error = text.parse::<Age>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
