-- A sweep asks which manifests need a blob and whether a repository holds one of them: for each blob, and so from the indexes alone.
CREATE INDEX blob_references_needed_by ON blob_references (blob_digest, manifest_digest);
DROP INDEX blob_references_blob;
CREATE INDEX repository_manifests_held_by ON repository_manifests (digest, repository_id);
DROP INDEX repository_manifests_digest;
