-- See the file for PostgreSQL.

ALTER TABLE repository_manifests ADD COLUMN touched_at INTEGER NOT NULL DEFAULT 0;
UPDATE repository_manifests SET touched_at = pushed_at;

ALTER TABLE repository_blobs ADD COLUMN needed INTEGER NOT NULL DEFAULT 0 CHECK (needed IN (0, 1));
ALTER TABLE repository_blobs ADD COLUMN size INTEGER CHECK (size >= 0);
UPDATE repository_blobs SET needed = 1 WHERE EXISTS
    (SELECT 1 FROM blob_references b JOIN repository_manifests m ON m.digest = b.manifest_digest
     WHERE m.repository_id = repository_blobs.repository_id AND b.blob_digest = repository_blobs.blob_digest);
CREATE INDEX repository_blobs_unneeded ON repository_blobs (repository_id, blob_digest) WHERE needed = 0;

CREATE TABLE deleted_manifests (
    repository_id  INTEGER NOT NULL REFERENCES repositories (id),
    digest         BLOB    NOT NULL REFERENCES manifests (digest),
    pushed_by      TEXT    NOT NULL,
    pushed_at      INTEGER NOT NULL,
    deleted_by     TEXT    NOT NULL,
    deleted_at     INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX deleted_manifests_digest ON deleted_manifests (digest);
CREATE INDEX deleted_manifests_age ON deleted_manifests (deleted_at);

CREATE TABLE blob_marks_with_deleted (
    digest       BLOB    NOT NULL,
    incarnation  INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('marked', 'condemned', 'deleted')),
    marked_at    INTEGER NOT NULL,
    PRIMARY KEY (digest, incarnation)
) STRICT, WITHOUT ROWID;
INSERT INTO blob_marks_with_deleted SELECT digest, incarnation, state, marked_at FROM blob_marks;
DROP TABLE blob_marks;
ALTER TABLE blob_marks_with_deleted RENAME TO blob_marks;
CREATE INDEX blob_marks_age ON blob_marks (state, marked_at);
CREATE INDEX blob_marks_condemned ON blob_marks (digest, incarnation) WHERE state = 'condemned';
