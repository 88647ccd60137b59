package journal

import (
	"bytes"
	"database/sql"
	"errors"
	"maps"

	"earshot/node/identity"
)

// maxPersons is how many people are remembered: those who were put last.
const maxPersons = 4096

// PutPerson remembers what a person tells of itself, in place of what it told before. It keeps profile, which must not change any more, and does not wait for the disk. What does not get
// there because the process is killed will be told again.
func (j *Journal) PutPerson(p identity.PeerID, profile []byte) {
	j.mu.Lock()
	if j.closed || len(j.people) >= maxPersons {
		j.mu.Unlock()
		return
	}
	j.people[p] = profile
	j.mu.Unlock()
	j.wake()
}

// Person returns what PutPerson was told of p last, here or in an earlier process; nil where it was told nothing.
func (j *Journal) Person(p identity.PeerID) ([]byte, error) {
	j.mu.RLock()
	profile := j.people[p]
	j.mu.RUnlock()
	if profile != nil {
		return profile, nil
	}
	err := j.store.read(func(db *sql.DB) error {
		return db.QueryRow("SELECT profile FROM person WHERE id=?", p[:]).Scan(&profile)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return profile, j.fault(err)
}

// commitPeople writes what PutPerson was told.
func (j *Journal) commitPeople() error {
	j.mu.RLock()
	people := maps.Clone(j.people)
	j.mu.RUnlock()
	if len(people) == 0 {
		return nil
	}
	if err := j.store.putPeople(people); err != nil {
		return err
	}
	j.mu.Lock()
	maps.DeleteFunc(j.people, func(p identity.PeerID, profile []byte) bool { return bytes.Equal(profile, people[p]) })
	j.mu.Unlock()
	return nil
}

func (s *store) putPeople(people map[identity.PeerID][]byte) error {
	return s.write(func(tx *sql.Tx) error {
		for p, profile := range people {
			if _, err := tx.Exec("INSERT OR REPLACE INTO person SELECT ?, ?, 1+coalesce(max(change), 0) FROM person", p[:], profile); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM person WHERE change <= (SELECT change FROM person ORDER BY change DESC LIMIT 1 OFFSET ?)", maxPersons)
		return err
	})
}
