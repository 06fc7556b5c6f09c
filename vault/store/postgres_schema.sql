-- SPDX-License-Identifier: Apache-2.0
-- The event store on PostgreSQL: the same tables as on SQLite, the lanes' heads, and functions,
-- which are all that the server may use to write. Runs again and again, as the owner of it all.

-- --- Tables. Every key starts with the lane: a lane can move to another database whole.

CREATE TABLE IF NOT EXISTS store (
    kind text NOT NULL,
    format integer NOT NULL
);

-- The head is the position of the next entry. Its row is the lane's lock: positions are assigned
-- under it, so they are dense and appear in their order. Often updated, so it has room for that.
CREATE TABLE IF NOT EXISTS lanes (
    lane integer PRIMARY KEY,
    head bigint NOT NULL CHECK (head >= 0),
    settlements bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);

-- Connections that were lost in the middle of a batch. What became of it was told to the callers,
-- so whatever of it is still under way comes too late.
CREATE TABLE IF NOT EXISTS lost_connections (
    connection uuid PRIMARY KEY,
    lane integer NOT NULL,
    settled timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS entries (
    lane integer NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version >= 0),
    entry bytea NOT NULL CHECK (length(entry) = 65),
    request_key text COLLATE "C" NOT NULL,
    PRIMARY KEY (lane, position)
);
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_stream ON entries (lane, stream, version);
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_request ON entries (lane, stream, request_key)
    WHERE request_key <> '';

CREATE TABLE IF NOT EXISTS records (
    lane integer NOT NULL,
    position bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (lane, position)
);

-- Sealed bytes: to compress them is in vain.
CREATE TABLE IF NOT EXISTS payloads (
    lane integer NOT NULL,
    position bigint NOT NULL,
    ordinal integer NOT NULL CHECK (ordinal >= 0),
    kind text COLLATE "C" NOT NULL,
    content bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (lane, position, ordinal)
);

-- --- What the tables refuse whoever asks. Triggers fire ALWAYS: also where a server replicates.

CREATE OR REPLACE FUNCTION refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% are never %', TG_TABLE_NAME, lower(TG_OP) || 'd'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION refuse_to_go_back() RETURNS trigger
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    IF NEW.lane <> OLD.lane OR NEW.head < OLD.head OR NEW.settlements < OLD.settlements THEN
        RAISE EXCEPTION 'lanes never go back' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

-- An entry seals its position: nothing is put beside it later. Once for each statement, since a
-- call for each row would be a good part of what an append costs.
CREATE OR REPLACE FUNCTION refuse_behind_entry() RETURNS trigger
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added JOIN entries USING (lane, position)) THEN
        RAISE EXCEPTION '% precede their entry', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER entries_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER records_stay BEFORE UPDATE OR TRUNCATE ON records
    EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER payloads_stay BEFORE UPDATE OR TRUNCATE ON payloads
    EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER lanes_stay BEFORE DELETE OR TRUNCATE ON lanes
    EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER lanes_grow BEFORE UPDATE ON lanes
    FOR EACH ROW EXECUTE FUNCTION refuse_to_go_back();
CREATE OR REPLACE TRIGGER lost_connections_stay
    BEFORE UPDATE OR DELETE OR TRUNCATE ON lost_connections
    EXECUTE FUNCTION refuse();
CREATE OR REPLACE TRIGGER records_precede_their_entry AFTER INSERT ON records
    REFERENCING NEW TABLE AS added EXECUTE FUNCTION refuse_behind_entry();
CREATE OR REPLACE TRIGGER payloads_precede_their_entry AFTER INSERT ON payloads
    REFERENCING NEW TABLE AS added EXECUTE FUNCTION refuse_behind_entry();

ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_stay;
ALTER TABLE records ENABLE ALWAYS TRIGGER records_stay;
ALTER TABLE payloads ENABLE ALWAYS TRIGGER payloads_stay;
ALTER TABLE lanes ENABLE ALWAYS TRIGGER lanes_stay;
ALTER TABLE lanes ENABLE ALWAYS TRIGGER lanes_grow;
ALTER TABLE lost_connections ENABLE ALWAYS TRIGGER lost_connections_stay;
ALTER TABLE records ENABLE ALWAYS TRIGGER records_precede_their_entry;
ALTER TABLE payloads ENABLE ALWAYS TRIGGER payloads_precede_their_entry;

-- --- Writing. Run by the server with the owner's rights; nothing else of the owner's is within
-- reach, for the path is pinned and no name is taken from outside.

