package transcript

import (
	"slices"

	"earshot/node"
	"earshot/node/message"
)

// Older reports that the user has come near the oldest entry and that there may be older ones, and the key before which they are wanted.
func (l *List) Older() (node.Key, bool) { return l.oldest(), l.wanted && !l.exhausted }

func (l *List) oldest() node.Key {
	for _, e := range l.entries {
		if e.id != (message.ID{}) {
			return e.key
		}
	}
	return node.Key{}
}

// Prepend adds a page of older messages, oldest first. An empty page says that there is nothing older.
func (l *List) Prepend(page []node.Message, me string) {
	l.wanted = false
	if len(page) == 0 {
		l.exhausted = true
		return
	}
	for _, m := range page {
		if l.byID[m.ID] == nil && Displayed(m.Kind) {
			l.insert(fromMessage(m, me), true)
		}
	}
	l.trim()
}

// Newest reports that the user is at the end of what is kept but that newer messages were let go: the newest page is wanted.
func (l *List) Newest() bool { return l.cutOff && l.follow }

// Replace forgets all messages for the newest page; what the program itself said last, and what is pending, stays.
func (l *List) Replace(page []node.Message, me string) {
	tail := len(l.entries)
	for tail > 0 && l.entries[tail-1].id == (message.ID{}) {
		tail--
	}
	kept := slices.Clone(l.entries[tail:])
	l.entries, l.byID, l.cutOff, l.exhausted, l.unread = kept, map[message.ID]*entry{}, false, false, nil
	l.Prepend(page, me)
	l.exhausted = false
}

// trim keeps the list within its limit: it lets go the end that the user is further away from.
func (l *List) trim() {
	slack := l.limit/20 + 1
	if len(l.entries) <= l.limit+slack {
		return
	}
	excess := len(l.entries) - l.limit
	if at := l.index(l.anchor); !l.follow && at < len(l.entries)/2 {
		l.cutOff = true
		keep := min(max(l.limit-l.pending, at+l.height+1), len(l.entries)-l.pending)
		l.forget(l.entries[keep : len(l.entries)-l.pending])
		l.entries = slices.Delete(l.entries, keep, len(l.entries)-l.pending)
		return
	}
	l.exhausted = false
	l.forget(l.entries[:excess])
	l.entries = slices.Delete(l.entries, 0, excess)
}

func (l *List) forget(gone []*entry) {
	for _, e := range gone {
		delete(l.byID, e.id)
	}
}
