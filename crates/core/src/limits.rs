//! Limits on how often something may be asked for, and the seam to who keeps count.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

/// The bits of an IPv6 address that tell clients apart: whoever has one has all that differ behind them.
const IPV6_BITS: u32 = 64;

/// The client behind an address: an IPv4 address, or an IPv6 network of 64 bits.
#[must_use]
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - IPV6_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

/// So many in such a time. All of them may come at once; then they come back evenly, one in each part of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

/// Why something is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number from 1 and a time from a second to 30 days, such as 100/6h")]
pub struct NoRate;

impl Rate {
    /// The longest time, which all that is remembered of a client is bounded by.
    pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

    /// So many in a time.
    ///
    /// # Errors
    /// [`NoRate`] where it is none at all, or the time is shorter than a second or longer than [`Rate::LONGEST`].
    pub fn new(count: u32, period: Duration) -> Result<Self, NoRate> {
        let is_rate = count > 0 && (Duration::from_secs(1)..=Self::LONGEST).contains(&period);
        if is_rate { Ok(Self { count, period }) } else { Err(NoRate) }
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// In which time.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }

    /// The time in which one of them comes back; a microsecond at least.
    #[must_use]
    pub fn interval(self) -> Duration {
        let micros = self.period.as_micros() / u128::from(self.count);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX).max(1))
    }

    /// The time in which all of them come back: how far what is taken may reach.
    #[must_use]
    pub fn reach(self) -> Duration {
        self.interval().saturating_mul(self.count)
    }

    /// So many times as many, in a time so many times as long, or the longest there is.
    #[must_use]
    pub fn times(self, count: u32, period: u32) -> Self {
        let period = self.period.saturating_mul(period).min(Self::LONGEST);
        Self { count: self.count.saturating_mul(count), period }
    }
}

/// `100/6h`: a number, and a number of seconds, minutes, hours or days.
impl FromStr for Rate {
    type Err = NoRate;

    fn from_str(text: &str) -> Result<Self, NoRate> {
        let (count, period) = text.split_once('/').ok_or(NoRate)?;
        let unit = period.chars().next_back().ok_or(NoRate)?;
        let seconds: u64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            _ => return Err(NoRate),
        };
        let number = &period[..period.len() - 1];
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(count) || !is_number(number) {
            return Err(NoRate);
        }
        let number: u64 = number.parse().map_err(|_| NoRate)?;
        let period = Duration::from_secs(number.checked_mul(seconds).ok_or(NoRate)?);
        Self::new(count.parse().map_err(|_| NoRate)?, period)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        let units = [(24 * 3600, "d"), (3600, "h"), (60, "m"), (1, "s")];
        let whole = |(length, _): &&(u64, &str)| seconds.is_multiple_of(*length);
        let (length, unit) = units.iter().find(whole).unwrap_or(&(1, "s"));
        write!(formatter, "{}/{}{unit}", self.count, seconds / length)
    }
}

/// So many of one thing that is limited, of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// What and of whom, such as `pull user:ada`. Other rates of the same need other names.
    pub key: String,
    /// How often.
    pub rate: Rate,
    /// How many. None only looks, which is always allowed.
    pub cost: u32,
}

impl Take {
    /// One.
    #[must_use]
    pub fn one(key: impl Into<String>, rate: Rate) -> Self {
        Self { key: key.into(), rate, cost: 1 }
    }

    /// Only a look.
    #[must_use]
    pub fn look(key: impl Into<String>, rate: Rate) -> Self {
        Self { cost: 0, ..Self::one(key, rate) }
    }
}

/// How somebody stands with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub rate: Rate,
    /// How many are left.
    pub remaining: u32,
    /// The time until all are there again.
    pub reset: Duration,
}

impl Standing {
    /// Of somebody who has paid everything back in that time.
    #[must_use]
    pub fn owing(rate: Rate, debt: Duration) -> Self {
        let left = rate.reach().saturating_sub(debt).as_micros() / rate.interval().as_micros();
        Self { rate, remaining: u32::try_from(left).unwrap_or(u32::MAX), reset: debt }
    }
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `None` where it may be. Else too many were, and it may be again in this time.
    pub wait: Option<Duration>,
    /// How each stands now, in the order of what was asked.
    pub standings: Vec<Standing>,
}

/// Keeps count, by the generic cell rate algorithm: what is taken is paid back evenly, one in each interval.
#[async_trait]
pub trait Limiter: Send + Sync + 'static {
    /// Takes all of them, or nothing at all where one is used up. No key stands twice.
    async fn take(&self, takes: &[Take]) -> Verdict;

    /// Gives back what was taken.
    async fn give_back(&self, takes: &[Take]);

    /// Forgets all that was taken of these, however often.
    async fn forget(&self, takes: &[Take]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_rate_comes_back_from_its_text() {
        for text in ["1/1s", "100/6h", "10/5m", "3/30d", "7/90s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("1/120s".parse::<Rate>().unwrap().to_string(), "1/2m");
        for text in
            ["", "/", "1", "1/", "1/s", "0/1s", "1/0s", "1/31d", "-1/1s", "+1/1s", "1/1y", "1/ 1s"]
        {
            assert_eq!(text.parse::<Rate>(), Err(NoRate), "{text}");
        }
        assert!("99999999999/1s".parse::<Rate>().is_err());
        assert!("1/99999999999999999999d".parse::<Rate>().is_err());
    }

    #[test]
    fn a_multiple_of_a_rate_is_one() {
        let rate: Rate = "10/5m".parse().unwrap();
        assert_eq!(rate.times(3, 12).to_string(), "30/1h");
        assert_eq!(rate.times(u32::MAX, u32::MAX).period(), Rate::LONGEST);
    }

    #[test]
    fn what_is_left_is_what_is_not_owed() {
        let rate: Rate = "10/5m".parse().unwrap();
        let left = |debt| Standing::owing(rate, Duration::from_secs(debt)).remaining;
        assert_eq!([0, 1, 30, 31, 299, 300, 1000].map(left), [10, 9, 9, 8, 0, 0, 0]);
        let fast = Rate::new(u32::MAX, Duration::from_secs(1)).unwrap();
        assert_eq!(Standing::owing(fast, Duration::ZERO).remaining, u32::MAX);
    }

    #[test]
    fn a_client_is_an_address_or_a_network() {
        let of = |text: &str| client_of(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:0:1:ffff::2"), "2001:db8:0:1::");
    }
}
