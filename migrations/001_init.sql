-- images: one row a name. States and words are the contract's; -1 is "not known yet"; times are
-- milliseconds since 1970, 0 is "never".
CREATE TABLE images (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: it is part of inode numbers
    name       TEXT    NOT NULL UNIQUE,
    url        TEXT    NOT NULL,
    sha256     TEXT    NOT NULL,
    policy     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    want       TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    error      TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    entries    INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    skipped    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    next_retry INTEGER NOT NULL,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL
) STRICT;

-- history: one row a transition, in the order of commits. A new image comes from '', a removed one
-- goes to ''. Rows outlive their image.
CREATE TABLE history (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    time       INTEGER NOT NULL,
    image      INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    from_state TEXT    NOT NULL,
    to_state   TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    message    TEXT    NOT NULL
) STRICT;

-- store: the one store that this database speaks of; its STORE/.id holds the same.
CREATE TABLE store (
    id TEXT NOT NULL
) STRICT;
