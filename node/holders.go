package node

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
)

// A Holder is someone who was met in the network and holds its present key, or is to.
type Holder struct {
	Named             // the nick has its tag where another has the same
	Verified, Ignored bool
	Last              time.Time // when they were seen last; zero: not known
}

// holders are all who are known in a network but this person, by nick, and those for whom its present key is waiting.
func holders(known *contacts, here *rotation, me identity.PeerID) (out []Holder) {
	seen := map[identity.PeerID]bool{me: true}
	add := func(id identity.PeerID, h Holder) {
		if !seen[id] {
			seen[id] = true
			out = append(out, h)
		}
	}
	for _, k := range known.all() {
		id := identity.PeerID(k.Key)
		add(id, Holder{Named: Named{k.nick(), id}, Verified: k.Verified, Ignored: k.Ignored, Last: k.Last})
	}
	for _, t := range here.waits(time.Now()) {
		id := identity.PeerID(t.Key)
		add(id, Holder{Named: Named{message.ShowNick(t.Nick), id}})
	}
	same := map[string]int{}
	for _, h := range out {
		same[message.NickKey(h.Nick)]++
	}
	for i, h := range out {
		if same[message.NickKey(h.Nick)] > 1 {
			out[i].Nick += "~" + h.ID.Tag()
		}
	}
	sort.Slice(out, func(i, j int) bool {
		return cmp.Or(cmp.Compare(out[i].Nick, out[j].Nick), slices.Compare(out[i].ID[:], out[j].ID[:])) < 0
	})
	return out
}

// Choose parts those who get the key from those who do not.
func (c Rotate) Choose(list []Holder) (in, out []Holder, err error) {
	ways := 0
	for _, given := range []bool{c.All, len(c.Only) > 0, len(c.Except) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, nil, &Error{Text: "who is to have the new key?", Hint: "name who is out, or who stays, or say all: --except NICK…, --only NICK…, --all"}
	}
	names := append(slices.Clone(c.Only), c.Except...)
	named := map[identity.PeerID]bool{}
	for _, name := range names {
		h, err := find(list, name)
		if err != nil {
			return nil, nil, err
		}
		named[h.ID] = true
	}
	for _, h := range list {
		if c.All || named[h.ID] == (len(c.Only) > 0) {
			in = append(in, h)
		} else {
			out = append(out, h)
		}
	}
	if len(in) >= seal.MaxRotation {
		return nil, nil, &Error{Text: fmt.Sprintf("%d people would get the key, and at most %d can", len(in), seal.MaxRotation-1), Hint: "name those who stay: --only NICK…"}
	}
	return in, out, nil
}

// find returns who is called so, by nick, nick with tag, or fingerprint.
func find(list []Holder, name string) (Holder, error) {
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	var found []Holder
	for _, h := range list {
		nick, _, _ := strings.Cut(h.Nick, "~")
		if h.Nick == name || strings.EqualFold(bare(h.ID.Fingerprint()), bare(name)) {
			return h, nil
		}
		if message.NickKey(nick) == message.NickKey(name) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Holder{}, &Error{Text: "nobody called " + name + " was met in this network", Hint: "earshot key rotate lists who was; so does /key rotate"}
	}
	var tags []string
	for _, h := range found {
		tags = append(tags, h.Nick)
	}
	return Holder{}, &Error{Text: fmt.Sprintf("%d are called %s", len(found), name), Hint: "name one with the tag behind it: " + strings.Join(tags, ", ")}
}

func namesOf(list []Holder) string {
	if len(list) == 0 {
		return "nobody"
	}
	var names []string
	for _, h := range list {
		if h.Verified {
			h.Nick = "✓" + h.Nick
		}
		names = append(names, h.Nick)
	}
	return strings.Join(names, ", ")
}
