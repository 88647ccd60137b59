package journal

import (
	"bytes"
	"cmp"
	"database/sql"
	"maps"
	"slices"
	"sort"
	"strings"

	"earshot/node/identity"
	"earshot/node/message"
)

// What messages say about others is evaluated when those are read, from the marks that are held: so it does not matter what came first, and all replicas that hold the same
// show the same. Of an author's edits of a message the newest in the order for people counts, of the reactions with one emoji likewise; a redaction beats them all. Edits and
// redactions count where their author is the target's; all of it where the room is.

// A spot is the place of a message in its log; of a room that is the target of topics, the room with number 0.
type spot struct {
	log message.LogID
	seq uint64
}

// A mark is what one message says about another, or about its room.
type mark struct {
	target spot
	id     message.ID // of the target; zero for a topic
	kind   message.Kind
	author identity.PeerID // zero for a topic: the newest counts, whoever set it
	emoji  string
	on     bool
	Key    // of the message that says so
}

// marksOf returns what the record at that place in a room says.
func marksOf(room message.RoomID, author identity.PeerID, at Key, rec *message.Record) (marks []mark) {
	if rec.Kind == message.Topic {
		return []mark{{target: spot{log: message.LogID(room)}, kind: rec.Kind, Key: at}}
	}
	if rec.Kind == message.Reply || !rec.Kind.About() || rec.Redacted {
		return nil
	}
	a, ok := message.ParseAbout(rec.Kind, rec.Body)
	for _, ref := range a.Refs {
		marks = append(marks, mark{target: spot{ref.Log, ref.Seq}, id: ref.ID, kind: rec.Kind, author: author, emoji: a.Emoji, on: a.On || rec.Kind != message.React, Key: at})
	}
	if !ok {
		return nil
	}
	return marks
}

// before sorts marks of one target: what competes lies side by side, the newest first.
func (m *mark) before(o *mark) bool {
	return cmp.Or(m.rival(o), o.Key.Compare(m.Key)) < 0
}

// rival is 0 where only one of the two can count.
func (m *mark) rival(o *mark) int {
	return cmp.Or(cmp.Compare(m.kind, o.kind), bytes.Compare(m.author[:], o.author[:]), cmp.Compare(m.emoji, o.emoji))
}

const (
	// maxMarks bounds the marks of one message that are looked at: the newest of everyone come first, so that nobody's crowd out those of others.
	maxMarks = 4096
	// keptRivals is how many marks of which only one counts are kept, the newest: one that counted may be cut off at a fork.
	keptRivals = 16
	// keptReactions is how many of one person's reactions to a message are kept, the newest, whatever their emoji.
	keptReactions = 64
)

// Marks is what became of a message.
type Marks struct {
	Redacted bool
	Edit     *Line // the newest version of the text; nil: it is as it was said
	React    []Reaction
}

// Any reports whether anything became of it.
func (m Marks) Any() bool { return m.Redacted || m.Edit != nil || len(m.React) > 0 }

// And returns what became of a message that two journals hold, of which neither may know all. A reaction that was taken back in one alone is still shown.
func (m Marks) And(o Marks) Marks {
	switch {
	case m.Redacted || o.Redacted:
		return Marks{Redacted: true}
	case m.Edit == nil || o.Edit != nil && o.Edit.Compare(m.Edit.Key) > 0:
		m.Edit = o.Edit
	}
	m.React = slices.Clone(m.React)
	for _, r := range o.React {
		i := slices.IndexFunc(m.React, func(x Reaction) bool { return x.Emoji == r.Emoji })
		if i < 0 {
			m.React = append(m.React, r)
			continue
		}
		by := slices.Clone(m.React[i].By)
		for _, v := range r.By {
			if !slices.ContainsFunc(by, func(x Voice) bool { return x.Author == v.Author }) {
				by = append(by, v)
			}
		}
		m.React[i].By = by
	}
	sortReactions(m.React)
	return m
}

func sortReactions(list []Reaction) {
	sort.Slice(list, func(i, j int) bool {
		return cmp.Or(cmp.Compare(len(list[j].By), len(list[i].By)), cmp.Compare(list[i].Emoji, list[j].Emoji)) < 0
	})
}

// A Reaction is one emoji with those who show it.
type Reaction struct {
	Emoji string
	By    []Voice
}

