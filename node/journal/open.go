package journal

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Open opens or creates the store. It reads the sums of the days and little else, so that a year of history opens at once.
// A store in which nothing is to be committed any more is closed by a Run whose context has ended.
func Open(c Config) (*Journal, error) {
	if c.Dir != "" {
		if err := os.MkdirAll(c.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	j := newJournal(c)
	err := j.open()
	if damaged(err) && c.Dir != "" {
		j.log.Warn("the history is damaged and is set aside", "err", err)
		if j.recovered, err = setAside(c.Dir); err == nil {
			err = j.open()
		}
	}
	if unwritable(err) {
		err = fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return j, nil
}

// newJournal returns one without a store.
func newJournal(c Config) *Journal {
	if c.Tail == 0 {
		c.Tail = 64 << 20
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = NewClock(nil)
	}
	j := &Journal{
		conf:     c,
		log:      c.Log,
		keep:     365,
		work:     make(chan struct{}, 1),
		news:     make(chan struct{}),
		text:     textIndex{wanted: make(chan struct{}, 1)},
		clock:    c.Clock,
		groups:   map[message.GroupID]*group{},
		maxHeld:  maxMailboxes,
		logs:     newCache(),
		mine:     map[message.Nonce]struct{}{},
		unsure:   math.MaxUint32,
		fresh:    map[spot][]mark{},
		unmarked: unmarked{logs: map[message.LogID]struct{}{}},
		wanted:   map[message.LogID]*wanted{},
		keys:     map[message.GroupID]int{},
		weights:  weights{},
		people:   map[identity.PeerID][]byte{},
	}
	j.half.Store(true)
	if c.Keep > 0 {
		j.keep = uint32((c.Keep + 24*time.Hour - 1) / (24 * time.Hour))
	}
	return j
}

// open opens the store and reads what is kept in memory.
func (j *Journal) open() error {
	dir := j.conf.Dir
	if dir != "" && exists(filepath.Join(dir, damageFile)) {
		return fmt.Errorf("%w: it was found so before", ErrDamaged)
	}
	if dir != "" && exists(filepath.Join(dir, idFile)) {
		// Looked at before SQLite does: it would delete a WAL that has no database.
		if info, err := os.Stat(filepath.Join(dir, dbFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		} else if err != nil || info.Size() == 0 {
			return fmt.Errorf("%w: the database is gone", ErrDamaged)
		}
	}
	s, err := openStore(dir, j.conf.Network, j.conf.Realm)
	if err != nil {
		return err
	}
	if err := j.load(s); err != nil {
		return errors.Join(err, s.close())
	}
	if dir != "" {
		if j.conf.Host != (identity.HostID{}) {
			if err := s.own(j.conf.Host); err != nil {
				return errors.Join(err, s.close())
			}
		}
		if err := putStoreID(dir, s.id); err != nil {
			return errors.Join(err, s.close())
		}
	}
	j.store = s
	return nil
}

func (j *Journal) load(s *store) error {
	clear(j.groups)
	j.held, j.recent = 0, nil
	if err := j.loadWanted(s); err != nil {
		return err
	}
	err := s.read(func(db *sql.DB) error {
		var last int64
		if err := db.QueryRow(`SELECT max((SELECT value FROM meta WHERE key=?), coalesce((SELECT max(arrival) FROM run), 0)),
			(SELECT value FROM meta WHERE key=?), coalesce((SELECT max(id) FROM log), 0)`, metaLast, metaWatermark).Scan(&last, &j.watermark, &j.lastLog); err != nil {
			return err
		}
		last = max(last, j.watermark) // what came last may have been a proof, which has no row
		j.last.Store(last)
		j.durable.Store(last)
		j.tail = newTail(last+1, j.conf.Tail)
		rows, err := db.Query("SELECT grp, day, sum, logs FROM day")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			d := &daySum{}
			var sum message.Hash
			if err := rows.Scan(fixed(d.group[:]), &d.day, fixed(sum[:]), &d.logs); err != nil {
				return err
			}
			d.sum = lanesOf(sum)
			j.groupLocked(d.group, d.group == message.Public).days[d.day] = d
			if d.group != message.Public {
				mail := j.groupLocked(message.Mail, false).sum(message.Mail, d.day)
				mail.sum.add(d.sum)
				mail.logs += d.logs
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := j.loadMailboxes(db); err != nil {
			return err
		}
		if err := j.loadReading(db, last); err != nil {
			return err
		}
		// The clock goes on after what was seen last, as far as that was near.
		var hlc uint64
		if err := db.QueryRow("SELECT coalesce(max(hlc), 0) FROM log WHERE id IN (SELECT log FROM run ORDER BY arrival DESC LIMIT 256)").Scan(&hlc); err != nil {
			return err
		}
		j.mergeLocked(hlc)
		return nil
	})
	if err == nil {
		j.reckon()
	}
	return err
}

// loadMailboxes reads who has logs in which group.
func (j *Journal) loadMailboxes(db *sql.DB) error {
	return each(db, "SELECT DISTINCT grp, author FROM log WHERE "+notPublic, nil, func(rows *sql.Rows) error {
		var id message.GroupID
		var author identity.PeerID
		if err := rows.Scan(fixed(id[:]), fixed(author[:])); err != nil {
			return err
		}
		j.groupLocked(id, false)
		j.joinLocked(id, author)
		return nil
	})
}

// putStoreID writes the file that says there is a store here.
func putStoreID(dir string, id [16]byte) error {
	path := filepath.Join(dir, idFile)
	text := hex.EncodeToString(id[:]) + "\n"
	if b, err := os.ReadFile(path); err == nil && string(b) == text {
		return nil
	}
	return identity.Replace(path, []byte(text))
}

// setAside renames all files of the store and returns the new name of the first. They still belong together: opened by that name what is in the WAL is there, too.
func setAside(dir string) (string, error) {
	suffix := ".corrupt-" + time.Now().UTC().Format("20060102T150405Z")
	for n := 2; exists(filepath.Join(dir, dbFile+suffix)) || exists(filepath.Join(dir, idFile+suffix)); n++ {
		suffix = strings.TrimRight(suffix, "-0123456789") + fmt.Sprint("-", n)
	}
	first := ""
	// The mark of damage goes last: should this be interrupted, it is done again.
	for _, name := range [][2]string{{dbFile}, {dbFile, "-wal"}, {dbFile, "-shm"}, {idFile}} {
		old, aside := filepath.Join(dir, name[0]+name[1]), filepath.Join(dir, name[0]+suffix+name[1])
		if err := os.Rename(old, aside); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return "", err
		}
		if first == "" {
			first = aside
		}
	}
	if err := os.Remove(filepath.Join(dir, damageFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return first, nil
}
