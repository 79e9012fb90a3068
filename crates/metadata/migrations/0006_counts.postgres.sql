-- How often manifests were pulled and pushed, in buckets of an hour.

-- `kind` is 0 for a pull, 1 for a push, 2 for a pull of an index. The rows with an empty digest are the sums of the
-- repository, so that nobody adds up its manifests. Each process writes its own shard. There is no reference to the
-- repository: it would be locked by every new row, and its deletion would wait for counts. Ids are never used again,
-- so that what is left of one that is gone belongs to nobody, and expires.
-- Only `count` ever changes, and no index has it: an update stays in its page.
DO $$
DECLARE
    is_hypertable  boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb');
BEGIN
    EXECUTE 'CREATE TABLE counts (
        repository_id  bigint   NOT NULL,
        digest         bytea    NOT NULL CHECK (octet_length(digest) IN (0, 33, 65)),
        bucket         bigint   NOT NULL,
        kind           smallint NOT NULL CHECK (kind IN (0, 1, 2)),
        shard          smallint NOT NULL,
        count          bigint   NOT NULL CHECK (count > 0),
        PRIMARY KEY (repository_id, digest, bucket, kind, shard)
    )' || CASE WHEN is_hypertable THEN ' WITH (fillfactor = 80)' ELSE ' PARTITION BY RANGE (bucket)' END;
    IF is_hypertable THEN
        -- A chunk is a week.
        EXECUTE 'SELECT create_hypertable(''counts'', ''bucket'', chunk_time_interval => 604800000000::bigint,
                                          create_default_indexes => false)';
    ELSE
        -- What lies in no other one, so that no insert ever fails.
        EXECUTE 'CREATE TABLE counts_default PARTITION OF counts DEFAULT WITH (fillfactor = 80)';
    END IF;
END $$;
CREATE INDEX counts_totals ON counts (kind, bucket) WHERE octet_length(digest) = 0;

-- The batches that were added, so that none is added twice.
CREATE TABLE count_batches (
    id        bytea  NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    added_at  bigint NOT NULL
);
CREATE INDEX count_batches_added ON count_batches (added_at);

-- The partitions, but for the default one: `name` holds the buckets from `first_at` to before `past_at`.
CREATE TABLE count_partitions (
    first_at  bigint NOT NULL PRIMARY KEY,
    past_at   bigint NOT NULL CHECK (past_at > first_at),
    name      text COLLATE "C" NOT NULL UNIQUE
);

-- Makes partitions of `size` microseconds each, a day at least, from the one that `now_at` is in until there is room
-- for `ahead` more. Returns how many. Rows that are in the default partition stay there, and theirs is not made.
-- Inserts wait while it works; it gives up where it would have to wait for the table itself.
CREATE FUNCTION make_room_for_counts(size bigint, now_at bigint, ahead bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    first  bigint := now_at - now_at % size;
    made   bigint := 0;
    part   text;
    lies   boolean;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'counts'::regclass) <> 'p' THEN
        RETURN 0;
    END IF;
    WHILE first <= now_at + ahead LOOP
        lies := EXISTS (SELECT FROM count_partitions WHERE first_at < first + size AND past_at > first);
        IF NOT lies THEN
            EXECUTE 'SELECT EXISTS (SELECT FROM counts_default WHERE bucket >= $1 AND bucket < $2)'
                INTO lies USING first, first + size;
        END IF;
        IF NOT lies THEN
            part := 'counts_' || to_char(to_timestamp(first / 1000000) AT TIME ZONE 'UTC', 'YYYYMMDD');
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF counts FOR VALUES FROM (%s) TO (%s) WITH (fillfactor = 80)',
                part, first, first + size);
            INSERT INTO count_partitions (first_at, past_at, name) VALUES (first, first + size, part);
            made := made + 1;
        END IF;
        first := first + size;
    END LOOP;
    RETURN made;
END $$;

-- Drops the oldest partition if all of it is from before `before`; or up to `most` rows of the default one.
-- Returns how many partitions or rows that were.
CREATE FUNCTION drop_oldest_counts(before bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    oldest   record;
    dropped  bigint;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'counts'::regclass) <> 'p' THEN
        EXECUTE 'SELECT count(*) FROM drop_chunks(''counts'', older_than => $1)' INTO dropped USING before;
        RETURN dropped;
    END IF;
    SELECT past_at, name INTO oldest FROM count_partitions ORDER BY first_at LIMIT 1;
    IF oldest.past_at <= before THEN
        EXECUTE format('DROP TABLE %I', oldest.name);
        DELETE FROM count_partitions WHERE name = oldest.name;
        RETURN 1;
    END IF;
    EXECUTE 'DELETE FROM counts_default
             WHERE ctid IN (SELECT ctid FROM counts_default WHERE bucket < $1 LIMIT $2)' USING before, most;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;

SELECT make_room_for_counts(604800000000, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 2419200000000);
