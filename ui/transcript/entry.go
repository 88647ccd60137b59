package transcript

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"earshot/node"
	"earshot/node/identity"
	"earshot/node/message"
	"earshot/ui/cell"
)

// kind says what an entry is.
type kind uint8

const (
	said     kind = iota // a message
	action               // "/me …"
	event                // something that happened: a line of the program's own, dim
	answer               // what the user asked for
	problem              // what went wrong, with a hint
	presence             // a run of people coming and going
	late                 // a count of messages that arrived late, further up
)

// entry is one thing in the list. Its text is as cell.Clean leaves it.
type entry struct {
	kind kind
	// key is the message's place. What is not a message has that of the message it stands behind; a pending line stands last.
	key     node.Key
	id      message.ID // zero: not a message, or pending
	at      time.Time
	nick    string
	author  identity.PeerID
	text    string
	tabbed  string // text with the tabs that were said; empty: there are none
	hint    string
	mine    bool
	pending bool  // typed here, not yet told back by the node
	live    bool  // said while this process ran: its delivery is worth showing
	copies  int   // machines that have it, as far as known
	all     bool  // there are no more machines
	lost    bool  // it will not be delivered
	read    bool  // the other of a conversation has read it
	me      []cut // where the user is named
	moves   []move
	count   int

	of        message.Kind
	edited    bool
	redacted  bool
	reactions string
	quotes    message.ID // what it answers
	quote     string

	drawn drawn
}

// cut is a stretch of an entry's text.
type cut struct{ start, end int }

// move is what one person did during a run.
type move struct {
	id          identity.PeerID
	nick        string
	first, last node.PeerState
}

// displayed reports whether messages of that kind are shown by this version.
func displayed(k message.Kind) bool {
	return k == message.Text || k == message.Action || k == message.Topic || k == message.Reply
}

func fromMessage(m node.Message, me string) *entry {
	e := &entry{id: m.ID, key: m.Key, at: m.At, nick: cell.Line(m.Nick), author: m.Author, mine: m.Mine, copies: m.Copies, all: m.All, read: m.Read, of: m.Kind}
	switch m.Kind {
	case message.Action:
		e.kind = action
	case message.Topic:
		e.kind = event
	}
	if e.quotes = m.Quote.ID; e.quotes != (message.ID{}) {
		e.quoting(m.Quote.Nick, m.Quote.Text)
	}
	e.set(m, me)
	return e
}

// deleted stands where the text of a message was.
const deleted = "message deleted"

// set takes over what became of a message.
func (e *entry) set(m node.Message, me string) {
	e.text, e.edited, e.redacted, e.me, e.drawn = cell.Clean(m.Text), m.Edited, m.Redacted, nil, drawn{}
	if e.tabbed = ""; strings.Contains(m.Text, "\t") && !e.redacted && e.of != message.Topic {
		e.tabbed = cell.CleanTabs(m.Text)
	}
	if e.redacted {
		e.text = deleted
	}
	if e.of == message.Topic {
		e.text = e.nick + " set the topic: " + strings.ReplaceAll(e.text, "\n", " ")
	}
	if !m.Mine && e.kind != event && !e.redacted {
		e.me = named(e.text, me)
	}
	var shown []string
	for _, r := range m.Reactions {
		shown = append(shown, fmt.Sprintf("%s %d", cell.Line(r.Emoji), r.Count))
	}
	e.reactions = strings.Join(shown, "  ")
}

// quoting takes over what stands above an answer. Without a nick it is not known what it answers: that has not come yet, or is not kept any more.
func (e *entry) quoting(nick, text string) {
	e.drawn = drawn{}
	switch text, _, _ = strings.Cut(text, "\n"); {
	case nick == "":
		e.quote = "a message that is not here"
	case text == "":
		e.quote = cell.Line(nick + " · " + deleted)
	default:
		e.quote = cell.Line(nick + ": " + text)
	}
}

// named finds nick as a word of its own in text, in any letter case.
func named(text, nick string) []cut {
	var found []cut
	for i := 0; nick != "" && i+len(nick) <= len(text); {
		_, n := utf8.DecodeRuneInString(text[i:])
		end := i + len(nick)
		if !strings.EqualFold(text[i:end], nick) || wordBefore(text[:i]) || wordAfter(text[end:]) {
			i += n
			continue
		}
		start := i
		if start > 0 && text[start-1] == '@' {
			start--
		}
		found = append(found, cut{start, end})
		i = end
	}
	return found
}

// Mentions reports whether text names nick.
func Mentions(text, nick string) bool { return len(named(text, nick)) > 0 }

func wordBefore(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && inWord(r)
}

func wordAfter(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && inWord(r)
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// add puts what someone did into a run.
func (e *entry) add(p node.PeerChanged) {
	nick := cell.Line(p.Nick)
	if i := slices.IndexFunc(e.moves, func(m move) bool { return m.id == p.ID && m.nick == nick }); i >= 0 {
		e.moves[i].last = p.State
	} else {
		e.moves = append(e.moves, move{p.ID, nick, p.State, p.State})
	}
	e.text = runText(e.moves)
}

// runText says in one line who came and went.
func runText(moves []move) string {
	var parts []string
	for _, what := range []struct {
		first, last node.PeerState
		words       string
	}{
		{node.Joined, node.Joined, "joined"},
		{node.Left, node.Left, "left"},
		{node.Joined, node.Left, "came and went"},
		{node.Left, node.Joined, "left and returned"},
	} {
		var who []string
		for _, m := range moves {
			if m.first == what.first && m.last == what.last {
				who = append(who, m.nick)
			}
		}
		if len(who) > 0 {
			parts = append(parts, list(who)+" "+what.words)
		}
	}
	return strings.Join(parts, ", ")
}

// list names the first few: "a", "a and b", "a, b and c", "a, b and 3 others".
func list(who []string) string {
	switch n := len(who); {
	case n == 1:
		return who[0]
	case n <= 3:
		return strings.Join(who[:n-1], ", ") + " and " + who[n-1]
	default:
		return fmt.Sprintf("%s, %s and %d others", who[0], who[1], n-2)
	}
}

func lateText(n int) string {
	if n == 1 {
		return "1 earlier message arrived"
	}
	return fmt.Sprintf("%d earlier messages arrived", n)
}
