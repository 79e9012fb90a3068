-- Sessions that have ended are forgotten by a job, also of users who never come back.

CREATE INDEX sessions_expiry ON sessions (expires_at);
