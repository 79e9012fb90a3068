//! Query plans: what the engine says it does for each statement, and whether that grows with the tables.

use std::error::Error;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio_postgres::Client;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::statements::{Operation, Statement, Value};

/// The plans of one operation.
pub struct Plans {
    /// Its name.
    pub operation: &'static str,
    /// Statements, each with its plan, for eyes.
    pub text: String,
    /// The tables, or indexes of them, of which all is read.
    pub full_scans: Vec<String>,
    /// What running it took, where the engine tells.
    pub cost: Option<Cost>,
}

/// What running statements took. Neither depends on the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// The pages touched by all of them together, in memory or not.
    pub pages: u64,
    /// The most rows that one step of one of them found or threw away.
    pub rows: u64,
}

impl Plans {
    fn new(operation: &Operation) -> Self {
        let (text, full_scans) = (String::new(), Vec::new());
        Self { operation: operation.name, text, full_scans, cost: None }
    }

    /// Adds a statement and its plan, in which `scan` stands before the name of what is read in full.
    fn add(&mut self, sql: &str, plan: &[String], scan: &str) {
        let lines: Vec<&str> = sql.lines().map(str::trim).collect();
        self.text += &format!("{}\n\n", lines.join("\n"));
        if plan.is_empty() {
            self.text += "    (only keys are looked up)\n";
        }
        for line in plan {
            self.text += &format!("    {line}\n");
            if let Some((_, scanned)) = line.split_once(scan) {
                let name = scanned.split(' ').next().unwrap_or_default().to_owned();
                if !self.full_scans.contains(&name) {
                    self.full_scans.push(name);
                }
            }
        }
        self.text += "\n";
    }
}

/// What SQLite would do.
pub fn sqlite(file: &Path, operations: &[Operation]) -> Result<Vec<Plans>> {
    let connection = rusqlite::Connection::open(file)?;
    // As the server plans: whatever the arguments are.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let explain = |operation: &Operation| -> Result<Plans> {
        let mut plans = Plans::new(operation);
        for Statement { sql, arguments, .. } in &operation.statements {
            let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let plan = explained
                .query_map(rusqlite::params_from_iter(arguments), |row| row.get(3))?
                .collect::<rusqlite::Result<Vec<String>>>()?;
            plans.add(sql, &plan, "SCAN ");
        }
        Ok(plans)
    };
    operations.iter().map(explain).collect()
}

/// What PostgreSQL does: every statement is run, in a transaction that is rolled back.
pub async fn postgres(client: &Client, operations: &[Operation]) -> Result<Vec<Plans>> {
    let mut all = Vec::new();
    for operation in operations {
        let mut plans = Plans::new(operation);
        let mut cost = Cost::default();
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        for Statement { sql, arguments, locks } in &operation.statements {
            let sql = format!("{sql}{}", if *locks { " FOR UPDATE" } else { "" });
            let explain = format!("EXPLAIN (ANALYZE, BUFFERS) {sql}");
            let arguments: Vec<_> = arguments
                .iter()
                .map(|it| (it as &(dyn ToSql + Sync), it.postgres_type()))
                .collect();
            let rows =
                client.query_typed(&explain, &arguments).await.with_context(|| sql.clone())?;
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            cost.pages += pages_of(&plan);
            cost.rows = cost.rows.max(rows_of(&plan));
            plans.add(&sql, &plan, "Seq Scan on ");
        }
        client.batch_execute("ROLLBACK").await?;
        all.push(Plans { cost: Some(cost), ..plans });
    }
    Ok(all)
}

/// The pages that running a plan touched, in memory or not: those of its uppermost node, which has all below it.
fn pages_of(plan: &[String]) -> u64 {
    let running = plan.iter().take_while(|line| !line.starts_with("Planning"));
    let buffers = running.filter_map(|line| line.trim().strip_prefix("Buffers: shared ")).next();
    let counts = buffers.unwrap_or_default().split(", ").next().unwrap_or_default().split(' ');
    let touched = counts.filter_map(|count| {
        let (what, count) = count.split_once('=')?;
        matches!(what, "hit" | "read").then(|| count.parse::<u64>().ok())?
    });
    touched.sum()
}

/// The most rows that a step of a plan found, over all its turns, or threw away in one.
fn rows_of(plan: &[String]) -> u64 {
    // From PostgreSQL 18 on with a fraction: the mean over all turns.
    let number = |text: &str| text.split([' ', ')']).next()?.parse::<f64>().ok();
    let rows = plan.iter().filter_map(|line| {
        if let Some((_, removed)) = line.split_once("Rows Removed by Filter: ") {
            return number(removed);
        }
        let (_, actual) = line.split_once("(actual ")?;
        let (_, rows) = actual.split_once("rows=")?;
        let (_, loops) = rows.split_once("loops=")?;
        Some(number(rows)? * number(loops)?)
    });
    rows.fold(0.0, f64::max).round() as u64
}

/// Writes plans into files of `folder`, one an operation.
pub fn write(folder: &Path, plans: &[Plans]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for Plans { operation, text, .. } in plans {
        fs::write(folder.join(format!("{operation}.txt")), text)?;
    }
    Ok(())
}

impl Value {
    const fn postgres_type(&self) -> Type {
        match self {
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
            Self::Json(_) => Type::JSONB,
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(number) => number.to_sql(ty, out),
            Self::Text(text) => text.to_sql(ty, out),
            Self::Bytes(bytes) => bytes.to_sql(ty, out),
            Self::Json(document) => {
                out.extend_from_slice(&[1]);
                out.extend_from_slice(document.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(Some(text)) | Self::Json(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Text(None) | Self::Bytes(None) => ValueRef::Null,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{pages_of, rows_of};

    const PLAN: [&str; 7] = [
        "Nested Loop  (cost=1.13..25.18 rows=1 width=1) (actual time=0.14..0.17 rows=1 loops=1)",
        "  Buffers: shared hit=11 read=3 dirtied=2, temp read=7",
        "  ->  Index Scan using tags_pkey on tags (cost=1..2 rows=9 width=1) (actual time=0.1..0.1 rows=4 loops=3)",
        "        Rows Removed by Filter: 7",
        "        Buffers: shared hit=4",
        "Planning:",
        "  Buffers: shared hit=500",
    ];

    #[test]
    fn pages_are_those_of_the_uppermost_node() {
        assert_eq!(pages_of(&PLAN.map(str::to_owned)), 14);
        assert_eq!(pages_of(&[PLAN[5], PLAN[6]].map(str::to_owned)), 0);
    }

    #[test]
    fn rows_are_those_of_the_busiest_node() {
        assert_eq!(rows_of(&PLAN.map(str::to_owned)), 12);
    }
}
