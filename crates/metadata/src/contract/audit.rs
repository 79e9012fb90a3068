//! Rules of the audit log: what is written with a change, found, kept, and forgotten by age.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use wharf_core::actor::Actor;
use wharf_core::metadata::{
    AuditEntry, AuditFilter, AuditOrder, AuditOutcome, AuditRecord, Change, ChangeRequest,
    CreateOrganization, NewUser, Once, Position, Precondition, Refusal, RemoveBlob,
};
use wharf_core::permissions::AccountName;

use super::samples::{blob, commit, image, name};
use super::stand::Stand;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn account(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn user(text: &str) -> NewUser {
    let password_hash = Some("the hash of a secret".into());
    NewUser { name: account(text), email: None, password_hash, site_admin: false }
}

async fn list(stand: &Stand, filter: AuditFilter) -> Vec<AuditRecord> {
    stand.audit.list_audit(filter, AuditOrder::OldestFirst, None, 100).await.unwrap()
}

/// Records as `by action target outcome detail`.
async fn all(stand: &Stand) -> Vec<String> {
    let records = list(stand, AuditFilter::default()).await;
    let shown = |AuditRecord { entry, .. }: AuditRecord| {
        let AuditEntry { by, action, target, outcome, detail, .. } = entry;
        format!("{} {action} {target} {} {detail}", by.by, outcome.name()).trim_end().to_owned()
    };
    records.into_iter().map(shown).collect()
}

/// Also what was refused; and no secret.
pub async fn a_change_of_accounts_is_in_the_audit_log(stand: &Stand) {
    stand.change(user("ada")).await;
    let actor = Actor {
        by: "user:root".into(),
        address: Some("2001:db8::1".parse().unwrap()),
        request_id: Some("request-1".into()),
    };
    let change = CreateOrganization { name: account("team"), owner: account("ada") };
    for expected in [Change::Done, Change::Taken] {
        let change = change.clone().into();
        let request = ChangeRequest { change, by: actor.clone(), once: None };
        assert_eq!(stand.accounts.change(request).await.unwrap(), expected);
    }
    let expected = [
        "user:ada user.create user:ada done",
        "user:root organization.create organization:team done owner=ada",
        "user:root organization.create organization:team refused owner=ada",
    ];
    assert_eq!(all(stand).await, expected);
    let newest = stand.audit.list_audit(AuditFilter::default(), AuditOrder::NewestFirst, None, 1);
    let newest = newest.await.unwrap();
    assert_eq!(newest[0].entry.by, actor);
    assert_eq!(newest[0].entry.outcome, AuditOutcome::Refused);
    assert_eq!(newest[0].entry.namespace.as_deref(), Some("team"));
}

/// What is pushed again is not.
pub async fn a_change_of_a_repository_is_in_the_audit_log(stand: &Stand) {
    let (digest, other) = (stand.push("team/app", "one", &["v1", "v1", "latest"]).await, blob("x"));
    let again = commit("team/app", &image(&[blob("one")]), &["v1"]);
    stand.commit(again).await;
    stand.hold("team/app", other).await;
    let removal = RemoveBlob { repository: name("team/app"), digest: other, by: "bob".into() };
    stand.metadata.remove_blob(removal).await.unwrap();
    stand.delete_tag("team/app", "latest", Precondition::None).await;
    stand.delete("team/app", digest, Precondition::None).await;
    let repository = "repository:team/app";
    let expected = [
        format!("alice manifest.push {repository}@{digest} done tags=latest,v1"),
        format!("bob blob.delete {repository}@{other} done"),
        format!("bob tag.delete {repository}:latest done from={digest}"),
        format!("bob manifest.delete {repository}@{digest} done"),
    ];
    assert_eq!(all(stand).await, expected);
}

/// By each of its columns, in both orders, a page at a time.
pub async fn the_audit_log_is_found_by_what_it_says(stand: &Stand) {
    let began = wharf_core::clock::Clock::now(&*stand.clock);
    stand.change(user("ada")).await;
    stand.clock.advance(DAY);
    stand.change(user("bob")).await;
    stand.push("team/app", "one", &[]).await;
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (AuditFilter::default(), 3),
        (AuditFilter { namespace: text("team"), ..AuditFilter::default() }, 1),
        (AuditFilter { by: text("alice"), ..AuditFilter::default() }, 1),
        (AuditFilter { action: text("user.create"), ..AuditFilter::default() }, 2),
        (AuditFilter { target: text("user:bob"), ..AuditFilter::default() }, 1),
        (AuditFilter { before: Some(began.after(DAY)), ..AuditFilter::default() }, 1),
        (AuditFilter { from: Some(began.after(DAY)), ..AuditFilter::default() }, 2),
        (AuditFilter { by: text("nobody"), ..AuditFilter::default() }, 0),
    ] {
        assert_eq!(list(stand, filter.clone()).await.len(), expected, "{filter:?}");
    }
    let mut newest = Vec::new();
    loop {
        let after = newest.last().copied();
        let filter = AuditFilter::default();
        let page = stand.audit.list_audit(filter, AuditOrder::NewestFirst, after, 2).await.unwrap();
        if page.is_empty() {
            break;
        }
        newest.extend(page.into_iter().map(|record| record.id));
    }
    let mut oldest: Vec<i64> =
        list(stand, AuditFilter::default()).await.into_iter().map(|record| record.id).collect();
    oldest.reverse();
    assert_eq!(newest, oldest);
}

