# SPDX-License-Identifier: Apache-2.0
"""The tables of a key store on PostgreSQL, who may do what with them, and how they are changed.

Every change asks in its own statement whether it will be durable, and is none where it will not. No
statement does anything more when it is repeated, so that one whose outcome was lost may be.
"""

from typing import Final

import psycopg

from vault.sealing.errors import KeyStoreError

MEMBER: Final = "citizen_vault_keys"
"""The group role of those who use the key store: the server's role must be in it."""

FORM: Final = 2
"""The form of the tables."""

_SEALED_COLUMNS: Final = "epoch text NOT NULL, wrapped_key bytea NOT NULL, sealed bytea NOT NULL"

# The order of bytes compares fastest, and is the same under every version of every library.
_TABLES: Final = f"""
CREATE SCHEMA IF NOT EXISTS vault_keys;
CREATE TABLE IF NOT EXISTS vault_keys.form (
    version integer PRIMARY KEY
);
INSERT INTO vault_keys.form SELECT {FORM} WHERE NOT EXISTS (SELECT FROM vault_keys.form);
-- Form 1 had no logs.
UPDATE vault_keys.form SET version = {FORM} WHERE version < {FORM};
CREATE TABLE IF NOT EXISTS vault_keys.keyrings (
    stream text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL CHECK (number > 0),
    {_SEALED_COLUMNS}
);
CREATE TABLE IF NOT EXISTS vault_keys.identities (
    name text COLLATE "C" PRIMARY KEY,
    {_SEALED_COLUMNS}
);
CREATE TABLE IF NOT EXISTS vault_keys.secrets (
    id integer PRIMARY KEY CHECK (id = 1),
    {_SEALED_COLUMNS}
);
CREATE TABLE IF NOT EXISTS vault_keys.floors (
    stream text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL CHECK (version > 0)
);
CREATE TABLE IF NOT EXISTS vault_keys.logs (
    origin text COLLATE "C" PRIMARY KEY,
    number bigint NOT NULL CHECK (number > 0),
    {_SEALED_COLUMNS}
);
CREATE OR REPLACE FUNCTION vault_keys.refuse() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$ BEGIN
    RAISE EXCEPTION '% are never lowered', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE TRIGGER floors_rise BEFORE UPDATE ON vault_keys.floors
    FOR EACH ROW WHEN (NEW.version < OLD.version OR NEW.stream <> OLD.stream)
    EXECUTE FUNCTION vault_keys.refuse();
CREATE OR REPLACE TRIGGER floors_stay BEFORE DELETE OR TRUNCATE ON vault_keys.floors
    EXECUTE FUNCTION vault_keys.refuse();
CREATE OR REPLACE TRIGGER logs_go_on BEFORE UPDATE ON vault_keys.logs
    FOR EACH ROW WHEN (NEW.number <= OLD.number OR NEW.origin <> OLD.origin)
    EXECUTE FUNCTION vault_keys.refuse();
CREATE OR REPLACE TRIGGER logs_stay BEFORE DELETE OR TRUNCATE ON vault_keys.logs
    EXECUTE FUNCTION vault_keys.refuse();
-- Also where a server replicates.
ALTER TABLE vault_keys.logs ENABLE ALWAYS TRIGGER logs_go_on;
ALTER TABLE vault_keys.logs ENABLE ALWAYS TRIGGER logs_stay;
ALTER TABLE vault_keys.floors ENABLE ALWAYS TRIGGER floors_rise;
ALTER TABLE vault_keys.floors ENABLE ALWAYS TRIGGER floors_stay;
DO $$ BEGIN
    CREATE ROLE {MEMBER};
-- Another database of the same server may have made it, perhaps at this moment.
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
GRANT USAGE ON SCHEMA vault_keys TO {MEMBER};
GRANT SELECT ON vault_keys.form TO {MEMBER};
GRANT SELECT, INSERT, UPDATE, DELETE ON vault_keys.keyrings TO {MEMBER};
GRANT SELECT, INSERT ON vault_keys.identities, vault_keys.secrets TO {MEMBER};
GRANT SELECT, INSERT, UPDATE ON vault_keys.floors, vault_keys.logs TO {MEMBER};
"""  # noqa: S608  # our own tables

# Judged for every role that ours may become, since a role need not inherit what it may do. A
# superuser may become each, and an owner who gave up rights can take them back.
CAN_DO_MORE: Final = """
SELECT EXISTS (
    SELECT FROM pg_roles AS r, pg_namespace AS n, pg_class AS c LEFT JOIN (VALUES
        ('form', 'INSERT, UPDATE'),
        ('identities', 'UPDATE'),
        ('secrets', 'UPDATE')
    ) AS never (name, change) ON never.name = c.relname
    WHERE n.nspname = 'vault_keys' AND c.relnamespace = n.oid AND c.relkind = 'r'
        AND pg_has_role(r.oid, 'MEMBER')
        AND (r.oid IN (n.nspowner, c.relowner)
            OR has_schema_privilege(r.oid, n.oid, 'CREATE')
            OR has_table_privilege(r.oid, c.oid, 'TRUNCATE, TRIGGER')
            OR (c.relname <> 'keyrings' AND has_table_privilege(r.oid, c.oid, 'DELETE'))
            OR has_any_column_privilege(r.oid, c.oid, never.change))
)
"""

