"""The tables of a log in PostgreSQL, and the functions that alone write them.

Columns beside `record` are derived from it; `sep verify` compares them. All of it stands in the schema `sep`.
"""

from typing import Final, NamedTuple

TABLES: Final = """
CREATE TABLE sep.log_head (
    one bool PRIMARY KEY CHECK (one),
    store_id uuid NOT NULL,
    epoch bigint NOT NULL,
    pos bigint NOT NULL,
    peaks bytea NOT NULL,
    last_rec timestamptz NOT NULL
) WITH (fillfactor = 20);

CREATE TABLE sep.log_keys (
    key_id text PRIMARY KEY,
    verifier text NOT NULL,
    first_size bigint NOT NULL
);

CREATE TABLE sep.streams (
    stream text PRIMARY KEY,
    version bigint NOT NULL,
    last_hash bytea NOT NULL,
    archived bool NOT NULL DEFAULT false
) WITH (fillfactor = 70);

CREATE TABLE sep.events (
    pos bigint PRIMARY KEY,
    stream text NOT NULL,
    version bigint NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    sv integer NOT NULL,
    rec timestamptz NOT NULL,
    corr uuid,
    cause uuid,
    record bytea NOT NULL,
    leaf_hash bytea NOT NULL
);

CREATE TABLE sep.event_keys (
    stream text NOT NULL,
    version bigint NOT NULL,
    pos bigint NOT NULL,
    PRIMARY KEY (stream, version)
);

CREATE TABLE sep.event_ids (
    id uuid PRIMARY KEY,
    pos bigint NOT NULL
);

CREATE TABLE sep.log_checkpoints (
    size bigint PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,
    key_id text NOT NULL
);

CREATE TABLE sep.merkle_nodes (
    level integer NOT NULL,
    idx bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE sep.snapshots (
    stream text NOT NULL,
    version bigint NOT NULL,
    fold_hash bytea NOT NULL,
    schema_hash bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (stream, version, fold_hash, schema_hash)
);

CREATE TABLE sep.leader (
    one bool PRIMARY KEY CHECK (one),
    epoch bigint NOT NULL,
    holder text NOT NULL,
    renewed timestamptz NOT NULL
) WITH (fillfactor = 20);
"""

FROZEN: Final = ("events", "event_keys", "event_ids", "log_checkpoints", "log_keys")


