-- Events of a namespace, and of all of the registry: those that have neither a repository nor a namespace. What a column may hold
-- can only be changed by making its table anew, with the numbers that were given, those of forgotten events among them.
CREATE TABLE events_of_scopes (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    repository_id  INTEGER REFERENCES repositories (id),
    namespace      TEXT,
    kind           TEXT    NOT NULL,
    payload        TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    CHECK (repository_id IS NULL OR namespace IS NULL)
) STRICT;
INSERT INTO events_of_scopes (id, repository_id, kind, payload, created_at)
    SELECT id, repository_id, kind, payload, created_at FROM events ORDER BY id;
DELETE FROM sqlite_sequence WHERE name = 'events_of_scopes';
INSERT INTO sqlite_sequence (name, seq) SELECT 'events_of_scopes', seq FROM sqlite_sequence WHERE name = 'events';
DROP TABLE events;
ALTER TABLE events_of_scopes RENAME TO events;
