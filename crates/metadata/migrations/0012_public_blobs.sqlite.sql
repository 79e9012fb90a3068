-- See the file for PostgreSQL.

CREATE TABLE public_blobs (
    blob_digest    BLOB    NOT NULL,
    repository_id  INTEGER NOT NULL,
    PRIMARY KEY (blob_digest, repository_id),
    FOREIGN KEY (repository_id, blob_digest) REFERENCES repository_blobs (repository_id, blob_digest)
        ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX public_blobs_repository ON public_blobs (repository_id);

CREATE TRIGGER public_blob_added AFTER INSERT ON repository_blobs
BEGIN
    INSERT OR IGNORE INTO public_blobs (blob_digest, repository_id)
    SELECT NEW.blob_digest, id FROM repositories WHERE id = NEW.repository_id AND visibility = 'public';
END;

CREATE TRIGGER public_blobs_added AFTER UPDATE OF visibility ON repositories
WHEN NEW.visibility = 'public' AND OLD.visibility <> 'public'
BEGIN
    INSERT OR IGNORE INTO public_blobs (blob_digest, repository_id)
    SELECT blob_digest, repository_id FROM repository_blobs WHERE repository_id = NEW.id;
END;

CREATE TRIGGER public_blobs_removed AFTER UPDATE OF visibility ON repositories
WHEN NEW.visibility <> 'public' AND OLD.visibility = 'public'
BEGIN
    DELETE FROM public_blobs WHERE repository_id = NEW.id;
END;

INSERT INTO public_blobs (blob_digest, repository_id)
SELECT b.blob_digest, b.repository_id FROM repositories r JOIN repository_blobs b ON b.repository_id = r.id
WHERE r.visibility = 'public';

-- By which lists are walked that have no other.
CREATE INDEX repositories_public_names ON repositories (name) WHERE visibility = 'public';
CREATE INDEX repositories_internal_names ON repositories (name) WHERE visibility = 'internal';
