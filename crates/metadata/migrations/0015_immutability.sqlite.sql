-- Immutability of tags. See the file for PostgreSQL.

ALTER TABLE tags ADD COLUMN created_at INTEGER;

ALTER TABLE namespaces ADD COLUMN immutability_policies INTEGER NOT NULL DEFAULT 0 CHECK (immutability_policies >= 0);
ALTER TABLE repositories ADD COLUMN immutability_policies INTEGER NOT NULL DEFAULT 0 CHECK (immutability_policies >= 0);

CREATE TABLE immutability_policies (
    id             INTEGER PRIMARY KEY,
    namespace_id   INTEGER REFERENCES namespaces (id),
    repository_id  INTEGER REFERENCES repositories (id),
    name           TEXT NOT NULL,
    patterns       TEXT NOT NULL CHECK (patterns <> ''),
    exceptions     TEXT NOT NULL,
    mutable_for    INTEGER NOT NULL CHECK (mutable_for >= 0),
    created_by     TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    version        INTEGER NOT NULL DEFAULT 1,
    CHECK ((namespace_id IS NULL) <> (repository_id IS NULL)),
    UNIQUE (namespace_id, name),
    UNIQUE (repository_id, name)
) STRICT;
