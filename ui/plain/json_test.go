package plain

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"earshot/node"
	"earshot/node/message"
)

var (
	printed = time.Date(2026, 11, 20, 9, 1, 2, 345_678_901, time.FixedZone("", 3600))
	spoken  = time.Date(2026, 11, 20, 8, 0, 59, 5e6, time.UTC)
)

func message1(change func(*node.Said)) node.Said {
	s := node.Said{Message: node.Message{ID: message.ID{0xab, 15: 0x01}, Room: "#lobby", Kind: message.Text, Nick: "bob", Text: "hi <b> & you", At: spoken}}
	s.Author[0] = 1
	if change != nil {
		change(&s)
	}
	return s
}

// TestJSON holds the form that programs rely on: a line that changes here breaks them.
func TestJSON(t *testing.T) {
	some := node.HubChanged{State: node.Linked, Hub: "bob", Term: 3}
	some.HubID[0] = 1
	known := some.HubID.Fingerprint()
	zero := (node.HubChanged{}).HubID.Fingerprint()
	const at = `{"t":"2026-11-20T08:01:02.345Z","event":`
	const id = "ab000000000000000000000000000001"
	for name, c := range map[string]struct {
		event  node.Event
		server bool
		want   string
	}{
		"ready":         {event: node.Ready{Nick: "alice", Port: 4327, Network: "lobby", Session: [8]byte{0xc0, 7: 1}}, want: at + `"ready","me":"alice","id":"` + zero + `","session":"c000000000000001","port":4327,"network":"lobby","closed":false}`},
		"hub":           {event: some, want: at + `"hub","state":"linked","hub":"bob","hub_id":"` + known + `","term":3}`},
		"searching":     {event: node.HubChanged{State: node.Searching}, want: at + `"hub","state":"searching","hub":"","hub_id":"","term":0}`},
		"peer":          {event: node.PeerChanged{State: node.Away, Nick: "bob", ID: some.HubID, Peers: 4}, want: at + `"peer","state":"away","nick":"bob","id":"` + known + `","peers":4}`},
		"away, and why": {event: node.PeerChanged{State: node.Away, Nick: "bob", ID: some.HubID, Peers: 4, Why: "at lunch"}, want: at + `"peer","state":"away","nick":"bob","id":"` + known + `","peers":4,"why":"at lunch"}`},
		"typing":        {event: node.TypingChanged{Typist: node.Typist{Room: "#lobby", Nick: "bob", ID: some.HubID}, On: true}, want: at + `"typing","room":"#lobby","nick":"bob","id":"` + known + `","on":true}`},
		"message":       {event: message1(nil), want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":false,"history":false}`},
		"sealed": {event: message1(func(s *node.Said) { s.Sealed, s.History, s.Room = true, true, "@bob" }),
			want: at + `"message","room":"@bob","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":false,"history":true,"sealed":true}`},
		"action": {event: message1(func(s *node.Said) { s.Kind, s.Mine = message.Action, true }),
			want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":true,"history":false,"kind":"action"}`},
		"message on a box": {event: message1(nil), server: true, want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","at":"2026-11-20T08:00:59.005Z","mine":false,"history":false}`},
		"verified":         {event: message1(func(s *node.Said) { s.Verified = true }), want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":false,"history":false,"verified":true}`},
		"mark":             {event: node.Marked{ID: some.HubID, Nick: "bob", Mark: node.Mark{Verified: true}}, want: at + `"mark","nick":"bob","id":"` + known + `","verified":true,"ignored":false}`},
		"delivery":         {event: node.Delivered{ID: message.ID{0xab, 15: 1}, Copies: 2}, want: at + `"delivery","id":"` + id + `","copies":2}`},
		"not delivered":    {event: node.Delivered{ID: message.ID{0xab, 15: 1}}, want: at + `"delivery","id":"` + id + `","copies":0}`},
		"withdrawn":        {event: node.Withdrawn{Message: message1(nil).Message}, want: at + `"withdrawn","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `"}`},
		"restated":         {event: node.Withdrawn{Message: message1(nil).Message, Restated: true}, want: at + `"withdrawn","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","again":true}`},
		"again": {event: message1(func(s *node.Said) { s.Mine, s.Again = true, message.ID{0xab, 15: 1} }),
			want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":true,"history":false,"again":"` + id + `"}`},
		"reply": {event: message1(func(s *node.Said) { s.Kind, s.Quote.ID = message.Reply, message.ID{1} }),
			want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":false,"history":false,"reply_to":"01000000000000000000000000000000"}`},
		"history with what became of it": {event: message1(func(s *node.Said) {
			s.History, s.Edited, s.Reactions = true, true, []node.Reaction{{Emoji: "👍", Count: 2, Mine: true}}
		}), want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you","at":"2026-11-20T08:00:59.005Z","mine":false,"history":true,"edited":true,"reactions":[{"emoji":"👍","count":2,"mine":true}]}`},
		"history of what was deleted": {event: message1(func(s *node.Said) { s.History, s.Redacted, s.Text = true, true, "" }),
			want: at + `"message","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"","at":"2026-11-20T08:00:59.005Z","mine":false,"history":true,"redacted":true}`},
		"edited":          {event: node.Edited{Message: message1(nil).Message}, want: at + `"edited","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `","text":"hi <b> & you"}`},
		"edited on a box": {event: node.Edited{Message: message1(nil).Message}, server: true, want: at + `"edited","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `"}`},
		"redacted":        {event: node.Redacted{Message: message1(nil).Message}, want: at + `"redacted","room":"#lobby","nick":"bob","author":"` + known + `","id":"` + id + `"}`},
		"reaction": {event: node.Reacted{Message: message1(func(s *node.Said) { s.Reactions = []node.Reaction{{Emoji: "👍", Count: 2}} }).Message, Emoji: "👍", By: "carol", ByID: some.HubID, On: true},
			want: at + `"reaction","room":"#lobby","nick":"carol","author":"` + known + `","id":"` + id + `","emoji":"👍","on":true,"count":2}`},
		"topic": {event: node.TopicChanged{Room: "#lobby", Topic: node.Topic{Text: "the weather", Nick: "bob", Author: some.HubID, At: spoken}},
			want: at + `"topic","room":"#lobby","text":"the weather","nick":"bob","author":"` + known + `","at":"2026-11-20T08:00:59.005Z"}`},
		"renamed": {event: node.Renamed{ID: some.HubID, Old: "bob", New: "rob"}, want: at + `"renamed","old":"bob","nick":"rob","id":"` + known + `"}`},
		"invite":  {event: node.Invited{Room: "#plans", By: node.Named{Nick: "bob", ID: some.HubID}}, want: at + `"invite","room":"#plans","nick":"bob","id":"` + known + `"}`},
		"answer":  {event: node.Answered{Room: "#plans", By: node.Named{Nick: "bob", ID: some.HubID}, Yes: true}, want: at + `"answer","room":"#plans","nick":"bob","id":"` + known + `","yes":true}`},
		"members": {event: node.Members{Room: "#plans", Added: []node.Named{{Nick: "bob", ID: some.HubID}}, Taken: []node.Named{{Nick: "carol"}}, Owner: node.Named{Nick: "bob", ID: some.HubID}},
			want: at + `"members","room":"#plans","added":[{"nick":"bob","id":"` + known + `"}],"taken":[{"nick":"carol","id":"` + zero + `"}],"owner":{"nick":"bob","id":"` + known + `"}}`},
		"no longer a member": {event: node.Members{Room: "#plans", Out: true}, want: at + `"members","room":"#plans","out":true}`},
		"read":               {event: node.Read{Room: "@bob", By: node.Named{Nick: "bob", ID: some.HubID}, ID: message.ID{0xab, 15: 1}}, want: at + `"read","room":"@bob","nick":"bob","author":"` + known + `","id":"` + id + `"}`},
		"room renamed":       {event: node.RoomRenamed{ID: message.RoomID{1}, Old: "@bob", New: "@rob"}, want: at + `"room-renamed","old":"@bob","room":"@rob"}`},
		"notice":             {event: node.Notice{Text: "no", Hint: "yes"}, want: at + `"notice","text":"no","hint":"yes"}`},
		"caught-up":          {event: node.CaughtUp{}, want: at + `"caught-up"}`},
		"realm":              {event: node.RealmChanged{}, want: at + `"realm"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := appendJSON(nil, printed, c.event, c.server)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want+"\n" {
				t.Errorf("got  %swant %s", got, c.want)
			}
		})
	}
}

// hostile is text that would change what a terminal shows.
const hostile = "\x1b]52;c;aGk=\x07\x1b[2J\u009b31m\r\n09:00 eve: forged\u2028x\u0085y\x7f\u202etxt"

func TestHostileJSON(t *testing.T) {
	got, err := appendJSON(nil, printed, message1(func(s *node.Said) { s.Text, s.Nick, s.Room = hostile, hostile, hostile }), false)
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.IndexFunc(strings.TrimSuffix(string(got), "\n"), harmful); i >= 0 {
		t.Errorf("a control character at %d of %q", i, got)
	}
	var o struct{ Text, Nick, Room string }
	if err := json.Unmarshal(got, &o); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(strings.ReplaceAll(o.Text, "\n", ""), harmful) || strings.ContainsFunc(o.Nick+o.Room, harmful) {
		t.Errorf("decoded: %q", o)
	}
}

// happenings are all events about rooms and conversations, with names that are not clean.
func happenings() []node.Event {
	who := node.Named{Nick: hostile}
	return []node.Event{node.Invited{Room: hostile, By: who}, node.Answered{Room: hostile, By: who}, node.Members{Room: hostile, Added: []node.Named{who, who}, Taken: []node.Named{who}, Owner: who},
		node.Read{Room: hostile, By: who}, node.RoomRenamed{Old: hostile, New: hostile}}
}

func TestHostileNames(t *testing.T) {
	for _, e := range happenings() {
		line, err := appendJSON(nil, printed, e, false)
		if err != nil || strings.ContainsFunc(strings.TrimSuffix(string(line), "\n"), harmful) {
			t.Errorf("%q, %v", line, err)
		}
		if text := (&printer{}).appendText(nil, printed, e); strings.Count(string(text), "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(string(text), "\n"), harmful) {
			t.Errorf("%q", text)
		}
	}
}

func harmful(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e
}
