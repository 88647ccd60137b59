package storm

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
	"earshot/node/nodetest/instance"
)

// In a second room people answer, edit, delete and react, while everything else goes on. All replicas must show the same of it in the end, and have been told so; what is deleted must be on
// no disk. What was said there is no line: whether any of it is lost is not looked at.

// aboutRoom is that room.
const aboutRoom = "#about"

// abouts draws what is done there, each by the number in Step.N.
func (w *world) abouts(rng *rand.Rand) (steps []Step) {
	for host := range w.hosts {
		pace := time.Duration(500+rng.IntN(3000)) * time.Millisecond
		for at := time.Duration(rng.Int64N(int64(2 * time.Second))); at < w.c.Length; at += time.Duration(rng.ExpFloat64() * float64(pace)) {
			steps = append(steps, Step{At: at, Do: "about", Host: host, N: rng.IntN(1 << 20)})
		}
	}
	return steps
}

// about does one thing in that room.
func (r *run) about(n int) {
	if r.Snapshot().Undecided { // what is done here alone may stay with who did it, also where it is about what others have
		return
	}
	ctx := context.Background()
	page, err := r.Page(aboutRoom, node.Key{}, 12)
	if err != nil {
		return
	}
	var own []node.Message
	for _, m := range page {
		if m.Mine && !m.Redacted {
			own = append(own, m)
		}
	}
	what := n % 16
	text := fmt.Sprintf("%s.%d/%d", r.host.name, r.n, n)
	n /= 16
	switch any := func(of []node.Message) node.Message { return of[n%len(of)] }; {
	case what == 15:
		r.Do(ctx, node.SetTopic{Room: aboutRoom, Text: text})
	case what < 4 || len(page) == 0:
		r.Do(ctx, node.Say{Room: aboutRoom, Text: text})
	case what < 6:
		m := any(page)
		r.Do(ctx, node.Reply{To: m.Ref(), Text: text})
	case what < 9 && len(own) > 0:
		m := any(own)
		r.Do(ctx, node.Edit{Target: m.Ref(), Text: text})
	case what < 11 && len(own) > 0:
		m := any(own)
		if r.Do(ctx, node.Redact{Target: m.Ref()}) == nil {
			r.mu.Lock()
			r.redacted = append(r.redacted, m.ID)
			r.mu.Unlock()
		}
	default:
		m := any(page)
		r.Do(ctx, node.React{Target: m.Ref(), Emoji: []string{"👍", "👎"}[n/64%2]})
	}
}

// A view is what is to be the same everywhere of a message in that room.
type view struct {
	text, quote      string
	edited, redacted bool
	reactions        string
}

func viewOf(m node.Message, all bool) view {
	v := view{text: m.Text, edited: m.Edited, redacted: m.Redacted}
	if all { // an answer is not told again when what it answers changes
		v.quote = fmt.Sprintf("%x %s", m.Quote.ID, m.Quote.Text)
	}
	for _, r := range m.Reactions {
		v.reactions += fmt.Sprintf(" %s%d", r.Emoji, r.Count)
	}
	return v
}

// views returns what a node shows of that room.
func (w *world) views(i *instance.Instance) (order []message.ID, views map[message.ID]view) {
	page, err := i.Page(aboutRoom, node.Key{}, 1<<20)
	if err != nil {
		w.errorf("%s shows nothing: %v", i.Name, err)
	}
	views = map[message.ID]view{}
	for _, m := range page {
		order, views[m.ID] = append(order, m.ID), viewOf(m, true)
	}
	return order, views
}

// sameAbout reports whether all show the same. On the open network some show what was said alone, besides.
func (w *world) sameAbout(all []*instance.Instance) bool {
	first, want := w.views(all[0])
	for _, i := range all[1:] {
		order, views := w.views(i)
		if !w.c.Open && !slices.Equal(order, first) {
			return false
		}
		for id, v := range views {
			if o, ok := want[id]; ok && o != v {
				return false
			}
		}
	}
	return true
}

// aboutDifferences tells what is not the same.
func (w *world) aboutDifferences(all []*instance.Instance) {
	union := map[message.ID]bool{}
	var views []map[message.ID]view
	for _, i := range all {
		_, v := w.views(i)
		views = append(views, v)
		for id := range v {
			union[id] = true
		}
	}
	for id := range union {
		for k := range views {
			if views[k][id] != views[0][id] {
				for n, i := range all {
					w.logf("%s shows %x as %+v", i.Name, id, views[n][id])
				}
				break
			}
		}
	}
}

// aboutTold checks that what a node was told adds up to what it shows, that what was deleted is, and that it is on no disk.
func (w *world) aboutTold(h *host) {
	r := h.up()
	_, shown := w.views(r.Instance)
	told := map[message.ID]view{}
	for _, e := range r.Events() {
		switch e := e.(type) {
		case node.Said:
			told[e.ID] = viewOf(e.Message, false)
		case node.Edited:
			told[e.ID] = viewOf(e.Message, false)
		case node.Redacted:
			told[e.ID] = viewOf(e.Message, false)
		case node.Reacted:
			told[e.ID] = viewOf(e.Message, false)
		}
	}
	redacted := map[message.ID]bool{}
	for id, v := range shown {
		v.quote = ""
		if told[id] != v {
			w.errorf("%s shows %x as %+v, and told %+v", h.name, id, v, told[id])
		}
		redacted[id] = v.redacted
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.redacted {
		if is, ok := redacted[id]; ok && !is && r.copied.IsZero() {
			w.errorf("%s deleted %x, and shows it", h.name, id)
		}
	}
	w.until(settled, h.name+" has nothing that was deleted on its disk", func() bool { return !w.holdsAny(h, redacted) })
}

// holdsAny reports whether the body of any of these messages is on a disk.
func (w *world) holdsAny(h *host, redacted map[message.ID]bool) (holds bool) {
	for _, path := range stores(w.t, h.dir) {
		if w.c.Open && strings.Contains(path, "alone") {
			continue // of an earlier process, perhaps: it is not open any more when what it left is deleted
		}
		locked, err := readStore(path, "SELECT data FROM run", func(rows *sql.Rows) error {
			var data []byte
			if err := rows.Scan(&data); err != nil {
				return err
			}
			run, err := message.ParseRun(data)
			if err != nil {
				return err
			}
			for i, hash := range run.Hashes() {
				holds = holds || redacted[hash.ID()] && !run.Records[i].Redacted
			}
			return nil
		})
		if locked {
			return true // look again
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return holds
}
