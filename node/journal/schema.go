package journal

import "fmt"

// schemaVersion stands in meta; a store of a later one is refused, not set aside. One of version 1 has runs with long records alone, and is read as it is; what is added to it makes it a 2.
const schemaVersion = 2

// A run is one row, byte for byte as it travels: serving re-encodes nothing and a flood of long runs costs one insert for 256 messages.
// log holds how far each log goes (seq, tip, hlc: its visible end, before fork where that is not 0), its opening, and the proof of a fork.
// day holds the sum over the heads of a day, written in the transaction that changed them.
// timeline has one row a message, but for those in groups of others: whose id a group has that is not this person's is not known, it may be a public room's. It is filled behind the watermark in meta.
const schema = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE log(id INTEGER PRIMARY KEY, lid BLOB NOT NULL UNIQUE, grp BLOB NOT NULL, room BLOB NOT NULL, author BLOB NOT NULL, nonce BLOB NOT NULL,
	day INTEGER NOT NULL, name TEXT NOT NULL, opener TEXT NOT NULL, nick TEXT NOT NULL,
	seq INTEGER NOT NULL, tip BLOB NOT NULL, hlc INTEGER NOT NULL, fork INTEGER NOT NULL, proof BLOB);
CREATE INDEX log_day ON log(grp, day, lid);
CREATE TABLE run(arrival INTEGER PRIMARY KEY, log INTEGER NOT NULL, first INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX run_log ON run(log, first);
CREATE TABLE day(grp BLOB NOT NULL, day INTEGER NOT NULL, sum BLOB NOT NULL, logs INTEGER NOT NULL, PRIMARY KEY(grp, day)) WITHOUT ROWID;
CREATE TABLE timeline(room BLOB NOT NULL, hlc INTEGER NOT NULL, lid BLOB NOT NULL, seq INTEGER NOT NULL, arrival INTEGER NOT NULL,
	PRIMARY KEY(room, hlc, lid, seq)) WITHOUT ROWID;
`

// notPublic stands in queries word for word as in the indexes, or these would not be used.
const notPublic = "grp<>x'00000000000000000000000000000000'"

// mark has one row for each message that says something about another one, its target, or about its room; lack for each whose body is missing though no redaction counts. Both
// are filled with the timeline. opened has what sealed messages say that are open to this person, by log id and number, with its kind alone where it was deleted; of kind 0 are those that came
// live and are not open. It is written in the transaction that wrote the run. log_mail and log_author are of the logs that are not public, by day and by group. person has what people tell of themselves, opaque here, and a count of changes by which the oldest are dropped. reading has how far this person has read, and late by what number that was told which opened only later (reading.go). again has the runs that the search index has to look at again, in a store that has one: bodies of theirs were deleted, came, or opened. All were added to stores that are older.
const schemaLater = `
CREATE INDEX IF NOT EXISTS log_mail ON log(day, lid) WHERE ` + notPublic + `;
CREATE INDEX IF NOT EXISTS log_author ON log(grp, author) WHERE ` + notPublic + `;
CREATE TABLE IF NOT EXISTS mark(target BLOB NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL, author BLOB NOT NULL, emoji TEXT NOT NULL,
	hlc INTEGER NOT NULL, lid BLOB NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL, yes INTEGER NOT NULL,
	PRIMARY KEY(target, at, kind, author, emoji, hlc DESC, lid DESC, seq DESC)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS person(id BLOB PRIMARY KEY, profile BLOB NOT NULL, change INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS person_change ON person(change);
CREATE TABLE IF NOT EXISTS opened(log BLOB NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, body BLOB, PRIMARY KEY(log, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lack(log INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(log, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reading(room BLOB PRIMARY KEY, arrival INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS late(log BLOB NOT NULL, seq INTEGER NOT NULL, arrival INTEGER NOT NULL, PRIMARY KEY(log, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS again(id INTEGER PRIMARY KEY, arrival INTEGER NOT NULL);
`

const insertPlace = "INSERT OR REPLACE INTO timeline VALUES (?,?,?,?,?)"

// The keys of meta.
const (
	metaVersion   = "version"
	metaStore     = "store"
	metaHost      = "host" // the machine it was used on last, where that is known
	metaNetwork   = "network"
	metaRealm     = "realm"
	metaWatermark = "watermark" // arrivals up to it are in the timeline
	metaLast      = "last"      // the newest arrival at the time something was dropped: numbers are not used again
)

// readable refuses a store of a version that this program cannot read.
func readable(version int) error {
	switch {
	case version > schemaVersion:
		return ErrNewer
	case version < 1:
		return fmt.Errorf("%w: version %d", ErrDamaged, version)
	}
	return nil
}
