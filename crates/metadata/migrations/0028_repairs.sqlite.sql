-- See the file for PostgreSQL.

ALTER TABLE scrub_findings ADD COLUMN repaired_from TEXT;

CREATE TABLE damaged_manifests (
    id           INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    digest       BLOB    NOT NULL,
    replaced_at  INTEGER NOT NULL,
    size         INTEGER NOT NULL,
    payload      BLOB    NOT NULL
) STRICT;
CREATE INDEX damaged_manifests_digest ON damaged_manifests (digest);
