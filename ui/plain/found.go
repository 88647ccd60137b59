package plain

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"earshot/node"
	"earshot/node/message"
)

// foundMost is how many hits /search prints. It asks for one more, to tell whether there are more.
const foundMost = 50

// found is the object that --json has for a hit. It has no t, and is the same where a search takes no part in the chat.
type found struct {
	Event   string   `json:"event"` // "found"
	Room    string   `json:"room"`
	Nick    string   `json:"nick"`
	Author  string   `json:"author"`
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	At      string   `json:"at"`
	Kind    string   `json:"kind,omitempty"` // action, topic; none: text
	Edited  bool     `json:"edited,omitempty"`
	Sealed  bool     `json:"sealed,omitempty"` // end-to-end encrypted
	Matches [][2]int `json:"matches"`          // where in text, in bytes: from, to
}

// searched is the object that ends the answer to /search.
type searched struct {
	object
	Count  int   `json:"count"`            // objects before it
	More   bool  `json:"more"`             // older hits are not told
	Unseen int64 `json:"unseen,omitempty"` // messages that are not indexed yet
}

// AppendHit appends what a search found: a line for people, with the day, or an object.
func AppendHit(b []byte, h node.Hit, json bool) ([]byte, error) {
	if json {
		f := found{"found", oneLine(h.Room), oneLine(h.Nick), h.Author.Fingerprint(), hex.EncodeToString(h.ID[:]), clean(h.Text), stamp(h.At), kind(h.Kind), h.Edited, h.Sealed, [][2]int{}}
		for _, s := range h.Spans {
			f.Matches = append(f.Matches, [2]int{s.Start, s.End})
		}
		return appendObject(b, f)
	}
	text, nick := strings.ReplaceAll(clean(h.Text), "\n", "\n"+gutter), oneLine(h.Nick)
	switch h.Kind {
	case message.Action:
		text = "* " + nick + " " + text
	case message.Topic:
		text = "* " + nick + " set the topic: " + text
	default:
		text = nick + ": " + text
	}
	return fmt.Appendf(b, "%s %s %s\n", h.At.Local().Format("2006-01-02 15:04"), oneLine(h.Room), text), nil
}

// hits prints what /search found, the newest first, and then how much that is.
func (p *printer) hits(f *node.Found) (err error) {
	more := f.Older != 0 || len(f.Hits) > foundMost
	list := f.Hits[:min(len(f.Hits), foundMost)]
	p.buf = p.buf[:0]
	for _, h := range list {
		if p.buf, err = AppendHit(p.buf, h, p.JSON); err != nil {
			return err
		}
	}
	if p.JSON {
		if p.buf, err = appendObject(p.buf, searched{object{stamp(time.Now()), "searched"}, len(list), more, f.Unseen}); err != nil {
			return err
		}
	}
	if _, err := p.Out.Write(p.buf); err != nil || p.JSON {
		return err
	}
	n := node.Notice{Text: fmt.Sprintf("%d found", len(list))}
	switch {
	case more:
		n = node.Notice{Text: fmt.Sprintf("these are the newest %d, and there are more", len(list)), Hint: "narrow it down with from:NICK in:#ROOM after:2026-11-20 before:2026-11-27"}
	case len(list) == 0:
		n.Text = "nothing is found"
	}
	if f.Unseen > 0 {
		n.Text += fmt.Sprintf("; %s yet to be indexed", messages(int(f.Unseen)))
	}
	return p.print(n)
}
