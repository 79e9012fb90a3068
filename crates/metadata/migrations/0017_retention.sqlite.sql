-- Retention: the policy of a repository, what its last run did, and what is reported to run.

-- The document is a text, so that one which cannot be read is kept as it came. A policy that was taken away leaves its row,
-- since versions go on where another one is made.
CREATE TABLE retention_policies (
    repository_id  INTEGER NOT NULL PRIMARY KEY REFERENCES repositories (id),
    document       TEXT    NOT NULL,
    version        INTEGER NOT NULL CHECK (version > 0),
    state          TEXT    NOT NULL CHECK (state IN ('draft', 'previewed', 'enabled', 'removed')),
    updated_by     TEXT    NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX retention_policies_enabled ON retention_policies (repository_id) WHERE state = 'enabled';

CREATE TABLE retention_runs (
    repository_id  INTEGER NOT NULL PRIMARY KEY REFERENCES repositories (id),
    version        INTEGER NOT NULL,
    ended_at       INTEGER NOT NULL,
    kept           INTEGER NOT NULL,
    dropped        INTEGER NOT NULL,
    problem        TEXT
) STRICT;

-- Until when somebody says that a manifest runs there.
CREATE TABLE running_manifests (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    digest         BLOB    NOT NULL,
    reporter       TEXT    NOT NULL,
    ends_at        INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest, reporter)
) STRICT, WITHOUT ROWID;
CREATE INDEX running_manifests_end ON running_manifests (ends_at);
