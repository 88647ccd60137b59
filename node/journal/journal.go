// Package journal is the replicated history of one realm of one network: a SQLite store, the tail of it in memory, and the rules by which
// a run is accepted. It is the only queue in the program: everything that is said goes in at one end (Write, Append) and everyone who wants to know
// follows with a Cursor of their own.
//
// Ownership: a Journal owns its folder (history.db and its WAL, store.id), opened by Open and closed when Run returns. The caller holds the profile's lock.
//
// Goroutines: Run is the committer, one more reader of the tail; it writes what has queued while the previous commit ran, with synchronous=FULL and
// no timer. When it has nothing to commit it indexes rooms and times (the timeline) behind a watermark and drops what is too old. Beside it, until it returns, a goroutine of
// lower standing keeps the search index (package search) behind a watermark of its own, in a database of its own, so that no commit waits for it; it gives way to them. Everything else runs
// on the caller's goroutine. All methods may be called concurrently. Run must be running: what waits for a commit (below) waits for it; once it
// has returned everything fails with ErrClosed.
//
// Order: arrivals are numbered from 1, in the order in which runs were accepted; that is the order of cursors, of the committer
// and of "since". Numbers have no gaps but where history was dropped, and where a crash lost what was not yet committed they are given again.
// For people the order is (hlc, lid, seq), the same on every machine.
//
// Back-pressure: Append and Write wait while more than 32 MiB are not yet committed. Cursors never hold anything back: a reader further behind than the
// tail goes on from the store, at its own pace. The tail is 4 MiB, and where the exchange has a reader that is slower as much as that needs, up to 64 MiB.
//
// Visibility: what was accepted is in heads, sums, cursors and Serve at once, however slow the disk; Page, After, All and Rooms wait until what was accepted before
// the call is committed and indexed. They do not wait while Err is set: then they tell what is on disk. Search
// waits for nothing, and finds what is on disk.
//
// Disk: one row a run, in the encoding of package message, which is also the wire's: nothing is encoded again to be served, and a run of 256
// messages is one insert. What is held about logs and days stands beside, written in the same transaction. In memory are the sums of all days, the
// logs used lately and those not yet committed, and 2 MB of what was served last (answers.go); opening reads the days alone.
// Without a folder all of it is in memory, within a bound past which the journal forgets (forget.go).
//
// Faults: a store that is missing beside its store id, or damaged (SQLite 11, 26, or a disk that fails to read or to sync), is set aside as *.corrupt-<time> and a new one started: Open reports it
// in Recovered. Damage met later ends Run with ErrDamaged, and the next Open sets the store aside: Adopt then saves what only this process has. A store that this process may not write
// is refused (ErrUnwritable). A full disk, or any other failure to write, stops commits and sets Err; they go on when there is room. A search index that is missing, damaged or of another store is made anew, and nobody is troubled.
//
// Forks: a log that was continued twice ends, for everyone, before the lowest number at which two differ. The proof is kept, and goes into the tail once: again only where
// it lowers that number. So are runs that reach past it, because their signature vouches for what is below, but nothing past it is shown, counted or told; Beyond has it for
// who wants to say it anew.
//
// Marks: what messages say about others (edits, redactions, reactions, topics) is evaluated when those are read (mark.go), so that it does not matter what came first. Bodies are deleted, and
// missed, in one place (body.go).
//
// Sealed: what is said in groups that are not Public is opened by the Vault when it arrives, if it is this person's, and kept beside what travels, in the clear: so it is read, marked and searched like
// anything else, and stays readable when keys are gone. What does not open is shown to nobody; Reopen tries again (sealed.go, reopen.go). An Author seals what it says there.
//
// Reading: how far this person has read in each room is kept by number of arrival, so that what comes late, or opens late, is unread whatever its stamp. It is told to nobody, and written once a second at most (reading.go).
//
// Groups: each room that is not public is replicated for itself, with sums of its own. Whose it is says the Vault: what is this person's is kept like what is public, anybody else's for MailKeep
// days, in case somebody comes for it. message.Mail is all of them together, as if it were one group (group.go).
//
// Time: the author's hybrid logical clock goes by a Clock, the machine's as others correct it. Stamps more than 60 s ahead of it are kept and shown but never merged.
// Days are dropped, and days to come refused, only while the clock is vouched for; what is held of days to come since nobody did is kept and shown, but not
// compared with others until its day has come.
package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Config of a Journal.
type Config struct {
	// Dir holds the store; empty keeps it in memory and nothing on disk.
	Dir string
	// Memory is how many bytes a store in memory may take before it forgets (forget.go); 0 means 64 MiB.
	Memory  int
	Network identity.NetworkID
	Realm   identity.Realm
	// Host is the machine, where that is known: a store that wakes up on another one takes a new id.
	Host identity.HostID
	// Keep is how long history is kept, in whole days; 0 means 365 days.
	Keep time.Duration
	// Forked, if set, is told of every fork that is found, and of one that is found to be lower. It must not block, nor use the journal.
	Forked func(Fork)
	// Tail is how many bytes of framed runs stay in memory at most; 0 means 64 MiB. Most of the time it is less (Slowest). What is not yet committed stays in any case.
	Tail int
	// Clock is shared by the journals of a process; nil: one of its own.
	Clock *Clock
	// Vault, if set, knows of the groups that are this person's own; nil: it has none.
	Vault Vault
	Log   *slog.Logger
}

