//! The lines of a part of a plan, as text or as JSON, and their sum.

use std::io::{Write, stdout};

use serde_json::Value;

/// Prints what goes, and counts it.
pub(super) struct Lines {
    as_json: bool,
    count: u64,
    bytes: u64,
}

impl Lines {
    pub(super) const fn new(as_json: bool) -> Self {
        Self { as_json, count: 0, bytes: 0 }
    }

    /// Something that goes, and frees so many bytes.
    pub(super) fn add(
        &mut self,
        bytes: u64,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        self.count += 1;
        self.bytes += bytes;
        self.print(json, text)
    }

    /// Something that stays for now.
    pub(super) fn print(
        &self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        let line = if self.as_json { json().to_string() } else { text() };
        Ok(writeln!(stdout(), "{line}")?)
    }

    /// The last line of a text, by how many there were and their bytes.
    pub(super) fn end(self, sum: impl FnOnce(u64, u64) -> String) -> anyhow::Result<()> {
        if !self.as_json {
            writeln!(stdout(), "{}", sum(self.count, self.bytes))?;
        }
        Ok(())
    }

    /// The same where there was anything.
    pub(super) fn end_if_any(self, sum: impl FnOnce(u64, u64) -> String) -> anyhow::Result<()> {
        if self.count > 0 { self.end(sum) } else { Ok(()) }
    }
}
