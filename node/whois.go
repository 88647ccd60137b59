package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
)

// Whois is what is known of someone.
type Whois struct {
	Person                // Gone: not here, and what stands of being here is empty
	First, Last time.Time // when they were met, and seen last; zero: not known
	Nicks       []string  // what they were called besides, the last one last
	Machines    int       // on how many they are here
	// Code is what a QR code of this person holds: Verify takes it as a fingerprint.
	Code string
}

// Whois tells of someone who is here or was met. Errors are *Error.
func (n *Node) Whois(person string) (Whois, error) {
	id, err := n.person(person)
	if err != nil {
		return Whois{}, err
	}
	return n.whois(id), nil
}

func (n *Node) whois(id identity.PeerID) Whois {
	w := Whois{Code: n.code(id)}
	k, _ := n.people.known.get(id)
	w.First, w.Last = k.First, k.Last
	var here bool
	if w.Person, here = n.people.person(id); !here {
		w.Person = Person{ID: id, Verified: k.Verified, Ignored: k.Ignored, Gone: true}
		w.Nick, w.Warning = n.people.nameOf(id, k.nick())
	}
	for _, s := range n.people.instances() {
		if s.ID == id {
			w.Machines++
		}
	}
	if len(k.Nicks) > 1 {
		for _, cl := range k.Nicks[:len(k.Nicks)-1] {
			w.Nicks = append(w.Nicks, cl.Nick)
		}
	}
	return w
}

// ignored lists whom the user ignores, by nick.
func (n *Node) ignored() (out []Person) {
	marks, _ := n.people.known.marks(0)
	for id, m := range marks {
		if m.Ignored {
			out = append(out, n.whois(id).Person)
		}
	}
	sortPeople(out)
	return out
}

// codeOf begins the text in a QR code; the network and the fingerprint follow, in capitals and without dashes, so that the code is small.
const codeOf = "EARSHOT:VERIFY:"

func (n *Node) code(id identity.PeerID) string {
	network := n.network.ID()
	return strings.ToUpper(codeOf+hex.EncodeToString(network[:])+":") + bare(id.Fingerprint())
}

// bare is a fingerprint without its dashes.
func bare(fingerprint string) string { return strings.ReplaceAll(fingerprint, "-", "") }

// fingerprint returns a fingerprint that was typed or scanned, without its dashes; "": that is none. The error is of a code of another network.
func (n *Node) fingerprint(s string) (string, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	if rest, is := strings.CutPrefix(s, codeOf); is {
		network, fingerprint, _ := strings.Cut(rest, ":")
		if id := n.network.ID(); !strings.EqualFold(network, hex.EncodeToString(id[:])) {
			return "", &Error{Text: "that code is of another network", Hint: "both have to be in " + n.network.Name() + ", with the same key"}
		}
		s = fingerprint
	}
	s = bare(s)
	if len(s) != len(bare(identity.PeerID{}.Fingerprint())) || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", nil
	}
	return s, nil
}

func (c Verify) do(_ context.Context, n *Node) error {
	id, err := n.another(c.Person)
	if err != nil {
		return err
	}
	nick := n.whois(id).Nick
	if strings.TrimSpace(c.Fingerprint) == "" {
		return &Error{Text: "which fingerprint did " + nick + " read to you?", Hint: "/verify " + nick + " shows what to compare"}
	}
	fingerprint, err := n.fingerprint(c.Fingerprint)
	switch {
	case err != nil:
		return err
	case fingerprint == "":
		return &Error{Text: "that is no fingerprint", Hint: "it has six groups of four letters and digits"}
	case fingerprint != bare(id.Fingerprint()):
		return &Error{Text: "that is not the fingerprint of " + nick + " here", Hint: "have it read once more; if it stays another, this is someone else: /ignore " + nick}
	}
	return n.mark(id, func(k *contact) { k.Verified = true })
}

func (c Unverify) do(_ context.Context, n *Node) error {
	return n.markPerson(c.Person, func(k *contact) { k.Verified = false })
}

func (c Ignore) do(_ context.Context, n *Node) error {
	return n.markPerson(c.Person, func(k *contact) { k.Ignored = true })
}

func (c Unignore) do(_ context.Context, n *Node) error {
	return n.markPerson(c.Person, func(k *contact) { k.Ignored = false })
}

// markPerson changes what the user makes of someone.
func (n *Node) markPerson(person string, edit func(*contact)) error {
	id, err := n.another(person)
	if err != nil {
		return err
	}
	return n.mark(id, edit)
}

func (n *Node) mark(id identity.PeerID, edit func(*contact)) error {
	defer n.watch.wake()
	p, _ := n.people.person(id)
	nick, _, _ := strings.Cut(p.Nick, "~")
	return n.people.known.mark(id, nick, edit)
}

// another is person for what nobody does to themselves.
func (n *Node) another(person string) (identity.PeerID, error) {
	id, err := n.person(person)
	if err == nil && id == n.who.ID() {
		err = &Error{Text: "that is you"}
	}
	return id, err
}

// candidate is someone whom a name may mean.
type candidate struct {
	id   identity.PeerID
	nick string // by which they were found, without a tag
	here bool
	key  string // of the nick by which they are here
	contact
}

// maxName is the most bytes of a name that are looked at: a code, or a nick with a tag.
const maxName = 4 * message.MaxNickBytes

