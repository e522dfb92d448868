-- secret: what stands before `@` in the url's authority, sealed with the store's key (STORE/.key);
-- x'' is none. The url has `user:***` in its place.
ALTER TABLE images ADD COLUMN secret BLOB NOT NULL DEFAULT x'';

-- sealed: 1 once nothing in this file holds a credential in plain any more, free pages included.
-- Version 1 kept them in url.
ALTER TABLE store ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;

-- tried: counts the writes that were made only to find out whether one can be made.
ALTER TABLE store ADD COLUMN tried INTEGER NOT NULL DEFAULT 0;
