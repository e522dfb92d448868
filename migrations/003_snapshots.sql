-- snapshots: one row a snapshot; number names its layer in the store (overlays/.snap/<number>), so
-- that a rename changes this row only. state: ACTIVATING until whoever asked for it has his answer,
-- ACTIVE from then on.
CREATE TABLE snapshots (
    number  INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: it is part of inode numbers
    image   INTEGER NOT NULL,
    id      TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (image, id)
) STRICT;
