-- Events of a namespace, and of all of the registry: those that have neither a repository nor a namespace. A node of a release before
-- this one passes over them.
ALTER TABLE events ADD COLUMN namespace text COLLATE "C", ALTER COLUMN repository_id DROP NOT NULL;
-- Of rows that are there it holds anyway.
ALTER TABLE events ADD CONSTRAINT events_scope CHECK (repository_id IS NULL OR namespace IS NULL) NOT VALID;
