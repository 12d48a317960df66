-- The database of the vector index: tables belong to owner, loader acts as it, reader reads what it makes.
-- Run by an administrator, in Compose (init.py) and in the embedded PostgreSQL; again at every start.
CREATE EXTENSION IF NOT EXISTS vector;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO owner;
GRANT USAGE ON SCHEMA public TO loader, reader;
GRANT owner TO loader;
ALTER ROLE loader SET lock_timeout = '5s';
ALTER ROLE loader SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE reader SET statement_timeout = '30s';
ALTER ROLE reader SET idle_in_transaction_session_timeout = '1min';
ALTER ROLE reader SET default_transaction_read_only = on;
ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE loader IN SCHEMA public GRANT SELECT ON TABLES TO reader;

-- What pgloader has loaded, a table for each load, and what a relation has meant since when.
SET ROLE owner;
CREATE TABLE IF NOT EXISTS public.registry_loads (
    relation text NOT NULL,
    load_id text NOT NULL CHECK (load_id ~ '^[0-9a-f]{64}$'), -- the SHA-256 of embeddings.parquet
    table_name text NOT NULL UNIQUE,
    rows bigint NOT NULL,
    dimension int NOT NULL,
    checksum text NOT NULL,
    source_data_version text NOT NULL,
    embedding_model text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (relation, load_id)
);
CREATE TABLE IF NOT EXISTS public.registry_switches (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation text NOT NULL,
    version text NOT NULL,
    load_id text NOT NULL,
    table_name text NOT NULL,
    switched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at timestamptz -- by a rollback
);
RESET ROLE;