def append_only(table: str) -> str:
    """The trigger that keeps a table from forgetting."""
    return (
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON sep.{table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION sep.refuse_change();\n"
    )


TRIGGERS: Final = """
CREATE FUNCTION sep.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
""" + "".join(map(append_only, FROZEN))

MOVED: Final = "SEP01"
"""SQLSTATE of an append to a log that does not stand where the appender left it."""

FUNCTIONS: Final = """
CREATE FUNCTION sep.moment(microseconds bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 'epoch'::timestamptz + microseconds * interval '1 microsecond';

CREATE FUNCTION sep.microseconds(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (extract(epoch FROM moment) * 1000000)::bigint;

CREATE FUNCTION sep.sep_create(
    store uuid, now_microseconds bigint, key text, verifier_text text, empty_root bytea, signed_note text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = sep, pg_temp AS $$
BEGIN
    INSERT INTO log_head VALUES (true, store, 0, 0, '', moment(now_microseconds));
    INSERT INTO log_keys VALUES (key, verifier_text, 0);
    INSERT INTO log_checkpoints VALUES (0, empty_root, signed_note, key);
END $$;

CREATE FUNCTION sep.sep_take_over(store uuid, known_epoch bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = sep, pg_temp AS $$
BEGIN
    UPDATE log_head SET epoch = known_epoch + 1 WHERE one AND store_id = store AND epoch = known_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log was taken over at this moment' USING ERRCODE = 'SEP01';
    END IF;
    RETURN known_epoch + 1;
END $$;

CREATE FUNCTION sep.sep_renew(store uuid, own_epoch bigint, who text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = sep, pg_temp AS $$
BEGIN
    PERFORM FROM log_head WHERE one AND store_id = store AND epoch = own_epoch;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log was taken over' USING ERRCODE = 'SEP01';
    END IF;
    INSERT INTO leader VALUES (true, own_epoch, who, clock_timestamp())
    ON CONFLICT (one) DO UPDATE
    SET epoch = excluded.epoch, holder = excluded.holder, renewed = excluded.renewed
    WHERE leader.epoch <= excluded.epoch;
END $$;

CREATE FUNCTION sep.sep_append(
    store uuid, own_epoch bigint, before bigint, new_peaks bytea, recorded bigint,
    stream_names text[], versions bigint[], ids uuid[], types text[], schema_versions integer[],
    correlations uuid[], causes uuid[], records bytea[], leaves bytea[],
    head_streams text[], head_befores bigint[], head_versions bigint[], head_hashes bytea[],
    subtrees bytea[], new_root bytea, signed_note text, key text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = sep, pg_temp SET enable_seqscan = off  -- plans are kept for a session, tables grow meanwhile
AS $$
DECLARE
    size CONSTANT bigint := before + cardinality(ids);
    moved bigint;
BEGIN
    UPDATE log_head SET pos = size, peaks = new_peaks, last_rec = moment(recorded)
    WHERE one AND store_id = store AND epoch = own_epoch AND pos = before;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the log does not stand at position % of epoch %', before, own_epoch
            USING ERRCODE = 'SEP01';
    END IF;
    INSERT INTO event_ids SELECT t.id, before + t.n FROM unnest(ids) WITH ORDINALITY AS t (id, n);
    INSERT INTO events
    SELECT before + t.n, t.stream, t.version, t.id, t.type, t.sv, moment(recorded), t.corr, t.cause, t.record, t.leaf
    FROM unnest(stream_names, versions, ids, types, schema_versions, correlations, causes, records, leaves)
        WITH ORDINALITY AS t (stream, version, id, type, sv, corr, cause, record, leaf, n);
    INSERT INTO event_keys SELECT t.stream, t.version, before + t.n
    FROM unnest(stream_names, versions) WITH ORDINALITY AS t (stream, version, n);
    SELECT count(*) INTO moved FROM unnest(head_streams, head_befores) AS t (stream, version)
    LEFT JOIN LATERAL (SELECT s.version FROM streams AS s WHERE s.stream = t.stream OFFSET 0) AS known ON true
    WHERE coalesce(known.version, 0) <> t.version;
    IF moved <> 0 THEN
        RAISE EXCEPTION '% streams do not stand where the appender left them', moved USING ERRCODE = 'SEP01';
    END IF;
    INSERT INTO streams (stream, version, last_hash)
    SELECT * FROM unnest(head_streams, head_versions, head_hashes)
    ON CONFLICT (stream) DO UPDATE SET version = excluded.version, last_hash = excluded.last_hash;
    INSERT INTO merkle_nodes
    SELECT 8, (before >> 8) + t.n - 1, t.hash FROM unnest(subtrees) WITH ORDINALITY AS t (hash, n);
    INSERT INTO log_checkpoints VALUES (size, new_root, signed_note, key);
    PERFORM pg_notify('sep_log', size::text);
    RETURN size;
END $$;
"""

ROLES: Final = """
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['sep_reader', 'sep_appender'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
                NULL;  -- the second: another database of this server made it at this moment
            END;
        END IF;
    END LOOP;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sep FROM PUBLIC;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sep_reader') THEN
        GRANT USAGE ON SCHEMA sep TO sep_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA sep TO sep_reader;
        GRANT EXECUTE ON FUNCTION sep.microseconds(timestamptz), sep.moment(bigint) TO sep_reader;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'sep_appender') THEN
        GRANT USAGE ON SCHEMA sep TO sep_appender;
        GRANT SELECT ON ALL TABLES IN SCHEMA sep TO sep_appender;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sep TO sep_appender;
        REVOKE EXECUTE ON FUNCTION sep.refuse_change() FROM sep_appender;
    END IF;
END $$;
"""


class Migration(NamedTuple):
    """A step from one version of the schema to the next; applied once, never changed, never undone."""

    version: int
    what: str
    statements: str


MIGRATIONS: Final = (
    Migration(
        1, "tables, append-only triggers, sep_append and its roles", TABLES + TRIGGERS + FUNCTIONS + ROLES
    ),
)

SCHEMA_VERSION: Final = MIGRATIONS[-1].version

VERSIONS: Final = """
CREATE SCHEMA IF NOT EXISTS sep;
CREATE TABLE IF NOT EXISTS sep.schema_versions (
    version integer PRIMARY KEY,
    what text NOT NULL,
    applied timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
