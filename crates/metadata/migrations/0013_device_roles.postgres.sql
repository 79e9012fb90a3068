-- What a device asks to be good for: the role of its token.

ALTER TABLE device_logins ADD COLUMN role text COLLATE "C" NOT NULL DEFAULT 'write'
    CHECK (role IN ('read', 'write', 'maintain', 'admin'));
CREATE INDEX device_logins_user ON device_logins (user_id);