// A Voice is one person: as they called themselves in the log where they spoke.
type Voice struct {
	Author identity.PeerID
	Nick   string
}

// markable reports whether a message of that kind is shown, and can have marks.
func markable(k message.Kind) bool {
	switch k {
	case message.Text, message.Action, message.Reply, message.Topic, message.File:
		return true
	}
	return false
}

// mark sets what became of lines.
func (j *Journal) mark(lines []Line) error {
	asked := map[message.LogID]span{} // of the logs that may have marks in the store
	// First what is in memory, then what is on disk: what is indexed in between is seen twice, and nothing not at all.
	fresh := map[spot][]mark{}
	j.mu.RLock()
	marks := j.unmarked.marks
	for i := range lines {
		l := &lines[i]
		if !markable(l.Kind) {
			continue
		}
		if list := j.fresh[spot{l.Log, l.Seq}]; len(list) > 0 {
			fresh[spot{l.Log, l.Seq}] = slices.Clone(list)
		}
		if _, none := j.unmarked.logs[l.Log]; !none {
			r, ok := asked[l.Log]
			if !ok {
				r = span{l.Seq, l.Seq}
			}
			asked[l.Log] = span{min(r.first, l.Seq), max(r.last, l.Seq)}
		}
	}
	j.mu.RUnlock()
	if len(fresh)+len(asked) == 0 {
		return nil
	}
	logs := slices.Collect(maps.Keys(asked))
	marked := map[spot]bool{}
	for some := range slices.Chunk(logs, 512) {
		if err := j.store.marked(some, asked, marked); err != nil {
			return j.fault(err)
		}
	}
	if len(logs) > 0 {
		j.noneOf(logs, marked, marks)
	}
	for i := range lines {
		l := &lines[i]
		at := spot{l.Log, l.Seq}
		list := fresh[at]
		if !markable(l.Kind) || len(list) == 0 && !marked[at] {
			continue
		}
		if marked[at] {
			held, err := j.store.marks(at)
			if err != nil {
				return j.fault(err)
			}
			list = append(list, held...)
		}
		var err error
		if l.Marks, err = j.fold(l, list); err != nil {
			return err
		}
	}
	return nil
}

// A span is from one number in a log to another, both included.
type span struct{ first, last uint64 }

// unmarked are logs of which no message has marks in the store: in a flood each run would ask for them.
type unmarked struct {
	logs  map[message.LogID]struct{} // nil: it is asked each time
	marks int                        // counts the times that marks were stored
}

// markedLocked forgets them: marks were stored.
func (u *unmarked) markedLocked() {
	clear(u.logs)
	u.marks++
}

