package journal

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"earshot/node/identity"
	"earshot/node/message"
)

// Sealed groups are all but Public. What is said there stands in messages of kind Sealed; what of that this person may read the vault opens when it arrives, with no lock held, and it is
// kept beside: with the run until that is committed, from then on in the table opened, written in the same transaction. Lines, marks and the search index go by it. In the clear stand State, Redact
// and NickName, and anything else there says nothing: whoever knows a group's id could put it there.

// said is what a sealed message says.
type said struct {
	seq  uint64
	kind message.Kind // 0: it came live, and is not open
	body []byte       // nil: it was deleted
}

// opened is what is open of a run, by number.
type opened struct {
	said []said
	keys int  // Journal.keys of the group before it was opened
	only bool // the rest of the run is no news
}

func (o *opened) at(seq uint64) (said, bool) {
	i, ok := slices.BinarySearchFunc(o.said, seq, func(s said, seq uint64) int { return cmp.Compare(s.seq, seq) })
	if !ok {
		return said{}, false
	}
	return o.said[i], true
}

// A speaker is whose log a message is in, and where.
type speaker struct {
	group  message.GroupID
	room   message.RoomID
	author identity.PeerID
}

func (l *state) speaker() speaker { return speaker{l.Group, l.Room, l.Author} }

func speakerOf(o *message.Opening) speaker { return speaker{o.Group, o.Room, o.Author} }

// marks returns what a record says about others as it stands in its run.
func (s *speaker) marks(at Key, rec *message.Record) []mark {
	if s.group != message.Public && rec.Kind != message.Redact {
		return nil
	}
	return marksOf(s.room, s.author, at, rec)
}

// marksIn returns what a sealed message says about others. What would delete must stand in the clear, or not everyone would delete it.
func (s *speaker) marksIn(at Key, what said) []mark {
	if what.kind == message.Redact || what.body == nil {
		return nil
	}
	return marksOf(s.room, s.author, at, &message.Record{Kind: what.kind, Body: what.body})
}

// inClear reports whether messages of that kind stand in the clear in a sealed group.
func inClear(k message.Kind) bool {
	return k == message.State || k == message.Redact || k == message.NickName
}

// placeOf returns where record i of a run stands, whose first record follows the one that hashes to prev.
func (s *speaker) placeOf(run *message.Run, prev message.Hash, i int) Place {
	return Place{Key: Key{HLC: run.Records[i].HLC, Log: run.Log, Seq: run.First + uint64(i)}, Prev: prev, Room: s.room, Author: s.author}
}

// prevOf returns the hash of the header before the first of run.
func prevOf(run *message.Run) message.Hash {
	if run.Opening != nil {
		return run.Opening.Hash()
	}
	return run.Prev
}

// openRun has the vault learn and open what came in a sealed group; nil: there is no vault, or the group is Public.
func (j *Journal) openRun(s speaker, run *message.Run, hashes []message.Hash, live bool) *opened {
	v := j.conf.Vault
	if s.group == message.Public || v == nil {
		return nil
	}
	j.mu.RLock()
	o := &opened{keys: j.keys[s.group]}
	j.mu.RUnlock()
	if !j.owns(s.group, s.author) {
		return o
	}
	prev := prevOf(run)
	for i := range run.Records {
		at, rec := s.placeOf(run, prev, i), &run.Records[i]
		prev = hashes[i]
		switch {
		case rec.Redacted:
		case rec.Kind == message.State:
			v.Learn(at, rec.Body)
		case rec.Kind == message.Sealed:
			if what, ok := tryOpen(v, at, rec.Body, live); ok || live {
				o.said = append(o.said, what)
			}
		}
	}
	return o
}

// tryOpen opens a message. ok is false where it is not open, and what says only which it is.
func tryOpen(v Vault, at Place, body []byte, live bool) (what said, ok bool) {
	k, plain, ok := v.Open(at, body, live)
	if !ok || k == 0 || k == message.Sealed {
		return said{seq: at.Seq}, false
	}
	return said{at.Seq, k, append([]byte{}, plain...)}, true
}

// errNoVault: nothing can be sealed.
var errNoVault = errors.New("this history has no keys")

