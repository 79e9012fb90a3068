-- The core: repositories, manifests, tags, memberships, uploads, and the rows by which blobs are shared,
-- swept and deleted. Digests are binary: one byte for the algorithm, then the hash. Times are microseconds
-- since 1970-01-01 UTC, by this database's clock.

CREATE TABLE repositories (
    id          INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;

-- What follows from the bytes, and nothing that one tenant could set for another.
CREATE TABLE manifests (
    digest         BLOB    NOT NULL PRIMARY KEY,
    media_type     TEXT    NOT NULL,
    artifact_type  TEXT,
    subject        BLOB,
    annotations    TEXT    NOT NULL,
    size           INTEGER NOT NULL,
    payload        BLOB    NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX manifests_subject ON manifests (subject, digest) WHERE subject IS NOT NULL;

CREATE TABLE repository_manifests (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    digest         BLOB    NOT NULL REFERENCES manifests (digest),
    pushed_by      TEXT    NOT NULL,
    pushed_at      INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_manifests_digest ON repository_manifests (digest);

CREATE TABLE tags (
    repository_id    INTEGER NOT NULL,
    name             TEXT    NOT NULL,
    manifest_digest  BLOB    NOT NULL,
    version          INTEGER NOT NULL,
    updated_by       TEXT    NOT NULL,
    updated_at       INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, manifest_digest) REFERENCES repository_manifests (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_manifest ON tags (repository_id, manifest_digest);

-- Every move and delete of a tag. Versions go on where a deleted tag is made again.
CREATE TABLE tag_history (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    name           TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    action         TEXT    NOT NULL CHECK (action IN ('create', 'move', 'delete')),
    from_digest    BLOB,
    to_digest      BLOB,
    changed_by     TEXT    NOT NULL,
    changed_at     INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE blob_references (
    manifest_digest  BLOB NOT NULL REFERENCES manifests (digest),
    blob_digest      BLOB NOT NULL,
    PRIMARY KEY (manifest_digest, blob_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_references_blob ON blob_references (blob_digest);

CREATE TABLE manifest_references (
    parent  BLOB NOT NULL REFERENCES manifests (digest),
    child   BLOB NOT NULL,
    PRIMARY KEY (parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_references_child ON manifest_references (child);

-- Memberships. A row is updated, not only read, by every commit that needs it: a sweep then either
-- came before, and the commit fails, or comes after, and finds the row touched.
CREATE TABLE repository_blobs (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    blob_digest    BLOB    NOT NULL,
    touched_at     INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_blob ON repository_blobs (blob_digest, repository_id);

CREATE TABLE uploads (
    id             BLOB    NOT NULL PRIMARY KEY,
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    principal      TEXT    NOT NULL,
    staged_bytes   INTEGER NOT NULL,
    digest_state   BLOB    NOT NULL,
    parts          BLOB    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_expires ON uploads (expires_at);

-- An incarnation of a blob that nothing needed when it was looked at: marked, then condemned, then deleted.
CREATE TABLE blob_marks (
    digest       BLOB    NOT NULL,
    incarnation  INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('marked', 'condemned')),
    marked_at    INTEGER NOT NULL,
    PRIMARY KEY (digest, incarnation)
) STRICT, WITHOUT ROWID;

-- An upload about to move its object into place.
CREATE TABLE blob_reservations (
    digest       BLOB    NOT NULL,
    upload_id    BLOB    NOT NULL,
    incarnation  INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    PRIMARY KEY (digest, upload_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_reservations_upload ON blob_reservations (upload_id);

-- Only for blobs whose key is not simply the digest.
CREATE TABLE blob_incarnations (
    digest       BLOB    NOT NULL PRIMARY KEY,
    incarnation  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Facts about changes, each written in the change's own transaction. One writer at a time writes to
-- this database, so the order of ids is the order of commits.
CREATE TABLE events (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    kind           TEXT    NOT NULL,
    payload        TEXT    NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT;
