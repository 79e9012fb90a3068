-- What uploads hold is counted for each repository, and so is what is under way where it is to be read-only.
CREATE INDEX uploads_repository ON uploads (repository_id);
