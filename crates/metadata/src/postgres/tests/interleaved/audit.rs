//! Records of the audit log whose order of ids is not that of their commits.

use super::*;
use crate::transactions::audit::Append;
use wharf_core::metadata::{AuditEntry, AuditOutcome, Position};

fn login(target: &str) -> Append {
    Append(AuditEntry {
        by: "anonymous".into(),
        action: "login".to_owned(),
        target: target.to_owned(),
        namespace: None,
        outcome: AuditOutcome::Denied,
        detail: String::new(),
    })
}

/// It has its id, and others commit behind it: whoever took those for the end would never export it.
#[tokio::test]
async fn a_record_whose_id_came_early_and_whose_commit_came_late_is_not_missed() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    let (reached, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let stepped = Stepped {
        inner: login("early"),
        at: At::End,
        first: AtomicBool::new(true),
        reached: reached.clone(),
        go: go.clone(),
    };
    let engine = scene.engine.clone();
    let early = tokio::spawn(async move { engine.write(stepped).await.unwrap() });
    reached.acquire().await.unwrap().forget();

    stand.audit.append_audit(login("late").0).await.unwrap();
    let committed = "SELECT id, target FROM audit_log ORDER BY id";
    assert_eq!(stand.rows(committed, &[]).await, ["2 late"]);
    assert!(stand.audit.follow_audit(Position::default(), 10).await.unwrap().is_empty());

    go.add_permits(1);
    early.await.unwrap();
    let followed = crate::contract::follow(stand, Position::default(), 2, 1).await;
    let targets: Vec<_> = followed.iter().map(|(_, it)| it.entry.target.as_str()).collect();
    assert_eq!(targets, ["early", "late"]);
}

/// Those from before the step that numbers transactions come first.
#[tokio::test]
async fn records_without_a_transaction_come_first() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    stand.audit.append_audit(login("new").0).await.unwrap();
    let sql = "INSERT INTO audit_log (at, by, action, target, outcome, detail, transaction_id)
         VALUES (1, 'system', 'login', 'old', 'done', '', 0)";
    assert!(!stand.is_refused(sql).await);
    let followed = crate::contract::follow(stand, Position::default(), 2, 10).await;
    let targets: Vec<_> = followed.iter().map(|(_, it)| it.entry.target.as_str()).collect();
    assert_eq!(targets, ["old", "new"]);
}

/// A dump brings numbers of transactions along that its new cluster reaches late or never: whoever waited for them would export nothing.
#[tokio::test]
async fn a_reader_goes_on_in_a_database_that_was_restored_into_another_cluster() {
    let scene = Scene::new().await;
    let stand = &scene.stand;
    let elsewhere = 1_i64 << 50;
    for (target, transaction) in [("exported", elsewhere), ("not yet", elsewhere + 1)] {
        let sql = format!(
            "INSERT INTO audit_log (at, by, action, target, outcome, detail, transaction_id)
             VALUES (1, 'system', 'login', '{target}', 'done', '', {transaction})"
        );
        assert!(!stand.is_refused(&sql).await);
    }
    let reached = Position { transaction: elsewhere, event: 1 };
    assert!(stand.audit.advance_audit_reader("syslog".into(), reached).await.unwrap());
    stand.audit.append_audit(login("new").0).await.unwrap();

    let at = stand.audit.audit_reader("syslog".into()).await.unwrap();
    assert_eq!(at, Position { transaction: 0, event: 1 });
    let followed = crate::contract::follow(stand, at, 2, 10).await;
    let targets: Vec<_> = followed.iter().map(|(_, it)| it.entry.target.as_str()).collect();
    assert_eq!(targets, ["not yet", "new"]);
    let last = followed[1].0;
    assert!(stand.audit.advance_audit_reader("syslog".into(), last).await.unwrap());
    assert_eq!(stand.audit.audit_reader("syslog".into()).await.unwrap(), last);
}
