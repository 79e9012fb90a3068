//! A record of the audit log as a syslog message (RFC 5424), and as the JSON document that is in it.

use std::fmt::Write as _;

use jiff::Timestamp as Moment;
use serde_json::{Value, json};
use wharf_core::metadata::{AuditEntry, AuditOutcome, AuditRecord};

/// The facility of audit logs (RFC 5424, section 6.2.1).
const FACILITY: u8 = 13;

/// The longest message in bytes: what receivers take unless they are told otherwise.
const LONGEST: usize = 8 << 10;

/// The longest identifier of a message's kind, and the longest name of a host (section 6).
const LONGEST_KIND: usize = 32;
const LONGEST_HOST: usize = 255;

/// A record as JSON: what `wharf admin audit --json` prints, and what a message says.
#[must_use]
pub fn document(record: &AuditRecord) -> Value {
    let AuditEntry { by, action, target, namespace, outcome, detail } = &record.entry;
    let at = Moment::from_microsecond(record.at.0).unwrap_or_default();
    json!({
        "id": record.id, "at": at.to_string(), "by": by.by, "action": action, "target": target,
        "namespace": namespace, "outcome": outcome.name(),
        "address": by.address.map(|address| address.to_string()),
        "request_id": by.request_id, "detail": detail,
    })
}

/// A record as a message from `host`. Whatever the record holds, it is one message, of printable ASCII alone.
#[must_use]
pub fn render(record: &AuditRecord, host: &str) -> String {
    let severity = match record.entry.outcome {
        AuditOutcome::Done => 6,
        AuditOutcome::Refused => 5,
        AuditOutcome::Denied => 4,
    };
    let priority = FACILITY * 8 + severity;
    let at = Moment::from_microsecond(record.at.0).unwrap_or_default();
    let host = identifier(host, LONGEST_HOST);
    let kind = identifier(&record.entry.action, LONGEST_KIND);
    let header = format!("<{priority}>1 {at:.6} {host} wharf - {kind} - ");
    let mut document = document(record);
    let whole = ascii(&document);
    if header.len() + whole.len() <= LONGEST {
        return header + &whole;
    }
    // All but the details is short.
    document["detail"] = Value::Null;
    document["detail_left_out"] = Value::Bool(true);
    header + &ascii(&document)
}

/// JSON in printable ASCII: no receiver takes a part of it for the end of a line or of a record.
fn ascii(document: &Value) -> String {
    let mut text = String::new();
    for letter in document.to_string().chars() {
        match letter {
            ' '..='~' => text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a string does not fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

/// A field of the header: printable ASCII without spaces, or `-` for none.
fn identifier(text: &str, longest: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(longest).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use wharf_core::actor::Actor;
    use wharf_core::clock::Timestamp;

    use super::*;

    fn record(target: &str, detail: &str) -> AuditRecord {
        let by = Actor {
            by: "user:ada".into(),
            address: Some("192.0.2.7".parse().unwrap()),
            request_id: Some("r-1".into()),
        };
        let entry = AuditEntry {
            by,
            action: "grant.put".into(),
            target: target.into(),
            namespace: Some("team".into()),
            outcome: AuditOutcome::Done,
            detail: detail.into(),
        };
        AuditRecord { id: 7, at: Timestamp(1_772_359_331_117_350), entry }
    }

    #[test]
    fn a_message_has_the_header_of_the_specification_and_says_all() {
        let message = render(&record("robot:team+ci", "role=write"), "node-1");
        let begin = "<110>1 2026-03-01T10:02:11.117350Z node-1 wharf - grant.put - ";
        let said: Value = serde_json::from_str(message.strip_prefix(begin).unwrap()).unwrap();
        assert_eq!(said, document(&record("robot:team+ci", "role=write")));
        assert_eq!(said["id"], 7);
        assert_eq!(said["at"], "2026-03-01T10:02:11.11735Z");
        for (outcome, priority) in
            [(AuditOutcome::Denied, "<108>"), (AuditOutcome::Refused, "<109>")]
        {
            let mut record = record("user:ada", "");
            record.entry.outcome = outcome;
            assert!(render(&record, "node-1").starts_with(priority));
        }
    }

    #[test]
    fn nothing_in_a_record_begins_another_one() {
        let hostile = "x\n<13>1 - - - - - - forged\r\0\u{7f}\u{85}\u{2028}\u{1b}[2J\"\\ é 😀";
        let mut record = record(hostile, hostile);
        record.entry.by.by = hostile.into();
        record.entry.by.request_id = Some(hostile.into());
        record.entry.action = hostile.into();
        let message = render(&record, "a host\nof ours");
        assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{message}");
        assert!(
            message.starts_with("<110>1 2026-03-01T10:02:11.117350Z ahostofours wharf - x<13>1")
        );
        // A reader gets back what was written.
        let said: Value = serde_json::from_str(&message[message.find('{').unwrap()..]).unwrap();
        assert_eq!(said, document(&record));
        record.entry.action = "\n".into();
        assert!(render(&record, "").contains(" - wharf - - - {"));
    }

    #[test]
    fn a_message_is_no_longer_than_receivers_take() {
        let long = render(&record("repository:team/app", &"tags=é,".repeat(5000)), "node-1");
        assert!(long.len() <= LONGEST, "{}", long.len());
        let said: Value = serde_json::from_str(&long[long.find('{').unwrap()..]).unwrap();
        assert_eq!((&said["detail"], &said["detail_left_out"]), (&Value::Null, &json!(true)));
        assert_eq!(said["target"], "repository:team/app");
    }
}
