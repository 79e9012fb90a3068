-- By whose word tokens were made: one of a device or program that a person let in who came from an identity provider ends
-- with their identity there.

ALTER TABLE user_tokens ADD COLUMN provider text COLLATE "C";
ALTER TABLE device_logins ADD COLUMN provider text COLLATE "C";
