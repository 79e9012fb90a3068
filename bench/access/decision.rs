//! The decision, uncached: the one query of its facts in a large PostgreSQL database, and the pure function.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use wharf_auth::decision;
use wharf_bench::figures::percentile;
use wharf_bench::postgres::{connect, url_of};
use wharf_core::metadata::Accounts;
use wharf_core::operation::Action;
use wharf_core::permissions::Principal;
use wharf_metadata::{Database, Postgres, PostgresSettings};

use crate::Figure;
use crate::options::Options;
use crate::people::{self, Crowd, REPOSITORIES};

/// The longest that the slowest of a hundred decisions may take, in milliseconds.
const MOST: f64 = 5.0;

/// Makes a database, measures there, and removes it.
pub async fn measure(server: &str, options: &Options) -> Result<Vec<Figure>> {
    let admin = connect(server).await?;
    let name = format!("wharf_access_{}", std::process::id());
    let template = "TEMPLATE template0 ENCODING 'UTF8'";
    admin.batch_execute(&format!("CREATE DATABASE {name} {template}")).await?;
    let figures = in_database(&url_of(server, &name), options).await;
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    figures
}

async fn in_database(url: &str, options: &Options) -> Result<Vec<Figure>> {
    let settings = PostgresSettings { connections: 4, ..PostgresSettings::new(url.parse()?) };
    Postgres::migrate(&settings).await?;
    let client = connect(url).await?;
    let crowd = Crowd { users: options.users };
    eprintln!("{} users, {} teams, {} grants", crowd.users, crowd.teams(), crowd.grants());
    let begin = Instant::now();
    people::load(&client, crowd).await?;
    let loading = begin.elapsed().as_secs_f64();
    let size = client.query_one("SELECT pg_database_size(current_database())", &[]).await?;
    let size = size.get::<_, i64>(0) as f64 / 1e9;
    let accounts: Arc<dyn Accounts> =
        Arc::new(Database::on_postgres(Postgres::connect(settings).await?));
    let mut times = Vec::with_capacity(options.samples);
    let mut allowed = 0_usize;
    for nth in 0..(options.samples + options.samples / 5) as u64 {
        // Far apart and in no order, so that what was read for one is of no use to the next.
        let user = nth.wrapping_mul(0x9E37_79B9_7F4A_7C15) % crowd.users;
        let organization = people::organization(people::organization_of(user));
        let repository = format!("{organization}/app{}", nth % REPOSITORIES).parse()?;
        let principal: Principal = format!("user:{}", people::user(user)).parse()?;
        let begin = Instant::now();
        let facts = accounts.access_facts(principal.clone(), repository).await?;
        let repository = format!("{organization}/app{}", nth % REPOSITORIES).parse()?;
        let action = if nth % 2 == 0 { Action::Push } else { Action::Delete };
        let decision = decision::decide(&principal, &repository, action, &facts);
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        ensure!(facts.active && facts.namespace.is_some(), "{principal} is not known");
        allowed += usize::from(decision.allows());
    }
    ensure!(allowed > 0 && allowed < times.len(), "{allowed} of {} are allowed", times.len());
    let mut times = times.split_off(options.samples / 5);
    times.sort_by(f64::total_cmp);
    let p99 = percentile(&times, 0.99);
    let of = format!("{} users, {} teams, {} grants", crowd.users, crowd.teams(), crowd.grants());
    Ok(vec![
        Figure::new(format!("PostgreSQL with {of}"), size, "GB"),
        Figure::new("loaded in", loading, "s"),
        Figure::new("decision, p50", percentile(&times, 0.5), "ms"),
        Figure::new("decision, p99", p99, "ms").goal("< 5 ms", p99 < MOST),
    ])
}
