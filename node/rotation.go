package node

import (
	"cmp"
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

	"earshot/node/identity"
	"earshot/node/message"
	"earshot/node/seal"
	"earshot/node/vault"
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

// rotations is what a node knows of changes of the key of its network: that which made it, and those that are offered.
type rotations struct {
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
	slices.SortFunc(out, func(a, b Holder) int { return cmp.Or(cmp.Compare(a.Nick, b.Nick), slices.Compare(a.ID[:], b.ID[:])) })
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

// found makes a new key, writes down who is to have it, and stores it. Done half-way, the network has its old key still, and what was written is of one that nobody knows.
func (p *profile) found(network *identity.Network, old string, me ticked, in []Holder, succeed func(old, key string) error) (next *identity.Network, key string, err error) {
	key = identity.NewKey()
	if next, err = identity.NewNetwork(network.Name(), []byte(key)); err != nil {
		return nil, "", err
	}
	now := time.Now()
	r := &rotation{Made: now.UTC().Truncate(time.Second), Since: now.UTC().Truncate(time.Second), By: me.Key, Of: []string{idHex(network.ID())}, People: []ticked{me}}
	for _, h := range in {
		nick, _, _ := strings.Cut(h.Nick, "~")
		r.People = append(r.People, ticked{Key: peerHex(h.ID), Nick: nick})
	}
	here, err := p.readRotation(network.ID())
	if err != nil {
		return nil, "", err
	}
	if len(here.waits(now)) > 0 { // who is waited for still is in one of these
		r.Of = append(r.Of, here.Of...)
	}
	if err := writeJSON(p.rotationPath(next.ID()), r); err != nil {
		return nil, "", err
	}
	return next, key, succeed(old, key)
}

// A KeyChange is Rotate for a profile that no process uses: it holds the profile's lock until Close.
type KeyChange struct {
	config  Config
	profile *profile
	me      ticked
	// Holders are all who are known in the network, by nick.
	Holders []Holder
}

// OpenKeyChange needs of the Config Dir, Network, Key and Succeed. Errors that a user can do something about are *Error, with ErrInUse as its cause where a process uses the profile.
func OpenKeyChange(c Config) (*KeyChange, error) {
	p, err := openProfile(c.Dir)
	if err != nil {
		return nil, err
	}
	k := &KeyChange{config: c, profile: p}
	if err := k.load(); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *KeyChange) load() error {
	network := k.config.Network.ID()
	who, err := identity.Load(k.config.Dir)
	if err != nil {
		return err
	}
	known, err := openContacts(k.profile.contacts(network), true, who.ID(), k.config.Log)
	if err != nil {
		return err
	}
	here, err := k.profile.readRotation(network)
	k.Holders = holders(known, here, who.ID())
	k.me = ticked{Key: peerHex(who.ID()), Nick: k.profile.nick(), Has: true}
	return err
}

// Rotate changes the key for this person and those given.
func (k *KeyChange) Rotate(in []Holder) error {
	_, _, err := k.profile.found(k.config.Network, k.config.Key(), k.me, in, k.config.Succeed)
	return err
}

// Close releases the profile.
func (k *KeyChange) Close() error { return k.profile.close() }

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
	if known || !verified && !n.alarms.Allow() {
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

// rotate changes the key, or says what that would do.
func (n *Node) rotate(c Rotate) error {
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

// acceptKey goes to the network that is offered.
func (n *Node) acceptKey(c AcceptKey) error {
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

// declineKey takes none of the keys that are offered.
func (n *Node) declineKey() error {
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

// changeKey carries out what a user wants done about the key.
func (n *Node) changeKey(c Command) error {
	defer n.watch.wake()
	switch c := c.(type) {
	case Rotate:
		return n.rotate(c)
	case AcceptKey:
		return n.acceptKey(c)
	}
	return n.declineKey()
}
