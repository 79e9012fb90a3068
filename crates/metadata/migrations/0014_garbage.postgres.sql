-- What garbage collection goes by: which memberships a manifest needs, when something was last needed, what was deleted and
-- can be brought back, and the keys that were given up.

-- When a push last named the manifest, or a tag last left it. A node of the version before leaves it at 0: then `pushed_at` tells.
ALTER TABLE repository_manifests ADD COLUMN touched_at bigint NOT NULL DEFAULT 0;
UPDATE repository_manifests SET touched_at = pushed_at;

-- `needed` is 1 where a manifest of the repository needs the blob: by it a sweep finds what it may look at, and looks at the manifests
-- itself before it takes anything. `size` is in bytes, where it is known.
ALTER TABLE repository_blobs ADD COLUMN needed smallint NOT NULL DEFAULT 0 CHECK (needed IN (0, 1));
ALTER TABLE repository_blobs ADD COLUMN size bigint CHECK (size >= 0);
UPDATE repository_blobs SET needed = 1 WHERE EXISTS
    (SELECT 1 FROM blob_references b JOIN repository_manifests m ON m.digest = b.manifest_digest
     WHERE m.repository_id = repository_blobs.repository_id AND b.blob_digest = repository_blobs.blob_digest);
CREATE INDEX repository_blobs_unneeded ON repository_blobs (repository_id, blob_digest) WHERE needed = 0;

-- Manifests that a repository held, until the grace ends: as they were, and who deleted them when. The tags that went with one are the
-- last entries of their histories, of the same moment.
CREATE TABLE deleted_manifests (
    repository_id  bigint NOT NULL REFERENCES repositories (id),
    digest         bytea  NOT NULL REFERENCES manifests (digest),
    pushed_by      text COLLATE "C" NOT NULL,
    pushed_at      bigint NOT NULL,
    deleted_by     text COLLATE "C" NOT NULL,
    deleted_at     bigint NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX deleted_manifests_digest ON deleted_manifests (digest);
CREATE INDEX deleted_manifests_age ON deleted_manifests (deleted_at);

-- A key that was deleted is not used again while a delete of it may still be under way.
ALTER TABLE blob_marks DROP CONSTRAINT blob_marks_state_check;
ALTER TABLE blob_marks ADD CONSTRAINT blob_marks_state_check CHECK (state IN ('marked', 'condemned', 'deleted'));
CREATE INDEX blob_marks_age ON blob_marks (state, marked_at);
CREATE INDEX blob_marks_condemned ON blob_marks (digest, incarnation) WHERE state = 'condemned';
