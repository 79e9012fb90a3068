//! The contract, directly and through PgBouncer, and what is PostgreSQL's own: migrations, lost connections, races.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod counts;
mod encrypted;
mod faults;
mod fresh;
mod interleaved;
mod opening;
mod partitions;
mod plans;
mod queue;
mod replicas;
mod slow;
mod texts;
mod told;
mod trips;
mod upgrading;
mod writers;

use async_trait::async_trait;

use crate::engine::{Result, Statements, Transaction};

/// A query whose first column comes as text.
struct Ask(&'static str);

#[async_trait]
impl Transaction for Ask {
    type Output = Vec<String>;

    async fn run(&self, on: &mut dyn Statements) -> Result<Self::Output> {
        let rows = on.query(self.0, &[]).await?;
        Ok(rows.iter().map(|row| fresh::text(&row.0[0])).collect())
    }
}

/// A statement.
struct Run(&'static str);

#[async_trait]
impl Transaction for Run {
    type Output = u64;

    async fn run(&self, on: &mut dyn Statements) -> Result<u64> {
        on.execute(self.0, &[]).await
    }
}

mod contract {
    use super::fresh::Fresh;

    mod directly {
        use super::*;
        use crate::contract::HandClock;
        use crate::{Database, Postgres};
        use std::sync::Arc;

        async fn make() -> (Database<Postgres>, Arc<HandClock>, Fresh) {
            Fresh::new().await.metadata(wharf_engines::postgres()).await
        }

        crate::metadata_contract!(make);
    }

    mod through_pgbouncer {
        use super::*;
        use crate::contract::HandClock;
        use crate::{Database, Postgres};
        use std::sync::Arc;

        async fn make() -> (Database<Postgres>, Arc<HandClock>, Fresh) {
            Fresh::new().await.metadata(wharf_engines::pgbouncer()).await
        }

        crate::metadata_contract!(make);
    }
}
