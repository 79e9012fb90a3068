//! How long to wait before trying again.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::Reply;
use crate::Retries;

/// The wait after `failures` failures, at least one: doubled each time, up to half of it left out by chance,
/// so that clients that failed together do not come back together.
pub(crate) fn backoff(retries: &Retries, failures: u32) -> Duration {
    let doubled = retries.first_wait.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let wait = doubled.min(retries.longest_wait);
    let mut chance = [0; 1];
    // Without randomness the wait is merely not spread.
    let _ = getrandom::fill(&mut chance);
    wait.mul_f32(1.0 - f32::from(chance[0]) / 512.0)
}

/// Whether the answer says to come back later.
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The wait that an answer asks for (RFC 9110, section 10.2.3): seconds, or a date.
pub(super) fn asked_wait(reply: &Reply, now: Timestamp) -> Option<Duration> {
    parse_retry_after(reply.header(http::header::RETRY_AFTER.as_str())?, now)
}

fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_its_limit_and_never_falls_below_half() {
        let retries = Retries::default();
        for (failures, longest) in [(1, 250), (2, 500), (3, 1000), (6, 8000), (4_000_000_000, 8000)]
        {
            let wait = backoff(&retries, failures);
            let longest = Duration::from_millis(longest);
            assert!(wait <= longest && wait >= longest / 2, "{failures}: {wait:?}");
        }
    }

    #[test]
    fn a_registry_asks_for_seconds_or_names_a_date() {
        let now: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let wait = |text| parse_retry_after(text, now);
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Tue, 24 Nov 2026 08:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Tue, 24 Nov 2026 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