var (
	// ErrGap: the run does not continue what is held. It is dropped; the digests will find it.
	ErrGap = errors.New("run leaves a gap")
	// ErrStripped is an ErrGap: the run lacks a body that nobody deletes, or one of so many that it is better asked for elsewhere: the digests will find one that has it.
	ErrStripped = fmt.Errorf("%w: a body is missing", ErrGap)
	// ErrConflict: the run continues its log in another way than what is held: ask for the log from 1 and compare.
	ErrConflict = errors.New("run does not continue its log")
	// ErrForeign: the run is of another network.
	ErrForeign = errors.New("run of another network")
	// ErrDay: the log's day is before the horizon or after tomorrow.
	ErrDay = errors.New("log of a day that is not kept")
	// ErrCrowded is an ErrDay: the log is of a group of others, of which there are too many, or there are too many logs for a journal in memory. It may be taken another day.
	ErrCrowded = fmt.Errorf("%w: there are too many", ErrDay)
	// ErrClosed: Run has returned.
	ErrClosed = errors.New("the journal is closed")
	// ErrDamaged is wrapped by Run's error where the store cannot be read as one: open it again.
	ErrDamaged = errors.New("the history is damaged")
	// ErrNewer: the store was written by a later version, and is left as it is.
	ErrNewer = errors.New("a newer version of earshot wrote it")
	// ErrFull is wrapped by Err where there is no room on the disk.
	ErrFull = errors.New("the disk is full")
	// ErrUnwritable: this process may not write the store's files, or not make them.
	ErrUnwritable = errors.New("it cannot be written")
)

// maxQueued is how many bytes may wait for the disk before writers do.
const maxQueued = 32 << 20

// maxFresh is likewise how many messages may wait that others are about: a redaction names up to message.MaxRefs. Each takes some 250 bytes.
const maxFresh = 16 << 10

// Origin says where a run came from: 0 is this process, others are numbers that NewOrigin gave.
type Origin uint64

// Stored is the origin of entries that come from the store, where it is not kept who sent them: it is never that of a link, so that every link
// is sent them (whoever has them already drops them). What authors of this process wrote is 0 in the store too.
const Stored = ^Origin(0)

