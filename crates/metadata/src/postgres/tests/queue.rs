//! The queue when it is long.

use super::fresh::Fresh;
use crate::engine::Dialect;
use crate::transactions::jobs::{DUE_LONGEST, first_due};

/// A claim looks at a few pages of the index, whatever else waits, runs or was set aside.
#[tokio::test]
async fn a_claim_finds_its_job_among_very_many() {
    let fresh = Fresh::own().await;
    let client = fresh.client().await;
    client
        .batch_execute(
            "INSERT INTO jobs (kind, key, payload, due_at, last_error)
             SELECT (ARRAY['sweep', 'scan', 'hook'])[1 + number % 3], number::text, '{}',
                    CASE WHEN number % 2 = 0 THEN 1000 + number END, 'broken'
             FROM generate_series(1, 200000) AS numbers (number);
             INSERT INTO jobs (kind, key, payload, due_at) VALUES ('sweep', 'due', '{}', 999)",
        )
        .await
        .unwrap();
    client.batch_execute("VACUUM ANALYZE jobs").await.unwrap();
    let kinds = first_due(Dialect::Postgres).replace("$1", r#"'["sweep","scan","hook","none"]'"#);
    let due = DUE_LONGEST.replace("$1", "'sweep'").replace("$2", "999");
    for sql in [kinds, format!("{due} FOR UPDATE SKIP LOCKED")] {
        let plan = fresh.column(&format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {sql}")).await;
        let plan = plan.join("\n");
        assert!(plan.contains("jobs_due") && !plan.contains("Seq Scan on jobs"), "{plan}");
        let pages: u64 = plan
            .lines()
            .find_map(|line| line.trim().strip_prefix("Buffers: shared hit="))
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .expect("the plan tells its buffers");
        assert!(pages < 50, "{plan}");
    }
}
