-- Why a tag changed, pins, and the order of tags that are versions.

-- NULL where a release before this one made the change.
ALTER TABLE tag_history ADD COLUMN reason TEXT CHECK (reason IN
    ('pushed', 'deleted', 'manifest-deleted', 'rolled-back', 'retention', 'restored', 'replicated'));
ALTER TABLE tag_history ADD COLUMN detail TEXT;
CREATE INDEX tag_history_time ON tag_history (repository_id, changed_at, name, version);

-- Keeps a manifest and all that it needs, whatever tags do. The reference to the manifest is what keeps it from being
-- deleted: pins that have expired go first.
CREATE TABLE pins (
    repository_id  INTEGER NOT NULL,
    name           TEXT    NOT NULL,
    digest         BLOB    NOT NULL,
    created_by     TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES repository_manifests (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX pins_manifest ON pins (repository_id, digest);

-- Where a tag stands among the versions of its repository, the newest first; what is no version stands behind all. Both
-- follow from the name. NULL for tags of a release before this one, until somebody asks for the order.
ALTER TABLE tags ADD COLUMN pre_release INTEGER CHECK (pre_release IN (0, 1));
ALTER TABLE tags ADD COLUMN version_order BLOB;
CREATE INDEX tags_by_version ON tags (repository_id, pre_release, version_order, name);
CREATE INDEX tags_without_order ON tags (repository_id) WHERE version_order IS NULL;
CREATE INDEX tags_by_update ON tags (repository_id, updated_at, name);
