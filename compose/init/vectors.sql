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
