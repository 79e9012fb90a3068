//! A count of usage that is too slow: this is about what it counts, and no fault of the database.

use std::time::Duration;

use wharf_core::StoreError;

use super::Run;
use super::fresh::Fresh;
use crate::Postgres;
use crate::engine::Engine;
use crate::transactions::usage::CountRepositories;

#[tokio::test]
async fn a_count_that_takes_too_long_says_that_it_is_too_much() {
    let fresh = Fresh::new().await;
    let mut settings = fresh.settings();
    settings.statement_timeout = Duration::from_millis(200);
    let engine = Postgres::connect(settings).await.unwrap();
    engine.write(Run("INSERT INTO repositories (name, created_at) VALUES ('a', 0)")).await.unwrap();
    let other = fresh.client().await;
    other.batch_execute("BEGIN; LOCK usage_scopes").await.unwrap();
    let count = || CountRepositories { after: None, limit: 8 };
    let error = engine.write(count()).await.unwrap_err();
    assert!(matches!(error, StoreError::TooMuch(_)), "{error}");
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(engine.write(count()).await.unwrap().scopes, 1);
}
