-- Why a tag changed, pins, and the order of tags that are versions.

-- NULL where a release before this one made the change. The check is not made of rows that are there: they have none.
ALTER TABLE tag_history ADD COLUMN reason text COLLATE "C", ADD COLUMN detail text COLLATE "C";
ALTER TABLE tag_history ADD CONSTRAINT tag_history_reason CHECK (reason IN
    ('pushed', 'deleted', 'manifest-deleted', 'rolled-back', 'retention', 'restored', 'replicated')) NOT VALID;
CREATE INDEX tag_history_time ON tag_history (repository_id, changed_at, name, version);

-- Keeps a manifest and all that it needs, whatever tags do. The reference to the manifest is what keeps it from being
-- deleted, by nodes of a release before this one too: pins that have expired go first.
CREATE TABLE pins (
    repository_id  bigint NOT NULL,
    name           text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    digest         bytea  NOT NULL,
    created_by     text COLLATE "C" NOT NULL,
    created_at     bigint NOT NULL,
    expires_at     bigint,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES repository_manifests (repository_id, digest)
);
CREATE INDEX pins_manifest ON pins (repository_id, digest);

-- Where a tag stands among the versions of its repository, the newest first; what is no version stands behind all. Both
-- follow from the name. NULL for tags of a release before this one, until somebody asks for the order.
ALTER TABLE tags ADD COLUMN pre_release bigint, ADD COLUMN version_order bytea;
ALTER TABLE tags ADD CONSTRAINT tags_pre_release CHECK (pre_release IN (0, 1)) NOT VALID;
CREATE INDEX tags_by_version ON tags (repository_id, pre_release, version_order, name);
CREATE INDEX tags_without_order ON tags (repository_id) WHERE version_order IS NULL;
CREATE INDEX tags_by_update ON tags (repository_id, updated_at, name);