/// The database itself refuses the rest.
pub async fn the_audit_log_is_only_added_to_until_it_is_old(stand: &Stand) {
    stand.change(user("ada")).await;
    stand.clock.advance(DAY);
    let entry = AuditEntry {
        by: "anonymous".into(),
        action: "login".into(),
        target: "user:ada".into(),
        namespace: None,
        outcome: AuditOutcome::Denied,
        detail: String::new(),
    };
    stand.audit.append_audit(entry).await.unwrap();
    for sql in ["UPDATE audit_log SET by = 'nobody'", "DELETE FROM audit_log"] {
        assert!(stand.is_refused(sql).await, "{sql}");
    }
    assert_eq!(all(stand).await.len(), 2);
    assert_eq!(stand.audit.expire_audit(DAY * 2, 10).await.unwrap(), 0);
    let kept = all(stand).await;
    stand.clock.advance(DAY / 2);
    // On PostgreSQL the records are in a partition, which goes as a whole and not before the next one has begun.
    let forgotten = stand.audit.expire_audit(DAY, 10).await.unwrap();
    let expected = &kept[usize::try_from(forgotten).unwrap()..];
    assert_eq!(all(stand).await, expected);
    stand.audit.make_room_for_audit().await.unwrap();
}

/// Follows on behind `after`, `limit` at a time, until `count` records are there: an engine may hold back what was
/// committed while something older is under way.
pub async fn follow(
    stand: &Stand,
    after: Position,
    count: usize,
    limit: usize,
) -> Vec<(Position, AuditRecord)> {
    let (begin, mut all): (_, Vec<(Position, AuditRecord)>) = (Instant::now(), Vec::new());
    while all.len() < count {
        assert!(begin.elapsed() < Duration::from_secs(60), "{} of {count}", all.len());
        let at = all.last().map_or(after, |(place, _)| *place);
        let page = stand.audit.follow_audit(at, limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            sleep(Duration::from_millis(5)).await;
        }
        all.extend(page);
    }
    assert_eq!(all.len(), count);
    assert!(all.is_sorted_by(|(one, _), (next, _)| one < next));
    all
}

/// With all that they say.
pub async fn the_audit_log_is_followed_in_the_order_of_commits(stand: &Stand) {
    for name in ["ada", "bob", "cy"] {
        stand.change(user(name)).await;
        stand.clock.advance(DAY / 24);
    }
    let followed = follow(stand, Position::default(), 3, 100).await;
    let records: Vec<_> = followed.iter().map(|(_, record)| record.clone()).collect();
    assert_eq!(records, list(stand, AuditFilter::default()).await);
    assert!(followed.iter().all(|(place, record)| place.event == record.id));
    assert_eq!(follow(stand, Position::default(), 3, 1).await, followed);
    assert_eq!(follow(stand, followed[0].0, 2, 100).await, followed[1..]);
    assert!(stand.audit.follow_audit(followed[2].0, 100).await.unwrap().is_empty());
}

/// And never back: one that was too slow changes nothing.
pub async fn a_reader_of_the_audit_log_goes_on_where_it_stood(stand: &Stand) {
    let place = |event| Position { transaction: 0, event };
    let standing = |name: &str| stand.audit.audit_reader(name.to_owned());
    let advance = |name: &str, to| stand.audit.advance_audit_reader(name.to_owned(), to);
    assert_eq!(standing("syslog").await.unwrap(), Position::default());
    assert!(advance("syslog", place(5)).await.unwrap());
    assert!(advance("other", place(2)).await.unwrap());
    assert!(!advance("syslog", place(4)).await.unwrap());
    assert_eq!(standing("syslog").await.unwrap(), place(5));
    assert_eq!(standing("other").await.unwrap(), place(2));
    let next = Position { transaction: 1, event: 1 };
    assert!(advance("syslog", next).await.unwrap());
    assert_eq!(standing("syslog").await.unwrap(), next);
}

/// However often it is asked for. Another request under the same key is refused, and somebody else has other keys.
pub async fn a_change_under_a_key_happens_once(stand: &Stand) {
    let ask = async |by: &str, text: &str, fingerprint: u8| {
        let once = Some(Once { key: "k".into(), fingerprint: [fingerprint; 32] });
        let request = ChangeRequest { change: user(text).into(), by: by.into(), once };
        stand.accounts.change(request).await.unwrap()
    };
    assert_eq!(ask("user:root", "ada", 1).await, Change::Done);
    assert_eq!(ask("user:root", "ada", 1).await, Change::Again);
    assert_eq!(ask("user:root", "bob", 2).await, Change::Refused(Refusal::KeyReused));
    assert_eq!(ask("user:other", "ada", 1).await, Change::Taken);
    // What was not done may be asked for again.
    assert_eq!(ask("user:other", "bob", 2).await, Change::Done);
    stand.clock.advance(DAY);
    assert_eq!(stand.accounts.forget_expired(10).await.unwrap(), 2);
    assert_eq!(ask("user:root", "cy", 3).await, Change::Done);
}
