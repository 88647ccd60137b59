package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"

	"earshot/node/identity"
	"earshot/node/probe"
)

// width is that of a narrow terminal.
const width = 80

// PrintPeers prints who is here for people, me marked, and why the hub is it.
func PrintPeers(w io.Writer, list []probe.Seen, me identity.PeerID) error {
	var b strings.Builder
	nicks, roles := len("NICK"), len("ROLE")
	for _, s := range list {
		nicks, roles = max(nicks, uniseg.StringWidth(s.Nick)), max(roles, len(role(s, me)))
	}
	row := func(nick, tag, role, address string) {
		line := fmt.Sprintf("%s%*s  %-4s  %-*s  ", nick, nicks-uniseg.StringWidth(nick), "", tag, roles, role)
		if room := width - uniseg.StringWidth(line); len(address) > room {
			address = address[:max(room-1, 0)] + "…"
		}
		b.WriteString(strings.TrimRight(line+address, " ") + "\n")
	}
	row("NICK", "TAG", "ROLE", "ADDRESS")
	for _, s := range list {
		row(s.Nick, s.ID.Tag(), role(s, me), s.Address)
	}
	b.WriteString("\n" + reason(list))
	_, err := io.WriteString(w, b.String())
	return err
}

// role is what one is, in few words.
func role(s probe.Seen, me identity.PeerID) string {
	var words []string
	add := func(is bool, word string) {
		if is {
			words = append(words, word)
		}
	}
	add(s.ID == me, "you")
	add(s.Hub, "hub")
	add(s.Class == 2, "server")
	add(s.Class == 0 && !s.LinkOnly, "never the hub")
	add(s.LinkOnly, "by hand")
	add(s.Away, "away")
	return strings.Join(words, ", ")
}

// reason says who is the hub, and why.
func reason(list []probe.Seen) string {
	hubs := 0
	for hubs < len(list) && list[hubs].Hub {
		hubs++
	}
	if hubs == 0 {
		return "Nobody is the hub at this moment.\n"
	}
	hub := list[0]
	class := map[uint8]string{1: "like most", 2: "a server: preferred", 3: "joins two networks: preferred"}[hub.Class]
	class = cmp.Or(class, "unknown here")
	followers := "nobody follows it"
	switch least, most := hub.Followers(); {
	case most > 1:
		followers = fmt.Sprintf("%d to %d follow it", least, most)
	case most == 1:
		followers = "one follows it"
	}
	text := fmt.Sprintf("%s is the hub: class %d (%s),\nweight %d (%s), term %d.\n", hub.Nick, hub.Class, class, hub.Weight, followers, hub.Term)
	if hubs > 1 {
		return text + fmt.Sprintf("%d more say that they are: the higher class stays, then weight, then term.\n", hubs-1)
	}
	return text + "It stays while it is there, unless one of a higher class comes.\n"
}

// A peer is what --json prints, one a line: fields are only ever added.
type peer struct {
	Event    string `json:"event"` // "instance"
	Nick     string `json:"nick"`
	ID       string `json:"id"` // fingerprint
	Session  string `json:"session"`
	Address  string `json:"address,omitempty"`
	Me       bool   `json:"me"`
	Hub      bool   `json:"hub"`
	Class    uint8  `json:"class"`
	Weight   uint8  `json:"weight"`
	Term     uint64 `json:"term"`
	LinkOnly bool   `json:"link_only"`
	Away     bool   `json:"away"`
	Answered bool   `json:"answered"`
	With     string `json:"with,omitempty"` // the session of its hub
	Software string `json:"software,omitempty"`
}

// PrintPeersJSON prints who is here for scripts.
func PrintPeersJSON(w io.Writer, list []probe.Seen, me identity.PeerID) error {
	var peers []peer
	for _, s := range list {
		p := peer{"instance", s.Nick, s.ID.Fingerprint(), s.Session.String(), s.Address, s.ID == me, s.Hub, s.Class, s.Weight, s.Term, s.LinkOnly, s.Away, s.Answered, "", s.Software}
		if s.With != (identity.Session{}) {
			p.With = s.With.String()
		}
		peers = append(peers, p)
	}
	return PrintJSON(w, peers...)
}