// person finds who is meant: those who are here before those who were. Errors are *Error.
func (n *Node) person(name string) (identity.PeerID, error) {
	if name = strings.TrimPrefix(strings.TrimSpace(name), "@"); len(name) > maxName {
		return identity.PeerID{}, &Error{Text: "that is too long for a nick", Hint: "/who lists who is here"}
	}
	fingerprint, err := n.fingerprint(name)
	if err != nil {
		return identity.PeerID{}, err
	}
	all := n.candidates()
	if fingerprint != "" { // never a nick, though some could be read as one
		for _, c := range all {
			if bare(c.id.Fingerprint()) == fingerprint {
				return c.id, nil
			}
		}
		return identity.PeerID{}, &Error{Text: "nobody with that fingerprint was met here", Hint: "/who lists who is here"}
	}
	nick, tag, tagged := strings.Cut(name, "~")
	key := message.NickKey(nick)
	var found, here, now []*candidate
	for _, c := range all {
		if c.nick = c.by(key); c.nick == "" || tagged && !strings.EqualFold(tag, c.id.Tag()) {
			continue
		}
		if c.id == n.who.ID() && !tagged {
			return c.id, nil // this one's own nick means this one, as it is shown
		}
		if found = append(found, c); c.here {
			here = append(here, c)
		}
		if c.key == key {
			now = append(now, c)
		}
	}
	if now != nil { // others here go by another nick now
		here = now
	}
	first, _ := n.people.known.of(key, identity.PeerID{})
	switch {
	case len(found) == 1:
		return found[0].id, nil
	case len(here) == 1 && (tagged || here[0].id == first): // shown so, and the others are away
		return here[0].id, nil
	case len(found) > 1:
		return identity.PeerID{}, ambiguous(name, found)
	}
	return identity.PeerID{}, unknown(name, key, all)
}

// candidates are all who are here or known.
func (n *Node) candidates() (out []*candidate) {
	at := map[identity.PeerID]int{}
	for _, k := range n.people.known.all() {
		at[identity.PeerID(k.Key)] = len(out)
		out = append(out, &candidate{id: identity.PeerID(k.Key), contact: k})
	}
	for _, p := range n.people.everyone() {
		i, known := at[p.ID]
		if !known {
			i = len(out)
			out = append(out, &candidate{id: p.ID})
		}
		if out[i].here, out[i].key = true, p.key; !slices.ContainsFunc(out[i].Nicks, func(c claim) bool { return c.key == p.key }) {
			out[i].Nicks = append(out[i].Nicks, claim{Nick: p.Nick, key: p.key})
		}
	}
	return out
}

// by returns the nick of theirs that has that key; "": none has.
func (c *candidate) by(key string) string {
	for _, cl := range slices.Backward(c.Nicks) {
		if cl.key == key {
			return cl.Nick
		}
	}
	return ""
}

// ambiguous lists whom a name may mean, with what tells them apart.
func ambiguous(name string, found []*candidate) error {
	slices.SortFunc(found, func(a, b *candidate) int {
		return cmp.Or(order(a.here, b.here), order(a.Verified, b.Verified), a.First.Compare(b.First), slices.Compare(a.id[:], b.id[:]))
	})
	const most = 4
	var list []string
	tags := map[string]int{}
	for _, c := range found {
		tags[c.id.Tag()]++
	}
	for _, c := range found[:min(len(found), most)] {
		who := c.nick + "~" + c.id.Tag()
		if tags[c.id.Tag()] > 1 {
			who = c.id.Fingerprint()
		}
		list = append(list, who+" ("+c.about()+")")
	}
	if more := len(found) - most; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return &Error{Text: fmt.Sprintf("%d people go by %s, or by a nick that looks like it", len(found), oneLine(name)), Hint: "name one of " + strings.Join(list, ", ")}
}

// about is what tells a candidate from another.
func (c *candidate) about() string {
	var words []string
	switch {
	case c.here:
		words = append(words, "here")
	case !c.Last.IsZero():
		words = append(words, "last seen "+c.Last.Local().Format("2 Jan 2006"))
	default:
		words = append(words, "away")
	}
	if c.Verified {
		words = append(words, "verified")
	}
	if c.Ignored {
		words = append(words, "ignored")
	}
	if nick := c.nick; len(c.Nicks) > 0 && c.Nicks[len(c.Nicks)-1].Nick != nick {
		words = append(words, "now "+c.Nicks[len(c.Nicks)-1].Nick)
	}
	if !c.First.IsZero() {
		words = append(words, "known since "+c.First.Local().Format("2 Jan 2006"))
	}
	return strings.Join(words, ", ")
}

// order puts true before false.
func order(a, b bool) int {
	if a == b {
		return 0
	}
	if a {
		return -1
	}
	return 1
}

// unknown says that nobody has that name, and who may have been meant.
func unknown(name, key string, all []*candidate) error {
	e := &Error{Text: "nobody here, or met here, is called " + cmp.Or(oneLine(name), "nothing"), Hint: "/who lists who is here"}
	best := max(1, len(key)/3) + 1
	for _, c := range all {
		for _, cl := range c.Nicks {
			d := message.Edits(key, cl.key)
			if key != "" && strings.HasPrefix(cl.key, key) {
				d = 1
			}
			if d < best || d == best && d <= max(1, len(key)/3) && c.here {
				best, e.Hint = d, "did you mean "+cl.Nick+"?"
			}
		}
	}
	return e
}