// A Journal is described in the package comment.
type Journal struct {
	conf      Config
	log       *slog.Logger
	clock     *Clock
	keep      uint32 // days
	store     *store
	recovered string
	origins   atomic.Uint64
	watchers  watchers
	slowest   atomic.Pointer[func() int64]
	work      chan struct{} // has room for one: Run should look
	reckoned  atomic.Uint32 // the day on which the Vault was asked whose the groups are
	gone      atomic.Uint32 // Run's: nothing public that is older is on disk
	text      textIndex
	half      atomic.Bool // a message may be half deleted
	answers   answers

	// Run's: when it did something last, when it wrote the timeline last, and how long what it put off may wait (see together).
	turned, indexed time.Time
	later           time.Duration
	lull            lull
	weights         weights   // of logs in memory
	large           []*weight // of which to be forgotten

	// The newest arrival, and the newest on disk. They change under mu.
	last, durable atomic.Int64
	messages      atomic.Int64 // that have arrived in this process

	mu          sync.RWMutex // guards what follows; no I/O under it
	hlc         uint64       // the newest stamp given or merged
	horizon     uint32
	mailHorizon uint32 // of the groups that are not own
	moves       int    // counts how often one of them moved
	dropped     int    // of which what is before them is off the disk
	tail        tail
	logs        cache
	changed     []*state                   // logs that are not on disk as they are in memory; they stay in the cache
	groups      map[message.GroupID]*group // that logs are held of
	mailboxes   int64                      // how many were numbered
	recent      []Mailbox                  // the newest, also of groups that are not held any more
	held        int                        // how many are held
	maxHeld     int                        // how many may be, of others' groups
	full        bool                       // in memory: nothing is left to be forgotten (forget.go)
	touched     []*daySum                  // days that are not on disk as they are in memory
	mine        map[message.Nonce]struct{}
	unsure      uint32          // the oldest day of a log that was opened while nobody vouched for the clock
	sure        time.Time       // since when somebody does; zero: nobody
	lastLog     int64           // the newest log's row
	queued      int             // bytes of frames not committed
	edits       int64           // counts changes of logs: runs and forks
	saved       int64           // edits up to it are on disk
	fresh       map[spot][]mark // by target: what is not in the store yet; in the order of freshest
	freshest    []freshMark
	unmarked    unmarked
	wanted      map[message.LogID]*wanted
	wants       int                        // bodies in wanted
	brought     [][]byte                   // runs that have some of them
	cutOff      []cutOff                   // whose redactions do not count any more
	keys        map[message.GroupID]int    // counts the times that more may be open in a sealed group than before
	reopens     []*reopening               // groups, or logs, to be tried again
	people      map[identity.PeerID][]byte // what PutPerson was told and is not on disk
	reading     reading                    // how far this person has read
	watermark   int64                      // arrivals up to it are in the timeline
	indexers    int                        // callers who wait for the timeline
	news        chan struct{}              // closed, and replaced, when something was committed or indexed, or err, damage or closed changed
	err         error                      // why nothing can be committed at the moment
	damage      error                      // what will end Run
	closed      bool
}

// Recovered returns the path a damaged store was set aside to, or "".
func (j *Journal) Recovered() string { return j.recovered }

// Err returns why nothing can be committed at the moment (ErrFull, or a disk that fails), or nil.
func (j *Journal) Err() error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.err
}

// StoreID is random, minted with the store, and anew where that was copied to another machine (Config.Host).
func (j *Journal) StoreID() [16]byte     { return j.store.id }
func (j *Journal) Realm() identity.Realm { return j.conf.Realm }

// Persistent is false for a journal in memory only.
func (j *Journal) Persistent() bool { return j.conf.Dir != "" }

// NewOrigin returns a number for one link.
func (j *Journal) NewOrigin() Origin { return Origin(j.origins.Add(1)) }

// Last is the newest arrival.
func (j *Journal) Last() int64 { return j.last.Load() }

// Durable is the newest arrival that is on disk with everything before it.
func (j *Journal) Durable() int64 { return j.durable.Load() }

// wake makes Run look for work.
func (j *Journal) wake() {
	select {
	case j.work <- struct{}{}:
	default:
	}
}

// tellLocked lets those who wait look again.
func (j *Journal) tellLocked() {
	close(j.news)
	j.news = make(chan struct{})
}

// fault takes note of an error of the store that ends Run, and returns it, as ErrDamaged then.
func (j *Journal) fault(err error) error {
	if damaged(err) {
		if !errors.Is(err, ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		j.mu.Lock()
		if j.damage == nil {
			j.damage = err
		}
		j.mu.Unlock()
		j.wake()
	}
	return err
}
