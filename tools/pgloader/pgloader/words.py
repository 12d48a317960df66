"""The words of a question that are worth looking for."""

import psycopg

from pgloader.catalogue import count

MOST = 2000  # rows to rank, each of which is parsed for it
LEXEMES = "SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('pg_catalog.english', %s))) ORDER BY 1"
# What ANALYZE has found of the indexed words: those in many rows, and their share of these.
SHARES = """
SELECT word, share FROM pg_stats JOIN pg_indexes USING (schemaname)
CROSS JOIN unnest(most_common_elems::text::text[], most_common_elem_freqs) AS common (word, share)
WHERE schemaname = 'public' AND pg_indexes.tablename = %s AND pg_stats.tablename = indexname AND word = ANY(%s)
"""


def words_query(connection: psycopg.Connection, question: str, table: str) -> str:
    """Return a tsquery for any of a question's words; of the frequent ones, only as many as can be ranked soon.

    Any will do, for questions hold words that no answer does. The rarest always stay. Empty where there are no words.
    """
    words = [word for (word,) in connection.execute(LEXEMES, [question])]
    shares = {word: float(share) for word, share in connection.execute(SHARES, [table, words])}
    chosen: list[str] = []
    rows, expected = count(connection, table), 0.0
    for word in sorted(words, key=lambda word: (shares.get(word, 0.0), word)):
        expected += rows * shares.get(word, 0.0)
        if chosen and expected > MOST:
            break
        chosen.append(word)
    return " | ".join("'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in chosen)
