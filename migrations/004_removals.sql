-- removals: names that were removed, each with the last time, until it is made anew or its writable
-- layer is known to be gone. The history, which is kept up to a size only, told it before.
CREATE TABLE removals (
    name TEXT    PRIMARY KEY NOT NULL,
    time INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO removals
    SELECT name, time FROM history
        WHERE to_state = '' AND seq IN (SELECT max(seq) FROM history GROUP BY name);

-- boot: which boot of the machine this database is open in; '' once it was closed, and all of it is
-- on disk.
ALTER TABLE store ADD COLUMN boot TEXT NOT NULL DEFAULT '';

-- The history's numbers can be moved on before there is a first row.
INSERT INTO sqlite_sequence (name, seq)
    SELECT 'history', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'history');
