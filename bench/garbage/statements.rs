//! The statement that takes longest, as PostgreSQL tells of what it is doing.

use std::time::Duration;

use anyhow::Result;
use tokio_postgres::Client;

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(10);

const LONGEST: &str = "
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start)), 0)::float8
    FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active'
      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// What comes of `work`, and how long the longest statement was seen to take meanwhile, in seconds.
pub async fn watched<T>(
    client: &Client,
    work: impl Future<Output = Result<T>>,
) -> Result<(T, f64)> {
    let mut longest: f64 = 0.0;
    let watching = async {
        loop {
            match client.query_one(LONGEST, &[]).await {
                Ok(row) => longest = longest.max(row.get(0)),
                Err(error) => break anyhow::Error::from(error),
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        done = work => Ok((done?, longest)),
        error = watching => Err(error),
    }
}