-- What could be lost again is not stored: looked at for each batch, since a server's settings
-- change while it runs. A commit waits for a standby only if one is named.
CREATE OR REPLACE FUNCTION require_durability(needs_standby boolean) RETURNS void
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    IF pg_is_in_recovery()
        OR current_setting('transaction_isolation') <> 'read committed'
        OR current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')
        OR current_setting('fsync') <> 'on'
        OR current_setting('full_page_writes') <> 'on'
        OR (needs_standby AND current_setting('synchronous_standby_names') = '')
    THEN
        RAISE EXCEPTION 'durability is weaker than what is acknowledged needs'
            USING ERRCODE = 'CV001';
    END IF;
END $$;

-- One bad jump of either clock must not poison streams, whose times never go back.
CREATE OR REPLACE FUNCTION require_clock(server_time double precision) RETURNS void
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    IF abs(extract(epoch FROM clock_timestamp()) - server_time) > 2 THEN
        RAISE EXCEPTION 'the clocks of server and database are apart' USING ERRCODE = 'CV003';
    END IF;
END $$;

-- Locks a lane until the end of the transaction, and returns its head.
CREATE OR REPLACE FUNCTION lock_lane(of_lane integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = citizen_vault, pg_temp AS $$
DECLARE
    free bigint;
BEGIN
    IF of_lane NOT BETWEEN 0 AND 65535 THEN
        RAISE EXCEPTION 'there is no such lane' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT head INTO free FROM lanes WHERE lane = of_lane FOR UPDATE;
    IF free IS NULL THEN
        INSERT INTO lanes VALUES (of_lane, 0) ON CONFLICT DO NOTHING;
        SELECT head INTO free FROM lanes WHERE lane = of_lane FOR UPDATE;
    END IF;
    RETURN free;
END $$;

-- Appends a batch: what streams admit, in order, by the rule of vault/store/admission.py.
--
-- Events are given as one array for each column. `ends` has the number of each append's last event;
-- `stream_of` and `key_of` the number of the first event with the same stream, and with the same
-- stream and request key. Numbers count from 1; `server_time` is in seconds since 1970. Returns the
-- first position of each append, or -1.
CREATE OR REPLACE FUNCTION append_batch(
    of_lane integer,
    by_connection uuid,
    needs_standby boolean,
    server_time double precision,
    ends integer[],
    streams text[],
    stream_of integer[],
    versions bigint[],
    sealed bytea[],
    request_keys text[],
    key_of integer[],
    topics text[],
    states bytea[],
    payload_of integer[],
    ordinals integer[],
    kinds text[],
    contents bytea[]
) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = citizen_vault, pg_temp AS $$
DECLARE
    free bigint;                                -- the position of the next event
    heads bigint[];                             -- by the stream's first event; -1 if it is new
    taken boolean[];                            -- by the key's first event
    is_lost boolean;
    is_consistent boolean;                      -- whether events are grouped by what they are of
    before bigint[];                            -- a stream's head before an event
    positions bigint[] := array_fill(-1::bigint, ARRAY[cardinality(versions)]);
    verdicts bigint[] := array_fill(-1::bigint, ARRAY[cardinality(ends)]);
    first integer;
    last integer := 0;
    event integer;
    stream integer;
BEGIN
    PERFORM require_durability(needs_standby);
    PERFORM require_clock(server_time);
    free := lock_lane(of_lane);
    -- Statements from here on see what was committed before the lock was had.
    SELECT array_agg(coalesce(head.version, -1) ORDER BY asked.event),
        array_agg(asked.request_key <> '' AND EXISTS (
            SELECT FROM entries AS e WHERE e.lane = of_lane AND e.stream = asked.stream
                AND e.request_key = asked.request_key AND e.request_key <> ''
        ) ORDER BY asked.event),
        EXISTS (SELECT FROM lost_connections WHERE connection = by_connection),
        bool_and(
            streams[asked.stream_of] IS NOT DISTINCT FROM asked.stream
            AND streams[asked.key_of] IS NOT DISTINCT FROM asked.stream
            AND request_keys[asked.key_of] IS NOT DISTINCT FROM asked.request_key
        )
    INTO heads, taken, is_lost, is_consistent
    FROM unnest(streams, request_keys, stream_of, key_of)
        WITH ORDINALITY AS asked (stream, request_key, stream_of, key_of, event)
    LEFT JOIN LATERAL (
        SELECT e.version FROM entries AS e WHERE e.lane = of_lane AND e.stream = asked.stream
        ORDER BY e.version DESC LIMIT 1
    ) AS head ON true;
    IF is_lost THEN
        RAISE EXCEPTION 'this connection was given up as lost' USING ERRCODE = 'CV002';
    END IF;

    IF is_consistent IS NOT TRUE THEN
        RAISE EXCEPTION 'the batch contradicts itself' USING ERRCODE = 'invalid_parameter_value';
    END IF;

    before := heads;
    FOR append IN 1 .. cardinality(ends) LOOP
        first := last + 1;
        last := ends[append];
        event := first;
        IF NOT taken[key_of[first]] THEN
            WHILE event <= last LOOP
                stream := stream_of[event];
                -- Ours begin at 1; the library's own tests begin at 0 as well.
                EXIT WHEN versions[event] <> heads[stream] + 1
                    AND NOT (heads[stream] = -1 AND versions[event] = 1);
                before[event] := heads[stream];
                heads[stream] := versions[event];
                event := event + 1;
            END LOOP;
        END IF;
        IF event > last THEN
            taken[key_of[first]] := request_keys[first] <> '';
            verdicts[append] := free;
            FOR event IN first .. last LOOP
                positions[event] := free;
                free := free + 1;
            END LOOP;
        ELSE
            FOR event IN REVERSE event - 1 .. first LOOP
                heads[stream_of[event]] := before[event];
            END LOOP;
        END IF;
    END LOOP;

    IF cardinality(payload_of) > 0 THEN
        INSERT INTO payloads
        SELECT of_lane, positions[p.event], p.ordinal, p.kind, p.content
        FROM unnest(payload_of, ordinals, kinds, contents) AS p (event, ordinal, kind, content)
        WHERE positions[p.event] >= 0;
    END IF;
    INSERT INTO records
    SELECT of_lane, r.position, r.topic, r.state
    FROM unnest(positions, topics, states) AS r (position, topic, state)
    WHERE r.position >= 0;
    INSERT INTO entries
    SELECT of_lane, e.position, e.stream, e.version, e.entry, e.request_key
    FROM unnest(positions, streams, versions, sealed, request_keys)
        AS e (position, stream, version, entry, request_key)
    WHERE e.position >= 0;
    UPDATE lanes SET head = free WHERE lane = of_lane;
    RETURN verdicts;
END $$;

-- Says what became of a batch whose connection was lost, and bars what may still be under way.
--
-- Returns the position and the entry of those events that are stored. It writes, so that its own
-- commit proves that all before it is as durable as it is.
CREATE OR REPLACE FUNCTION settle_batch(
    of_lane integer,
    lost uuid,
    needs_standby boolean,
    streams text[],
    versions bigint[]
) RETURNS TABLE (event integer, place bigint, entry bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = citizen_vault, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM require_durability(needs_standby);
    -- Until here the batch may still have been waiting for its own commit.
    PERFORM lock_lane(of_lane);
    UPDATE lanes SET settlements = settlements + 1 WHERE lane = of_lane;
    INSERT INTO lost_connections (connection, lane) VALUES (lost, of_lane) ON CONFLICT DO NOTHING;
    RETURN QUERY
    SELECT asked.event::integer, e.position, e.entry
    FROM unnest(streams, versions) WITH ORDINALITY AS asked (stream, version, event)
    JOIN entries AS e
        ON e.lane = of_lane AND e.stream = asked.stream AND e.version = asked.version;
END $$;

-- Says whether an entry that was read is stored. It writes: when its own commit has returned, all
-- before it is as durable as it is, also what became visible without that.
CREATE OR REPLACE FUNCTION prove_entry(
    of_lane integer,
    needs_standby boolean,
    of_position bigint,
    sealed bytea
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = citizen_vault, pg_temp AS $$
BEGIN
    PERFORM require_durability(needs_standby);
    PERFORM lock_lane(of_lane);
    UPDATE lanes SET settlements = settlements + 1 WHERE lane = of_lane;
    RETURN EXISTS (
        SELECT FROM entries AS e
        WHERE e.lane = of_lane AND e.position = of_position AND e.entry = sealed
    );
END $$;

-- --- Rights. The owner keeps none that it does not use.

REVOKE UPDATE, DELETE, TRUNCATE ON entries, records, payloads, lost_connections FROM CURRENT_USER;
REVOKE DELETE, TRUNCATE ON lanes FROM CURRENT_USER;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA citizen_vault FROM PUBLIC;

GRANT USAGE ON SCHEMA citizen_vault TO citizen_vault_writer, citizen_vault_retention;
GRANT SELECT ON store, lanes, lost_connections, entries, records, payloads
    TO citizen_vault_writer;
GRANT EXECUTE ON FUNCTION require_durability, append_batch, settle_batch, prove_entry
    TO citizen_vault_writer;
GRANT SELECT ON store, entries, records, payloads TO citizen_vault_retention;
GRANT DELETE ON records, payloads TO citizen_vault_retention;