// noneOf takes note of which of these logs have no marks, unless some were stored since.
func (j *Journal) noneOf(logs []message.LogID, marked map[spot]bool, since int) {
	some := map[message.LogID]bool{}
	for at := range marked {
		some[at.log] = true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if since != j.unmarked.marks || j.unmarked.logs == nil {
		return
	}
	if len(j.unmarked.logs)+len(logs) > cacheSize {
		clear(j.unmarked.logs)
	}
	for _, l := range logs[:min(len(logs), cacheSize)] {
		if !some[l] {
			j.unmarked.logs[l] = struct{}{}
		}
	}
}

// fold makes of the marks of a message what became of it.
func (j *Journal) fold(l *Line, marks []mark) (out Marks, err error) {
	sort.Slice(marks, func(i, j int) bool { return marks[i].before(&marks[j]) })
	var won *mark // of those that compete
	voices := map[string][]Voice{}
	for i := range marks {
		m := &marks[i]
		if m.id != l.ID || won != nil && won.rival(m) == 0 {
			continue
		}
		by, held, err := j.lookup(m.Log)
		if err != nil {
			return out, err
		}
		if !held || m.Seq > by.Seq || by.Room != l.Room {
			continue // past a fork, or elsewhere
		}
		switch {
		case m.kind == message.React:
			if m.on {
				voices[m.emoji] = append(voices[m.emoji], Voice{m.author, by.nick})
			}
		case m.author != l.Author:
			continue
		case m.kind == message.Redact:
			out.Redacted = l.Kind.Redactable()
		case m.kind == message.Edit && l.Kind != message.Topic && l.Kind != message.File:
			edit, ok, err := j.lineAt(&by, m.Seq)
			if err != nil {
				return out, err
			}
			if !ok || edit.Body == nil {
				continue
			}
			out.Edit = &edit
		}
		won = m
	}
	if out.Redacted {
		return Marks{Redacted: true}, nil
	}
	for emoji, by := range voices {
		out.React = append(out.React, Reaction{emoji, by})
	}
	sortReactions(out.React)
	return out, nil
}

// Find returns a message that is held and counts.
func (j *Journal) Find(ref message.Ref) (line Line, ok bool, err error) {
	lines, err := j.FindAll([]message.Ref{ref})
	if err != nil || len(lines) == 0 {
		return line, false, err
	}
	return lines[0], true, nil
}

// FindAll returns those that are held and count. A run is read once for all that follow each other in it.
func (j *Journal) FindAll(refs []message.Ref) (lines []Line, err error) {
	var run []Line // that was read last
	for _, ref := range refs {
		if n := len(run); n == 0 || run[0].Log != ref.Log || ref.Seq < run[0].Seq || ref.Seq > run[n-1].Seq {
			l, held, err := j.lookup(ref.Log)
			if err != nil {
				return nil, err
			}
			if !held || ref.Seq < 1 || ref.Seq > l.Seq {
				continue
			}
			if run, err = j.runLines(&l, ref.Seq); err != nil {
				return nil, err
			}
			if len(run) == 0 {
				continue
			}
		}
		if line := run[ref.Seq-run[0].Seq]; line.ID == ref.ID {
			lines = append(lines, line)
		}
	}
	if err := j.unseal(lines); err != nil {
		return nil, err
	}
	return lines, j.mark(lines)
}

// Edits returns the places of all edits of a line by its author that are held: what is to be deleted with it.
func (j *Journal) Edits(l Line) (refs []message.Ref, err error) {
	at := spot{l.Log, l.Seq}
	j.mu.RLock()
	list := slices.Clone(j.fresh[at])
	j.mu.RUnlock()
	held, err := j.store.marks(at)
	if err != nil {
		return nil, j.fault(err)
	}
	kept := 0
	for _, m := range append(list, held...) {
		if m.kind != message.Edit || m.author != l.Author || m.id != l.ID {
			continue
		}
		kept++
		if hash, ok := j.Hash(m.Log, m.Seq); ok {
			refs = append(refs, message.Ref{Log: m.Log, Seq: m.Seq, ID: hash.ID()})
		}
	}
	if kept < keptRivals {
		return refs, nil
	}
	older, err := j.olderEdits(l)
	for _, ref := range older {
		if !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs, err
}

// olderEdits reads all that the author of a line said in its room since, for edits, those too of which no mark is kept any more: it is rare that somebody changes a line so often.
func (j *Journal) olderEdits(l Line) (refs []message.Ref, err error) {
	of, held, err := j.lookup(l.Log)
	if err != nil || !held {
		return nil, err
	}
	var lines []Line
	err = j.store.eachRun("log CROSS JOIN run ON run.log=log.id WHERE log.grp=? AND log.day>=? AND log.author=? AND log.room=?", []any{of.Group[:], max(of.Day, 1) - 1, l.Author[:], l.Room[:]},
		func(l *state, run *message.Run, arrival int64) {
			lines = append(lines, slices.DeleteFunc(l.lines(run, arrival), func(l Line) bool { return l.Kind != message.Edit && l.Kind != message.Sealed })...)
		})
	if err != nil {
		return nil, j.fault(err)
	}
	if err := j.unseal(lines); err != nil {
		return nil, err
	}
	for i := range lines {
		if a, ok := message.ParseAbout(lines[i].Kind, lines[i].Body); ok && lines[i].Kind == message.Edit && a.Refs[0] == l.Ref() {
			refs = append(refs, lines[i].Ref())
		}
	}
	return refs, nil
}

// HalfDeleted returns messages of an author that are deleted, though edits of them are not: another process of theirs made those, which did not know of it, nor did the one that deleted them know of these. They are not
// shown, but their bodies are kept until the author deletes them (Edits).
func (j *Journal) HalfDeleted(author identity.PeerID) (refs []message.Ref, err error) {
	if !j.half.Swap(false) {
		return nil, nil
	}
	refs, err = j.store.refs("SELECT DISTINCT r.target, r.at, r.id FROM "+half, message.Edit, message.Redact, author[:])
	if len(refs) > 0 || err != nil {
		j.half.Store(true)
	}
	return refs, j.fault(err)
}

// Deleted returns what an author has deleted, held or not.
func (j *Journal) Deleted(author identity.PeerID) (refs []message.Ref, err error) {
	refs, err = j.store.refs("SELECT target, at, id FROM mark WHERE kind=? AND author=?", message.Redact, author[:])
	return refs, j.fault(err)
}

// Topic returns the message that says what a room is about, if there is one.
func (j *Journal) Topic(room message.RoomID) (line Line, ok bool, err error) {
	at := spot{log: message.LogID(room)}
	j.mu.RLock()
	list := slices.Clone(j.fresh[at])
	j.mu.RUnlock()
	held, err := j.store.marks(at)
	if err != nil {
		return line, false, j.fault(err)
	}
	list = append(list, held...)
	sort.Slice(list, func(i, j int) bool { return list[i].before(&list[j]) })
	for _, m := range list {
		hash, ok := j.Hash(m.Log, m.Seq)
		if !ok {
			continue // past a fork
		}
		line, ok, err := j.Find(message.Ref{Log: m.Log, Seq: m.Seq, ID: hash.ID()})
		if err != nil {
			return line, false, err
		}
		if ok && line.Room == room && line.Body != nil && !line.Marks.Redacted {
			return line, true, nil
		}
	}
	return line, false, nil
}

// lineAt returns message seq of l, at most l.Seq, without its marks.
func (j *Journal) lineAt(l *state, seq uint64) (line Line, ok bool, err error) {
	run, err := j.runLines(l, seq)
	if err != nil || len(run) == 0 {
		return line, false, err
	}
	one := []Line{run[seq-run[0].Seq]}
	err = j.unseal(one)
	return one[0], err == nil, err
}

// runLines returns the lines of the run that has message seq of l, at most l.Seq, as they are held; none where they were forgotten.
func (j *Journal) runLines(l *state, seq uint64) ([]Line, error) {
	run, err := j.runAt(l, seq)
	if err == errForgotten {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l.lines(run, 0), nil
}

// freshLocked takes note of what an item's records say, until that is in the store.
func (j *Journal) freshLocked(l *state, run *message.Run, open *opened, arrival int64) {
	s := l.speaker()
	for i := range run.Records {
		at := Key{HLC: run.Records[i].HLC, Log: l.Log, Seq: run.First + uint64(i)}
		marks := s.marks(at, &run.Records[i])
		if open != nil {
			if what, ok := open.at(at.Seq); ok {
				marks = s.marksIn(at, what)
			}
		}
		for _, m := range marks {
			j.fresh[m.target] = append(j.fresh[m.target], m)
			j.freshest = append(j.freshest, freshMark{m.target, arrival})
		}
	}
}

type freshMark struct {
	target  spot
	arrival int64
}

// indexedLocked forgets the marks that are in the store by now. Those of one target came in the order of arrival.
func (j *Journal) indexedLocked(watermark int64) {
	n := 0
	for ; n < len(j.freshest) && j.freshest[n].arrival <= watermark; n++ {
		at := j.freshest[n].target
		if j.fresh[at] = j.fresh[at][1:]; len(j.fresh[at]) == 0 {
			delete(j.fresh, at)
		}
	}
	j.freshest = j.freshest[n:]
}

// marked adds to out the messages in these spans of logs that have marks, and of each log that has any the first: a log may have thousands.
func (s *store) marked(logs []message.LogID, spans map[message.LogID]span, out map[spot]bool) error {
	var args []any
	for i := range logs {
		r := spans[logs[i]]
		args = append(args, logs[i][:], r.first, r.last)
	}
	return s.each("WITH span(log, low, high) AS (VALUES (?,?,?)"+strings.Repeat(",(?,?,?)", len(logs)-1)+`) SELECT target, at FROM span CROSS JOIN mark ON target=log AND at BETWEEN low AND high
		UNION SELECT target, at FROM (SELECT log AS target, (SELECT min(at) FROM mark WHERE target=log) AS at FROM span) WHERE at IS NOT NULL`, args, func(rows *sql.Rows) error {
		var at spot
		if err := rows.Scan(fixed(at.log[:]), &at.seq); err != nil {
			return err
		}
		out[at] = true
		return nil
	})
}

// marks reads the marks of a target.
func (s *store) marks(at spot) (out []mark, err error) {
	err = s.each("SELECT kind, author, emoji, hlc, lid, seq, id, yes FROM mark WHERE target=? AND at=? ORDER BY row_number() OVER (PARTITION BY kind, author ORDER BY hlc DESC, lid DESC, seq DESC) LIMIT ?",
		[]any{at.log[:], at.seq, maxMarks}, func(rows *sql.Rows) error {
			m := mark{target: at}
			defer func() { out = append(out, m) }()
			return rows.Scan(&m.kind, fixed(m.author[:]), &m.emoji, &m.HLC, fixed(m.Log[:]), &m.Seq, fixed(m.id[:]), &m.on)
		})
	return out, err
}

// half is what stands FROM on: e is an edit of a message that r deletes, and that is not deleted itself.
const half = `mark AS r CROSS JOIN mark AS e ON e.target=r.target AND e.at=r.at AND e.kind=?1 AND e.author=r.author AND e.id=r.id CROSS JOIN log AS l ON l.lid=e.lid CROSS JOIN log AS t ON t.lid=r.target
	WHERE r.kind=?2 AND r.author=?3 AND l.room=t.room AND (l.fork=0 OR e.seq<l.fork) AND NOT EXISTS (SELECT 1 FROM mark AS m WHERE m.target=e.lid AND m.at=e.seq AND m.kind=r.kind AND m.author=r.author)`

// refs reads what names messages.
func (s *store) refs(query string, args ...any) (refs []message.Ref, err error) {
	err = s.each(query, args, func(rows *sql.Rows) error {
		var ref message.Ref
		defer func() { refs = append(refs, ref) }()
		return rows.Scan(fixed(ref.Log[:]), &ref.Seq, fixed(ref.ID[:]))
	})
	return refs, err
}

// halves reports whether some of marks, which were added, have left a message half deleted.
func halves(tx *sql.Tx, marks []mark) (yes bool, err error) {
	for i := range marks {
		m := &marks[i]
		if m.kind != message.Edit && m.kind != message.Redact {
			continue
		}
		err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM "+half+" AND r.target=?4 AND r.at=?5)", message.Edit, message.Redact, m.author[:], m.target.log[:], m.target.seq).Scan(&yes)
		if yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

// putMarks adds marks.
func putMarks(tx *sql.Tx, marks []mark) error {
	for i := range marks {
		m := &marks[i]
		if _, err := tx.Exec("INSERT OR IGNORE INTO mark VALUES (?,?,?,?,?,?,?,?,?,?)", m.target.log[:], m.target.seq, m.kind, m.author[:], m.emoji, m.HLC, m.Log[:], m.Seq, m.id[:], m.on); err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM mark WHERE target=?1 AND at=?2 AND kind=?3 AND author=?4 AND emoji=?5 AND (hlc, lid, seq) <
			(SELECT hlc, lid, seq FROM mark WHERE target=?1 AND at=?2 AND kind=?3 AND author=?4 AND emoji=?5 ORDER BY hlc DESC, lid DESC, seq DESC LIMIT 1 OFFSET ?6)`,
			m.target.log[:], m.target.seq, m.kind, m.author[:], m.emoji, keptRivals-1); err != nil {
			return err
		}
		if m.kind != message.React {
			continue
		}
		if _, err := tx.Exec(`DELETE FROM mark WHERE target=?1 AND at=?2 AND kind=?3 AND author=?4 AND (hlc, lid, seq) <
			(SELECT hlc, lid, seq FROM mark WHERE target=?1 AND at=?2 AND kind=?3 AND author=?4 ORDER BY hlc DESC, lid DESC, seq DESC LIMIT 1 OFFSET ?5)`,
			m.target.log[:], m.target.seq, m.kind, m.author[:], keptReactions-1); err != nil {
			return err
		}
	}
	return nil
}

// dropMarks deletes marks.
func dropMarks(tx *sql.Tx, marks []mark) error {
	for i := range marks {
		m := &marks[i]
		if _, err := tx.Exec("DELETE FROM mark WHERE target=? AND at=? AND kind=? AND author=? AND emoji=? AND hlc=? AND lid=? AND seq=?",
			m.target.log[:], m.target.seq, m.kind, m.author[:], m.emoji, m.HLC, m.Log[:], m.Seq); err != nil {
			return err
		}
	}
	return nil
}
