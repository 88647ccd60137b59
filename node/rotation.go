package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"earshot/node/identity"
	"earshot/node/message"
)

// A closed network gets a new key.
//
// A network is its name and its key, so with another key it is another network, with another id: who has not got the new key can neither find it nor link to it nor read it, and there is nothing to be taken from
// anybody. To change the key is to found that network and to tell those who are to stay. Who is not ticked is not told, and stays behind alone.
//
// Whoever changes it (Rotate, or KeyChange where no process runs) writes down who is ticked (rotation.json in the folder of the new network), then puts the new key in the place of the old one in the key
// store (Config.Succeed), and from there on is in the new network: this process ends its part in the old one, and Node.Next says where to go on. Nobody has been told by then. That is
// the work of couriers (courier.go), of everybody who is in the new network already: a second node of the same person in the old network, which takes no part in what is said there, and hands the key, as a
// sealed direct message, to each of those ticked who shows up. So it makes no difference who was away, whether this process is killed meanwhile, or whether whoever changed the key is there.
//
// Nobody is moved without being asked, since any member could move everybody else: who is handed a key is told by whom, and AcceptKey goes there; where there are two, it needs to be told whose. A box, where nobody is to be asked, takes a key
// from those alone whom its operator has verified. The offer is kept until then (offers.json in the folder of the old network, secret like the key store).
//
// Another instance of the same person is told while couriers are there for somebody else; where nobody is away it is given the key by hand.
//
// Someone has the key as soon as somebody who has it meets them in the new network. When all have it, or after 30 days, couriers are gone.
//
// Two may change the key at the same time. Of two networks that come of the same one, the one with the lower id is where all end: who is in the other is offered it, and asked; who is in it hears nothing of the
// other. Nobody can know before which it will be, and both founders are still members of one network, so no more is to be decided.

const (
	// rotationLife is how long those who are away are waited for: as long as what is sealed for them is kept anywhere.
	rotationLife = 30 * 24 * time.Hour
	// maxOffers bounds the keys that are offered and not answered, or declined.
	maxOffers = 16
)

// A rotation is rotation.json: how this network came to be. It holds no secret.
type rotation struct {
	Made   time.Time `json:"made"`   // when the key was, by the clock of whoever made it
	Since  time.Time `json:"since"`  // when this profile went here
	By     peerHex   `json:"by"`     // who made it
	Of     []string  `json:"of"`     // the networks that it takes the place of, in hex
	People []ticked  `json:"people"` // this one is among them
}

// A ticked person is to have the key.
type ticked struct {
	Key  peerHex `json:"key"`
	Nick string  `json:"nick"`          // as it was shown last, for who is not met any more
	Has  bool    `json:"has,omitempty"` // was met in the new network
}

// rotations is what a node knows of changes of the key of its network: that which made it, and those that are offered.
type rotations struct {
	told *rate.Limiter // of offers by those who are not verified: each is handed over once, so that nothing else may use it up

	mu     sync.Mutex // protects what follows
	here   *rotation  // not changed, but replaced; nil: none made this network, or none that this profile knows of
	offers []*offer
	next   *identity.Network // where to go on; nil: nowhere
	key    func() string     // of next
}

func idHex(id identity.NetworkID) string { return hex.EncodeToString(id[:]) }

func (p *profile) rotationPath(id identity.NetworkID) string {
	return filepath.Join(p.network(id), "rotation.json")
}
func (p *profile) offersPath(id identity.NetworkID) string {
	return filepath.Join(p.network(id), "offers.json")
}