// seal puts what is not to stand in the clear in a sealed group into run sealed, and returns what it says. A message of kind Sealed is left as it is.
func (j *Journal) seal(s speaker, run *message.Run) (*opened, error) {
	v := j.conf.Vault
	if s.group == message.Public {
		return nil, nil
	}
	j.mu.RLock()
	o := &opened{keys: j.keys[s.group]}
	j.mu.RUnlock()
	plain := run.Records // stays as it is: this may have to be done again, elsewhere
	run.Records = slices.Clone(plain)
	prev := prevOf(run)
	for i := range run.Records {
		at, rec := s.placeOf(run, prev, i), &run.Records[i]
		switch {
		case inClear(rec.Kind):
		case rec.Kind == message.Sealed:
			if v == nil {
				break
			}
			if what, ok := tryOpen(v, at, rec.Body, false); ok {
				o.said = append(o.said, what)
			}
		case v == nil:
			return nil, errNoVault
		default:
			body, err := v.Seal(at, rec.Kind, rec.Body)
			if err != nil {
				return nil, err
			}
			if len(body) > message.MaxBody {
				return nil, fmt.Errorf("a message of %d bytes is too long", len(body))
			}
			o.said = append(o.said, said{at.Seq, rec.Kind, append([]byte{}, rec.Body...)})
			*rec = message.Body(rec.HLC, message.Sealed, body)
		}
		one := message.Run{Log: run.Log, First: at.Seq, Prev: prev, Records: run.Records[i : i+1]}
		prev = one.Hashes()[0]
	}
	return o, nil
}

// says puts what a sealed line says into it.
func (l *Line) says(what said) {
	if what.kind == 0 || l.Kind != message.Sealed {
		return
	}
	l.Kind, l.Sealed = what.kind, true
	if l.Body != nil {
		l.Body = what.body
	}
}

// unseal puts what they say into those of lines that are open.
func (j *Journal) unseal(lines []Line) error {
	var at []spot
	for i := range lines {
		if lines[i].Kind == message.Sealed {
			at = append(at, spot{lines[i].Log, lines[i].Seq})
		}
	}
	if at == nil {
		return nil
	}
	found := make(map[spot]said, len(at))
	// First what is in memory, then what is on disk: what is committed in between is on disk.
	j.mu.RLock()
	at = slices.DeleteFunc(at, func(at spot) bool {
		it := j.pendingLocked(at.log, at.seq)
		if it == nil || it.open == nil {
			return false
		}
		what, ok := it.open.at(at.seq)
		if ok {
			found[at] = what
		}
		return ok
	})
	j.mu.RUnlock()
	if err := j.store.read(func(db *sql.DB) error { return readSaid(db, at, found) }); err != nil {
		return j.fault(err)
	}
	for i := range lines {
		if what, ok := found[spot{lines[i].Log, lines[i].Seq}]; ok {
			lines[i].says(what)
		}
	}
	return nil
}

// readSaid adds to out what is open of messages.
func readSaid(q querier, at []spot, out map[spot]said) error {
	for some := range slices.Chunk(at, 256) {
		args := make([]any, 0, 2*len(some))
		for i := range some {
			args = append(args, some[i].log[:], some[i].seq)
		}
		err := each(q, "WITH a(log, seq) AS (VALUES (?,?)"+strings.Repeat(",(?,?)", len(some)-1)+`)
			SELECT o.log, o.seq, o.kind, o.body IS NULL, o.body FROM a CROSS JOIN opened AS o ON o.log=a.log AND o.seq=a.seq`, args, func(rows *sql.Rows) error {
			var at spot
			var what said
			var gone bool
			if err := rows.Scan(fixed(at.log[:]), &at.seq, &what.kind, &gone, &what.body); err != nil {
				return err
			}
			if !gone && what.body == nil {
				what.body = []byte{}
			}
			what.seq = at.seq
			out[at] = what
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sealedAt is a sealed message whose marks are to be known.
type sealedAt struct {
	speaker
	Key
}

// readMarks returns what sealed messages say about others, as far as they are open.
func readMarks(q querier, sealed []sealedAt) (marks []mark, err error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	at := make([]spot, len(sealed))
	for i := range sealed {
		at[i] = spot{sealed[i].Log, sealed[i].Seq}
	}
	found := map[spot]said{}
	if err := readSaid(q, at, found); err != nil {
		return nil, err
	}
	for i := range sealed {
		if what, ok := found[at[i]]; ok {
			marks = append(marks, sealed[i].marksIn(sealed[i].Key, what)...)
		}
	}
	return marks, nil
}

// insertSaid takes lid, seq, kind, body.
const insertSaid = "INSERT OR REPLACE INTO opened VALUES (?,?,?,?)"

// forgetSaid deletes what a sealed message says, but for its kind, and what it says about others.
func forgetSaid(tx *sql.Tx, of sealedAt) error {
	marks, err := readMarks(tx, []sealedAt{of})
	if err != nil {
		return err
	}
	if err := dropMarks(tx, marks); err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE opened SET body=NULL WHERE log=? AND seq=?", of.Log[:], of.Seq)
	return err
}
