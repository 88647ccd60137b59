package plain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// The objects of --json, one a line: fields are only ever added, and their order is kept. t is when it was printed, at when it was said, both
// RFC 3339 in UTC with milliseconds. People are named by their fingerprints, messages by the hex of their ids.
type (
	// object is what they have in common.
	object struct {
		T     string `json:"t"`
		Event string `json:"event"`
	}
	// inRoom is what somebody does in a room, and aboutOne what they do about one message there.
	inRoom struct {
		object
		Room string `json:"room"`
		Nick string `json:"nick"`
		ID   string `json:"id"`
	}
	aboutOne struct {
		object
		Room   string `json:"room"`
		Nick   string `json:"nick"`
		Author string `json:"author"`
		ID     string `json:"id"` // of the message
	}
	ready struct {
		object
		Me      string `json:"me"`
		ID      string `json:"id"`
		Session string `json:"session"`
		Port    int    `json:"port"`
		Network string `json:"network"`
		Closed  bool   `json:"closed"`
	}
	hub struct { // state: searching, linked, serving, lost
		object
		State string `json:"state"`
		Hub   string `json:"hub"`    // empty while none is known
		HubID string `json:"hub_id"` // likewise
		Term  uint64 `json:"term"`
	}
	peer struct { // state: joined, left, away, back
		object
		State string `json:"state"`
		Nick  string `json:"nick"`
		ID    string `json:"id"`
		Peers int    `json:"peers"`         // here, this one included
		Why   string `json:"why,omitempty"` // of away, as they said
	}
	typing struct {
		inRoom
		On bool `json:"on"` // false: no longer
	}
	said struct {
		aboutOne
		Text    *string `json:"text,omitempty"` // a server-only box leaves it out
		At      string  `json:"at"`
		Mine    bool    `json:"mine"`
		History bool    `json:"history"`
		Sealed  bool    `json:"sealed,omitempty"` // end-to-end encrypted
		Kind    string  `json:"kind,omitempty"`   // action, topic; none: text
		Again   string  `json:"again,omitempty"`  // id of an own message that this one says again

		ReplyTo   string     `json:"reply_to,omitempty"` // id of what it answers
		Edited    bool       `json:"edited,omitempty"`   // text is what its author changed it to
		Redacted  bool       `json:"redacted,omitempty"` // its author deleted it: text is empty
		Reactions []reaction `json:"reactions,omitempty"`
		Verified  bool       `json:"verified,omitempty"` // the author's fingerprint was compared
	}
	mark struct { // what the user made of a person
		object
		Nick     string `json:"nick"`
		ID       string `json:"id"`
		Verified bool   `json:"verified"`
		Ignored  bool   `json:"ignored"` // what they say and do is not told
	}
	reaction struct {
		Emoji string `json:"emoji"`
		Count int    `json:"count"`
		Mine  bool   `json:"mine"`
	}
	changed struct { // edited, redacted
		aboutOne
		Text      *string    `json:"text,omitempty"`      // of edited, but not on a server-only box
		Reactions []reaction `json:"reactions,omitempty"` // of edited, if it has any
	}
	reacted struct { // its author is who reacted
		aboutOne
		Emoji string `json:"emoji"`
		On    bool   `json:"on"`    // false: taken back
		Count int    `json:"count"` // people who show it now
	}
	topic struct {
		object
		Room   string  `json:"room"`
		Text   *string `json:"text,omitempty"` // empty: it has none any more; not on a server-only box
		Nick   string  `json:"nick"`
		Author string  `json:"author"`
		At     string  `json:"at"`
	}
	delivered struct {
		object
		ID     string `json:"id"`
		Copies int    `json:"copies"` // machines that have it, this one included; 0: it will not be delivered
	}
	withdrawn struct {
		aboutOne
		Again bool `json:"again,omitempty"` // its author has said it again
	}
	renamed struct {
		object
		Old  string `json:"old"`
		Nick string `json:"nick"`
		ID   string `json:"id"`
	}
	answered struct { // to an invitation, or later
		inRoom
		Yes bool `json:"yes"` // false: declined, or left
	}
	members struct { // of a private room, that are others now
		object
		Room  string  `json:"room"`
		Added []named `json:"added,omitempty"`
		Taken []named `json:"taken,omitempty"`
		Owner *named  `json:"owner,omitempty"` // where it is another
		Out   bool    `json:"out,omitempty"`   // this person is no longer one
	}
	named struct {
		Nick string `json:"nick"`
		ID   string `json:"id"`
	}
	roomRenamed struct {
		object
		Old  string `json:"old"`
		Room string `json:"room"`
	}
	notice struct {
		object
		Text string `json:"text"`
		Hint string `json:"hint"`
	}
)

// appendJSON appends the line for an event that happened at t; nothing for an event that has none. server leaves the words of messages out.
func appendJSON(b []byte, t time.Time, e node.Event, server bool) ([]byte, error) {
	v := jsonOf(stamp(t), e, server)
	if v == nil {
		return b, nil
	}
	return appendObject(b, v)
}

func appendObject(b []byte, v any) ([]byte, error) {
	out := bytes.NewBuffer(b)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false) // this is no web page, and <b> is easier to grep for
	err := enc.Encode(v)
	return out.Bytes(), err
}