# Two who prepare one database at once take turns.
_TURN: Final = "SELECT pg_advisory_xact_lock(hashtext('citizen-vault-keys'))"

WEAK: Final = """
SELECT name FROM (VALUES
    ('fsync', current_setting('fsync') = 'on'),
    ('full_page_writes', current_setting('full_page_writes') = 'on'),
    ('synchronous_commit', current_setting('synchronous_commit') IN ('on', 'remote_apply')),
    ('default_transaction_isolation',
        current_setting('default_transaction_isolation') = 'read committed'),
    ('synchronous_standby_names',
        NOT %(needs_standby)s OR current_setting('synchronous_standby_names') <> ''),
    ('a primary: it is a standby', NOT pg_is_in_recovery())
) AS needed (name, holds) WHERE NOT holds
"""
_IS_DURABLE: Final = f"NOT EXISTS ({WEAK})"

# COMMIT writes it to the log and waits for it to be as durable as any change, and with it, since a
# log has one order, whatever was committed before.
BARRIER: Final = "SELECT pg_logical_emit_message(true, 'citizen-vault-keys', '')"

INSERT_KEYRING: Final = f"""
INSERT INTO vault_keys.keyrings (stream, number, epoch, wrapped_key, sealed)
SELECT %(stream)s, %(number)s, %(epoch)s, %(wrapped_key)s, %(sealed)s WHERE {_IS_DURABLE}
ON CONFLICT DO NOTHING
"""

REPLACE_KEYRING: Final = f"""
UPDATE vault_keys.keyrings
SET number = %(number)s, epoch = %(epoch)s, wrapped_key = %(wrapped_key)s, sealed = %(sealed)s
WHERE stream = %(stream)s AND number = %(number)s - 1 AND {_IS_DURABLE}
"""  # noqa: S608  # likewise

INSERT_LOG: Final = f"""
INSERT INTO vault_keys.logs (origin, number, epoch, wrapped_key, sealed)
SELECT %(origin)s, %(number)s, %(epoch)s, %(wrapped_key)s, %(sealed)s WHERE {_IS_DURABLE}
ON CONFLICT DO NOTHING
"""

REPLACE_LOG: Final = f"""
UPDATE vault_keys.logs
SET number = %(number)s, epoch = %(epoch)s, wrapped_key = %(wrapped_key)s, sealed = %(sealed)s
WHERE origin = %(origin)s AND number = %(number)s - 1 AND {_IS_DURABLE}
"""  # noqa: S608  # likewise

DELETE_KEYRING: Final = f"""
DELETE FROM vault_keys.keyrings WHERE stream = %(stream)s AND {_IS_DURABLE}
"""  # noqa: S608  # likewise

INSERT_IDENTITY: Final = f"""
INSERT INTO vault_keys.identities (name, epoch, wrapped_key, sealed)
SELECT %(name)s, %(epoch)s, %(wrapped_key)s, %(sealed)s WHERE {_IS_DURABLE}
ON CONFLICT DO NOTHING
"""

# Never drawn for a store that has been used: others would orphan every identity and retry.
INSERT_SECRETS: Final = f"""
INSERT INTO vault_keys.secrets (id, epoch, wrapped_key, sealed)
SELECT 1, %(epoch)s, %(wrapped_key)s, %(sealed)s WHERE {_IS_DURABLE}
    AND NOT EXISTS (SELECT FROM vault_keys.keyrings)
    AND NOT EXISTS (SELECT FROM vault_keys.identities)
    AND NOT EXISTS (SELECT FROM vault_keys.floors)
    AND NOT EXISTS (SELECT FROM vault_keys.logs)
ON CONFLICT DO NOTHING
"""  # noqa: S608  # likewise

RAISE_FLOOR: Final = f"""
INSERT INTO vault_keys.floors AS kept (stream, version)
SELECT %(stream)s, %(version)s WHERE {_IS_DURABLE}
ON CONFLICT (stream) DO UPDATE SET version = greatest(kept.version, excluded.version)
"""


def prepare(conninfo: str) -> None:
    """Make the tables of a key store and the role of those who use it; again does no harm.

    Args:
        conninfo: how the owner connects, who may make roles and schemas. The server's own role is
            then granted `MEMBER`, and nothing else.

    Raises:
        KeyStoreError: The database cannot be reached, or refuses.
    """
    try:
        with psycopg.connect(conninfo) as connection:
            connection.execute(_TURN)
            connection.execute(_TABLES)
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error)
        raise KeyStoreError(f"The key database cannot be prepared: {said}") from error
