-- SQLite plans its statements once for each connection.

-- Personal tokens that expired long ago are found to be forgotten.
CREATE INDEX user_tokens_end ON user_tokens (expires_at) WHERE kind = 'personal' AND expires_at IS NOT NULL;
