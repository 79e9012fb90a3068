//! How a line of the access log looks, and why a client cannot forge one.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;

use super::request_id::RequestId;

/// Bytes of a user agent that are kept.
const USER_AGENT_BYTES: usize = 200;

/// Bytes of path and query that are kept; no route of ours is nearly as long.
const TARGET_BYTES: usize = 4096;

/// For whom the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// People: `time id client principal "METHOD target" status bytes duration operation end "user agent"`,
    /// where end is `complete` or `broken`. What a client sent is quoted: `"` and `\` stand
    /// behind a `\`, and anything but printable ASCII is `\xNN`.
    Text,
    /// Programs: one JSON object a line.
    Json,
}

/// What a line says.
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) id: RequestId,
    pub(super) client: IpAddr,
    pub(super) principal: &'a str,
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    /// None: there was no reply.
    pub(super) status: Option<StatusCode>,
    pub(super) bytes: u64,
    pub(super) complete: bool,
    pub(super) duration: Duration,
    pub(super) operation: &'static str,
    pub(super) user_agent: Option<&'a [u8]>,
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static CLOCK: RefCell<Clock> = const { RefCell::new(Clock { second: 0, text: String::new() }) };
}

impl Line<'_> {
    /// Hands the line, with its line feed, to `target`.
    pub(super) fn format(&self, format: Format, target: impl FnOnce(&[u8])) {
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            CLOCK.with_borrow_mut(|clock| match format {
                Format::Text => self.text(clock, buffer),
                Format::Json => self.json(clock, buffer),
            });
            target(buffer);
        });
    }

    fn text(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        clock.write(self.time, out);
        out.push(b' ');
        out.extend_from_slice(&self.id.to_text());
        print(out, format_args!(" {} ", self.client));
        escape(self.principal.as_bytes(), out);
        out.extend_from_slice(b" \"");
        escape(self.method.as_bytes(), out);
        out.push(b' ');
        escape(truncated(self.target.as_bytes(), TARGET_BYTES), out);
        out.extend_from_slice(b"\" ");
        match self.status {
            Some(status) => out.extend_from_slice(status.as_str().as_bytes()),
            None => out.push(b'-'),
        }
        let end = if self.complete { "complete" } else { "broken" };
        let (whole, rest) = milliseconds(self.duration);
        print(out, format_args!(" {} {whole}.{rest:03}ms {} {end} \"", self.bytes, self.operation));
        escape(truncated(self.user_agent.unwrap_or(b"-"), USER_AGENT_BYTES), out);
        out.extend_from_slice(b"\"\n");
    }

    fn json(&self, clock: &mut Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        clock.write(self.time, out);
        out.extend_from_slice(b"\",\"request_id\":\"");
        out.extend_from_slice(&self.id.to_text());
        print(out, format_args!("\",\"client\":\"{}\",\"principal\":", self.client));
        json_string(self.principal.as_bytes(), out);
        out.extend_from_slice(b",\"method\":");
        json_string(self.method.as_bytes(), out);
        out.extend_from_slice(b",\"path\":");
        json_string(truncated(self.target.as_bytes(), TARGET_BYTES), out);
        out.extend_from_slice(b",\"status\":");
        match self.status {
            Some(status) => out.extend_from_slice(status.as_str().as_bytes()),
            None => out.extend_from_slice(b"null"),
        }
        let (whole, rest) = milliseconds(self.duration);
        print(
            out,
            format_args!(
                ",\"bytes\":{},\"complete\":{},\"duration_ms\":{whole}.{rest:03},\"operation\":\"{}\",\"user_agent\":",
                self.bytes, self.complete, self.operation
            ),
        );
        match self.user_agent {
            Some(agent) => json_string(truncated(agent, USER_AGENT_BYTES), out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Writes to memory, which does not fail.
fn print(out: &mut Vec<u8>, text: impl Display) {
    let _ = write!(out, "{text}");
}

/// Whole milliseconds, and the microseconds above them.
fn milliseconds(duration: Duration) -> (u128, u32) {
    (duration.as_millis(), duration.subsec_micros() % 1000)
}

fn truncated(bytes: &[u8], limit: usize) -> &[u8] {
    bytes.get(..limit).unwrap_or(bytes)
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => print(out, format_args!("\\x{byte:02x}")),
        }
    }
}

/// JSON escapes quotes and control characters itself; bytes that are no UTF-8 become U+FFFD.
fn json_string(bytes: &[u8], out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, &String::from_utf8_lossy(bytes));
}

/// The text of the second that was last asked for: most lines fall into the same one.
struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// RFC 3339, UTC, with milliseconds.
    fn write(&mut self, time: SystemTime, out: &mut Vec<u8>) {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != since.as_secs() || self.text.is_empty() {
            self.second = since.as_secs();
            let seconds = i64::try_from(self.second).unwrap_or(0);
            let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
            self.text = timestamp.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        }
        out.extend_from_slice(self.text.as_bytes());
        print(out, format_args!(".{:03}Z", since.subsec_millis()));
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