// readRotation returns how a network came to be; nil: not by a change of the key.
func (p *profile) readRotation(id identity.NetworkID) (*rotation, error) {
	if _, err := os.Stat(p.rotationPath(id)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r := &rotation{}
	return r, readJSON(p.rotationPath(id), r)
}

// waits returns who has not got the key yet, while they are waited for.
func (r *rotation) waits(now time.Time) (out []ticked) {
	if r == nil || now.Sub(r.Since) > rotationLife {
		return nil
	}
	for _, t := range r.People {
		if !t.Has {
			out = append(out, t)
		}
	}
	return out
}

// Progress says how many of those who are to have the present key have it, and for whom it is waited.
type Progress struct {
	Have, All int
	Waiting   []string // nicks
}

func (r *rotation) progress(now time.Time) *Progress {
	waiting := r.waits(now)
	if len(waiting) == 0 {
		return nil
	}
	p := &Progress{Have: len(r.People) - len(waiting), All: len(r.People)}
	for _, t := range waiting {
		p.Waiting = append(p.Waiting, message.ShowNick(t.Nick))
	}
	slices.Sort(p.Waiting)
	return p
}

// String says it in words: "3 of 5 have the new key; waiting for carol".
func (p *Progress) String() string {
	return fmt.Sprintf("%d of %d have the new key; waiting for %s", p.Have, p.All, strings.Join(p.Waiting, ", "))
}

// ProgressOf reads from a profile how far a network's change of the key is; nil: there is none that is not done.
func ProgressOf(dir string, network *identity.Network) (*Progress, error) {
	r, err := (&profile{dir: dir}).readRotation(network.ID())
	return r.progress(time.Now()), err
}

func (c Rotate) do(_ context.Context, n *Node) error {
	defer n.watch.wake()
	if err := n.canKeep(); err != nil {
		return err
	}
	if n.config.NoHistory {
		return &Error{Text: "with --no-history it cannot be remembered who is to have the new key", Hint: "have somebody else change it, or start earshot without"}
	}
	n.rekey.mu.Lock()
	here := n.rekey.here
	n.rekey.mu.Unlock()
	list := holders(n.people.known, here, n.who.ID())
	if !c.All && len(c.Only) == 0 && len(c.Except) == 0 {
		n.notice("a new key keeps out who does not get it. Known here: "+namesOf(list), "/key rotate --except NICK…, --only NICK… or --all says who gets it, and asks again")
		return nil
	}
	in, out, err := c.Choose(list)
	if err != nil {
		return err
	}
	if !c.Sure {
		n.notice(fmt.Sprintf("%s would get a new key, handed to: %s. Out, and never to be let in again without it: %s", n.network.Name(), namesOf(in), namesOf(out)), "the same with --yes does it")
		return nil
	}
	next, key, err := n.profile.found(n.network, n.config.Key(), ticked{Key: peerHex(n.who.ID()), Nick: n.Nick(), Has: true}, in, n.config.Succeed)
	if err != nil {
		return fmt.Errorf("the key is not changed: %w", err)
	}
	n.move(next, key)
	return nil
}

// canKeep says why this profile cannot have another key.
func (n *Node) canKeep() error {
	switch {
	case !n.network.Closed():
		return &Error{Text: n.network.Name() + " is open: it has no key", Hint: "earshot key new NAME makes a closed network"}
	case n.config.Succeed == nil || n.config.Key == nil:
		return &Error{Text: "a new key could not be kept here", Hint: "store the key with earshot key join NAME, and start earshot with --network NAME"}
	}
	return nil
}

// move has this node end, to go on in another network.
func (n *Node) move(next *identity.Network, key string) {
	n.rekey.mu.Lock()
	if n.rekey.next == nil {
		n.rekey.next, n.rekey.key = next, func() string { return key }
	}
	n.rekey.mu.Unlock()
	n.fail()
}

// Next returns the Config of the node that goes on where this one, whose Run has returned, took or made a new key; false: it did not.
func (n *Node) Next() (Config, bool) {
	n.rekey.mu.Lock()
	defer n.rekey.mu.Unlock()
	c := n.config
	if n.rekey.next == nil {
		return c, false
	}
	c.Previous = append([]*identity.Network{n.network}, c.Previous...)
	c.Network, c.Key = n.rekey.next, n.rekey.key
	c.Nick, c.Copied = "", Memory{} // as it may have been changed
	return c, true
}
