package lab

import (
	"encoding/json"
	"time"
)

// An Event is one line of --plain --json. Fields that its kind does not have are zero.
type Event struct {
	T       time.Time `json:"t"`
	Kind    string    `json:"event"`
	Me      string    `json:"me"`
	ID      string    `json:"id"`
	Session string    `json:"session"`
	Port    int       `json:"port"`
	Network string    `json:"network"`
	Closed  bool      `json:"closed"`
	State   string    `json:"state"`
	Hub     string    `json:"hub"`
	HubID   string    `json:"hub_id"`
	Term    uint64    `json:"term"`
	Nick    string    `json:"nick"`
	Peers   int       `json:"peers"`
	Room    string    `json:"room"`
	Author  string    `json:"author"`
	Text    string    `json:"text"`
	At      time.Time `json:"at"`
	Mine    bool      `json:"mine"`
	History bool      `json:"history"`
	Copies  int       `json:"copies"`
	Hint    string    `json:"hint"`

	Raw  string    `json:"-"`
	Seen time.Time `json:"-"` // when the line was read
}

func parse(line string) (Event, error) {
	e := Event{Raw: line, Seen: time.Now()}
	err := json.Unmarshal([]byte(line), &e)
	return e, err
}
