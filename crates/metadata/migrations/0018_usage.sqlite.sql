-- See the file for PostgreSQL.

ALTER TABLE repository_blobs ADD COLUMN charge INTEGER NOT NULL DEFAULT 0 CHECK (charge IN (0, 1, 2));
CREATE INDEX repository_blobs_unsized ON repository_blobs (blob_digest) WHERE size IS NULL;
CREATE INDEX repository_blobs_uncharged ON repository_blobs (repository_id, blob_digest)
    WHERE needed = 1 AND charge <> 2;

ALTER TABLE uploads ADD COLUMN held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0);

CREATE TABLE usage_scopes (
    id             INTEGER PRIMARY KEY,
    namespace      TEXT NOT NULL,
    repository_id  INTEGER NOT NULL,
    parent         INTEGER REFERENCES usage_scopes (id),
    max_bytes      INTEGER CHECK (max_bytes >= 0),
    max_manifests  INTEGER CHECK (max_manifests >= 0),
    max_tags       INTEGER CHECK (max_tags >= 0),
    version        INTEGER NOT NULL DEFAULT 0,
    indebted       INTEGER NOT NULL DEFAULT 0 CHECK (indebted IN (0, 1)),
    counted_at     INTEGER,
    UNIQUE (namespace, repository_id),
    CHECK ((parent IS NULL) = (repository_id = 0))
) STRICT;
CREATE UNIQUE INDEX usage_scopes_repository ON usage_scopes (repository_id) WHERE repository_id > 0;
CREATE INDEX usage_scopes_parent ON usage_scopes (parent);

CREATE TABLE usage_shards (
    scope              INTEGER NOT NULL REFERENCES usage_scopes (id),
    shard              INTEGER NOT NULL CHECK (shard >= 0),
    referenced         INTEGER NOT NULL DEFAULT 0,
    bytes              INTEGER NOT NULL DEFAULT 0,
    total              INTEGER NOT NULL DEFAULT 0,
    manifests          INTEGER NOT NULL DEFAULT 0,
    tags               INTEGER NOT NULL DEFAULT 0,
    bytes_allowed      INTEGER,
    total_allowed      INTEGER,
    manifests_allowed  INTEGER,
    tags_allowed       INTEGER,
    PRIMARY KEY (scope, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE namespace_blobs (
    scope   INTEGER NOT NULL REFERENCES usage_scopes (id),
    digest  BLOB    NOT NULL,
    size    INTEGER NOT NULL CHECK (size >= 0),
    used    INTEGER NOT NULL CHECK (used >= 0),
    held    INTEGER NOT NULL CHECK (held >= 0),
    PRIMARY KEY (scope, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE stored_usage (
    only_row    INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    bytes       INTEGER NOT NULL,
    blobs       INTEGER NOT NULL,
    counted_at  INTEGER NOT NULL
) STRICT;