func jsonOf(t string, e node.Event, server bool) any {
	where := func(event, room, nick, who string) inRoom {
		return inRoom{object{t, event}, oneLine(room), oneLine(nick), who}
	}
	of := func(event, room, nick, who string, m message.ID) aboutOne {
		return aboutOne{object{t, event}, oneLine(room), oneLine(nick), who, hex.EncodeToString(m[:])}
	}
	switch e := e.(type) {
	case node.Ready:
		return ready{object{t, "ready"}, oneLine(e.Nick), e.ID.Fingerprint(), e.Session.String(), e.Port, oneLine(e.Network), e.Closed}
	case node.HubChanged:
		h := hub{object: object{t, "hub"}, State: string(e.State), Hub: oneLine(e.Hub), Term: e.Term}
		if none := (node.HubChanged{}); e.HubID != none.HubID {
			h.HubID = e.HubID.Fingerprint()
		}
		return h
	case node.PeerChanged:
		return peer{object{t, "peer"}, string(e.State), oneLine(e.Nick), e.ID.Fingerprint(), e.Peers, oneLine(e.Why)}
	case node.TypingChanged:
		return typing{where("typing", e.Room, e.Nick, e.ID.Fingerprint()), e.On}
	case node.Said:
		s := said{aboutOne: of("message", e.Room, e.Nick, e.Author.Fingerprint(), e.ID), At: stamp(e.At), Mine: e.Mine, History: e.History, Sealed: e.Sealed, Kind: kind(e.Kind)}
		if e.Again != (message.ID{}) {
			s.Again = hex.EncodeToString(e.Again[:])
		}
		s.Text = words(e.Text, server)
		if e.Quote.ID != (message.ID{}) {
			s.ReplyTo = hex.EncodeToString(e.Quote.ID[:])
		}
		s.Edited, s.Redacted = e.Edited, e.Redacted
		s.Reactions, s.Verified = reactions(e.Message), e.Verified
		return s
	case node.Edited:
		return changed{of("edited", e.Room, e.Nick, e.Author.Fingerprint(), e.ID), words(e.Text, server), reactions(e.Message)}
	case node.Redacted:
		return changed{of("redacted", e.Room, e.Nick, e.Author.Fingerprint(), e.ID), nil, nil}
	case node.Reacted:
		return reacted{of("reaction", e.Room, e.By, e.ByID.Fingerprint(), e.ID), oneLine(e.Emoji), e.On, shown(e)}
	case node.TopicChanged:
		return topic{object{t, "topic"}, oneLine(e.Room), words(e.Text, server), oneLine(e.Nick), e.Author.Fingerprint(), stamp(e.At)}
	case node.Delivered:
		return delivered{object{t, "delivery"}, hex.EncodeToString(e.ID[:]), e.Copies}
	case node.Withdrawn:
		return withdrawn{of("withdrawn", e.Room, e.Nick, e.Author.Fingerprint(), e.ID), e.Restated}
	case node.Renamed:
		return renamed{object{t, "renamed"}, oneLine(e.Old), oneLine(e.New), e.ID.Fingerprint()}
	case node.RoomRenamed:
		return roomRenamed{object{t, "room-renamed"}, oneLine(e.Old), oneLine(e.New)}
	case node.Invited:
		return where("invite", e.Room, e.By.Nick, e.By.ID.Fingerprint())
	case node.Answered:
		return answered{where("answer", e.Room, e.By.Nick, e.By.ID.Fingerprint()), e.Yes}
	case node.Members:
		m := members{object: object{t, "members"}, Room: oneLine(e.Room), Added: people(e.Added), Taken: people(e.Taken), Out: e.Out}
		if e.Owner != (node.Named{}) {
			m.Owner = &people([]node.Named{e.Owner})[0]
		}
		return m
	case node.Read:
		return of("read", e.Room, e.By.Nick, e.By.ID.Fingerprint(), e.ID)
	case node.Notice:
		return notice{object{t, "notice"}, clean(e.Text), clean(e.Hint)}
	case node.Marked:
		return mark{object{t, "mark"}, oneLine(e.Nick), e.ID.Fingerprint(), e.Verified, e.Ignored}
	case node.CaughtUp:
		return object{t, "caught-up"}
	case node.RealmChanged:
		return object{t, "realm"}
	}
	return nil
}

// words is what someone wrote, which a box keeps to itself.
func words(s string, server bool) *string {
	if s = clean(s); server {
		return nil
	}
	return &s
}

func people(list []node.Named) (out []named) {
	for _, p := range list {
		out = append(out, named{oneLine(p.Nick), p.ID.Fingerprint()})
	}
	return out
}

func reactions(m node.Message) (out []reaction) {
	for _, r := range m.Reactions {
		out = append(out, reaction{oneLine(r.Emoji), r.Count, r.Mine})
	}
	return out
}

// shown is how many people show the emoji by now.
func shown(e node.Reacted) int {
	for _, r := range e.Reactions {
		if r.Emoji == e.Emoji {
			return r.Count
		}
	}
	return 0
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func kind(k message.Kind) string {
	switch k {
	case message.Action:
		return "action"
	case message.Topic:
		return "topic"
	}
	return ""
}
