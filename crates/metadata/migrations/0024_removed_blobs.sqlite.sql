-- A blob that somebody deleted by hand while a manifest in the trash needs it: `removed` is 1, and the repository holds the blob for nothing
-- but bringing that manifest back. What keeps objects and counts memberships goes by the row; what serves, mounts and pushes does not see it.
-- A node of the version before does not know of it: where a manifest needs the blob, it is as if it had not been removed.
ALTER TABLE repository_blobs ADD COLUMN removed INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1));
