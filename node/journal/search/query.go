package search

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"earshot/node/message"
)

// Limits of a query.
const (
	maxQuery = 1024 // bytes
	maxWords = 16
)

// A Query is what is looked for: messages that hold all words, in any order and letter case, also inside of other words.
type Query struct {
	words         []string         // folded
	room          string           // what the only room is called, as message.CleanRoom makes it, "@nick", or a name with a tag
	rooms         []message.RoomID // which are called so
	nick, tag     string           // folded; of the only author. The tag, if any, is what nicks that are alike are told apart by: whoever knows the authors goes by it
	after, before time.Time
}

// ErrQuery is wrapped by the errors of Parse: their text tells the user.
var ErrQuery = errors.New("the search is not understood")

// Parse reads a query: words, "several words as they stand", from:NICK, also as alice~7Q2K, in:#ROOM, in:@NICK, after:DATE and before:DATE, where DATE is 2026-11-20: that day or later, and
// earlier than that day, in the zone of loc. A quotation that does not end goes to the end. Of the rooms that in: may mean only the public one is known here: Also adds others.
func Parse(s string, loc *time.Location) (Query, error) {
	var q Query
	if len(s) > maxQuery {
		return q, fmt.Errorf("%w: it has more than %d bytes", ErrQuery, maxQuery)
	}
	s, _ = message.CleanText(s)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeftFunc(s, unicode.IsSpace) {
		var word string
		quoted := s[0] == '"'
		if quoted {
			word, s, _ = strings.Cut(s[1:], `"`)
		} else if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
			word, s = s[:i], s[i:]
		} else {
			word, s = s, ""
		}
		if name, value, ok := strings.Cut(word, ":"); ok && !quoted && value != "" {
			known, err := q.limit(strings.ToLower(name), value, loc)
			if err != nil {
				return Query{}, err
			}
			if known {
				continue
			}
		}
		if word = folded(word); strings.TrimSpace(word) == "" {
			continue
		}
		if q.words = append(q.words, word); len(q.words) > maxWords {
			return Query{}, fmt.Errorf("%w: it has more than %d words", ErrQuery, maxWords)
		}
	}
	return q, nil
}

// limit takes name:value, where name is one of those that are known.
func (q *Query) limit(name, value string, loc *time.Location) (known bool, err error) {
	switch name {
	case "from":
		nick, tag, _ := strings.Cut(strings.TrimPrefix(value, "@"), "~") // no nick has one
		if q.nick, q.tag = folded(nick), folded(tag); q.nick == "" {
			return true, fmt.Errorf("%w: from:%s is nobody", ErrQuery, value)
		}
	case "in":
		if *q, err = q.In(value); err != nil {
			return true, fmt.Errorf("%w: in:%s: %w", ErrQuery, value, err)
		}
	case "after", "before":
		day, err := time.ParseInLocation(time.DateOnly, value, loc)
		if err != nil {
			return true, fmt.Errorf("%w: %s:%s is not a day like 2026-11-20", ErrQuery, name, value)
		}
		if name == "after" {
			q.after = day
		} else {
			q.before = day
		}
	default:
		return false, nil
	}
	return true, nil
}

// In returns q for one room alone, by what it is called: #build, plans~7Q2K for one that shares its name, or @bob.
func (q Query) In(room string) (Query, error) {
	if nick, direct := strings.CutPrefix(room, "@"); direct && nick != "" {
		q.room, q.rooms = "@"+nick, nil
		return q, nil
	}
	name, tag, tagged := strings.Cut(room, "~")
	name, err := message.CleanRoom(name)
	if err != nil {
		return q, err
	}
	if tagged {
		q.room, q.rooms = "#"+name+"~"+tag, nil
		return q, nil
	}
	q.room, q.rooms = "#"+name, []message.RoomID{message.Room(name)}
	return q, nil
}

// Room returns what the only room is called, with # or @; empty: all rooms are meant.
func (q *Query) Room() string { return q.room }

// Also returns q for these rooms, too, which are called so and not public.
func (q Query) Also(rooms ...message.RoomID) Query {
	q.rooms = append(slices.Clip(q.rooms), rooms...)
	return q
}

// By reports whether an author with that tag may be meant.
func (q *Query) By(tag string) bool { return q.tag == "" || q.tag == folded(tag) }

// FromAnyone returns q for whatever author.
func (q Query) FromAnyone() Query {
	q.nick = ""
	return q
}

// Empty reports whether nothing is looked for.
func (q *Query) Empty() bool {
	return len(q.words) == 0 && q.nick == "" && q.room == "" && q.after.IsZero() && q.before.IsZero()
}

// Covers reports whether a message may be looked at: by its room, its author's nick and its time.
func (q *Query) Covers(room message.RoomID, nick string, hlc uint64) bool {
	t := time.UnixMilli(int64(hlc >> 16))
	return (q.room == "" || slices.Contains(q.rooms, room)) && (q.nick == "" || folded(nick) == q.nick) &&
		(q.after.IsZero() || !t.Before(q.after)) && (q.before.IsZero() || t.Before(q.before))
}

// reach is how far above its time a message may be: as far as whoever did not flood the index can have been moved.
const reach = 1024

// slotAfter and slotBefore are the slots between which everything is, give or take those that were moved.
func (q *Query) slotAfter() int64 {
	if q.after.IsZero() {
		return 0
	}
	return slotAt(q.after)
}

func (q *Query) slotBefore() int64 {
	if q.before.IsZero() {
		return math.MaxInt64
	}
	return slotAt(q.before) + reach
}

func slotAt(t time.Time) int64 { return max(t.UnixMilli(), 0) >> 6 }

// short reports whether there is a word of one or two letters of which most texts have some: of scripts that have thousands of letters none is so common.
func (q *Query) short() bool {
	for _, w := range q.words {
		if r := []rune(w); len(r) < 3 && r[0] < '\u2e80' {
			return true
		}
	}
	return false
}

// Expression is what FTS5 is asked in the end.
func (q *Query) Expression() string { return q.expression(true) }

// expression says in FTS5's words what must be there. Of a long word every third trigram and the last are enough: the fewer lists are walked, the sooner it is found, and
// its text is looked at in any case. Words of one and two letters are left out unless whole.
func (q *Query) expression(whole bool) string {
	var terms []string
	if q.room != "" {
		terms = append(terms, q.inRooms())
	}
	if q.nick != "" {
		terms = append(terms, nickTerm(q.nick))
	}
	for _, w := range q.words {
		runes := []rune(w)
		last := len(runes) - 3
		if last < 0 {
			if whole {
				terms = append(terms, `"`+bytesOf(runes)+`"*`)
			}
			continue
		}
		for i := 0; i < last; i += 3 {
			terms = append(terms, `"`+bytesOf(runes[i:i+3])+`"`)
		}
		terms = append(terms, `"`+bytesOf(runes[last:])+`"`)
	}
	return strings.Join(terms, " AND ")
}

// inRooms is what FTS5 is asked for one of the rooms.
func (q *Query) inRooms() string {
	var terms []string
	for _, r := range q.rooms {
		terms = append(terms, roomTerm(r))
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// nowhere reports whether no room is called as it says.
func (q *Query) nowhere() bool { return q.room != "" && len(q.rooms) == 0 }

func bytesOf(runes []rune) string {
	b := make([]byte, 0, utf8.UTFMax*len(runes))
	for _, r := range runes {
		b = put(b, r)
	}
	return string(b)
}
