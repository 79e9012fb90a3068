//! Migrations: the versions of the schema, each applied once, in order, in a transaction of its own.

/// One step of the schema.
pub(crate) struct Migration {
    /// Its number; the first is 1.
    pub(crate) version: i64,
    /// What it is about.
    pub(crate) name: &'static str,
    /// Its statements on SQLite.
    pub(crate) sqlite: &'static str,
    /// Its statements on PostgreSQL.
    pub(crate) postgres: &'static str,
}

/// Every step, in order. A step that was released is never changed. On PostgreSQL binaries of the version before
/// go on while and after a step is applied, so that a step which takes something from them waits for a version that
/// does without, and raises `schema_protocol` to the protocol of that one.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "core",
        sqlite: include_str!("../migrations/0001_core.sqlite.sql"),
        postgres: include_str!("../migrations/0001_core.postgres.sql"),
    },
    Migration {
        version: 2,
        name: "background",
        sqlite: include_str!("../migrations/0002_background.sqlite.sql"),
        postgres: include_str!("../migrations/0002_background.postgres.sql"),
    },
    Migration {
        version: 3,
        name: "epoch",
        sqlite: include_str!("../migrations/0003_epoch.sqlite.sql"),
        postgres: include_str!("../migrations/0003_epoch.postgres.sql"),
    },
    Migration {
        version: 4,
        name: "access",
        sqlite: include_str!("../migrations/0004_access.sqlite.sql"),
        postgres: include_str!("../migrations/0004_access.postgres.sql"),
    },
    Migration {
        version: 5,
        name: "management",
        sqlite: include_str!("../migrations/0005_management.sqlite.sql"),
        postgres: include_str!("../migrations/0005_management.postgres.sql"),
    },
    Migration {
        version: 6,
        name: "counts",
        sqlite: include_str!("../migrations/0006_counts.sqlite.sql"),
        postgres: include_str!("../migrations/0006_counts.postgres.sql"),
    },
    Migration {
        version: 7,
        name: "identities",
        sqlite: include_str!("../migrations/0007_identities.sqlite.sql"),
        postgres: include_str!("../migrations/0007_identities.postgres.sql"),
    },
    Migration {
        version: 8,
        name: "trust",
        sqlite: include_str!("../migrations/0008_trust.sqlite.sql"),
        postgres: include_str!("../migrations/0008_trust.postgres.sql"),
    },
    Migration {
        version: 9,
        name: "sessions",
        sqlite: include_str!("../migrations/0009_sessions.sqlite.sql"),
        postgres: include_str!("../migrations/0009_sessions.postgres.sql"),
    },
    Migration {
        version: 10,
        name: "audit_readers",
        sqlite: include_str!("../migrations/0010_audit_readers.sqlite.sql"),
        postgres: include_str!("../migrations/0010_audit_readers.postgres.sql"),
    },
    Migration {
        version: 11,
        name: "facts",
        sqlite: include_str!("../migrations/0011_facts.sqlite.sql"),
        postgres: include_str!("../migrations/0011_facts.postgres.sql"),
    },
    Migration {
        version: 12,
        name: "public blobs",
        sqlite: include_str!("../migrations/0012_public_blobs.sqlite.sql"),
        postgres: include_str!("../migrations/0012_public_blobs.postgres.sql"),
    },
    Migration {
        version: 13,
        name: "device roles",
        sqlite: include_str!("../migrations/0013_device_roles.sqlite.sql"),
        postgres: include_str!("../migrations/0013_device_roles.postgres.sql"),
    },
    Migration {
        version: 14,
        name: "garbage",
        sqlite: include_str!("../migrations/0014_garbage.sqlite.sql"),
        postgres: include_str!("../migrations/0014_garbage.postgres.sql"),
    },
    Migration {
        version: 15,
        name: "immutability",
        sqlite: include_str!("../migrations/0015_immutability.sqlite.sql"),
        postgres: include_str!("../migrations/0015_immutability.postgres.sql"),
    },
    Migration {
        version: 16,
        name: "history",
        sqlite: include_str!("../migrations/0016_history.sqlite.sql"),
        postgres: include_str!("../migrations/0016_history.postgres.sql"),
    },
    Migration {
        version: 17,
        name: "retention",
        sqlite: include_str!("../migrations/0017_retention.sqlite.sql"),
        postgres: include_str!("../migrations/0017_retention.postgres.sql"),
    },
    Migration {
        version: 18,
        name: "usage",
        sqlite: include_str!("../migrations/0018_usage.sqlite.sql"),
        postgres: include_str!("../migrations/0018_usage.postgres.sql"),
    },
    Migration {
        version: 19,
        name: "writes",
        sqlite: include_str!("../migrations/0019_writes.sqlite.sql"),
        postgres: include_str!("../migrations/0019_writes.postgres.sql"),
    },
    Migration {
        version: 20,
        name: "token providers",
        sqlite: include_str!("../migrations/0020_token_providers.sqlite.sql"),
        postgres: include_str!("../migrations/0020_token_providers.postgres.sql"),
    },
    Migration {
        version: 21,
        name: "adoptions",
        sqlite: include_str!("../migrations/0021_adoptions.sqlite.sql"),
        postgres: include_str!("../migrations/0021_adoptions.postgres.sql"),
    },
    Migration {
        version: 22,
        name: "scrub",
        sqlite: include_str!("../migrations/0022_scrub.sqlite.sql"),
        postgres: include_str!("../migrations/0022_scrub.postgres.sql"),
    },
    Migration {
        version: 23,
        name: "deleted repositories",
        sqlite: include_str!("../migrations/0023_deleted_repositories.sqlite.sql"),
        postgres: include_str!("../migrations/0023_deleted_repositories.postgres.sql"),
    },
    Migration {
        version: 24,
        name: "removed blobs",
        sqlite: include_str!("../migrations/0024_removed_blobs.sqlite.sql"),
        postgres: include_str!("../migrations/0024_removed_blobs.postgres.sql"),
    },
    Migration {
        version: 25,
        name: "event scopes",
        sqlite: include_str!("../migrations/0025_event_scopes.sqlite.sql"),
        postgres: include_str!("../migrations/0025_event_scopes.postgres.sql"),
    },
    Migration {
        version: 26,
        name: "uploads by repository",
        sqlite: include_str!("../migrations/0026_uploads_by_repository.sqlite.sql"),
        postgres: include_str!("../migrations/0026_uploads_by_repository.postgres.sql"),
    },
    Migration {
        version: 27,
        name: "needed by",
        sqlite: include_str!("../migrations/0027_needed_by.sqlite.sql"),
        postgres: include_str!("../migrations/0027_needed_by.postgres.sql"),
    },
    Migration {
        version: 28,
        name: "repairs",
        sqlite: include_str!("../migrations/0028_repairs.sqlite.sql"),
        postgres: include_str!("../migrations/0028_repairs.postgres.sql"),
    },
];

/// The version of a database after all of [`MIGRATIONS`].
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Why a database cannot be brought to this binary's version.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database file is newer than the binary.
    #[error(
        "the database has schema version {found}, this wharf understands up to {known}; use a newer wharf"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The database is older than the binary.
    #[error(
        "the database has schema version {found}, this wharf needs {known}; run `wharf migrate`"
    )]
    Behind {
        /// The version found.
        found: i64,
        /// The version needed.
        known: i64,
    },
    /// A step was applied with another text than this binary has for it.
    #[error("migration {version} ({name}) of the database is not the one of this wharf")]
    Changed {
        /// The step.
        version: i64,
        /// What it is about.
        name: &'static str,
    },
    /// A step failed; the database is as it was before that step.
    #[error("migration {version} ({name}) failed: {reason}")]
    Failed {
        /// The step.
        version: i64,
        /// What it is about.
        name: &'static str,
        /// What the database said.
        reason: String,
    },
}
