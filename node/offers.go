package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
)

// openRotations reads how this network came to be, and what is offered.
func (n *Node) openRotations() (err error) {
	if !n.network.Closed() || n.config.Beside != nil {
		return nil
	}
	if n.rekey.here, err = n.profile.readRotation(n.network.ID()); err != nil {
		return err
	}
	var stored []*offer
	if err := readJSON(n.profile.offersPath(n.network.ID()), &stored); err != nil {
		return err
	}
	for _, o := range stored[:min(len(stored), maxOffers)] {
		if o.said, err = seal.ParseRotation(seal.Content{Kind: message.Rotate, Body: o.Rotation}); err != nil {
			continue // of a later version, perhaps
		}
		if err := o.open(n.network.Name()); err != nil {
			continue
		}
		n.rekey.offers = append(n.rekey.offers, o)
	}
	for _, o := range n.pending() {
		n.tellOffer(o)
	}
	return nil
}

func (o *offer) open(name string) (err error) {
	if o.network, err = identity.NewNetwork(name, []byte(o.said.Key())); err == nil {
		o.id = o.network.ID()
	}
	return err
}

// saveOffers writes what is offered. Only the disk can fail; then it is offered again after a restart, as long as couriers are there.
func (n *Node) saveOffers() {
	n.rekey.mu.Lock()
	list := slices.Clone(n.rekey.offers)
	n.rekey.mu.Unlock()
	if n.config.NoHistory {
		return
	}
	if err := writeJSON(n.profile.offersPath(n.network.ID()), list); err != nil {
		n.log.Warn("the offer of a key is not kept", "err", err)
	}
}

// pending are the keys offered and not declined, the one to be taken first.
func (n *Node) pending() (out []*offer) {
	n.rekey.mu.Lock()
	defer n.rekey.mu.Unlock()
	for _, o := range n.rekey.offers {
		if !o.Declined {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *offer) int { return slices.Compare(a.id[:], b.id[:]) })
	return out
}

// offered takes a key that was handed over in a network: this one, or one before, by a courier.
func (n *Node) offered(e vault.Offered, in identity.NetworkID) {
	if !n.network.Closed() || n.people.known.ignores(e.By) {
		return
	}
	o := &offer{From: peerHex(e.By), Rotation: e.Key.Bytes(), Of: idHex(in), said: e.Key}
	if err := o.open(n.network.Name()); err != nil {
		return
	}
	here := n.network.ID()
	if o.id == here || slices.ContainsFunc(n.config.Previous, func(p *identity.Network) bool { return p.ID() == o.id }) {
		return
	}
	if in != here && slices.Compare(o.id[:], here[:]) > 0 {
		return // those come here
	}
	n.rekey.mu.Lock()
	known := slices.ContainsFunc(n.rekey.offers, func(known *offer) bool { return known.id == o.id })
	n.rekey.mu.Unlock()
	verified, _ := n.people.known.marked(e.By)
	if known || !verified && !n.rekey.told.Allow() {
		return // whoever is in the network can offer as many keys as they like
	}
	n.rekey.mu.Lock()
	n.rekey.offers = append(n.rekey.offers, o)
	for i := 0; len(n.rekey.offers) > maxOffers && i < len(n.rekey.offers); {
		if kept, _ := n.people.known.marked(identity.PeerID(n.rekey.offers[i].From)); kept && len(n.rekey.offers)-i > 1 {
			i++
			continue
		}
		n.rekey.offers = slices.Delete(n.rekey.offers, i, i+1)
	}
	n.rekey.mu.Unlock()
	n.saveOffers()
	if n.config.ServerOnly && verified {
		if err := n.take(o); err != nil {
			n.log.Error("the network's new key is not taken", "err", err)
		}
		return
	}
	n.tellOffer(o)
}

