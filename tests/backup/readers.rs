//! Who follows events and the audit log goes on behind a restore, though transactions have other numbers there.

use tempfile::TempDir;

use crate::site::{Site, push};

/// Nothing is passed over. The numbers of the old transactions are made large, as those of an old cluster are.
#[test]
fn readers_miss_nothing_behind_a_restore() {
    let (site, folder) = (Site::in_a_cluster(), TempDir::new().unwrap());
    let empty = Site::in_a_cluster().with_blobs_of(&site);
    let server = site.serve();
    for tag in ["one", "two", "three"] {
        push(&server.registry(), "team/app", tag);
    }
    drop(server);
    for (table, readers, number) in
        [("events", "event_readers", "event_id"), ("audit_log", "audit_readers", "record_id")]
    {
        site.ask(&format!(
            "ALTER TABLE {table} ALTER COLUMN transaction_id TYPE bigint USING transaction_id + 4000000000"
        ));
        // One that has read a third of all, one that has read all, one that never said.
        let place = |offset: &str| format!("(SELECT transaction_id, id FROM {table} {offset})");
        for (name, offset) in [
            ("half", place("ORDER BY transaction_id, id OFFSET 1 LIMIT 1")),
            ("all", place("ORDER BY transaction_id DESC, id DESC LIMIT 1")),
        ] {
            site.ask(&format!(
                "INSERT INTO {readers} (name, transaction_id, {number})
                 SELECT '{name}', p.transaction_id, p.id FROM {offset} p"
            ));
        }
    }
    let backup = folder.path().join("backup");
    let backup = backup.to_str().unwrap();
    site.admin(&["backup", "--to", backup, "--no-check"]).unwrap();
    empty.admin(&["restore", "--from", backup]).unwrap();
    for (table, readers, number) in
        [("events", "event_readers", "event_id"), ("audit_log", "audit_readers", "record_id")]
    {
        let left = |name: &str| {
            empty.ask(&format!(
                "SELECT count(*) FROM {table} t, {readers} r
                 WHERE r.name = '{name}' AND (t.transaction_id, t.id) > (r.transaction_id, r.{number})"
            ))
        };
        let all: u64 = site.ask(&format!("SELECT count(*) FROM {table}")).parse().unwrap();
        // Both tell of the restore itself, which lies behind all that was restored.
        assert_eq!(left("half"), (all - 2 + 1).to_string(), "{table}");
        assert_eq!(left("all"), "1", "{table}");
        let numbered = format!("SELECT count(*) FROM {table} WHERE transaction_id <> 0");
        assert_eq!(empty.ask(&numbered), "1", "{table}");
    }
    let told = "SELECT kind FROM events WHERE transaction_id <> 0 AND repository_id IS NULL";
    assert_eq!(empty.ask(told), "database.restored");
    // What comes later lies behind everything.
    push(&empty.serve().registry(), "team/app", "four");
    let later = empty.ask(
        "SELECT count(*) FROM events e, event_readers r
         WHERE r.name = 'all' AND (e.transaction_id, e.id) > (r.transaction_id, r.event_id)",
    );
    assert!(later.parse::<u64>().unwrap() > 1, "{later}");
}
