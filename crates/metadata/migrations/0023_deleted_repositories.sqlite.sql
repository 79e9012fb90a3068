-- See the file for PostgreSQL.

CREATE TABLE deleted_repositories (
    repository_id  INTEGER NOT NULL PRIMARY KEY REFERENCES repositories (id),
    name           TEXT    NOT NULL,
    namespace      TEXT    NOT NULL,
    visibility     TEXT    NOT NULL,
    deleted_by     TEXT    NOT NULL,
    deleted_at     INTEGER NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'whole' CHECK (state IN ('whole', 'purging', 'purged')),
    purged_at      INTEGER,
    CHECK ((purged_at IS NULL) = (state <> 'purged'))
) STRICT;
CREATE INDEX deleted_repositories_namespace ON deleted_repositories (namespace, repository_id);
CREATE INDEX deleted_repositories_age ON deleted_repositories (deleted_at) WHERE state <> 'purged';
CREATE INDEX deleted_repositories_purged ON deleted_repositories (purged_at) WHERE state = 'purged';