// tellOffer asks the user.
func (n *Node) tellOffer(o *offer) {
	from, by := n.named(identity.PeerID(o.From)).Nick, ""
	if o.said.By != identity.PeerID(o.From) {
		by = ", made by " + n.named(o.said.By).Nick + " as they say,"
	}
	verified, _ := n.people.known.marked(identity.PeerID(o.From))
	proof := from + " is not verified: ask them, not here, whether it is true"
	if verified {
		from = "✓" + from
		proof = "you have verified them"
	}
	n.notice(fmt.Sprintf("%s gives %s a new key%s for you and %d more; %s", from, n.network.Name(), by, len(o.said.People)-1, proof), "/key accept takes it, and you go on with those who have it; /key decline does not")
}

func (c AcceptKey) do(_ context.Context, n *Node) error {
	defer n.watch.wake()
	list := n.pending()
	if from := strings.TrimPrefix(strings.TrimSpace(c.From), "@"); from != "" {
		list = slices.DeleteFunc(list, func(o *offer) bool {
			id := identity.PeerID(o.From)
			return !strings.EqualFold(n.named(id).Nick, from) && !strings.EqualFold(bare(id.Fingerprint()), bare(from))
		})
	}
	switch {
	case len(list) == 0 && c.From != "":
		return &Error{Text: c.From + " has offered no new key"}
	case len(list) == 0:
		return &Error{Text: "nobody has offered a new key", Hint: "/key rotate makes one"}
	case len(list) > 1 && c.From == "":
		var names []string
		for _, o := range list {
			names = append(names, n.named(identity.PeerID(o.From)).Nick)
		}
		return &Error{Text: "several have offered a key, and not the same: " + strings.Join(names, ", "), Hint: "/key accept NICK takes one of them"}
	}
	return n.take(list[0])
}

// take goes to the network of an offer.
func (n *Node) take(o *offer) error {
	if err := n.canKeep(); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	r := &rotation{Made: time.UnixMilli(int64(min(o.said.Made, 1<<50))).UTC(), Since: now, By: peerHex(o.said.By), Of: []string{idHex(n.network.ID())}}
	n.rekey.mu.Lock()
	if here := n.rekey.here; o.Of != r.Of[0] || len(here.waits(now)) > 0 {
		r.Of = append(r.Of, o.Of)
		if here != nil {
			r.Of = append(r.Of, here.Of...)
		}
	}
	n.rekey.mu.Unlock()
	slices.Sort(r.Of)
	r.Of = slices.Compact(r.Of)
	for _, id := range o.said.People {
		nick, _, _ := strings.Cut(n.named(id).Nick, "~")
		r.People = append(r.People, ticked{Key: peerHex(id), Nick: nick, Has: id == n.who.ID() || id == o.said.By || id == identity.PeerID(o.From)})
	}
	if !n.config.NoHistory { // else it is not written down who is here, and others tell those who are away
		if err := writeJSON(n.profile.rotationPath(o.id), r); err != nil {
			return err
		}
	}
	if err := n.config.Succeed(n.config.Key(), o.said.Key()); err != nil {
		return fmt.Errorf("the new key is not stored: %w", err)
	}
	if err := os.Remove(n.profile.offersPath(n.network.ID())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.log.Warn("the offer of a key is still on the disk", "err", err)
	}
	n.move(o.network, o.said.Key())
	return nil
}

func (DeclineKey) do(_ context.Context, n *Node) error {
	defer n.watch.wake()
	list := n.pending()
	if len(list) == 0 {
		return &Error{Text: "nobody has offered a new key"}
	}
	n.rekey.mu.Lock()
	for _, o := range list {
		o.Declined = true
	}
	n.rekey.mu.Unlock()
	n.saveOffers()
	return nil
}

// An offer is a key that somebody handed to this person, in offers.json of the network that it takes the place of.
type offer struct {
	From     peerHex `json:"from"`
	Rotation []byte  `json:"rotation"` // as it came (package seal)
	Declined bool    `json:"declined,omitempty"`
	Of       string  `json:"of"` // the network in which it was handed over, in hex
	id       identity.NetworkID
	network  *identity.Network
	said     *seal.Rotation
}
