-- Which public repositories hold a blob, so that whoever asks "does any?" is answered in the same time however many private
-- ones do. A hint, kept by triggers: who reads it still looks at the visibility. One that is missing, as a blob that is pushed
-- while its repository becomes public may lack it, costs an upload and no more.

CREATE TABLE public_blobs (
    blob_digest    bytea  NOT NULL,
    repository_id  bigint NOT NULL,
    PRIMARY KEY (blob_digest, repository_id),
    FOREIGN KEY (repository_id, blob_digest) REFERENCES repository_blobs (repository_id, blob_digest)
        ON DELETE CASCADE
);
CREATE INDEX public_blobs_repository ON public_blobs (repository_id);

CREATE FUNCTION note_public_blob() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public_blobs (blob_digest, repository_id)
    SELECT NEW.blob_digest, id FROM repositories WHERE id = NEW.repository_id AND visibility = 'public'
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER public_blob_added AFTER INSERT ON repository_blobs
    FOR EACH ROW EXECUTE FUNCTION note_public_blob();

CREATE FUNCTION note_public_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.visibility = 'public' THEN
        INSERT INTO public_blobs (blob_digest, repository_id)
        SELECT blob_digest, repository_id FROM repository_blobs WHERE repository_id = NEW.id
        ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM public_blobs WHERE repository_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER public_blobs_noted AFTER UPDATE OF visibility ON repositories
    FOR EACH ROW WHEN (OLD.visibility IS DISTINCT FROM NEW.visibility)
    EXECUTE FUNCTION note_public_blobs();

INSERT INTO public_blobs (blob_digest, repository_id)
SELECT b.blob_digest, b.repository_id FROM repositories r JOIN repository_blobs b ON b.repository_id = r.id
WHERE r.visibility = 'public';

-- By which lists are walked that have no other.
CREATE INDEX repositories_public_names ON repositories (name) WHERE visibility = 'public';
CREATE INDEX repositories_internal_names ON repositories (name) WHERE visibility = 'internal';
