//! What is logged and how.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::problem::Refusal;

/// Which messages are written, in the syntax of tracing's `EnvFilter`: `info,wharf_http=debug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl LogFilter {
    /// The filter.
    pub fn get(&self) -> EnvFilter {
        // Lossy only in name: the text was parsed by the same parser before.
        EnvFilter::builder().parse_lossy(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<LogFilter, Refusal> {
        // `EnvFilter` takes a lone unknown word, such as a mistyped level, for the name of a part.
        // And `LevelFilter` takes nothing for a level.
        let level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
        let known = |part: &str| part.contains(['=', '[']) || level(part);
        let sound = EnvFilter::builder().parse(text).is_ok();
        if !sound || !text.split(',').all(|part| known(part.trim())) {
            return Err(Refusal::Malformed);
        }
        Ok(LogFilter(text.to_owned()))
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<LogFormat, Refusal> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(Refusal::Malformed),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// How each answered request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLog {
    /// In this format.
    In(LogFormat),
    /// Not at all.
    Off,
}

impl FromStr for AccessLog {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<AccessLog, Refusal> {
        match text {
            "off" => Ok(AccessLog::Off),
            _ => text.parse().map(AccessLog::In),
        }
    }
}

impl fmt::Display for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccessLog::In(format) => format.fmt(f),
            AccessLog::Off => f.write_str("off"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_refused() {
        for text in ["info", "off", "warn,wharf_http=debug", "info,[push{size=1}]=debug"] {
            assert!(text.parse::<LogFilter>().is_ok(), "{text:?}");
        }
        for text in ["", "verbose", "info,", "wharf_http", "wharf_http=loud", "info;debug"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_access_log_can_be_off() {
        assert_eq!("off".parse(), Ok(AccessLog::Off));
        assert_eq!("json".parse(), Ok(AccessLog::In(LogFormat::Json)));
        assert!("OFF".parse::<AccessLog>().is_err());
    }
}
